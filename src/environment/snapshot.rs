//! One commit's tree, and the history behind it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use git2::{ObjectType, Odb, Oid, Sort};

use super::changeset::Changeset;
use super::error::Error;
use super::store;
use super::tree::{self, Entry, Folder, MOST_ENTRIES, Walk, WalkError};
use super::{Author, BlobId};

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path from the root, with `/`.
    pub path: String,
    /// The id of its content.
    pub blob: BlobId,
}

/// What was read of a snapshot so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Folders.
    pub folders: usize,
    /// Files' contents.
    pub files: usize,
}

/// A commit of the branch's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The commit's id in hexadecimal digits.
    pub id: String,
    /// Its message, bounded.
    pub message: String,
    /// The ids of its parents, the branch's own first.
    pub parents: Vec<String>,
    /// Its tree.
    root: Oid,
}

/// What snapshots, changesets and commits know of their environment.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) remote: String,
    pub(super) branch: String,
    pub(super) author: Author,
    pub(super) history: usize,
    /// The bare clone.
    pub(super) path: PathBuf,
    /// Where the packs of commits are until they are pushed.
    pub(super) outgoing: PathBuf,
    pub(super) damaged: Arc<AtomicBool>,
}

impl Shared {
    /// Makes an error of a failure of the clone, which is then made anew by the next fetch.
    pub(super) fn is_damaged(&self, error: git2::Error) -> Error {
        self.damaged.store(true, Ordering::Relaxed);
        Error::Damaged { remote: self.remote.clone(), cause: error.into() }
    }

    /// Opens the clone's objects.
    fn objects(&self) -> Result<Odb<'static>, git2::Error> {
        let odb = Odb::new()?;
        self.attach(&odb)?;
        Ok(odb)
    }

    /// Attaches the clone's objects to an object database.
    pub(super) fn attach(&self, odb: &Odb<'_>) -> Result<(), git2::Error> {
        store::attach(odb, &self.path.join("objects"))
    }

    /// Makes an error of a failure to write beside the clone.
    pub(super) fn is_full(&self, cause: io::Error) -> Error {
        Error::Directory { remote: self.remote.clone(), dir: self.outgoing.clone(), cause }
    }
}

/// One commit's tree; it never changes under a plan. Many threads may read it at once.
pub struct Snapshot {
    shared: Arc<Shared>,
    odb: Odb<'static>,
    /// Further handles, one for each thread that reads: threads that share one wait for each other.
    spare: Mutex<Vec<Odb<'static>>>,
    tip: Oid,
    root: Oid,
    commit: String,
    tree: String,
    folders_read: AtomicUsize,
    files_read: AtomicUsize,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("commit", &self.commit).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Messages longer than this are cut: a commit of 10,000 changes tells them all in half of it.
    const LONGEST_MESSAGE: usize = 4 << 20;
    /// All messages of a history together; after that they come out empty.
    const ALL_MESSAGES: usize = 64 << 20;

    pub(super) fn new(shared: Arc<Shared>, tip: Oid) -> Result<Self, Error> {
        let open = || {
            let odb = shared.objects()?;
            let root = store::open(&shared.path)?.find_commit(tip)?.tree_id();
            Ok((odb, root))
        };
        let (odb, root) = open().map_err(|e| shared.is_damaged(e))?;
        let (commit, tree) = (tip.to_string(), root.to_string());
        Ok(Self {
            odb,
            spare: Mutex::default(),
            tip,
            root,
            commit,
            tree,
            shared,
            folders_read: AtomicUsize::new(0),
            files_read: AtomicUsize::new(0),
        })
    }

    /// Returns the commit's id in hexadecimal digits.
    #[must_use]
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Returns the id of the root tree, which is equal for equal content.
    #[must_use]
    pub fn tree(&self) -> &str {
        &self.tree
    }

    /// Returns the branch's name, without `refs/heads/`.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.shared.branch
    }

    /// Lists the regular files that `wanted` accepts, in path order.
    ///
    /// # Errors
    /// If the clone is damaged, or the tree has millions of entries.
    pub fn files(&self, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<File>, Error> {
        let root = self.walk(None, &|path, entry| matches!(entry, Entry::File(_)) && wanted(path))?;
        let mut files = Vec::new();
        root.each(&mut String::new(), &mut |path, entry| {
            if let Entry::File(blob) = entry {
                files.push(File { path: path.to_owned(), blob: *blob });
            }
        });
        Ok(files)
    }

    /// Walks through the tree and keeps what `wanted` accepts of all entries that are no folders.
    ///
    /// What an earlier walk with the same `wanted` found is `known`: folders that are still the same at the same path are
    /// taken over from there and not read.
    ///
    /// # Errors
    /// If the clone is damaged, or the tree has millions of entries.
    pub fn walk(&self, known: Option<&Arc<Folder>>, wanted: &dyn Fn(&str, &Entry) -> bool) -> Result<Arc<Folder>, Error> {
        let mut wanted = |path: &str, entry: &Entry| wanted(path, entry);
        Walk::new(&self.odb, &self.folders_read, &mut wanted).run(self.root, known).map_err(|e| match e {
            WalkError::TooManyEntries => Error::TooManyFiles { remote: self.shared.remote.clone(), limit: MOST_ENTRIES },
            WalkError::Git(e) => self.shared.is_damaged(e),
        })
    }

    /// Reads a file's content; none if it is larger than `largest` bytes.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub fn read(&self, blob: BlobId, largest: usize) -> Result<Option<Vec<u8>>, Error> {
        self.look(blob, largest, <[u8]>::to_vec)
    }

    /// Has a look at a file's content without making a copy of it; none if it is larger than `largest` bytes.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub fn look<R>(&self, blob: BlobId, largest: usize, look: impl FnOnce(&[u8]) -> R) -> Result<Option<R>, Error> {
        let spare = self.spare().pop();
        let odb = match spare {
            Some(odb) => odb,
            None => self.shared.objects().map_err(|e| self.shared.is_damaged(e))?,
        };
        let read = || {
            let id = blob.oid()?;
            let (size, kind) = odb.read_header(id)?;
            if kind != ObjectType::Blob {
                return Err(git2::Error::from_str("a file is no blob"));
            }
            if size > largest {
                return Ok(None);
            }
            self.files_read.fetch_add(1, Ordering::Relaxed);
            odb.read(id).map(Some)
        };
        let object = read().map_err(|e| self.shared.is_damaged(e))?;
        let seen = object.map(|object| look(object.data()));
        self.spare().push(odb);
        Ok(seen)
    }

    fn spare(&self) -> MutexGuard<'_, Vec<Odb<'static>>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how much was read so far.
    #[must_use]
    pub fn reads(&self) -> Reads {
        Reads { folders: self.folders_read.load(Ordering::Relaxed), files: self.files_read.load(Ordering::Relaxed) }
    }

    /// Returns the branch's last commits, newest first, children before their parents.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub fn history(&self) -> Result<Vec<HistoryEntry>, Error> {
        let walk = || {
            let repository = store::open(&self.shared.path)?;
            let mut walk = repository.revwalk()?;
            walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)?;
            walk.push(self.tip)?;
            let mut left = Self::ALL_MESSAGES;
            let entries = walk.take(self.shared.history).map(|id| {
                let id = id?;
                let commit = repository.find_commit(id)?;
                let message = commit.message_bytes();
                let message = String::from_utf8_lossy(&message[..message.len().min(Self::LONGEST_MESSAGE).min(left)]).into_owned();
                left = left.saturating_sub(message.len());
                let parents = commit.parent_ids().map(|id| id.to_string()).collect();
                Ok(HistoryEntry { id: id.to_string(), message, parents, root: commit.tree_id() })
            });
            entries.collect::<Result<Vec<_>, _>>()
        };
        walk().map_err(|e: git2::Error| self.shared.is_damaged(e))
    }

    /// Returns the content that a file had after a commit of the [`history`](Self::history); none if there was no such file.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub fn past(&self, commit: &HistoryEntry, path: &str) -> Result<Option<BlobId>, Error> {
        let found = tree::find(&self.odb, commit.root, path).map_err(|e| self.shared.is_damaged(e))?;
        Ok(found.map(BlobId::from))
    }

    /// Says whether there is a regular file at a path.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub fn has(&self, path: &str) -> Result<bool, Error> {
        Ok(tree::find(&self.odb, self.root, path).map_err(|e| self.shared.is_damaged(e))?.is_some())
    }

    /// Starts a changeset on this snapshot.
    #[must_use]
    pub fn change(&self) -> Changeset {
        Changeset::new(Arc::clone(&self.shared), self.tip, self.root)
    }
}
