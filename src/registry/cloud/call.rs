//! One call to a cloud: with a deadline, without redirects, its answer bounded and never shown.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use url::{Url, form_urlencoded};

use crate::redact::{Secret, one_line};
use crate::retry::parse_retry_after;

use super::super::error::Innermost;
use super::super::tls;
use super::error::{CallError, Problem};
use super::surroundings::Surroundings;

/// Tokens have some kilobytes.
pub(super) const LARGEST_ANSWER: usize = 128 * 1024;
/// The deadline of a call over the network.
const DEADLINE: Duration = Duration::from_secs(20);
/// The deadline of a call to a metadata service, which is on this machine, or not there at all, or drops what comes from a container.
const NEARBY_DEADLINE: Duration = Duration::from_secs(3);
const NEARBY_CONNECT: Duration = Duration::from_secs(1);
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// No code that a service gives is longer.
const LONGEST_CODE: usize = 64;

/// Makes calls to a cloud.
pub(super) struct Caller<'a> {
    http: &'a reqwest::Client,
    nearby: reqwest::Client,
    stand_in: Option<&'a Url>,
}

/// A call to be made.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) url: Url,
    /// In lower case, each name once.
    pub(super) headers: Vec<(Cow<'static, str>, Secret)>,
    pub(super) body: Secret,
}

impl Call {
    fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: Vec::new(), body: Secret::new("") }
    }

    pub(super) fn get(url: Url) -> Self {
        Self::new(Method::GET, url)
    }

    pub(super) fn put(url: Url) -> Self {
        Self::new(Method::PUT, url)
    }

    pub(super) fn form<'f>(url: Url, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::post(url, "application/x-www-form-urlencoded", body)
    }

    pub(super) fn post(url: Url, content_type: &str, body: String) -> Self {
        let call = Self { body: Secret::new(body), ..Self::new(Method::POST, url) };
        call.header("content-type", content_type)
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// Returns the `Host` that the call is for.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// An answer with a status of success; it holds secrets.
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    pub(super) fn json<T: DeserializeOwned>(&self, what: &'static str) -> Result<T, CallError> {
        // The parser's message could quote the answer.
        serde_json::from_slice(&self.body).map_err(|_| CallError::Without(what))
    }

    pub(super) fn text(&self, what: &'static str) -> Result<&str, CallError> {
        std::str::from_utf8(&self.body).map(str::trim).ok().filter(|text| !text.is_empty()).ok_or(CallError::Without(what))
    }
}

impl<'a> Caller<'a> {
    pub(super) fn new(http: &'a reqwest::Client, surroundings: &'a Surroundings) -> Result<Self, Problem> {
        tls::install_crypto_provider();
        let nearby = reqwest::Client::builder()
            .user_agent(concat!("tagboat/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(NEARBY_CONNECT)
            .redirect(reqwest::redirect::Policy::none())
            // What a metadata service gives out is nobody else's to see.
            .no_proxy()
            // It is spoken to in plain HTTP only.
            .tls_certs_only([])
            .build()
            .map_err(|error| Problem::Client(Innermost::new(error)))?;
        Ok(Self { http, nearby, stand_in: surroundings.stand_in() })
    }

    /// Makes a call; `step` says what for, should it fail.
    pub(super) async fn send(&self, call: Call, step: &str) -> Result<Reply, Problem> {
        self.try_send(call).await.map_err(|cause| Problem::Call { step: step.to_owned(), cause })
    }

    /// Makes a call whose failure may mean something.
    pub(super) async fn try_send(&self, call: Call) -> Result<Reply, CallError> {
        // A service on this machine speaks plain HTTP, and everything else TLS.
        let (client, deadline) = if call.url.scheme() == "http" { (&self.nearby, NEARBY_DEADLINE) } else { (self.http, DEADLINE) };
        tokio::time::timeout(deadline, self.exchange(client, call)).await.map_err(|_| CallError::Timeout(deadline))?
    }

    async fn exchange(&self, client: &reqwest::Client, call: Call) -> Result<Reply, CallError> {
        let mut request = match self.stand_in {
            Some(server) => {
                let mut url = call.url.clone();
                // Both only fail for servers that are no web address.
                let _ = url.set_scheme(server.scheme());
                let _ = url.set_host(server.host_str());
                let _ = url.set_port(server.port());
                client.request(call.method.clone(), url).header(HOST, call.host())
            }
            None => client.request(call.method.clone(), call.url.clone()),
        };
        for (name, value) in &call.headers {
            let unsendable = || CallError::Unsendable(one_line(name, LONGEST_CODE));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unsendable())?;
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unsendable())?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        if call.method != Method::GET {
            request = request.body(call.body.expose().to_owned());
        }
        let mut response = request.send().await.map_err(network)?;
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(network)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(if status.is_success() { CallError::TooLong } else { refused(status, &headers, &[]) });
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() { Ok(Reply { headers, body }) } else { Err(refused(status, &headers, &body)) }
    }
}

fn network(error: reqwest::Error) -> CallError {
    match tls::fault(&error) {
        tls::Fault::Certificate => CallError::Certificate(Innermost::new(error)),
        tls::Fault::NotTls | tls::Fault::ClientCertificate | tls::Fault::Other => CallError::Network(Innermost::new(error)),
    }
}

fn refused(status: reqwest::StatusCode, headers: &HeaderMap, body: &[u8]) -> CallError {
    let after = headers.get(RETRY_AFTER).and_then(|value| parse_retry_after(value.to_str().ok()?, Timestamp::now(), LONGEST_RETRY_AFTER));
    CallError::Refused { status, code: code(body), after }
}

/// Finds the code in a refusal, in each form that the clouds have; anything else in there is not shown.
fn code(body: &[u8]) -> Option<String> {
    let found = match serde_json::from_slice::<Json>(body) {
        Ok(json) => {
            let text = |pointer: &str| json.pointer(pointer).and_then(Json::as_str);
            // AWS's JSON, a container's credentials, OAuth, Google's APIs, a registry.
            let known = ["/__type", "/code", "/Code", "/error", "/error/status", "/error/code", "/errors/0/code"];
            let code = known.into_iter().find_map(text)?;
            let code = code.rsplit('#').next().unwrap_or(code).to_owned();
            // Entra's number says more than OAuth's word: AADSTS700016.
            match json.pointer("/error_codes/0").and_then(Json::as_u64) {
                Some(number) => format!("{code}, AADSTS{number}"),
                None => code,
            }
        }
        Err(_) => element(std::str::from_utf8(body).ok()?, "Code")?.to_owned(),
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-, ".contains(c);
    (found.len() <= LONGEST_CODE && found.chars().all(plain) && !found.is_empty()).then_some(found)
}

/// Returns the text of the first XML element of a name that has no attributes, as AWS writes what matters here.
pub(super) fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.contains(['<', '&'])).then_some(text.trim())
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_shows_its_code_and_nothing_else() {
        for (body, expected) in [
            (r#"{"__type":"com.amazonaws.ecr#AccessDeniedException","message":"s3cret"}"#, Some("AccessDeniedException")),
            (r#"{"code":"InvalidToken","message":"s3cret"}"#, Some("InvalidToken")),
            (r#"{"error":"invalid_grant","error_description":"s3cret"}"#, Some("invalid_grant")),
            (r#"{"error":"invalid_client","error_codes":[700016],"trace_id":"s3cret"}"#, Some("invalid_client, AADSTS700016")),
            (r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"s3cret"}}"#, Some("PERMISSION_DENIED")),
            (r#"{"errors":[{"code":"UNAUTHORIZED","message":"s3cret"}]}"#, Some("UNAUTHORIZED")),
            ("<ErrorResponse><Error><Code>AccessDenied</Code><Message>s3cret</Message></Error></ErrorResponse>", Some("AccessDenied")),
            (r#"{"error":"two\nlines \u001b[31m"}"#, None),
            (r#"{"error":""}"#, None),
            (r#"{"message":"s3cret"}"#, None),
            ("<Code>a<b</Code>", None),
            ("<Code>", None),
            ("s3cret", None),
            ("", None),
        ] {
            assert_eq!(code(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(code(format!(r#"{{"error":"{}"}}"#, "a".repeat(65)).as_bytes()), None);
    }
}
