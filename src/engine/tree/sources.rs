//! What the blobs of a tree say of the sources of charts, and which of them hold charts that depend on what others say.

use std::collections::{HashMap, HashSet};

use super::census::Census;
use super::scanned::Content;
use crate::manifest::{Source, Sources};

/// What one blob says.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The sources that it declares.
    pub(super) sources: Vec<Source>,
    /// Whether it holds charts whose sources it does not declare itself.
    pub(super) asks: bool,
}

/// What all blobs say; most say nothing.
#[derive(Debug, Default)]
pub(super) struct Sayings {
    declared: HashMap<Content, Box<[Source]>>,
    asking: HashSet<Content>,
}

impl Sayings {
    /// Takes in what a blob says.
    pub(super) fn learn(&mut self, content: Content, told: Told) {
        if !told.sources.is_empty() {
            self.declared.insert(content, told.sources.into());
        }
        if told.asks {
            self.asking.insert(content);
        }
    }

    /// Forgets the blobs that the census does not know any more, and brings together what the others declare.
    pub(super) fn sources(&mut self, census: &Census) -> Sources {
        self.declared.retain(|content, _| census.has(content));
        self.asking.retain(|content| census.has(content));
        self.declared.values().flatten().collect()
    }

    /// Takes out the blobs that ask, as they are to be scanned again.
    pub(super) fn take_asking(&mut self) -> HashSet<Content> {
        std::mem::take(&mut self.asking)
    }

    /// Says whether a blob declares sources.
    pub(super) fn declares(&self, content: &Content) -> bool {
        self.declared.contains_key(content)
    }

    /// Says whether a blob holds charts whose sources it does not declare itself.
    pub(super) fn asks(&self, content: &Content) -> bool {
        self.asking.contains(content)
    }
}
