//! What is told about the watched repositories, to the status and to the metrics.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::Observer;
use crate::engine::status::{RepositoryStatus, now};
use crate::registry::HostState;

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

    /// Returns how it stands with each registry.
    pub(in crate::engine) fn registries(&self) -> Vec<HostState> {
        self.client.states()
    }

    /// Brings the metrics of registries up to date.
    pub(super) fn measure(&self) {
        let inner = self.lock();
        let mut counts = HashMap::<&str, (u64, u64)>::new();
        for (repository, entry) in &inner.entries {
            let (all, failing) = counts.entry(repository.registry().as_str()).or_default();
            *all += 1;
            *failing += u64::from(entry.observed.failure.is_some());
        }
        // The client knows every registry that a repository was ever of, so one whose last repository is gone reads 0.
        for state in self.client.states() {
            self.metrics.registry(&state.registry, &state.metrics());
            let (all, failing) = counts.get(state.registry.as_str()).copied().unwrap_or_default();
            self.metrics.repositories(&state.registry, all, failing);
        }
    }
}

/// Returns the time at `then` of the clock, which reads `clock` at `time`; what has passed is now.
fn later(time: Timestamp, clock: Instant, then: Instant) -> Timestamp {
    let wait = SignedDuration::from_millis(then.saturating_duration_since(clock).as_millis().try_into().unwrap_or(i64::MAX));
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::observer::Entry;
    use crate::engine::{Config, Engine};
    use crate::image::{Repository, TagRef};
    use std::time::Duration;

    fn engine() -> Arc<Engine> {
        let config = Config { interval: Duration::from_secs(60), state_dir: "unused".into(), environments: Vec::new(), images: Vec::new() };
        Engine::new(config, crate::registry::Client::new(crate::registry::Config::default()).unwrap(), Arc::default())
    }

    #[test]
    fn ten_thousand_repositories_are_told_quickly() {
        let engine = engine();
        let tags: crate::image::TagList = (0..100)
            .map(|n| n.to_string())
            .map(|tag| TagRef::parse(&tag).unwrap().to_tag())
            .collect::<Vec<_>>()
            .iter()
            .map(crate::image::Tag::as_tag_ref)
            .collect();
        {
            let mut inner = engine.observer.lock();
            for n in 0..10_000 {
                let repository = Repository::parse(&format!("registry-{}.example.com/acme/api-{n}", n % 7)).unwrap();
                inner.used.entry(format!("env-{}", n % 5)).or_default().insert(repository.clone());
                inner.entries.insert(repository, Entry::new(Duration::from_secs(60), Some(tags.clone()), Instant::now()));
            }
        }
        let begun = std::time::Instant::now();
        let status = engine.status();
        let copied = begun.elapsed();
        assert!(engine.observer.inner.try_lock().is_ok(), "the lock is free while the status is written");
        let bytes = serde_json::to_vec(&status).unwrap();
        let all = begun.elapsed();
        println!("copied in {copied:?}, written in {all:?}, {} bytes", bytes.len());
        assert_eq!(status.repositories.len(), 10_000);
        assert!(status.repositories.is_sorted_by(|a, b| a.repository < b.repository));
        assert!(all < Duration::from_secs(2), "{all:?}"); // without optimisation, beside other tests
        assert!(bytes.len() < 4_000_000, "{}", bytes.len());
        assert_eq!(status.only(None, Some("env-3")).repositories.len(), 2000);
    }

    #[test]
    fn a_time_that_has_passed_is_now() {
        let (clock, time) = (Instant::now(), Timestamp::UNIX_EPOCH);
        assert_eq!(later(time, clock, clock + Duration::from_secs(90)), Timestamp::from_second(90).unwrap());
        assert_eq!(later(time, clock + Duration::from_secs(5), clock), time);
    }
}
