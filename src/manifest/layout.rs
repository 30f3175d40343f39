//! Where the bytes of a scalar's value stand in the text.

use std::ops::Range;

use super::tree::Tree;

/// The runs of a scalar's value that stand in the text as they are; between them is what YAML makes of escapes, folds and indentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// In order, without gaps in the text where there are none in the value.
    runs: Vec<Run>,
}

/// Bytes that are the same in the value and in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    in_value: usize,
    in_text: usize,
    len: usize,
}

impl Layout {
    /// Works out the layout of a scalar; none if it cannot be told.
    pub(super) fn of(tree: &Tree<'_>, node: usize) -> Option<Self> {
        let (value, _) = tree.scalar(node)?;
        tree.verbatim(node).map(|in_text| Self { runs: vec![Run { in_value: 0, in_text, len: value.len() }] })
    }

    /// Returns where a part of the value stands in the text; none if it does not stand there in one piece.
    pub(super) fn in_text(&self, part: &Range<usize>) -> Option<Range<usize>> {
        let next = self.runs.partition_point(|run| run.in_value <= part.start);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let start = run.in_text + (part.start - run.in_value);
        (part.end <= run.in_value + run.len).then(|| start..start + part.len())
    }
}
