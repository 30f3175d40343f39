//! What is told about the watched repositories, to the status and to the metrics.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Observer;
use crate::engine::status::{RepositoryStatus, now};
use crate::image::Registry;

impl Observer {
    /// Returns what is known about each watched repository, in no order.
    pub(in crate::engine) fn repositories(&self) -> Vec<RepositoryStatus> {
        let (clock, time) = (Instant::now(), now());
        let inner = self.lock();
        let used: Vec<(Arc<str>, _)> = inner.used.iter().map(|(name, set)| (Arc::from(name.as_str()), set)).collect();
        let status = |(repository, entry): (&crate::image::Repository, &super::Entry)| {
            let users = used.iter().filter(|(_, set)| set.contains(repository)).map(|(name, _)| Arc::clone(name));
            RepositoryStatus {
                registry: repository.registry().clone(),
                repository: repository.clone(),
                environments: users.collect(),
                tags: entry.observed.tags.as_ref().map(crate::image::TagList::len),
                listed_at: entry.listings.listed_at,
                next_listing_at: entry.due.map(|due| later(time, clock, due)),
                failing: entry.listings.failing.clone(),
            }
        };
        inner.entries.iter().map(status).collect()
    }

    /// Returns how many requests each registry was sent.
    pub(in crate::engine) fn requests(&self) -> Vec<(Registry, u64)> {
        self.client.requests()
    }

    /// Brings the metrics of registries up to date.
    pub(super) fn measure(&self) {
        let mut counts = HashMap::<Registry, (u64, u64)>::new();
        for (repository, entry) in &self.lock().entries {
            let (all, failing) = counts.entry(repository.registry().clone()).or_default();
            *all += 1;
            *failing += u64::from(entry.observed.failure.is_some());
        }
        // The client knows every registry that a repository was ever of, so one whose last repository is gone reads 0.
        for (registry, requests) in self.client.requests() {
            self.metrics.requested(registry.as_str(), requests);
            let (all, failing) = counts.get(&registry).copied().unwrap_or_default();
            self.metrics.repositories(registry.as_str(), all, failing);
        }
    }
}

/// Returns the time at `then` of the clock, which reads `clock` at `time`; what has passed is now.
fn later(time: Timestamp, clock: Instant, then: Instant) -> Timestamp {
    let wait = SignedDuration::from_millis(then.saturating_duration_since(clock).as_millis().try_into().unwrap_or(i64::MAX));
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
