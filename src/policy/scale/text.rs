//! `alphabetical`: the last or first in byte order.

use std::cmp::Ordering;

use super::Scale;
use crate::policy::Direction;
use crate::policy::reason::Rejection;

/// Orders tags by their bytes; every tag can be read, unless `extract` leaves nothing of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Text(pub(in crate::policy) Direction);

impl Scale for Text {
    type Key<'a> = &'a str;
    type Site<'a> = ();

    fn read<'a>(&self, text: &'a str) -> Result<&'a str, Rejection<'a>> {
        // No tag is empty; but a group of `filter` that took no part in the match is.
        if text.is_empty() { Err(Rejection::Empty) } else { Ok(text) }
    }

    fn site<'a, I: Iterator<Item = &'a str>>(&self, _current: Option<&'a str>, _candidates: impl Fn() -> I) {}

    fn compare<'a>(&self, a: &&'a str, b: &&'a str, (): &()) -> Ordering {
        self.0.apply(a.cmp(b))
    }
}
