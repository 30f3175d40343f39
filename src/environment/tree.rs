//! Walking a tree of Git objects.
//!
//! Owns the format (mode, name, id) and the limits against trees that are made to exhaust us: depth, entries, odd names.
//! Reads through the object database alone, which many threads may share.

use git2::{ObjectType, Odb, Oid};

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

/// The kind of an entry that is no tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entry {
    /// A regular file, executable or not.
    File,
    /// A symbolic link.
    Link,
    /// A submodule.
    Submodule,
    /// Anything whose name or mode no sane tree has.
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

/// Calls `each` with the path, kind and id of every entry below `root` that is no tree, in the byte order of paths.
pub(super) fn walk(odb: &Odb<'_>, root: Oid, mut each: impl FnMut(&str, Entry, Oid)) -> Result<(), WalkError> {
    let mut walk = Walk { odb, left: MOST_ENTRIES, each: &mut each };
    walk.tree(root, &mut String::new(), 0)
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

struct Walk<'a> {
    odb: &'a Odb<'a>,
    left: usize,
    each: &'a mut dyn FnMut(&str, Entry, Oid),
}

impl Walk<'_> {
    fn tree(&mut self, id: Oid, path: &mut String, depth: usize) -> Result<(), WalkError> {
        let tree = read(self.odb, id)?;
        let above = path.len();
        for entry in entries(tree.data()) {
            let (mode, name, id) = entry?;
            self.left = self.left.checked_sub(1).ok_or(WalkError::TooManyEntries)?;
            let name = std::str::from_utf8(name).ok().filter(|name| is_sane(name));
            path.push_str(name.unwrap_or("?"));
            match (mode, name) {
                (TREE, Some(_)) if depth < DEEPEST => {
                    path.push('/');
                    self.tree(id, path, depth + 1)?;
                }
                (FILE | EXECUTABLE | SHARED_FILE, Some(_)) => (self.each)(path, Entry::File, id),
                (0o120_000, Some(_)) => (self.each)(path, Entry::Link, id),
                (0o160_000, Some(_)) => (self.each)(path, Entry::Submodule, id),
                _ => (self.each)(path, Entry::Odd, id),
            }
            path.truncate(above);
        }
        Ok(())
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

    #[test]
    fn a_tree_that_repeats_itself_is_not_followed_for_ever() {
        let odb = Odb::new().unwrap();
        odb.add_new_mempack_backend(1).unwrap();
        let mut id = odb.write(ObjectType::Blob, b"x").unwrap();
        let mut mode = "100644";
        for _ in 0..8 {
            let tree: Vec<u8> = (0..10).flat_map(|i| [format!("{mode} {i}\0").as_bytes(), id.as_bytes()].concat()).collect();
            id = odb.write(ObjectType::Tree, &tree).unwrap();
            mode = "40000";
        }
        assert!(matches!(walk(&odb, id, |_, _, _| ()), Err(WalkError::TooManyEntries)));
    }

    #[test]
    fn a_very_deep_tree_and_odd_names_are_left_out() {
        let odb = Odb::new().unwrap();
        odb.add_new_mempack_backend(1).unwrap();
        let blob = odb.write(ObjectType::Blob, b"x").unwrap();
        let mut id = blob;
        for depth in 0..DEEPEST + 10 {
            let mode = if depth == 0 { "100644" } else { "40000" };
            id = odb.write(ObjectType::Tree, &[format!("{mode} d\0").as_bytes(), id.as_bytes()].concat()).unwrap();
        }
        let mut seen = Vec::new();
        walk(&odb, id, |_, entry, _| seen.push(entry)).unwrap();
        assert_eq!(seen, [Entry::Odd]);
        let names: [&[u8]; 6] = [b".git", b"..", b"a/b", b"\xff", b"", b"ok"];
        let tree: Vec<u8> = names.iter().flat_map(|name| [b"100644 ", *name, b"\0", blob.as_bytes()].concat()).collect();
        let id = odb.write(ObjectType::Tree, &tree).unwrap();
        let mut files = Vec::new();
        walk(&odb, id, |path, entry, _| {
            if entry == Entry::File {
                files.push(path.to_owned());
            }
        })
        .unwrap();
        assert_eq!(files, ["ok"]);
    }
}
