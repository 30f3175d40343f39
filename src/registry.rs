//! Reading registries: the tags of a repository, and the digest behind a tag.
//!
//! Owns the OCI distribution protocol (<https://github.com/opencontainers/distribution-spec>) as real registries
//! speak it: credentials and tokens, pages, limits, retries, and all that a hostile or broken registry may answer.
//! What it hands out is complete and checked, or an [`Error`] that says what to do next. Hides HTTP altogether.
//!
//! A request passes these layers, each a file: [`Client`] → `listing` or `manifest` (what is asked) → `session`
//! (authentication, with `credential`, `challenge` and `token`) → `wire` (retries, redirects, limits, with `trust`
//! and `tls`), for a `host` that all requests share: its `gate` (places in flight, pace, pauses), its `circuit`, what it
//! says of its `limits`, and how it is connected to (`connect`, `proxy`).

mod challenge;
mod circuit;
mod config;
mod connect;
mod credential;
mod docker_config;
mod error;
mod gate;
mod host;
mod limits;
mod link;
mod listing;
mod manifest;
mod ping;
pub mod proxy;
mod session;
mod state;
mod tls;
mod token;
mod trust;
mod warnings;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::image::{Digest, Registry, Repository, TagList, TagRef};

use connect::{Clients, Connector};
use credential::Credentials;
use docker_config::DockerConfig;
use host::{Host as Peer, lock};
use session::Session;
use token::Tokens;

pub use config::{Auth, ClientCert, Config, Host, Mirror};
pub use error::{BadJson, Cause, Error, Innermost, Refusal, Server};
pub use ping::Greeting;
pub use proxy::{EnvironmentProxies, Proxy, ProxyAuth};
pub use state::{CircuitState, HostState, LimitState};
pub use tls::install_crypto_provider;

/// A client of all registries; cheap to clone, and its clones share connections, tokens and limits.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: Config,
    /// The connections of all registries that want nothing of their own.
    common: Clients,
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
    /// If a certificate file or the password of a proxy cannot be used.
    pub fn new(config: Config) -> Result<Self, Error> {
        let common = Clients::common(&config.proxies).map_err(|cause| Error::Client { cause: Arc::new(cause) })?;
        let mut hosts = HashMap::new();
        for (registry, host) in &config.hosts {
            let peer = peer(registry, host, &common, &config)?;
            hosts.insert(registry.clone(), Arc::new(peer));
        }
        let credentials = Credentials::new(config.docker_config.clone().map(DockerConfig::new));
        Ok(Self(Arc::new(Inner { config, common, hosts: Mutex::new(hosts), credentials, tokens: Tokens::default() })))
    }

    /// Lists all tags of a repository: all of them or an error, never a part.
    ///
    /// # Errors
    /// If any page could not be read, or holds what cannot be a tag.
    pub async fn tags(&self, repository: &Repository) -> Result<TagList, Error> {
        let place = self.place(repository)?;
        let listed = listing::tags(&self.session(&place)).await.map_err(|cause| place.blamed(cause));
        listed.map_err(|cause| Error::Tags { repository: repository.clone(), cause: Arc::new(cause) })
    }

    /// Returns the digest that a tag stands for now: of the image index where there is one, else of the manifest.
    ///
    /// # Errors
    /// If it could not be learned, or is not the digest of what the registry gives.
    pub async fn digest(&self, repository: &Repository, tag: TagRef<'_>) -> Result<Digest, Error> {
        let place = self.place(repository)?;
        let digest = manifest::digest(&self.session(&place), tag).await.map_err(|cause| place.blamed(cause));
        digest.map_err(|cause| Error::Digest { repository: repository.clone(), tag: tag.to_tag(), cause: Arc::new(cause) })
    }

    /// Greets a registry (`GET /v2/`), or the mirror that stands for it, with its credential if it wants one.
    ///
    /// # Errors
    /// If it cannot be reached, is no registry, or refuses the credential.
    pub async fn ping(&self, registry: &Registry) -> Result<Greeting, Error> {
        let place = self.place_of(registry, None)?;
        let greeted = ping::ping(&self.session(&place)).await.map_err(|cause| place.blamed(cause));
        greeted.map_err(|cause| Error::Ping { registry: registry.clone(), cause: Arc::new(cause) })
    }

    /// Returns how many requests a registry is sent at once; more callers than that only wait.
    #[must_use]
    pub fn concurrency(&self, registry: &Registry) -> usize {
        let registry = self.mirror(registry).map_or(registry, |mirror| &mirror.registry);
        self.0.config.hosts.get(registry).map_or_else(|| Host::default().concurrency, |host| host.concurrency)
    }

    /// Returns how many requests were made for each registry since the start, those for tokens and repeated ones included.
    #[must_use]
    pub fn requests(&self) -> Vec<(Registry, u64)> {
        let mut counts: Vec<_> = lock(&self.0.hosts).iter().map(|(registry, host)| (registry.clone(), host.requests())).collect();
        counts.sort_unstable();
        counts
    }

    /// Returns how it stands with each registry now, in the order of their names.
    #[must_use]
    pub fn states(&self) -> Vec<HostState> {
        let mut states: Vec<_> = lock(&self.0.hosts).values().map(|host| host.state()).collect();
        states.sort_unstable_by(|a, b| a.registry.cmp(&b.registry));
        states
    }

    fn mirror(&self, registry: &Registry) -> Option<&Mirror> {
        self.0.config.hosts.get(registry)?.mirror.as_ref()
    }

    fn place(&self, repository: &Repository) -> Result<Place<'_>, Error> {
        self.place_of(repository.registry(), Some(repository.name()))
    }

    /// Finds where to ask for a repository, or for a registry as a whole: there, or at the mirror that stands for it.
    fn place_of(&self, registry: &Registry, name: Option<&str>) -> Result<Place<'_>, Error> {
        let Some(mirror) = self.mirror(registry) else {
            return Ok(Place { host: self.host(registry)?, name: name.map(str::to_owned), namespace: None, mirror: None });
        };
        Ok(Place {
            host: self.host(&mirror.registry)?,
            name: name.map(|name| mirror.name(name)),
            namespace: (name.is_some() && mirror.prefix.is_none()).then(|| registry.clone()),
            mirror: Some(mirror),
        })
    }

    fn host(&self, registry: &Registry) -> Result<Arc<Peer>, Error> {
        let mut hosts = lock(&self.0.hosts);
        if let Some(host) = hosts.get(registry) {
            return Ok(Arc::clone(host));
        }
        let host = Arc::new(peer(registry, &Host::default(), &self.0.common, &self.0.config)?);
        hosts.insert(registry.clone(), Arc::clone(&host));
        Ok(host)
    }

    fn session<'a>(&'a self, place: &'a Place<'_>) -> Session<'a> {
        let namespace = place.namespace.as_ref().map(Registry::as_str);
        let (credentials, tokens) = (&self.0.credentials, &self.0.tokens);
        Session { host: &place.host, name: place.name.as_deref(), namespace, credentials, tokens }
    }
}

/// Where to ask.
struct Place<'a> {
    host: Arc<Peer>,
    /// What the repository is called there.
    name: Option<String>,
    /// Whose repository is meant, if the name does not tell.
    namespace: Option<Registry>,
    /// Set if this is not the registry that was named.
    mirror: Option<&'a Mirror>,
}

impl Place<'_> {
    /// Names the mirror in an error: who reads of the registry would look in the wrong place.
    fn blamed(&self, cause: Cause) -> Cause {
        match self.mirror {
            Some(mirror) => Cause::Mirror { mirror: mirror.clone(), cause: Arc::new(cause) },
            None => cause,
        }
    }
}

/// Makes a host ready; contacts nobody.
fn peer(registry: &Registry, host: &Host, common: &Clients, config: &Config) -> Result<Peer, Error> {
    Connector::new(host, &config.proxies, common)
        .and_then(|connector| Peer::new(registry.clone(), host.clone(), connector, config.backoff))
        .map_err(|cause| Error::Setup { registry: registry.clone(), cause: Arc::new(cause) })
}
