//! What an order has to answer, so that one piece of code can decide under all of them.
//!
//! One file an order: versions as tags are read (`semver`, `update`), versions as Flux reads them (`strict`), calendar
//! versions, numbers, text, and times. A new order that compares tags is a new file here and a variant of [`Compiled`].

mod calendar;
mod line;
mod newest;
mod numeric;
mod strict;
mod text;
mod twins;
mod version;

use std::cmp::Ordering;
use std::fmt::Debug;

use super::decision::Keep;
use super::reason::Rejection;
use super::{Direction, Moment};
use crate::image::Tag;

pub(super) use calendar::Calendar;
pub(super) use line::Line;
pub(super) use newest::Newest;
pub(super) use numeric::Numeric;
pub(super) use strict::Strict;
pub(super) use text::Text;
pub(super) use version::{Goal, Versions};

/// An order together with the conditions that depend on how it reads a tag.
pub(super) trait Scale {
    /// What a text is compared by.
    type Key<'a>: Copy + Debug;
    /// What is known of the site that the question is about.
    type Site<'a>;

    /// Reads a tag, or what was extracted from it.
    fn read<'a>(&self, text: &'a str) -> Result<Self::Key<'a>, Rejection<'a>>;

    /// Takes a view of the site; `candidates` are the texts of all tags, to be asked for only if needed.
    fn site<'a, I: Iterator<Item = &'a str>>(&self, current: Option<Self::Key<'a>>, candidates: impl Fn() -> I) -> Self::Site<'a>;

    /// Says whether nothing can be decided for such a site, and why.
    fn refuses(&self, _site: &Self::Site<'_>) -> Option<Keep> {
        None
    }

    /// Says whether a tag may be taken for the site.
    fn admit<'a>(&'a self, _key: &Self::Key<'a>, _site: &Self::Site<'a>) -> Result<(), Rejection<'a>> {
        Ok(())
    }

    /// Compares two keys; greater is what the policy wants more. A total preorder for one site.
    fn compare<'a>(&self, a: &Self::Key<'a>, b: &Self::Key<'a>, site: &Self::Site<'a>) -> Ordering;

    /// Says whether `candidate` is newer or older than a tag that a site has or had; what the policy only likes less is neither.
    fn compare_age<'a>(&self, candidate: &Self::Key<'a>, known: &Self::Key<'a>, site: &Self::Site<'a>) -> Ordering {
        self.compare(candidate, known, site)
    }

    /// Compares how near two spellings of equal keys are to the site's; greater is nearer.
    fn compare_spelling<'a>(&self, _a: &Self::Key<'a>, _b: &Self::Key<'a>, _site: &Self::Site<'a>) -> Ordering {
        Ordering::Equal
    }
}

/// The checked order of a policy.
#[derive(Clone, Debug)]
pub(super) enum Compiled {
    Versions(Versions),
    Strict(Strict),
    Calendar(Calendar),
    Numeric(Numeric),
    Text(Text),
    Newest(Moment),
    /// No order at all: this tag alone, wherever it points.
    Follow(Tag),
}

impl Direction {
    fn apply(self, order: Ordering) -> Ordering {
        match self {
            Self::Ascending => order,
            Self::Descending => order.reverse(),
        }
    }
}
