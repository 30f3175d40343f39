//! Which credential belongs to a registry, read afresh at each use.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;

use crate::redact::{Redactor, Secret};

use super::cloud;
use super::config::Auth;
use super::docker_config::DockerConfig;
use super::error::Cause;
use super::host::Host;
use super::wire::Authorization;

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
}

impl Credential {
    /// Makes the header that carries it.
    pub(super) fn authorization(&self) -> Result<Authorization, Cause> {
        match self {
            Self::Basic { username, password } => {
                let encoded = Secret::new(STANDARD.encode(format!("{username}:{}", password.expose())));
                header("Basic", &encoded, [password.clone(), encoded.clone()], false)
            }
            Self::Bearer(token) => bearer(token, false),
        }
    }
}

/// Makes the header that carries a token, which an `anonymous` one gets without any credential.
pub(super) fn bearer(token: &Secret, anonymous: bool) -> Result<Authorization, Cause> {
    header("Bearer", token, [token.clone()], anonymous)
}

fn header(scheme: &str, secret: &Secret, secrets: impl IntoIterator<Item = Secret>, anonymous: bool) -> Result<Authorization, Cause> {
    let mut header = HeaderValue::from_str(&format!("{scheme} {}", secret.expose())).map_err(|_| Cause::Unsendable)?;
    header.set_sensitive(true);
    Ok(Authorization { header, redactor: Redactor::new(secrets), anonymous })
}

/// Where credentials are looked up.
#[derive(Debug)]
pub(super) struct Credentials {
    docker: Option<DockerConfig>,
}

impl Credentials {
    pub(super) fn new(docker: Option<DockerConfig>) -> Self {
        Self { docker }
    }

    /// Finds the credential for a host: the policy file's first, then Docker's.
    pub(super) async fn find(&self, host: &Host, name: Option<&str>) -> Result<Option<Credential>, Cause> {
        match &host.config.auth {
            Some(Auth::Basic { username, password }) => {
                Ok(Some(Credential::Basic { username: username.clone(), password: password.read()? }))
            }
            Some(Auth::Bearer(token)) => Ok(Some(Credential::Bearer(token.read()?))),
            Some(Auth::Cloud(cloud)) => {
                let login = cloud::login(cloud, &host.registry, &host.http).await?;
                Ok(Some(Credential::Basic { username: login.username, password: login.password }))
            }
            None => self.docker.as_ref().map_or(Ok(None), |docker| docker.find(&host.registry, name)),
        }
    }
}
