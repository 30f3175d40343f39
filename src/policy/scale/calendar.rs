//! `calver`: the latest calendar version of a form.

use std::cmp::Ordering;

use super::Scale;
use super::line::{Home, Line};
use crate::policy::calver::{Form, Mismatch, Moment};
use crate::policy::reading::Reading;
use crate::policy::reason::Rejection;

/// Orders tags by their dates and counters, and admits those of the site's `v` and variant.
#[derive(Clone, Debug)]
pub(in crate::policy) struct Calendar {
    pub(in crate::policy) form: Form,
    pub(in crate::policy) line: Line,
}

/// A tag of the form.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Dated<'a> {
    moment: Moment<'a>,
    reading: Reading<'a>,
}

/// What candidates are measured against.
#[derive(Clone, Copy, Debug)]
pub(in crate::policy) struct Site<'a> {
    home: Home<'a>,
    current: Option<Moment<'a>>,
}

impl Scale for Calendar {
    type Key<'a> = Dated<'a>;
    type Site<'a> = Site<'a>;

    fn read<'a>(&self, text: &'a str) -> Result<Dated<'a>, Rejection<'a>> {
        let start = usize::from(text.starts_with(['v', 'V']));
        let (end, moment) = self.form.read(text, start).map_err(|mismatch| match mismatch {
            Mismatch::Form => Rejection::Form,
            Mismatch::NoSuchDate => Rejection::NoSuchDate,
        })?;
        let reading = Reading::around(text, start, end).map_err(Rejection::Unreadable)?;
        Ok(Dated { moment, reading })
    }

    fn site<'a, I: Iterator<Item = &'a str>>(&self, current: Option<Dated<'a>>, _candidates: impl Fn() -> I) -> Site<'a> {
        Site { home: self.line.home(current.map(|current| current.reading)), current: current.map(|current| current.moment) }
    }

    fn admit<'a>(&'a self, key: &Dated<'a>, site: &Site<'a>) -> Result<(), Rejection<'a>> {
        let (reading, current) = (&key.reading, site.home.current.as_ref());
        if let Some(current) = current
            && reading.prefix() != current.prefix()
        {
            return Err(Rejection::Prefix { found: reading.prefix(), wanted: current.prefix() });
        }
        self.line.wants_variant(reading, current)?;
        let is_that_release = |_: &Reading<'_>| site.current.is_some_and(|current| key.moment.compare(&current).is_eq());
        if self.line.allows_prerelease(reading, current, is_that_release) {
            Ok(())
        } else {
            Err(Rejection::Prerelease(reading.prerelease()))
        }
    }

    fn compare<'a>(&self, a: &Dated<'a>, b: &Dated<'a>, site: &Site<'a>) -> Ordering {
        a.moment.compare(&b.moment).then_with(|| self.line.compare(&a.reading, &b.reading, &site.home))
    }

    fn compare_age<'a>(&self, candidate: &Dated<'a>, known: &Dated<'a>, site: &Site<'a>) -> Ordering {
        candidate.moment.compare(&known.moment).then_with(|| self.line.compare_age(&candidate.reading, &known.reading, &site.home))
    }
}
