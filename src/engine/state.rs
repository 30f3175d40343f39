//! What survives a restart: the last good listings, in one small file.
//!
//! The file is a cache. Without it the result is the same, only that a registry which is down at the
//! start gives no decision. Owns the file's format and version; a file that is not of this version, or
//! is cut short, is set aside and a new one begun. It is written and read a repository at a time, so that
//! a million tags are never held twice.

use std::collections::BTreeMap;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::edges::Edge;
use crate::image::{Repository, TagList};

const VERSION: u32 = 1;
const FILE: &str = "state.json";
/// How the name of a file begins that is not finished yet.
const UNFINISHED: &str = ".tmp";
/// More than any real set of listings takes; a larger file is not ours.
const LARGEST: u64 = 512 * 1024 * 1024;

/// The last good listing of each repository.
pub(super) type Listings = BTreeMap<Repository, TagList>;

/// What stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    #[serde(with = "text")]
    tags: Listings,
}

/// Listings as an object: by canonical repository its tags, with a blank between them.
mod text {
    use std::fmt;

    use serde::de::{Deserializer, MapAccess, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::Listings;
    use crate::image::{Repository, TagList, TagRef};

    /// Tags that are joined as they are written.
    struct Joined<'a>(&'a TagList);

    impl fmt::Display for Joined<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().enumerate().try_for_each(|(index, tag)| {
                if index > 0 {
                    f.write_str(" ")?;
                }
                f.write_str(tag.as_str())
            })
        }
    }

    impl Serialize for Joined<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    pub(super) fn serialize<S: Serializer>(listings: &Listings, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(listings.iter().map(|(repository, tags)| (repository.to_string(), Joined(tags))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Listings, D::Error> {
        deserializer.deserialize_map(Reader)
    }

    /// Reads a listing at a time; one that does not satisfy the grammars is left out, as if it had never been kept.
    struct Reader;

    impl<'de> Visitor<'de> for Reader {
        type Value = Listings;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("tags by repository")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Listings, A::Error> {
            let mut listings = Listings::new();
            while let Some((repository, tags)) = map.next_entry::<String, String>()? {
                let tags = tags.split_ascii_whitespace().map(TagRef::parse).collect::<Result<TagList, _>>();
                if let (Ok(repository), Ok(tags)) = (Repository::parse(&repository), tags) {
                    listings.insert(repository, tags);
                }
            }
            Ok(listings)
        }
    }
}

/// Where the state file is.
#[derive(Clone, Debug)]
struct Store(PathBuf);

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("reading it")]
    Read(#[from] io::Error),
    #[error("it is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("it is damaged")]
    Damaged(#[from] serde_json::Error),
    #[error("it is of version {0}, this Tagboat writes version {VERSION}")]
    Version(u32),
}

impl Store {
    /// Reads the state file; one that cannot be used is set aside under another name.
    fn load(&self) -> Listings {
        match self.read() {
            Ok(listings) => listings,
            Err(Unusable::Read(error)) if error.kind() == io::ErrorKind::NotFound => Listings::new(),
            Err(error) => {
                let aside = self.0.with_extension(format!("unusable-{}.json", jiff::Timestamp::now().as_second()));
                let moved = std::fs::rename(&self.0, &aside).is_ok();
                let reason = crate::error::chain(&error).to_string();
                tracing::warn!(file = %self.0.display(), reason, aside = %aside.display(), moved, "the state file cannot be used; it is set aside and begun anew");
                Listings::new()
            }
        }
    }

    fn read(&self) -> Result<Listings, Unusable> {
        /// Only the version, so that a file of another version is told from a damaged one.
        #[derive(Deserialize)]
        struct Header {
            version: u32,
        }
        if std::fs::metadata(&self.0)?.len() > LARGEST {
            return Err(Unusable::TooLarge);
        }
        let Header { version } = serde_json::from_reader(self.open()?)?;
        if version != VERSION {
            return Err(Unusable::Version(version));
        }
        let content: Content = serde_json::from_reader(self.open()?)?;
        Ok(content.tags)
    }

    fn open(&self) -> io::Result<impl Read> {
        Ok(BufReader::new(std::fs::File::open(&self.0)?.take(LARGEST)))
    }

    /// Replaces the state file as a whole.
    fn write(&self, tags: Listings) -> io::Result<()> {
        let dir = self.dir();
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)?;
        let mut buffered = BufWriter::new(file.as_file_mut());
        serde_json::to_writer(&mut buffered, &Content { version: VERSION, tags })?;
        buffered.flush()?;
        drop(buffered);
        file.persist(&self.0).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes what saves have left that were killed.
    fn clean(&self) {
        for entry in std::fs::read_dir(self.dir()).into_iter().flatten().flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
                // One that cannot be removed costs space and nothing else.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn dir(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new("."))
    }
}

/// Keeps the state file current. Saves that fail are told when that starts, sparingly while it lasts, and when it ends.
#[derive(Debug)]
pub(super) struct Keeper {
    store: Store,
    edge: Edge,
    /// The generation of the listings in the file.
    saved: u64,
}

impl Keeper {
    pub(super) fn new(state_dir: &Path) -> Self {
        Self { store: Store(state_dir.join(FILE)), edge: Edge::default(), saved: 0 }
    }

    /// Returns the listings that an earlier run kept.
    pub(super) fn load(&self) -> Listings {
        self.store.clean();
        self.store.load()
    }

    /// Says whether the file holds the listings of a generation.
    pub(super) fn has(&self, generation: u64) -> bool {
        self.saved == generation
    }

    /// Writes the listings of a generation; if that fails, the file stays as it is.
    pub(super) async fn save(&mut self, generation: u64, listings: Listings) {
        let store = self.store.clone();
        let written = tokio::task::spawn_blocking(move || store.write(listings)).await;
        let (file, now) = (self.store.0.display(), Instant::now());
        match written.unwrap_or_else(|error| Err(error.into())) {
            Ok(()) => {
                self.saved = generation;
                self.edge.succeeded(now, |since| tracing::info!(%file, failing_for = %since, "the state file is written again"));
            }
            Err(error) => {
                let reason: Arc<str> = error.to_string().into();
                self.edge.failed(now, &reason, |count, since| {
                    tracing::warn!(%file, %reason, count, failing_for = %since, "the state file cannot be written; a restart begins without it");
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::TagRef;

    fn listings() -> Listings {
        let tags = ["1.0", "1.1"].iter().map(|t| TagRef::parse(t).unwrap()).collect();
        [(Repository::parse("ghcr.io/acme/api").unwrap(), tags)].into()
    }

    fn store(dir: &Path) -> Store {
        Keeper::new(dir).store
    }

    fn names(dir: &Path) -> Vec<String> {
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_is_saved_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(&dir.path().join("made"));
        assert!(store.load().is_empty());
        store.write(listings()).unwrap();
        assert_eq!(store.load(), listings());
        assert_eq!(names(&dir.path().join("made")), [FILE], "no temporary file is left");
        assert_eq!(std::fs::read_to_string(&store.0).unwrap(), r#"{"version":1,"tags":{"ghcr.io/acme/api":"1.0 1.1"}}"#);
    }

    #[test]
    fn an_unusable_file_is_set_aside_and_begun_anew() {
        let whole = r#"{"version":1,"tags":{"ghcr.io/acme/api":"1.0 1.1"}}"#;
        let other = whole.replace("\"version\":1", "\"version\":2");
        let more = format!("{whole}{whole}");
        for unusable in ["", "{", &whole[..whole.len() / 2], &other, "[]", &more] {
            let dir = tempfile::tempdir().unwrap();
            let store = store(dir.path());
            std::fs::write(dir.path().join(FILE), unusable).unwrap();
            assert!(store.load().is_empty(), "{unusable}");
            let names = names(dir.path());
            assert!(names.len() == 1 && names[0].starts_with("state.unusable-"), "{names:?}");
            store.write(listings()).unwrap();
            assert_eq!(store.load().len(), 1);
        }
    }

    #[test]
    fn a_kept_listing_with_a_bad_tag_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), r#"{"version":1,"tags":{"nginx":"1.0 .bad","redis":"7"}}"#).unwrap();
        assert_eq!(store(dir.path()).load().len(), 1);
    }

    #[test]
    fn what_a_killed_save_has_left_is_removed_at_the_start_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        store(dir.path()).write(listings()).unwrap();
        std::fs::write(dir.path().join(".tmpAbCdEf"), r#"{"version":1,"tags":{"ghcr"#).unwrap();
        std::fs::create_dir(dir.path().join("environments")).unwrap();
        assert_eq!(Keeper::new(dir.path()).load(), listings());
        let mut left = names(dir.path());
        left.sort();
        assert_eq!(left, ["environments", FILE]);
    }

    #[tokio::test]
    async fn a_failed_save_leaves_the_generation_unsaved_until_one_works() {
        let dir = tempfile::tempdir().unwrap();
        let state_dir = dir.path().join("state");
        // A file where the directory should be: nobody can write there, not even root.
        std::fs::write(&state_dir, "").unwrap();
        let mut keeper = Keeper::new(&state_dir);
        for _ in 0..3 {
            keeper.save(7, listings()).await;
            assert!(!keeper.has(7));
        }
        std::fs::remove_file(&state_dir).unwrap();
        keeper.save(7, listings()).await;
        assert!(keeper.has(7));
        assert_eq!(Keeper::new(&state_dir).load(), listings());
    }
}
