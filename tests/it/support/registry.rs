//! Clients of embedded registries, and hooks that make those ask for credentials.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tagboat::demo::registry::Registry as Server;
use tagboat::error::{Classified, Verdict, chain};
use tagboat::image::{Registry, Repository, TagList, TagRef};
use tagboat::redact::{Secret, SecretSource};
use tagboat::registry::{Auth, Client, Config, Error, Host};
use tagboat::retry::Backoff;

pub const USER: &str = "bot";
pub const PASSWORD: &str = "s3cret-passw0rd";
/// `bot:s3cret-passw0rd` as `curl -u` sends it.
pub const BASIC: &str = "Basic Ym90OnMzY3JldC1wYXNzdzByZA==";

/// Retries without the waits of real life.
pub fn quick() -> Config {
    Config { backoff: Backoff::new(Duration::from_millis(1), Duration::from_millis(5)), ..Config::default() }
}

/// A client that speaks plain HTTP to `host`, set up further by `change`.
pub fn client_of(host: &str, change: impl FnOnce(&mut Host)) -> Client {
    let mut settings = Host { plain_http: true, timeout: Duration::from_secs(10), ..Host::default() };
    change(&mut settings);
    let mut config = quick();
    config.hosts.insert(Registry::parse(host).unwrap(), settings);
    Client::new(config).unwrap()
}

/// An anonymous client of an embedded registry.
pub fn client(server: &Server) -> Client {
    client_of(&server.host(), |_| {})
}

pub fn secret(text: &str) -> SecretSource {
    SecretSource::Env { name: "TEST_SECRET".to_owned(), value: Secret::new(text) }
}

/// The credential of [`USER`].
pub fn basic() -> Option<Auth> {
    Some(Auth::Basic { username: USER.to_owned(), password: secret(PASSWORD) })
}

pub fn repository(server: &Server, name: &str) -> Repository {
    repository_at(&server.host(), name)
}

pub fn repository_at(host: &str, name: &str) -> Repository {
    Repository::parse(&format!("{host}/{name}")).unwrap()
}

pub fn words(tags: &TagList) -> Vec<&str> {
    tags.iter().map(TagRef::as_str).collect()
}

/// The one line of an error, which must not show the password or anything over several lines.
pub fn line(error: &Error) -> String {
    let line = chain(error).to_string();
    for text in [&line, &format!("{error:?}"), &error.hint().unwrap_or_default()] {
        assert!(!text.contains(PASSWORD) && !text.contains(BASIC.strip_prefix("Basic ").unwrap()), "{text}");
    }
    assert!(!line.contains('\n'), "{line}");
    line
}

#[track_caller]
pub fn assert_stalled(error: &Error) {
    assert_eq!(error.verdict(), Verdict::Stalled, "{}", line(error));
}

#[track_caller]
pub fn assert_retry(error: &Error) {
    assert!(matches!(error.verdict(), Verdict::Retry { .. }), "{}", line(error));
}

/// The `Authorization` of each request that a server saw.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<(String, Sent)>>>);

type Sent = Option<String>;

impl Seen {
    pub fn note(&self, parts: &Parts) {
        self.0.lock().unwrap().push((format!("{} {}", parts.method, parts.uri), authorization(parts)));
    }

    pub fn all(&self) -> Vec<(String, Option<String>)> {
        self.0.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

pub fn authorization(parts: &Parts) -> Option<String> {
    parts.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned())
}

pub fn unauthorized(challenge: &str) -> Response {
    let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge.to_owned())], body).into_response()
}

pub fn status(code: u16, body: &'static str) -> Response {
    (StatusCode::from_u16(code).unwrap(), body).into_response()
}

pub fn json(body: impl Into<String>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

pub fn redirect_to(location: impl AsRef<str>) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location.as_ref().to_owned())]).into_response()
}

/// Lets `registry` take only requests with `Bearer <token>`, to be had at `realm`.
pub fn want_bearer(registry: &Server, realm: &str, token: &'static str) -> Seen {
    let seen = Seen::default();
    let noted = seen.clone();
    let challenge = format!(r#"Bearer realm="{realm}",service="test registry",scope="repository:user/image:pull""#);
    registry.on_request(move |parts| {
        noted.note(parts);
        (authorization(parts).as_deref() != Some(&format!("Bearer {token}"))).then(|| unauthorized(&challenge))
    });
    seen
}

/// Lets `server` give out `answer` as a token server.
pub fn give_tokens(server: &Server, answer: impl Fn(&Parts) -> Response + Send + Sync + 'static) -> Seen {
    let seen = Seen::default();
    let noted = seen.clone();
    server.on_request(move |parts| {
        noted.note(parts);
        Some(answer(parts))
    });
    seen
}
