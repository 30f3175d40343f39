//! Reading registries. (contract)

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Classified, Verdict};
use crate::image::{Digest, Registry, Repository, TagList, TagRef};
use crate::redact::SecretSource;

/// How to reach registries.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The hosts that the policy file names.
    pub hosts: BTreeMap<Registry, Host>,
    /// Docker's config file, for credentials of hosts without `auth`.
    pub docker_config: Option<PathBuf>,
}

/// How to reach one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The credential; none means Docker's config file, else anonymous.
    pub auth: Option<Auth>,
    /// Speak HTTP without TLS.
    pub plain_http: bool,
    /// A PEM file of certificate authorities trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Requests a second, at most.
    pub rate: Option<u32>,
    /// The deadline of one request, body included.
    pub timeout: Duration,
    /// Further hosts that may be sent this registry's credential for a token.
    pub token_hosts: Vec<String>,
}

/// A credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// User name and password.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: SecretSource,
    },
    /// A bearer token sent as it is.
    Bearer(SecretSource),
}

impl Default for Host {
    fn default() -> Self {
        Self {
            auth: None,
            plain_http: false,
            ca_file: None,
            concurrency: 8,
            rate: None,
            timeout: Duration::from_secs(30),
            token_hosts: Vec::new(),
        }
    }
}

/// Why a registry could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// To be replaced.
    #[error("not yet")]
    NotYet,
}

impl Classified for Error {
    fn verdict(&self) -> Verdict {
        Verdict::RETRY
    }
}

/// A client of all registries; cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {}

impl Client {
    /// Makes a client; contacts nobody.
    ///
    /// # Errors
    /// If a certificate file cannot be used.
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(config: Config) -> Result<Self, Error> {
        let _ = config;
        Ok(Self {})
    }

    /// Lists all tags of a repository: all of them or an error, never a part.
    ///
    /// # Errors
    /// If any page could not be read.
    pub async fn tags(&self, repository: &Repository) -> Result<TagList, Error> {
        let _ = repository;
        Err(Error::NotYet)
    }

    /// Returns the digest that a tag stands for now.
    ///
    /// # Errors
    /// If it could not be learned.
    pub async fn digest(&self, repository: &Repository, tag: TagRef<'_>) -> Result<Digest, Error> {
        let _ = (repository, tag);
        Err(Error::NotYet)
    }
}
