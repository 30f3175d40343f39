//! `semver` and `update`: versions as tags are read, with the conditions that keep a site in its line.

use std::cmp::Ordering;

use super::Scale;
use crate::policy::compare::{
    compare_details, compare_numbers, compare_prereleases, first_difference, kind_of, same_family, same_form, same_variant,
};
use crate::policy::decision::Keep;
use crate::policy::range::{Admission, Dialect, Point, Range};
use crate::policy::reading::{Reading, Scheme, is_v};
use crate::policy::reason::Rejection;
use crate::policy::words;
use crate::policy::{Precision, Prerelease, Step, Variant};

/// Orders tags as versions, and admits those of the site's prefix, variant and precision within a goal.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Versions {
    pub(in crate::policy) goal: Goal,
    pub(in crate::policy) prerelease: Prerelease,
    pub(in crate::policy) variant: Variant,
    pub(in crate::policy) precision: Precision,
}

/// How far versions may go.
#[derive(Clone, Debug)]
pub(in crate::policy) enum Goal {
    Range(Range),
    Step(Step),
}

/// What candidates are measured against.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Site<'a> {
    current: Option<Reading<'a>>,
    /// Whether the current tag is of the wanted variant, so that its family is preferred among several.
    at_home: bool,
    /// Whether the repository has no tag with the current prefix any more, so that `v` may come or go.
    either_v: bool,
}

impl Scale for Versions {
    type Key<'a> = Reading<'a>;
    type Site<'a> = Site<'a>;

    fn read<'a>(&self, text: &'a str) -> Result<Reading<'a>, Rejection<'a>> {
        Reading::of(text).map_err(Rejection::Unreadable)
    }

    fn site<'a, I: Iterator<Item = &'a str>>(&self, current: Option<Reading<'a>>, candidates: impl FnOnce() -> I) -> Site<'a> {
        let at_home = current.is_some_and(|current| self.wants_variant(&current, Some(&current)).is_ok());
        let either_v = current.is_some_and(|current| {
            let prefix = current.prefix();
            let keeps = |text: &str| text.starts_with(prefix) && Reading::of(text).is_ok_and(|r| r.prefix() == prefix);
            is_v_or_none(prefix) && !candidates().any(keeps)
        });
        Site { current, at_home, either_v }
    }

    fn refuses(&self, site: &Site<'_>) -> Option<Keep> {
        match (&self.goal, site.current) {
            (Goal::Step(_), None) => Some(Keep::NoCurrent),
            (Goal::Step(Step::Patch | Step::Minor), Some(current)) if current.scheme() == Scheme::Date => Some(Keep::Stepless),
            _ => None,
        }
    }

    fn admit<'a>(&'a self, key: &Reading<'a>, site: &Site<'a>) -> Result<(), Rejection<'a>> {
        let current = site.current.as_ref();
        let scheme = current.map_or(Scheme::Version, Reading::scheme);
        if key.scheme() != scheme || (scheme == Scheme::Date && current.is_some_and(|c| !same_form(c.numbers(), key.numbers()))) {
            return Err(Rejection::Scheme { found: key.scheme(), wanted: scheme });
        }
        match current {
            Some(current) if key.prefix() == current.prefix() => {}
            Some(current) if !(site.either_v && is_v_or_none(key.prefix())) => {
                return Err(Rejection::Prefix { found: key.prefix(), wanted: current.prefix() });
            }
            None if !is_v_or_none(key.prefix()) => return Err(Rejection::Prefix { found: key.prefix(), wanted: "" }),
            _ => {}
        }
        self.wants_variant(key, current)?;
        if let Some(current) = current
            && self.precision == Precision::Same
            && key.precision() != current.precision()
        {
            return Err(Rejection::Precision { found: key.precision(), wanted: current.precision() });
        }
        self.wants_version(key, current)
    }

    fn compare<'a>(&self, a: &Reading<'a>, b: &Reading<'a>, site: &Site<'a>) -> Ordering {
        compare_numbers(a, b)
            .then_with(|| compare_prereleases(a.prerelease(), b.prerelease()))
            .then_with(|| self.affinity(a, site).cmp(&self.affinity(b, site)))
            .then_with(|| compare_details(a, b))
    }

    fn compare_age<'a>(&self, candidate: &Reading<'a>, known: &Reading<'a>, site: &Site<'a>) -> Ordering {
        compare_numbers(candidate, known).then_with(|| compare_prereleases(candidate.prerelease(), known.prerelease())).then_with(|| {
            match self.affinity(candidate, site).cmp(&self.affinity(known, site)) {
                Ordering::Equal => compare_details(candidate, known),
                // Another variant of the same version is not older.
                Ordering::Less => Ordering::Equal,
                Ordering::Greater => Ordering::Greater,
            }
        })
    }

    fn compare_spelling<'a>(&self, a: &Reading<'a>, b: &Reading<'a>, site: &Site<'a>) -> Ordering {
        let likeness = |key: &Reading<'a>| site.current.map_or((false, 0), |current| likeness(key, &current));
        let length = |key: &Reading<'_>| key.prefix().len() + key.numbers().len();
        likeness(a).cmp(&likeness(b)).then_with(|| length(a).cmp(&length(b)))
    }
}

impl Versions {
    /// Checks the variant, and the form of the build with it: `2.1.3-ls45` and `2.1.3` are two series of one image.
    fn wants_variant<'a>(&self, key: &Reading<'a>, current: Option<&Reading<'a>>) -> Result<(), Rejection<'a>> {
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

    /// Checks the version itself: the range or the step, and prereleases.
    fn wants_version<'a>(&'a self, key: &Reading<'a>, current: Option<&Reading<'a>>) -> Result<(), Rejection<'a>> {
        let allowed = key.prerelease().is_empty() || self.allows_prerelease(key, current);
        match &self.goal {
            Goal::Range(range) => match range.admits(&Point::from(key), Dialect::Tags, allowed) {
                Admission::In => Ok(()),
                Admission::Prerelease => Err(Rejection::Prerelease(key.prerelease())),
                Admission::Out => Err(Rejection::Range(range)),
            },
            Goal::Step(step) => {
                if let Some(current) = current
                    && let Some(needed) = needed_step(key, current)
                    && needed > *step
                {
                    return Err(Rejection::Step { needed, allowed: *step });
                }
                if allowed { Ok(()) } else { Err(Rejection::Prerelease(key.prerelease())) }
            }
        }
    }

    /// A site on a prerelease may go on towards that very release, also where prereleases are not wanted otherwise.
    fn allows_prerelease(&self, key: &Reading<'_>, current: Option<&Reading<'_>>) -> bool {
        let Some(kind) = kind_of(key.prerelease()) else { return false };
        let wanted = match &self.prerelease {
            Prerelease::No => false,
            Prerelease::Any => true,
            Prerelease::Kinds(kinds) => kinds.iter().any(|name| words::prerelease(name, true).is_some_and(|k| k.name == kind.name)),
        };
        wanted
            || current.is_some_and(|current| {
                let towards = |from: words::Kind| kind == from || kind.maturity > from.maturity;
                kind_of(current.prerelease()).is_some_and(towards) && compare_numbers(key, current).is_eq()
            })
    }

    /// How much a variant is wanted among several of one version: the site's own, then the one asked for, then none.
    fn affinity(&self, key: &Reading<'_>, site: &Site<'_>) -> u8 {
        if site.at_home && site.current.is_some_and(|current| same_family(key, &current)) {
            return 3;
        }
        match &self.variant {
            Variant::Only(wanted) if key.variant() == wanted => 2,
            Variant::Only(wanted) => u8::from(is_only(key, wanted)),
            Variant::Any | Variant::Same => u8::from(is_plain(key)),
        }
    }
}

fn is_v_or_none(prefix: &str) -> bool {
    prefix.is_empty() || is_v(prefix)
}

fn is_plain(key: &Reading<'_>) -> bool {
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

/// Returns the step between two versions: which of their numbers is the first to differ. From the third on all are patches.
fn needed_step(a: &Reading<'_>, b: &Reading<'_>) -> Option<Step> {
    first_difference(a, b).map(|index| match index {
        0 => Step::Major,
        1 => Step::Minor,
        _ => Step::Patch,
    })
}

/// How a spelling resembles the site's: its prefix, and how many numbers have as many digits as there.
fn likeness(key: &Reading<'_>, current: &Reading<'_>) -> (bool, usize) {
    let widths = key.parts().zip(current.parts()).filter(|(a, b)| a.len() == b.len()).count();
    let missing = key.precision().abs_diff(current.precision());
    (key.prefix() == current.prefix(), widths.saturating_sub(missing))
}
