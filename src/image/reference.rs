//! Image references as they are written in manifests.

use std::fmt;
use std::ops::Range;

use super::{Digest, ParseError, Repository, Tag};

/// An image reference `repository[:tag][@digest]`: its parts in canonical form and the text as written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    written: Box<str>,
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// Where the parts of a reference stand in its text, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReferenceSpans {
    /// The repository as written.
    pub repository: Range<usize>,
    /// The tag, without its colon.
    pub tag: Option<Range<usize>>,
    /// The digest, without its `@`.
    pub digest: Option<Range<usize>>,
}

impl Reference {
    /// Reads a whole text as a reference.
    ///
    /// # Errors
    /// If a part does not satisfy its grammar.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::parse_spans(text).map(|(reference, _)| reference)
    }

    /// Reads a whole text as a reference and says where its parts stand.
    ///
    /// # Errors
    /// If a part does not satisfy its grammar.
    pub fn parse_spans(text: &str) -> Result<(Self, ReferenceSpans), ParseError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        // A colon behind the last slash starts the tag; one before it belongs to the registry's port.
        let name_end = match rest.rfind(':') {
            Some(colon) if !rest[colon..].contains('/') => colon,
            _ => rest.len(),
        };
        let repository = Repository::parse(&rest[..name_end])?;
        let tag = if name_end < rest.len() { Some(Tag::parse(&rest[name_end + 1..])?) } else { None };
        let spans = ReferenceSpans {
            repository: 0..name_end,
            tag: tag.as_ref().map(|_| name_end + 1..rest.len()),
            digest: digest.as_ref().map(|_| rest.len() + 1..text.len()),
        };
        Ok((Self { written: text.into(), repository, tag, digest }, spans))
    }

    /// Returns the text as it was written.
    #[must_use]
    pub fn written(&self) -> &str {
        &self.written
    }

    /// Returns the repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the tag, if one was written.
    #[must_use]
    pub fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// Returns the digest, if one was written.
    #[must_use]
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_spans() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let text = format!("localhost:5000/acme/api:1.2.3@{digest}");
        let (reference, spans) = Reference::parse_spans(&text).unwrap();
        assert_eq!(reference.repository().to_string(), "localhost:5000/acme/api");
        assert_eq!(reference.tag().unwrap().as_str(), "1.2.3");
        assert_eq!(reference.digest().unwrap().as_str(), digest);
        assert_eq!(&text[spans.repository], "localhost:5000/acme/api");
        assert_eq!(&text[spans.tag.unwrap()], "1.2.3");
        assert_eq!(&text[spans.digest.unwrap()], digest);
    }

    #[test]
    fn a_port_is_not_a_tag() {
        let reference = Reference::parse("localhost:5000/api").unwrap();
        assert!(reference.tag().is_none());
        assert_eq!(Reference::parse("nginx:5000").unwrap().tag().unwrap().as_str(), "5000");
    }

    #[test]
    fn refused() {
        for bad in ["", ":1", "nginx:", "nginx:1@", "nginx@sha256:00", "https://x/y:1", "a:b:c", "a b", "nginx:1 "] {
            assert!(Reference::parse(bad).is_err(), "{bad}");
        }
    }
}
