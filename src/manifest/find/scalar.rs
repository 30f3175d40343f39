//! Shape 1: a scalar that as a whole is an image reference.

use std::ops::Range;

use super::super::site::{Locked, Shape};
use super::locate::{Located, Part};
use super::nested::holds_json;
use super::{Finder, Free, Reading};
use crate::image::{Digest, Reference, Registry};

/// The longest reference: a repository, a tag and a sha512 digest with what joins them.
pub(super) const MAX_REFERENCE: usize = 255 + 1 + 128 + 1 + 135;

impl Finder<'_, '_> {
    /// Looks at a scalar of one line that is a value; keys of mappings are never sites.
    pub(super) fn scalar(&mut self, node: usize) {
        let tree = self.tree;
        let Some((value, _)) = tree.scalar(node) else { return };
        let key = self.trail.nearest_key();
        let named = key.is_some_and(names_image) || self.trail.is_image_volume();
        if !(named || value.contains([':', '@'])) || !self.is_hit(node) || !named && is_pinned_tag(key, value) {
            return;
        }
        let whole = 0..value.len();
        let sure = named || self.names_job_image();
        let whole = |located| self.reference(&located, value, &whole, sure, Shape::Scalar);
        if let Some(reading) = Located::new(tree, node).and_then(whole) {
            self.emit(reading, &[]);
        } else if let Some(reading) = self.variable(node, value, sure).or_else(|| self.with_scheme(node, value)) {
            self.emit(reading, &[]);
        } else if let Some(reading) = named.then(|| self.bare(node)).flatten() {
            self.emit(reading, &[]);
        } else if value.contains('=') && !holds_json(value) {
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
    pub(super) fn counts(&self, reference: &Reference, named: bool) -> bool {
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
        && !is_lone_digest(text)
}

/// Says whether a text is a digest by itself, which reads like a tag of an image that is called `sha256`.
pub(in super::super) fn is_lone_digest(text: &str) -> bool {
    Digest::parse(text).is_ok()
}

/// Says whether a value is a tag with its digest (`tag: 1.4.2@sha256:…`), which reads like an image of Docker Hub's that is called
/// like a version: by its key, or because no image is called so.
pub(super) fn is_pinned_tag(key: Option<&str>, value: &str) -> bool {
    let Some((tag, _)) = value.split_once('@').filter(|(tag, _)| !tag.contains(['/', ':'])) else { return false };
    let version = tag.strip_prefix('v').unwrap_or(tag);
    let is_version = version.starts_with(|c: char| c.is_ascii_digit()) && version.contains('.');
    is_version || key.is_some_and(|key| ends_with(key, "tag") || ends_with(key, "version"))
}

/// Names before a slash that look like hosts and are none of registries: of Kubernetes' labels (`kubernetes.io/os:linux`), and of
/// modules of protocol buffers.
const NO_REGISTRIES: [&str; 2] = ["kubernetes.io", "buf.build"];

/// Says whether a written repository starts with the host of a registry, as far as can be told.
pub(in super::super) fn has_host(written: &str) -> bool {
    let is_none =
        |host: &str| NO_REGISTRIES.iter().any(|none| host.strip_suffix(none).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    written.split_once('/').is_some_and(|(host, _)| Registry::is_host(host) && !is_none(host))
}

/// Says whether a key, or a flag before `=`, names an image: `image`, `images`, `…Image`, `--sidecar-image`.
pub(in super::super) fn names_image(key: &str) -> bool {
    ends_with(key, "image") || ends_with(key, "images")
}

/// Says whether a key ends with a word, in whatever case.
fn ends_with(key: &str, word: &str) -> bool {
    key.len().checked_sub(word.len()).and_then(|start| key.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(word))
}
