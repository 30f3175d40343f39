//! Where the environments' tasks note how their passes end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::{EnvironmentStatus, Failing, Pass, Pushed, now};
use crate::engine::plan::Note;
use crate::engine::{EnvironmentConfig, Outcome, PassError};
use crate::error::chain;
use crate::telemetry::metrics::PassResult;

/// What is noted of all environments, and when that began.
pub(in crate::engine) struct Board {
    started_at: Timestamp,
    environments: Mutex<HashMap<String, Noted>>,
}

/// What is noted of one environment.
#[derive(Clone, Default)]
struct Noted {
    last_pass: Option<Pass>,
    commit: Option<String>,
    last_push: Option<Pushed>,
    failing: Option<Failing>,
    sites: usize,
    notes: Arc<[Note]>,
}

impl Board {
    pub(in crate::engine) fn new() -> Self {
        Self { started_at: now(), environments: Mutex::default() }
    }

    pub(super) fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Notes that a pass over an environment has ended.
    pub(in crate::engine) fn passed(&self, environment: &str, result: &Result<Outcome, PassError>, what: PassResult, took: Duration) {
        let at = now();
        let mut environments = self.environments.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = environments.entry(environment.to_owned()).or_default();
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        noted.last_pass = Some(Pass { result: what.as_str(), at, duration_ms });
        match result {
            Ok(outcome) => {
                noted.failing = None;
                noted.commit = Some(outcome.pushed.as_ref().unwrap_or(&outcome.base).clone());
                if let Some(commit) = &outcome.pushed {
                    noted.last_push = Some(Pushed { commit: commit.clone(), at, changes: outcome.changes.len() });
                }
                noted.sites = outcome.sites;
                noted.notes = Arc::clone(&outcome.notes);
            }
            Err(error) => Failing::note(&mut noted.failing, &chain(error).to_string().into(), error),
        }
    }

    /// Returns what is known of these environments.
    pub(super) fn environments(&self, configs: &[EnvironmentConfig]) -> Vec<EnvironmentStatus> {
        let environments = self.environments.lock().unwrap_or_else(PoisonError::into_inner);
        let status = |config: &EnvironmentConfig| {
            let Noted { last_pass, commit, last_push, failing, sites, notes } = environments.get(&config.name).cloned().unwrap_or_default();
            EnvironmentStatus {
                environment: config.name.clone(),
                url: config.git.url.to_string(),
                branch: config.git.branch.clone(),
                last_pass,
                commit,
                last_push,
                failing,
                sites,
                notes_total: notes.len(),
                notes,
            }
        };
        configs.iter().map(status).collect()
    }
}
