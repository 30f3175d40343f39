//! Which versions someone took out again, worked out from the branch's own history.
//!
//! A bump's trailer says which site got which tag. Where a site's last bump wrote a tag that the site no
//! longer has, someone took it out: the tag is held for that site. Nothing of this is kept outside Git,
//! so a fresh start gives the same holds.

use std::collections::HashMap;

use super::message::{self, Bump};
use crate::environment::HistoryEntry;
use crate::image::{Digest, Repository, Tag};
use crate::manifest::Site;
use crate::policy::Hold;

/// How many digits of a commit's id are shown.
const SHORT: usize = 10;

/// The last bump of every site, as the history tells it.
#[derive(Debug, Default)]
pub(super) struct Holds {
    /// By file and repository: each site's last bump, newest first.
    bumps: HashMap<(String, Repository), Vec<LastBump>>,
}

#[derive(Debug)]
struct LastBump {
    key: String,
    to: Tag,
    digest: Option<Digest>,
    commit: String,
}

impl Holds {
    /// Reads a history, newest commit first.
    pub(super) fn read(history: &[HistoryEntry]) -> Self {
        let mut bumps: HashMap<_, Vec<LastBump>> = HashMap::new();
        for commit in history {
            for Bump { repository, to, digest, file, key } in message::read(&commit.message) {
                let sites = bumps.entry((file, repository)).or_default();
                if !sites.iter().any(|bump| bump.key == key) {
                    let commit = commit.id.get(..SHORT).unwrap_or(&commit.id).to_owned();
                    sites.push(LastBump { key, to, digest, commit });
                }
            }
        }
        Self { bumps }
    }

    /// Returns what is held for a site of a file.
    ///
    /// A bump whose site is no longer in the file (its list was reordered, its object renamed) speaks for all sites of
    /// its repository there: a hold too many is explained and ends with the next version, a hold too few fights the user.
    ///
    /// A file that was moved has no bumps under its new path, and so no holds: what an old path had says nothing sure
    /// about a new one.
    pub(super) fn of(&self, file: &str, site: &Site, sites: &[Site]) -> Option<Hold> {
        let bumps = self.bumps.get(&(file.to_owned(), site.repository.clone()))?;
        let own = bumps.iter().find(|bump| bump.key == site.key);
        let orphan = || bumps.iter().find(|bump| !sites.iter().any(|other| other.key == bump.key));
        let bump = own.or_else(orphan)?;
        let is_tag = site.tag.as_ref() == Some(&bump.to);
        let is_named = site.marker.as_ref().is_none_or(|marker| !marker.misnamed);
        let is_there = is_named
            && match &bump.digest {
                // A site that is a bare digest has no tag to compare.
                Some(digest) => (is_tag || site.tag.is_none()) && site.digest.as_ref() == Some(digest),
                None => is_tag,
            };
        (!is_there).then(|| Hold { tag: bump.to.clone(), digest: bump.digest.clone(), commit: bump.commit.clone() })
    }
}
