//! Requests that authenticate themselves: the challenge is learned once a host, a refused token is replaced once.

use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;
use url::Url;

use crate::redact::Secret;

use super::challenge::{self, Challenge};
use super::credential::{Credential, Credentials, bearer};
use super::error::Cause;
use super::host::Host;
use super::token::{Key, Tokens};
use super::wire::{self, Answer, Authorization, Request};

/// What authenticates the requests about one repository, or about a registry as a whole.
pub(super) struct Session<'a> {
    pub(super) host: &'a Host,
    /// The repository's name at this host; none for the registry as a whole.
    pub(super) name: Option<&'a str>,
    /// The registry whose repository is meant, where the host is a mirror that cannot tell by the name.
    pub(super) namespace: Option<&'a str>,
    pub(super) credentials: &'a Credentials,
    pub(super) tokens: &'a Tokens,
}

/// What was sent along with a request.
struct Sent {
    authorization: Authorization,
    /// The token, if it is one that can be replaced.
    token: Option<Secret>,
}

impl Session<'_> {
    /// Returns the URL of something of the repository: `tags/list`, `manifests/1.0`.
    pub(super) fn url(&self, path: &str) -> Url {
        match self.name {
            Some(name) => self.host.url(&format!("{name}/{path}")),
            None => self.host.url(path),
        }
    }

    /// Makes a request, authenticated as far as the registry wants it. Any status but 401 comes back as an answer.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Cause> {
        let Some(asked) = self.namespaced(request) else { return self.authenticated(request).await };
        let mut answer = self.authenticated(&asked).await?;
        if answer.url == asked.url {
            // Pages are told apart by their own addresses.
            answer.url = request.url.clone();
        }
        Ok(answer)
    }

    /// Adds to a request of a mirror whose repository is meant, unless the mirror's own link to a next page says so already.
    fn namespaced(&self, request: &Request) -> Option<Request> {
        let namespace = self.namespace.filter(|_| self.host.is_own(&request.url))?;
        let mut asked = request.clone();
        if !asked.url.query_pairs().any(|(name, _)| name == "ns") {
            // Not by the URL's own writer, which would write the cursor of a page in another way.
            let query = asked.url.query().map_or_else(String::new, |query| format!("{query}&"));
            asked.url.set_query(Some(&format!("{query}ns={namespace}")));
        }
        Some(asked)
    }

    async fn authenticated(&self, request: &Request) -> Result<Answer, Cause> {
        if !self.host.is_own(&request.url) {
            // Pages that a redirect led to: another host, which gets no credential.
            return checked(wire::send(self.host, request, None).await?);
        }
        let credential = self.credentials.find(self.host, self.name)?;
        let sent = match self.host.challenge() {
            Some(challenge) => {
                let answer = self.answer(&challenge, credential.as_ref(), None).await;
                // The token server may have moved: the registry is asked again the next time.
                answer.inspect_err(|_| self.host.forget())?
            }
            None => self.unasked(credential.as_ref())?,
        };
        let answer = wire::send(self.host, request, sent.as_ref().map(|sent| &sent.authorization)).await?;
        if !self.host.is_own(&answer.url) {
            return checked(answer);
        }
        let challenge = match answer.status {
            StatusCode::UNAUTHORIZED if !answer.headers.contains_key(WWW_AUTHENTICATE) => return Err(answer.refused()),
            StatusCode::UNAUTHORIZED => challenge::choose(&answer.headers).ok_or(Cause::Challenge)?,
            // Some registries hide from strangers what they would show to this credential, and do not ask for it.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN if sent.is_none() && credential.is_some() => match self.greet().await? {
                Some(challenge) => challenge,
                None => return Ok(answer),
            },
            _ => return Ok(answer),
        };
        let again = self.answer(&challenge, credential.as_ref(), sent.as_ref().and_then(|sent| sent.token.as_ref())).await?;
        let Some(again) = again.filter(|again| sent.as_ref().is_none_or(|sent| sent.authorization.header != again.authorization.header))
        else {
            // There is nothing else to try.
            return checked(answer);
        };
        self.host.learn(challenge);
        checked(wire::send(self.host, request, Some(&again.authorization)).await?)
    }

    /// Asks the registry as a whole for its challenge.
    async fn greet(&self) -> Result<Option<Challenge>, Cause> {
        let answer = wire::send(self.host, &Request::greeting(self.host), None).await?;
        Ok(if answer.status == StatusCode::UNAUTHORIZED { challenge::choose(&answer.headers) } else { None })
    }

    /// Returns what to send before any challenge: only a token that was given for just this.
    fn unasked(&self, credential: Option<&Credential>) -> Result<Option<Sent>, Cause> {
        match credential {
            Some(Credential::Bearer(token)) => Ok(Some(Sent { authorization: bearer(token, false)?, token: None })),
            _ => Ok(None),
        }
    }

    /// Returns what answers a challenge; nothing if it wants a password and there is none.
    async fn answer(
        &self,
        challenge: &Challenge,
        credential: Option<&Credential>,
        refused: Option<&Secret>,
    ) -> Result<Option<Sent>, Cause> {
        if let Some(Credential::Bearer(_)) = credential {
            return self.unasked(credential);
        }
        match challenge {
            Challenge::Basic => {
                let authorization = credential.map(Credential::authorization).transpose()?;
                Ok(authorization.map(|authorization| Sent { authorization, token: None }))
            }
            Challenge::Bearer { realm, service } => {
                let key = Key {
                    registry: self.host.registry.clone(),
                    realm: realm.clone(),
                    service: service.clone(),
                    scope: self.name.map(|name| format!("repository:{name}:pull")),
                };
                let token = self.tokens.get(self.host, &key, credential, refused).await?;
                Ok(Some(Sent { authorization: bearer(&token, credential.is_none())?, token: Some(token) }))
            }
        }
    }
}

fn checked(answer: Answer) -> Result<Answer, Cause> {
    if answer.status == StatusCode::UNAUTHORIZED { Err(answer.refused()) } else { Ok(answer) }
}
