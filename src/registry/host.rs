//! What is kept for each registry: its address, its limits, and what was learned about it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use tokio::time::Instant;
use url::Url;

use crate::error::chain;
use crate::image::Registry;
use crate::retry::Backoff;

use super::challenge::Challenges;
use super::circuit::{Circuit, Open, Outcome};
use super::config;
use super::connect::{Clients, Connector};
use super::error::{Cause, is_temporary};
use super::gate::{Gate, Turn};
use super::limits::Limit;
use super::state::HostState;
use super::warnings::Warnings;
use super::wire::{self, Answer, Request};

/// Docker Hub's API; `docker.io` itself is a web site.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// One registry as the client sees it.
pub(super) struct Host {
    pub(super) registry: Registry,
    /// The API's root, `https://ghcr.io/v2/`.
    pub(super) base: Url,
    pub(super) config: config::Host,
    pub(super) backoff: Backoff,
    connector: Connector,
    gate: Gate,
    circuit: Mutex<Circuit>,
    requests: AtomicU64,
    throttled: AtomicU64,
    /// What it said last about its limits, and when.
    limit: Mutex<Option<(Limit, Instant)>>,
    warnings: Mutex<Warnings>,
    pub(super) challenges: Mutex<Challenges>,
    /// Whether it refuses a page size.
    without_page_size: AtomicBool,
}

impl Host {
    pub(super) fn new(registry: Registry, config: config::Host, connector: Connector, backoff: Backoff) -> Result<Self, Cause> {
        let base = base(&registry, config.plain_http)?;
        Ok(Self {
            base,
            backoff,
            connector,
            gate: Gate::new(config.concurrency, config.rate),
            circuit: Mutex::default(),
            requests: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            limit: Mutex::new(None),
            warnings: Mutex::default(),
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

    /// Says whether a server may see the client certificate: the registry itself and the token servers that the user vouches for.
    pub(super) fn is_trusted(&self, url: &Url) -> bool {
        self.is_own(url) || self.config.token_hosts.iter().any(|host| host.eq_ignore_ascii_case(&wire::name(url)))
    }

    /// Returns the connections to be used now.
    pub(super) fn clients(&self) -> Clients {
        self.connector.clients()
    }

    /// Waits for a request's turn: the pauses that the registry asked for, a place among those in flight, the pace.
    ///
    /// Who gets it must tell by [`Leave::ended`] what came of it.
    pub(super) async fn turn<'a>(&'a self, request: &'a Request) -> Result<Leave<'a>, Cause> {
        let turn = self.gate.turn(|| self.may_go(request)).await?;
        lock(&self.circuit).admit(Instant::now())?;
        self.requests.fetch_add(1, Ordering::Relaxed);
        Ok(Leave { host: self, request, turn, told: false })
    }

    /// Says whether there is use in waiting for a turn.
    fn may_go(&self, request: &Request) -> Result<(), Cause> {
        lock(&self.circuit).check(Instant::now())?;
        match self.spent() {
            Some((limit, after)) if limit.pulls_only && is_pull(request) => Err(Cause::PullsSpent { after }),
            _ => Ok(()),
        }
    }

    /// Returns what a request is about: the repository's path, or none for the registry as a whole and its token server.
    fn subject<'r>(&self, request: &'r Request) -> Option<&'r str> {
        let path = request.url.path();
        let end = path.rfind("/tags/").or_else(|| path.rfind("/manifests/"));
        end.filter(|_| self.is_own(&request.url)).map(|end| &path[..end])
    }

    /// Returns what the registry said of its limits, if nothing is left and nothing has come since.
    fn spent(&self) -> Option<(Limit, Duration)> {
        let (limit, seen) = (*lock(&self.limit))?;
        let left = (seen + limit.spent_for()?).saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some((limit, left))
    }

    /// Leaves the registry alone for a while, because it said so.
    pub(super) fn pause(&self, wait: Duration) {
        self.gate.pause(wait);
    }

    /// Notes what an answer of the registry's own says beside what was asked.
    fn note(&self, answer: &Answer) {
        for warning in lock(&self.warnings).news(&answer.headers) {
            tracing::warn!(registry = %self.registry, warning, "the registry warns");
        }
        if let Some(limit) = Limit::read(&answer.headers, Timestamp::now()) {
            *lock(&self.limit) = Some((limit, Instant::now()));
            // One that counts all requests would refuse the next; without a time it says too little to wait for.
            if let (false, Some(wait)) = (limit.pulls_only, limit.reset.or(limit.window).and(limit.spent_for())) {
                self.pause(wait);
            }
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

    /// Returns how it stands with the registry now.
    pub(super) fn state(&self) -> HostState {
        let (waiting, in_flight, concurrency) = self.gate.counts();
        HostState {
            registry: self.registry.to_string(),
            mirror: self.config.mirror.as_ref().map(ToString::to_string),
            requests: self.requests(),
            throttled: self.throttled.load(Ordering::Relaxed),
            waiting,
            in_flight,
            concurrency,
            circuit: (&*lock(&self.circuit)).into(),
            paused_until: self.gate.paused_until().map(super::state::timestamp),
            limit: lock(&self.limit).map(|(limit, seen)| (limit, seen).into()),
        }
    }
}

/// Says whether Docker Hub counts a request: manifests that are fetched, not questions after them.
fn is_pull(request: &Request) -> bool {
    request.method == Method::GET && request.url.path().contains("/manifests/")
}

/// Leave to make a request, to be given back with what came of it.
pub(super) struct Leave<'a> {
    host: &'a Host,
    request: &'a Request,
    turn: Turn<'a>,
    told: bool,
}

impl Leave<'_> {
    /// Notes what came of the request: for the pace, for the circuit, and for what the registry says of its limits.
    pub(super) fn ended(mut self, result: &Result<Answer, Cause>) {
        let (host, request) = (self.host, self.request);
        self.told = true;
        let outcome = match result {
            Ok(answer) => {
                if answer.is_own() {
                    host.note(answer);
                }
                if answer.throttling.is_some() {
                    host.throttled.fetch_add(1, Ordering::Relaxed);
                    self.turn.was_too_much();
                } else if answer.status.is_success() {
                    self.turn.was_fine();
                }
                let fails = answer.status.is_server_error() && is_temporary(answer.status);
                if fails { Outcome::Fails(host.subject(request)) } else { Outcome::Works }
            }
            Err(Cause::Network { source, .. }) if source.is_connect() => Outcome::Fails(None),
            Err(Cause::Network { .. } | Cause::Timeout { .. }) => Outcome::Fails(host.subject(request)),
            // A mistake of the setting-up, of which trying again would tell nothing.
            Err(Cause::Certificate { .. } | Cause::NotTls { .. }) => Outcome::Unknown,
            Err(_) => Outcome::Works,
        };
        let reason = || match result {
            Ok(answer) => answer.refusal().to_string().into(),
            Err(cause) => chain(cause).to_string().into(),
        };
        match lock(&host.circuit).ended(outcome, reason, Instant::now()) {
            // The observer tells people; it knows for how many repositories.
            Some(true) => tracing::debug!(registry = %host.registry, "left alone for a while after failing again and again"),
            Some(false) => tracing::debug!(registry = %host.registry, "works again"),
            None => {}
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if !self.told {
            // Given up by who asked; if it was the one to try the host, another one is.
            lock(&self.host.circuit).ended(Outcome::Unknown, Arc::default, Instant::now());
        }
    }
}

impl From<Open> for Cause {
    fn from(Open { since, reason, after }: Open) -> Self {
        Self::Open { since, reason, after }
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
