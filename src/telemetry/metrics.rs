//! Every metric family, by name, in one place.
//!
//! Owns names, labels and buckets, and offers one method for each thing that happens; the engine never sees a family.
//! Labels come from the policy file (registries, environments) or are words of ours, so their number is bounded.

mod process;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::error::Verdict;

/// Seconds; from a registry in the same rack to one that has its requests queue.
const LISTING_SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Seconds; from an unchanged tree to a first clone over a slow line.
const PASS_SECONDS: [f64; 10] = [0.05, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 180.0, 600.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRegistry {
    registry: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfListing {
    registry: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfEnvironment {
    environment: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPass {
    environment: String,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
struct OfSkip {
    environment: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDelivery {
    webhook: String,
    result: &'static str,
}

/// How it stands with a registry at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegistryNow {
    /// Requests since the start.
    pub requests: u64,
    /// Answers since the start that meant "too much".
    pub throttled: u64,
    /// Requests under way.
    pub in_flight: usize,
    /// Whether it is left alone because it fails.
    pub circuit_open: bool,
    /// How long it still wants to be left alone.
    pub paused: Duration,
    /// The pulls that are left and the most there are, where the registry says so (Docker Hub).
    pub pulls: Option<(u64, Option<u64>)>,
}

/// What one pass over an environment came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassResult {
    /// Every site already says what its policy wants.
    Unchanged,
    /// A commit was pushed.
    Pushed,
    /// It failed; nothing was written.
    Failed(Verdict),
}

impl PassResult {
    /// Returns the label's value: `unchanged`, `pushed`, or the verdict on the failure.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Pushed => "pushed",
            Self::Failed(verdict) => verdict.as_str(),
        }
    }
}

/// The buckets of a histogram family.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// All metric families of the process; shared behind an `Arc`.
#[derive(Debug)]
pub struct Metrics {
    listings: Family<OfListing, Counter>,
    listing_duration: Family<OfRegistry, Histogram, Buckets>,
    registry_requests: Family<OfRegistry, Counter>,
    repositories: Family<OfRegistry, Gauge>,
    repositories_failing: Family<OfRegistry, Gauge>,
    registry_throttled: Family<OfRegistry, Counter>,
    registry_in_flight: Family<OfRegistry, Gauge>,
    registry_circuit_open: Family<OfRegistry, Gauge>,
    registry_paused: Family<OfRegistry, Gauge>,
    registry_pulls_remaining: Family<OfRegistry, Gauge>,
    registry_pulls_limit: Family<OfRegistry, Gauge>,
    pass_duration: Family<OfEnvironment, Histogram, Buckets>,
    passes: Family<OfPass, Counter>,
    commits: Family<OfEnvironment, Counter>,
    changes: Family<OfEnvironment, Counter>,
    push_races: Family<OfEnvironment, Counter>,
    sites: Family<OfEnvironment, Gauge>,
    files_skipped: Family<OfSkip, Gauge>,
    /// Which of `files_skipped` were ever set: one that vanishes must read 0, not its last count.
    skips_seen: Mutex<BTreeSet<OfSkip>>,
    environment_failing: Family<OfEnvironment, Gauge>,
    last_success: Family<OfEnvironment, Gauge>,
    webhook_deliveries: Family<OfDelivery, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listings: Family::default(),
            listing_duration: Family::new_with_constructor(Buckets(&LISTING_SECONDS)),
            registry_requests: Family::default(),
            repositories: Family::default(),
            repositories_failing: Family::default(),
            registry_throttled: Family::default(),
            registry_in_flight: Family::default(),
            registry_circuit_open: Family::default(),
            registry_paused: Family::default(),
            registry_pulls_remaining: Family::default(),
            registry_pulls_limit: Family::default(),
            pass_duration: Family::new_with_constructor(Buckets(&PASS_SECONDS)),
            passes: Family::default(),
            commits: Family::default(),
            changes: Family::default(),
            push_races: Family::default(),
            sites: Family::default(),
            files_skipped: Family::default(),
            skips_seen: Mutex::default(),
            environment_failing: Family::default(),
            last_success: Family::default(),
            webhook_deliveries: Family::default(),
        }
    }
}

impl Metrics {
    /// Puts all families, the build's version and the process's memory into `registry`.
    ///
    /// The encoder adds `_total` to the names of counters and `_info` to the build's.
    pub fn register(&self, registry: &mut Registry) {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("tagboat_build", "The version that runs", build);
        registry.register("tagboat_listings", "Listings of a repository's tags, by result", self.listings.clone());
        registry.register("tagboat_listing_duration_seconds", "Time to list a repository, all pages", self.listing_duration.clone());
        registry.register("tagboat_registry_requests", "HTTP requests sent to a registry", self.registry_requests.clone());
        registry.register("tagboat_repositories", "Watched repositories of a registry", self.repositories.clone());
        let failing = "Watched repositories of a registry whose last listing failed";
        registry.register("tagboat_repositories_failing", failing, self.repositories_failing.clone());
        registry.register("tagboat_registry_throttled", "Answers of a registry that meant too much", self.registry_throttled.clone());
        registry.register("tagboat_registry_in_flight", "HTTP requests to a registry that are under way", self.registry_in_flight.clone());
        let open = "1 while a registry is left alone because it fails";
        registry.register("tagboat_registry_circuit_open", open, self.registry_circuit_open.clone());
        registry.register("tagboat_registry_paused_seconds", "How long a registry asked to be left alone", self.registry_paused.clone());
        let remaining = "Pulls left in a registry's current window, as it said last";
        registry.register("tagboat_registry_pulls_remaining", remaining, self.registry_pulls_remaining.clone());
        registry.register("tagboat_registry_pulls_limit", "Pulls that a registry allows in a window", self.registry_pulls_limit.clone());
        registry.register("tagboat_pass_duration_seconds", "Time of a pass over an environment", self.pass_duration.clone());
        registry.register("tagboat_passes", "Passes over an environment, by result", self.passes.clone());
        registry.register("tagboat_commits", "Commits pushed", self.commits.clone());
        registry.register("tagboat_changes", "Image references changed in pushed commits", self.changes.clone());
        registry.register("tagboat_push_races", "Pushes that found the branch moved and were planned anew", self.push_races.clone());
        registry.register("tagboat_sites", "References to watched repositories in an environment", self.sites.clone());
        registry.register("tagboat_files_skipped", "Files that could not be read or edited, by reason", self.files_skipped.clone());
        registry.register("tagboat_environment_failing", "1 while an environment's passes fail", self.environment_failing.clone());
        let last = "Unix time of the last pass that did not fail";
        registry.register("tagboat_last_success_timestamp_seconds", last, self.last_success.clone());
        registry.register("tagboat_webhook_deliveries", "Push events delivered to a webhook, by result", self.webhook_deliveries.clone());
        registry.register_collector(Box::new(process::Memory));
    }

    /// Counts a listing and its time.
    pub fn listed(&self, registry: &str, result: Result<(), Verdict>, took: Duration) {
        let result = result.map_or_else(Verdict::as_str, |()| "ok");
        self.listings.get_or_create(&OfListing { registry: registry.to_owned(), result }).inc();
        self.listing_duration.get_or_create(&of_registry(registry)).observe(took.as_secs_f64());
    }

    /// Says how it stands with a registry now.
    pub fn registry(&self, registry: &str, now: &RegistryNow) {
        let of = of_registry(registry);
        let set = |family: &Family<OfRegistry, Gauge>, value: u64| {
            family.get_or_create(&of).set(value.try_into().unwrap_or(i64::MAX));
        };
        for (family, total) in [(&self.registry_requests, now.requests), (&self.registry_throttled, now.throttled)] {
            let counter = family.get_or_create(&of);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        set(&self.registry_in_flight, now.in_flight as u64);
        set(&self.registry_circuit_open, now.circuit_open.into());
        set(&self.registry_paused, now.paused.as_secs());
        if let Some((remaining, limit)) = now.pulls {
            set(&self.registry_pulls_remaining, remaining);
            limit.into_iter().for_each(|limit| set(&self.registry_pulls_limit, limit));
        }
    }

    /// Says how many repositories of a registry are watched now, and how many of these failed to be listed the last time.
    pub fn repositories(&self, registry: &str, all: u64, failing: u64) {
        for (family, count) in [(&self.repositories, all), (&self.repositories_failing, failing)] {
            family.get_or_create(&of_registry(registry)).set(count.try_into().unwrap_or(i64::MAX));
        }
    }

    /// Counts a pass over an environment and its time; `at` is when it ended.
    pub fn passed(&self, environment: &str, result: PassResult, took: Duration, at: Timestamp) {
        let failed = matches!(result, PassResult::Failed(_));
        self.passes.get_or_create(&OfPass { environment: environment.to_owned(), result: result.as_str() }).inc();
        let environment = of_environment(environment);
        self.pass_duration.get_or_create(&environment).observe(took.as_secs_f64());
        self.environment_failing.get_or_create(&environment).set(failed.into());
        if !failed {
            self.last_success.get_or_create(&environment).set(at.as_second());
        }
    }

    /// Counts a pushed commit that changed this many references.
    pub fn pushed(&self, environment: &str, changes: u64) {
        let environment = of_environment(environment);
        self.commits.get_or_create(&environment).inc();
        self.changes.get_or_create(&environment).inc_by(changes);
    }

    /// Counts a push that found the branch moved.
    pub fn raced(&self, environment: &str) {
        self.push_races.get_or_create(&of_environment(environment)).inc();
    }

    /// Counts a delivery to a webhook of the policy file.
    pub fn delivered(&self, webhook: &str, result: &'static str) {
        self.webhook_deliveries.get_or_create(&OfDelivery { webhook: webhook.to_owned(), result }).inc();
    }

    /// Says how many references to watched repositories an environment has now.
    pub fn sites(&self, environment: &str, count: u64) {
        self.sites.get_or_create(&of_environment(environment)).set(count.try_into().unwrap_or(i64::MAX));
    }

    /// Says how many files of an environment are skipped now, by reason; a reason that is not in `counts` goes to 0.
    pub fn files_skipped(&self, environment: &str, counts: &BTreeMap<&'static str, u64>) {
        let mut seen = self.skips_seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(counts.keys().map(|&reason| OfSkip { environment: environment.to_owned(), reason }));
        for skip in seen.iter().filter(|skip| skip.environment == environment) {
            let count = counts.get(skip.reason).copied().unwrap_or(0);
            self.files_skipped.get_or_create(skip).set(count.try_into().unwrap_or(i64::MAX));
        }
    }
}

fn of_registry(registry: &str) -> OfRegistry {
    OfRegistry { registry: registry.to_owned() }
}

fn of_environment(environment: &str) -> OfEnvironment {
    OfEnvironment { environment: environment.to_owned() }
}

#[cfg(test)]
mod tests;
