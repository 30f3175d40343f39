//! The sites of an environment's tree.
//!
//! Owns the cache by blob id, which makes an unchanged tree cost nothing and a changed one only its
//! changed files. Hides reading, screening and scanning.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::{EnvironmentConfig, Rules, parallel};
use crate::environment::{BlobId, Error, File, Snapshot};
use crate::image::Repository;
use crate::manifest::{self, Site, Watch};

/// Files larger than this are not read: no manifest that people review is as large.
pub(super) const LARGEST_FILE: usize = 8 * 1024 * 1024;

/// A file that may hold references but was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// It is larger than Tagboat reads.
    #[error("it is larger than {} MiB", LARGEST_FILE / 1024 / 1024)]
    TooLarge,
    /// It cannot be read as YAML.
    #[error(transparent)]
    Unreadable(#[from] manifest::Unreadable),
}

/// Says whether a file's name is one of those that hold manifests.
#[must_use]
pub fn is_manifest(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    name == "Kustomization" || extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
}

/// A file with sites.
#[derive(Clone, Debug)]
pub struct SiteFile {
    /// The path from the root.
    pub path: String,
    /// The id of its content.
    pub blob: BlobId,
    /// Its sites.
    pub sites: Arc<[Site]>,
}

/// All sites of one commit's tree.
#[derive(Debug, Default)]
pub struct Tree {
    /// The files with sites, in path order.
    pub files: Vec<SiteFile>,
    /// The files that could not be read.
    pub skips: Vec<Skip>,
    /// The repositories at the sites that a rule covers, each with its interval.
    pub repositories: BTreeMap<Repository, Duration>,
}

/// What a blob was found to hold.
#[derive(Clone)]
enum Scanned {
    Nothing,
    Sites(Arc<[Site]>),
    Skipped(SkipReason),
}

impl Scanned {
    /// Scans a text; none is one that is too large.
    fn of(text: Option<&[u8]>, watch: &Watch) -> Self {
        match text.map(|text| manifest::scan(text, watch)) {
            None => Self::Skipped(SkipReason::TooLarge),
            Some(Ok(sites)) if sites.is_empty() => Self::Nothing,
            Some(Ok(sites)) => Self::Sites(sites.into()),
            Some(Err(reason)) => Self::Skipped(reason.into()),
        }
    }
}

/// What is kept of the trees seen before.
pub struct Cache {
    watch: Watch,
    blobs: HashMap<BlobId, Scanned>,
    last: Option<(String, Arc<Tree>)>,
}

impl Cache {
    /// Makes an empty cache for what is looked for.
    #[must_use]
    pub fn new(watch: Watch) -> Self {
        Self { watch, blobs: HashMap::new(), last: None }
    }

    /// Returns the sites of a snapshot.
    ///
    /// # Errors
    /// If the bare clone cannot be read.
    pub fn sites(&mut self, snapshot: &Snapshot, environment: &EnvironmentConfig, rules: &Rules) -> Result<Arc<Tree>, Error> {
        if let Some((id, tree)) = &self.last
            && *id == snapshot.tree()
        {
            return Ok(Arc::clone(tree));
        }
        let files = snapshot.files(&|path| is_manifest(path) && rules.look_at(environment, path))?;
        self.scan_new(snapshot, &files)?;
        let tree = Arc::new(self.collect(files, environment, rules));
        self.last = Some((snapshot.tree().to_owned(), Arc::clone(&tree)));
        Ok(tree)
    }

    /// Scans the blobs that were not seen before, each as soon as it is read.
    fn scan_new(&mut self, snapshot: &Snapshot, files: &[File]) -> Result<(), Error> {
        let mut seen = HashSet::new();
        let new = |blob: &BlobId| !self.blobs.contains_key(blob) && seen.insert(*blob);
        let new = files.iter().map(|file| file.blob).filter(new).collect();
        let watch = &self.watch;
        let scanned = parallel::map(new, |blob| Ok((blob, Scanned::of(snapshot.read(blob, LARGEST_FILE)?.as_deref(), watch))));
        for scanned in scanned {
            let (blob, scanned) = scanned?;
            self.blobs.insert(blob, scanned);
        }
        Ok(())
    }

    /// Puts the tree together and forgets the blobs that it no longer holds.
    fn collect(&mut self, files: Vec<File>, environment: &EnvironmentConfig, rules: &Rules) -> Tree {
        let mut tree = Tree::default();
        let mut kept = HashMap::with_capacity(files.len());
        for File { path, blob, .. } in files {
            let Some(scanned) = kept.get(&blob).or_else(|| self.blobs.get(&blob)).cloned() else { continue };
            match &scanned {
                Scanned::Nothing => {}
                Scanned::Skipped(reason) => tree.skips.push(Skip { file: path, reason: reason.clone() }),
                Scanned::Sites(sites) => {
                    for site in sites.iter() {
                        let known = tree.repositories.contains_key(&site.repository);
                        if !known && rules.find(environment, &path, &site.repository).is_some() {
                            tree.repositories.insert(site.repository.clone(), rules.interval(&site.repository));
                        }
                    }
                    tree.files.push(SiteFile { path, blob, sites: Arc::clone(sites) });
                }
            }
            kept.insert(blob, scanned);
        }
        self.blobs = kept;
        tree
    }
}

#[cfg(test)]
mod tests {
    use super::is_manifest;

    #[test]
    fn names_of_manifests() {
        for yes in ["a.yaml", "x/b.YML", "x/Kustomization"] {
            assert!(is_manifest(yes), "{yes}");
        }
        for no in ["yaml", "a.yaml.tpl", "x/Kustomization/a", "README.md"] {
            assert!(!is_manifest(no), "{no}");
        }
    }
}
