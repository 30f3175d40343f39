//! Where in the text the parts of a scalar's value stand.

use std::ops::Range;
use std::sync::Arc;

use super::super::site::{Locked, Scalar, Slot};
use super::super::tree::Tree;

/// How long a scalar may be to be searched for a part, in bytes: the search is done anew for every site in it.
const MAX_SEARCHED: usize = 16 << 10;

/// A value with its slot; none where its bytes are out of reach, and then the site is locked.
pub(super) struct Part<T> {
    pub(super) value: T,
    pub(super) slot: Option<Slot>,
}

/// A scalar whose parts are to be found in the text.
pub(super) struct Located<'w, 't> {
    tree: &'w Tree<'t>,
    scalar: Arc<Scalar>,
    /// Where its value stands in the text, if it stands there as it is.
    verbatim: Option<usize>,
}

impl<'w, 't> Located<'w, 't> {
    /// Locates a scalar that is no block scalar.
    pub(super) fn new(tree: &'w Tree<'t>, node: usize) -> Option<Self> {
        let (value, style) = tree.scalar(node)?;
        let span = tree.nodes[node].span.clone();
        let verbatim = tree.verbatim(node);
        Some(Self { tree, scalar: Arc::new(Scalar { node, span, value: value.to_owned(), style }), verbatim })
    }

    /// Returns the slot of a part of `written`, which both are given as ranges in the value.
    ///
    /// If the value is not verbatim (escapes, folded lines), `written` must stand in value and text exactly once:
    /// then it is the same place, and the proof sees to it that this was no mistake.
    pub(super) fn slot(&self, written: &Range<usize>, part: Range<usize>) -> Option<Slot> {
        let start = match self.verbatim {
            Some(start) => start + part.start,
            None => self.search(written)? + (part.start - written.start),
        };
        let in_text = start..start + part.len();
        Some(Slot { scalar: Arc::clone(&self.scalar), in_value: part, in_text })
    }

    fn search(&self, written: &Range<usize>) -> Option<usize> {
        let raw = &self.tree.text[self.scalar.span.clone()];
        if raw.len() > MAX_SEARCHED {
            return None;
        }
        let written = &self.scalar.value[written.clone()];
        let once = |text: &str| {
            let mut found = text.match_indices(written).map(|(at, _)| at);
            found.next().filter(|_| found.next().is_none())
        };
        once(&self.scalar.value)?;
        once(raw).map(|at| self.scalar.span.start + at)
    }

    /// Returns where a part stands, for people: exactly where it can be told, or else where the scalar starts.
    pub(super) fn position(&self, written: &Range<usize>) -> usize {
        self.slot(written, written.clone()).map_or(self.scalar.span.start, |slot| slot.in_text.start)
    }

    /// Returns why no part of the scalar can be edited, if so.
    pub(super) fn locked(&self) -> Option<Locked> {
        let tag = self.tree.nodes[self.scalar.node].tag.as_ref()?;
        let kind = tag.suffix_in_namespace("tag:yaml.org,2002:")?;
        (kind != "str").then_some(Locked::Typed)
    }
}
