//! New bytes for old: replaces tags and digests in their slots, and hands the result to the proof.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry::{Occupied, Vacant};
use std::ops::Range;
use std::sync::Arc;

use granit_parser::ScalarStyle;

use super::layer::Layer;
use super::proof::Why;
use super::quote;
use super::site::{Bound, Locked, Naming, NewEntry, NoDigest, Scalar, Site, Slot};
use crate::error::{Classified, Verdict};
use crate::image::{Digest, Tag};

/// A change wanted at a site.
#[derive(Clone, Debug)]
pub struct Edit<'a> {
    /// The site, as found by [`scan`](super::scan) in the very text that is to be changed.
    pub site: &'a Site,
    /// The tag to write, also in a place that is [blank](Site::blank). A site that is a bare digest keeps no tag: only its digest
    /// is replaced.
    pub tag: Tag,
    /// The digest to write; needed where the site has one, because a new tag beside an old digest would deploy the old
    /// image. Where the site has none, the digest is written behind the tag, as `tag@digest`, or in split forms as a value of
    /// its own, for which an entry is added if there is none.
    pub digest: Option<Digest>,
}

/// Why an edit was not made. Nothing is changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// The text is not the one that the site was found in.
    #[error("the text is not the one that {path} was found in")]
    Stale {
        /// The site.
        path: String,
    },
    /// The site cannot be edited.
    #[error("{path} cannot be edited: {reason}")]
    Locked {
        /// The site.
        path: String,
        /// Why.
        reason: Locked,
    },
    /// The site has neither tag nor digest, nor a marker that wants one, so there is nothing to replace.
    #[error("{path} has neither a tag nor a digest to replace")]
    Untagged {
        /// The site.
        path: String,
    },
    /// The site has a digest, and the edit has none to put in its place.
    #[error("{path} has a digest, and the edit has none to go with its new tag")]
    NeedsDigest {
        /// The site.
        path: String,
    },
    /// The site has no digest, and no place for one.
    #[error("{path} cannot get a digest: {reason}")]
    NoDigest {
        /// The site.
        path: String,
        /// Why.
        reason: NoDigest,
    },
    /// The site has a SHA-256 digest without its algorithm, so that one of another algorithm would be read wrongly.
    #[error("{path} has a digest without `sha256:`, and {digest} is of another algorithm")]
    Algorithm {
        /// The site.
        path: String,
        /// The digest that was to be written.
        digest: Digest,
    },
    /// Two edits want different values in the same bytes, as where two sites share an anchor.
    #[error("two edits disagree about the value that {path} and {other} share")]
    Conflict {
        /// The one site.
        path: String,
        /// The other site.
        other: String,
    },
    /// The new text was read again, and something else had changed too, or what was to change had not.
    #[error("the proof of the edit at {path} failed: {reason}")]
    Unproved {
        /// The first of the edited sites.
        path: String,
        /// What was found.
        reason: Unproved,
    },
}

/// What the proof found wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Unproved(#[from] pub(super) Why);

impl Classified for EditError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Stale { .. } | Self::Untagged { .. } | Self::NeedsDigest { .. } => Verdict::Bug,
            Self::Locked { .. } | Self::NoDigest { .. } | Self::Algorithm { .. } | Self::Conflict { .. } | Self::Unproved { .. } => {
                Verdict::Stalled
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Conflict { .. } => Some("give both sites the same policy, or each its own value instead of the shared anchor".to_owned()),
            Self::Locked { reason: Locked::Shared { .. }, .. } => {
                Some("give each image a tag of its own instead of the shared anchor".to_owned())
            }
            Self::Locked { .. } | Self::Unproved { .. } => {
                Some("write the value on one line, plain or in quotes, or edit it by hand".to_owned())
            }
            Self::Algorithm { .. } => Some("write the site's digest with its algorithm in front".to_owned()),
            Self::Stale { .. } | Self::Untagged { .. } | Self::NeedsDigest { .. } | Self::NoDigest { .. } => None,
        }
    }
}

/// Changes the values at the edits' sites, and proves that nothing else changed.
///
/// A plain scalar that YAML would read as something else than a string with its new value gets quotes. A site whose
/// value is the wanted one already is left as it is. Without a change, the text comes back as it is.
///
/// # Errors
/// If a site was not found in this text or cannot be edited, if edits contradict each other, or if the proof fails.
pub fn apply(text: &[u8], edits: &[Edit<'_>]) -> Result<Vec<u8>, EditError> {
    let Some(first) = edits.first() else { return Ok(text.to_vec()) };
    let stale = |edit: &Edit<'_>| EditError::Stale { path: edit.site.path.to_string() };
    let root = first.site.bound.as_ref().ok_or_else(|| stale(first))?.layer.root();
    if !root.evidence.fits(text) {
        return Err(stale(first));
    }
    let mut work = Work { first: &first.site.path, layers: BTreeMap::new() };
    for edit in edits {
        let bound = edit.site.bound.as_ref().filter(|bound| Arc::ptr_eq(bound.layer.root(), root)).ok_or_else(|| stale(edit))?;
        check_site(edit)?;
        work.collect(edit, bound)?;
    }
    let file = std::str::from_utf8(text).map_err(|_| stale(first))?;
    work.run(file).map(|new| new.unwrap_or_else(|| text.to_vec()))
}

/// By node, and behind the one before it the entries that are new: what is to become of them.
type Drafts<'e> = BTreeMap<(usize, Kind), Draft<'e>>;

/// Whether a node is changed or an entry is put before it; a new entry comes first, as it belongs to the node before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Entry,
    Scalar,
}

/// What is to be done in each of a file's texts.
struct Work<'e> {
    /// The path of the first edited site, to name the edit by.
    first: &'e str,
    /// By depth and address.
    layers: BTreeMap<(usize, *const Layer), (&'e Arc<Layer>, Drafts<'e>)>,
}

impl<'e> Work<'e> {
    /// Changes the innermost texts first, whose new values then are changes of the scalars that hold them.
    fn run(mut self, file: &str) -> Result<Option<Vec<u8>>, EditError> {
        let stale = || EditError::Stale { path: self.first.to_owned() };
        while let Some((_, (layer, drafts))) = self.layers.pop_last() {
            let old = layer.text(file);
            let mut changes = Vec::with_capacity(drafts.len());
            for draft in drafts.into_values() {
                changes.extend(draft.change(old).ok_or_else(stale)?);
            }
            if changes.is_empty() {
                continue;
            }
            let new = splice(old, &changes);
            let unproved = |why: Why| EditError::Unproved { path: self.first.to_owned(), reason: why.into() };
            layer.evidence.prove(old, &new, &changes).map_err(unproved)?;
            let Some(host) = &layer.host else { return Ok(Some(new.into_bytes())) };
            let broken = || EditError::Locked { path: self.first.to_owned(), reason: Locked::NotVerbatim };
            let change = host.change(&changes, new).ok_or_else(broken)?;
            self.layer(&host.layer).insert((change.node, Kind::Scalar), Draft::Inner(change));
        }
        Ok(None)
    }

    fn layer(&mut self, layer: &'e Arc<Layer>) -> &mut Drafts<'e> {
        &mut self.layers.entry((layer.depth(), Arc::as_ptr(layer))).or_insert_with(|| (layer, BTreeMap::new())).1
    }
}

/// A scalar that changes, or an entry that is new: what goes where, and what both readers must find there.
pub(super) struct Change {
    /// The scalar's node in the old text; of a new entry the one before which it comes.
    pub(super) node: usize,
    /// The entry that is new; its value is the scalar then.
    pub(super) entry: Option<Arc<NewEntry>>,
    /// What is replaced in the text.
    pub(super) splices: Vec<Splice>,
    /// The scalar's value before.
    pub(super) old: String,
    /// The scalar's value then.
    pub(super) value: String,
    /// How it is written then.
    pub(super) style: ScalarStyle,
}

/// Bytes to replace.
pub(super) struct Splice {
    pub(super) span: Range<usize>,
    /// What stands there then.
    pub(super) text: String,
}

fn check_site(edit: &Edit<'_>) -> Result<(), EditError> {
    let path = || edit.site.path.to_string();
    if let Some(reason) = edit.site.locked.clone() {
        return Err(EditError::Locked { path: path(), reason });
    }
    if edit.site.tag.is_none() && edit.site.digest.is_none() && edit.site.marker.is_none() && !edit.site.blank {
        return Err(EditError::Untagged { path: path() });
    }
    if edit.site.digest.is_some() && edit.digest.is_none() {
        return Err(EditError::NeedsDigest { path: path() });
    }
    match edit.site.no_digest.filter(|_| edit.site.digest.is_none() && edit.digest.is_some()) {
        Some(reason) => Err(EditError::NoDigest { path: path(), reason }),
        None => Ok(()),
    }
}

/// What is to become of one scalar, or of the place for one.
enum Draft<'e> {
    /// It gets new pieces.
    Pieces(Pieces<'e>),
    /// It gets its first value.
    First(First<'e>),
    /// The text within it changes.
    Inner(Change),
}

/// The new pieces of one scalar.
struct Pieces<'e> {
    scalar: Arc<Scalar>,
    /// The preferred quote if it needs one.
    quote: ScalarStyle,
    /// By place in the value.
    pieces: BTreeMap<usize, Piece<'e>>,
}

struct Piece<'e> {
    in_value: &'e Range<usize>,
    in_text: &'e Range<usize>,
    new: String,
    path: &'e str,
}

/// A value where none stands.
struct First<'e> {
    slot: &'e Slot,
    quote: ScalarStyle,
    value: String,
    path: &'e str,
}

impl<'e> Work<'e> {
    fn collect(&mut self, edit: &Edit<'e>, bound: &'e Bound) -> Result<(), EditError> {
        let path = &edit.site.path;
        if let Some(slot) = &bound.tag {
            let tag = slot.tag(&edit.tag);
            let new = match &edit.digest {
                Some(digest) if bound.digest.is_none() => format!("{tag}@{digest}"),
                _ => tag,
            };
            self.add(slot, bound, new, path)?;
        }
        if let (Some(slot), Some(digest)) = (&bound.digest, &edit.digest) {
            let other = || EditError::Algorithm { path: path.to_string(), digest: digest.clone() };
            self.add(slot, bound, slot.digest(digest).ok_or_else(other)?, path)?;
        }
        if let Some(Naming { slot, name, whole }) = &bound.naming {
            let new = match &edit.digest {
                Some(digest) if *whole => format!("{name}:{}@{digest}", edit.tag),
                None if *whole => format!("{name}:{}", edit.tag),
                _ => name.clone(),
            };
            self.add(slot, bound, new, path)?;
        }
        Ok(())
    }

    /// Adds the new text of a slot.
    fn add(&mut self, slot: &'e Slot, bound: &'e Bound, new: String, path: &'e str) -> Result<(), EditError> {
        let quote = bound.layer.evidence.quote();
        let drafts = self.layer(&bound.layer);
        let place = match slot {
            Slot::Part { scalar, .. } | Slot::Empty { scalar, .. } => (scalar.node, Kind::Scalar),
            Slot::Entry(entry) => (entry.node, Kind::Entry),
        };
        match (slot, drafts.entry(place)) {
            (Slot::Part { scalar, in_value, in_text, .. }, drafted) => {
                let none = || Draft::Pieces(Pieces { scalar: Arc::clone(scalar), quote, pieces: BTreeMap::new() });
                match drafted.or_insert_with(none) {
                    Draft::Pieces(pieces) => pieces.add(Piece { in_value, in_text, new, path }),
                    // Nothing is found in a scalar beside the text that it holds.
                    Draft::First(_) | Draft::Inner(_) => Err(EditError::Stale { path: path.to_owned() }),
                }
            }
            (Slot::Empty { .. } | Slot::Entry(_), Vacant(drafted)) => {
                drafted.insert(Draft::First(First { slot, quote, value: new, path }));
                Ok(())
            }
            (Slot::Empty { .. } | Slot::Entry(_), Occupied(drafted)) => match drafted.get() {
                // The same one twice is one, as where two sites share an anchor.
                Draft::First(first) if first.slot == slot && first.value == new => Ok(()),
                Draft::First(first) => Err(EditError::Conflict { path: first.path.to_owned(), other: path.to_owned() }),
                Draft::Pieces(_) | Draft::Inner(_) => Err(EditError::Stale { path: path.to_owned() }),
            },
        }
    }
}

impl Draft<'_> {
    /// Puts the scalar's new text together; none inside if it stays as it is, none outside if the text is another one.
    fn change(self, text: &str) -> Option<Option<Change>> {
        match self {
            Self::Pieces(pieces) => pieces.change(text),
            Self::First(first) => first.change().map(Some),
            Self::Inner(change) => Some(Some(change)),
        }
    }
}

impl First<'_> {
    /// Puts the text together; none if the place is in a block scalar, which is no place for a value.
    fn change(self) -> Option<Change> {
        let Self { slot, quote, value, .. } = self;
        match slot {
            Slot::Part { .. } => None,
            Slot::Empty { scalar, .. } => {
                let (text, style) = written(&value, scalar.style, quote)?;
                let space = if scalar.span.is_empty() { " " } else { "" };
                let splices = vec![Splice { span: scalar.span.clone(), text: format!("{space}{text}") }];
                Some(Change { node: scalar.node, entry: None, splices, old: scalar.value.clone(), value, style })
            }
            Slot::Entry(entry) => {
                let (text, style) = written(&value, entry.style, quote)?;
                let text = format!("{}{text}{}", entry.lead, entry.tail);
                let splices = vec![Splice { span: entry.span.clone(), text }];
                Some(Change { node: entry.node, entry: Some(Arc::clone(entry)), splices, old: String::new(), value, style })
            }
        }
    }
}

/// Writes a value in a style, with the preferred quotes where it would be no string without; tags and digests need no escapes.
fn written(value: &str, style: ScalarStyle, quote: ScalarStyle) -> Option<(String, ScalarStyle)> {
    let style = if style == ScalarStyle::Plain && quote::retypes(value) { quote } else { style };
    match style {
        ScalarStyle::Plain => Some((value.to_owned(), style)),
        ScalarStyle::SingleQuoted => Some((format!("'{value}'"), style)),
        ScalarStyle::DoubleQuoted => Some((format!("\"{value}\""), style)),
        ScalarStyle::Literal | ScalarStyle::Folded => None,
    }
}

impl<'e> Pieces<'e> {
    /// Adds a piece; the same one twice is one, as where two sites share an anchor.
    fn add(&mut self, piece: Piece<'e>) -> Result<(), EditError> {
        let place = piece.in_value.clone();
        let before = self.pieces.range(..place.end).next_back().map(|(_, other)| other);
        let overlapping = before.filter(|other| place.start < other.in_value.end);
        match overlapping {
            None => {
                self.pieces.insert(place.start, piece);
                Ok(())
            }
            Some(other) if *other.in_value == place && other.new == piece.new => Ok(()),
            Some(other) => Err(EditError::Conflict { path: other.path.to_owned(), other: piece.path.to_owned() }),
        }
    }

    /// Puts the scalar's new text together; none inside if it stays as it is, none outside if the text is another one.
    fn change(self, text: &str) -> Option<Option<Change>> {
        let Self { scalar, quote, pieces } = self;
        let raw = text.get(scalar.span.clone())?;
        let (mut value, mut value_at) = (String::new(), 0);
        let mut splices = Vec::with_capacity(pieces.len());
        for piece in pieces.into_values() {
            let Piece { in_value, in_text, .. } = piece;
            let in_raw = in_text.start.checked_sub(scalar.span.start)?..in_text.end.checked_sub(scalar.span.start)?;
            value.push_str(scalar.value.get(value_at..in_value.start)?);
            if raw.get(in_raw) != scalar.value.get(in_value.clone()) {
                return None;
            }
            value.push_str(&piece.new);
            splices.push(Splice { span: in_text.clone(), text: piece.new });
            value_at = in_value.end;
        }
        value.push_str(scalar.value.get(value_at..)?);
        if value == scalar.value {
            return Some(None);
        }
        let mut style = scalar.style;
        if style == ScalarStyle::Plain && quote::retypes(&value) {
            let (text, quoted) = written(&value, style, quote)?;
            splices = vec![Splice { span: scalar.span.clone(), text }];
            style = quoted;
        }
        Some(Some(Change { node: scalar.node, entry: None, splices, old: scalar.value.clone(), value, style }))
    }
}

/// Replaces the changes' bytes; they do not overlap, as they are different ones of different scalars.
fn splice(text: &str, changes: &[Change]) -> String {
    let mut splices: Vec<&Splice> = changes.iter().flat_map(|change| &change.splices).collect();
    // Stable: at one place a value that was empty comes before the entry behind it, as its node does.
    splices.sort_by_key(|splice| splice.span.start);
    let grown: usize = splices.iter().map(|splice| splice.text.len()).sum();
    let mut new = String::with_capacity(text.len() + grown);
    let mut at = 0;
    for splice in splices {
        new.push_str(&text[at..splice.span.start]);
        new.push_str(&splice.text);
        at = splice.span.end;
    }
    new.push_str(&text[at..]);
    new
}
