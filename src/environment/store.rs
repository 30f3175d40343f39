//! The directory of the bare clone.
//!
//! Owns its lock, its health and its size. The clone is a cache: one that is damaged (a full disk, a crash, a hand in it) is
//! removed and made anew, one that has gathered too many packs is replaced by a fresh one. Our own commits are never
//! written into it, only what came from the remote; so each fetch that brings something adds one pack, and nothing else grows.
//!
//! ```text
//! <dir>/lock         held while the environment is open
//! <dir>/repository/  the bare clone; the tip is `refs/tagboat/tip`
//! <dir>/fresh/       its successor, while it is being made
//! <dir>/outgoing/    packs of large commits until they are pushed
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use git2::{Odb, Oid, Repository, RepositoryInitOptions};

use super::error::{Error, Fault, GitError};
use super::tree::{Entry, Walk, WalkError};

/// The reference to the last fetched tip.
pub(super) const TIP: &str = "refs/tagboat/tip";

/// The directory of a bare clone.
pub(super) struct Store {
    dir: PathBuf,
    remote: String,
    /// Held open for its lock.
    lock: File,
    /// Set by whoever finds that an object cannot be read.
    damaged: Arc<AtomicBool>,
    verified: bool,
    /// With more packs than this the clone is replaced.
    most_packs: usize,
}

/// A repository to fetch into.
pub(super) struct Target {
    pub(super) repository: Repository,
    fresh: bool,
}

impl Store {
    /// Every lookup asks each pack; and the objects of old commits stay in them.
    const MOST_PACKS: usize = 100;

    /// Takes the directory, making it if there is none.
    pub(super) fn open(dir: &Path, remote: &str) -> Result<Self, Error> {
        let lock = lock(dir, remote)?;
        let damaged = Arc::default();
        let mut store =
            Self { dir: dir.to_owned(), remote: remote.to_owned(), lock, damaged, verified: false, most_packs: Self::MOST_PACKS };
        // What a killed process left; we hold its lock.
        remove(&store.outgoing()).map_err(|cause| store.unusable(cause))?;
        store.repository()?;
        Ok(store)
    }

    /// Returns the path of the bare clone.
    pub(super) fn path(&self) -> PathBuf {
        self.dir.join("repository")
    }

    /// Returns where the packs of commits are until they are pushed.
    pub(super) fn outgoing(&self) -> PathBuf {
        self.dir.join("outgoing")
    }

    /// Returns the flag that tells that the clone is damaged.
    pub(super) fn damage(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.damaged)
    }

    /// Opens the bare clone; makes it anew if there is none or it is damaged.
    fn repository(&mut self) -> Result<Repository, Error> {
        if !self.dir.join("lock").exists() {
            // Somebody deleted the directory, and our lock with it.
            self.lock = lock(&self.dir, &self.remote)?;
            self.verified = false;
        }
        let damaged = self.damaged.swap(false, Ordering::Relaxed);
        if !damaged
            && let Ok(repository) = open(&self.path())
            && (self.verified || is_sound(&repository, &self.path()))
        {
            self.verified = true;
            return Ok(repository);
        }
        if self.path().exists() {
            tracing::warn!(dir = %self.path().display(), "the clone is damaged; making it anew");
        }
        let repository = self.fresh()?;
        drop(repository);
        self.replace()?;
        self.verified = true;
        open(&self.path()).map_err(|e| self.is_damaged(e))
    }

    /// Returns the repository to fetch into: the clone, or its successor if it has grown too much.
    pub(super) fn target(&mut self) -> Result<Target, Error> {
        let repository = self.repository()?;
        if count_packs(&self.path()) <= self.most_packs {
            return Ok(Target { repository, fresh: false });
        }
        tracing::debug!(dir = %self.path().display(), "the clone has many packs; fetching a fresh one");
        // If that fails (it may take longer than the deadline), the old one is good for as many fetches again.
        self.most_packs += Self::MOST_PACKS;
        Ok(Target { repository: self.fresh()?, fresh: true })
    }

    /// Notes that everything was fetched into the target: `tip` and all that it needs.
    pub(super) fn arrived(&mut self, target: &Target, tip: Oid) -> Result<(), Error> {
        target.repository.reference(TIP, tip, true, "").map_err(|e| self.is_damaged(e))?;
        if target.fresh {
            self.replace()?;
            self.most_packs = Self::MOST_PACKS;
        }
        Ok(())
    }

    /// Makes an error of a failure of the clone, which is then made anew by the next fetch.
    pub(super) fn is_damaged(&self, error: git2::Error) -> Error {
        self.damaged.store(true, Ordering::Relaxed);
        Error::Damaged { remote: self.remote.clone(), cause: error.into() }
    }

    /// Takes note of a failed fetch: if the clone may be at fault, it is made anew.
    pub(super) fn suspect(&self, error: &Error) {
        use git2::ErrorClass::{Indexer, Object, Odb, Tree, Zlib};
        let Error::Fetch { cause: Fault::Git(git), .. } = error else { return };
        if matches!(git.class, Indexer | Object | Odb | Tree | Zlib) {
            self.damaged.store(true, Ordering::Relaxed);
        }
    }

    fn fresh(&self) -> Result<Repository, Error> {
        let path = self.dir.join("fresh");
        remove(&path).map_err(|cause| self.unusable(cause))?;
        let init = || {
            let repository = Repository::init_opts(&path, RepositoryInitOptions::new().bare(true).external_template(false))?;
            let mut config = repository.config()?;
            // No deltas in what we push: between a manifest and unrelated ones they save nothing and take six times as long.
            // libgit2 1.9 takes the threshold from the wrong key, the first one.
            config.set_i64("pack.deltaCacheSize", 1)?;
            config.set_i64("core.bigFileThreshold", 1)?;
            Ok(repository)
        };
        init().map_err(|e: git2::Error| self.unusable(io::Error::other(GitError::from(e))))
    }

    /// Puts the fresh clone in the place of the old one. A crash in between leaves none, which is made anew.
    fn replace(&self) -> Result<(), Error> {
        let replace = || {
            remove(&self.path())?;
            fs::rename(self.dir.join("fresh"), self.path())
        };
        replace().map_err(|cause| self.unusable(cause))
    }

    fn unusable(&self, cause: io::Error) -> Error {
        Error::Directory { remote: self.remote.clone(), dir: self.dir.clone(), cause }
    }
}

/// Opens the bare clone.
///
/// Not by `open_bare`: that does not read where a shallow history ends, and libgit2 then walks on into missing commits.
pub(super) fn open(path: &Path) -> Result<Repository, git2::Error> {
    Repository::open(path)
}

/// Attaches a directory of objects to an object database.
pub(super) fn attach(odb: &Odb<'_>, objects: &Path) -> Result<(), git2::Error> {
    odb.add_disk_alternate(objects.to_str().ok_or_else(|| git2::Error::from_str("the path is no UTF-8"))?)
}

fn lock(dir: &Path, remote: &str) -> Result<File, Error> {
    let fail = |cause| Error::Directory { remote: remote.to_owned(), dir: dir.to_owned(), cause };
    if dir.to_str().is_none() {
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "its name is no UTF-8")));
    }
    fs::create_dir_all(dir).map_err(fail)?;
    let file = File::options().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(fail(cause)),
    }
}

/// Removes a directory, or whatever else stands there.
fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Says whether the tip's whole tree is there, and nothing of a killed process is in the way.
fn is_sound(repository: &Repository, path: &Path) -> bool {
    if leftovers(path) {
        return false;
    }
    let Ok(tip) = repository.refname_to_id(TIP) else {
        // A clone that has never fetched holds nothing that could be damaged.
        return count_packs(path) == 0;
    };
    let whole = || {
        let root = repository.find_commit(tip)?.tree_id();
        let odb: Odb<'_> = repository.odb()?;
        let (mut all, reads) = (true, AtomicUsize::new(0));
        let mut is_there = |_: &str, entry: &Entry| {
            // Nothing else is read; and the commits of submodules are in other repositories.
            if let Entry::File(blob) = entry {
                all &= blob.oid().is_ok_and(|id| odb.exists(id));
            }
            false
        };
        Walk::new(&odb, &reads, &mut is_there).run(root, None)?;
        Ok::<_, WalkError>(all)
    };
    whole().unwrap_or(false)
}

/// Says whether there are lock files or half-written packs: we hold the only lock, so their writer is dead.
fn leftovers(path: &Path) -> bool {
    let any = |dir: &Path, odd: fn(&str) -> bool| {
        fs::read_dir(dir).is_ok_and(|entries| entries.flatten().any(|entry| entry.file_name().to_str().is_some_and(odd)))
    };
    any(path, |name| name.ends_with(".lock"))
        || any(&path.join("refs/tagboat"), |name| name.ends_with(".lock"))
        || any(&path.join("objects/pack"), |name| !name.starts_with("pack-"))
}

fn count_packs(path: &Path) -> usize {
    let packs = |entries: fs::ReadDir| entries.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == "pack")).count();
    fs::read_dir(path.join("objects/pack")).map_or(0, packs)
}
