//! Requests that authenticate themselves: the challenge is remembered, a refused token or login is replaced once.

use reqwest::StatusCode;
use reqwest::header::WWW_AUTHENTICATE;
use url::Url;

use crate::redact::Secret;

use super::challenge::{self, Challenge};
use super::credential::{Credential, Credentials, Found, bearer};
use super::error::{Cause, Server};
use super::host::{Host, lock};
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
        let asked = self.namespaced(request);
        // Boxed: it is large, and would be a part of every future above it.
        let mut answer = Box::pin(self.authenticated(asked.as_ref().unwrap_or(request))).await?;
        let Some(asked) = asked else { return Ok(answer) };
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
        let found = self.credentials.find(self.host, self.name).await?;
        let outcome = self.attempt(request, found.as_ref()).await;
        // A login may have ended before its time: ECR says 403 then, others 401.
        let Some(old) = found.filter(|found| found.renewable && self.is_denied(&outcome)) else { return outcome };
        match self.credentials.renew(self.host, self.name, &old).await? {
            Some(new) if new.credential != old.credential => self.attempt(request, Some(&new)).await,
            _ => outcome,
        }
    }

    /// Says whether the registry or its token server did not take the credential.
    fn is_denied(&self, outcome: &Result<Answer, Cause>) -> bool {
        match outcome {
            Ok(answer) => answer.status == StatusCode::FORBIDDEN && self.host.is_own(&answer.url),
            Err(cause) => cause.refusal().is_some_and(|refusal| {
                matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
                    && !matches!(refusal.server, Server::Redirected(_))
            }),
        }
    }

    async fn attempt(&self, request: &Request, found: Option<&Found>) -> Result<Answer, Cause> {
        let known = lock(&self.host.challenges).get(self.name).cloned();
        let sent = match known {
            Some(challenge) => {
                let answer = self.answer(&challenge, found, None).await;
                // The token server may have moved: the registry is asked again the next time.
                answer.inspect_err(|_| lock(&self.host.challenges).forget(self.name))?
            }
            None => self.unasked(found)?,
        };
        let answer = wire::send(self.host, request, sent.as_ref().map(|sent| &sent.authorization)).await?;
        let token = sent.as_ref().and_then(|sent| sent.token.as_ref());
        let (answer, challenge) = match self.challenge(request, answer, token).await? {
            (answer, Some(challenge)) => (answer, challenge),
            // Some registries hide from strangers what they would show to this credential, and do not ask for it.
            (answer, None) if self.may_hide(&answer) && sent.is_none() && found.is_some() => match self.greet().await? {
                Some(challenge) => (answer, challenge),
                None => return Ok(answer),
            },
            (answer, None) => return checked(answer),
        };
        let again = self.answer(&challenge, found, token).await?;
        let same = |again: &Sent| sent.as_ref().is_some_and(|sent| sent.authorization.carrier == again.authorization.carrier);
        let Some(again) = again.filter(|again| !same(again)) else {
            // There is nothing else to try.
            return checked(answer);
        };
        lock(&self.host.challenges).learn(self.name, challenge);
        checked(wire::send(self.host, request, Some(&again.authorization)).await?)
    }

    /// Makes a request of an API beside the registry's own at the same host: with the credential itself, for it knows no tokens.
    pub(super) async fn send_plainly(&self, request: &Request) -> Result<Answer, Cause> {
        let found = self.credentials.find(self.host, self.name).await?;
        let authorization = found.as_ref().map(|found| found.credential.authorization(&found.source)).transpose()?.flatten();
        wire::send(self.host, request, authorization.as_ref()).await
    }

    fn may_hide(&self, answer: &Answer) -> bool {
        self.host.is_own(&answer.url) && matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::FORBIDDEN)
    }

    /// Finds out what an answer asks for, if it asks for anything.
    async fn challenge(&self, request: &Request, mut answer: Answer, token: Option<&Secret>) -> Result<(Answer, Option<Challenge>), Cause> {
        let asks = |answer: &Answer| answer.status == StatusCode::UNAUTHORIZED && self.host.is_own(&answer.url);
        if !asks(&answer) || !answer.headers.contains_key(WWW_AUTHENTICATE) {
            return Ok((answer, None));
        }
        let mut challenge = challenge::choose(&answer.headers).ok_or(Cause::Challenge)?;
        if token.is_some() && challenge == Challenge::Basic {
            // Harbor answers so to a token that has ended, and asks for another only those who come without any.
            answer = wire::send(self.host, request, None).await?;
            if !asks(&answer) {
                return Ok((answer, None));
            }
            challenge = challenge::choose(&answer.headers).ok_or(Cause::Challenge)?;
        }
        Ok((answer, Some(challenge)))
    }

    /// Asks the registry as a whole for its challenge.
    async fn greet(&self) -> Result<Option<Challenge>, Cause> {
        let answer = wire::send(self.host, &Request::greeting(self.host), None).await?;
        Ok(if answer.status == StatusCode::UNAUTHORIZED { challenge::choose(&answer.headers) } else { None })
    }

    /// Returns what to send before any challenge: only a token that was given for just this.
    fn unasked(&self, found: Option<&Found>) -> Result<Option<Sent>, Cause> {
        match found {
            Some(Found { credential: Credential::Bearer(token), source, .. }) => {
                Ok(Some(Sent { authorization: bearer(token, Some(source))?, token: None }))
            }
            _ => Ok(None),
        }
    }

    /// Returns what answers a challenge; nothing if it wants a password and there is none.
    async fn answer(&self, challenge: &Challenge, found: Option<&Found>, refused: Option<&Secret>) -> Result<Option<Sent>, Cause> {
        if let Some(Found { credential: Credential::Bearer(_), .. }) = found {
            return self.unasked(found);
        }
        match challenge {
            Challenge::Basic => {
                let authorization = found.map(|found| found.credential.authorization(&found.source)).transpose()?.flatten();
                Ok(authorization.map(|authorization| Sent { authorization, token: None }))
            }
            Challenge::Bearer { realm, service } => {
                let key = Key {
                    registry: self.host.registry.clone(),
                    realm: realm.clone(),
                    service: service.clone(),
                    scope: self.name.map(|name| format!("repository:{name}:pull")),
                };
                let token = self.tokens.get(self.host, &key, found, refused).await?;
                Ok(Some(Sent { authorization: bearer(&token, found.map(|found| &found.source))?, token: Some(token) }))
            }
        }
    }
}

fn checked(answer: Answer) -> Result<Answer, Cause> {
    if answer.status == StatusCode::UNAUTHORIZED { Err(answer.refused()) } else { Ok(answer) }
}
