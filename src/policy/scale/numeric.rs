//! `numeric`: the greatest or least number, exact at any length.

use std::cmp::Ordering;

use super::Scale;
use crate::policy::Direction;
use crate::policy::number::Decimal;
use crate::policy::reason::Rejection;

/// Orders tags as decimal numbers; a tag that is none does not stop the others.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Numeric(pub(in crate::policy) Direction);

impl Scale for Numeric {
    type Key<'a> = Decimal<'a>;
    type Site<'a> = ();

    fn read<'a>(&self, text: &'a str) -> Result<Decimal<'a>, Rejection<'a>> {
        Decimal::parse(text).ok_or(Rejection::NotANumber(text))
    }

    fn site<'a, I: Iterator<Item = &'a str>>(&self, _current: Option<Decimal<'a>>, _candidates: impl Fn() -> I) {}

    fn compare<'a>(&self, a: &Decimal<'a>, b: &Decimal<'a>, (): &()) -> Ordering {
        self.0.apply(a.compare(b))
    }
}
