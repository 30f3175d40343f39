//! `newest`: the tag that was pushed, or made, last.

use std::cmp::Ordering;

use super::Scale;
use crate::policy::Moment;
use crate::policy::facts::{Facts, Known, Wanted};
use crate::policy::reason::Rejection;

/// Orders tags by a time that is known of them; a tag whose time is not known cannot be taken.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Newest<'f> {
    pub(in crate::policy) moment: Moment,
    pub(in crate::policy) facts: &'f Facts,
}

impl Scale for Newest<'_> {
    /// Seconds since 1970.
    type Key<'a> = i64;
    type Site<'a> = ();

    fn read<'a>(&self, text: &'a str) -> Result<i64, Rejection<'a>> {
        let fact = self.facts.get(text);
        match self.moment {
            Moment::Pushed => Known::get(fact.and_then(|fact| fact.pushed.as_ref()), Wanted::Pushed),
            Moment::Created => Known::get(fact.and_then(|fact| fact.created.as_ref()), Wanted::Created),
        }
        .copied()
    }

    fn site<'a, I: Iterator<Item = &'a str>>(&self, _current: Option<i64>, _candidates: impl Fn() -> I) {}

    fn compare<'a>(&self, a: &i64, b: &i64, (): &()) -> Ordering {
        a.cmp(b)
    }
}
