//! Reading registries: the tags of a repository, and the digest behind a tag.
//!
//! Owns the OCI distribution protocol (<https://github.com/opencontainers/distribution-spec>) as real registries
//! speak it: credentials and tokens, pages, limits, retries, and all that a hostile or broken registry may answer.
//! What it hands out is complete and checked, or an [`Error`] that says what to do next. Hides HTTP altogether.
//!
//! A request passes these layers, each a file: [`Client`] → `listing` or `manifest` (what is asked) → `session`
//! (authentication, with `credential`, `challenge` and `token`; `keep` holds what was fetched, `helper` runs programs) → `wire` (retries, redirects, limits, with `trust`
//! and `tls`), for a `host` whose places in flight, rate and pauses all requests share.

mod advice;
mod challenge;
mod config;
mod credential;
mod docker_config;
mod error;
mod helper;
mod host;
mod keep;
mod link;
mod listing;
mod manifest;
mod ping;
mod session;
mod tls;
mod token;
mod trust;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::image::{Digest, Registry, Repository, TagList, TagRef};

use credential::Credentials;
use host::{Host as Peer, lock};
use session::Session;
use token::Tokens;

pub use config::{Auth, Config, Host};
pub use credential::CredentialSource;
pub use error::{BadJson, Cause, Error, Innermost, Refusal, Server};
pub use helper::{Helper, HelperError};
pub use ping::Greeting;
pub use tls::install_crypto_provider;

/// A client of all registries; cheap to clone, and its clones share connections, tokens and limits.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: Config,
    http: reqwest::Client,
    hosts: Mutex<HashMap<Registry, Arc<Peer>>>,
    credentials: Credentials,
    tokens: Tokens,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a client; contacts nobody.
    ///
    /// # Errors
    /// If a certificate file cannot be used.
    pub fn new(config: Config) -> Result<Self, Error> {
        let http = tls::client(None).map_err(|cause| Error::Client { cause: Arc::new(cause) })?;
        let mut hosts = HashMap::new();
        for (registry, host) in &config.hosts {
            let peer = peer(registry, host, &http, &config)?;
            hosts.insert(registry.clone(), Arc::new(peer));
        }
        let credentials = Credentials::new(&config);
        Ok(Self(Arc::new(Inner { config, http, hosts: Mutex::new(hosts), credentials, tokens: Tokens::default() })))
    }

    /// Lists all tags of a repository: all of them or an error, never a part.
    ///
    /// # Errors
    /// If any page could not be read, or holds what cannot be a tag.
    pub async fn tags(&self, repository: &Repository) -> Result<TagList, Error> {
        let host = self.host(repository.registry())?;
        let listed = listing::tags(&self.session(&host, Some(repository.name()))).await;
        listed.map_err(|cause| Error::Tags { repository: repository.clone(), cause: Arc::new(cause) })
    }

    /// Returns the digest that a tag stands for now: of the image index where there is one, else of the manifest.
    ///
    /// # Errors
    /// If it could not be learned, or is not the digest of what the registry gives.
    pub async fn digest(&self, repository: &Repository, tag: TagRef<'_>) -> Result<Digest, Error> {
        let host = self.host(repository.registry())?;
        let digest = manifest::digest(&self.session(&host, Some(repository.name())), tag).await;
        digest.map_err(|cause| Error::Digest { repository: repository.clone(), tag: tag.to_tag(), cause: Arc::new(cause) })
    }

    /// Greets a registry (`GET /v2/`), with its credential if it wants one.
    ///
    /// # Errors
    /// If it cannot be reached, is no registry, or refuses the credential.
    pub async fn ping(&self, registry: &Registry) -> Result<Greeting, Error> {
        let host = self.host(registry)?;
        let greeted = ping::ping(&self.session(&host, None)).await;
        greeted.map_err(|cause| Error::Ping { registry: registry.clone(), cause: Arc::new(cause) })
    }

    /// Returns how many requests a registry is sent at once; more callers than that only wait.
    #[must_use]
    pub fn concurrency(&self, registry: &Registry) -> usize {
        self.0.config.hosts.get(registry).map_or_else(|| Host::default().concurrency, |host| host.concurrency)
    }

    /// Returns how many requests were made for each registry since the start, those for tokens and repeated ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<(Registry, u64)> {
        let mut counts: Vec<_> = lock(&self.0.hosts).iter().map(|(registry, host)| (registry.clone(), host.requests())).collect();
        counts.sort_unstable();
        counts
    }

    fn host(&self, registry: &Registry) -> Result<Arc<Peer>, Error> {
        let mut hosts = lock(&self.0.hosts);
        if let Some(host) = hosts.get(registry) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(peer(registry, &Host::default(), &self.0.http, &self.0.config)?);
        hosts.insert(registry.clone(), Arc::clone(&host));
        Ok(host)
    }

    fn session<'a>(&'a self, host: &'a Peer, name: Option<&'a str>) -> Session<'a> {
        Session { host, name, credentials: &self.0.credentials, tokens: &self.0.tokens }
    }
}

/// Makes a host ready; only one with its own authorities needs its own connections.
fn peer(registry: &Registry, host: &Host, shared: &reqwest::Client, config: &Config) -> Result<Peer, Error> {
    let http = match &host.ca_file {
        Some(path) => tls::client(Some(path)),
        None => Ok(shared.clone()),
    };
    http.and_then(|http| Peer::new(registry.clone(), host.clone(), http, config.backoff))
        .map_err(|cause| Error::Setup { registry: registry.clone(), cause: Arc::new(cause) })
}
