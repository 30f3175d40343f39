//! The sites of an environment's tree.
//!
//! Owns the cache by blob id, which makes an unchanged tree cost nothing and a changed one only its
//! changed files. Hides reading, screening and scanning.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::{EnvironmentConfig, Rules, parallel};
use crate::environment::{BlobId, Error, File, Snapshot};
use crate::image::Repository;
use crate::manifest::{self, Site, Watch};

/// Files larger than this are not read: no manifest that people review is as large.
pub(super) const LARGEST_FILE: usize = 8 * 1024 * 1024;
/// How many bytes of text are held at once while a tree is scanned or edited.
pub(super) const BATCH_BYTES: usize = 8 * 1024 * 1024;

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

    /// Scans the blobs that were not seen before.
    fn scan_new(&mut self, snapshot: &Snapshot, files: &[File]) -> Result<(), Error> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for file in files {
            if self.blobs.contains_key(&file.blob) {
                continue;
            }
            match snapshot.read(file.blob, LARGEST_FILE)? {
                None => self.remember(file.blob, Scanned::Skipped(SkipReason::TooLarge)),
                Some(text) if !self.watch.may_hold(&text) => self.remember(file.blob, Scanned::Nothing),
                Some(text) => {
                    // Marked at once, so that a second file with the same content is not read again.
                    self.remember(file.blob, Scanned::Nothing);
                    bytes += text.len();
                    batch.push((file.blob, text));
                }
            }
            if bytes > BATCH_BYTES {
                self.scan_batch(std::mem::take(&mut batch));
                bytes = 0;
            }
        }
        self.scan_batch(batch);
        Ok(())
    }

    fn scan_batch(&mut self, batch: Vec<(BlobId, Vec<u8>)>) {
        let watch = &self.watch;
        let scanned = parallel::map(batch, |(blob, text)| (blob, manifest::scan(&text, watch)));
        for (blob, result) in scanned {
            let scanned = match result {
                Ok(sites) if sites.is_empty() => Scanned::Nothing,
                Ok(sites) => Scanned::Sites(sites.into()),
                Err(reason) => Scanned::Skipped(reason.into()),
            };
            self.remember(blob, scanned);
        }
    }

    fn remember(&mut self, blob: BlobId, scanned: Scanned) {
        self.blobs.insert(blob, scanned);
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
