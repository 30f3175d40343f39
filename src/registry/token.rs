//! Tokens: how they are fetched (distribution's token specification, in its GET and its OAuth 2.0 form) and how long they live.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::image::Registry;
use crate::redact::{Redactor, Secret};

use super::credential::{Credential, CredentialSource, Found, basic};
use super::error::{Cause, Refusal, Server};
use super::host::Host;
use super::keep::{Fit, Keeper, Manners};
use super::trust;
use super::wire::{self, Answer, Authorization, Carrier, Request};

/// What a token lives if its server does not say, and the least that the specification allows.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// No server gives tokens for longer in earnest.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A token is not used in the last seconds of its life: it has to arrive, too.
const MARGIN: Duration = Duration::from_secs(10);
/// Tokens are long where they list many rights; none is longer than servers take in a header.
const LARGEST_ANSWER: usize = 128 * 1024;
/// Each is for one repository, and one too many is soon made: a failure is told to those who waited for it, no longer.
const MANNERS: Manners = Manners { after_failure: Duration::ZERO, between_refusals: Duration::ZERO };
/// Who we are, where a token server asks for it.
const CLIENT: &str = "tagboat";
/// The user beside whom Azure's registries take an identity token for a password.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// For what a token is good.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) registry: Registry,
    pub(super) realm: String,
    pub(super) service: Option<String>,
    /// `repository:<name>:pull`; none asks for no more than to be known.
    pub(super) scope: Option<String>,
}

/// The tokens of all registries.
pub(super) struct Tokens(Keeper<Key, Token>);

#[derive(Clone)]
struct Token {
    token: Secret,
    /// With what it was got.
    credential: Option<Credential>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self(Keeper::new(MANNERS))
    }
}

impl Tokens {
    /// Returns a token for `key`, from the cache or from its server. `refused` is one that the registry did not take.
    pub(super) async fn get(&self, host: &Host, key: &Key, found: Option<&Found>, refused: Option<&Secret>) -> Result<Secret, Cause> {
        let credential = found.map(|found| &found.credential);
        let kept = self.0.get(
            key,
            |kept| kept.fit(credential, refused),
            || async {
                let (token, life) = fetch(host, key, found).await?;
                Ok((Token { token, credential: credential.cloned() }, Instant::now() + life))
            },
        );
        kept.await.map(|kept| kept.token)
    }
}

impl Token {
    fn fit(&self, credential: Option<&Credential>, refused: Option<&Secret>) -> Fit {
        match () {
            () if self.credential.as_ref() != credential => Fit::Other,
            () if refused == Some(&self.token) => Fit::Refused,
            () => Fit::Good,
        }
    }
}

/// Asks a token server, in a second way if it does not know the first.
///
/// With a password GET goes first, since every server knows it, and POST only where there is nothing to GET. An identity
/// token is made for POST; servers that do not know that answer 404 or 405, but 400 and 401 have been seen, too (as
/// containerd lists them), so after these it is tried as a password. To both ways go the same server and the same secret.
async fn fetch(host: &Host, key: &Key, found: Option<&Found>) -> Result<(Secret, Duration), Cause> {
    let realm = trust::realm(&key.realm, &host.base, &host.config.token_hosts, found.is_some())?;
    let server = wire::name(&realm);
    let ask = |way| async { ask(host, &realm, key, way).await.map_err(|cause| of_token_server(cause, &server)) };
    let mut answer = match found {
        None => ask(Way::Get(None)).await?,
        Some(Found { credential, source, .. }) => {
            let (first, second, unknown): (_, _, &[u16]) = match credential {
                Credential::Basic { username, password } => {
                    let form = key.form("password", &[("username", username)], ("password", password), source);
                    (Way::Get(Some(basic(username, password, source)?)), Way::Post(form), &[404, 405])
                }
                Credential::Identity(token) | Credential::Bearer(token) => {
                    let form = key.form("refresh_token", &[], ("refresh_token", token), source);
                    (Way::Post(form), Way::Get(Some(basic(NOBODY, token, source)?)), &[400, 401, 404, 405])
                }
            };
            let answer = ask(first).await?;
            if unknown.contains(&answer.status.as_u16()) {
                let again = ask(second).await?;
                // Of two refusals the one that is about the credential is told.
                let is_about_the_way = |status| matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
                if again.status.is_success() || is_about_the_way(answer.status) { again } else { answer }
            } else {
                answer
            }
        }
    };
    if !answer.status.is_success() {
        return Err(of_token_server(answer.refused(), &server));
    }
    if answer.is_web_page() {
        return Err(Cause::WebPage { expected: "a token" });
    }
    // The parser's message could quote the answer, which is a secret.
    let answer: TokenAnswer =
        serde_json::from_slice(&std::mem::take(&mut answer.body)).map_err(|_| Cause::NoToken { host: server.clone() })?;
    answer.read().ok_or(Cause::NoToken { host: server })
}

/// How a token server is asked.
enum Way {
    /// With everything in the query, and the credential as for Basic authentication.
    Get(Option<Authorization>),
    /// With everything in a form (OAuth 2.0).
    Post(Authorization),
}

async fn ask(host: &Host, realm: &Url, key: &Key, way: Way) -> Result<Answer, Cause> {
    let mut url = realm.clone();
    let (method, authorization) = match way {
        Way::Get(authorization) => {
            url.query_pairs_mut().extend_pairs(key.params());
            (Method::GET, authorization)
        }
        Way::Post(form) => (Method::POST, Some(form)),
    };
    let what = "the token server's answer";
    let request =
        Request { method, url, accept: "application/json", what, limit: LARGEST_ANSWER, follow_redirects: false, if_none_match: None };
    wire::send(host, &request, authorization.as_ref()).await
}

impl Key {
    fn params(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [("service", &self.service), ("scope", &self.scope)].into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    fn form(&self, grant: &str, others: &[(&str, &str)], secret: (&str, &Secret), source: &Arc<CredentialSource>) -> Authorization {
        let (name, secret) = (secret.0, secret.1.clone());
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", grant).append_pair("client_id", CLIENT).append_pair("access_type", "online");
        form.extend_pairs(self.params()).extend_pairs(others).append_pair(name, secret.expose());
        let encoded = Secret::new(byte_serialize(secret.expose().as_bytes()).collect::<String>());
        let carrier = Carrier::Form(Secret::new(form.finish()));
        Authorization { carrier, redactor: Redactor::new([secret, encoded]), source: Some(source.clone()) }
    }
}

fn of_token_server(cause: Cause, server: &str) -> Cause {
    match cause {
        Cause::Answer(refusal) => Cause::Answer(Refusal { server: Server::TokenServer(server.to_owned()), ..refusal }),
        other => other,
    }
}

/// A token server's answer; both names of the token are in use, one of them may be there and empty.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    /// Seconds; written as text by some.
    expires_in: Option<serde_json::Value>,
}

impl TokenAnswer {
    /// Returns the token and how long to use it.
    fn read(self) -> Option<(Secret, Duration)> {
        let token = [self.token, self.access_token].into_iter().flatten().find(|token| !token.is_empty())?;
        let seconds = match self.expires_in {
            Some(serde_json::Value::Number(number)) => number.as_f64(),
            Some(serde_json::Value::String(text)) => text.trim().parse().ok(),
            // Azure and Quay leave it out, but their tokens tell.
            _ => life_of_jwt(&token),
        };
        let life = seconds
            .filter(|seconds: &f64| seconds.is_finite())
            .map_or(DEFAULT_LIFE, |seconds| Duration::from_secs_f64(seconds.clamp(DEFAULT_LIFE.as_secs_f64(), LONGEST_LIFE.as_secs_f64())));
        Some((Secret::new(token), life - MARGIN))
    }
}

/// What must hold of every answer; see [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(body: &[u8]) {
    let Some((token, life)) = serde_json::from_slice::<TokenAnswer>(body).ok().and_then(TokenAnswer::read) else { return };
    assert!(!token.expose().is_empty() && !format!("{token:?}").contains(token.expose()));
    assert!((DEFAULT_LIFE - MARGIN..=LONGEST_LIFE - MARGIN).contains(&life), "{life:?}");
}

/// Reads how many seconds a token lives, if it is one that says so (RFC 7519, 4.1). It is not checked: its own server gave it.
fn life_of_jwt(token: &str) -> Option<f64> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
        iat: Option<f64>,
    }
    let [_, claims, _] = token.split('.').collect::<Vec<_>>().try_into().ok()?;
    let Claims { exp, iat } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?).ok()?;
    // By the server's own clock, where it tells; ours may be wrong.
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    Some(exp - iat.unwrap_or_else(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<(String, u64)> {
        let answer: TokenAnswer = serde_json::from_str(json).ok()?;
        answer.read().map(|(token, life)| (token.expose().to_owned(), life.as_secs()))
    }

    #[test]
    fn a_token_serves_only_with_the_credential_it_was_got_with_and_until_it_is_refused() {
        let secret = |text: &str| Secret::new(text);
        let bot = |password| Some(Credential::Basic { username: "bot".to_owned(), password: secret(password) });
        let token = Token { token: secret("t"), credential: bot("old") };
        assert_eq!(token.fit(bot("old").as_ref(), None), Fit::Good);
        assert_eq!(token.fit(bot("old").as_ref(), Some(&secret("another"))), Fit::Good);
        assert_eq!(token.fit(bot("old").as_ref(), Some(&secret("t"))), Fit::Refused);
        assert_eq!(token.fit(bot("new").as_ref(), None), Fit::Other);
        assert_eq!(token.fit(None, None), Fit::Other);
    }

    #[test]
    fn a3_a_token_without_expires_in_tells_its_life_itself() {
        let jwt = |claims: &str| format!(r#"{{"access_token":"e30.{}.x"}}"#, URL_SAFE_NO_PAD.encode(claims));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        for (claims, life) in [
            (r#"{"iat":1700000000,"exp":1700004500}"#.to_owned(), 4490),
            (r#"{"iat":1700000000,"exp":1700000001}"#.to_owned(), 50),
            (r#"{"iat":0,"exp":1e300}"#.to_owned(), 24 * 3600 - 10),
            (r#"{"exp":1700004500}"#.to_owned(), 50),
            (r#"{"exp":"soon"}"#.to_owned(), 50),
            ("rubbish".to_owned(), 50),
        ] {
            assert_eq!(read(&jwt(&claims)).unwrap().1, life, "{claims}");
        }
        let life = read(&jwt(&format!(r#"{{"exp":{}}}"#, now + 1000))).unwrap().1;
        assert!((980..=990).contains(&life), "{life}");
        for no_jwt in ["a.b", "a.b.c.d", "..", "a.!.c"] {
            assert_eq!(read(&format!(r#"{{"token":"{no_jwt}"}}"#)), Some((no_jwt.to_owned(), 50)));
        }
        let said = format!(r#"{{"token":"e30.{}.x","expires_in":300}}"#, URL_SAFE_NO_PAD.encode(r#"{"iat":0,"exp":4500}"#));
        assert_eq!(read(&said).unwrap().1, 290);
    }

    #[tokio::test(start_paused = true)]
    async fn a3_a_token_of_unknown_life_is_fetched_again_before_a_minute_is_over() {
        let (keeper, fetched) = (Keeper::<(), u32>::new(MANNERS), std::cell::Cell::new(0));
        let life = Duration::from_secs(read(r#"{"token":"t"}"#).unwrap().1);
        let get = || {
            keeper.get(
                &(),
                |_| Fit::Good,
                || async {
                    fetched.set(fetched.get() + 1);
                    Ok((fetched.get(), Instant::now() + life))
                },
            )
        };
        assert_eq!(get().await.unwrap(), 1);
        tokio::time::advance(Duration::from_secs(39)).await;
        assert_eq!(get().await.unwrap(), 1);
        tokio::time::advance(Duration::from_secs(20)).await;
        assert_eq!(get().await.unwrap(), 2);
    }

    #[test]
    fn a2_a3_a4_answers_seen_at_real_token_servers() {
        for (json, token, life) in [
            (r#"{"token":"t","expires_in":300,"issued_at":"2026-01-01T00:00:00Z"}"#, "t", 290),
            (r#"{"access_token":"t"}"#, "t", 50),
            (r#"{"token":"","access_token":"t","expires_in":"300"}"#, "t", 290),
            (r#"{"token":"t","access_token":"","issued_at":"garbage"}"#, "t", 50),
            (r#"{"token":"t","access_token":null,"expires_in":null}"#, "t", 50),
            (r#"{"token":"t","expires_in":300,"issued_at":"2099-01-01T00:00:00Z"}"#, "t", 290),
            (r#"{"token":"t","expires_in":300,"issued_at":"1999-01-01T00:00:00Z"}"#, "t", 290),
            (r#"{"token":"t","expires_in":300,"issued_at":7}"#, "t", 290),
            (r#"{"token":"t","expires_in":0}"#, "t", 50),
            (r#"{"token":"t","expires_in":-1}"#, "t", 50),
            (r#"{"token":"t","expires_in":1e12}"#, "t", 24 * 3600 - 10),
            (r#"{"token":"t","expires_in":[]}"#, "t", 50),
            (r#"{"token":"t","expires_in":"NaN"}"#, "t", 50),
            (r#"{"token":"t","expires_in":3599.5}"#, "t", 3589),
        ] {
            assert_eq!(read(json), Some((token.to_owned(), life)), "{json}");
        }
        for none in ["{}", r#"{"token":""}"#, r#"{"token":5}"#, "[]", "", "null"] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
