//! What passes between the client and registries, told to whoever listens: `tagboat registry test` does.
//!
//! Owns what may be shown of an exchange: no secret, no text that is not clean, no header that says nothing about how registries
//! work. Without a listener nothing of this is put together.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Serialize;
use url::Url;

use crate::redact::{Redactor, SafeUrl, one_line};

use super::credential::CredentialSource;
use super::error::Cause;
use super::wire::{Authorization, Carrier};

/// The headers that say how a registry works, in the order in which they are shown.
const SHOWN: [&str; 22] = [
    "www-authenticate",
    "location",
    "link",
    "content-type",
    "docker-content-digest",
    "etag",
    "retry-after",
    "x-retry-after",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "docker-ratelimit-source",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "warning",
    "server",
    "via",
    "x-jfrog-version",
    "docker-distribution-api-version",
    "x-amzn-requestid",
    "x-ms-correlation-request-id",
];
/// The longest header that is shown whole, in characters.
const LONGEST: usize = 300;

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A credential was looked for.
    Credential(Option<Arc<CredentialSource>>),
    /// A request was made.
    Exchange(Exchange),
}

/// A request and what came of it; one hop of a redirect is one exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The URL; without its query where a redirect led to another host, since that may hold a signature.
    pub url: String,
    /// What authenticated it, in words: `nothing`, `Basic`, `Bearer`, `a form`.
    pub with: &'static str,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Those of the answer's headers that say how the registry works.
    pub headers: Vec<(&'static str, String)>,
    /// The bytes of the answer's body that were read; none for a redirect.
    pub bytes: Option<usize>,
    /// Why there is no answer.
    pub failure: Option<String>,
    /// How long it took, without the wait for its turn, in milliseconds.
    pub duration_ms: u64,
}

/// Who is told of all events.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(Event) + Send + Sync>);

impl Listener {
    /// Makes a listener; it is called in the middle of requests, so it should be quick.
    pub fn new(listen: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    pub(super) fn tell(&self, event: Event) {
        (self.0)(event);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// What is known of a request before its answer.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    /// Whether the URL was given by a redirect to another host.
    pub(super) is_foreign: bool,
    pub(super) authorization: Option<&'a Authorization>,
}

impl Asked<'_> {
    /// Shows the exchange that came of it.
    pub(super) fn shown(&self, answer: Result<(u16, &HeaderMap, Option<usize>), &Cause>, redactor: &Redactor, took: Duration) -> Exchange {
        let url = if self.is_foreign { SafeUrl::new(self.url.clone()).to_string() } else { self.url.to_string() };
        let with = match self.authorization.map(|authorization| &authorization.carrier) {
            None => "nothing",
            Some(Carrier::Form(_)) => "a form",
            Some(Carrier::Header(value)) if value.as_bytes().starts_with(b"Basic ") => "Basic",
            Some(Carrier::Header(_)) => "Bearer",
        };
        let (status, headers, bytes, failure) = match answer {
            Ok((status, headers, bytes)) => (Some(status), shown(headers, redactor), bytes, None),
            Err(cause) => (None, Vec::new(), None, Some(crate::error::chain(cause).to_string())),
        };
        Exchange {
            method: self.method.to_string(),
            url: redactor.clean(&url, 500),
            with,
            status,
            headers,
            bytes,
            failure,
            duration_ms: took.as_millis().try_into().unwrap_or(u64::MAX),
        }
    }
}

/// Finds the headers that are shown, each line of each.
fn shown(headers: &HeaderMap, redactor: &Redactor) -> Vec<(&'static str, String)> {
    let lines = SHOWN.iter().flat_map(|&name| headers.get_all(name).iter().map(move |value| (name, value)));
    let text = lines.map(|(name, value)| (name, String::from_utf8_lossy(value.as_bytes()).into_owned()));
    text.map(|(name, text)| match name {
        // Where a redirect leads may be signed.
        "location" => (name, Url::parse(&text).map_or_else(|_| text, |url| SafeUrl::new(url).to_string())),
        _ => (name, text),
    })
    .map(|(name, text)| (name, one_line(&redactor.clean(&text, LONGEST), LONGEST)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    use crate::redact::Secret;

    #[test]
    fn headers_are_shown_without_secrets_signatures_and_control_characters() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("www-authenticate", "Bearer realm=\"https://r.example/t\",error=\"bad hunter22\""),
            ("location", "https://cdn.example/blob?X-Amz-Signature=abc"),
            ("set-cookie", "session=1"),
            ("server", "a\tb"),
            ("link", "</v2/a/tags/list?last=x&n=2>; rel=\"next\""),
        ] {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let redactor = Redactor::new([Secret::new("hunter22")]);
        let lines: Vec<String> = shown(&headers, &redactor).into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            lines,
            [
                "www-authenticate: Bearer realm=\"https://r.example/t\",error=\"bad ***\"",
                "location: https://cdn.example/blob?***",
                "link: </v2/a/tags/list?last=x&n=2>; rel=\"next\"",
                "server: a b",
            ]
        );
    }
}
