//! The texts that sites stand in: a file's own, and YAML in the scalars of another text, to some depth.

use std::sync::Arc;

use super::edit::Change;
use super::layout::Layout;
use super::proof::Outline;
use super::site::Scalar;

/// A text that sites stand in.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) outline: Outline,
    /// Where the text stands; none if it is the file's own.
    pub(super) host: Option<Host>,
}

/// A scalar whose value is a text of its own.
#[derive(Debug)]
pub(super) struct Host {
    /// The text that the scalar is in.
    pub(super) layer: Arc<Layer>,
    pub(super) scalar: Arc<Scalar>,
    pub(super) layout: Layout,
}

impl Layer {
    /// Returns how many texts this one is within.
    pub(super) fn depth(&self) -> usize {
        self.host.as_ref().map_or(0, |host| host.layer.depth() + 1)
    }

    /// Returns the layer of the file's own text.
    pub(super) fn root(self: &Arc<Self>) -> &Arc<Self> {
        self.host.as_ref().map_or(self, |host| host.layer.root())
    }

    /// Returns the text, given that of the file.
    pub(super) fn text<'a>(&'a self, file: &'a str) -> &'a str {
        self.host.as_ref().map_or(file, |host| &host.scalar.value)
    }
}

impl Host {
    /// Makes one change of the host's scalar of the changes within its value, which then is `value`; `text` is the text that
    /// the scalar is in. None if a change does not stand there in one piece, or the scalar's style cannot hold it.
    pub(super) fn change(&self, text: &str, changes: &[Change], value: String) -> Option<Change> {
        let Self { scalar, layout, .. } = self;
        let (mut new, mut at) = (String::new(), scalar.span.start);
        for change in changes {
            let span = layout.in_text(&change.span)?;
            new.push_str(text.get(at..span.start)?);
            new.push_str(&layout.spell(&change.text)?);
            at = span.end;
        }
        new.push_str(text.get(at..scalar.span.end)?);
        Some(Change { node: scalar.node, span: scalar.span.clone(), text: new, old: scalar.value.clone(), value, style: scalar.style })
    }
}
