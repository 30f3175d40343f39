//! What survives a restart: the last good listings, in one small file.
//!
//! The file is a cache. Without it the result is the same, only that a registry which is down at the
//! start gives no decision. Owns the file's format and version; a file that is not of this version, or
//! is cut short, is set aside and a new one begun.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::image::{Repository, TagList, TagRef};

const VERSION: u32 = 1;
const FILE: &str = "state.json";
/// More than any real set of listings takes; a larger file is not ours.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The last good listings of an earlier run.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remembered {
    version: u32,
    /// By canonical repository: its tags, with a blank between them.
    tags: BTreeMap<String, String>,
}

impl Remembered {
    pub(super) fn from_lists(lists: impl Iterator<Item = (Repository, TagList)>) -> Self {
        let join = |tags: TagList| tags.iter().map(TagRef::as_str).collect::<Vec<_>>().join(" ");
        Self { version: VERSION, tags: lists.map(|(repository, tags)| (repository.to_string(), join(tags))).collect() }
    }

    /// Returns the listings; one that does not satisfy the grammars is left out, as if it had never been kept.
    pub(super) fn into_lists(self) -> HashMap<Repository, TagList> {
        let list = |tags: &str| tags.split_ascii_whitespace().map(TagRef::parse).collect::<Result<TagList, _>>().ok();
        self.tags.iter().filter_map(|(repository, tags)| Some((Repository::parse(repository).ok()?, list(tags)?))).collect()
    }
}

/// Where the state file is.
#[derive(Clone, Debug)]
pub(super) struct Store(PathBuf);

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("reading it")]
    Read(#[from] std::io::Error),
    #[error("it is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("it is damaged")]
    Damaged(#[from] serde_json::Error),
    #[error("it is of version {0}, this Tagboat writes version {VERSION}")]
    Version(u32),
}

impl Store {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self(state_dir.join(FILE))
    }

    /// Reads the state file; one that cannot be used is set aside under another name.
    pub(super) fn load(&self) -> Remembered {
        match self.read() {
            Ok(remembered) => remembered,
            Err(Unusable::Read(error)) if error.kind() == std::io::ErrorKind::NotFound => Remembered::default(),
            Err(error) => {
                let aside = self.0.with_extension(format!("unusable-{}.json", jiff::Timestamp::now().as_second()));
                let moved = std::fs::rename(&self.0, &aside).is_ok();
                let reason = crate::error::chain(&error).to_string();
                tracing::warn!(file = %self.0.display(), reason, aside = %aside.display(), moved, "the state file cannot be used; it is set aside and begun anew");
                Remembered::default()
            }
        }
    }

    fn read(&self) -> Result<Remembered, Unusable> {
        /// Only the version, so that a file of another version is told from a damaged one.
        #[derive(Deserialize)]
        struct Header {
            version: u32,
        }
        let mut bytes = Vec::new();
        std::fs::File::open(&self.0)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(Unusable::TooLarge);
        }
        let Header { version } = serde_json::from_slice(&bytes)?;
        if version != VERSION {
            return Err(Unusable::Version(version));
        }
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Replaces the state file as a whole; says whether that worked.
    pub(super) fn save(&self, remembered: &Remembered) -> bool {
        let written = self.write(remembered);
        if let Err(error) = &written {
            tracing::warn!(file = %self.0.display(), reason = %error, "the state file cannot be written; a restart begins without it");
        }
        written.is_ok()
    }

    fn write(&self, remembered: &Remembered) -> std::io::Result<()> {
        let dir = self.0.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        let mut buffered = std::io::BufWriter::new(file.as_file_mut());
        serde_json::to_writer(&mut buffered, remembered)?;
        buffered.flush()?;
        drop(buffered);
        file.persist(&self.0).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered() -> Remembered {
        let tags: TagList = ["1.0", "1.1"].iter().map(|t| TagRef::parse(t).unwrap()).collect();
        Remembered::from_lists([(Repository::parse("ghcr.io/acme/api").unwrap(), tags)].into_iter())
    }

    fn names(dir: &Path) -> Vec<String> {
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_is_saved_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(&dir.path().join("made"));
        assert!(store.load().into_lists().is_empty());
        assert!(store.save(&remembered()));
        assert_eq!(store.load().into_lists(), remembered().into_lists());
        assert_eq!(names(&dir.path().join("made")), [FILE], "no temporary file is left");
    }

    #[test]
    fn an_unusable_file_is_set_aside_and_begun_anew() {
        let whole = serde_json::to_string(&remembered()).unwrap();
        let other = whole.replace("\"version\":1", "\"version\":2");
        for unusable in ["", "{", &whole[..whole.len() / 2], &other, "[]"] {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::new(dir.path());
            std::fs::write(dir.path().join(FILE), unusable).unwrap();
            assert!(store.load().into_lists().is_empty(), "{unusable}");
            let names = names(dir.path());
            assert!(names.len() == 1 && names[0].starts_with("state.unusable-"), "{names:?}");
            assert!(store.save(&remembered()));
            assert_eq!(store.load().into_lists().len(), 1);
        }
    }

    #[test]
    fn a_kept_listing_with_a_bad_tag_is_left_out() {
        let text = r#"{"version":1,"tags":{"nginx":"1.0 .bad","redis":"7"}}"#;
        let remembered: Remembered = serde_json::from_str(text).unwrap();
        assert_eq!(remembered.into_lists().len(), 1);
    }
}
