//! The proof of an edit: the new text is read again by two parsers, which must find nothing changed but what was meant.
//!
//! 1. The span finder reads all of the new text. Its nodes (structure, styles, anchors, tags, values) must be those of the old
//!    text, but for the edited scalars, which must have the expected values. The old text is not read again for
//!    that: the scan kept an [`Outline`] of it.
//! 2. The second reader, an independent parser, reads each document that holds an edit, and must find there just what the span
//!    finder found, with the edited scalars as strings. If it does not, it may be that the two parsers never agreed on this text; then
//!    its own readings of the old and the new text are compared, unless it cannot read the old one at all.
//!
//! Other documents need no second reading: documents share nothing (anchors and directives end with their document), and
//! those bytes did not change.

mod outline;
mod second;

pub(super) use outline::Outline;

use super::edit::Change;
use super::tree::{Tree, Unreadable};

/// What the proof found wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    /// The span finder cannot read the text.
    #[error("the text can no longer be read: {0}")]
    Unreadable(Unreadable),
    /// Something else changed, or the structure did.
    #[error("more than the value would change")]
    MoreChanged,
    /// An edited scalar has not the expected value.
    #[error("the value would not become `{expected}`")]
    NotExpected {
        /// The value that was meant.
        expected: String,
    },
    /// The second reader reads the new text differently.
    #[error("a second YAML reader finds more changed than the value, or reads it as no string")]
    SecondReader,
}

/// Proves that `new` is `old` but for the changes.
pub(super) fn prove(outline: &Outline, old: &str, new: &str, changes: &[Change]) -> Result<(), Why> {
    let tree = Tree::parse(new.as_bytes()).map_err(Why::Unreadable)?;
    outline.compare(&tree, changes)?;
    let mut rest = changes;
    while let [first, ..] = rest {
        let index = tree.documents.partition_point(|document| document.root <= first.node).saturating_sub(1);
        let next = tree.documents.get(index + 1).map_or(tree.nodes.len(), |next| next.root);
        let (here, others) = rest.split_at(rest.partition_point(|change| change.node < next));
        if here.is_empty() {
            return Err(Why::MoreChanged);
        }
        rest = others;
        if !second::reads_as(&tree, index, here) && !second_reader_agrees(old, &tree, index, here) {
            return Err(Why::SecondReader);
        }
    }
    Ok(())
}

/// Lets the second reader compare a document of the new text with the same one of the old text.
fn second_reader_agrees(old: &str, new: &Tree<'_>, index: usize, changes: &[Change]) -> bool {
    let Ok(old) = Tree::parse(old.as_bytes()) else { return false };
    let text = |tree: &Tree<'_>| tree.documents.get(index).and_then(|document| tree.text.get(document.bytes.clone())).map(str::to_owned);
    match (text(&old), text(new)) {
        (Some(old), Some(new)) => second::differs_only(&old, &new, changes),
        _ => false,
    }
}
