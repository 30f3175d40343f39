//! Shape 8 in YAML: what the user's regular expressions find in the text, tied to the scalars that hold it.
//!
//! Such a site is edited and proved as any other of the file. What an expression finds in a comment or a key is no value.

use std::collections::HashSet;
use std::ops::Range;

use super::super::site::{Locked, Slot};
use super::super::text::{Finding, Part as Found};
use super::super::tree::{Kind, Tree};
use super::super::watch::Watch;
use super::locate::{Located, Part};
use super::{Draft, Free, Inner};

/// Adds what counts and was not found by its shape.
pub(super) fn add(tree: &Tree<'_>, watch: &Watch, searched: Vec<Finding>, drafts: &mut Vec<Draft>, inner: &[Inner]) {
    if searched.is_empty() {
        return;
    }
    let known: HashSet<usize> = drafts.iter().flat_map(Draft::slots).map(Slot::start).collect();
    let hosts: HashSet<usize> = inner.iter().map(|inner| inner.scalar.node).collect();
    let keys = keys(tree);
    let scalars: Vec<usize> = (0..tree.len()).filter(|&node| matches!(tree.kind(node), Kind::Scalar { .. })).collect();
    let slot = |range: &Range<usize>| {
        let next = scalars.partition_point(|&node| tree.span(node).start <= range.start);
        let node = next.checked_sub(1).and_then(|index| scalars.get(index)).copied()?;
        // A key is no value, and a scalar with a text of its own is edited within that text.
        let is_value = !keys.contains(&node) && !hosts.contains(&node);
        is_value.then(|| Located::new(tree, node)).flatten()?.slot_at(range)
    };
    for finding in searched.into_iter().filter(|finding| finding.counts(watch)) {
        if finding.extent().is_some_and(|extent| known.contains(&extent.start)) {
            continue;
        }
        let (tag, digest) = (part(finding.tag, &slot), part(finding.digest, &slot));
        let lost = tag.as_ref().is_some_and(|part| part.slot.is_none()) || digest.as_ref().is_some_and(|part| part.slot.is_none());
        drafts.push(Draft {
            path: finding.path,
            key: finding.key,
            at: finding.at,
            shape: finding.shape,
            written: finding.written,
            repository: finding.repository,
            tag,
            digest,
            naming: None,
            marker: None,
            free: Free { tag: None, digest: finding.no_digest.map(Err) },
            locked: lost.then_some(Locked::NotVerbatim),
        });
    }
}

fn part<T>(found: Option<Found<T>>, slot: &dyn Fn(&Range<usize>) -> Option<Slot>) -> Option<Part<T>> {
    found.map(|found| Part { slot: found.range.as_ref().and_then(slot), value: found.value })
}

/// Returns the nodes that are keys of mappings.
fn keys(tree: &Tree<'_>) -> HashSet<usize> {
    let mappings = (0..tree.len()).filter(|&node| tree.is_mapping(node));
    mappings.flat_map(|mapping| tree.entries(mapping)).map(|(key, _)| key).collect()
}
