//! Sites that share their tag or digest, through an anchor or a merge, with a reference to another repository.
//!
//! An edit at the anchor would move that other one along, whether it is watched or not: such sites are locked.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::super::site::{Locked, NoDigest, Slot};
use super::super::tree::{Kind, Tree, Unreadable};
use super::super::watch::Watch;
use super::{Draft, Finder, Run};
use crate::image::Repository;

/// Locks the drafts that share a slot with another repository; says whether that depends on sources of charts in other texts.
pub(super) fn lock(tree: &Tree<'_>, watch: &Watch, drafts: &mut [Draft]) -> Result<bool, Unreadable> {
    let anchored = anchored(tree);
    let is_anchored = |slot: &Slot| {
        let Some(node) = slot.scalar().map(|scalar| scalar.node) else { return false };
        let next = anchored.partition_point(|nodes| nodes.end <= node);
        anchored.get(next).is_some_and(|nodes| nodes.contains(&node))
    };
    if !drafts.iter().flat_map(Draft::slots).any(is_anchored) {
        return Ok(false);
    }
    // Only split forms reach their tag through an alias; those of all repositories are looked for.
    let mut any = Watch::any();
    any.know(Arc::clone(watch.sources()));
    let mut finder = Finder::new(tree, &any);
    finder.only_pairs = true;
    let Run { drafts: others, asks, .. } = finder.run()?;
    // Where this watch reads a place as another repository than the one that is watched there, the latter counts.
    let watched: HashMap<&str, &Repository> = drafts.iter().map(|draft| (draft.path.as_str(), &draft.repository)).collect();
    let mut users: BTreeMap<usize, Vec<Repository>> = BTreeMap::new();
    for other in drafts.iter().chain(&others) {
        let repository = watched.get(other.path.as_str()).copied().unwrap_or(&other.repository);
        for slot in other.slots().filter(|slot| slot.scalar().is_some()) {
            let users = users.entry(slot.start()).or_default();
            // Two tell that a slot is shared.
            if users.len() < 2 && !users.contains(repository) {
                users.push(repository.clone());
            }
        }
    }
    for draft in drafts {
        let other = |slot: &Slot| users.get(&slot.start()).into_iter().flatten().find(|&user| *user != draft.repository).cloned();
        // A place for a digest that others share is no place; what is there already can be edited all the same.
        let free = draft.free.digest.as_ref().and_then(|free| free.as_ref().ok()).filter(|slot| slot.scalar().is_some());
        let no_digest = free.and_then(other).is_some();
        let with = draft.slots().filter(|slot| slot.scalar().is_some() && Some(*slot) != free).find_map(other);
        if no_digest {
            draft.free.digest = Some(Err(NoDigest::Shared));
        }
        if let Some(with) = with {
            draft.locked.get_or_insert(Locked::Shared { with });
        }
    }
    Ok(asks)
}

/// Returns the nodes that an alias leads to, with all below them, as ranges in order that do not overlap.
fn anchored(tree: &Tree<'_>) -> Vec<Range<usize>> {
    let targets = (0..tree.len()).filter_map(|node| if let Kind::Alias(target) = tree.kind(node) { Some(target) } else { None });
    let mut ranges: Vec<Range<usize>> = targets.map(|target| target..tree.end(target)).collect();
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    // Nodes nest: what starts within another range ends within it.
    let mut end = 0;
    ranges.retain(|range| {
        let is_new = range.start >= end;
        end = end.max(range.end);
        is_new
    });
    ranges
}
