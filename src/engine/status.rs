//! What the engine knows at one moment, for people and machines to read: the content of `/api/v1/status`.
//!
//! Owns the names of the fields, which are those of logs and metrics and do not change. Hides how the parts are gathered: each
//! is copied under its lock and put together outside. Nothing in it is secret: URLs are without credentials, reasons are cleaned
//! where they arise.

mod board;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::plan::Note;
use crate::error::Classified;
use crate::image::{Registry, Repository};
use crate::registry::HostState;

pub(super) use board::Board;

/// More notes of an environment than these are counted, not listed.
const MOST_NOTES: usize = 1000;

/// What the engine knows at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The version that runs.
    pub version: &'static str,
    /// When it started.
    pub started_at: Timestamp,
    /// When this was true.
    pub at: Timestamp,
    /// How much fails now; all zero means that nothing does.
    pub failing: FailingCounts,
    /// The environments, in the policy file's order.
    pub environments: Vec<EnvironmentStatus>,
    /// The registries that were asked for anything or are named in the policy file, by name.
    pub registries: Vec<RegistryStatus>,
    /// The watched repositories, by name.
    pub repositories: Vec<RepositoryStatus>,
}

/// How much fails now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FailingCounts {
    /// Environments whose last pass failed.
    pub environments: usize,
    /// Registries of which at least one repository fails.
    pub registries: usize,
    /// Repositories whose last listing failed.
    pub repositories: usize,
}

/// A failure that lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failing {
    /// The latest failure, in one line.
    pub reason: Arc<str>,
    /// What a person can do about it.
    pub hint: Option<Arc<str>>,
    /// What Tagboat does about it: `retry`, `stalled` (somebody has to change something) or `bug`.
    pub verdict: &'static str,
    /// When it first failed.
    pub since: Timestamp,
    /// How often it has failed since.
    pub count: u64,
}

impl Failing {
    /// Notes a failure of what may have failed before.
    pub(super) fn note(failing: &mut Option<Self>, reason: &Arc<str>, error: &dyn Classified) {
        let (since, count) = failing.as_ref().map_or_else(|| (now(), 0), |before| (before.since, before.count));
        let (reason, hint, verdict) = (Arc::clone(reason), error.hint().map(Into::into), error.verdict().as_str());
        *failing = Some(Self { reason, hint, verdict, since, count: count.saturating_add(1) });
    }
}

/// An environment.
#[derive(Clone, Debug, Serialize)]
pub struct EnvironmentStatus {
    /// Its name.
    pub environment: String,
    /// Where its repository is, without credentials.
    pub url: String,
    /// The branch; none means the remote's HEAD.
    pub branch: Option<String>,
    /// The last pass; none before its end.
    pub last_pass: Option<Pass>,
    /// The commit that the last pass ended on: the one it pushed, else the one it found.
    pub commit: Option<String>,
    /// The last commit pushed since the start.
    pub last_push: Option<Pushed>,
    /// Why its passes fail; none if the last one did not.
    pub failing: Option<Failing>,
    /// How many references to watched repositories it has.
    pub sites: usize,
    /// How many sites and files the last good pass left alone for a reason of their own.
    pub notes_total: usize,
    /// These reasons, up to 1,000 of them.
    #[serde(serialize_with = "first_notes")]
    pub notes: Arc<[Note]>,
}

/// A pass that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// `unchanged`, `pushed`, or the verdict on the failure.
    pub result: &'static str,
    /// When it ended.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// A pushed commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// The commit.
    pub commit: String,
    /// When it was pushed.
    pub at: Timestamp,
    /// How many references it changed.
    pub changes: usize,
}

/// A registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistryStatus {
    /// How the client stands with it; its fields stand beside the others.
    #[serde(flatten)]
    pub state: HostState,
    /// How many of its repositories are watched.
    pub repositories: usize,
    /// How many of these failed to be listed the last time.
    pub repositories_failing: usize,
}

/// A watched repository.
#[derive(Clone, Debug, Serialize)]
pub struct RepositoryStatus {
    /// Its registry.
    #[serde(serialize_with = "registry_as_text")]
    pub registry: Registry,
    /// Its canonical name, the registry included.
    #[serde(serialize_with = "repository_as_text")]
    pub repository: Repository,
    /// The environments that use it.
    pub environments: Vec<Arc<str>>,
    /// How many tags its last good listing has; none before the first.
    pub tags: Option<usize>,
    /// When its last good listing of this run ended.
    pub listed_at: Option<Timestamp>,
    /// When it is listed next; none while it is queued or being listed.
    pub next_listing_at: Option<Timestamp>,
    /// Why its listings fail; none if the last one did not.
    pub failing: Option<Failing>,
}

/// What is noted of a repository's listings besides their content.
#[derive(Clone, Debug, Default)]
pub(super) struct Listings {
    pub(super) listed_at: Option<Timestamp>,
    pub(super) failing: Option<Failing>,
}

impl Listings {
    pub(super) fn succeeded(&mut self) {
        *self = Self { listed_at: Some(now()), failing: None };
    }

    pub(super) fn failed(&mut self, reason: &Arc<str>, error: &dyn Classified) {
        Failing::note(&mut self.failing, reason, error);
    }
}

impl super::Engine {
    /// Returns what is known now; takes each lock only for as long as copying takes.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut repositories = self.observer.repositories();
        repositories.sort_unstable_by(|a, b| a.repository.cmp(&b.repository));
        let registries = registries(self.observer.registries(), &repositories);
        let environments = self.board.environments(&self.config.environments);
        let failing = FailingCounts {
            environments: environments.iter().filter(|environment| environment.failing.is_some()).count(),
            registries: registries.iter().filter(|registry| registry.repositories_failing > 0).count(),
            repositories: repositories.iter().filter(|repository| repository.failing.is_some()).count(),
        };
        let (version, started_at) = (env!("CARGO_PKG_VERSION"), self.board.started_at());
        Status { version, started_at, at: now(), failing, environments, registries, repositories }
    }
}

impl Status {
    /// Leaves only what concerns a registry or an environment, where one is given; the counts stay those of everything.
    #[must_use]
    pub fn only(mut self, registry: Option<&str>, environment: Option<&str>) -> Self {
        if let Some(wanted) = registry {
            self.registries.retain(|status| status.state.registry == wanted);
            self.repositories.retain(|status| status.registry.as_str() == wanted);
        }
        if let Some(wanted) = environment {
            self.environments.retain(|status| status.environment == wanted);
            self.repositories.retain(|status| status.environments.iter().any(|name| **name == *wanted));
        }
        self
    }
}

/// Puts the registries together from what the client says of them and from their repositories, which are sorted.
fn registries(states: Vec<HostState>, repositories: &[RepositoryStatus]) -> Vec<RegistryStatus> {
    let of = |registry: &str| {
        let begin = repositories.partition_point(|status| status.registry.as_str() < registry);
        let own = repositories.get(begin..).unwrap_or_default().iter().take_while(|status| status.registry.as_str() == registry);
        own.fold((0, 0), |(all, failing), status| (all + 1, failing + usize::from(status.failing.is_some())))
    };
    let status = |state: HostState| {
        let (repositories, repositories_failing) = of(&state.registry);
        RegistryStatus { state, repositories, repositories_failing }
    };
    states.into_iter().map(status).collect()
}

/// The time, in milliseconds as in the log.
pub(super) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

fn first_notes<S: serde::Serializer>(notes: &Arc<[Note]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(notes.iter().take(MOST_NOTES))
}

fn registry_as_text<S: serde::Serializer>(registry: &Registry, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(registry)
}

fn repository_as_text<S: serde::Serializer>(repository: &Repository, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(repository)
}
