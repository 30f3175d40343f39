//! Shape 1: a scalar that as a whole is an image reference.

use std::ops::Range;

use super::super::site::{Locked, Shape};
use super::locate::{Located, Part};
use super::{Finder, Free, Reading};
use crate::image::{Reference, Registry};

/// The longest reference: a repository, a tag and a sha512 digest with what joins them.
const MAX_REFERENCE: usize = 255 + 1 + 128 + 1 + 135;

impl Finder<'_, '_> {
    /// Looks at a scalar that is a value; keys of mappings are never sites.
    pub(super) fn scalar(&mut self, node: usize) {
        let tree = self.tree;
        let Some((value, _)) = tree.scalar(node) else { return };
        let named = self.trail.nearest_key().is_some_and(names_image) || self.trail.is_image_volume();
        if !(named || value.contains([':', '@'])) || !self.is_hit(node) {
            return;
        }
        let whole = 0..value.len();
        let whole = |located| self.reference(&located, value, &whole, named, Shape::Scalar);
        if let Some(reading) = Located::new(tree, node).and_then(whole) {
            self.emit(reading, &[]);
        } else if let Some(reading) = named.then(|| self.bare(node)).flatten() {
            self.emit(reading, &[]);
        } else if value.contains('=') {
            self.arguments(node, value);
        }
    }

    /// Reads a part of a scalar as a reference that counts.
    pub(super) fn reference(
        &self,
        located: &Located<'_, '_>,
        value: &str,
        at: &Range<usize>,
        named: bool,
        shape: Shape,
    ) -> Option<Reading> {
        let written = &value[at.clone()];
        if !may_be_reference(written) {
            return None;
        }
        let (reference, spans) = Reference::parse_spans(written).ok()?;
        if reference.tag().is_none() && reference.digest().is_none() || !self.counts(&reference, named) {
            return None;
        }
        let slot = |span: &Option<Range<usize>>| span.as_ref().and_then(|span| located.slot(at.start + span.start..at.start + span.end));
        let (tag_slot, digest_slot) = (slot(&spans.tag), slot(&spans.digest));
        let lost = spans.tag.is_some() && tag_slot.is_none() || spans.digest.is_some() && digest_slot.is_none();
        Some(Reading {
            shape,
            written: written.to_owned(),
            repository: reference.repository().clone(),
            tag: reference.tag().map(|tag| Part { value: tag.clone(), slot: tag_slot }),
            digest: reference.digest().map(|digest| Part { value: digest.clone(), slot: digest_slot }),
            free: Free::default(),
            locked: located.locked().or(lost.then_some(Locked::NotVerbatim)),
            at: located.position(at),
        })
    }

    /// Says whether a reference with a tag or digest is one to report: a watched one, or, where all are, one for sure
    /// (see [`Watch::everything`](super::super::Watch::everything)).
    fn counts(&self, reference: &Reference, named: bool) -> bool {
        if self.watch.is_everything() {
            return named || reference.digest().is_some() || has_host(reference.written());
        }
        self.watch.covers(reference.repository())
    }
}

/// Spares most texts the parser, whose errors are not for free.
fn may_be_reference(text: &str) -> bool {
    text.len() <= MAX_REFERENCE
        && text.contains([':', '@'])
        && !text.contains("://")
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-:/@[]".contains(&byte))
}

/// Says whether a written repository starts with a host.
pub(super) fn has_host(written: &str) -> bool {
    written.split_once('/').is_some_and(|(host, _)| Registry::is_host(host))
}

/// Says whether a key, or a flag before `=`, names an image: `image`, `images`, `…Image`, `--sidecar-image`.
pub(super) fn names_image(key: &str) -> bool {
    let ends_with = |word: &str| {
        key.len() >= word.len() && key.is_char_boundary(key.len() - word.len()) && key[key.len() - word.len()..].eq_ignore_ascii_case(word)
    };
    ends_with("image") || ends_with("images")
}
