//! From observations and sites to the edits that are due. Pure.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use serde::Serializer;

use super::holds::Holds;
use super::tree::{SiteFile, Tree};
use super::{EnvironmentConfig, Observations, Rules};
use crate::image::{Digest, Repository, Tag};
use crate::manifest::Site;
use crate::policy::{Decision, Hold, Keep, Question};

/// A value that a commit changes, or would change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The file.
    pub file: String,
    /// Where in the file's document tree.
    pub path: String,
    /// The site's identity, which outlives reordered lists.
    #[serde(skip)]
    pub key: String,
    /// The line, from 1.
    pub line: usize,
    /// The repository, in canonical form.
    #[serde(serialize_with = "as_text")]
    pub repository: Repository,
    /// The tag before.
    #[serde(serialize_with = "as_text")]
    pub from: Tag,
    /// The tag after.
    #[serde(serialize_with = "as_text")]
    pub to: Tag,
    /// The digest after, where the site has one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub digest: Option<Digest>,
    /// The policy that chose, as in `semver ^1.4`.
    pub policy: String,
}

/// Why a site or a file was left alone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// What kind of reason it is.
    pub kind: NoteKind,
    /// The file.
    pub file: String,
    /// Where in the file, if it is about one site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The repository, if it is about one site.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub repository: Option<Repository>,
    /// The site's tag.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub tag: Option<Tag>,
    /// The reason in words.
    pub reason: String,
}

/// The kinds of reasons for leaving something alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// The site is past what its policy would choose.
    Ahead,
    /// Someone took the policy's choice out again.
    Held,
    /// The site's tag says no version.
    Unordered,
    /// No tag satisfies the policy.
    NoCandidate,
    /// The repository has never been listed.
    Unlisted,
    /// The site cannot be edited.
    Locked,
    /// The edit or its proof failed.
    Unproved,
    /// The new tag's digest could not be learned.
    NoDigest,
    /// The file could not be read.
    Skipped,
}

impl NoteKind {
    /// Says whether something went wrong, rather than a policy being obeyed.
    #[must_use]
    pub fn is_a_failure(self) -> bool {
        matches!(self, Self::Unlisted | Self::Unproved | Self::NoDigest)
    }

    /// Says whether the reason concerns the file as a whole.
    #[must_use]
    pub fn is_about_a_file(self) -> bool {
        matches!(self, Self::Skipped | Self::Unproved | Self::Locked)
    }

    /// Returns the word for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Held => "held",
            Self::Unordered => "unordered",
            Self::NoCandidate => "no-candidate",
            Self::Unlisted => "unlisted",
            Self::Locked => "locked",
            Self::Unproved => "unproved",
            Self::NoDigest => "no-digest",
            Self::Skipped => "skipped",
        }
    }
}

/// A new tag for one site of a file.
#[derive(Clone, Debug)]
pub(super) struct PlannedEdit {
    /// Which site of the file.
    pub(super) site: usize,
    pub(super) to: Tag,
    pub(super) digest: Option<Digest>,
    pub(super) policy: Arc<str>,
}

/// The edits of one file.
#[derive(Clone, Debug)]
pub(super) struct FilePlan {
    pub(super) file: SiteFile,
    pub(super) edits: Vec<PlannedEdit>,
}

/// What a pass is to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) files: Vec<FilePlan>,
    pub(super) notes: Vec<Note>,
    /// How many sites a rule covers.
    pub(super) sites: usize,
    /// The rules that cover any of them.
    pub(super) rules: BTreeSet<usize>,
}

impl SiteFile {
    pub(super) fn note(&self, site: &Site, kind: NoteKind, reason: impl Into<String>) -> Note {
        Note {
            kind,
            file: self.path.clone(),
            path: Some(site.path.clone()),
            repository: Some(site.repository.clone()),
            tag: site.tag.clone(),
            reason: reason.into(),
        }
    }
}

/// Decides for every site of a tree.
pub(super) fn decide(tree: &Tree, environment: &EnvironmentConfig, rules: &Rules, observed: &Observations, holds: &Holds) -> Plan {
    let mut plan = Plan::default();
    plan.notes.extend(tree.skips.iter().map(|skip| Note {
        kind: NoteKind::Skipped,
        file: skip.file.clone(),
        path: None,
        repository: None,
        tag: None,
        reason: skip.reason.to_string(),
    }));
    let mut decider = Decider { rules, observed, decided: HashMap::new(), names: HashMap::new() };
    for file in &tree.files {
        let mut edits = Vec::new();
        for (index, site) in file.sites.iter().enumerate() {
            let Some((rule, _)) = rules.find(environment, &file.path, &site.repository) else { continue };
            plan.sites += 1;
            plan.rules.insert(rule);
            match decider.site(rule, file, site, holds) {
                Ok(Some((to, policy))) => edits.push(PlannedEdit { site: index, to, digest: None, policy }),
                Ok(None) => {}
                Err(note) => plan.notes.push(*note),
            }
        }
        if !edits.is_empty() {
            plan.files.push(FilePlan { file: file.clone(), edits });
        }
    }
    plan
}

/// What a decision depends on; sites that agree in it share the decision.
type Case = (usize, Repository, Tag, Option<Tag>);

struct Decider<'a> {
    rules: &'a Rules,
    observed: &'a Observations,
    decided: HashMap<Case, Decision>,
    names: HashMap<usize, Arc<str>>,
}

impl Decider<'_> {
    /// Returns the new tag for a site with the policy's name, nothing if it is up to date, or why it is left alone.
    fn site(&mut self, rule: usize, file: &SiteFile, site: &Site, holds: &Holds) -> Result<Option<(Tag, Arc<str>)>, Box<Note>> {
        let note = |kind, reason: String| Err(Box::new(file.note(site, kind, reason)));
        let Some(current) = &site.tag else {
            let reason = if site.digest.is_some() { "it is pinned by digest without a tag" } else { "it has no tag" };
            return note(NoteKind::Unordered, reason.to_owned());
        };
        if self.observed.get(&site.repository).and_then(|o| o.tags.as_ref()).is_none() {
            let failure = self.observed.get(&site.repository).and_then(|observed| observed.failure.as_deref());
            return note(NoteKind::Unlisted, failure.unwrap_or("its repository has not been listed yet").to_owned());
        }
        let hold = holds.of(&file.path, site, &file.sites);
        let decision = self.decision(rule, &site.repository, current, hold.as_ref());
        let reason = decision.to_string();
        let kind = match decision {
            Decision::Keep(Keep::UpToDate) => return Ok(None),
            Decision::Move { to } => match &site.locked {
                Some(locked) => return note(NoteKind::Locked, format!("{to} is due, but {locked}")),
                None => return Ok(Some((to, self.name(rule)))),
            },
            Decision::Keep(Keep::Ahead { .. }) => NoteKind::Ahead,
            Decision::Keep(Keep::Held { .. }) => NoteKind::Held,
            Decision::Keep(_) => NoteKind::Unordered,
            Decision::NoCandidate(_) | Decision::Wanting(_) => NoteKind::NoCandidate,
        };
        note(kind, reason)
    }

    fn decision(&mut self, rule: usize, repository: &Repository, current: &Tag, hold: Option<&Hold>) -> Decision {
        let case = (rule, repository.clone(), current.clone(), hold.map(|hold| hold.tag.clone()));
        if let Some(decision) = self.decided.get(&case) {
            return decision.clone();
        }
        let empty = crate::image::TagList::default();
        let tags = self.observed.get(repository).and_then(|observed| observed.tags.as_ref()).unwrap_or(&empty);
        let rules = self.rules;
        let decision = rules.policy(rule).decide(&Question { current: Some(current), hold, ..Question::of(tags) });
        self.decided.insert(case, decision.clone());
        decision
    }

    fn name(&mut self, rule: usize) -> Arc<str> {
        let rules = self.rules;
        Arc::clone(self.names.entry(rule).or_insert_with(|| rules.policy(rule).to_string().into()))
    }
}

fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn as_optional_text<S: Serializer>(value: &Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
