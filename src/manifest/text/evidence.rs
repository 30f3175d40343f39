//! The proof of an edit of a text: it is read again in the same way.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

use super::super::edit::{Change, Splice};
use super::super::proof::Why;
use super::super::site::Marker;
use super::{Finding, Reader};
use crate::image::{Digest, Reference, Repository, Tag};

/// What a scan keeps of a text, so that an edit can be proved.
#[derive(Debug)]
pub(in super::super) struct Evidence {
    keys: RandomState,
    text: u64,
    reader: Reader,
    traces: Vec<Trace>,
}

/// What there is to tell of a reference, watched or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trace {
    /// Where it stands, and its tag, digest and name, or where they go, if they can be edited.
    at: usize,
    tag_at: Option<usize>,
    digest_at: Option<usize>,
    name_at: Option<usize>,
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
    marker: Option<Marker>,
}

impl Evidence {
    /// Keeps what was found in a text.
    pub(super) fn of(text: &str, reader: Reader, found: &[Finding]) -> Self {
        let keys = RandomState::new();
        Self { text: hash(&keys, text.as_bytes()), keys, reader, traces: found.iter().map(Trace::of).collect() }
    }

    /// Says whether this is of a text.
    pub(in super::super) fn fits(&self, text: &[u8]) -> bool {
        hash(&self.keys, text) == self.text
    }

    /// Proves that the new text holds the same references but for the changes, which come in its order.
    pub(in super::super) fn prove(&self, new: &str, changes: &[Change]) -> Result<(), Why> {
        let found = self.reader.read(new).map_err(Why::Unreadable)?.findings;
        if found.len() != self.traces.len() {
            return Err(Why::MoreChanged);
        }
        let shifts = Shifts::of(changes);
        let mut owned = BTreeSet::new();
        for (old, found) in self.traces.iter().zip(&found) {
            let new = Trace::of(found);
            let expected = old.after(changes, &shifts, &mut owned).ok_or(Why::MoreChanged)?;
            if new != expected || expected.tag != old.tag && found.is_retyped() {
                let changed = expected.tag != old.tag || expected.digest != old.digest;
                let meant = [expected.tag.as_ref().map(Tag::to_string), expected.digest.as_ref().map(Digest::to_string)];
                let meant = meant.into_iter().flatten().collect::<Vec<_>>().join("@");
                return Err(if changed { Why::NotExpected { expected: meant } } else { Why::MoreChanged });
            }
        }
        // Several references may share a changed value, but each value belongs to one at least.
        if owned.len() < changes.len() { Err(Why::MoreChanged) } else { Ok(()) }
    }
}

impl Trace {
    fn of(finding: &Finding) -> Self {
        let start = |range: Option<&Range<usize>>| range.map(|range| range.start);
        Self {
            at: finding.at,
            tag_at: start(finding.tag_at()),
            digest_at: start(finding.digest_at()),
            name_at: start(finding.name_at()),
            repository: finding.repository.clone(),
            tag: finding.tag.as_ref().map(|part| part.value.clone()),
            digest: finding.digest.as_ref().map(|part| part.value.clone()),
            marker: finding.mark.as_ref().map(|mark| mark.marker.clone()),
        }
    }

    /// Returns what must be found of it after the changes, and notes those that are its own; none if one of them is no tag or digest.
    fn after(&self, changes: &[Change], shifts: &Shifts, owned: &mut BTreeSet<usize>) -> Option<Self> {
        let at = |at: usize| {
            let index = changes.binary_search_by_key(&Some(at), |change| change.splices.first().map(|splice| splice.span.start)).ok();
            index.and_then(|index| Some((index, changes.get(index)?)))
        };
        // Quotes, or a space, may come before a value.
        let lead = |change: &Change| change.splices.first()?.text.find(&change.value);
        let place = |place: usize| {
            let lead = at(place).map_or(Some(0), |(_, change)| lead(change))?;
            Some(shifts.after(place)? + lead)
        };
        let maybe = |old: Option<usize>| old.map_or(Some(None), |old| place(old).map(Some));
        let mut after = self.clone();
        after.at = place(self.at)?;
        (after.tag_at, after.digest_at, after.name_at) = (maybe(self.tag_at)?, maybe(self.digest_at)?, maybe(self.name_at)?);
        let mut change = |place: Option<usize>| {
            let (index, change) = at(place?)?;
            owned.insert(index);
            Some(change)
        };
        if let Some(change) = change(self.tag_at) {
            let (tag, digest) = change.value.split_once('@').map_or((change.value.as_str(), None), |(tag, digest)| (tag, Some(digest)));
            after.tag = Some(Tag::parse(tag).ok()?);
            if let Some(digest) = digest {
                after.digest = Some(Digest::parse(digest).ok()?);
                after.digest_at = after.tag_at.map(|at| at + tag.len() + 1);
            }
        }
        if let Some(change) = change(self.digest_at) {
            after.digest = Some(Digest::parse(&change.value).ok()?);
        }
        if let (Some(change), Some(marker)) = (change(self.name_at), &mut after.marker) {
            marker.misnamed = false;
            let start = after.name_at.take()?;
            if marker.whole {
                let (reference, spans) = Reference::parse_spans(&change.value).ok()?;
                (after.tag, after.digest) = (reference.tag().cloned(), reference.digest().cloned());
                after.tag_at = spans.tag.map(|span| start + span.start);
                after.digest_at = spans.digest.map(|span| start + span.start);
            }
        }
        Some(after)
    }
}

/// Where the changes bring what stands behind them.
struct Shifts(Vec<(usize, usize, isize)>);

impl Shifts {
    fn of(changes: &[Change]) -> Self {
        let mut sum = 0_isize;
        let shift = |Splice { span, text }: &Splice| {
            // Texts are far smaller than half of what a number holds.
            sum += text.len().cast_signed() - span.len().cast_signed();
            (span.start, span.end, sum)
        };
        Self(changes.iter().flat_map(|change| &change.splices).map(shift).collect())
    }

    /// Returns where a place is then; none if it is within a change.
    fn after(&self, at: usize) -> Option<usize> {
        let behind = self.0.partition_point(|(start, ..)| *start < at);
        match behind.checked_sub(1).and_then(|index| self.0.get(index)) {
            None => Some(at),
            Some((_, end, _)) if at < *end => None,
            Some((_, _, sum)) => at.checked_add_signed(*sum),
        }
    }
}

fn hash(keys: &RandomState, bytes: &[u8]) -> u64 {
    let mut hasher = keys.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}
