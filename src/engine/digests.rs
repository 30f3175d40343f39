//! The digests that go with new tags, for sites that carry one or are to, and whether a new digest alone is worth a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::plan::{FilePlan, NoteKind, Plan};
use super::{Observer, Rules};
use crate::error::chain;
use crate::image::{Digest, Platform, Registry, Repository, Tag};
use crate::registry::Content;

/// How many digests are asked for at once; the client's own limits of each host hold beside it.
const AT_ONCE: usize = 16;
/// How long a pass waits for one digest: a host that hangs must not hold up the bumps of others.
const PATIENCE: Duration = Duration::from_secs(10);

type Case = (Repository, Tag);

/// Learns the digests of the new tags that are written with one; an edit whose digest is not to be had becomes a note, and is
/// tried again in the next pass.
pub(super) async fn resolve(observer: &Arc<Observer>, plan: &mut Plan) {
    let known = learn(observer, wanted(plan), PATIENCE).await;
    if known.is_empty() {
        return;
    }
    let Plan { files, notes, .. } = plan;
    for FilePlan { file, edits } in files {
        edits.retain_mut(|edit| {
            let site = &file.sites[edit.site];
            match known.get(&(site.repository.clone(), edit.to.clone())) {
                Some(Ok(digest)) if edit.lacks_digest() => edit.digest = Some(digest.clone()),
                Some(Err(reason)) if edit.lacks_digest() => {
                    notes.push(file.note(site, NoteKind::NoDigest, format!("{} is due, but: {reason}", edit.to)));
                    return false;
                }
                _ => {}
            }
            true
        });
    }
}

/// Takes out edits that change a digest alone while no platform that their rule names has changed: such as those that rebuild
/// the image of another architecture, or its attestations. Where that cannot be said, the edit becomes a note.
pub(super) async fn leave_same(observer: &Arc<Observer>, rules: &Rules, plan: &mut Plan) {
    let mut compared = Compared::default();
    let Plan { files, notes, .. } = plan;
    for FilePlan { file, edits } in files.iter_mut() {
        let mut kept = Vec::new();
        for edit in std::mem::take(edits) {
            let site = &file.sites[edit.site];
            let is_tag = site.tag.as_ref().is_none_or(|tag| *tag == edit.to);
            let same = match (&site.digest, &edit.digest) {
                (Some(old), Some(new)) if is_tag => compared.same(observer, rules, edit.rule, &site.repository, [old, new]).await,
                _ => Ok(false),
            };
            match same {
                Ok(true) => {}
                Ok(false) => kept.push(edit),
                Err(reason) => {
                    let reason = format!("{} has moved, but what has changed could not be learned: {reason}", edit.to);
                    notes.push(file.note(site, NoteKind::NoFacts, reason));
                }
            }
        }
        *edits = kept;
    }
    files.retain(|file| !file.edits.is_empty());
}

/// The images that were compared in a pass.
#[derive(Default)]
struct Compared {
    /// By repository, digests and rule: whether they are the same for its platforms, or why that is not known.
    answers: BTreeMap<(Repository, [Digest; 2], usize), Result<bool, String>>,
    silent: BTreeSet<Registry>,
}

impl Compared {
    /// Says whether two digests are the same for the platforms of a rule; without platforms they never are.
    async fn same(
        &mut self,
        observer: &Observer,
        rules: &Rules,
        rule: usize,
        repository: &Repository,
        digests: [&Digest; 2],
    ) -> Result<bool, String> {
        let platforms = rules.policy(rule).platforms();
        if platforms.is_empty() {
            return Ok(false);
        }
        let case = (repository.clone(), digests.map(Clone::clone), rule);
        if let Some(answer) = self.answers.get(&case) {
            return answer.clone();
        }
        let registry = repository.registry();
        let answer = if self.silent.contains(registry) {
            Err(format!("{registry} was not asked, as it left others unanswered"))
        } else {
            tokio::time::timeout(PATIENCE, is_same(observer, repository, digests, platforms)).await.unwrap_or_else(|_| {
                self.silent.insert(registry.clone());
                Err(format!("{registry} did not answer within {} s", PATIENCE.as_secs()))
            })
        };
        self.answers.insert(case, answer.clone());
        answer
    }
}

/// Compares two images. An old one that is gone counts as another one.
async fn is_same(observer: &Observer, repository: &Repository, [old, new]: [&Digest; 2], platforms: &[Platform]) -> Result<bool, String> {
    let read = |digest| async move {
        match observer.client().manifest_of(repository, digest).await {
            Ok(manifest) => Ok(Some(manifest)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(chain(&error).to_string()),
        }
    };
    let (Some(old), Some(new)) = (read(old).await?, read(new).await?) else { return Ok(false) };
    Ok(match (old.content(), new.content()) {
        (Content::Index(old), Content::Index(new)) => !old.differs(new, platforms),
        _ => false,
    })
}

fn wanted(plan: &Plan) -> BTreeSet<Case> {
    let edits = plan.files.iter().flat_map(|FilePlan { file, edits }| edits.iter().map(|edit| (&file.sites[edit.site], edit)));
    edits.filter(|(_, edit)| edit.lacks_digest()).map(|(site, edit)| (site.repository.clone(), edit.to.clone())).collect()
}

/// Asks for digests; a registry that has left one question unanswered is asked no further ones, so that it costs its patience once.
async fn learn(observer: &Arc<Observer>, wanted: BTreeSet<Case>, patience: Duration) -> BTreeMap<Case, Result<Digest, String>> {
    // What is not answered, for whatever reason, must not be written without its digest.
    let unknown = |case: &Case| (case.clone(), Err("its digest could not be learned".to_owned()));
    let mut known: BTreeMap<_, _> = wanted.iter().map(unknown).collect();
    let mut wanted = wanted.into_iter();
    let mut running = JoinSet::new();
    let mut silent = BTreeSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(case) = wanted.next()
        {
            if silent.contains(case.0.registry()) {
                let reason = format!("{} was not asked for its digest, as it left others unanswered", case.0.registry());
                known.insert(case, Err(reason));
                continue;
            }
            let observer = Arc::clone(observer);
            running.spawn(async move {
                let digest = tokio::time::timeout(patience, observer.digest(&case.0, &case.1)).await;
                (case, digest)
            });
        }
        match running.join_next().await {
            None => return known,
            Some(Err(_)) => {}
            Some(Ok((case, Err(_)))) => {
                let reason = format!("{} did not give its digest within {} s", case.0.registry(), patience.as_secs());
                silent.insert(case.0.registry().clone());
                known.insert(case, Err(reason));
            }
            Some(Ok((case, Ok(digest)))) => {
                known.insert(case, digest.map_err(|error| chain(&error).to_string()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Client, Config, Host};

    #[tokio::test]
    async fn a_registry_that_hangs_costs_its_patience_once_however_many_digests_are_wanted() {
        // It takes connections, and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let repository = Repository::parse(&format!("{}/shop/api", silent.local_addr().unwrap())).unwrap();
        let mut config = Config::default();
        config.hosts.insert(repository.registry().clone(), Host { plain_http: true, ..Host::default() });
        let observer = Observer::new(Client::new(config).unwrap(), Arc::default(), Arc::default());
        let wanted: BTreeSet<Case> = (0..100).map(|i| (repository.clone(), Tag::parse(&format!("1.{i}")).unwrap())).collect();
        let known = learn(&observer, wanted.clone(), Duration::from_millis(50)).await;
        assert!(known.keys().eq(wanted.iter()), "each has a reason");
        let reasons: Vec<_> = known.values().map(|answer| answer.as_ref().unwrap_err()).collect();
        let asked = reasons.iter().filter(|reason| reason.contains("did not give its digest")).count();
        let spared = reasons.iter().filter(|reason| reason.contains("was not asked")).count();
        assert_eq!((asked, spared), (AT_ONCE, 100 - AT_ONCE));
    }
}
