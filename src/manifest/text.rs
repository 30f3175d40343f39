//! Files that are no YAML: what is found in them, and the proof of an edit.
//!
//! A reader looks for references in a text whatever is watched, and says where their tags and digests stand; one file a kind
//! of text. What is watched is taken from that. An edit is proved by reading the new text in the same way: it must
//! hold the same references at the same places but for the meant values.

mod dockerfile;
mod evidence;
mod finding;
mod marked;
mod search;
mod terraform;

use std::ops::Range;
use std::sync::Arc;

pub(super) use evidence::Evidence;
pub(super) use finding::{Finding, Mark, Part, Place};
pub use search::{MAX_SEARCHES, Search, SearchError};

use super::find;
use super::layer::{Evidence as LayerEvidence, Layer};
use super::site::{Bound, Form, Naming, Scalar, Site, Slot};
use super::tree::{Unreadable, decode};
use super::watch::{Markers, Watch};
use granit_parser::ScalarStyle;

/// What is built in for a text that is no YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Language {
    Dockerfile,
    Terraform,
    /// Nothing is.
    Other,
}

/// How a text is read.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) language: Language,
    pub(super) searches: Vec<Search>,
    /// The policies whose markers count, in a text that should be YAML and is none.
    pub(super) markers: Option<Arc<Markers>>,
}

/// What a reader found: references, and what looks like some.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) findings: Vec<Finding>,
    pub(super) misses: Vec<Miss>,
}

/// What looks like a reference and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    /// Where it stands.
    pub(super) at: usize,
    pub(super) written: String,
    pub(super) reason: MissReason,
}

/// Why something that looks like a reference in a text is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MissReason {
    /// A variable that has no value in the file.
    #[error("a variable in it has no value in this file")]
    Variable,
    /// It does not satisfy the grammar of references.
    #[error("it is no image reference")]
    NoReference,
    /// What the group `repository` took is no repository.
    #[error("what the group `repository` matches is no repository")]
    NoRepository,
    /// What the group `tag` took is no tag.
    #[error("what the group `tag` matches is no tag")]
    NoTag,
    /// What the group `digest` took is no digest.
    #[error("what the group `digest` matches is no digest")]
    NoDigest,
    /// The match has neither tag nor digest.
    #[error("the regular expression matches without a tag or digest")]
    Nothing,
}

impl Reader {
    /// Finds all references of a text, in the order of their places.
    pub(super) fn read(&self, text: &str) -> Result<Found, Unreadable> {
        let mut found = match self.language {
            Language::Dockerfile => dockerfile::read(text)?,
            Language::Terraform => terraform::read(text)?,
            Language::Other => Found::default(),
        };
        search::read(text, &self.searches, &mut found)?;
        if let Some(markers) = &self.markers {
            marked::read(text, markers, &mut found)?;
        }
        found.findings.sort_by_key(|finding| finding.at);
        found.misses.sort_by_key(|miss| miss.at);
        Ok(found)
    }

    /// Says whether a text that names no watched repository may hold a watched reference all the same, as the user names its repository.
    pub(super) fn names_watched(&self, watch: &Watch) -> bool {
        self.searches.iter().filter_map(Search::repository).any(|repository| watch.covers(repository))
    }
}

/// Finds the sites of watched references in a text.
pub(super) fn sites(text: &[u8], reader: &Reader, watch: &Watch) -> Result<Vec<Site>, Unreadable> {
    let text = decode(text)?;
    let found = reader.read(text)?.findings;
    if !found.iter().any(|finding| finding.counts(watch)) {
        return Ok(Vec::new());
    }
    let evidence = LayerEvidence::Text(Evidence::of(text, reader.clone(), &found));
    let layer = Arc::new(Layer { evidence, host: None });
    let watched = found.into_iter().filter(|finding| finding.counts(watch));
    Ok(find::in_order(text, watched.map(|finding| (finding.at, site(text, finding, &layer))).collect()))
}

/// Makes a site that has no line yet.
fn site(text: &str, finding: Finding, layer: &Arc<Layer>) -> Site {
    let (marker, bare, [tag_place, digest_place], naming) = match finding.mark {
        Some(Mark { marker, bare, tag, digest, naming }) => (Some(marker), bare, [tag, digest], naming),
        None => (None, false, [None, None], None),
    };
    let style = if bare { ScalarStyle::Plain } else { PART };
    let (tag, tag_at) = finding.tag.map(|part| (part.value, part.range)).unzip();
    let (digest, digest_at) = finding.digest.map(|part| (part.value, part.range)).unzip();
    let stands = |range: Option<Option<Range<usize>>>, style| slot(text, Place { range: range.flatten()?, style, is_null: false });
    let goes = |place: Option<Place>| slot(text, place?);
    let blank = tag_place.is_some();
    let whole = marker.as_ref().is_some_and(|marker| marker.whole);
    Site {
        path: finding.path.into(),
        key: finding.key.into(),
        line: 0,
        column: 0,
        shape: finding.shape,
        written: finding.written.into(),
        repository: finding.repository,
        tag,
        digest,
        blank,
        marker,
        locked: finding.locked,
        no_digest: finding.no_digest,
        bound: Some(Box::new(Bound {
            tag: stands(tag_at, style).or_else(|| goes(tag_place)),
            digest: stands(digest_at, PART).or_else(|| goes(digest_place)),
            naming: naming.and_then(|(place, name)| Some(Naming { slot: slot(text, place)?, name, whole })),
            layer: Arc::clone(layer),
        })),
    }
}

/// How a part of something is written: as it is, without quotes of its own.
const PART: ScalarStyle = ScalarStyle::Literal;

/// Makes a slot of bytes that are a value of their own: in such texts a tag or digest as a whole takes the place of a scalar, and the
/// place where it stands that of a node.
fn slot(text: &str, place: Place) -> Option<Slot> {
    let Place { range, style, is_null } = place;
    let (node, span) = (range.start, range.clone());
    if is_null {
        let scalar = Arc::new(Scalar { node, span, value: String::new(), style });
        return Some(Slot::Empty { scalar, form: Form::Plain });
    }
    let value = text.get(range.clone())?.to_owned();
    let in_value = 0..value.len();
    let scalar = Arc::new(Scalar { node, span, value, style });
    Some(Slot::Part { scalar, in_value, in_text: range, form: Form::Plain })
}
