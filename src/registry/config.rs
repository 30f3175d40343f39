//! How registries are to be reached, as the policy file says it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::image::Registry;
use crate::redact::SecretSource;
use crate::retry::Backoff;

use super::cloud::Cloud;
use super::helper::Helper;
use super::proxy::{EnvironmentProxies, Proxy};

/// How to reach registries.
#[derive(Clone, Debug)]
pub struct Config {
    /// The hosts that the policy file names.
    pub hosts: BTreeMap<Registry, Host>,
    /// Docker's config file, for credentials of hosts without `auth`; a file that does not exist is as good as none.
    pub docker_config: Option<PathBuf>,
    /// The host of Docker Hub's web API, which tells when tags were pushed; it gets no credential of `docker.io`.
    pub docker_hub_api: Registry,
    /// The `PATH` on which credential helper programs are found; none means the process's own.
    pub path: Option<OsString>,
    /// The delays between attempts at one request, where the registry does not name its own.
    pub backoff: Backoff,
    /// The proxies of the environment, for hosts that name none.
    pub proxies: EnvironmentProxies,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hosts: BTreeMap::new(),
            docker_config: None,
            docker_hub_api: Registry::docker_hub_api(),
            path: None,
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(10)),
            proxies: EnvironmentProxies::default(),
        }
    }
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
    /// The certificate that this client shows to the registry.
    pub client_cert: Option<ClientCert>,
    /// Through which proxy it is reached.
    pub proxy: Proxy,
    /// Where requests about its repositories go instead. Nothing else here means anything then.
    pub mirror: Option<Mirror>,
    /// Requests in flight at once.
    pub concurrency: usize,
    /// Requests a second, at most.
    pub rate: Option<u32>,
    /// The deadline of one request, body included.
    pub timeout: Duration,
    /// Further hosts (`auth.example.com`, with a port if it is not the scheme's own) that may be sent this registry's credential for a token.
    pub token_hosts: Vec<String>,
}

/// A client certificate and its key, as PEM files; they are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// The certificate, with those between it and the authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A registry that has another one's repositories: all of them, or those below a prefix of names.
///
/// There is no way back to the registry itself if the mirror fails: its lists may differ, and its limits are what a mirror spares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// The mirror, with settings and a credential of its own.
    pub registry: Registry,
    /// What stands before the name there; without one the mirror is told by `?ns=` whose repository is meant, as containerd does.
    pub prefix: Option<String>,
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
    /// A login that a cloud gives to what runs in it.
    Cloud(Cloud),
    /// What a config file of Docker's form says of the registry: Docker's own, or a mounted `kubernetes.io/dockerconfigjson` secret.
    DockerConfig(PathBuf),
    /// What a credential helper program gives.
    Helper(Helper),
}

impl Default for Host {
    fn default() -> Self {
        Self {
            auth: None,
            plain_http: false,
            ca_file: None,
            client_cert: None,
            proxy: Proxy::default(),
            mirror: None,
            concurrency: 8,
            rate: None,
            timeout: Duration::from_secs(30),
            token_hosts: Vec::new(),
        }
    }
}
