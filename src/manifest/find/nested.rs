//! Shape 5: texts within scalars, as in Argo CD's `helm.values: |` or a ConfigMap's data.
//!
//! YAML in a block scalar, or in a quoted one with line breaks, is read, searched, edited and proved as a file is, in a layer of its
//! own. What is no YAML, such as a script, holds references behind `=`, or is one as a whole (`image: >-`). JSON is left alone:
//! what reads it may be fussier than YAML, and most often it is a copy that something else has written.
//!
//! Texts lie within each other, and aliases are not followed, so all of them together are no longer than the file for each layer.

use std::ops::Range;
use std::sync::Arc;

use granit_parser::ScalarStyle;
use serde::de::IgnoredAny;

use super::super::layout::Layout;
use super::super::site::{Scalar, Shape};
use super::super::tree::{Tree, Unreadable};
use super::locate::Located;
use super::scalar::names_image;
use super::{Finder, Findings, Inner, MAX_TEXTS, shared};

/// How deep texts may lie in texts.
pub(super) const MAX_LAYERS: usize = 4;

impl Finder<'_, '_> {
    /// Looks through a scalar of several lines, if the byte search found a watched name there or a chart may stand in it.
    pub(super) fn nested(&mut self, node: usize) {
        let tree = self.tree;
        let Some((value, style)) = tree.any_scalar(node) else { return };
        let may_hold = || self.is_hit(node) || self.watch.may_hold_charts(value.as_bytes());
        if !value.contains([':', '@']) || !may_hold() || holds_json(value) {
            return;
        }
        let is_read = self.trail.layer() < MAX_LAYERS && self.yaml(node, value, style);
        if !is_read {
            self.plain_text(node, value);
        }
    }

    /// Looks through a text as YAML, and says whether it is a collection, or several documents some of which are.
    fn yaml(&mut self, node: usize, value: &str, style: ScalarStyle) -> bool {
        // What cannot hold an entry or item is spared the parser.
        if !value.contains(": ") && !value.contains(":\n") && !value.contains("- ") {
            return false;
        }
        let Ok(inner) = Tree::parse(value.as_bytes()) else { return false };
        if !inner.documents.iter().any(|document| inner.is_collection(document.root)) {
            return false;
        }
        match self.within(&inner) {
            Ok(None) => {}
            Ok(Some(findings)) => {
                let scalar = Scalar { node, span: self.tree.span(node), value: value.to_owned(), style };
                let layout = Layout::of(self.tree, node).unwrap_or_else(|| Layout::unknown(style));
                self.inner.push(Inner { scalar: Arc::new(scalar), layout, findings });
            }
            Err(error) => self.refused = Some(error),
        }
        true
    }

    /// Looks through a text within this one, which counts against the same limits.
    fn within(&mut self, inner: &Tree<'_>) -> Result<Option<Findings>, Unreadable> {
        self.texts = self.texts.checked_sub(1).ok_or(Unreadable::TooManyTexts { limit: MAX_TEXTS })?;
        let mut finder = Finder::new(inner, self.watch);
        finder.trail.lie_within(&mut self.trail);
        (finder.merges, finder.texts, finder.elsewhere) = (self.merges, self.texts, self.elsewhere + self.drafts.len());
        finder.look()?;
        (self.merges, self.texts, self.elsewhere) =
            (finder.merges, finder.texts, finder.elsewhere + finder.drafts.len() - self.drafts.len());
        let Finder { mut drafts, inner: deeper, asks, .. } = finder;
        self.asks |= asks;
        if drafts.is_empty() && deeper.is_empty() {
            return Ok(None);
        }
        self.asks |= shared::lock(inner, self.watch, &mut drafts)?;
        Ok(Some(Findings::of(inner, drafts, deeper)))
    }

    /// Looks through a text that is no YAML collection.
    fn plain_text(&mut self, node: usize, value: &str) {
        let named = self.trail.nearest_key().is_some_and(names_image) || self.trail.is_image_volume();
        let whole = trimmed(value);
        let reading = |located| self.reference(&located, value, &whole, named, Shape::Scalar);
        if let Some(reading) = Located::new(self.tree, node).and_then(reading) {
            self.emit(reading, &[]);
        } else if value.contains('=') {
            self.arguments(node, value);
        }
    }
}

/// Says whether a text is a JSON object or array. Such a text within a scalar is left alone.
pub(in super::super) fn holds_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Returns where a text stands without the white space around it.
fn trimmed(text: &str) -> Range<usize> {
    let start = text.len() - text.trim_start().len();
    start..start + text.trim().len()
}
