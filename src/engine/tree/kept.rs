//! The file that brings what blobs hold over a restart.
//!
//! It is a cache: without it everything is scanned anew. Lines of JSON, the first with the key of what was looked for and
//! by which scanner, the last with a checksum over all others. What is not of our key, is cut short, or was touched is not
//! used at all; a single line that no scan could have made is left out. And no site is edited before its text was scanned again.
//!
//! Blobs that declare sources of charts are not kept: they are few, and what is taken from them for other files always comes from the
//! texts themselves. Which sources the charts were found with is kept, to tell whether these are still the tree's.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::ops::Not;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::census::Census;
use super::scanned::{Content, Scanned};
use super::sources::Sayings;
use super::{LARGEST_FILE, SkipReason};
use crate::engine::edges::Edge;
use crate::environment::BlobId;
use crate::error::chain;
use crate::image::Pool;
use crate::manifest::{Format, Formats, SCANNER, SavedSite, Sources, Unreadable, Watch};

/// The version of the file's form.
const VERSION: u32 = 2;
/// What does not fit is scanned anew after a restart.
const LARGEST: u64 = 64 << 20;
/// As is what makes a longer line.
const LONGEST_LINE: u64 = 16 << 20;
/// How many blobs that hold nothing stand in one line.
const A_LINE: usize = 1_000;
/// The file is written when what a restart would scan anew has grown to one part in this many.
const WORTH_A_WRITE: usize = 8;

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Line {
    Key {
        version: u32,
        key: String,
    },
    Sources(Sources),
    Nothing {
        format: Format,
        blobs: Vec<String>,
        #[serde(default, skip_serializing_if = "Not::not")]
        asks: bool,
    },
    Skipped {
        format: Format,
        blob: String,
        reason: SkipReason,
    },
    Sites {
        format: Format,
        blob: String,
        sites: Vec<SavedSite>,
        #[serde(default, skip_serializing_if = "Not::not")]
        asks: bool,
        /// Why the rest is not read, if so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rest: Option<Unreadable>,
    },
    Sum(String),
}

/// What an earlier process knew.
#[derive(Default)]
pub(super) struct Restored {
    pub(super) scanned: Vec<(Content, Scanned)>,
    /// The blobs that depend on sources of charts in others.
    pub(super) asking: Vec<Content>,
    /// The sources that these were scanned with.
    pub(super) sources: Sources,
}

impl Restored {
    fn add(&mut self, content: Content, scanned: Scanned, asks: bool) {
        self.scanned.push((content, scanned));
        self.asking.extend(asks.then_some(content));
    }
}

#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("reading it")]
    Read(#[from] io::Error),
    #[error("it is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("it is of another version, or was made for other settings")]
    Foreign,
    #[error("it is damaged")]
    Damaged,
}

/// Keeps the file current.
#[derive(Debug)]
pub(super) struct Kept {
    file: PathBuf,
    key: String,
    is_loaded: bool,
    /// How many blobs were scanned that the file does not know.
    unsaved: usize,
    edge: Edge,
}

impl Kept {
    /// Takes the place of the file, and all that what is found depends on besides the text.
    pub(super) fn new(file: PathBuf, watch: &Watch, formats: &Formats) -> Self {
        let about = [VERSION.into(), SCANNER.into(), LARGEST_FILE as u64, watch.fingerprint(), formats.fingerprint()];
        let mut hash = Sha256::new().chain_update(env!("CARGO_PKG_VERSION"));
        about.iter().for_each(|part| hash.update(part.to_be_bytes()));
        Self { file, key: hex(&hash.finalize()), is_loaded: false, unsaved: 0, edge: Edge::default() }
    }

    /// Returns what an earlier process knew, the first time; then nothing.
    pub(super) fn load(&mut self, watch: &Watch, pool: &mut Pool) -> Option<Restored> {
        if std::mem::replace(&mut self.is_loaded, true) {
            return None;
        }
        let file = self.file.display();
        match self.read(watch, pool) {
            Ok(restored) => return Some(restored),
            Err(Unusable::Read(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(reason @ Unusable::Foreign) => tracing::debug!(%file, %reason, "the kept scans are not used"),
            Err(error) => tracing::warn!(%file, reason = %chain(&error), "the kept scans cannot be used; all files are scanned anew"),
        }
        None
    }

    fn read(&self, watch: &Watch, pool: &mut Pool) -> Result<Restored, Unusable> {
        let file = File::open(&self.file)?;
        if file.metadata()?.len() > LARGEST {
            return Err(Unusable::TooLarge);
        }
        let mut file = BufReader::new(file.take(LARGEST));
        let (mut hash, mut bytes, mut restored) = (Sha256::new(), Vec::new(), Restored::default());
        for number in 0.. {
            bytes.clear();
            (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
            let line = serde_json::from_slice(&bytes).map_err(|_| Unusable::Damaged)?;
            match line {
                Line::Key { version: VERSION, key } if number == 0 && key == self.key => {}
                Line::Key { .. } if number == 0 => return Err(Unusable::Foreign),
                Line::Sum(sum) if number > 0 => {
                    let is_last = file.fill_buf()?.is_empty() && bytes.ends_with(b"\n");
                    return if is_last && sum == hex(&hash.finalize()) { Ok(restored) } else { Err(Unusable::Damaged) };
                }
                line if number > 0 => line.restore(watch, pool, &mut restored),
                _ => return Err(Unusable::Damaged),
            }
            hash.update(&bytes);
        }
        Err(Unusable::Damaged)
    }

    /// Notes that `new` blobs were scanned, and writes the file if that is worth it: so all writes together cost no more than
    /// some times what was scanned.
    pub(super) fn save(&mut self, new: usize, census: &Census, sayings: &Sayings, sources: &Sources) {
        self.unsaved = self.unsaved.saturating_add(new);
        if self.unsaved == 0 || self.unsaved.saturating_mul(WORTH_A_WRITE) < census.len() {
            return;
        }
        let (written, file, now) = (self.write(census, sayings, sources), self.file.display(), Instant::now());
        match written {
            Ok(()) => {
                self.unsaved = 0;
                self.edge.succeeded(now, |since| tracing::info!(%file, failing_for = %since, "the scans are kept again"));
            }
            Err(error) => {
                let reason: Arc<str> = error.to_string().into();
                self.edge.failed(now, &reason, |count, since| {
                    tracing::warn!(%file, %reason, count, failing_for = %since, "the scans cannot be kept; a restart scans all files anew");
                });
            }
        }
    }

    /// Replaces the file as a whole.
    fn write(&self, census: &Census, sayings: &Sayings, sources: &Sources) -> io::Result<()> {
        let dir = self.file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::Builder::new().prefix(".tmp").tempfile_in(dir)?;
        let mut sealed = Sealed { file: BufWriter::new(file.as_file_mut()), hash: Sha256::new(), left: LARGEST - LONGEST_LINE };
        sealed.line(&Line::Key { version: VERSION, key: self.key.clone() })?;
        sealed.line(&Line::Sources(sources.clone()))?;
        let mut nothing: HashMap<(Format, bool), Vec<String>> = HashMap::new();
        for (content, scanned) in census.iter().filter(|(content, _)| !sayings.declares(content)) {
            let (blob, format, asks) = (content.0.to_string(), content.1, sayings.asks(content));
            match scanned {
                Scanned::Nothing => {
                    let blobs = nothing.entry((format, asks)).or_default();
                    blobs.push(blob);
                    if blobs.len() == A_LINE {
                        sealed.line(&Line::Nothing { format, blobs: std::mem::take(blobs), asks })?;
                    }
                }
                Scanned::Skipped(reason) => sealed.line(&Line::Skipped { format, blob, reason: reason.clone() })?,
                Scanned::Sites(sites) => {
                    sealed.line(&Line::Sites { format, blob, sites: sites.iter().map(SavedSite::from).collect(), asks, rest: None })?;
                }
                Scanned::Partly(sites, reason) => {
                    let (sites, rest) = (sites.iter().map(SavedSite::from).collect(), Some(reason.clone()));
                    sealed.line(&Line::Sites { format, blob, sites, asks, rest })?;
                }
            }
        }
        for ((format, asks), blobs) in nothing.into_iter().filter(|(_, blobs)| !blobs.is_empty()) {
            sealed.line(&Line::Nothing { format, blobs, asks })?;
        }
        sealed.close()?;
        file.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }

    /// Removes the file; what a process with the same settings finds later, it has found itself.
    pub(super) fn remove(&mut self) {
        self.unsaved = 0;
        // One that cannot be removed is found to be wrong again.
        let _ = std::fs::remove_file(&self.file);
    }
}

impl Line {
    /// Adds what the line tells, as far as a scan could have found it.
    fn restore(self, watch: &Watch, pool: &mut Pool, restored: &mut Restored) {
        match self {
            Self::Key { .. } | Self::Sum(_) => {}
            Self::Sources(sources) => restored.sources = sources,
            Self::Nothing { format, blobs, asks } => {
                blobs.iter().filter_map(|blob| BlobId::parse(blob)).for_each(|blob| restored.add((blob, format), Scanned::Nothing, asks));
            }
            Self::Skipped { format, blob, reason } => {
                let is_sound = match &reason {
                    SkipReason::TooLarge | SkipReason::LfsPointer => true,
                    SkipReason::Unreadable(reason) => reason.is_sound(),
                    // These are not said of a blob.
                    SkipReason::PartlyRead(_)
                    | SkipReason::Encrypted
                    | SkipReason::Link
                    | SkipReason::Submodule
                    | SkipReason::NotRegular
                    | SkipReason::Unopened(_)
                    | SkipReason::Odd => false,
                };
                if let Some(blob) = BlobId::parse(&blob).filter(|_| is_sound) {
                    restored.add((blob, format), Scanned::Skipped(reason), false);
                }
            }
            Self::Sites { format, blob, sites, asks, rest } => {
                let restore = |site: SavedSite| {
                    let mut site = site.restore(watch)?;
                    site.share(pool);
                    Some(site)
                };
                let sites: Option<Arc<[_]>> = sites.into_iter().map(restore).collect();
                let is_sound = rest.as_ref().is_none_or(Unreadable::is_sound);
                let sites = sites.filter(|sites| !sites.is_empty() && is_sound);
                if let Some((blob, sites)) = BlobId::parse(&blob).zip(sites) {
                    let scanned = match rest {
                        None => Scanned::Sites(sites),
                        Some(reason) => Scanned::Partly(sites, reason),
                    };
                    restored.add((blob, format), scanned, asks);
                }
            }
        }
    }
}

/// A file being written, with its checksum.
struct Sealed<W> {
    file: W,
    hash: Sha256,
    /// How many bytes may still be written.
    left: u64,
}

impl<W: Write> Sealed<W> {
    /// Writes a line, unless it is too long or the file is full.
    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let length = bytes.len() as u64;
        if let Some(left) = self.left.checked_sub(length).filter(|_| length < LONGEST_LINE) {
            self.left = left;
            self.hash.update(&bytes);
            self.file.write_all(&bytes)?;
        }
        Ok(())
    }

    fn close(mut self) -> io::Result<()> {
        let sum = Line::Sum(hex(&self.hash.finalize()));
        serde_json::to_writer(&mut self.file, &sum)?;
        self.file.write_all(b"\n")?;
        self.file.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
