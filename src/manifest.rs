//! Finding image references in text, and changing just their bytes. (contract)

use crate::image::{Digest, Repository, RepositoryPattern, Tag};

/// The repositories to look for.
#[derive(Clone, Debug)]
pub struct Watch {}

impl Watch {
    /// Looks for the repositories that any of these patterns covers.
    #[must_use]
    pub fn new(patterns: &[RepositoryPattern]) -> Self {
        let _ = patterns;
        Self {}
    }

    /// Looks for every reference.
    #[must_use]
    pub fn everything() -> Self {
        Self {}
    }

    /// Says whether a file with this text may hold a watched reference; never wrong when it says no.
    #[must_use]
    pub fn may_hold(&self, text: &[u8]) -> bool {
        let _ = text;
        true
    }
}

/// How a reference stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A scalar that as a whole is a reference.
    Scalar,
    /// A reference behind `=` in a scalar.
    Argument,
    /// A mapping with `repository` and `tag`.
    Split,
    /// A kustomize `images:` entry.
    Kustomize,
}

/// A place in a file where a reference stands.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where it stands in the document tree: `spec.template.spec.containers[0].image`; with `document[1].` before it in further documents.
    pub path: String,
    /// The line of the value, from 1.
    pub line: usize,
    /// The column of the value in characters, from 1.
    pub column: usize,
    /// How it stands there.
    pub shape: Shape,
    /// The reference as written (split forms: joined).
    pub written: String,
    /// The repository in canonical form.
    pub repository: Repository,
    /// The tag, if there is one.
    pub tag: Option<Tag>,
    /// The digest, if there is one.
    pub digest: Option<Digest>,
    /// Why it cannot be edited, if so.
    pub locked: Option<Locked>,
}

/// Why a site cannot be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The file carries a checksum over its values.
    Sops,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no text in UTF-8.
    #[error("it is no UTF-8 text")]
    NotUtf8,
}

/// A change wanted at a site.
#[derive(Clone, Debug)]
pub struct Edit<'a> {
    /// The site, as found by [`scan`] in the very text that is to be changed.
    pub site: &'a Site,
    /// The tag to write.
    pub tag: Tag,
    /// The digest to write; needed where the site has one.
    pub digest: Option<Digest>,
}

/// Why an edit was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The proof failed.
    #[error("the proof failed at {path}")]
    Unproved {
        /// The site.
        path: String,
    },
}

/// Finds the sites of watched references in a text.
///
/// # Errors
/// If the text cannot be read as YAML at all.
pub fn scan(text: &[u8], watch: &Watch) -> Result<Vec<Site>, Unreadable> {
    let _ = (text, watch);
    Ok(Vec::new())
}

/// Changes the values at the edits' sites, and proves that nothing else changed.
///
/// # Errors
/// If a site does not hold what was found there, or the proof fails; nothing is changed then.
pub fn apply(text: &[u8], edits: &[Edit<'_>]) -> Result<Vec<u8>, EditError> {
    let _ = edits;
    Ok(text.to_vec())
}
