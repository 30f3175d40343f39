//! `semver` and `update`: versions as tags are read, with the conditions that keep a site in its line.

use std::cmp::Ordering;

use super::Scale;
use super::line::{Home, Line};
use super::twins::Twins;
use crate::policy::compare::{compare_numbers, first_difference, same_form};
use crate::policy::decision::Keep;
use crate::policy::range::{Admission, Dialect, Point, Range};
use crate::policy::reading::{Reading, Scheme, is_v, year_and_month};
use crate::policy::reason::Rejection;
use crate::policy::{Precision, Prerelease, Step, Variant};

/// Orders tags as versions, and admits those of the site's prefix, variant and precision within a goal.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Versions {
    pub(in crate::policy) goal: Goal,
    pub(in crate::policy) line: Line,
    pub(in crate::policy) precision: Precision,
}

/// How far versions may go.
#[derive(Clone, Debug)]
pub(in crate::policy) enum Goal {
    Range(Range),
    Step(Step),
}

/// What candidates are measured against.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Site<'a> {
    home: Home<'a>,
    /// Whether the repository has no tag with the current prefix any more, so that `v` may come or go.
    either_v: bool,
    /// Whether the first two numbers are a year and a month.
    calendar: bool,
    /// Where `-dev` is a variant.
    twins: Option<Twins<'a>>,
}

impl Scale for Versions {
    type Key<'a> = Reading<'a>;
    type Site<'a> = Site<'a>;

    fn read<'a>(&self, text: &'a str) -> Result<Reading<'a>, Rejection<'a>> {
        Reading::of(text).map_err(Rejection::Unreadable)
    }

    fn site<'a, I: Iterator<Item = &'a str>>(&self, current: Option<Reading<'a>>, candidates: impl Fn() -> I) -> Site<'a> {
        let either_v = current.is_some_and(|current| {
            let prefix = current.prefix();
            let keeps = |text: &str| text.starts_with(prefix) && Reading::of(text).is_ok_and(|r| r.prefix() == prefix);
            is_v_or_none(prefix) && !candidates().any(keeps)
        });
        let calendar = current.is_some_and(|current| {
            let is_padded = |year| move |text: &str| text.strip_prefix(current.prefix()).and_then(year_and_month) == Some((year, true));
            match year_and_month(current.numbers()) {
                Some((_, true)) => true,
                // `22.10` is a version of Node, too; but not where there is a `22.04`.
                Some((year, false)) => candidates().any(is_padded(year)),
                None => false,
            }
        });
        // Whoever allows prereleases or other variants has said what `-dev` is.
        let open = self.line.prerelease == Prerelease::No && self.line.variant == Variant::Same;
        let twins = current.filter(|_| open).and_then(|current| Twins::of(&current, candidates()));
        let current = current.map(|current| twins.as_ref().and_then(|twins| twins.read(&current).ok()).unwrap_or(current));
        Site { home: self.line.home(current), either_v, calendar, twins }
    }

    fn refuses(&self, site: &Site<'_>) -> Option<Keep> {
        match (&self.goal, site.home.current) {
            (Goal::Step(_), None) => Some(Keep::NoCurrent),
            (Goal::Step(Step::Patch | Step::Minor), Some(current)) if current.scheme() == Scheme::Date => Some(Keep::Stepless),
            // From `22.04` to `22.10` is no minor step. A patch leaves year and month alone.
            (Goal::Step(Step::Minor | Step::Major), _) if site.calendar => Some(Keep::Calendar),
            _ => None,
        }
    }

    fn admit<'a>(&'a self, key: &Reading<'a>, site: &Site<'a>) -> Result<(), Rejection<'a>> {
        if let Some(twins) = &site.twins {
            return self.admit_read(&twins.read(key)?, site);
        }
        self.admit_read(key, site)
    }

    fn compare<'a>(&self, a: &Reading<'a>, b: &Reading<'a>, site: &Site<'a>) -> Ordering {
        compare_numbers(a, b).then_with(|| self.line.compare(a, b, &site.home))
    }

    fn compare_age<'a>(&self, candidate: &Reading<'a>, known: &Reading<'a>, site: &Site<'a>) -> Ordering {
        compare_numbers(candidate, known).then_with(|| self.line.compare_age(candidate, known, &site.home))
    }

    fn compare_spelling<'a>(&self, a: &Reading<'a>, b: &Reading<'a>, site: &Site<'a>) -> Ordering {
        let likeness = |key: &Reading<'a>| site.home.current.map_or((false, 0), |current| likeness(key, &current));
        let length = |key: &Reading<'_>| key.prefix().len() + key.numbers().len();
        likeness(a).cmp(&likeness(b)).then_with(|| length(a).cmp(&length(b)))
    }
}

impl Versions {
    /// Checks a reading as the site means it.
    fn admit_read<'a>(&'a self, key: &Reading<'a>, site: &Site<'a>) -> Result<(), Rejection<'a>> {
        let current = site.home.current.as_ref();
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
        self.line.wants_variant(key, current)?;
        if let Some(current) = current
            && self.precision == Precision::Same
            && key.precision() != current.precision()
        {
            return Err(Rejection::Precision { found: key.precision(), wanted: current.precision() });
        }
        self.wants_version(key, current)
    }

    /// Checks the version itself: the range or the step, and prereleases.
    fn wants_version<'a>(&'a self, key: &Reading<'a>, current: Option<&Reading<'a>>) -> Result<(), Rejection<'a>> {
        let allowed = self.line.allows_prerelease(key, current, |current| compare_numbers(key, current).is_eq());
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
}

fn is_v_or_none(prefix: &str) -> bool {
    prefix.is_empty() || is_v(prefix)
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
