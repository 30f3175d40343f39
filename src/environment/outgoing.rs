//! The objects of a commit until it is pushed: in memory, and packed beside the clone once they are many.

use std::fs;
use std::io;
use std::mem;
use std::path::Path;

use git2::{ObjectType, Odb, Oid, Repository};
use tempfile::TempDir;

use super::error::{Error, GitError};
use super::snapshot::Shared;
use super::store;

/// So many bytes of contents stay in memory: some thousand files.
const IN_MEMORY: usize = 16 << 20;

/// New objects that are in no clone.
pub(super) struct Outgoing {
    odb: Odb<'static>,
    /// The contents in memory, and their size.
    contents: Vec<Oid>,
    bytes: usize,
    packs: Option<Packs>,
    limit: usize,
}

/// A directory for packs, which goes with the commit.
pub(super) struct Packs(TempDir);

impl Outgoing {
    pub(super) fn new() -> Result<Self, git2::Error> {
        Ok(Self { odb: in_memory()?, contents: Vec::new(), bytes: 0, packs: None, limit: IN_MEMORY })
    }

    /// Adds a content.
    pub(super) fn add(&mut self, content: &[u8], shared: &Shared) -> Result<Oid, Error> {
        if self.bytes + content.len() > self.limit && !self.contents.is_empty() {
            self.pack(shared).map_err(|cause| shared.is_full(cause))?;
        }
        let id = self.odb.write(ObjectType::Blob, content).map_err(|e| shared.is_damaged(e))?;
        self.contents.push(id);
        self.bytes += content.len();
        Ok(id)
    }

    /// Moves what is in memory to the disk.
    fn pack(&mut self, shared: &Shared) -> io::Result<()> {
        let packs = match self.packs.take() {
            Some(packs) => packs,
            None => Packs::new(&shared.outgoing)?,
        };
        let directory = self.packs.insert(packs).0.path().join("pack");
        let contents = mem::take(&mut self.contents);
        self.bytes = 0;
        let pack = || {
            let repository = store::open(&shared.path)?;
            repository.set_odb(&mem::replace(&mut self.odb, in_memory()?))?;
            let mut builder = repository.packbuilder()?;
            contents.into_iter().try_for_each(|id| builder.insert_object(id, None))?;
            builder.write(&directory, 0)
        };
        pack().map_err(|e: git2::Error| io::Error::other(GitError::from(e)))
    }

    /// Opens the clone with all of these in it, where more can be written that stays in memory.
    pub(super) fn open(self, shared: &Shared) -> Result<(Repository, Option<Packs>), git2::Error> {
        // The disk comes in only now: as long as it is there, libgit2 looks there for each object that it is to write.
        shared.attach(&self.odb)?;
        if let Some(Packs(directory)) = &self.packs {
            store::attach(&self.odb, directory.path())?;
        }
        let repository = store::open(&shared.path)?;
        repository.set_odb(&self.odb)?;
        Ok((repository, self.packs))
    }
}

impl Packs {
    fn new(outgoing: &Path) -> io::Result<Self> {
        fs::create_dir_all(outgoing)?;
        let directory = TempDir::new_in(outgoing)?;
        fs::create_dir(directory.path().join("pack"))?;
        Ok(Self(directory))
    }
}

fn in_memory() -> Result<Odb<'static>, git2::Error> {
    let odb = Odb::new()?;
    odb.add_new_mempack_backend(1)?;
    Ok(odb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_beyond_the_limit_are_packed_beside_the_clone_and_go_with_the_commit() {
        let dir = tempfile::tempdir().unwrap();
        let [path, beside] = ["repository", "outgoing"].map(|name| dir.path().join(name));
        Repository::init_bare(&path).unwrap();
        let shared = Shared {
            remote: String::new(),
            branch: "main".to_owned(),
            author: crate::environment::Author { name: String::new(), email: String::new() },
            history: 1,
            path: path.clone(),
            outgoing: beside.clone(),
            damaged: std::sync::Arc::default(),
        };
        let content = |i: usize| format!("content {i}").repeat(i + 1).into_bytes();
        let mut outgoing = Outgoing { limit: 1_000, ..Outgoing::new().unwrap() };
        let add = |i| {
            let id = outgoing.add(&content(i), &shared).unwrap();
            assert!(outgoing.contents.iter().map(|id| outgoing.odb.read(*id).unwrap().len()).sum::<usize>() <= 1_000);
            id
        };
        let ids: Vec<_> = (0..50).map(add).collect();
        let (repository, packs) = outgoing.open(&shared).unwrap();
        for (i, id) in ids.into_iter().enumerate() {
            assert_eq!(repository.find_blob(id).unwrap().content(), content(i));
            assert!(!Repository::open(&path).unwrap().odb().unwrap().exists(id), "it is not in the clone");
        }
        assert_eq!(fs::read_dir(&beside).unwrap().count(), 1);
        drop((repository, packs));
        assert_eq!(fs::read_dir(&beside).unwrap().count(), 0);
    }
}
