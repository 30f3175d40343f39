//! Shape 5: YAML inside a block scalar, as in Argo CD's `helm.values: |` or a ConfigMap's data.
//!
//! Such a text is read, searched, edited and proved as a file is, in a layer of its own.

use std::sync::Arc;

use super::super::layout::Layout;
use super::super::site::Scalar;
use super::super::tree::{Kind, Tree};
use super::{Finder, Findings, Inner, shared};

/// How deep texts may lie in texts.
pub(super) const MAX_LAYERS: usize = 4;

impl Finder<'_, '_> {
    /// Looks through a block scalar that may hold a watched reference, if it is a YAML collection of its own.
    pub(super) fn nested(&mut self, node: usize) {
        let tree = self.tree;
        let Some((value, style)) = tree.any_scalar(node) else { return };
        if self.trail.layer() >= MAX_LAYERS || !self.watch.may_hold(value.as_bytes()) {
            return;
        }
        let Some(layout) = Layout::of(tree, node) else { return };
        let Ok(inner) = Tree::parse(value.as_bytes()) else { return };
        let is_collection = |root: usize| matches!(inner.nodes[root].kind, Kind::Mapping { .. } | Kind::Sequence { .. });
        if !inner.documents.iter().any(|document| is_collection(document.root)) {
            return;
        }
        let mut finder = Finder::new(&inner, self.watch);
        finder.trail.lie_within(&self.trail);
        let Ok((mut drafts, within)) = finder.run() else { return };
        if drafts.is_empty() && within.is_empty() || shared::lock(&inner, &mut drafts).is_err() {
            return;
        }
        if self.trail.has_duplicate_key() {
            drafts.iter_mut().for_each(|draft| draft.locked = Some(super::Locked::DuplicateKey));
        }
        let scalar = Arc::new(Scalar { node, span: tree.nodes[node].span.clone(), value: value.to_owned(), style });
        self.inner.push(Inner { scalar, layout, findings: Findings::of(&inner, drafts, within) });
    }
}
