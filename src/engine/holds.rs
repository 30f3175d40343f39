//! Which versions someone took out again, worked out from the branch's own history.
//!
//! A bump's trailer says which site got which tag. Where a site's last bump wrote a tag that the site no
//! longer has, someone took it out: the tag is held for that site. Nothing of this is kept outside Git,
//! so a fresh start gives the same holds. Which commit took it out is looked for last, and only where a hold is told.

mod reverts;

use std::collections::HashMap;

use self::reverts::Reverts;
use super::message::{self, Bump};
use super::plan::{Held, Note};
use crate::environment::{Error, HistoryEntry, Snapshot};
use crate::image::{Digest, Repository, Tag};
use crate::manifest::{Formats, Site, Watch};
use crate::policy::Hold;

/// How many digits of a commit's id are shown.
const SHORT: usize = 10;

/// The last bump of every site, as the history tells it.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// By file and repository: each site's last bump, newest first.
    bumps: HashMap<(String, Repository), Vec<LastBump>>,
    /// The commits, newest first, without their messages.
    history: Vec<HistoryEntry>,
}

#[derive(Debug)]
struct LastBump {
    key: String,
    to: Tag,
    digest: Option<Digest>,
    /// Which commit of the history it is.
    commit: usize,
}

impl LastBump {
    /// Says whether a site has what the bump wrote.
    fn is_at(&self, site: &Site) -> bool {
        let is_tag = site.tag.as_ref() == Some(&self.to);
        let is_named = site.marker.as_ref().is_none_or(|marker| !marker.misnamed);
        is_named
            && match &self.digest {
                // A site that is a bare digest has no tag to compare.
                Some(digest) => (is_tag || site.tag.is_none()) && site.digest.as_ref() == Some(digest),
                None => is_tag,
            }
    }
}

impl Holds {
    /// Reads a history, newest commit first.
    pub(super) fn read(mut history: Vec<HistoryEntry>) -> Self {
        let mut bumps: HashMap<_, Vec<LastBump>> = HashMap::new();
        for (commit, entry) in history.iter_mut().enumerate() {
            for Bump { repository, to, digest, file, key } in message::read(&std::mem::take(&mut entry.message)) {
                let sites = bumps.entry((file, repository)).or_default();
                if !sites.iter().any(|bump| bump.key == key) {
                    sites.push(LastBump { key, to, digest, commit });
                }
            }
        }
        Self { bumps, history }
    }

    /// Returns what is held for a site of a file.
    ///
    /// A bump whose site is no longer in the file (its list was reordered, its object renamed) speaks for all sites of
    /// its repository there: a hold too many is explained and ends with the next version, a hold too few fights the user.
    ///
    /// A file that was moved has no bumps under its new path, and so no holds: what an old path had says nothing sure
    /// about a new one.
    pub(super) fn of(&self, file: &str, site: &Site, sites: &[Site]) -> Option<Hold> {
        let bump = self.last(file, site, sites).filter(|bump| !bump.is_at(site))?;
        let commit = self.history.get(bump.commit).map(short)?;
        Some(Hold { tag: bump.to.clone(), digest: bump.digest.clone(), commit, reverted: None })
    }

    /// Returns the last bump that speaks for a site.
    fn last(&self, file: &str, site: &Site, sites: &[Site]) -> Option<&LastBump> {
        let bumps = self.bumps.get(&(file.to_owned(), site.repository.clone()))?;
        let own = bumps.iter().find(|bump| *bump.key == *site.key);
        own.or_else(|| bumps.iter().find(|bump| !sites.iter().any(|other| *other.key == *bump.key)))
    }

    /// Tells of sites that are held, with the commits that took the versions out.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub(super) fn notes(&self, held: Vec<Held>, snapshot: &Snapshot, formats: &Formats, watch: &Watch) -> Result<Vec<Note>, Error> {
        let mut reverts = self.reverts(snapshot, formats, watch);
        let told = held.into_iter().map(|mut held| {
            let site = &held.file.sites[held.site];
            held.hold.reverted = reverts.of(&held.file.path, site, &held.file.sites)?;
            Ok(held.into_note())
        });
        told.collect()
    }

    /// Begins to look for the commits that took versions out; `snapshot` is of the commit whose history was read.
    pub(super) fn reverts<'a>(&'a self, snapshot: &'a Snapshot, formats: &'a Formats, watch: &'a Watch) -> Reverts<'a> {
        Reverts::new(self, snapshot, formats, watch)
    }
}

/// Shortens a commit's id for messages.
fn short(commit: &HistoryEntry) -> String {
    commit.id.get(..SHORT).unwrap_or(&commit.id).to_owned()
}
