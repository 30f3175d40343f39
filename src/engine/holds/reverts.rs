//! Which commit took a version out again.
//!
//! Walks from the branch's tip towards the bump, through commits that came after it and did not have the version any more: the
//! last of them took it out. Reads nothing but the file in question, each of its contents once, and never more than
//! [`MOST_LOOKS`] of them; where that does not tell, nothing is said.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::{Holds, LastBump, short};
use crate::engine::tree::LARGEST_FILE;
use crate::environment::{BlobId, Error, HistoryEntry, Snapshot};
use crate::manifest::{Format, Formats, Site, Watch};

/// How often a file is looked up in a commit's tree, all sites together. That takes well under a second.
const MOST_LOOKS: usize = 20_000;

/// The sites of a file's content; none where it cannot be read.
type Sites = Option<Arc<[Site]>>;

/// The past of one snapshot, as far as it has been looked at.
pub(in crate::engine) struct Reverts<'a> {
    holds: &'a Holds,
    snapshot: &'a Snapshot,
    formats: &'a Formats,
    watch: &'a Watch,
    /// Where in the history a commit is.
    places: HashMap<&'a str, usize>,
    /// By commit and file: what the file was then.
    files: HashMap<(usize, String), Option<BlobId>>,
    contents: HashMap<(BlobId, Format), Sites>,
}

impl<'a> Reverts<'a> {
    pub(super) fn new(holds: &'a Holds, snapshot: &'a Snapshot, formats: &'a Formats, watch: &'a Watch) -> Self {
        let places = holds.history.iter().enumerate().map(|(place, commit)| (commit.id.as_str(), place)).collect();
        Self { holds, snapshot, formats, watch, places, files: HashMap::new(), contents: HashMap::new() }
    }

    /// Returns the commit, shortened, that took out what is held for a site; none where that cannot be told.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub(in crate::engine) fn of(&mut self, file: &str, site: &Site, sites: &[Site]) -> Result<Option<String>, Error> {
        let Some(bump) = self.holds.last(file, site, sites) else { return Ok(None) };
        let after = self.after(bump.commit);
        let mut commit = 0;
        loop {
            // A merge took out what one of its sides still had, unless another side had taken it out before.
            let mut parents = self.parents(commit).into_iter().filter(|parent| after.get(*parent) == Some(&true));
            let mut was_there = false;
            let next = loop {
                let Some(parent) = parents.next() else { break None };
                match self.is_there(parent, bump, file, site)? {
                    Some(true) => was_there = true,
                    Some(false) => break Some(parent),
                    None => return Ok(None),
                }
            };
            match next {
                Some(parent) => commit = parent,
                None => return Ok(self.holds.history.get(commit).filter(|_| was_there).map(short)),
            }
        }
    }

    /// Says of each commit down to a bump whether it came after it: a side branch that began before it never had the version.
    fn after(&self, bump: usize) -> Vec<bool> {
        let mut after = vec![false; bump + 1];
        // Children stand before their parents.
        for commit in (0..=bump).rev() {
            after[commit] = commit == bump || self.parents(commit).iter().any(|parent| after.get(*parent) == Some(&true));
        }
        after
    }

    fn parents(&self, commit: usize) -> Vec<usize> {
        let parents = self.holds.history.get(commit).map_or(&[][..], |commit| &commit.parents);
        parents.iter().filter_map(|parent| self.places.get(parent.as_str()).copied()).collect()
    }

    /// Says whether a file had at a commit what a bump wrote, under the site's name of then or of now.
    fn is_there(&mut self, commit: usize, bump: &LastBump, file: &str, site: &Site) -> Result<Option<bool>, Error> {
        let Some(entry) = self.holds.history.get(commit) else { return Ok(None) };
        let Some(blob) = self.blob(commit, entry, file)? else { return Ok(None) };
        let Some(blob) = blob else { return Ok(Some(false)) };
        let is_it =
            |then: &Site| then.repository == site.repository && (*then.key == *bump.key || then.key == site.key) && bump.is_at(then);
        Ok(self.sites(blob, file)?.map(|sites| sites.iter().any(is_it)))
    }

    /// Returns what a file was at a commit; the outer option is none once enough has been looked up.
    fn blob(&mut self, commit: usize, entry: &HistoryEntry, file: &str) -> Result<Option<Option<BlobId>>, Error> {
        let looks = self.files.len();
        match self.files.entry((commit, file.to_owned())) {
            Entry::Occupied(known) => Ok(Some(*known.get())),
            Entry::Vacant(_) if looks >= MOST_LOOKS => Ok(None),
            Entry::Vacant(new) => Ok(Some(*new.insert(self.snapshot.past(entry, file)?))),
        }
    }

    fn sites(&mut self, blob: BlobId, file: &str) -> Result<Sites, Error> {
        let Some(format) = self.formats.of(file) else { return Ok(None) };
        if let Some(known) = self.contents.get(&(blob, format)) {
            return Ok(known.clone());
        }
        let text = self.snapshot.read(blob, LARGEST_FILE)?;
        let sites: Sites = text.and_then(|text| self.formats.scan(&text, format, self.watch).ok()).map(Into::into);
        self.contents.insert((blob, format), sites.clone());
        Ok(sites)
    }
}
