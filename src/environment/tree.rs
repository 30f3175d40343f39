//! Walking a tree of Git objects.
//!
//! Owns the format (mode, name, id) and the limits against trees that are made to exhaust us: depth, entries, odd names.
//! A walk is told what an earlier one found, and reads only the folders that differ. Reads through the object database
//! alone, which many threads may share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use git2::{ObjectType, Odb, Oid};

use super::BlobId;

/// Trees are followed down to this depth.
const DEEPEST: usize = 128;
/// A tree that refers to itself over and over has any number of entries; after so many it is enough.
pub(super) const MOST_ENTRIES: usize = 2_000_000;
/// A larger single tree object is not read.
const LARGEST_TREE: usize = 64 << 20;

/// The modes of entries that are followed or read.
const TREE: u32 = 0o040_000;
const FILE: u32 = 0o100_644;
const EXECUTABLE: u32 = 0o100_755;
/// Written by very old versions of Git.
const SHARED_FILE: u32 = 0o100_664;

/// A folder of a snapshot, with what was wanted of it.
///
/// Folders are shared between the snapshots that hold them unchanged at the same path: there, [`Arc::ptr_eq`] says that
/// nothing below has changed.
#[derive(Debug)]
pub struct Folder {
    id: Oid,
    /// How many entries the walk saw in it and below, wanted or not.
    seen: usize,
    entries: Box<[(Box<str>, Entry)]>,
}

impl Folder {
    /// Returns the wanted entries and all folders, by name, in the byte order of their paths.
    #[must_use]
    pub fn entries(&self) -> &[(Box<str>, Entry)] {
        &self.entries
    }
}

/// What stands under a name in a folder.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A folder.
    Folder(Arc<Folder>),
    /// A regular file, executable or not.
    File(BlobId),
    /// A symbolic link.
    Link,
    /// A submodule: a commit of another repository.
    Submodule,
    /// Anything whose name or mode no sane tree has, and folders nested too deeply.
    Odd,
}

/// Why a walk ended early.
#[derive(Debug)]
pub(super) enum WalkError {
    TooManyEntries,
    Git(git2::Error),
}

impl From<git2::Error> for WalkError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

/// Finds a regular file by its path from the root.
pub(super) fn find(odb: &Odb<'_>, root: Oid, path: &str) -> Result<Option<Oid>, git2::Error> {
    let mut id = root;
    let mut names = path.split('/').take(DEEPEST + 1).peekable();
    while let Some(name) = names.next() {
        let tree = read(odb, id)?;
        let is_it = |entry: &Result<(u32, &[u8], Oid), _>| entry.as_ref().map_or(true, |(_, other, _)| *other == name.as_bytes());
        match (entries(tree.data()).find(is_it).transpose()?, names.peek()) {
            (Some((TREE, _, below)), Some(_)) => id = below,
            (Some((FILE | EXECUTABLE | SHARED_FILE, _, found)), None) => return Ok(Some(found)),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// Reads a single tree object.
fn read<'a>(odb: &'a Odb<'_>, id: Oid) -> Result<git2::OdbObject<'a>, git2::Error> {
    let (size, kind) = odb.read_header(id)?;
    if kind != ObjectType::Tree || size > LARGEST_TREE {
        return Err(git2::Error::from_str("a tree is no tree, or far too large"));
    }
    odb.read(id)
}

/// A walk through a tree.
pub(super) struct Walk<'a> {
    odb: &'a Odb<'a>,
    wanted: &'a mut dyn FnMut(&str, &Entry) -> bool,
    left: usize,
    /// Counts the folders that are read.
    reads: &'a AtomicUsize,
}

impl<'a> Walk<'a> {
    /// Prepares a walk that keeps the entries that `wanted` accepts, which is called for all that are no folders, with
    /// their paths and in the byte order of these.
    pub(super) fn new(odb: &'a Odb<'a>, reads: &'a AtomicUsize, wanted: &'a mut dyn FnMut(&str, &Entry) -> bool) -> Self {
        Self { odb, wanted, left: MOST_ENTRIES, reads }
    }

    /// Walks through the tree below `root`. What an earlier walk with the same `wanted` has `known` of it is not read again.
    pub(super) fn run(mut self, root: Oid, known: Option<&Arc<Folder>>) -> Result<Arc<Folder>, WalkError> {
        self.folder(root, known, &mut String::new(), 0)
    }

    fn folder(&mut self, id: Oid, known: Option<&Arc<Folder>>, path: &mut String, depth: usize) -> Result<Arc<Folder>, WalkError> {
        let budget = self.left;
        if let Some(known) = known.filter(|known| known.id == id) {
            self.spend(known.seen)?;
            return Ok(Arc::clone(known));
        }
        let tree = read(self.odb, id)?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        let known: HashMap<&str, &Arc<Folder>> = known.iter().flat_map(|known| known.folders()).collect();
        let (mut kept, above) = (Vec::new(), path.len());
        for entry in entries(tree.data()) {
            let (mode, name, id) = entry?;
            self.spend(1)?;
            let is_sane = std::str::from_utf8(name).is_ok_and(is_sane);
            let name = &*String::from_utf8_lossy(name);
            path.push_str(name);
            let entry = match mode {
                _ if !is_sane => Entry::Odd,
                TREE if depth < DEEPEST => {
                    path.push('/');
                    Entry::Folder(self.folder(id, known.get(name).copied(), path, depth + 1)?)
                }
                FILE | EXECUTABLE | SHARED_FILE => Entry::File(BlobId::from(id)),
                0o120_000 => Entry::Link,
                0o160_000 => Entry::Submodule,
                _ => Entry::Odd,
            };
            if matches!(entry, Entry::Folder(_)) || (self.wanted)(path, &entry) {
                kept.push((name.into(), entry));
            }
            path.truncate(above);
        }
        Ok(Arc::new(Folder { id, seen: budget - self.left, entries: kept.into() }))
    }

    fn spend(&mut self, entries: usize) -> Result<(), WalkError> {
        self.left = self.left.checked_sub(entries).ok_or(WalkError::TooManyEntries)?;
        Ok(())
    }
}

impl Folder {
    fn folders(&self) -> impl Iterator<Item = (&str, &Arc<Self>)> {
        self.entries.iter().filter_map(|(name, entry)| match entry {
            Entry::Folder(folder) => Some((&**name, folder)),
            _ => None,
        })
    }

    /// Visits all kept entries that are no folders, with their paths from here.
    pub fn each(&self, path: &mut String, visit: &mut dyn FnMut(&str, &Entry)) {
        let above = path.len();
        for (name, entry) in &self.entries {
            path.push_str(name);
            match entry {
                Entry::Folder(folder) => {
                    path.push('/');
                    folder.each(path, visit);
                }
                entry => visit(path, entry),
            }
            path.truncate(above);
        }
    }
}

/// Names that `git` itself would never check out.
fn is_sane(name: &str) -> bool {
    !name.is_empty() && !matches!(name, "." | "..") && !name.contains('/') && !name.eq_ignore_ascii_case(".git")
}

/// Takes a tree object apart: mode, a space, name, NUL, 20 bytes of id.
fn entries(mut data: &[u8]) -> impl Iterator<Item = Result<(u32, &[u8], Oid), git2::Error>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let mut next = || {
            let space = data.iter().position(|&b| b == b' ')?;
            let mode = std::str::from_utf8(&data[..space]).ok().and_then(|mode| u32::from_str_radix(mode, 8).ok())?;
            let rest = &data[space + 1..];
            let end = rest.iter().position(|&b| b == 0)?;
            let id = Oid::from_bytes(rest.get(end + 1..end + 21)?).ok()?;
            data = &rest[end + 21..];
            Some((mode, &rest[..end], id))
        };
        let entry = next();
        if entry.is_none() {
            data = &[];
        }
        Some(entry.ok_or_else(|| git2::Error::from_str("a tree object is not well formed")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(mode: &str, name: &[u8]) -> Vec<u8> {
        [mode.as_bytes(), b" ", name, b"\0", &[7; 20]].concat()
    }

    #[test]
    fn entries_are_read_and_nonsense_is_an_error() {
        let data = [line("100644", b"a"), line("40000", b"b c")].concat();
        let read: Vec<_> = entries(&data).map(|entry| entry.map(|(mode, name, _)| (mode, name.to_vec())).unwrap()).collect();
        assert_eq!(read, [(0o100_644, b"a".to_vec()), (0o40_000, b"b c".to_vec())]);
        for cut in 1..line("100644", b"a").len() {
            assert!(entries(&line("100644", b"a")[..cut]).all(|entry| entry.is_err()), "{cut}");
        }
        assert!(entries(b"9 a\0aaaaaaaaaaaaaaaaaaaa").next().unwrap().is_err());
    }

    /// Walks from nothing; returns the path of each entry with its kind.
    fn walk(odb: &Odb<'_>, root: Oid) -> Result<Vec<(String, Entry)>, WalkError> {
        let (mut seen, reads) = (Vec::new(), AtomicUsize::new(0));
        let mut note = |path: &str, entry: &Entry| {
            seen.push((path.to_owned(), entry.clone()));
            false
        };
        Walk::new(odb, &reads, &mut note).run(root, None)?;
        Ok(seen)
    }

    fn in_memory() -> Odb<'static> {
        let odb = Odb::new().unwrap();
        odb.add_new_mempack_backend(1).unwrap();
        odb
    }

    fn tree_of(odb: &Odb<'_>, entries: &[(&str, &str, Oid)]) -> Oid {
        let data = entries.iter().flat_map(|(mode, name, id)| [format!("{mode} {name}\0").as_bytes(), id.as_bytes()].concat());
        odb.write(ObjectType::Tree, &data.collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn a_tree_that_repeats_itself_is_not_followed_for_ever() {
        let odb = in_memory();
        let mut id = odb.write(ObjectType::Blob, b"x").unwrap();
        let mut mode = "100644";
        for _ in 0..8 {
            let names: Vec<_> = (0..10).map(|i| i.to_string()).collect();
            id = tree_of(&odb, &names.iter().map(|name| (mode, name.as_str(), id)).collect::<Vec<_>>());
            mode = "40000";
        }
        assert!(matches!(walk(&odb, id), Err(WalkError::TooManyEntries)));
    }

    #[test]
    fn what_is_reused_counts_as_if_it_were_read() {
        let odb = in_memory();
        let blob = odb.write(ObjectType::Blob, b"x").unwrap();
        let folder = tree_of(&odb, &[("100644", "a", blob), ("100644", "b", blob)]);
        let (one, two) = (tree_of(&odb, &[("40000", "f", folder)]), tree_of(&odb, &[("100644", "a", blob), ("40000", "f", folder)]));
        let reads = AtomicUsize::new(0);
        let mut all = |_: &str, _: &Entry| true;
        let known = Walk::new(&odb, &reads, &mut all).run(one, None).unwrap();
        assert_eq!((known.seen, reads.load(Ordering::Relaxed)), (3, 2));
        let again = Walk::new(&odb, &reads, &mut all).run(two, Some(&known)).unwrap();
        assert_eq!((again.seen, reads.load(Ordering::Relaxed)), (4, 3), "only the root is read");
        let short = Walk { left: 3, ..Walk::new(&odb, &reads, &mut all) };
        assert!(matches!(short.run(two, Some(&known)), Err(WalkError::TooManyEntries)));
    }

    #[test]
    fn a_folder_is_known_at_its_path_alone() {
        let odb = in_memory();
        let blob = odb.write(ObjectType::Blob, b"x").unwrap();
        let folder = tree_of(&odb, &[("100644", "x", blob)]);
        let (one, two) = (tree_of(&odb, &[("40000", "a", folder)]), tree_of(&odb, &[("40000", "b", folder)]));
        let reads = AtomicUsize::new(0);
        let mut below_a = |path: &str, _: &Entry| path.starts_with("a/");
        let known = Walk::new(&odb, &reads, &mut below_a).run(one, None).unwrap();
        let moved = Walk::new(&odb, &reads, &mut below_a).run(two, Some(&known)).unwrap();
        let mut left = Vec::new();
        moved.each(&mut String::new(), &mut |path, _| left.push(path.to_owned()));
        assert_eq!(left, [""; 0], "what is wanted in `a` is not in `b`");
    }

    #[test]
    fn a_very_deep_tree_and_odd_names_are_left_out() {
        let odb = in_memory();
        let blob = odb.write(ObjectType::Blob, b"x").unwrap();
        let mut id = blob;
        for depth in 0..DEEPEST + 10 {
            id = tree_of(&odb, &[(if depth == 0 { "100644" } else { "40000" }, "d", id)]);
        }
        let seen = walk(&odb, id).unwrap();
        assert!(matches!(seen[..], [(_, Entry::Odd)]), "{seen:?}");
        let names: [&[u8]; 6] = [b".git", b"..", b"a/b", b"\xff", b"", b"ok"];
        let tree: Vec<u8> = names.iter().flat_map(|name| [b"100644 ", *name, b"\0", blob.as_bytes()].concat()).collect();
        let seen = walk(&odb, odb.write(ObjectType::Tree, &tree).unwrap()).unwrap();
        let files: Vec<_> = seen.iter().filter(|(_, entry)| matches!(entry, Entry::File(_))).map(|(path, _)| path.as_str()).collect();
        assert_eq!(files, ["ok"]);
        assert_eq!(seen[3].0, "\u{fffd}", "one that is no UTF-8 is named as well as can be");
    }
}
