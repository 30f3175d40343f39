//! How the nodes of a text move by the entries that are new in it.

use super::super::edit::Change;

/// The places of new entries, each of two nodes: its key and its value.
#[derive(Debug, Default)]
pub(super) struct Shift {
    /// Before which nodes of the old text they come, in order.
    old: Vec<usize>,
    /// The indexes of their keys in the new text.
    new: Vec<usize>,
}

impl Shift {
    /// Takes the new entries of changes, which are in the order of the text.
    pub(super) fn of(changes: &[Change]) -> Self {
        let old: Vec<usize> = changes.iter().filter(|change| change.entry.is_some()).map(|change| change.node).collect();
        let new = old.iter().enumerate().map(|(earlier, node)| node + 2 * earlier).collect();
        Self { old, new }
    }

    /// Says whether a node of the new text is a key or value that the old text has not.
    pub(super) fn is_new(&self, node: usize) -> bool {
        let next = self.new.partition_point(|&key| key <= node);
        next.checked_sub(1).and_then(|last| self.new.get(last)).is_some_and(|&key| node - key < 2)
    }

    /// Returns the index in the old text of a node that it has, or of where one ends.
    pub(super) fn to_old(&self, new: usize) -> usize {
        new.saturating_sub(2 * self.new.partition_point(|&key| key < new))
    }

    /// Returns the index in the new text of a node of the old one.
    pub(super) fn to_new(&self, old: usize) -> usize {
        old + 2 * self.old.partition_point(|&next| next <= old)
    }

    /// Returns the indexes of the new keys in the new text.
    pub(super) fn keys(&self) -> &[usize] {
        &self.new
    }
}
