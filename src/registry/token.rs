//! Tokens: how they are fetched, kept and thrown away (distribution's token specification).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use tokio::time::Instant;

use crate::image::Registry;
use crate::redact::Secret;

use super::credential::Credential;
use super::error::{Cause, Refusal, Server};
use super::host::{Host, lock};
use super::trust;
use super::wire::{self, Request};

/// What a token lives if its server does not say, and the least that the specification allows.
const DEFAULT_LIFE: Duration = Duration::from_secs(60);
/// No server gives tokens for longer in earnest.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A token is not used in the last seconds of its life: it has to arrive, too.
const MARGIN: Duration = Duration::from_secs(10);
/// Tokens are long where they list many rights; none is longer than servers take in a header.
const LARGEST_ANSWER: usize = 128 * 1024;
/// From how many tokens on the dead ones are swept out.
const SWEEP: usize = 1024;

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
#[derive(Default)]
pub(super) struct Tokens {
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    map: HashMap<Key, Arc<Slot>>,
    sweep_at: usize,
}

/// One token; whoever holds the lock fetches it, the others wait.
#[derive(Default)]
struct Slot {
    state: tokio::sync::Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Empty,
    Good(Token),
    /// Shared with those who were waiting, so that a thousand do not fail one after the other.
    Failed {
        at: Instant,
        cause: Arc<Cause>,
    },
}

struct Token {
    token: Secret,
    credential: Option<Credential>,
    until: Instant,
}

impl Tokens {
    /// Returns a token for `key`, from the cache or from its server. `refused` is one that the registry did not take.
    pub(super) async fn get(
        &self,
        host: &Host,
        key: &Key,
        credential: Option<&Credential>,
        refused: Option<&Secret>,
    ) -> Result<Secret, Cause> {
        let slot = self.slot(key);
        let asked = Instant::now();
        let mut state = slot.state.lock().await;
        match &*state {
            State::Good(kept) if kept.serves(credential, refused) => return Ok(kept.token.clone()),
            State::Failed { at, cause } if *at > asked => return Err(Cause::Shared(Arc::clone(cause))),
            _ => {}
        }
        *state = State::Empty;
        match fetch(host, key, credential).await {
            Ok((token, life)) => {
                *state = State::Good(Token { token: token.clone(), credential: credential.cloned(), until: Instant::now() + life });
                Ok(token)
            }
            Err(cause) => {
                let cause = Arc::new(cause);
                *state = State::Failed { at: Instant::now(), cause: Arc::clone(&cause) };
                Err(Cause::Shared(cause))
            }
        }
    }

    fn slot(&self, key: &Key) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.map.get(key) {
            return Arc::clone(slot);
        }
        if slots.map.len() >= slots.sweep_at.max(SWEEP) {
            let now = Instant::now();
            slots
                .map
                .retain(|_, slot| slot.state.try_lock().map_or(true, |state| matches!(&*state, State::Good(kept) if kept.until > now)));
            slots.sweep_at = slots.map.len() * 2;
        }
        let slot = Arc::<Slot>::default();
        slots.map.insert(key.clone(), Arc::clone(&slot));
        slot
    }
}

impl Token {
    fn serves(&self, credential: Option<&Credential>, refused: Option<&Secret>) -> bool {
        Instant::now() < self.until && self.credential.as_ref() == credential && refused != Some(&self.token)
    }
}

async fn fetch(host: &Host, key: &Key, credential: Option<&Credential>) -> Result<(Secret, Duration), Cause> {
    let mut url = trust::realm(&key.realm, &host.base, &host.config.token_hosts, credential.is_some())?;
    {
        let mut query = url.query_pairs_mut();
        for (name, value) in [("service", &key.service), ("scope", &key.scope)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
    }
    let server = wire::name(&url);
    let authorization = credential.map(Credential::authorization).transpose()?;
    let what = "the token server's answer";
    let request = Request {
        method: Method::GET,
        url,
        accept: "application/json",
        what,
        limit: LARGEST_ANSWER,
        follow_redirects: false,
        if_none_match: None,
    };
    let answer = wire::send(host, &request, authorization.as_ref()).await.map_err(|cause| of_token_server(cause, &server))?;
    if !answer.status.is_success() {
        return Err(of_token_server(answer.refused(), &server));
    }
    if answer.is_web_page() {
        return Err(Cause::WebPage { expected: "a token" });
    }
    // The parser's message could quote the answer, which is a secret.
    let answer: TokenAnswer = serde_json::from_slice(&answer.body).map_err(|_| Cause::NoToken { host: server.clone() })?;
    answer.read().ok_or(Cause::NoToken { host: server })
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
            _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Option<(String, u64)> {
        let answer: TokenAnswer = serde_json::from_str(json).ok()?;
        answer.read().map(|(token, life)| (token.expose().to_owned(), life.as_secs()))
    }

    fn key(name: &str) -> Key {
        let registry = Registry::parse("registry.example.com").unwrap();
        Key { registry, realm: "https://auth.example.com/".to_owned(), service: None, scope: Some(format!("repository:{name}:pull")) }
    }

    #[test]
    fn a_token_serves_until_it_is_old_or_refused_or_another_credential_is_used() {
        let secret = |text: &str| Secret::new(text);
        let bot = |password| Some(Credential::Basic { username: "bot".to_owned(), password: secret(password) });
        let token = |until| Token { token: secret("t"), credential: bot("old"), until };
        let later = token(Instant::now() + Duration::from_secs(60));
        assert!(later.serves(bot("old").as_ref(), None));
        assert!(later.serves(bot("old").as_ref(), Some(&secret("another"))));
        assert!(!later.serves(bot("old").as_ref(), Some(&secret("t"))));
        assert!(!later.serves(bot("new").as_ref(), None));
        assert!(!later.serves(None, None));
        assert!(!token(Instant::now()).serves(bot("old").as_ref(), None));
    }

    #[test]
    fn dead_tokens_do_not_pile_up() {
        let tokens = Tokens::default();
        let until = Instant::now() + Duration::from_secs(60);
        let alive = tokens.slot(&key("alive"));
        *alive.state.try_lock().unwrap() = State::Good(Token { token: Secret::new("t"), credential: None, until });
        for n in 0..10 * SWEEP {
            tokens.slot(&key(&n.to_string()));
        }
        assert!(lock(&tokens.slots).map.len() <= SWEEP);
        assert!(Arc::ptr_eq(&alive, &tokens.slot(&key("alive"))));
    }

    #[test]
    fn answers_seen_at_real_token_servers() {
        for (json, token, life) in [
            (r#"{"token":"t","expires_in":300,"issued_at":"2026-01-01T00:00:00Z"}"#, "t", 290),
            (r#"{"access_token":"t"}"#, "t", 50),
            (r#"{"token":"","access_token":"t","expires_in":"300"}"#, "t", 290),
            (r#"{"token":"t","access_token":"","issued_at":"garbage"}"#, "t", 50),
            (r#"{"token":"t","access_token":null,"expires_in":null}"#, "t", 50),
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
