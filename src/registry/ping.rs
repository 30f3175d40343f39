//! The greeting: does a registry answer, and how does it let this client in?

use std::fmt;

use reqwest::StatusCode;

use super::challenge::{self, Challenge};
use super::credential::Credential;
use super::error::Cause;
use super::host::lock;
use super::session::Session;
use super::wire::{self, Request};

/// How a registry lets this client in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Greeting {
    /// It asks for nothing.
    Open,
    /// It gives anonymous tokens, or wants a credential that there is none of: only its repositories can tell.
    Anonymous,
    /// It took the user's password.
    Password {
        /// The user.
        username: String,
    },
    /// It took a token, got with the user's password.
    Token {
        /// The user.
        username: String,
    },
    /// It took a token, got with an identity token.
    Identity,
    /// It took the token of the policy file.
    FixedToken,
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open => f.write_str("open to all"),
            Self::Anonymous => f.write_str("anonymous"),
            Self::Password { username } => write!(f, "as {username}, by password"),
            Self::Token { username } => write!(f, "as {username}, by token"),
            Self::Identity => f.write_str("by identity token"),
            Self::FixedToken => f.write_str("by the given token"),
        }
    }
}

pub(super) async fn ping(session: &Session<'_>) -> Result<Greeting, Cause> {
    let request = Request::greeting(session.host);
    let credential = session.credentials.find(session.host, None).await?.map(|found| found.credential);
    if credential.is_none() {
        let answer = wire::send(session.host, &request, None).await?;
        return match answer.status {
            StatusCode::UNAUTHORIZED if challenge::choose(&answer.headers).is_some() => Ok(Greeting::Anonymous),
            status if status.is_success() && !answer.is_web_page() => Ok(Greeting::Open),
            status if status.is_success() => Err(Cause::WebPage { expected: "a registry's greeting" }),
            _ => Err(answer.refused()),
        };
    }
    let answer = session.send(&request).await?;
    if !answer.status.is_success() {
        return Err(answer.refused());
    }
    if answer.is_web_page() {
        return Err(Cause::WebPage { expected: "a registry's greeting" });
    }
    let challenge = lock(&session.host.challenges).get(None).cloned();
    Ok(match (credential, challenge) {
        (Some(Credential::Bearer(_)), _) => Greeting::FixedToken,
        (Some(Credential::Basic { username, .. }), Some(Challenge::Basic)) => Greeting::Password { username },
        (Some(Credential::Basic { username, .. }), Some(Challenge::Bearer { .. })) => Greeting::Token { username },
        (Some(Credential::Identity(_)), Some(_)) => Greeting::Identity,
        (None, _) | (_, None) => Greeting::Open,
    })
}
