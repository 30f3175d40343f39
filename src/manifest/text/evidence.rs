//! The proof of an edit of a text: it is read again in the same way.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::super::edit::{Change, Splice};
use super::super::proof::Why;
use super::super::site::Marker;
use super::{Finding, Reader};
use crate::image::{Digest, Repository, Tag};

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
    /// Where it stands, and its tag and digest, if they can be edited.
    at: usize,
    tag_at: Option<usize>,
    digest_at: Option<usize>,
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
            let changed = expected.tag != old.tag || expected.digest != old.digest;
            if expected.tag != old.tag && new == expected && found.retyped {
                return Err(Why::NoString { written: found.written.clone() });
            }
            if new != expected {
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
        Self {
            at: finding.at,
            tag_at: finding.tag.as_ref().and_then(|part| part.range.as_ref()).map(|range| range.start),
            digest_at: finding.digest.as_ref().and_then(|part| part.range.as_ref()).map(|range| range.start),
            repository: finding.repository.clone(),
            tag: finding.tag.as_ref().map(|part| part.value.clone()),
            digest: finding.digest.as_ref().map(|part| part.value.clone()),
            marker: finding.marker.clone(),
        }
    }

    /// Returns what must be found of it after the changes, and notes those that are its own; none if one of them is no tag or digest.
    fn after(&self, changes: &[Change], shifts: &Shifts, owned: &mut BTreeSet<usize>) -> Option<Self> {
        let mut after = self.clone();
        after.at = shifts.after(self.at)?;
        after.tag_at = match self.tag_at {
            Some(at) => Some(shifts.after(at)?),
            None => None,
        };
        after.digest_at = match self.digest_at {
            Some(at) => Some(shifts.after(at)?),
            None => None,
        };
        let mut change = |at: Option<usize>| {
            let index = changes.binary_search_by_key(&Some(at?), |change| change.splices.first().map(|splice| splice.span.start)).ok()?;
            owned.insert(index);
            changes.get(index)
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
