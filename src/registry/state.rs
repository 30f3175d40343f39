//! How it stands with each registry, for people and machines to look at. Plain data.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

use crate::telemetry::metrics::RegistryNow;

use super::circuit::Circuit;
use super::limits::Limit;

/// How it stands with a registry at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostState {
    /// The registry's host.
    pub registry: String,
    /// The mirror that stands for it, if one does; then nothing else here moves, but in the mirror's own state.
    pub mirror: Option<String>,
    /// Requests made since the start, those for tokens and repeated ones included.
    pub requests: u64,
    /// Answers since the start that meant "too much".
    pub throttled: u64,
    /// Requests that wait for their turn.
    pub waiting: usize,
    /// Requests under way.
    pub in_flight: usize,
    /// How many may be under way at once now: fewer than configured for some time after too many.
    pub concurrency: usize,
    /// Whether it is left alone because it fails.
    pub circuit: CircuitState,
    /// Until when it wants to be left alone.
    pub paused_until: Option<Timestamp>,
    /// What it said last about its limits.
    pub limit: Option<LimitState>,
}

/// Whether a registry is left alone because it fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CircuitState {
    /// It is asked as ever.
    Closed {
        /// Failures in a row so far.
        failures: u32,
        /// The last one.
        reason: Option<Arc<str>>,
    },
    /// It is not asked.
    Open {
        /// When the failures began.
        since: Timestamp,
        /// When it is tried again.
        until: Timestamp,
        /// Failures in a row.
        failures: u32,
        /// The last one.
        reason: Arc<str>,
    },
    /// One request tries whether it works again, or the next one will.
    Trying {
        /// When the failures began.
        since: Timestamp,
        /// Failures in a row.
        failures: u32,
        /// The last one.
        reason: Arc<str>,
    },
}

/// What a registry said about its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitState {
    /// The most in a window, if it says so.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: u64,
    /// The length of the window in seconds, if it says so.
    pub window_seconds: Option<u64>,
    /// Whether only manifests that are fetched count, as at Docker Hub.
    pub pulls_only: bool,
    /// When it said so.
    pub seen: Timestamp,
}

impl From<&Circuit> for CircuitState {
    fn from(circuit: &Circuit) -> Self {
        match (circuit.failing(), circuit.rests_until(Instant::now())) {
            (Some((failures, since, reason)), Some(Some(until))) => Self::Open { since, until: timestamp(until), failures, reason },
            (Some((failures, since, reason)), Some(None)) => Self::Trying { since, failures, reason },
            (Some((failures, _, reason)), None) => Self::Closed { failures, reason: Some(reason) },
            (None, _) => Self::Closed { failures: 0, reason: None },
        }
    }
}

impl From<(Limit, Instant)> for LimitState {
    fn from((limit, seen): (Limit, Instant)) -> Self {
        Self {
            limit: limit.limit,
            remaining: limit.remaining,
            window_seconds: limit.window.map(|window| window.as_secs()),
            pulls_only: limit.pulls_only,
            seen: timestamp(seen),
        }
    }
}

impl HostState {
    /// Returns what of this is shown as metrics.
    #[must_use]
    pub fn metrics(&self) -> RegistryNow {
        let paused = self.paused_until.map(|until| until.duration_since(Timestamp::now()).unsigned_abs());
        RegistryNow {
            requests: self.requests,
            throttled: self.throttled,
            in_flight: self.in_flight,
            circuit_open: !matches!(self.circuit, CircuitState::Closed { .. }),
            paused: paused.unwrap_or_default(),
            pulls: self.limit.as_ref().filter(|limit| limit.pulls_only).map(|limit| (limit.remaining, limit.limit)),
        }
    }
}

/// Turns a point of the monotonic clock into one that people know.
pub(super) fn timestamp(at: Instant) -> Timestamp {
    let (now, wall) = (Instant::now(), Timestamp::now());
    let moved = if at >= now { wall.checked_add(at - now) } else { wall.checked_sub(now - at) };
    // Waits are no longer than days, so this stays within the calendar.
    moved.unwrap_or(wall)
}
