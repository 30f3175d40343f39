//! `semver` with `strict`: the whole tag is a semantic version, as for Flux; a suffix is a prerelease.

use std::cmp::Ordering;

use super::Scale;
use crate::policy::Prerelease;
use crate::policy::compare::kind_of;
use crate::policy::range::{Admission, Dialect, Point, Range};
use crate::policy::reason::Rejection;

/// Orders tags by the precedence of semantic versions, within a range.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Strict {
    pub(in crate::policy) range: Range,
    pub(in crate::policy) prerelease: Prerelease,
}

impl Scale for Strict {
    type Key<'a> = Point<'a>;
    type Site<'a> = ();

    fn read<'a>(&self, text: &'a str) -> Result<Point<'a>, Rejection<'a>> {
        Point::parse(text).ok_or(Rejection::NotSemver)
    }

    fn site<'a, I: Iterator<Item = &'a str>>(&self, _current: Option<Point<'a>>, _candidates: impl Fn() -> I) {}

    fn admit<'a>(&'a self, key: &Point<'a>, (): &()) -> Result<(), Rejection<'a>> {
        let allowed = match &self.prerelease {
            Prerelease::No => false,
            Prerelease::Any => true,
            Prerelease::Kinds(kinds) => kinds.iter().any(|kind| is_of_kind(key.prerelease, kind)),
        };
        match self.range.admits(key, Dialect::Semver, allowed) {
            Admission::In => Ok(()),
            Admission::Prerelease => Err(Rejection::Prerelease(key.prerelease)),
            Admission::Out => Err(Rejection::Range(&self.range)),
        }
    }

    fn compare<'a>(&self, a: &Point<'a>, b: &Point<'a>, (): &()) -> Ordering {
        a.compare(b, Dialect::Semver)
    }
}

/// Says whether a suffix is of a kind: by its canonical name, or by the letters that it starts with.
fn is_of_kind(prerelease: &str, kind: &str) -> bool {
    let word = prerelease.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or("");
    word.eq_ignore_ascii_case(kind) || kind_of(prerelease).is_some_and(|found| found.name.eq_ignore_ascii_case(kind))
}
