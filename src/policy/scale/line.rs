//! What keeps a site in its line, under every order that reads versions: prereleases and variants.

use std::cmp::Ordering;

use crate::policy::compare::{compare_details, compare_prereleases, kind_of, same_base, same_family, same_variant};
use crate::policy::reading::Reading;
use crate::policy::reason::Rejection;
use crate::policy::words;
use crate::policy::{Prerelease, Variant};

/// Which prereleases and variants may be taken.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Line {
    pub(in crate::policy) prerelease: Prerelease,
    pub(in crate::policy) variant: Variant,
}

/// What candidates are measured against.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Home<'a> {
    pub(super) current: Option<Reading<'a>>,
    /// Whether the current tag is of the wanted variant, so that its family is preferred among several.
    at_home: bool,
}

impl Line {
    /// Takes a view of the site.
    pub(super) fn home<'a>(&self, current: Option<Reading<'a>>) -> Home<'a> {
        Home { current, at_home: current.is_some_and(|current| self.wants_variant(&current, Some(&current)).is_ok()) }
    }

    /// Compares what stands behind equal numbers. Of one version on several base systems the site's own is wanted: a newer one is
    /// published beside it, and is worth a move only where the version is not to be had otherwise.
    pub(super) fn compare(&self, a: &Reading<'_>, b: &Reading<'_>, home: &Home<'_>) -> Ordering {
        compare_prereleases(a.prerelease(), b.prerelease())
            .then_with(|| self.affinity(a, home).cmp(&self.affinity(b, home)))
            .then_with(|| compare_details(a, b))
    }

    /// Says whether a candidate is newer or older by what stands behind equal numbers.
    pub(super) fn compare_age(&self, candidate: &Reading<'_>, known: &Reading<'_>, home: &Home<'_>) -> Ordering {
        compare_prereleases(candidate.prerelease(), known.prerelease()).then_with(|| {
            // Of the family, which base system is the newer one the details say.
            let affinity = |key: &Reading<'_>| self.affinity(key, home).min(Affinity::Family);
            match affinity(candidate).cmp(&affinity(known)) {
                Ordering::Equal => compare_details(candidate, known),
                // Another variant of the same version is not older.
                Ordering::Less => Ordering::Equal,
                Ordering::Greater => Ordering::Greater,
            }
        })
    }

    /// Checks the variant, and the form of the build with it: `2.1.3-ls45` and `2.1.3` are two series of one image.
    ///
    /// So are a chart's `1.2.3_build.2`, which is `1.2.3+build.2` there, and `1.2.3`. Helm and Flux would take the former within a range,
    /// as semantic versions have no precedence by metadata; but then nobody can say which of `1.2.3+build.1` and `1.2.3+build.2` they
    /// take, and who publishes both with and without most often tests the one and releases the other. A site with metadata follows
    /// its series; one without takes them under `variant = "any"`, those without first.
    pub(super) fn wants_variant<'a>(&self, key: &Reading<'a>, current: Option<&Reading<'a>>) -> Result<(), Rejection<'a>> {
        let fits = match &self.variant {
            Variant::Any => true,
            Variant::Same => current.map_or_else(|| is_plain(key), |current| same_family(key, current)),
            Variant::Only(wanted) => is_only(key, wanted),
        };
        if fits {
            return Ok(());
        }
        let (same, variant) = (self.variant == Variant::Same, current.map_or("", Reading::variant));
        if same && same_variant(key.variant(), variant) && key.tail() == current.map_or("", Reading::tail) {
            return Err(Rejection::Build { found: key.build(), wanted: current.map_or("", Reading::build) });
        }
        Err(Rejection::Variant { found: key.variant(), wanted: same.then_some(variant) })
    }

    /// A site on a prerelease may go on towards that very release, also where prereleases are not wanted otherwise.
    pub(super) fn allows_prerelease<'a>(
        &self,
        key: &Reading<'a>,
        current: Option<&Reading<'a>>,
        is_that_release: impl FnOnce(&Reading<'a>) -> bool,
    ) -> bool {
        if key.prerelease().is_empty() {
            return true;
        }
        let Some(kind) = kind_of(key.prerelease()) else { return false };
        let wanted = match &self.prerelease {
            Prerelease::No => false,
            Prerelease::Any => true,
            Prerelease::Kinds(kinds) => kinds.iter().any(|name| words::prerelease(name, true).is_some_and(|k| k.name == kind.name)),
        };
        wanted
            || current.is_some_and(|current| {
                let towards = |from: words::Kind| kind == from || kind.maturity > from.maturity;
                kind_of(current.prerelease()).is_some_and(towards) && is_that_release(current)
            })
    }

    /// How much a variant is wanted among several of one version.
    fn affinity(&self, key: &Reading<'_>, home: &Home<'_>) -> Affinity {
        if let Some(current) = home.current.filter(|current| home.at_home && same_family(key, current)) {
            return if same_base(key, &current) { Affinity::Base } else { Affinity::Family };
        }
        let asked_for = match &self.variant {
            Variant::Only(wanted) if key.variant() == wanted => return Affinity::ToTheLetter,
            Variant::Only(wanted) => is_only(key, wanted),
            Variant::Any | Variant::Same => is_plain(key),
        };
        if asked_for { Affinity::AskedFor } else { Affinity::Other }
    }
}

/// How much a variant is wanted, the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Affinity {
    Other,
    /// The one asked for up to its numbers, or none where nothing is asked for.
    AskedFor,
    ToTheLetter,
    /// The site's own up to its numbers.
    Family,
    /// The site's own on its own base system.
    Base,
}

/// Says whether nothing but a prerelease stands behind the numbers.
pub(super) fn is_plain(key: &Reading<'_>) -> bool {
    key.variant().is_empty() && key.tail().is_empty() && key.build().is_empty()
}

/// Says whether a variant is the one asked for. Without digits, `alpine` asks for any `alpine3.18`; with digits, for just that.
fn is_only(key: &Reading<'_>, wanted: &str) -> bool {
    let number = |c: char| c.is_ascii_digit() || c == '.';
    let name = |segment: &'_ str| -> usize {
        if words::is_architecture(segment) { segment.len() } else { segment.trim_end_matches(number).len() }
    };
    let names = key.variant().split(['-', '_']).map(|segment| &segment[..name(segment)]).filter(|name| !name.is_empty());
    key.tail().is_empty() && (key.variant() == wanted || names.eq(wanted.split(['-', '_'])))
}
