//! What is known now, for the probes and the status page.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::plan::Note;

/// More notes than these of one environment are counted, not kept.
const MOST_NOTES: usize = 1000;

/// A failure that lasts.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    /// The reason, with its causes.
    pub reason: String,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What is done next: `retry`, `stalled` or `bug`.
    pub verdict: &'static str,
    /// When it began.
    pub since: Timestamp,
}

/// What is known about an environment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EnvironmentStatus {
    /// The commit last seen on the branch.
    pub commit: Option<String>,
    /// How many sites a rule covers.
    pub sites: usize,
    /// How many passes have ended, well or not.
    pub passes: u64,
    /// When a pass last ended well.
    pub last_success: Option<Timestamp>,
    /// What fails now.
    pub failing: Option<Failure>,
    /// Why sites and files were left alone.
    pub notes: Arc<[Note]>,
    /// How many notes there are, of which at most 1,000 are kept.
    pub notes_total: usize,
}

/// What is known now.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// When the daemon started.
    pub started: Timestamp,
    /// The environments by name.
    pub environments: BTreeMap<String, EnvironmentStatus>,
}

/// The place where the engine keeps the status and others read it.
#[derive(Debug)]
pub struct StatusCell {
    status: Mutex<Status>,
    heartbeat: Mutex<Instant>,
}

impl StatusCell {
    pub(super) fn new(names: impl Iterator<Item = String>) -> Self {
        let environments = names.map(|name| (name, EnvironmentStatus::default())).collect();
        Self { status: Mutex::new(Status { started: Timestamp::now(), environments }), heartbeat: Mutex::new(Instant::now()) }
    }

    fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a copy of what is known.
    #[must_use]
    pub fn snapshot(&self) -> Status {
        self.lock().clone()
    }

    pub(super) fn update(&self, environment: &str, change: impl FnOnce(&mut EnvironmentStatus)) {
        change(self.lock().environments.entry(environment.to_owned()).or_default());
    }

    pub(super) fn beat(&self) {
        *self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Says whether the engine is at work; it shows a sign of life every second.
    ///
    /// # Errors
    /// If there was none for a minute, with a sentence for the probe's answer.
    pub fn live(&self) -> Result<(), String> {
        let silent = self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if silent < Duration::from_secs(60) { Ok(()) } else { Err(format!("the engine has been silent for {}s", silent.as_secs())) }
    }

    /// Says whether every environment has had its first pass, well or not; once true it stays true.
    ///
    /// # Errors
    /// If not, with a sentence for the probe's answer.
    pub fn ready(&self) -> Result<(), String> {
        let status = self.lock();
        let waiting: Vec<&str> = status.environments.iter().filter(|(_, e)| e.passes == 0).map(|(name, _)| name.as_str()).collect();
        if waiting.is_empty() { Ok(()) } else { Err(format!("no pass has ended yet for {}", waiting.join(", "))) }
    }
}

impl EnvironmentStatus {
    pub(super) fn set_notes(&mut self, notes: &[Note]) {
        self.notes_total = notes.len();
        self.notes = notes.iter().take(MOST_NOTES).cloned().collect();
    }
}

pub(super) fn as_text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn as_optional_text<S: Serializer>(value: &Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
