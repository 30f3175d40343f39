//! Which credential belongs to a registry: read afresh at each use, or fetched from a program and kept for a while.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use tokio::time::Instant;

use crate::image::Registry;
use crate::redact::{Redactor, Secret};

use super::cloud::{self, Cloud};
use super::config::{Auth, Config};
use super::docker_config::{DockerConfig, Kept};
use super::error::Cause;
use super::helper::{Helper, HelperError};
use super::host::{Host, lock};
use super::keep::{Fit, Keeper, Manners};
use super::wire::{Authorization, Carrier};

/// What a helper program gave is used for so long. It does not say how long it is good; many keep their own for hours.
const HELPER_LIFE: Duration = Duration::from_secs(5 * 60);
/// A cloud's login is not used in the last minute of its life: a long listing has to end before it does.
const CLOUD_MARGIN: Duration = Duration::from_secs(60);
/// That a helper has nothing is believed for so long: somebody may be logging in just now.
const NOTHING_LIFE: Duration = Duration::from_secs(60);
/// A cloud's metadata service or a helper that failed is left alone a little, and not asked for another login each
/// time that a registry says no: it may mean it.
const MANNERS: Manners = Manners { after_failure: Duration::from_secs(10), between_refusals: Duration::from_secs(60) };
/// The name under which Docker keeps its Hub's login.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";

/// A credential, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// User name and password, for the registry or its token server.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token for the registry, sent as it is.
    Bearer(Secret),
    /// A refresh token, for the registry's token server only.
    Identity(Secret),
}

/// Where a credential came from, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialSource {
    /// It is named in the policy file.
    PolicyFile,
    /// It stands in a config file of Docker's form.
    DockerConfig {
        /// The file.
        path: PathBuf,
        /// The key of its entry, as written.
        key: String,
    },
    /// A helper program gave it.
    Helper(Helper),
    /// A cloud gave it to the identity that these words name.
    Cloud(String),
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyFile => f.write_str("the policy file"),
            Self::DockerConfig { path, key } => write!(f, "Docker's config file {} (entry {key})", path.display()),
            Self::Helper(helper) => write!(f, "the helper program {helper}"),
            Self::Cloud(identity) => f.write_str(identity),
        }
    }
}

/// A credential that was found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) credential: Credential,
    pub(super) source: Arc<CredentialSource>,
    /// Whether another may be had by asking again.
    pub(super) renewable: bool,
}

impl Credential {
    /// Makes the header that carries it; none for one that only a token server takes.
    pub(super) fn authorization(&self, source: &Arc<CredentialSource>) -> Result<Option<Authorization>, Cause> {
        match self {
            Self::Basic { username, password } => basic(username, password, source).map(Some),
            Self::Bearer(token) => bearer(token, Some(source)).map(Some),
            Self::Identity(_) => Ok(None),
        }
    }
}

/// Makes the header that carries user and password.
pub(super) fn basic(username: &str, password: &Secret, source: &Arc<CredentialSource>) -> Result<Authorization, Cause> {
    let encoded = Secret::new(STANDARD.encode(format!("{username}:{}", password.expose())));
    header("Basic", &encoded, [password.clone(), encoded.clone()], Some(source))
}

/// Makes the header that carries a token; one without source is given to anybody.
pub(super) fn bearer(token: &Secret, source: Option<&Arc<CredentialSource>>) -> Result<Authorization, Cause> {
    header("Bearer", token, [token.clone()], source)
}

fn header(
    scheme: &str,
    secret: &Secret,
    secrets: impl IntoIterator<Item = Secret>,
    source: Option<&Arc<CredentialSource>>,
) -> Result<Authorization, Cause> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {}", secret.expose())).map_err(|_| Cause::Unsendable)?;
    header.set_sensitive(true);
    Ok(Authorization { carrier: Carrier::Header(header), redactor: Redactor::new(secrets), source: source.cloned() })
}

/// Where credentials are looked up.
#[derive(Debug)]
pub(super) struct Credentials {
    /// The file for hosts without `auth`.
    docker: Option<PathBuf>,
    /// The files read so far.
    files: Mutex<HashMap<PathBuf, Arc<DockerConfig>>>,
    /// On which helper programs are found.
    path: Option<OsString>,
    logins: Keeper<Login, Option<Found>>,
}

/// Whom to ask for a login, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Login {
    Helper(Helper, String),
    Cloud(Registry),
}

impl Credentials {
    pub(super) fn new(config: &Config) -> Self {
        Self { docker: config.docker_config.clone(), files: Mutex::default(), path: config.path.clone(), logins: Keeper::new(MANNERS) }
    }

    /// Finds the credential for a host: the policy file's first, then Docker's.
    pub(super) async fn find(&self, host: &Host, name: Option<&str>) -> Result<Option<Found>, Cause> {
        let found = self.look(host, name, None).await?;
        let source = found.as_ref().map(|found| tracing::field::display(&found.source));
        tracing::trace!(registry = %host.registry, source, "credential");
        Ok(found)
    }

    /// Finds another credential than the one that was refused; the same again means that there is none.
    pub(super) async fn renew(&self, host: &Host, name: Option<&str>, refused: &Found) -> Result<Option<Found>, Cause> {
        tracing::debug!(registry = %host.registry, source = %refused.source, "fetching another login, since this one is refused");
        self.look(host, name, Some(&refused.credential)).await
    }

    async fn look(&self, host: &Host, name: Option<&str>, refused: Option<&Credential>) -> Result<Option<Found>, Cause> {
        let given = |credential| Ok(Some(Found { credential, source: Arc::new(CredentialSource::PolicyFile), renewable: false }));
        match &host.config.auth {
            Some(Auth::Basic { username, password }) => given(Credential::Basic { username: username.clone(), password: password.read()? }),
            Some(Auth::Bearer(token)) => given(Credential::Bearer(token.read()?)),
            Some(Auth::Helper(helper)) => self.helper(helper, &host.registry, server(&host.registry), refused).await,
            Some(Auth::Cloud(cloud)) => self.cloud(cloud, host, refused).await,
            Some(Auth::DockerConfig(path)) => self.docker(path, true, host, name, refused).await,
            None => match &self.docker {
                Some(path) => self.docker(path, false, host, name, refused).await,
                None => Ok(None),
            },
        }
    }

    async fn docker(
        &self,
        path: &Path,
        must_exist: bool,
        host: &Host,
        name: Option<&str>,
        refused: Option<&Credential>,
    ) -> Result<Option<Found>, Cause> {
        let registry = &host.registry;
        let file = Arc::clone(lock(&self.files).entry(path.to_owned()).or_insert_with(|| Arc::new(DockerConfig::new(path.to_owned()))));
        match file.find(registry, name, must_exist)? {
            Kept::Nowhere => Ok(None),
            Kept::Here { credential, key } => {
                let source = Arc::new(CredentialSource::DockerConfig { path: path.to_owned(), key });
                Ok(Some(Found { credential, source, renewable: false }))
            }
            Kept::ByHelper { helper, server: written, must_know } => {
                let parsed =
                    Helper::parse(&helper).map_err(|cause| Cause::CredentialHelperName { path: path.to_owned(), helper, cause })?;
                let server = if registry.is_docker_hub() { server(registry) } else { written.as_deref().unwrap_or(registry.as_str()) };
                match self.helper(&parsed, registry, server, refused).await {
                    // A store is for all registries, and those that nobody logged in to are fine without.
                    Err(cause) if !must_know && cause.is_missing_helper() => Ok(None),
                    found => found,
                }
            }
        }
    }

    async fn helper(
        &self,
        helper: &Helper,
        registry: &Registry,
        server: &str,
        refused: Option<&Credential>,
    ) -> Result<Option<Found>, Cause> {
        self.login(Login::Helper(helper.clone(), server.to_owned()), refused, || async {
            let given = helper.get(server, self.path.as_deref()).await;
            let credential =
                given.map_err(|cause| Cause::CredentialHelper { registry: registry.clone(), helper: helper.clone(), cause })?;
            let life = if credential.is_some() { HELPER_LIFE } else { NOTHING_LIFE };
            let source = Arc::new(CredentialSource::Helper(helper.clone()));
            Ok((credential.map(|credential| Found { credential, source, renewable: true }), Instant::now() + life))
        })
        .await
    }

    async fn cloud(&self, cloud: &Cloud, host: &Host, refused: Option<&Credential>) -> Result<Option<Found>, Cause> {
        self.login(Login::Cloud(host.registry.clone()), refused, || async {
            // Boxed, since it is large, rare, and would be carried along in every request.
            let given = Box::pin(cloud::login(cloud, &host.registry, host.clients().pick(false))).await?;
            let credential = Credential::Basic { username: given.username, password: given.password };
            let source = Arc::new(CredentialSource::Cloud(given.source));
            let until = given.until.checked_sub(CLOUD_MARGIN).unwrap_or(given.until);
            Ok((Some(Found { credential, source, renewable: true }), until))
        })
        .await
    }

    /// Returns a login that is kept and renewed.
    async fn login<F>(&self, login: Login, refused: Option<&Credential>, fetch: impl FnOnce() -> F) -> Result<Option<Found>, Cause>
    where
        F: Future<Output = Result<(Option<Found>, Instant), Cause>>,
    {
        let fit = |found: &Option<Found>| match (found, refused) {
            (Some(found), Some(refused)) if found.credential == *refused => Fit::Refused,
            _ => Fit::Good,
        };
        self.logins.get(&login, fit, fetch).await
    }
}

impl Cause {
    /// Says whether a helper program is not there at all.
    fn is_missing_helper(&self) -> bool {
        match self {
            Self::Shared(cause) => cause.is_missing_helper(),
            Self::CredentialHelper { cause, .. } => matches!(cause, HelperError::Missing),
            _ => false,
        }
    }
}

/// Returns the name under which a registry's login is kept if nobody wrote another.
fn server(registry: &Registry) -> &str {
    if registry.is_docker_hub() { DOCKER_HUB_SERVER } else { registry.as_str() }
}
