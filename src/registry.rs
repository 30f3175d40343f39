//! Reading registries: the tags of a repository, and the digest behind a tag.
//!
//! Owns the OCI distribution protocol (<https://github.com/opencontainers/distribution-spec>) as real registries
//! speak it: credentials and tokens, pages, limits, retries, and all that a hostile or broken registry may answer.
//! What it hands out is complete and checked, or an [`Error`] that says what to do next. Hides HTTP altogether.
//!
//! A request passes these layers, each a file: [`Client`] (with `memo`) → `listing` (with `page`, `link`, `facts`), `times`,
//! `manifest` or `image_config` (what is asked) → `session` (authentication, with `credential`, `challenge` and `token`; `keep` holds
//! what was fetched, `helper` runs programs, `cloud` speaks with clouds) → `wire` (retries, redirects, limits, with `trust`
//! and `tls`), for a `host` that all requests share: its `gate` (places in flight, pace, pauses), its `circuit`, what it
//! says of its `limits`, and how it is connected to (`connect`, `proxy`).

mod advice;
mod challenge;
mod circuit;
pub mod cloud;
mod config;
mod connect;
mod credential;
mod docker_config;
mod error;
mod facts;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod helper;
mod host;
mod image_config;
mod index;
mod keep;
mod limits;
mod link;
mod listing;
mod manifest;
mod manifest_map;
mod memo;
mod page;
mod ping;
pub mod proxy;
mod session;
mod state;
mod times;
mod tls;
mod token;
mod trust;
mod warnings;
mod wire;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::image::{Digest, Registry, Repository, Tag, TagList, TagRef};

use connect::{Clients, Connector};
use credential::Credentials;
use host::{Host as Peer, lock};
use memo::Memo;
use session::Session;
use token::Tokens;

pub use cloud::{Cloud, CloudError};
pub use config::{Auth, ClientCert, Config, Host, Mirror};
pub use credential::CredentialSource;
pub use error::{BadJson, Cause, Error, Innermost, Refusal, Server};
pub use helper::{Helper, HelperError};
pub use image_config::Image;
pub use index::{Child, Index};
pub use listing::Listing;
pub use manifest::{Content, Descriptor, Manifest};
pub use page::Omitted;
pub use ping::Greeting;
pub use proxy::{EnvironmentProxies, Proxy, ProxyAuth};
pub use state::{CircuitState, HostState, LimitState};
pub use times::PushTimes;
pub use tls::install_crypto_provider;

/// How long the digest of a tag is good for others who ask: environments that pass at the same time.
const DIGESTS_LIFE: Duration = Duration::from_secs(5);
/// How many digests and how many images are kept.
const MOST_KEPT: usize = 2_000;

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
    digests: Memo<(Repository, Tag), Digest>,
    images: Memo<Digest, Arc<Image>>,
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
        let credentials = Credentials::new(&config);
        let (digests, images) = (Memo::new(Some(DIGESTS_LIFE), MOST_KEPT), Memo::new(None, MOST_KEPT));
        let tokens = Tokens::default();
        Ok(Self(Arc::new(Inner { config, common, hosts: Mutex::new(hosts), credentials, tokens, digests, images })))
    }

    /// Lists all tags of a repository: all of them or an error, never a part. Is spared work if nothing has changed since `known`.
    ///
    /// # Errors
    /// If any page could not be read.
    pub async fn list(&self, repository: &Repository, known: Option<&Listing>) -> Result<Listing, Error> {
        let place = self.place(repository)?;
        let listed = listing::list(&self.session(&place), known).await.map_err(|cause| place.blamed(cause));
        // What a tag stands for is seen again along with the tags.
        self.0.digests.forget(|(of, _)| of == repository);
        listed.map_err(|cause| Error::Tags { repository: repository.clone(), cause: Arc::new(cause) })
    }

    /// Lists all tags of a repository, as [`Client::list`] does.
    ///
    /// # Errors
    /// If any page could not be read.
    pub async fn tags(&self, repository: &Repository) -> Result<TagList, Error> {
        self.list(repository, None).await.map(|listing| listing.tags().clone())
    }

    /// Returns the digest that a tag stands for now: of the image index where there is one, else of the manifest.
    ///
    /// Who asks again within a few seconds, or before the answer is there, shares one request; a new listing ends that.
    ///
    /// # Errors
    /// If it could not be learned, or is not the digest of what the registry gives.
    pub async fn digest(&self, repository: &Repository, tag: TagRef<'_>) -> Result<Digest, Error> {
        let place = self.place(repository)?;
        let session = self.session(&place);
        let question = (repository.clone(), tag.to_tag());
        let digest = self.0.digests.get(&question, manifest::digest(&session, tag)).await.map_err(|cause| place.blamed(cause));
        digest.map_err(|cause| Error::Digest { repository: repository.clone(), tag: tag.to_tag(), cause: Arc::new(cause) })
    }

    /// Reads the manifest that a tag stands for now, with its digest.
    ///
    /// # Errors
    /// If it could not be read, or is not what the registry says it is.
    pub async fn manifest(&self, repository: &Repository, tag: TagRef<'_>) -> Result<Manifest, Error> {
        let place = self.place(repository)?;
        let manifest = manifest::by_tag(&self.session(&place), tag).await.map_err(|cause| place.blamed(cause));
        manifest.map_err(|cause| unread(repository, format!(":{tag}"), cause))
    }

    /// Reads the manifest of a digest.
    ///
    /// # Errors
    /// If it could not be read, or does not have that digest.
    pub async fn manifest_of(&self, repository: &Repository, digest: &Digest) -> Result<Manifest, Error> {
        let place = self.place(repository)?;
        let manifest = manifest::by_digest(&self.session(&place), digest).await.map_err(|cause| place.blamed(cause));
        manifest.map_err(|cause| unread(repository, format!("@{digest}"), cause))
    }

    /// Returns what the image of a digest says of itself; it is read once, and kept.
    ///
    /// # Errors
    /// If its manifest or its configuration could not be read.
    pub async fn image(&self, repository: &Repository, digest: &Digest) -> Result<Arc<Image>, Error> {
        let place = self.place(repository)?;
        let session = self.session(&place);
        let image = self.0.images.get(digest, async { image_config::read(&session, digest).await.map(Arc::new) }).await;
        let image = image.map_err(|cause| place.blamed(cause));
        image.map_err(|cause| unread(repository, format!("@{digest}"), cause))
    }

    /// Returns when the tags of a listing were pushed; none if the registry has no way to tell.
    ///
    /// Docker Hub, Quay and Harbor tell it by their own APIs, a hundred tags a request, Google's registries along with the tags.
    /// Docker Hub's and Quay's are asked without a credential, which they would not take: only public repositories have times there.
    ///
    /// # Errors
    /// If it could not all be learned.
    pub async fn pushed(&self, repository: &Repository, listing: &Listing) -> Result<Option<PushTimes>, Error> {
        let mut place = self.place(repository)?;
        let Some(source) = listing.times.or_else(|| times::Source::of(&place.host, place.name.as_deref(), listing)) else {
            return Ok(None);
        };
        if source == times::Source::Hub {
            place.host = self.host(&self.0.config.docker_hub_api)?;
        }
        let pushed = times::pushed(&self.session(&place), source, listing).await.map_err(|cause| place.blamed(cause));
        pushed.map(Some).map_err(|cause| Error::Times { repository: repository.clone(), cause: Arc::new(cause) })
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

fn unread(repository: &Repository, version: String, cause: Cause) -> Error {
    Error::Manifest { repository: repository.clone(), version, cause: Arc::new(cause) }
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
