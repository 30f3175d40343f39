//! A repository on the watch list, and what is told about its failures and its host's.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::latch::Latch;
use super::{Observed, jittered};
use crate::engine::edges::Edge;
use crate::error::{Classified, Verdict, chain};
use crate::image::{Repository, TagList};
use crate::registry::{self, Listing};
use crate::retry::Backoff;

/// How long a failing repository waits for its next listing: from the first failure, doubled up to the greatest.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(15 * 60));

/// Why a listing failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListingError {
    /// The registry could not be asked, or its answer not be used.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The listing ended by a panic.
    #[error("the listing ended by a bug")]
    Panicked(#[from] tokio::task::JoinError),
}

impl Classified for ListingError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Registry(error) => error.verdict(),
            Self::Panicked(_) => Verdict::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Registry(error) => error.hint(),
            Self::Panicked(_) => None,
        }
    }
}

/// A repository on the watch list.
pub(super) struct Entry {
    pub(super) interval: Duration,
    pub(super) observed: Observed,
    /// The last good listing of this run: what spares work the next time.
    pub(super) listing: Option<Listing>,
    /// The generation in which `observed` last changed.
    pub(super) changed: u64,
    /// When it is to be listed next; none while it is queued or being listed.
    pub(super) due: Option<Instant>,
    failures: u32,
    edge: Edge,
    pub(super) waiters: Vec<Arc<Latch>>,
}

/// A host whose failures are told once for all its repositories, until none of them meets one any more.
#[derive(Default)]
pub(super) struct Host {
    edge: Edge,
    /// The repositories whose last listing failed by the host's fault.
    failing: HashSet<Repository>,
}

impl Host {
    fn fails_for(&mut self, repository: &Repository) -> &mut Edge {
        self.failing.insert(repository.clone());
        &mut self.edge
    }

    fn works_for(&mut self, repository: &Repository, now: std::time::Instant) {
        if self.failing.remove(repository) && self.failing.is_empty() {
            let registry = repository.registry();
            self.edge.succeeded(now, |since| tracing::info!(%registry, failing_for = %since, "recovered"));
        }
    }

    /// Forgets repositories that are not watched any more.
    pub(super) fn forget_all_but(&mut self, kept: impl Fn(&Repository) -> bool) {
        self.failing.retain(kept);
        if self.failing.is_empty() {
            self.edge = Edge::default();
        }
    }
}

impl Entry {
    pub(super) fn new(interval: Duration, tags: Option<TagList>, now: Instant) -> Self {
        let observed = Observed { tags, failure: None };
        Self { interval, observed, listing: None, changed: 0, due: Some(now), failures: 0, edge: Edge::default(), waiters: Vec::new() }
    }

    /// Notes a good listing.
    pub(super) fn succeeded(&mut self, repository: &Repository, host: &mut Host, listing: Listing) {
        let (registry, now) = (repository.registry(), Instant::now().into_std());
        host.works_for(repository, now);
        self.edge.succeeded(now, |since| tracing::info!(%registry, %repository, failing_for = %since, "recovered"));
        self.failures = 0;
        let invalid = |listing: &Listing| listing.omitted().invalid;
        let count = invalid(&listing);
        if count > 0 && self.listing.as_ref().is_none_or(|before| invalid(before) == 0) {
            tracing::warn!(%registry, %repository, count, "the registry lists what cannot be tags; these are left out");
        }
        self.observed = Observed { tags: Some(listing.tags().clone()), failure: None };
        self.listing = Some(listing);
    }

    /// Notes a failed listing; returns the delay until the next.
    pub(super) fn failed(&mut self, repository: &Repository, host: &mut Host, error: &ListingError) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let reason: Arc<str> = chain(error).to_string().into();
        let delay = match error.verdict() {
            Verdict::Retry { after: None } => BACKOFF.delay(self.failures).min(self.interval),
            Verdict::Retry { after: Some(after) } => BACKOFF.delay(self.failures).min(self.interval).max(after),
            Verdict::Stalled | Verdict::Bug => jittered(self.interval),
        };
        self.tell(repository, host, error, &reason, delay);
        self.observed.failure = Some(reason);
        delay
    }

    /// Tells a failure: one of the host is told once for all its repositories.
    fn tell(&mut self, repository: &Repository, host: &mut Host, error: &ListingError, reason: &Arc<str>, delay: Duration) {
        let (registry, now) = (repository.registry(), Instant::now().into_std());
        let (hint, verdict, next_try) = (error.hint(), error.verdict().as_str(), format!("{}s", delay.as_secs()));
        let hint = hint.as_deref();
        if matches!(error, ListingError::Registry(error) if error.is_of_the_host()) {
            host.fails_for(repository).failed(now, reason, |count, since| {
                tracing::warn!(%registry, %reason, hint, verdict, count, failing_for = %since, next_try, "the registry fails; what was listed before stays in use");
            });
            return;
        }
        host.works_for(repository, now);
        let effect = if self.observed.tags.is_some() {
            "listing failed; the last good listing stays in use"
        } else {
            "listing failed; nothing is decided"
        };
        self.edge.failed(now, reason, |count, since| {
            tracing::warn!(%registry, %repository, %reason, hint, verdict, count, failing_for = %since, next_try, "{effect}");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_recovered_when_none_of_its_repositories_fails_any_more() {
        let repository = |name: &str| Repository::parse(&format!("ghcr.io/acme/{name}")).unwrap();
        let (mut host, now) = (Host::default(), std::time::Instant::now());
        let mut told = 0;
        let reason: Arc<str> = "503".into();
        host.fails_for(&repository("bad")).failed(now, &reason, |_, _| told += 1);
        for _ in 0..10 {
            // A neighbour that works does not end the failure, so that the next one is no news.
            host.works_for(&repository("good"), now);
            host.fails_for(&repository("bad")).failed(now, &reason, |_, _| told += 1);
        }
        assert_eq!(told, 1);
        host.works_for(&repository("bad"), now);
        host.fails_for(&repository("bad")).failed(now, &reason, |_, _| told += 1);
        assert_eq!(told, 2, "after it had recovered it is news");
        host.forget_all_but(|_| false);
        host.fails_for(&repository("good")).failed(now, &reason, |_, _| told += 1);
        assert_eq!(told, 3);
    }
}
