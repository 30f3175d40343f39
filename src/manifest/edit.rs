//! New bytes for old: replaces tags and digests in their slots, and hands the result to the proof.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use granit_parser::ScalarStyle;

use super::layer::Layer;
use super::proof::{self, Why};
use super::quote;
use super::site::{Bound, Locked, Naming, Scalar, Site, Slot};
use crate::error::{Classified, Verdict};
use crate::image::{Digest, Tag};

/// A change wanted at a site.
#[derive(Clone, Debug)]
pub struct Edit<'a> {
    /// The site, as found by [`scan`](super::scan) in the very text that is to be changed.
    pub site: &'a Site,
    /// The tag to write. A site without a tag keeps none: only its digest is replaced.
    pub tag: Tag,
    /// The digest to write; needed where the site has one, because a new tag beside an old digest would deploy the old
    /// image. Where the site has a tag and no digest, the digest is written behind the tag, as `tag@digest`.
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
            Self::Locked { .. } | Self::Conflict { .. } | Self::Unproved { .. } => Verdict::Stalled,
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
            Self::Stale { .. } | Self::Untagged { .. } | Self::NeedsDigest { .. } => None,
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
    let stale = |edit: &Edit<'_>| EditError::Stale { path: edit.site.path.clone() };
    let root = first.site.bound.as_ref().ok_or_else(|| stale(first))?.layer.root();
    if !root.outline.fits(text) {
        return Err(stale(first));
    }
    let mut work = Work { first: &first.site.path, layers: Vec::new() };
    for edit in edits {
        let bound = edit.site.bound.as_ref().filter(|bound| Arc::ptr_eq(bound.layer.root(), root)).ok_or_else(|| stale(edit))?;
        check_site(edit)?;
        work.collect(edit, bound)?;
    }
    let file = std::str::from_utf8(text).map_err(|_| stale(first))?;
    work.run(file).map(|new| new.unwrap_or_else(|| text.to_vec()))
}

/// What is to be done in each of a file's texts.
struct Work<'e> {
    /// The path of the first edited site, to name the edit by.
    first: &'e str,
    layers: Vec<(&'e Arc<Layer>, BTreeMap<usize, Draft<'e>>)>,
}

impl<'e> Work<'e> {
    /// Changes the innermost texts first, whose new values then are changes of the scalars that hold them.
    fn run(mut self, file: &str) -> Result<Option<Vec<u8>>, EditError> {
        let stale = || EditError::Stale { path: self.first.to_owned() };
        while let Some(next) = (0..self.layers.len()).max_by_key(|&index| self.layers[index].0.depth()) {
            let (layer, drafts) = self.layers.swap_remove(next);
            let old = layer.text(file);
            let mut changes = Vec::with_capacity(drafts.len());
            for draft in drafts.into_values() {
                changes.extend(draft.change(old).ok_or_else(stale)?);
            }
            if changes.is_empty() {
                continue;
            }
            changes.sort_by_key(|change| change.span.start);
            let new = splice(old, &changes);
            let unproved = |why: Why| EditError::Unproved { path: self.first.to_owned(), reason: why.into() };
            proof::prove(&layer.outline, old, &new, &changes).map_err(unproved)?;
            let Some(host) = &layer.host else { return Ok(Some(new.into_bytes())) };
            let broken = || EditError::Locked { path: self.first.to_owned(), reason: Locked::NotVerbatim };
            let change = host.change(host.layer.text(file), &changes, new).ok_or_else(broken)?;
            self.layer(&host.layer).insert(change.node, Draft::Inner(change));
        }
        Ok(None)
    }

    fn layer(&mut self, layer: &'e Arc<Layer>) -> &mut BTreeMap<usize, Draft<'e>> {
        let known = self.layers.iter().position(|(known, _)| Arc::ptr_eq(known, layer));
        let index = known.unwrap_or_else(|| {
            self.layers.push((layer, BTreeMap::new()));
            self.layers.len() - 1
        });
        &mut self.layers[index].1
    }
}

/// A scalar that changes: what goes where, and what both readers must find there.
pub(super) struct Change {
    pub(super) node: usize,
    /// The bytes to replace.
    pub(super) span: Range<usize>,
    /// What stands there then.
    pub(super) text: String,
    /// The scalar's value before.
    pub(super) old: String,
    /// The scalar's value then.
    pub(super) value: String,
    /// How it is written then.
    pub(super) style: ScalarStyle,
}

fn check_site(edit: &Edit<'_>) -> Result<(), EditError> {
    let path = || edit.site.path.clone();
    if let Some(reason) = edit.site.locked.clone() {
        return Err(EditError::Locked { path: path(), reason });
    }
    if edit.site.tag.is_none() && edit.site.digest.is_none() && edit.site.marker.is_none() {
        return Err(EditError::Untagged { path: path() });
    }
    if edit.site.digest.is_some() && edit.digest.is_none() {
        return Err(EditError::NeedsDigest { path: path() });
    }
    Ok(())
}

/// What is to become of one scalar.
enum Draft<'e> {
    /// It gets new pieces.
    Pieces(Pieces<'e>),
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
    slot: &'e Slot,
    new: String,
    path: &'e str,
}

impl<'e> Work<'e> {
    fn collect(&mut self, edit: &Edit<'e>, bound: &'e Bound) -> Result<(), EditError> {
        let site = edit.site;
        let quote = bound.layer.outline.quote();
        let drafts = self.layer(&bound.layer);
        let mut pieces = Vec::new();
        if let Some(slot) = &bound.tag {
            let new = match &edit.digest {
                Some(digest) if bound.digest.is_none() => format!("{}@{digest}", edit.tag),
                _ => edit.tag.to_string(),
            };
            pieces.push(Piece { slot, new, path: &site.path });
        }
        if let (Some(slot), Some(digest)) = (&bound.digest, &edit.digest) {
            pieces.push(Piece { slot, new: digest.to_string(), path: &site.path });
        }
        if let Some(Naming { slot, name, whole }) = &bound.naming {
            let new = match &edit.digest {
                Some(digest) if *whole => format!("{name}:{}@{digest}", edit.tag),
                None if *whole => format!("{name}:{}", edit.tag),
                _ => name.clone(),
            };
            pieces.push(Piece { slot, new, path: &site.path });
        }
        for piece in pieces {
            let scalar = &piece.slot.scalar;
            let new = || Draft::Pieces(Pieces { scalar: Arc::clone(scalar), quote, pieces: BTreeMap::new() });
            match drafts.entry(scalar.node).or_insert_with(new) {
                Draft::Pieces(draft) => draft.add(piece)?,
                // Nothing is found in a scalar beside the text that it holds.
                Draft::Inner(_) => return Err(EditError::Stale { path: site.path.clone() }),
            }
        }
        Ok(())
    }
}

impl Draft<'_> {
    /// Puts the scalar's new text together; none inside if it stays as it is, none outside if the text is another one.
    fn change(self, text: &str) -> Option<Option<Change>> {
        match self {
            Self::Pieces(pieces) => pieces.change(text),
            Self::Inner(change) => Some(Some(change)),
        }
    }
}

impl<'e> Pieces<'e> {
    /// Adds a piece; the same one twice is one, as where two sites share an anchor.
    fn add(&mut self, piece: Piece<'e>) -> Result<(), EditError> {
        let place = piece.slot.in_value.clone();
        let before = self.pieces.range(..place.end).next_back().map(|(_, other)| other);
        let overlapping = before.filter(|other| place.start < other.slot.in_value.end);
        match overlapping {
            None => {
                self.pieces.insert(place.start, piece);
                Ok(())
            }
            Some(other) if other.slot.in_value == place && other.new == piece.new => Ok(()),
            Some(other) => Err(EditError::Conflict { path: other.path.to_owned(), other: piece.path.to_owned() }),
        }
    }

    /// Puts the scalar's new text together; none inside if it stays as it is, none outside if the text is another one.
    fn change(self, text: &str) -> Option<Option<Change>> {
        let Self { scalar, quote, pieces } = self;
        let raw = text.get(scalar.span.clone())?;
        let (mut value, mut new) = (String::new(), String::new());
        let (mut value_at, mut raw_at) = (0, 0);
        for piece in pieces.into_values() {
            let Slot { in_value, in_text, .. } = piece.slot;
            let in_raw = in_text.start.checked_sub(scalar.span.start)?..in_text.end.checked_sub(scalar.span.start)?;
            value.push_str(scalar.value.get(value_at..in_value.start)?);
            new.push_str(raw.get(raw_at..in_raw.start)?);
            if raw.get(in_raw.clone()) != scalar.value.get(in_value.clone()) {
                return None;
            }
            value.push_str(&piece.new);
            new.push_str(&piece.new);
            (value_at, raw_at) = (in_value.end, in_raw.end);
        }
        value.push_str(scalar.value.get(value_at..)?);
        new.push_str(raw.get(raw_at..)?);
        if value == scalar.value {
            return Some(None);
        }
        let mut style = scalar.style;
        if style == ScalarStyle::Plain && quote::retypes(&value) {
            let mark = if quote == ScalarStyle::SingleQuoted { '\'' } else { '"' };
            new = format!("{mark}{value}{mark}");
            style = quote;
        }
        Some(Some(Change { node: scalar.node, span: scalar.span.clone(), text: new, old: scalar.value.clone(), value, style }))
    }
}

/// Replaces the changes' bytes; they are in order and do not overlap, as they are of different scalars.
fn splice(text: &str, changes: &[Change]) -> String {
    let grown: usize = changes.iter().map(|change| change.text.len()).sum();
    let mut new = String::with_capacity(text.len() + grown);
    let mut at = 0;
    for change in changes {
        new.push_str(&text[at..change.span.start]);
        new.push_str(&change.text);
        at = change.span.end;
    }
    new.push_str(&text[at..]);
    new
}
