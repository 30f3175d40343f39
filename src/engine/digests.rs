//! The digests that go with new tags, for sites that carry one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Observer;
use super::plan::{FilePlan, NoteKind, Plan};
use crate::error::chain;
use crate::image::{Digest, Repository, Tag};

/// How many digests are asked for at once; the client's own limits of each host hold beside it.
const AT_ONCE: usize = 16;
/// How long a pass waits for one digest: a host that hangs must not hold up the bumps of others.
const PATIENCE: Duration = Duration::from_secs(10);

type Case = (Repository, Tag);

/// Learns the digests of the new tags whose sites carry one; an edit whose digest is not to be had becomes a note, and is
/// tried again in the next pass.
pub(super) async fn resolve(observer: &Arc<Observer>, plan: &mut Plan) {
    let known = learn(observer, wanted(plan)).await;
    if known.is_empty() {
        return;
    }
    let Plan { files, notes, .. } = plan;
    for FilePlan { file, edits } in files {
        edits.retain_mut(|edit| {
            let site = &file.sites[edit.site];
            match known.get(&(site.repository.clone(), edit.to.clone())) {
                Some(Ok(digest)) if site.digest.is_some() => edit.digest = Some(digest.clone()),
                Some(Err(reason)) if site.digest.is_some() => {
                    notes.push(file.note(site, NoteKind::NoDigest, format!("{} is due, but: {reason}", edit.to)));
                    return false;
                }
                _ => {}
            }
            true
        });
    }
}

fn wanted(plan: &Plan) -> BTreeSet<Case> {
    let edits = plan.files.iter().flat_map(|FilePlan { file, edits }| edits.iter().map(|edit| (&file.sites[edit.site], edit)));
    edits.filter(|(site, _)| site.digest.is_some()).map(|(site, edit)| (site.repository.clone(), edit.to.clone())).collect()
}

async fn learn(observer: &Arc<Observer>, wanted: BTreeSet<Case>) -> BTreeMap<Case, Result<Digest, String>> {
    // What is not answered, for whatever reason, must not be written without its digest.
    let unknown = |case: &Case| (case.clone(), Err("its digest could not be learned".to_owned()));
    let mut known: BTreeMap<_, _> = wanted.iter().map(unknown).collect();
    let mut wanted = wanted.into_iter();
    let mut running = JoinSet::new();
    loop {
        for case in wanted.by_ref().take(AT_ONCE - running.len()) {
            let observer = Arc::clone(observer);
            running.spawn(async move {
                let digest = tokio::time::timeout(PATIENCE, observer.digest(&case.0, &case.1)).await;
                (case, digest)
            });
        }
        match running.join_next().await {
            None => return known,
            Some(Err(_)) => {}
            Some(Ok((case, Err(_)))) => {
                let reason = format!("{} did not give its digest within {} s", case.0.registry(), PATIENCE.as_secs());
                known.insert(case, Err(reason));
            }
            Some(Ok((case, Ok(digest)))) => {
                known.insert(case, digest.map_err(|error| chain(&error).to_string()));
            }
        }
    }
}
