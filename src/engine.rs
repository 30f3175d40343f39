//! The reconciliation of registries with environment repositories: the only part that knows both.
//!
//! Owns the pass (`engine/reconcile.rs` reads like the README's five steps), when passes run, what was observed, and
//! what is reported about all that. Hides the tasks: one observer that lists repositories as they fall
//! due, and one task an environment that fails alone.

mod ages;
mod digests;
mod edges;
mod environments;
mod facts;
mod health;
mod holds;
mod message;
mod observer;
mod parallel;
mod places;
mod plan;
mod reconcile;
mod rules;
mod state;
pub mod status;
pub mod survey;
pub mod tree;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::environment::{self, Paths};
use crate::image::{Repository, RepositoryPattern};
use crate::manifest::Formats;
use crate::policy::Policy;
use crate::registry;
use crate::shutdown::CancellationToken;
use crate::telemetry::metrics::Metrics;

pub use ages::{Ages, take_along};
pub use environments::Once;
pub use facts::{FactError, Learner};
pub use health::Health;
pub use observer::{Observations, Observed, Observer};
pub use places::{Place, places};
pub use plan::{Change, Note, NoteKind};
pub use reconcile::{EditedFile, Outcome, PassError};
pub use rules::Rules;
pub use status::Status;
pub use tree::{Skip, SkipReason};

/// What is watched, and where it is written.
#[derive(Clone, Debug)]
pub struct Config {
    /// How often a repository is listed, and an environment repository fetched.
    pub interval: Duration,
    /// Where bare clones and the state file are kept.
    pub state_dir: PathBuf,
    /// The environment repositories.
    pub environments: Vec<EnvironmentConfig>,
    /// The rules, in the policy file's order.
    pub images: Vec<ImageRule>,
}

/// An environment repository under the name that the policy file gives it.
#[derive(Clone, Debug)]
pub struct EnvironmentConfig {
    /// The name.
    pub name: String,
    /// Which files are looked at.
    pub paths: Paths,
    /// How they are read.
    pub formats: Formats,
    /// Paths in a file whose value is the registry of its split references.
    pub registry_keys: Vec<String>,
    /// Where the repository is.
    pub git: environment::Config,
}

/// Which repositories follow which policy, and where.
#[derive(Clone, Debug)]
pub struct ImageRule {
    /// The repositories.
    pub repository: RepositoryPattern,
    /// How a tag is chosen.
    pub policy: Policy,
    /// The environments it is about, by name; empty means all.
    pub environments: Vec<String>,
    /// Which files it is about; none means the environment's.
    pub paths: Option<Paths>,
    /// The marker that its sites carry; none if it is about sites without one.
    pub marker: Option<BoundMarker>,
    /// How often these repositories are listed, where it differs from [`Config::interval`].
    pub interval: Option<Duration>,
}

/// Flux's marker that a rule is bound to.
#[derive(Clone, Debug)]
pub struct BoundMarker {
    /// What the marker names: `namespace:name`.
    pub policy: Arc<str>,
    /// The rule's repository as the policy file writes it, which is how it is written where a marker stands at another name.
    pub written: String,
}

/// Everything that passes share.
pub struct Engine {
    config: Config,
    rules: Arc<Rules>,
    observer: Arc<Observer>,
    ages: Arc<Ages>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    board: status::Board,
    /// By environment: the rules that covered a site in its last pass. Taken away once the unused ones have been told.
    used: Mutex<Option<HashMap<String, BTreeSet<usize>>>>,
}

impl Engine {
    /// Puts an engine together; contacts nobody.
    #[must_use]
    pub fn new(config: Config, client: registry::Client, metrics: Arc<Metrics>) -> Arc<Self> {
        let rules = Arc::new(Rules::new(config.images.clone(), config.interval));
        let health = Arc::new(Health::new(config.environments.iter().map(|e| e.name.clone())));
        let observer = Observer::new(client, Arc::clone(&metrics), Arc::clone(&rules));
        let ages = Ages::new(&config.state_dir);
        Arc::new(Self {
            config,
            rules,
            observer,
            ages,
            health,
            metrics,
            board: status::Board::new(),
            used: Mutex::new(Some(HashMap::new())),
        })
    }

    /// Returns the signs of life that the probes read.
    #[must_use]
    pub fn health(&self) -> Arc<Health> {
        Arc::clone(&self.health)
    }

    /// Returns the metrics that it feeds.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Has a repository listed at once, or as soon as it may be, rather than when its interval is over; says whether it is
    /// watched at all. Needs the runtime.
    pub fn due_now(&self, repository: &Repository) -> bool {
        self.observer.due_now(repository)
    }

    /// Watches until `stop` is cancelled; a push in flight is finished first.
    pub async fn run(self: &Arc<Self>, stop: CancellationToken) {
        let mut tasks = tokio::task::JoinSet::new();
        let keeper = state::Keeper::new(&self.config.state_dir);
        self.observer.restore(keeper.load());
        tasks.spawn(Arc::clone(&self.observer).list_when_due(stop.clone(), keeper, self.health()));
        for environment in self.config.environments.clone() {
            tasks.spawn(environments::watch(Arc::clone(self), environment, stop.clone()));
        }
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a task of the engine ended by a bug");
            }
        }
    }

    /// Makes one pass over every environment and pushes what is due.
    pub async fn once(self: &Arc<Self>, stop: &CancellationToken) -> Vec<Once> {
        environments::once(self, environments::Purpose::Push, stop).await
    }

    /// Makes one pass over every environment up to the edits, and changes nothing.
    pub async fn plan(self: &Arc<Self>, stop: &CancellationToken) -> Vec<Once> {
        environments::once(self, environments::Purpose::Plan, stop).await
    }

    /// Tells, once every environment has been looked at, which rules cover nothing anywhere: most likely a misspelt name.
    fn tell_unused_rules(&self, environment: &str, rules: &BTreeSet<usize>) {
        let mut guard = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(used) = guard.as_mut() else { return };
        used.insert(environment.to_owned(), rules.clone());
        if used.len() < self.config.environments.len() {
            return;
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if !used.values().any(|rules| rules.contains(&index)) {
                match &rule.marker {
                    None => {
                        tracing::warn!(repository = %rule.repository, "this [[image]] rule covers no reference in any environment; see what `tagboat refs` finds");
                    }
                    Some(marker) => {
                        tracing::warn!(repository = %rule.repository, marker = &*marker.policy, "no value in any environment carries the marker of this [[image]] rule");
                    }
                }
            }
        }
        *guard = None;
    }

    /// Returns how many repositories have been listed and how many are known, for a progress bar.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        self.observer.progress()
    }
}
