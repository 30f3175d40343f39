//! The files of a folder on disk: which may hold references, and which are left alone. Nothing but regular files is ever opened.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::tree::{Skip, SkipReason};
use crate::manifest::Formats;

/// How much of a `.git` file is read; it holds one path.
const LARGEST_GIT_FILE: usize = 4096;

/// Files by their paths from the root, with where they are.
type Files = Vec<(String, PathBuf)>;

/// Collects the files below a folder that are read, in path order, and what is left alone; a single file stands for itself.
pub(super) fn collect(root: &Path, formats: &Formats) -> std::io::Result<(Files, Vec<Skip>)> {
    let mut collector = Collector { formats, files: Vec::new(), skips: Vec::new() };
    if std::fs::metadata(root)?.is_file() {
        collector.single(root)?;
    } else {
        // The first folder must be readable, or else there is nothing to tell.
        let mut folders = collector.folder(root, "")?;
        while let Some((name, path)) = folders.pop() {
            match collector.folder(&path, &format!("{name}/")) {
                Ok(more) => folders.extend(more),
                Err(error) => collector.skip(name, unopened(&error)),
            }
        }
    }
    let Collector { mut files, skips, .. } = collector;
    files.sort_unstable();
    Ok((files, skips))
}

/// Reads a file, up to a size.
pub(super) fn read(path: &Path, largest: usize) -> Result<Vec<u8>, SkipReason> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| unopened(&error))?;
    file.take(largest as u64 + 1).read_to_end(&mut text).map_err(|error| unopened(&error))?;
    if text.len() > largest { Err(SkipReason::TooLarge) } else { Ok(text) }
}

fn unopened(error: &std::io::Error) -> SkipReason {
    SkipReason::Unopened(error.to_string())
}

struct Collector<'a> {
    formats: &'a Formats,
    files: Files,
    skips: Vec<Skip>,
}

impl Collector<'_> {
    fn skip(&mut self, file: String, reason: SkipReason) {
        self.skips.push(Skip { file, reason });
    }

    /// Takes a file that was named itself.
    fn single(&mut self, path: &Path) -> std::io::Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if self.formats.of(&name).is_none() {
            return Err(std::io::Error::other("its name is none of a file that Tagboat reads"));
        }
        self.files.push((name, path.to_owned()));
        Ok(())
    }

    /// Takes the files of a folder; returns the folders in it.
    fn folder(&mut self, folder: &Path, prefix: &str) -> std::io::Result<Files> {
        let mut folders = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_name() == ".git" {
                continue;
            }
            let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                if self.formats.of(&name).is_some() {
                    self.skip(name, SkipReason::Odd);
                }
                continue;
            };
            let (path, is_read) = (entry.path(), self.formats.of(&name).is_some());
            // What vanishes meanwhile holds nothing.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                if is_read || path.is_dir() {
                    self.skip(name, SkipReason::Link);
                }
            } else if kind.is_dir() {
                if is_submodule(&path) { self.skip(name, SkipReason::Submodule) } else { folders.push((name, path)) }
            } else if is_read {
                if kind.is_file() { self.files.push((name, path)) } else { self.skip(name, SkipReason::NotRegular) }
            }
        }
        Ok(folders)
    }
}

/// Says whether a folder is the checkout of a submodule: its `.git` is a file that names a place among the modules of the
/// repository around it. Another worktree has such a file, too, but names another place.
fn is_submodule(folder: &Path) -> bool {
    let git = folder.join(".git");
    let is_file = std::fs::symlink_metadata(&git).is_ok_and(|metadata| metadata.is_file());
    let text = is_file.then(|| read(&git, LARGEST_GIT_FILE).ok()).flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.starts_with("gitdir:") && text.contains("/modules/")
}
