//! A reference that was found in a text.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::super::find::{has_host, is_lone_digest};
use super::super::joined::Joined;
use super::super::quote;
use super::super::site::{Locked, Marker, NoDigest, Shape};
use super::super::tree::Unreadable;
use super::super::watch::Watch;
use super::{Found, Miss, MissReason};
use crate::image::{Digest, Reference, Repository, Tag};

/// How many references are taken from a text; people write some hundred at most.
pub(super) const MAX_FINDINGS: usize = 20_000;

/// A reference, whether it is watched or not.
#[derive(Clone, Debug)]
pub(in super::super) struct Finding {
    /// What stands before it, for people.
    pub(in super::super) path: String,
    /// The same without white space, with the repository.
    pub(in super::super) key: String,
    /// Where it stands.
    pub(in super::super) at: usize,
    pub(in super::super) shape: Shape,
    pub(in super::super) written: String,
    pub(in super::super) repository: Repository,
    pub(in super::super) tag: Option<Part<Tag>>,
    pub(in super::super) digest: Option<Part<Digest>>,
    pub(in super::super) locked: Option<Locked>,
    /// Why no digest can be written behind its tag, if so.
    pub(in super::super) no_digest: Option<NoDigest>,
    /// Whether it is an image for sure, by what stands before it.
    pub(in super::super) sure: bool,
    /// What the marker adds that stands at it, if one that is bound does.
    pub(in super::super) mark: Option<Mark>,
}

/// What a marker adds to what is found.
#[derive(Clone, Debug)]
pub(in super::super) struct Mark {
    pub(in super::super) marker: Marker,
    /// Whether the tag is all of a plain scalar, which gets quotes where it would be no string without.
    pub(in super::super) bare: bool,
    /// Where the tag goes if none stands there yet.
    pub(in super::super) tag: Option<Place>,
    /// Where the digest goes if none stands there yet.
    pub(in super::super) digest: Option<Place>,
    /// Where the name of the policy's repository goes, or all of the reference, if something else or nothing stands there.
    pub(in super::super) naming: Option<(Place, String)>,
}

/// Where a value goes that is all of a scalar.
#[derive(Clone, Debug)]
pub(in super::super) struct Place {
    pub(in super::super) range: Range<usize>,
    /// How it is written.
    pub(in super::super) style: ScalarStyle,
    /// Whether nothing stands there, or null.
    pub(in super::super) is_null: bool,
}

/// A value, and where it stands if it stands there in one piece.
#[derive(Clone, Debug)]
pub(in super::super) struct Part<T> {
    pub(in super::super) value: T,
    pub(in super::super) range: Option<Range<usize>>,
}

impl Finding {
    /// Reads a value as a reference; `written` is what stands in the file for it.
    pub(super) fn of(value: &Joined, written: &str, path: String, shape: Shape, sure: bool) -> Option<Self> {
        let (reference, spans) = Reference::parse_spans(value.value()).ok().filter(|_| !is_lone_digest(value.value()))?;
        let range = |span: &Option<Range<usize>>| span.as_ref().and_then(|span| value.in_text(span));
        let (tag_range, digest_range) = (range(&spans.tag), range(&spans.digest));
        let lost = spans.tag.is_some() && tag_range.is_none() || spans.digest.is_some() && digest_range.is_none();
        let repository = reference.repository().clone();
        let first = spans.repository.start..spans.repository.start;
        Some(Self {
            key: key(&path, &repository),
            path,
            at: value.in_text(&first).map_or_else(|| value.start(), |place| place.start),
            shape,
            written: written.to_owned(),
            repository,
            tag: reference.tag().map(|tag| Part { value: tag.clone(), range: tag_range }),
            digest: reference.digest().map(|digest| Part { value: digest.clone(), range: digest_range }),
            locked: lost.then_some(Locked::Assembled),
            no_digest: None,
            sure,
            mark: None,
        })
    }

    /// Says whether it is one to report: a watched one, or, where all are, one for sure (see [`Watch::everything`]).
    pub(in super::super) fn counts(&self, watch: &Watch) -> bool {
        if watch.is_everything() {
            return self.sure || self.digest.is_some() || self.tag.is_some() && has_host(&self.written);
        }
        watch.covers(&self.repository)
    }

    /// Says whether YAML would take its tag for something else than a string.
    pub(super) fn is_retyped(&self) -> bool {
        let is_bare = self.mark.as_ref().is_some_and(|mark| mark.bare);
        is_bare && self.tag.as_ref().is_some_and(|tag| quote::retypes(tag.value.as_str()))
    }

    /// Returns where its tag stands, or goes.
    pub(in super::super) fn tag_at(&self) -> Option<&Range<usize>> {
        let gap = || Some(&self.mark.as_ref()?.tag.as_ref()?.range);
        self.tag.as_ref().map_or_else(gap, |part| part.range.as_ref())
    }

    /// Returns where its digest stands, or goes.
    pub(in super::super) fn digest_at(&self) -> Option<&Range<usize>> {
        let gap = || Some(&self.mark.as_ref()?.digest.as_ref()?.range);
        self.digest.as_ref().map_or_else(gap, |part| part.range.as_ref())
    }

    /// Returns where a name goes.
    pub(in super::super) fn name_at(&self) -> Option<&Range<usize>> {
        self.mark.as_ref()?.naming.as_ref().map(|(place, _)| &place.range)
    }

    /// Returns all that an edit may write to, with what is between.
    pub(in super::super) fn extent(&self) -> Option<Range<usize>> {
        let places = || [self.tag_at(), self.digest_at(), self.name_at()].into_iter().flatten();
        Some(places().map(|place| place.start).min()?..places().map(|place| place.end).max()?)
    }
}

impl Found {
    /// Takes a finding in, unless there are too many.
    pub(super) fn add(&mut self, finding: Finding) -> Result<(), Unreadable> {
        if self.findings.len() >= MAX_FINDINGS {
            return Err(Unreadable::TooManySites { limit: MAX_FINDINGS });
        }
        self.findings.push(finding);
        Ok(())
    }

    /// Takes in what looks like a reference, some of it at most: it is there to be looked at.
    pub(super) fn miss(&mut self, at: usize, written: &str, reason: MissReason) {
        const MAX_MISSES: usize = 1000;
        const MAX_WRITTEN: usize = 300;
        if self.misses.len() < MAX_MISSES {
            let written = written.chars().take(MAX_WRITTEN).collect();
            self.misses.push(Miss { at, written, reason });
        }
    }
}

/// Makes a key: what stands before a reference, and its repository, as that is what tells apart the lines of such files.
pub(super) fn key(path: &str, repository: &Repository) -> String {
    format!("{}:{repository}", path.replace(char::is_whitespace, "_"))
}
