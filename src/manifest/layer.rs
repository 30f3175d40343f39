//! The texts that sites stand in: a file's own, and YAML in the scalars of another text, to some depth.

use std::sync::Arc;

use granit_parser::ScalarStyle;

use super::edit::{Change, Splice};
use super::layout::Layout;
use super::proof::{self, Outline, Why};
use super::site::Scalar;
use super::text;

/// A text that sites stand in.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) evidence: Evidence,
    /// Where the text stands; none if it is the file's own.
    pub(super) host: Option<Host>,
}

/// What a scan keeps of a text, so that an edit can be proved.
#[derive(Debug)]
pub(super) enum Evidence {
    /// The text was read as YAML.
    Yaml(Outline),
    /// It was read otherwise.
    Text(text::Evidence),
}

impl Evidence {
    /// Says whether this is of a text.
    pub(super) fn fits(&self, text: &[u8]) -> bool {
        match self {
            Self::Yaml(outline) => outline.fits(text),
            Self::Text(evidence) => evidence.fits(text),
        }
    }

    /// Returns how a plain scalar is quoted that needs quotes.
    pub(super) fn quote(&self) -> ScalarStyle {
        match self {
            Self::Yaml(outline) => outline.quote(),
            Self::Text(_) => ScalarStyle::DoubleQuoted,
        }
    }

    /// Proves that a new text is the old one but for the changes.
    pub(super) fn prove(&self, old: &str, new: &str, changes: &[Change]) -> Result<(), Why> {
        match self {
            Self::Yaml(outline) => proof::prove(outline, old, new, changes),
            Self::Text(evidence) => evidence.prove(new, changes),
        }
    }
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
    /// Makes one change of the host's scalar of the changes within its value, which then is `value`. None if a part does not
    /// stand there in one piece, or the scalar's style cannot hold it.
    pub(super) fn change(&self, changes: &[Change], value: String) -> Option<Change> {
        let Self { scalar, layout, .. } = self;
        let outward = |inner: &Splice| Some(Splice { span: layout.in_text(&inner.span)?, text: layout.spell(&inner.text)?.into_owned() });
        let splices = changes.iter().flat_map(|change| &change.splices).map(outward).collect::<Option<_>>()?;
        Some(Change { node: scalar.node, entry: None, splices, old: scalar.value.clone(), value, style: scalar.style })
    }
}
