//! What is kept of a site over a restart: all that it tells, without its ties to the text.
//!
//! A record is distrusted when it is read: what [`scan`](super::scan) could never have found is refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::site::{Locked, Marker, NoDigest, Shape, Site};
use super::tree::{MAX_BYTES, MAX_MESSAGE, Unreadable};
use super::watch::Watch;
use crate::image::{Digest, Repository, Tag};

/// The version of what [`scan`](super::scan) finds, and of its records. It goes up with every change to what is found in
/// the same text, so that no cache of an earlier version hides it.
pub const SCANNER: u32 = 2;

/// A repository as its text.
pub(super) mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::image::Repository;

    pub(in super::super) fn serialize<S: Serializer>(repository: &Repository, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(repository)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Repository, D::Error> {
        Repository::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The record of a site.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSite {
    path: Arc<str>,
    /// None if it is the same as the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Arc<str>>,
    line: usize,
    column: usize,
    shape: Shape,
    written: Arc<str>,
    /// In canonical form.
    #[serde(with = "text")]
    repository: Repository,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked: Option<Locked>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    no_digest: Option<NoDigest>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    blank: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    marker: Option<Marker>,
}

impl From<&Site> for SavedSite {
    fn from(site: &Site) -> Self {
        let Site { path, key, line, column, shape, written, repository, tag, digest, blank, locked, no_digest, marker, bound: _ } = site;
        Self {
            path: path.clone(),
            key: (key != path).then(|| key.clone()),
            line: *line,
            column: *column,
            shape: *shape,
            written: written.clone(),
            repository: repository.clone(),
            tag: tag.as_ref().map(ToString::to_string),
            digest: digest.as_ref().map(ToString::to_string),
            locked: locked.clone(),
            no_digest: *no_digest,
            blank: *blank,
            marker: marker.clone(),
        }
    }
}

impl SavedSite {
    /// Makes a site of the record that fits no text until it is [found again](Site::again); none if no scan that looks for
    /// `watch` could have made it.
    #[must_use]
    pub fn restore(self, watch: &Watch) -> Option<Site> {
        let Self { path, key, line, column, shape, written, repository, tag, digest, locked, no_digest, blank, marker } = self;
        let key = key.unwrap_or_else(|| path.clone());
        let tag = tag.map(|tag| Tag::parse(&tag)).transpose().ok()?;
        let digest = digest.map(|digest| Digest::parse(&digest)).transpose().ok()?;
        let is_clean = |text: &Arc<str>| text.len() <= MAX_BYTES && !text.chars().any(char::is_control);
        let is_sound = [&path, &key, &written].into_iter().all(is_clean) && !key.contains(char::is_whitespace);
        let is_placed = (1..=MAX_BYTES + 1).contains(&line) && (1..=MAX_BYTES + 1).contains(&column);
        let site = Site { path, key, line, column, shape, written, repository, tag, digest, blank, locked, no_digest, marker, bound: None };
        let is_bound = site.marker.as_ref().is_none_or(|marker| watch.policy(&marker.policy).is_some());
        (is_sound && is_placed && is_bound && watch.covers(&site.repository)).then_some(site)
    }
}

impl Site {
    /// Says whether it knows its place in the text, so that it can be edited.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.bound.is_some()
    }

    /// Forgets its place in the text, until it is [found again](Self::again).
    #[must_use]
    pub fn unbound(self) -> Self {
        Self { bound: None, ..self }
    }

    /// Finds the site again among those of a new scan of its text: the one that tells all the same.
    #[must_use]
    pub fn again<'s>(&self, scanned: &'s [Self]) -> Option<&'s Self> {
        scanned.iter().find(|site| site.tells() == self.tells())
    }

    fn tells(&self) -> impl PartialEq + use<'_> {
        let Self { path, key, line, column, shape, written, repository, tag, digest, blank, locked, no_digest, marker, bound: _ } = self;
        ((key, path, line, column, shape), (written, repository, tag, digest, blank, locked, no_digest, marker))
    }
}

impl Unreadable {
    /// Says whether it could be what reading a text came to, rather than something that was put into a file.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !matches!(self, Self::NotYaml { message, .. } if message.chars().count() > MAX_MESSAGE || message.chars().any(char::is_control))
    }
}
