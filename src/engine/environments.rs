//! When the passes of an environment run, and what is told about them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument;

use super::edges::Edge;
use super::observer::jittered;
use super::plan::{Note, NoteKind};
pub(super) use super::reconcile::Purpose;
use super::reconcile::{Outcome, PassError, Workspace, pass};
use super::{Engine, EnvironmentConfig};
use crate::error::{Classified, Verdict, chain};
use crate::retry::Backoff;
use crate::shutdown::CancellationToken;
use crate::telemetry::metrics::PassResult;

/// How long a pass of the daemon waits for listings; slower ones are decided on in the next pass, so that one slow registry delays nobody.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a single pass waits for listings; each has its own deadline, far below.
const PATIENCE_ONCE: Duration = Duration::from_secs(15 * 60);
/// Added to the wait for a moment, so that it has surely come.
const A_MOMENT: Duration = Duration::from_millis(20);
/// How long a failing environment waits for its next pass.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(5 * 60));
/// How long an environment rests after a bug in its task.
const AFTER_A_BUG: Duration = Duration::from_secs(60);
/// More changes or notes than these of one pass are counted in the log, not listed.
const MOST_LINES: usize = 20;

/// The result of a single pass over one environment.
#[derive(Debug)]
pub struct Once {
    /// The environment's name.
    pub environment: String,
    /// What the pass did, or why it did not reach its end.
    pub result: Result<Outcome, PassError>,
}

/// Keeps an environment reconciled until `stop` is cancelled; a bug in its task is told and the task begun anew.
pub(super) async fn watch(engine: Arc<Engine>, environment: EnvironmentConfig, stop: CancellationToken) {
    let span = tracing::info_span!("environment", environment = %environment.name);
    loop {
        let task = Task::new(Arc::clone(&engine), environment.clone(), stop.clone());
        let Err(error) = tokio::spawn(task.run().instrument(span.clone())).await else { return };
        span.in_scope(|| tracing::error!(%error, "the environment's task ended by a bug; it begins anew in a minute"));
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(AFTER_A_BUG) => {}
        }
    }
}

/// Makes one pass over every environment, all at the same time.
pub(super) async fn once(engine: &Arc<Engine>, purpose: Purpose, stop: &CancellationToken) -> Vec<Once> {
    let start = |environment: EnvironmentConfig| {
        let (engine, stop) = (Arc::clone(engine), stop.clone());
        let name = environment.name.clone();
        let span = tracing::info_span!("environment", environment = %name);
        let run = async move {
            let mut task = Task::new(engine, environment, stop);
            let result = task.pass(purpose, PATIENCE_ONCE).await;
            // What failed is told by whoever asked for the pass.
            if result.is_ok() {
                task.tell(&result);
            }
            result
        };
        (name, tokio::spawn(run.instrument(span)))
    };
    let passes: Vec<_> = engine.config.environments.iter().cloned().map(start).collect();
    let mut results = Vec::new();
    for (environment, pass) in passes {
        let result = pass.await.unwrap_or_else(|error| Err(PassError::Panicked(error)));
        results.push(Once { environment, result });
    }
    results
}

/// What makes a note another one: its kind, file, path and reason.
type Told = (NoteKind, Arc<str>, Option<Arc<str>>, Arc<str>);

struct Task {
    engine: Arc<Engine>,
    workspace: Workspace,
    stop: CancellationToken,
    failures: u32,
    edge: Edge,
    /// The notes of the last pass, so that only new ones are told.
    told: HashSet<Told>,
}

impl Task {
    fn new(engine: Arc<Engine>, environment: EnvironmentConfig, stop: CancellationToken) -> Self {
        let workspace = Workspace::new(&engine, environment, stop.clone());
        Self { engine, workspace, stop, failures: 0, edge: Edge::default(), told: HashSet::new() }
    }

    async fn run(mut self) {
        let mut changes = self.engine.observer.changes();
        while !self.stop.is_cancelled() {
            changes.mark_unchanged();
            let result = self.pass(Purpose::Push, PATIENCE).await;
            self.tell(&result);
            let delay = self.delay(&result);
            self.wait(&mut changes, Instant::now() + delay).await;
        }
    }

    async fn pass(&mut self, purpose: Purpose, patience: Duration) -> Result<Outcome, PassError> {
        let started = Instant::now();
        // The stop is obeyed between the steps and before the push, never within one.
        let result = Box::pin(pass(&self.engine, &mut self.workspace, purpose, patience, &self.stop)).await;
        let what = match &result {
            Ok(Outcome { pushed: Some(_), .. }) => PassResult::Pushed,
            Ok(_) => PassResult::Unchanged,
            Err(error) => PassResult::Failed(error.verdict()),
        };
        self.engine.metrics.passed(&self.workspace.config.name, what, started.elapsed(), Timestamp::now());
        if !(result.is_err() && self.stop.is_cancelled()) {
            self.engine.board.passed(&self.workspace.config.name, &result, what, started.elapsed());
        }
        result
    }

    /// Returns when the next pass is due, if nothing happens before.
    fn delay(&mut self, result: &Result<Outcome, PassError>) -> Duration {
        let interval = jittered(self.engine.config.interval);
        match result.as_ref().map_err(Classified::verdict) {
            Ok(_) => {
                self.failures = 0;
                let change = self.workspace.change.map(|change| change.duration_since(Timestamp::now()));
                // A moment later, so that the clock has surely come to it.
                let change = change.map(|change| Duration::try_from(change).unwrap_or_default() + A_MOMENT);
                change.map_or(interval, |change| change.min(interval))
            }
            Err(Verdict::Retry { after }) => {
                self.failures = self.failures.saturating_add(1);
                BACKOFF.delay(self.failures).max(after.unwrap_or_default())
            }
            Err(Verdict::Stalled | Verdict::Bug) => {
                self.failures = self.failures.saturating_add(1);
                interval
            }
        }
    }

    /// Waits for the time of the next pass, or for an observation that this environment has not decided on.
    async fn wait(&self, changes: &mut tokio::sync::watch::Receiver<u64>, next: Instant) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep_until(next) => return,
                changed = changes.changed() => {
                    // While the environment fails its backoff rules.
                    let news = self.engine.observer.stamp(&self.workspace.watched) != self.workspace.decided;
                    if changed.is_err() || (news && self.failures == 0) {
                        return;
                    }
                }
            }
        }
    }

    /// Reports a pass: log, metrics and health.
    fn tell(&mut self, result: &Result<Outcome, PassError>) {
        let name = self.workspace.config.name.clone();
        match result {
            Ok(outcome) => {
                self.edge.succeeded(std::time::Instant::now(), |since| tracing::info!(failing_for = %since, "recovered"));
                self.tell_changes(outcome);
                self.tell_notes(&outcome.notes);
                self.count(outcome);
                self.engine.tell_unused_rules(&name, &outcome.rules);
            }
            // The stop tore it, and is told where it was asked for; the next start takes the work up.
            Err(error) if self.stop.is_cancelled() => tracing::debug!(reason = %chain(error), "the pass was stopped"),
            Err(error) => self.tell_failure(error),
        }
        self.engine.health.passed(&name);
    }

    fn count(&self, outcome: &Outcome) {
        let (metrics, name) = (&self.engine.metrics, &self.workspace.config.name);
        metrics.sites(name, outcome.sites as u64);
        let mut skipped = outcome.skipped.clone();
        for note in outcome.notes.iter().filter(|note| note.kind.is_about_a_file() && note.kind != NoteKind::Skipped) {
            *skipped.entry(note.kind.as_str()).or_default() += 1;
        }
        metrics.files_skipped(name, &skipped);
        if outcome.pushed.is_some() {
            metrics.pushed(name, outcome.changes.len() as u64);
        }
    }

    fn tell_failure(&mut self, error: &PassError) {
        let reason: Arc<str> = chain(error).to_string().into();
        let (hint, verdict) = (error.hint(), error.verdict().as_str());
        self.edge.failed(std::time::Instant::now(), &reason, |count, since| {
            if error.verdict() == Verdict::Bug {
                tracing::error!(reason = %reason, verdict, count, failing_for = %since, "the pass failed by a bug");
            } else {
                tracing::warn!(reason = %reason, hint = hint.as_deref(), verdict, count, failing_for = %since, "the pass failed");
            }
        });
    }

    fn tell_changes(&self, outcome: &Outcome) {
        let Some(commit) = &outcome.pushed else { return };
        for change in outcome.changes.iter().take(MOST_LINES) {
            let from = change.from.as_ref().map(crate::image::Tag::as_str);
            tracing::info!(repository = %change.repository, from, tag = %change.to, file = &*change.file, path = &*change.path, policy = &*change.policy, "changed");
        }
        let (changes, races) = (outcome.changes.len(), outcome.races);
        tracing::info!(commit, changes, races, "pushed");
    }

    /// Tells the notes that the last pass did not have.
    fn tell_notes(&mut self, notes: &[Note]) {
        let identity = |note: &Note| (note.kind, note.file.clone(), note.path.clone(), note.reason.clone());
        let now: HashSet<_> = notes.iter().map(identity).collect();
        let new: Vec<&Note> = notes.iter().filter(|note| !self.told.contains(&identity(note))).collect();
        for note in new.iter().take(MOST_LINES) {
            let Note { kind, file, path, repository, tag, reason } = note;
            let (kind, file, path, repository, tag, reason) = (
                kind.as_str(),
                &**file,
                path.as_deref(),
                repository.as_ref().map(tracing::field::display),
                tag.as_ref().map(tracing::field::display),
                &**reason,
            );
            match note.kind {
                NoteKind::Unproved => {
                    tracing::error!(kind, file, path, repository, tag, reason, "the edit failed its proof; the file is left as it is");
                }
                // Its listing's failure has been told already.
                NoteKind::Unlisted => tracing::debug!(kind, file, path, repository, tag, reason, "left alone"),
                _ => tracing::info!(kind, file, path, repository, tag, reason, "left alone"),
            }
        }
        if new.len() > MOST_LINES {
            tracing::info!(more = new.len() - MOST_LINES, "further sites and files are left alone; see `tagboat plan`");
        }
        self.told = now;
    }
}
