//! Where in the text the parts of a scalar's value stand.

use std::ops::Range;
use std::sync::Arc;

use super::super::layout::Layout;
use super::super::site::{Form, Locked, Scalar, Slot};
use super::super::tree::Tree;
use super::entry::place_of_null;
use granit_parser::ScalarStyle;

/// A value with its slot; none where its bytes are out of reach, and then the site is locked.
pub(super) struct Part<T> {
    pub(super) value: T,
    pub(super) slot: Option<Slot>,
}

/// A scalar whose parts are to be found in the text.
pub(super) struct Located<'w, 't> {
    tree: &'w Tree<'t>,
    scalar: Arc<Scalar>,
    layout: Option<Layout>,
}

impl<'w, 't> Located<'w, 't> {
    /// Locates a scalar of any style.
    pub(super) fn new(tree: &'w Tree<'t>, node: usize) -> Option<Self> {
        let (value, style) = tree.any_scalar(node)?;
        let span = tree.span(node);
        let scalar = Arc::new(Scalar { node, span, value: value.to_owned(), style });
        Some(Self { tree, scalar, layout: Layout::of(tree, node) })
    }

    /// Returns the slot of a part of the value; none if its bytes do not stand in the text in one piece.
    pub(super) fn slot(&self, part: Range<usize>) -> Option<Slot> {
        let in_text = self.layout.as_ref()?.in_text(&part)?;
        Some(Slot::Part { scalar: Arc::clone(&self.scalar), in_value: part, in_text, form: Form::Plain })
    }

    /// Returns the slot of a value that is none yet: null, written or not, or an empty string.
    pub(super) fn empty(&self) -> Option<Slot> {
        let Scalar { node, span, value, style } = self.scalar.as_ref();
        if !is_empty(value, *style) || matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            return None;
        }
        let span = if span.is_empty() { place_of_null(self.tree, *node).map(|at| at..at)? } else { span.clone() };
        // Behind a key in quotes its value is written alike, as JSON wants it.
        let quotes = node.checked_sub(1).and_then(|key| self.tree.scalar(key)).map(|(_, style)| style);
        let style = if *style == ScalarStyle::Plain { quotes.unwrap_or(*style) } else { *style };
        Some(Slot::Empty { scalar: Arc::new(Scalar { node: *node, span, value: value.clone(), style }), form: Form::Plain })
    }

    /// Returns the slot of bytes of the text; none if they are no part of the value that stands there in one piece.
    pub(super) fn slot_at(&self, in_text: &Range<usize>) -> Option<Slot> {
        let written = self.tree.text.get(in_text.clone()).filter(|_| in_text.end <= self.scalar.span.end)?;
        let parts = self.scalar.value.match_indices(written).map(|(at, _)| at..at + written.len());
        // The value may hold the same bytes elsewhere, too.
        parts.filter_map(|part| self.slot(part)).find(|slot| slot.start() == in_text.start)
    }

    /// Returns where a part stands, for people: exactly where it can be told, or else where the scalar starts.
    pub(super) fn position(&self, part: &Range<usize>) -> usize {
        let exact = self.layout.as_ref().and_then(|layout| layout.in_text(&(part.start..part.start)));
        exact.map_or(self.scalar.span.start, |at| at.start)
    }

    /// Returns why no part of the scalar can be edited, if so.
    pub(super) fn locked(&self) -> Option<Locked> {
        let tag = self.tree.tag(self.scalar.node)?;
        let kind = tag.suffix_in_namespace("tag:yaml.org,2002:")?;
        (kind != "str").then_some(Locked::Typed)
    }
}

/// Says whether a scalar is null or an empty string.
pub(in super::super) fn is_empty(value: &str, style: ScalarStyle) -> bool {
    match style {
        ScalarStyle::Plain => matches!(value, "" | "~" | "null" | "Null" | "NULL"),
        _ => value.is_empty(),
    }
}
