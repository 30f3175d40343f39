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
use crate::manifest::{self, Format, Formats, Site, Watch};

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
    fn of(text: Option<&[u8]>, formats: &Formats, format: Format, watch: &Watch) -> Self {
        match text.map(|text| formats.scan(text, format, watch)) {
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
    /// By content and how it is read.
    blobs: HashMap<(BlobId, Format), Scanned>,
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
        let files = snapshot.files(&|path| environment.formats.of(path).is_some() && rules.look_at(environment, path))?;
        let files = files.into_iter().filter_map(|file| Some((environment.formats.of(&file.path)?, file))).collect::<Vec<_>>();
        self.scan_new(snapshot, &files, &environment.formats)?;
        let tree = Arc::new(self.collect(files, environment, rules));
        self.last = Some((snapshot.tree().to_owned(), Arc::clone(&tree)));
        Ok(tree)
    }

    /// Scans the blobs that were not seen before, each as soon as it is read.
    fn scan_new(&mut self, snapshot: &Snapshot, files: &[(Format, File)], formats: &Formats) -> Result<(), Error> {
        let mut seen = HashSet::new();
        let new = |content: &(BlobId, Format)| !self.blobs.contains_key(content) && seen.insert(*content);
        let new = files.iter().map(|(format, file)| (file.blob, *format)).filter(new).collect();
        let watch = &self.watch;
        let scanned = parallel::map(new, |(blob, format)| {
            let text = snapshot.read(blob, LARGEST_FILE)?;
            Ok(((blob, format), Scanned::of(text.as_deref(), formats, format, watch)))
        });
        for scanned in scanned {
            let (content, scanned) = scanned?;
            self.blobs.insert(content, scanned);
        }
        Ok(())
    }

    /// Puts the tree together and forgets the blobs that it no longer holds.
    fn collect(&mut self, files: Vec<(Format, File)>, environment: &EnvironmentConfig, rules: &Rules) -> Tree {
        let mut tree = Tree::default();
        let mut kept = HashMap::with_capacity(files.len());
        for (format, File { path, blob, .. }) in files {
            let content = (blob, format);
            let Some(scanned) = kept.get(&content).or_else(|| self.blobs.get(&content)).cloned() else { continue };
            match &scanned {
                Scanned::Nothing => {}
                Scanned::Skipped(reason) => tree.skips.push(Skip { file: path, reason: reason.clone() }),
                Scanned::Sites(sites) => {
                    for site in sites.iter() {
                        let known = tree.repositories.contains_key(&site.repository);
                        if !known && rules.find(environment, &path, site).is_some() {
                            tree.repositories.insert(site.repository.clone(), rules.interval(&site.repository));
                        }
                    }
                    tree.files.push(SiteFile { path, blob, sites: Arc::clone(sites) });
                }
            }
            kept.insert(content, scanned);
        }
        self.blobs = kept;
        tree
    }
}
