//! Answers that are refusals or failures.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;

use crate::registry::advice;
use crate::registry::credential::CredentialSource;

/// Who gave an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// The registry itself.
    Registry,
    /// This host, to which the registry redirected.
    Redirected(String),
    /// The token server at this host.
    TokenServer(String),
}

/// An answer that is a refusal or a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Who refused.
    pub server: Server,
    /// The status.
    pub status: StatusCode,
    /// What the server says about it, cleaned.
    pub message: Option<String>,
    /// How long it wants to be left alone.
    pub after: Option<Duration>,
    /// Where the credential came from that was sent; none if there was none.
    pub credential: Option<Arc<CredentialSource>>,
    /// Whether it says that the token was good, but not for this (RFC 6750's `insufficient_scope`).
    pub lacks_right: bool,
    /// Whether it means that too much is asked; some registries say so by other statuses than 429.
    pub throttled: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Server::Registry => write!(f, "the registry answered {}", self.status)?,
            Server::Redirected(host) => write!(f, "{host}, to which the registry redirected, answered {}", self.status)?,
            Server::TokenServer(host) => write!(f, "the token server {host} answered {}", self.status)?,
        }
        if self.lacks_right {
            f.write_str(", since the token gives no right to pull")?;
        }
        self.message.iter().try_for_each(|message| write!(f, ": {message}"))
    }
}

/// Says whether a status may pass by itself.
pub(in crate::registry) fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

impl Refusal {
    pub(super) fn may_pass(&self) -> bool {
        self.throttled || is_temporary(self.status)
    }

    pub(super) fn hint(&self, registry: &str) -> Option<String> {
        let hint = match self.status {
            _ if self.throttled => {
                format!(
                    "lower `rate` or `concurrency` of [registry.\"{registry}\"], or lengthen `interval`; signing in often raises the limit"
                )
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => match &self.credential {
                None => advice::credential(registry),
                Some(source) if self.lacks_right || self.status == StatusCode::FORBIDDEN => {
                    format!("the credential from {source} must be allowed to pull from this repository")
                }
                Some(source) if matches!(self.server, Server::TokenServer(_)) => {
                    format!("the credential for {registry} from {source} is wrong or has expired")
                }
                // A registry says so, too, where the credential is good but has too few rights.
                Some(source) => {
                    format!("the credential for {registry} from {source} is wrong or has expired, or may not pull from this repository")
                }
            },
            StatusCode::NOT_FOUND => "see whether the name is spelt right; many registries hide private repositories so".to_owned(),
            _ => return None,
        };
        Some(hint)
    }
}
