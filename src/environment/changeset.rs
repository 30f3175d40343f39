//! New contents on top of a snapshot, and the commit they become.
//!
//! Nothing is written into the clone: blobs, trees and the commit live in memory until they are pushed, and beside the clone
//! what would be too much for that. So commits that lose a race cost no space, and 10,000 files are a commit in a quarter of
//! a second. What a push brought about comes back with the next fetch, from the one place that tells the truth.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use git2::{Oid, Repository, Signature, Tree};

use super::error::Error;
use super::outgoing::{Outgoing, Packs};
use super::snapshot::Shared;

/// New file contents on top of a snapshot.
pub struct Changeset {
    shared: Arc<Shared>,
    base: Oid,
    root: Oid,
    /// Made at the first write.
    contents: Option<Outgoing>,
    files: BTreeMap<Arc<str>, Oid>,
}

/// A commit that is nowhere else until it is pushed.
pub struct Commit {
    pub(super) repository: Repository,
    pub(super) id: Oid,
    pub(super) base: Oid,
    pub(super) branch: String,
    hex: String,
    /// Not in use after the repository.
    _packs: Option<Packs>,
}

impl fmt::Debug for Changeset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changeset").field("base", &self.base).field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commit").field("id", &self.id).field("base", &self.base).finish_non_exhaustive()
    }
}

impl Changeset {
    pub(super) fn new(shared: Arc<Shared>, base: Oid, root: Oid) -> Self {
        Self { shared, base, root, contents: None, files: BTreeMap::new() }
    }

    /// Sets a file's new content; the file's mode stays. Whether there is such a file shows at [`commit`](Self::commit).
    ///
    /// # Errors
    /// If libgit2 cannot take the content, or the disk is full.
    pub fn write(&mut self, path: impl Into<Arc<str>>, content: &[u8]) -> Result<(), Error> {
        let contents = match &mut self.contents {
            Some(contents) => contents,
            none => none.insert(Outgoing::new().map_err(|e| self.shared.is_damaged(e))?),
        };
        let id = contents.add(content, &self.shared)?;
        self.files.insert(path.into(), id);
        Ok(())
    }

    /// Makes one commit of all changes; the clone does not get it.
    ///
    /// # Errors
    /// [`Error::NothingChanged`] if the tree would stay as it is; [`Error::NotAFile`] if a path is no regular file of the
    /// snapshot; else if the clone is damaged.
    pub fn commit(self, message: &str) -> Result<Commit, Error> {
        let Self { shared, base, root, contents, files } = self;
        let damaged = |e| shared.is_damaged(e);
        let (repository, packs) = contents.ok_or(Error::NothingChanged)?.open(&shared).map_err(damaged)?;
        let files: Vec<(&str, Oid)> = files.iter().map(|(path, id)| (&**path, *id)).collect();
        let changed = Trees { repository: &repository, shared: &shared }.rebuild(root, 0, &files)?;
        if changed == root {
            return Err(Error::NothingChanged);
        }
        let author = || Error::InvalidAuthor { name: shared.author.name.clone(), email: shared.author.email.clone() };
        let author = Signature::now(&shared.author.name, &shared.author.email).map_err(|_| author())?;
        // Git's own limit: a message ends at a NUL.
        let message = if message.contains('\0') { message.replace('\0', " ").into() } else { Cow::Borrowed(message) };
        let write = || {
            let tree = repository.find_tree(changed)?;
            let parent = repository.find_commit(base)?;
            repository.commit(None, &author, &author, &message, &tree, &[&parent])
        };
        let id = write().map_err(damaged)?;
        Ok(Commit { repository, id, base, branch: shared.branch.clone(), hex: id.to_string(), _packs: packs })
    }
}

impl Commit {
    /// Returns the commit's id in hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.hex
    }
}

/// Writes the trees above changed files.
struct Trees<'a> {
    repository: &'a Repository,
    shared: &'a Shared,
}

impl Trees<'_> {
    /// Returns the tree that `root` becomes with `files`, which are sorted; their paths count from `from` on.
    fn rebuild(&self, root: Oid, from: usize, mut files: &[(&str, Oid)]) -> Result<Oid, Error> {
        let damaged = |e| self.shared.is_damaged(e);
        let tree = self.repository.find_tree(root).map_err(damaged)?;
        let mut builder = self.repository.treebuilder(Some(&tree)).map_err(damaged)?;
        while let Some(&(path, blob)) = files.first() {
            let (name, id, mode, rest) = match path[from..].split_once('/') {
                None => (&path[from..], blob, mode_of(&tree, path, from, false)?, &files[1..]),
                Some((name, _)) => {
                    let below = from + name.len() + 1;
                    let end = files.partition_point(|(other, _)| other.get(..below).is_some_and(|start| start <= &path[..below]));
                    let mode = mode_of(&tree, path, from, true)?;
                    let subtree = tree.get_name(name).map(|entry| entry.id()).ok_or_else(|| not_a_file(path))?;
                    (name, self.rebuild(subtree, below, &files[..end])?, mode, &files[end..])
                }
            };
            builder.insert(name, id, mode).map_err(damaged)?;
            files = rest;
        }
        builder.write().map_err(damaged)
    }
}

/// Returns the mode of the path's next part: of a tree, or of a regular file.
fn mode_of(tree: &Tree<'_>, path: &str, from: usize, is_tree: bool) -> Result<i32, Error> {
    let name = path[from..].split('/').next().unwrap_or_default();
    let mode = tree.get_name(name).map(|entry| entry.filemode());
    match mode {
        Some(0o040_000) if is_tree => Ok(0o040_000),
        Some(mode @ (0o100_644 | 0o100_755)) if !is_tree => Ok(mode),
        _ => Err(not_a_file(path)),
    }
}

fn not_a_file(path: &str) -> Error {
    Error::NotAFile { path: path.to_owned() }
}
