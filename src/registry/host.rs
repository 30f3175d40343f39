//! What is kept for each registry: its address, its limits, and what was learned about it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use url::Url;

use crate::image::Registry;
use crate::retry::Backoff;

use super::challenge::Challenges;
use super::config;
use super::error::Cause;

/// The longest that a request waits because its registry wants to be left alone; a longer pause is handed to the caller as an error.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Docker Hub's API; `docker.io` itself is a web site.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// One registry as the client sees it.
pub(super) struct Host {
    pub(super) registry: Registry,
    /// The API's root, `https://ghcr.io/v2/`.
    pub(super) base: Url,
    pub(super) config: config::Host,
    pub(super) http: reqwest::Client,
    pub(super) backoff: Backoff,
    permits: Semaphore,
    rate: Option<DefaultDirectRateLimiter>,
    requests: AtomicU64,
    /// Until when the registry wants to be left alone.
    pause: Mutex<Option<Instant>>,
    pub(super) challenges: Mutex<Challenges>,
    /// Whether it refuses a page size.
    without_page_size: AtomicBool,
}

impl Host {
    pub(super) fn new(registry: Registry, config: config::Host, http: reqwest::Client, backoff: Backoff) -> Result<Self, Cause> {
        let base = base(&registry, config.plain_http)?;
        Ok(Self {
            base,
            http,
            backoff,
            permits: Semaphore::new(config.concurrency.clamp(1, Semaphore::MAX_PERMITS)),
            rate: config.rate.and_then(NonZeroU32::new).map(|rate| RateLimiter::direct(Quota::per_second(rate))),
            requests: AtomicU64::new(0),
            pause: Mutex::new(None),
            challenges: Mutex::default(),
            without_page_size: AtomicBool::new(false),
            registry,
            config,
        })
    }

    /// Returns the URL of something below `/v2/`.
    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{path}"));
        url
    }

    /// Says whether a URL is of this registry itself, the only place its credential may be sent to directly.
    pub(super) fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    /// Waits for this request's turn: a pause that the registry asked for, then a place among those in flight, then the rate.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Cause> {
        let mut patience = LONGEST_PAUSE;
        loop {
            self.wait_out_pause(&mut patience).await?;
            // The semaphore is never closed.
            let permit = self.permits.acquire().await.map_err(|_| Cause::Throttled { after: Duration::ZERO })?;
            if let Some(rate) = &self.rate {
                rate.until_ready().await;
            }
            // Others may have met a refusal while this one waited.
            if self.pause_left().is_none() {
                self.requests.fetch_add(1, Ordering::Relaxed);
                return Ok(permit);
            }
        }
    }

    async fn wait_out_pause(&self, patience: &mut Duration) -> Result<(), Cause> {
        while let Some(left) = self.pause_left() {
            if left > *patience {
                return Err(Cause::Throttled { after: left });
            }
            *patience -= left;
            tokio::time::sleep(left).await;
        }
        Ok(())
    }

    fn pause_left(&self) -> Option<Duration> {
        let left = lock(&self.pause).as_ref()?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Leaves the registry alone for a while, because it said so.
    pub(super) fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut pause = lock(&self.pause);
        if pause.is_none_or(|earlier| earlier < until) {
            *pause = Some(until);
        }
    }

    pub(super) fn takes_page_size(&self) -> bool {
        !self.without_page_size.load(Ordering::Relaxed)
    }

    pub(super) fn refuses_page_size(&self) {
        self.without_page_size.store(true, Ordering::Relaxed);
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Locks what no panic can leave half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn base(registry: &Registry, plain_http: bool) -> Result<Url, Cause> {
    let host = if registry.is_docker_hub() { DOCKER_HUB_API } else { registry.as_str() };
    let scheme = if plain_http { "http" } else { "https" };
    let url = format!("{scheme}://{host}/v2/");
    Url::parse(&url).map_err(|_| Cause::Url(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (registry, plain, expected) in [
            ("docker.io", false, "https://registry-1.docker.io/v2/"),
            ("index.docker.io", false, "https://registry-1.docker.io/v2/"),
            ("GHCR.io", false, "https://ghcr.io/v2/"),
            ("localhost:5000", true, "http://localhost:5000/v2/"),
            ("localhost:5000", false, "https://localhost:5000/v2/"),
            ("[fd12::1]:5000", true, "http://[fd12::1]:5000/v2/"),
            ("[::1]", false, "https://[::1]/v2/"),
        ] {
            assert_eq!(base(&Registry::parse(registry).unwrap(), plain).unwrap().as_str(), expected);
        }
    }
}
