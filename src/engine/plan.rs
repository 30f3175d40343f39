//! From observations and sites to the edits that are due. Pure.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serializer;

use super::facts::{Learned, Needs};
use super::holds::Holds;
use super::tree::{SiteFile, Tree};
use super::{EnvironmentConfig, Observations, Rules};
use crate::image::{Digest, Repository, Tag, TagList};
use crate::manifest::Site;
use crate::policy::{Decision, Fact, Hold, Keep, Known, Question, Wanted};

/// A value that a commit changes, or would change.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The file.
    pub file: Arc<str>,
    /// Where in the file's document tree.
    pub path: Arc<str>,
    /// The site's identity, which outlives reordered lists.
    #[serde(skip)]
    pub key: Arc<str>,
    /// The line, from 1.
    pub line: usize,
    /// The repository, in canonical form.
    #[serde(serialize_with = "as_text")]
    pub repository: Repository,
    /// The tag before; of a site that is a bare digest, the tag that it follows. None where the tag's place stood empty.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub from: Option<Tag>,
    /// The digest before, where the site had one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub from_digest: Option<Digest>,
    /// The tag after.
    #[serde(serialize_with = "as_text")]
    pub to: Tag,
    /// The digest after, where the site has one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub digest: Option<Digest>,
    /// The policy that chose, as in `semver ^1.4`.
    pub policy: Arc<str>,
}

/// Why a site or a file was left alone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// What kind of reason it is.
    pub kind: NoteKind,
    /// The file.
    pub file: Arc<str>,
    /// Where in the file, if it is about one site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Arc<str>>,
    /// The repository, if it is about one site.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub repository: Option<Repository>,
    /// The site's tag.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_optional_text")]
    pub tag: Option<Tag>,
    /// The reason in words.
    pub reason: Arc<str>,
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
    /// What the policy wants to know of tags could not be learned.
    NoFacts,
    /// The tag that is due is not old enough yet.
    Young,
    /// The file could not be read.
    Skipped,
}

impl NoteKind {
    /// Says whether something went wrong, rather than a policy being obeyed.
    #[must_use]
    pub fn is_a_failure(self) -> bool {
        matches!(self, Self::Unlisted | Self::Unproved | Self::NoDigest | Self::NoFacts)
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
            Self::NoFacts => "no-facts",
            Self::Young => "young",
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
    /// The digest to write, as far as it is known.
    pub(super) digest: Option<Digest>,
    /// Whether a digest is to be written at all.
    pub(super) with_digest: bool,
    pub(super) rule: usize,
    pub(super) policy: Arc<str>,
}

impl PlannedEdit {
    /// Says whether the digest that is to be written is still to be learned.
    pub(super) fn lacks_digest(&self) -> bool {
        self.with_digest && self.digest.is_none()
    }
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
    /// What must be learned before the sites that are neither in `files` nor in `notes` can be decided on.
    pub(super) needs: Needs,
    /// When the first of the decisions changes by itself, because a tag is old enough then.
    pub(super) change: Option<Timestamp>,
    /// The sites that are held, which become notes once the commits that took the versions out are looked for.
    pub(super) held: Vec<Held>,
}

/// A site that is held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) file: SiteFile,
    /// Which site of the file.
    pub(super) site: usize,
    pub(super) hold: Hold,
    /// The tag that would be written; none where it is only the digest of the tag that is there.
    best: Option<Tag>,
}

impl Held {
    /// Tells why the site is left alone.
    pub(super) fn into_note(self) -> Note {
        let Self { file, site, hold, best } = self;
        let reason = match (best, &hold) {
            (Some(best), _) => Keep::Held { best, hold }.to_string(),
            (None, Hold { tag, reverted: Some(commit), .. }) => format!("the digest of {tag} is held: reverted in {commit}"),
            (None, Hold { tag, commit, .. }) => format!("held: the digest of {tag} was taken out again after {commit}"),
        };
        file.note(&file.sites[site], NoteKind::Held, reason)
    }
}

impl SiteFile {
    pub(super) fn note(&self, site: &Site, kind: NoteKind, reason: impl Into<Arc<str>>) -> Note {
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

/// Decides for every site of a tree, as far as what is known allows it; what else must be known is in the plan's needs.
pub(super) fn decide(
    tree: &Tree,
    environment: &EnvironmentConfig,
    rules: &Rules,
    observed: &Observations,
    holds: &Holds,
    learned: &Learned,
) -> Plan {
    let mut plan = Plan::default();
    plan.notes.extend(tree.skips.iter().map(|skip| Note {
        kind: NoteKind::Skipped,
        file: skip.file.as_str().into(),
        path: None,
        repository: None,
        tag: None,
        reason: skip.reason.to_string().into(),
    }));
    let mut decider = Decider {
        rules,
        observed,
        learned,
        decided: HashMap::new(),
        names: HashMap::new(),
        needs: Needs::new(),
        change: None,
        held: Vec::new(),
    };
    for file in tree.files() {
        let mut edits = Vec::new();
        for (index, site) in file.sites.iter().enumerate() {
            let Some((rule, _)) = rules.find(environment, &file.path, site) else { continue };
            plan.sites += 1;
            plan.rules.insert(rule);
            match decider.site(rule, file, index, holds) {
                Ok(edit) => edits.extend(edit),
                Err(note) => plan.notes.push(*note),
            }
        }
        if !edits.is_empty() {
            plan.files.push(FilePlan { file: file.clone(), edits });
        }
    }
    plan.needs = decider.needs;
    plan.change = decider.change;
    plan.held = decider.held;
    plan
}

/// What a decision depends on; sites that agree in it share the decision.
#[derive(PartialEq, Eq, Hash)]
struct Case {
    rule: usize,
    repository: Repository,
    tag: Option<Tag>,
    digest: Option<Digest>,
    hold: Option<(Tag, Option<Digest>)>,
}

/// A decision, and when it changes by itself.
#[derive(Clone)]
struct Decided {
    decision: Decision,
    /// The decision in words.
    reason: Arc<str>,
    /// The tag that is chosen once it is old enough, and when it is.
    change: Option<(Tag, Timestamp)>,
}

struct Decider<'a> {
    rules: &'a Rules,
    observed: &'a Observations,
    learned: &'a Learned,
    decided: HashMap<Case, Decided>,
    names: HashMap<usize, Arc<str>>,
    needs: Needs,
    /// When the first of the decisions changes by itself.
    change: Option<Timestamp>,
    held: Vec<Held>,
}

impl Decider<'_> {
    /// Returns the edit for a site, nothing if it is up to date, held or not decided yet, or why it is left alone.
    fn site(&mut self, rule: usize, file: &SiteFile, index: usize, holds: &Holds) -> Result<Option<PlannedEdit>, Box<Note>> {
        let site = &file.sites[index];
        let note = |kind, reason: Arc<str>| Err(Box::new(file.note(site, kind, reason)));
        let policy = self.rules.policy(rule);
        if let (Some(_), None, Some(why)) = (&site.marker, &site.tag, &site.locked) {
            return note(NoteKind::Locked, format!("it carries a marker, but {why}").into());
        }
        // A marker says what is wanted also where nothing stands that could be compared.
        let has_place = site.tag.is_some()
            || site.marker.is_some()
            || site.blank && policy.fills()
            || site.digest.is_some() && policy.follows().is_some();
        if !has_place {
            let reason = match (&site.digest, site.blank) {
                (Some(_), _) => "it is pinned by digest without a tag",
                (None, true) => "its tag is empty, and its policy has no `fill = true`",
                (None, false) => "it has no tag",
            };
            return note(NoteKind::Unordered, reason.into());
        }
        if self.observed.get(&site.repository).and_then(|o| o.tags.as_ref()).is_none() {
            let failure = self.observed.get(&site.repository).and_then(|observed| observed.failure.as_deref());
            return note(NoteKind::Unlisted, failure.unwrap_or("its repository has not been listed yet").into());
        }
        let hold = holds.of(&file.path, site, &file.sites);
        let Decided { decision, reason, change } = self.decision(rule, site, hold.as_ref());
        if let Some((_, at)) = &change {
            self.change = Some(self.change.map_or(*at, |first| first.min(*at)));
        }
        let kind = match (decision, change) {
            (Decision::Move { to }, _) => return self.edit(rule, file, index, to),
            (Decision::Wanting(need), _) => {
                return match self.learned.failure(&site.repository, need.what) {
                    Some(failure) => note(NoteKind::NoFacts, format!("not decided, as {need} could not be learned: {failure}").into()),
                    None => {
                        self.needs.entry(site.repository.clone()).or_default().entry(need.what).or_default().extend(need.tags);
                        Ok(None)
                    }
                };
            }
            (_, Some((tag, at))) => return note(NoteKind::Young, format!("{tag} is not old enough yet; it is due at {at}").into()),
            (Decision::Keep(Keep::Held { best, hold }), None) => return Ok(self.hold(file, index, hold, Some(best))),
            (Decision::Keep(Keep::UpToDate), None) => return self.pin(rule, file, index, hold.as_ref()),
            (Decision::Keep(Keep::Ahead { .. }), None) => NoteKind::Ahead,
            (Decision::Keep(_), None) => NoteKind::Unordered,
            (Decision::NoCandidate(_), None) => NoteKind::NoCandidate,
        };
        note(kind, reason)
    }

    /// Plans the edit of a site whose tag stays: puts the digest behind it, if its policy wants it there, or the tag behind the name
    /// of its repository, if that of another stands there.
    fn pin(&mut self, rule: usize, file: &SiteFile, index: usize, hold: Option<&Hold>) -> Result<Option<PlannedEdit>, Box<Note>> {
        let site = &file.sites[index];
        let tags = self.observed.get(&site.repository).and_then(|observed| observed.tags.as_ref());
        let Some(tag) = site.tag.as_ref().filter(|tag| tags.is_some_and(|tags| tags.contains(tag.as_str()))) else { return Ok(None) };
        if site.marker.as_ref().is_some_and(|marker| marker.misnamed) {
            return match hold.filter(|hold| hold.tag == *tag) {
                Some(Hold { commit, .. }) => {
                    let reason = format!("held: the name of {} was taken out again after {commit}", site.repository);
                    Err(Box::new(file.note(site, NoteKind::Held, reason)))
                }
                None => self.edit(rule, file, index, tag.clone()),
            };
        }
        if !self.rules.policy(rule).pins() || site.digest.is_some() {
            return Ok(None);
        }
        match hold.filter(|hold| hold.tag == *tag && hold.digest.is_some()) {
            Some(hold) => Ok(self.hold(file, index, hold.clone(), None)),
            None => self.edit(rule, file, index, tag.clone()),
        }
    }

    /// Leaves a site as it is, since it is held.
    fn hold(&mut self, file: &SiteFile, site: usize, hold: Hold, best: Option<Tag>) -> Option<PlannedEdit> {
        self.held.push(Held { file: file.clone(), site, hold, best });
        None
    }

    /// Plans the edit that brings a site to a tag, with its digest where that belongs to it; none if it is there.
    fn edit(&mut self, rule: usize, file: &SiteFile, index: usize, to: Tag) -> Result<Option<PlannedEdit>, Box<Note>> {
        let site = &file.sites[index];
        let locked = |why: &dyn Display| Err(Box::new(file.note(site, NoteKind::Locked, format!("{to} is due, but {why}"))));
        if let Some(why) = &site.locked {
            return locked(why);
        }
        let policy = self.rules.policy(rule);
        let pins = policy.pins() || policy.follows().is_some();
        if let Some(why) = site.no_digest.filter(|_| pins && site.digest.is_none() && site.marker.is_none()) {
            return locked(&format_args!("its digest is to be written along, and {why}"));
        }
        let with_digest = site.digest.is_some() || pins && site.marker.as_ref().is_none_or(|marker| marker.digest);
        // The digest that was decided on, rather than the one that the tag may have by now.
        let fact = self.learned.facts(&site.repository).and_then(|facts| facts.get(&to));
        let digest = match fact.and_then(|fact| fact.digest.as_ref()) {
            Some(Known::Is(digest)) if with_digest => Some(digest.clone()),
            _ => None,
        };
        if let Some(marker) = site.marker.as_ref().filter(|marker| !marker.misnamed) {
            let has_tag = site.tag.as_ref() == Some(&to) || site.tag.is_none() && !marker.whole && !site.blank;
            if has_tag && with_digest && site.tag.is_none() && digest.is_none() {
                return self.learn_digest(file, site, to);
            }
            if has_tag && (!with_digest || digest.is_some() && digest == site.digest) {
                return Ok(None);
            }
        }
        Ok(Some(PlannedEdit { site: index, to, digest, with_digest, rule, policy: self.name(rule) }))
    }

    /// Has the digest learned of a tag that a site without one is compared by.
    fn learn_digest(&mut self, file: &SiteFile, site: &Site, to: Tag) -> Result<Option<PlannedEdit>, Box<Note>> {
        match self.learned.failure(&site.repository, Wanted::Digest) {
            Some(failure) => {
                let reason = format!("not decided, as the digest of {to} could not be learned: {failure}");
                Err(Box::new(file.note(site, NoteKind::NoFacts, reason)))
            }
            None => {
                self.needs.entry(site.repository.clone()).or_default().entry(Wanted::Digest).or_default().insert(to);
                Ok(None)
            }
        }
    }

    fn decision(&mut self, rule: usize, site: &Site, hold: Option<&Hold>) -> Decided {
        let (rules, observed, learned) = (self.rules, self.observed, self.learned);
        let policy = rules.policy(rule);
        let digest = site.digest.as_ref().filter(|_| policy.follows().is_some());
        let case = Case {
            rule,
            repository: site.repository.clone(),
            tag: site.tag.clone(),
            digest: digest.cloned(),
            hold: hold.map(|hold| (hold.tag.clone(), hold.digest.clone())),
        };
        if let Some(decided) = self.decided.get(&case) {
            return decided.clone();
        }
        let empty = TagList::default();
        let tags = observed.get(&site.repository).and_then(|observed| observed.tags.as_ref()).unwrap_or(&empty);
        let mut question = Question { current: site.tag.as_ref(), digest, hold, ..Question::of(tags) };
        let facts = learned.facts(&site.repository);
        if let Some(facts) = facts {
            question.facts = facts;
        }
        let decision = policy.decide(&question);
        let young = policy.min_age().filter(|_| !matches!(decision, Decision::Wanting(_))).is_some_and(|min_age| {
            let is_young = |fact: &Fact| matches!(fact.age, Some(Known::Is(age)) if age < min_age);
            facts.is_some_and(|facts| facts.values().any(is_young))
        });
        let change = young.then(|| policy.explain(&question).change).flatten();
        let change = change.and_then(|change| Some((change.tag, learned.now().checked_add(change.after).ok()?)));
        let decided = Decided { reason: decision.to_string().into(), decision, change };
        self.decided.insert(case, decided.clone());
        decided
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
