//! The connections to one registry: with its authorities, its client certificate and its proxy.
//!
//! Certificates are rotated while the daemon runs, so what was read from files is read anew when one of them has changed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use url::Url;

use crate::redact::{SafeUrl, SecretSource};

use super::config::{ClientCert, Host};
use super::error::Cause;
use super::host::lock;
use super::proxy::{EnvironmentProxies, Proxy, Route};
use super::tls;

/// How one registry is connected to.
pub(super) struct Connector {
    ca_file: Option<PathBuf>,
    client_cert: Option<ClientCert>,
    proxy: Proxy,
    environment: EnvironmentProxies,
    /// The files that all this stands in.
    files: Vec<PathBuf>,
    built: Mutex<Built>,
}

/// What tells that a file has changed, links followed: secrets of Kubernetes are replaced by turning a link.
type Stamp = Option<(SystemTime, u64)>;

#[derive(Clone)]
struct Built {
    stamps: Vec<Stamp>,
    clients: Clients,
}

/// Clients that share nothing with other registries', unless those need the same.
#[derive(Clone)]
pub(super) struct Clients {
    /// For the registry, with the client certificate.
    own: reqwest::Client,
    /// For wherever it sends requests to, which get no credential of any kind.
    others: reqwest::Client,
    route: Arc<Route>,
}

impl Clients {
    /// Builds what serves all registries that want nothing of their own.
    pub(super) fn common(environment: &EnvironmentProxies) -> Result<Self, Cause> {
        let route = Arc::new(Route::Environment(environment.clone()));
        let client = tls::client(&[], None, &route)?;
        Ok(Self { own: client.clone(), others: client, route })
    }

    /// Returns the client for a request; `trusted` says that its target may see the client certificate.
    pub(super) fn pick(&self, trusted: bool) -> &reqwest::Client {
        if trusted { &self.own } else { &self.others }
    }

    /// Returns the proxy that a request goes through.
    pub(super) fn proxy(&self, to: &Url) -> Option<&SafeUrl> {
        self.route.proxy(to)
    }
}

impl Connector {
    /// Prepares the connections; those of a registry without settings of its own are the `common` ones.
    pub(super) fn new(host: &Host, environment: &EnvironmentProxies, common: &Clients) -> Result<Self, Cause> {
        let client_cert = host.client_cert.iter().flat_map(|pair| [&pair.cert, &pair.key]);
        let files: Vec<PathBuf> = host.ca_file.iter().chain(client_cert).cloned().chain(password_file(&host.proxy)).collect();
        let mut connector = Self {
            ca_file: host.ca_file.clone(),
            client_cert: host.client_cert.clone(),
            proxy: host.proxy.clone(),
            environment: environment.clone(),
            files,
            built: Mutex::new(Built { stamps: Vec::new(), clients: common.clone() }),
        };
        if !connector.files.is_empty() || connector.proxy != Proxy::Environment {
            let stamps = connector.stamps();
            let built = Built { stamps, clients: connector.build()? };
            connector.built = Mutex::new(built);
        }
        Ok(connector)
    }

    /// Returns the clients, built anew if a file has changed since.
    ///
    /// Looking at the files costs microseconds, and a request costs milliseconds.
    pub(super) fn clients(&self) -> Clients {
        let mut built = lock(&self.built);
        if self.files.is_empty() {
            return built.clients.clone();
        }
        let stamps = self.stamps();
        if built.stamps != stamps {
            match self.build() {
                Ok(clients) => built.clients = clients,
                // In the midst of being replaced, most likely: the next change is looked at again, and the old ones serve.
                Err(cause) => {
                    tracing::warn!(reason = %crate::error::chain(&cause), "a changed certificate or password file cannot be used; what was read before stays in use");
                }
            }
            built.stamps = stamps;
        }
        built.clients.clone()
    }

    fn stamps(&self) -> Vec<Stamp> {
        self.files.iter().map(|path| stamp(path)).collect()
    }

    fn build(&self) -> Result<Clients, Cause> {
        let authorities = self.ca_file.as_deref().map(tls::certificates).transpose()?.unwrap_or_default();
        let identity = self.client_cert.as_ref().map(tls::identity).transpose()?;
        let route = Arc::new(self.route()?);
        let others = tls::client(&authorities, None, &route)?;
        let own = if identity.is_some() { tls::client(&authorities, identity, &route)? } else { others.clone() };
        Ok(Clients { own, others, route })
    }

    fn route(&self) -> Result<Route, Cause> {
        Ok(match &self.proxy {
            Proxy::Environment => Route::Environment(self.environment.clone()),
            Proxy::Direct => Route::Direct,
            Proxy::Through { url, auth: None } => Route::Through(url.clone()),
            Proxy::Through { url, auth: Some(auth) } => {
                let mut whole = url.expose().clone();
                // The setters escape what does not belong there; they fail only without a host, which every proxy has.
                let _ = whole.set_username(&auth.username);
                let _ = whole.set_password(Some(auth.password.read()?.expose()));
                Route::Through(SafeUrl::new(whole))
            }
        })
    }
}

fn password_file(proxy: &Proxy) -> Option<PathBuf> {
    match proxy {
        Proxy::Through { auth: Some(auth), .. } => match &auth.password {
            SecretSource::File(path) => Some(path.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
