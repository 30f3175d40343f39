//! References with variables in them that have defaults, as Compose and Flux's substitution know them: `${IMAGE:-ghcr.io/acme/api:1.4}`,
//! `ghcr.io/acme/api:${TAG:-1.4.2}`. And those behind `docker://`, as workflows have them.

use super::super::joined::Joined;
use super::super::site::{Locked, Shape};
use super::super::variable::expand;
use super::locate::{Located, Part};
use super::{Finder, Free, Reading};
use crate::image::Reference;

/// What GitHub's workflows and many tools put before a reference to tell that it is one.
const SCHEME: &str = "docker://";

impl Finder<'_, '_> {
    /// Reads a scalar that uses variables as the reference that their defaults make of it.
    pub(super) fn variable(&self, node: usize, value: &str, named: bool) -> Option<Reading> {
        if !value.contains("${") {
            return None;
        }
        let expanded = expand(&Joined::of(value, 0), &mut |_| None)?;
        let (reference, spans) = Reference::parse_spans(expanded.value()).ok()?;
        if reference.tag().is_none() && reference.digest().is_none() || !self.counts(&reference, named) {
            return None;
        }
        let located = Located::new(self.tree, node)?;
        let slot = |span: Option<std::ops::Range<usize>>| span.and_then(|span| expanded.in_text(&span)).map(|part| located.slot(part));
        let (tag, digest) = (slot(spans.tag), slot(spans.digest));
        let assembled = reference.tag().is_some() && tag.is_none() || reference.digest().is_some() && digest.is_none();
        let lost = tag.as_ref().is_some_and(Option::is_none) || digest.as_ref().is_some_and(Option::is_none);
        let locked = assembled.then_some(Locked::Assembled).or(lost.then_some(Locked::NotVerbatim));
        Some(Reading {
            shape: Shape::Variable,
            written: value.to_owned(),
            repository: reference.repository().clone(),
            tag: reference.tag().map(|value| Part { value: value.clone(), slot: tag.flatten() }),
            digest: reference.digest().map(|value| Part { value: value.clone(), slot: digest.flatten() }),
            free: Free::default(),
            locked: located.locked().or(locked),
            at: located.position(&(0..value.len())),
        })
    }

    /// Reads a scalar such as `docker://alpine:3.19`.
    pub(super) fn with_scheme(&self, node: usize, value: &str) -> Option<Reading> {
        let rest = value.strip_prefix(SCHEME)?;
        let at = SCHEME.len()..SCHEME.len() + rest.len();
        self.reference(&Located::new(self.tree, node)?, value, &at, true, Shape::Scalar)
    }

    /// Says whether a scalar stands where workflows and pipelines name the image of a job: `container: node:20` (GitHub), `services: [postgres:16]`
    /// and `image: {name: …}` (GitLab).
    pub(super) fn names_job_image(&self) -> bool {
        let keys = self.trail.last_keys();
        matches!(keys, [Some("container" | "services"), _] | [Some("name"), Some("image" | "services")])
    }
}
