//! What the blobs of a tree hold, and how often each stands in it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::scanned::{Content, Scanned};
use crate::image::Repository;

/// Counts what the folders of the last tree hold, so that a change of one folder costs no look at the others.
#[derive(Debug, Default)]
pub(super) struct Census {
    blobs: HashMap<Content, Known>,
    /// In how many folders each repository is covered by a rule.
    covered: HashMap<Repository, u32>,
    repositories: Arc<BTreeMap<Repository, Duration>>,
    /// Whether blobs are known that may stand nowhere.
    has_idle: bool,
}

#[derive(Debug)]
struct Known {
    scanned: Scanned,
    /// How many files have this content.
    places: u32,
}

impl Census {
    /// Takes over what an earlier process knew; what is known already is better.
    pub(super) fn restore(&mut self, scanned: Vec<(Content, Scanned)>) {
        self.reserve(scanned.len());
        for (content, scanned) in scanned {
            if !self.blobs.contains_key(&content) {
                self.learn(content, scanned);
            }
        }
    }

    /// Returns each of these once that is not known.
    pub(super) fn unknown(&self, contents: Vec<Content>) -> Vec<Content> {
        let mut seen = HashSet::new();
        contents.into_iter().filter(|content| !self.blobs.contains_key(content) && seen.insert(*content)).collect()
    }

    /// Makes room for so many blobs, as a table that grows by itself is there twice for a while.
    pub(super) fn reserve(&mut self, blobs: usize) {
        self.blobs.reserve(blobs);
    }

    /// Takes in what a blob holds that is about to be counted.
    pub(super) fn learn(&mut self, content: Content, scanned: Scanned) {
        self.has_idle = true;
        self.blobs.insert(content, Known { scanned, places: 0 });
    }

    /// Says whether a blob is known; once a count has ended, whether it stands in the tree.
    pub(super) fn has(&self, content: &Content) -> bool {
        self.blobs.contains_key(content)
    }

    /// Forgets what a blob holds, with its count, so that the counts are to be begun anew.
    pub(super) fn forget(&mut self, content: &Content) {
        self.blobs.remove(content);
    }

    /// Forgets the counts, not what blobs hold.
    pub(super) fn begin(&mut self) {
        self.blobs.values_mut().for_each(|known| known.places = 0);
        self.covered.clear();
        self.repositories = Arc::default();
        self.has_idle = true;
    }

    /// Counts a file; returns what it holds.
    pub(super) fn add(&mut self, content: Content) -> Option<Scanned> {
        let known = self.blobs.get_mut(&content)?;
        known.places = known.places.saturating_add(1);
        Some(known.scanned.clone())
    }

    /// Takes a file out of the count; what stands nowhere is forgotten.
    pub(super) fn take(&mut self, content: Content) {
        if let Entry::Occupied(mut known) = self.blobs.entry(content) {
            known.get_mut().places = known.get().places.saturating_sub(1);
            if known.get().places == 0 {
                known.remove();
            }
        }
    }

    /// Counts a folder in which a repository is covered.
    pub(super) fn cover(&mut self, repository: &Repository, interval: impl FnOnce() -> Duration) {
        if let Some(folders) = self.covered.get_mut(repository) {
            *folders = folders.saturating_add(1);
            return;
        }
        self.covered.insert(repository.clone(), 1);
        Arc::make_mut(&mut self.repositories).insert(repository.clone(), interval());
    }

    /// Takes a folder out of the count in which a repository was covered.
    pub(super) fn uncover(&mut self, repository: &Repository) {
        let Some(folders) = self.covered.get_mut(repository) else { return };
        *folders = folders.saturating_sub(1);
        if *folders == 0 {
            self.covered.remove(repository);
            Arc::make_mut(&mut self.repositories).remove(repository);
        }
    }

    /// Ends a count: forgets what stands nowhere.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.has_idle) {
            self.blobs.retain(|_, known| known.places > 0);
        }
    }

    /// Returns the repositories that a rule covers anywhere, with their intervals.
    pub(super) fn repositories(&self) -> Arc<BTreeMap<Repository, Duration>> {
        Arc::clone(&self.repositories)
    }

    /// Returns how many blobs are known.
    pub(super) fn len(&self) -> usize {
        self.blobs.len()
    }

    /// Visits what the blobs hold.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Content, &Scanned)> {
        self.blobs.iter().map(|(content, known)| (content, &known.scanned))
    }
}
