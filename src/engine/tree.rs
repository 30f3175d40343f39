//! The sites of an environment's tree.
//!
//! Owns the caches that make an unchanged tree cost nothing and a changed one only its changed files and the folders above
//! them: what each folder holds, what each blob holds, and the latter over a restart. Hides walking, screening and scanning.
//!
//! | part | does |
//! | --- | --- |
//! | `part` | what one folder holds, shared by all trees in which the folder is the same |
//! | `census` | what the blobs of the tree hold, and how often each stands in it |
//! | `scanned` | one blob's content, as it is found to hold nothing, sites, or what is not read |
//! | `skip` | why a file is left alone |
//! | `sources` | what blobs say of the sources of charts, which may stand in other files than the charts |
//! | `kept` | the file that brings what blobs hold over a restart |

mod census;
mod kept;
mod part;
mod scanned;
mod skip;
mod sources;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{EnvironmentConfig, Rules, parallel};
use crate::environment::{BlobId, Entry, Error, Snapshot};
use crate::image::{Pool, Repository};
use crate::manifest::{self, Format, Formats, Site, Watch};

use census::Census;
use kept::Kept;
use part::{Builder, Part};
use scanned::{Content, Scanned};
use sources::{Sayings, Told};

pub(super) use scanned::is_lfs_pointer;

pub use skip::{Skip, SkipReason};

/// Files larger than this are not read: no manifest that people review is as large.
pub(super) const LARGEST_FILE: usize = manifest::MAX_BYTES;
/// Of files larger than this one is worked on at a time, as their trees take several times their size.
const LARGE_FILE: usize = 1024 * 1024;
/// If more blobs than these are scanned at once, their sites do not keep their places in the text, which then is scanned again
/// before an edit: a pass seldom edits as many.
const MOST_BOUND: usize = 20_000;
/// So many blobs are scanned, and then learnt, at a time, so that what is found does not pile up before it shares its texts.
const A_BATCH: usize = 10_000;
/// More files than these that are left alone are counted, not listed.
const MOST_SKIPS: usize = 1_000;

/// A file with sites.
#[derive(Clone, Debug)]
pub struct SiteFile {
    /// The path from the root.
    pub path: Arc<str>,
    /// The id of its content.
    pub blob: BlobId,
    /// How it is read.
    pub format: Format,
    /// Its sites.
    pub sites: Arc<[Site]>,
}

/// All sites of one commit's tree.
#[derive(Debug)]
pub struct Tree {
    root: Arc<Part>,
    /// The files that are left alone, in path order; the first 1,000.
    pub skips: Vec<Skip>,
    /// How many there are in all, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// The repositories at the sites that a rule covers, each with its interval.
    pub repositories: Arc<BTreeMap<Repository, Duration>>,
}

impl Tree {
    fn new(root: Arc<Part>, repositories: Arc<BTreeMap<Repository, Duration>>) -> Self {
        let skips = root.skips().take(MOST_SKIPS).cloned().collect();
        Self { skips, skipped: root.skipped().clone(), repositories, root }
    }

    /// Visits the files with sites, in path order.
    pub fn files(&self) -> impl Iterator<Item = &SiteFile> {
        self.root.files()
    }
}

/// Waits for its turn with a large text.
pub(super) fn alone(text: &[u8]) -> Option<MutexGuard<'static, ()>> {
    static LARGE: Mutex<()> = Mutex::new(());
    (text.len() > LARGE_FILE).then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// What is looked at: some of an environment's files.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) environment: &'a EnvironmentConfig,
    pub(super) rules: &'a Rules,
}

impl View<'_> {
    /// Says whether something in the tree is read, or named as what is not.
    pub(super) fn wants(self, path: &str, entry: &Entry) -> bool {
        let Self { environment, rules } = self;
        match entry {
            // Whether a manifest in it would be looked at.
            Entry::Submodule => rules.look_at(environment, &format!("{path}/manifest.yaml")),
            _ => environment.formats.of(path).is_some() && rules.look_at(environment, path),
        }
    }

    /// Returns how a file that is wanted is read.
    pub(super) fn format(self, path: &str) -> Option<Format> {
        self.environment.formats.of(path)
    }
}

/// What is kept of the trees seen before.
pub struct Cache {
    /// Knows the sources of charts that all blobs of the census were scanned with.
    watch: Watch,
    census: Census,
    sayings: Sayings,
    /// The texts of all sites.
    pool: Pool,
    /// The last tree and its id.
    last: Option<(String, Arc<Tree>)>,
    kept: Option<Kept>,
}

impl Cache {
    /// Makes an empty cache for what is looked for.
    #[must_use]
    pub fn new(watch: Watch) -> Self {
        Self { watch, census: Census::default(), sayings: Sayings::default(), pool: Pool::default(), last: None, kept: None }
    }

    /// Keeps what blobs hold in a file as well, for the next process with the same settings. Nothing is read or made before
    /// it is needed.
    #[must_use]
    pub fn kept_in(self, file: PathBuf, environment: &EnvironmentConfig) -> Self {
        Self { kept: Some(Kept::new(file, &self.watch, &environment.formats)), ..self }
    }

    /// Returns what is looked for, with the sources of charts of the last tree.
    pub(super) fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Forgets everything, here and on the disk: it has been found to be wrong.
    pub(super) fn distrust(&mut self) {
        self.census = Census::default();
        self.sayings = Sayings::default();
        self.last = None;
        self.kept.iter_mut().for_each(Kept::remove);
    }

    /// Returns the sites of a snapshot. The environment and the rules are the same in every call.
    ///
    /// # Errors
    /// If the bare clone cannot be read.
    pub fn sites(&mut self, snapshot: &Snapshot, environment: &EnvironmentConfig, rules: &Rules) -> Result<Arc<Tree>, Error> {
        if let Some((id, tree)) = &self.last
            && *id == snapshot.tree()
        {
            return Ok(Arc::clone(tree));
        }
        if let Some(restored) = self.kept.as_mut().and_then(|kept| kept.load(&self.watch, &mut self.pool)) {
            self.watch.know(restored.sources.into());
            restored.asking.into_iter().for_each(|content| self.sayings.learn(content, Told { asks: true, ..Told::default() }));
            self.census.restore(restored.scanned);
        }
        let view = View { environment, rules };
        let before = self.last.as_ref().map(|(_, tree)| Arc::clone(&tree.root));
        let folder = snapshot.walk(before.as_ref().map(|part| &part.folder), &|path, entry| view.wants(path, entry))?;
        let new = self.census.unknown(part::changed(before.as_ref(), &folder, view));
        let mut scanned = self.scan(snapshot, &environment.formats, &new)?;
        // After an error or a bug the counts would be wrong, and are begun anew.
        if self.last.take().is_none() {
            self.census.begin();
        }
        let mut root = Builder::new(&mut self.census, view).build(before.as_ref(), &folder);
        let asking = self.outdated();
        if !asking.is_empty() {
            scanned += self.scan(snapshot, &environment.formats, &asking)?;
            self.census.begin();
            root = Builder::new(&mut self.census, view).build(None, &folder);
        }
        let tree = Arc::new(Tree::new(root, self.census.repositories()));
        self.last = Some((snapshot.tree().to_owned(), Arc::clone(&tree)));
        if let Some(kept) = &mut self.kept {
            kept.save(scanned, &self.census, &self.sayings, self.watch.sources());
        }
        Ok(tree)
    }

    /// Brings together the sources of charts that the tree declares. If they are not those that its blobs were scanned with, forgets
    /// the blobs that depend on them, and returns these.
    fn outdated(&mut self) -> Vec<Content> {
        let sources = self.sayings.sources(&self.census);
        if sources == **self.watch.sources() {
            return Vec::new();
        }
        self.watch.know(sources.into());
        let asking = self.sayings.take_asking();
        asking.iter().for_each(|content| self.census.forget(content));
        asking.into_iter().collect()
    }

    /// Scans blobs, each where it lies in the object database and as soon as it is read; returns their number.
    fn scan(&mut self, snapshot: &Snapshot, formats: &Formats, new: &[(BlobId, Format)]) -> Result<usize, Error> {
        let (watch, count) = (&self.watch, new.len());
        let scan = |(blob, format)| {
            let scan = |text: &[u8]| {
                let _alone = alone(text);
                Scanned::of(text, formats, format, watch)
            };
            let (scanned, told) =
                snapshot.look(blob, LARGEST_FILE, scan)?.unwrap_or((Scanned::Skipped(SkipReason::TooLarge), Told::default()));
            Ok(((blob, format), if count > MOST_BOUND { scanned.unbound() } else { scanned }, told))
        };
        self.census.reserve(count);
        for batch in new.chunks(A_BATCH) {
            for scanned in parallel::map(batch.to_vec(), scan) {
                let (content, mut scanned, told) = scanned?;
                scanned.share(&mut self.pool);
                self.census.learn(content, scanned);
                self.sayings.learn(content, told);
            }
        }
        Ok(count)
    }
}
