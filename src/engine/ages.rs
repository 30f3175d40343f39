//! Since when a tag has had its digest: what Tagboat saw itself, kept over restarts.
//!
//! Owns the database in the state directory, which is there only if a policy asks for ages. It is a cache: if it is lost,
//! tags count as seen for the first time, which delays what waits for an age and decides nothing else. One that is damaged is
//! set aside and a new one begun; one that cannot be used (another Tagboat has it, the disk is full) is done without.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use redb::backends::InMemoryBackend;
use redb::{Database, DatabaseError, ReadOnlyDatabase, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError};

use crate::error::chain;
use crate::image::{Digest, Repository, Tag, TagList};

const FILE: &str = "ages.redb";
/// By repository and tag: the digest, and when the tag was first seen with it, in milliseconds since 1970.
const SEEN: TableDefinition<'_, (&str, &str), (&str, i64)> = TableDefinition::new("seen");
/// What was first seen longer ago is forgotten at the start, so that the file does not grow with the repositories of former years.
const LONGEST_KEPT_MS: i64 = 400 * 24 * 3600 * 1000;

/// When tags were first seen with the digests that they have.
#[derive(Debug, Default)]
pub struct Ages {
    /// Where the database is; without a place it is kept in memory.
    file: Option<PathBuf>,
    database: Mutex<Option<Database>>,
}

/// Takes the ages that one state directory holds into another, which is then as good as the first; without a database, or
/// while a daemon uses it, there is nothing to take.
pub fn take_along(from: &Path, to: &Path) {
    let from = from.join(FILE);
    // While it is open for reading nobody writes, so that the copy is of one piece.
    if let Ok(Ok(_open)) = catch_unwind(|| ReadOnlyDatabase::open(&from)) {
        // A copy that fails is as a database that is lost.
        let _ = std::fs::copy(&from, to.join(FILE));
    }
}

impl Ages {
    /// Takes the place of the database; nothing is read or made before it is needed.
    #[must_use]
    pub fn new(state_dir: &Path) -> Arc<Self> {
        Arc::new(Self { file: Some(state_dir.join(FILE)), database: Mutex::default() })
    }

    /// Notes tags with the digests that they have now; returns since when each is known to have had it, in milliseconds since 1970.
    ///
    /// Tags of the repository that are not among `present` are forgotten on the way. Works on a thread for what blocks.
    pub(super) async fn seen(
        self: &Arc<Self>,
        repository: &Repository,
        tags: BTreeMap<Tag, Digest>,
        present: TagList,
        now: Timestamp,
    ) -> BTreeMap<Tag, i64> {
        let (ages, repository, now) = (Arc::clone(self), repository.to_string(), now.as_millisecond());
        let new: BTreeMap<_, _> = tags.keys().map(|tag| (tag.clone(), now)).collect();
        let noted = tokio::task::spawn_blocking(move || ages.note(&repository, &tags, &present, now)).await;
        noted.unwrap_or_else(|error| {
            tracing::error!(%error, "noting when tags were first seen ended by a bug; they count as new");
            new
        })
    }

    fn note(&self, repository: &str, tags: &BTreeMap<Tag, Digest>, present: &TagList, now: i64) -> BTreeMap<Tag, i64> {
        let mut guard = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..2 {
            let database = match guard.take() {
                Some(database) => Some(database),
                None => self.open(now),
            };
            let Some(database) = database else { break };
            // Reading what is damaged may end in a panic of the database.
            match catch_unwind(AssertUnwindSafe(|| note(&database, repository, tags, present, now))) {
                Ok(Ok(since)) => {
                    *guard = Some(database);
                    return since;
                }
                Ok(Err(error)) => {
                    drop(database);
                    match error {
                        redb::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
                            self.tell(&error);
                            break;
                        }
                        error => self.set_aside(&chain(&error).to_string()),
                    }
                }
                Err(_) => {
                    drop(database);
                    self.set_aside("it is damaged");
                }
            }
        }
        tags.keys().map(|tag| (tag.clone(), now)).collect()
    }

    /// Opens the database, a new one in place of one that is damaged; one in memory if the file cannot be used.
    fn open(&self, now: i64) -> Option<Database> {
        let in_memory = || Database::builder().create_with_backend(InMemoryBackend::new()).ok();
        let Some(file) = &self.file else { return in_memory() };
        for _ in 0..2 {
            let opened = catch_unwind(|| {
                if let Some(dir) = file.parent() {
                    std::fs::create_dir_all(dir).map_err(StorageError::Io)?;
                }
                Database::create(file)
            });
            match opened {
                Ok(Ok(database)) => {
                    // What cannot be forgotten now is forgotten another time.
                    let _ = catch_unwind(AssertUnwindSafe(|| forget_before(&database, now.saturating_sub(LONGEST_KEPT_MS))));
                    return Some(database);
                }
                Ok(Err(error @ (DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch))) => {
                    self.tell(&error);
                    return in_memory();
                }
                Ok(Err(DatabaseError::Storage(StorageError::Io(error))))
                    if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
                {
                    self.tell(&error);
                    return in_memory();
                }
                Ok(Err(error)) => self.set_aside(&chain(&error).to_string()),
                Err(_) => self.set_aside("it is damaged"),
            }
        }
        in_memory()
    }

    fn tell(&self, error: &dyn std::error::Error) {
        let (file, reason) = (self.shown(), chain(error).to_string());
        tracing::warn!(file, reason, "when tags were first seen cannot be kept; after a restart their ages begin anew");
    }

    fn set_aside(&self, reason: &str) {
        let Some(file) = &self.file else { return };
        let aside = file.with_extension(format!("unusable-{}.redb", Timestamp::now().as_second()));
        let moved = std::fs::rename(file, &aside).is_ok();
        let file = self.shown();
        tracing::warn!(file, reason, aside = %aside.display(), moved, "the ages of tags cannot be read; they are set aside and begin anew");
    }

    fn shown(&self) -> String {
        self.file.as_ref().map_or_else(String::new, |file| file.display().to_string())
    }
}

/// Looks tags up, and writes those that are new or have moved.
fn note(
    database: &Database,
    repository: &str,
    tags: &BTreeMap<Tag, Digest>,
    present: &TagList,
    now: i64,
) -> Result<BTreeMap<Tag, i64>, redb::Error> {
    let mut since = known(database, repository, tags)?;
    if since.len() == tags.len() {
        return Ok(since);
    }
    let write = database.begin_write()?;
    {
        let mut seen = write.open_table(SEEN)?;
        let own: Vec<String> = seen
            .range((repository, "")..)?
            .map_while(|row| match row {
                Ok((key, _)) if key.value().0 == repository => Some(Ok(key.value().1.to_owned())),
                Ok(_) => None,
                Err(error) => Some(Err(error)),
            })
            .collect::<Result<_, _>>()?;
        for gone in own.iter().filter(|tag| !present.contains(tag)) {
            seen.remove((repository, gone.as_str()))?;
        }
        for (tag, digest) in tags.iter().filter(|(tag, _)| !since.contains_key(*tag)).collect::<Vec<_>>() {
            seen.insert((repository, tag.as_str()), (digest.as_str(), now))?;
            since.insert(tag.clone(), now);
        }
    }
    write.commit()?;
    Ok(since)
}

/// Returns since when tags have had their digests, of those for which that is known.
fn known(database: &Database, repository: &str, tags: &BTreeMap<Tag, Digest>) -> Result<BTreeMap<Tag, i64>, redb::Error> {
    let seen = match database.begin_read()?.open_table(SEEN) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(BTreeMap::new()),
        seen => seen?,
    };
    let mut since = BTreeMap::new();
    for (tag, digest) in tags {
        let row = seen.get((repository, tag.as_str()))?;
        if let Some((before, at)) = row.as_ref().map(redb::AccessGuard::value)
            && before == digest.as_str()
        {
            since.insert(tag.clone(), at);
        }
    }
    Ok(since)
}

fn forget_before(database: &Database, oldest: i64) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(SEEN)?.retain(|_, (_, at)| at >= oldest)?;
    write.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::TagRef;

    fn tags(pairs: &[(&str, u8)]) -> BTreeMap<Tag, Digest> {
        pairs.iter().map(|(tag, digest)| (Tag::parse(tag).unwrap(), Digest::sha256(&[*digest; 32]))).collect()
    }

    fn present(tags: &[&str]) -> TagList {
        tags.iter().map(|tag| TagRef::parse(tag).unwrap()).collect()
    }

    /// Notes tags at a time; returns since when they are known, in their order.
    fn note(ages: &Ages, pairs: &[(&str, u8)], now: i64) -> Vec<i64> {
        let all: Vec<&str> = pairs.iter().map(|(tag, _)| *tag).collect();
        ages.note("ghcr.io/acme/api", &tags(pairs), &present(&all), now).into_values().collect()
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn ages_count_from_the_first_sight_over_restarts_and_begin_anew_when_the_digest_moves() {
        let dir = tempfile::tempdir().unwrap();
        let ages = Ages::new(dir.path());
        assert_eq!(note(&ages, &[("1.0", 1)], 1000), [1000]);
        assert_eq!(note(&ages, &[("1.0", 1), ("1.1", 2)], 2000), [1000, 2000]);
        drop(ages);
        let ages = Ages::new(dir.path());
        assert_eq!(note(&ages, &[("1.0", 1), ("1.1", 3)], 3000), [1000, 3000]);
        assert_eq!(note(&ages, &[("1.1", 2)], 4000), [4000], "moving back is a move, too");
    }

    #[test]
    fn tags_that_are_gone_are_forgotten_and_those_of_others_are_not() {
        let ages = Ages::default();
        let of = |repository: &str, pairs: &[(&str, u8)], all: &[&str], now| {
            ages.note(repository, &tags(pairs), &present(all), now).into_values().collect::<Vec<_>>()
        };
        of("a/b", &[("1", 1), ("2", 1)], &["1", "2"], 1);
        of("a/bc", &[("1", 1)], &["1"], 1);
        of("a/b", &[("3", 1)], &["1", "3"], 2);
        assert_eq!(of("a/b", &[("1", 1), ("2", 1)], &["1", "2", "3"], 3), [1, 3]);
        assert_eq!(of("a/bc", &[("1", 1)], &["1"], 3), [1]);
    }

    #[test]
    fn what_was_seen_years_ago_is_forgotten_at_the_start() {
        let dir = tempfile::tempdir().unwrap();
        note(&Ages::new(dir.path()), &[("1", 1)], 0);
        assert_eq!(note(&Ages::new(dir.path()), &[("1", 1)], LONGEST_KEPT_MS), [0]);
        assert_eq!(note(&Ages::new(dir.path()), &[("1", 1)], LONGEST_KEPT_MS + 1), [LONGEST_KEPT_MS + 1]);
    }

    #[test]
    fn a_damaged_database_is_set_aside_and_begun_anew() {
        let whole = tempfile::tempdir().unwrap();
        note(&Ages::new(whole.path()), &[("1", 1)], 1);
        let whole = std::fs::read(whole.path().join(FILE)).unwrap();
        let garbled: Vec<u8> = whole.iter().enumerate().map(|(at, byte)| if at > 1000 { byte ^ 0x55 } else { *byte }).collect();
        for damaged in [b"no database".as_slice(), &whole[..whole.len() / 2], &whole[..4096], &garbled] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(FILE), damaged).unwrap();
            assert_eq!(note(&Ages::new(dir.path()), &[("1", 1)], 5), [5]);
            assert_eq!(note(&Ages::new(dir.path()), &[("1", 1)], 6), [5], "the new one keeps");
            assert_eq!(names(dir.path()).len(), 2, "the damaged one is kept aside: {:?}", names(dir.path()));
        }
    }

    #[test]
    fn a_database_that_another_has_is_done_without() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (Ages::new(dir.path()), Ages::new(dir.path()));
        note(&first, &[("1", 1)], 1);
        assert_eq!(note(&second, &[("1", 1)], 2), [2]);
        assert_eq!(note(&second, &[("1", 1)], 3), [2], "it counts for itself as long as it lives");
        assert_eq!(note(&first, &[("1", 1)], 4), [1]);
        assert_eq!(names(dir.path()), [FILE]);
    }

    #[test]
    fn ages_are_taken_along_unless_a_daemon_uses_them() {
        let (home, plan) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        take_along(home.path(), plan.path());
        assert_eq!(names(plan.path()), [""; 0], "there is nothing yet");
        let ages = Ages::new(home.path());
        note(&ages, &[("1", 1)], 1);
        take_along(home.path(), plan.path());
        assert_eq!(names(plan.path()), [""; 0]);
        drop(ages);
        take_along(home.path(), plan.path());
        assert_eq!(note(&Ages::new(plan.path()), &[("1", 1)], 9), [1]);
    }
}
