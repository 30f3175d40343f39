//! One request and its answer: limits, deadline, redirects, retries. Knows nothing of tokens.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oci_distribution::errors::{OciEnvelope, OciErrorCode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_NONE_MATCH, LOCATION};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::redact::{Redactor, Secret};

use super::connect::Clients;
use super::credential::CredentialSource;
use super::error::{Cause, Innermost, Refusal, Server};
use super::gate::LONGEST_PAUSE;
use super::host::Host;
use super::limits::{self, Throttling};
use super::{challenge, tls, trust};

/// Tries at one request; more are the engine's to make, later.
const ATTEMPTS: u32 = 4;
/// All waits between the tries of one request together.
const PATIENCE: Duration = Duration::from_secs(60);
/// Hops: registry, storage, its mirror, and some to spare.
const REDIRECTS: usize = 5;
/// As much of a refusal is read as a person could.
const REFUSAL_BODY: usize = 16 * 1024;
/// As much of its message is shown as fits a log line.
const REFUSAL_MESSAGE: usize = 200;

/// A request to be made.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: &'static str,
    /// What is being read, for messages.
    pub(super) what: &'static str,
    /// The most that is read of a good answer's body.
    pub(super) limit: usize,
    pub(super) follow_redirects: bool,
    /// The validator of what is known already; the answer may then be 304.
    pub(super) if_none_match: Option<HeaderValue>,
}

impl Request {
    /// Asks whether this is a registry at all, and for its challenge.
    pub(super) fn greeting(host: &Host) -> Self {
        let url = host.base.clone();
        Self {
            method: Method::GET,
            url,
            accept: "application/json",
            what: "the greeting",
            limit: REFUSAL_BODY,
            follow_redirects: true,
            if_none_match: None,
        }
    }
}

/// A credential on the wire, with the secrets that must not come back in a message.
#[derive(Clone)]
pub(super) struct Authorization {
    pub(super) carrier: Carrier,
    pub(super) redactor: Redactor,
    /// Where the credential came from; none for a token that anybody gets.
    pub(super) source: Option<Arc<CredentialSource>>,
}

/// What a credential travels in.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Carrier {
    /// The value of `Authorization`.
    Header(HeaderValue),
    /// The body of a form, which only token servers take.
    Form(Secret),
}

/// An answer, read in full.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Who answered: after redirects this is not who was asked.
    pub(super) url: Url,
    /// How long it took, without the wait for its turn.
    pub(super) took: Duration,
    /// Whether it means that too much is asked.
    pub(super) throttling: Option<Throttling>,
    server: Server,
    /// Where the credential came from that was sent.
    credential: Option<Arc<CredentialSource>>,
    message: Option<String>,
}

impl Answer {
    /// Makes an answer that no server gave.
    #[cfg(any(test, fuzzing))]
    pub(super) fn good(headers: HeaderMap, body: Vec<u8>, url: Url) -> Self {
        let (status, took, server) = (StatusCode::OK, Duration::ZERO, Server::Registry);
        Self { status, headers, body, url, took, throttling: None, server, credential: None, message: None }
    }

    /// Notes what the answer says if it is a refusal, without the secrets that were sent.
    fn describe(&mut self, authorization: Option<&Authorization>) {
        if !self.status.is_success() {
            let none = Redactor::default();
            self.message = message(self, authorization.map_or(&none, |authorization| &authorization.redactor));
            self.credential = authorization.and_then(|authorization| authorization.source.clone());
        }
    }

    /// Turns the answer into the error that it is.
    pub(super) fn refused(self) -> Cause {
        Cause::Answer(self.refusal())
    }

    pub(super) fn refusal(&self) -> Refusal {
        Refusal {
            server: self.server.clone(),
            status: self.status,
            message: self.message.clone(),
            after: self.after(),
            credential: self.credential.clone(),
            lacks_right: challenge::lacks_right(&self.headers),
            throttled: self.throttling.is_some(),
        }
    }

    /// Returns how long the server wants to be left alone.
    fn after(&self) -> Option<Duration> {
        self.throttling.map_or_else(|| limits::after(&self.headers, Timestamp::now()), |throttling| throttling.after)
    }

    /// Says whether the server that was asked gave it, not one that it redirected to.
    pub(super) fn is_own(&self) -> bool {
        self.server == Server::Registry
    }

    /// Returns the media type without parameters, in lower case.
    pub(super) fn media_type(&self) -> Option<String> {
        let value = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next()?.trim().to_ascii_lowercase()).filter(|kind| !kind.is_empty())
    }

    /// Says whether this is a web page.
    pub(super) fn is_web_page(&self) -> bool {
        self.media_type().as_deref() == Some("text/html") || self.body.trim_ascii_start().starts_with(b"<")
    }
}

/// Makes a request, and again where that may help: connections that fail, throttling, and the 5xx of tired servers.
///
/// Every other answer comes back as it is.
pub(super) async fn send(host: &Host, request: &Request, authorization: Option<&Authorization>) -> Result<Answer, Cause> {
    let mut patience = PATIENCE;
    let mut failures = 0;
    loop {
        let (cause, after) = match exchange(host, request, authorization).await {
            Ok(answer) if answer.throttling.is_none() && !may_pass(answer.status) => return Ok(answer),
            Ok(answer) => {
                let after = answer.after();
                if let Some(wait) = after {
                    host.pause(wait);
                }
                (answer.refused(), after)
            }
            Err(cause @ Cause::Network { .. }) => (cause, None),
            Err(cause) => return Err(cause),
        };
        failures += 1;
        // What is left of the server's own wait then is waited out with all others at the gate.
        let wait = host.backoff.delay(failures);
        let whole = after.unwrap_or_default().max(wait);
        if failures >= ATTEMPTS || whole > patience || whole > LONGEST_PAUSE {
            return Err(cause);
        }
        patience = patience.saturating_sub(whole);
        tracing::debug!(registry = %host.registry, failures, wait_ms = whole.as_millis(), reason = %crate::error::chain(&cause), "asking again");
        tokio::time::sleep(wait).await;
    }
}

/// Says whether asking again soon may help. What a server does not know how to do (501, 505) it will not learn, and a
/// pull that a policy forbids (Harbor's 412) stays forbidden.
fn may_pass(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::INTERNAL_SERVER_ERROR
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// Makes a request once, within the deadline, and follows its redirects.
async fn exchange(host: &Host, request: &Request, authorization: Option<&Authorization>) -> Result<Answer, Cause> {
    let leave = host.turn(request).await?;
    let (start, after) = (Instant::now(), host.config.timeout);
    let clients = host.clients();
    let mut answer = match tokio::time::timeout(after, follow(host, &clients, request, authorization)).await {
        Ok(answer) => answer,
        Err(_) => Err(Cause::Timeout { host: reached(&clients, &request.url), after }),
    };
    if let Ok(answer) = &mut answer {
        answer.took = start.elapsed();
    }
    leave.ended(&answer);
    answer
}

async fn follow(host: &Host, clients: &Clients, request: &Request, mut authorization: Option<&Authorization>) -> Result<Answer, Cause> {
    let mut url = request.url.clone();
    for _ in 0..=REDIRECTS {
        let http = clients.pick(host.is_trusted(&url));
        let mut builder = http.request(request.method.clone(), url.clone()).header(ACCEPT, request.accept);
        if let Some(known) = &request.if_none_match {
            builder = builder.header(IF_NONE_MATCH, known.clone());
        }
        if let Some(authorization) = authorization {
            builder = match &authorization.carrier {
                Carrier::Header(header) => builder.header(AUTHORIZATION, header.clone()),
                Carrier::Form(form) => builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.expose().to_owned()),
            };
        }
        let response = builder.send().await.map_err(|error| network(clients, &url, error))?;
        let Some(location) = location(&response, request)? else {
            let server = if url.origin() == request.url.origin() { Server::Registry } else { Server::Redirected(name(&url)) };
            let mut answer = read(response, clients, url, request).await?;
            answer.server = server;
            answer.describe(authorization);
            return Ok(answer);
        };
        let next = trust::redirect(&url, &location, &host.base)?;
        if next.origin() != url.origin() {
            // Gone for good: a redirect back does not bring it back.
            authorization = None;
        }
        url = next;
    }
    Err(Cause::Redirect { to: name(&url), reason: "there were too many" })
}

/// Returns where an answer redirects to.
fn location(response: &reqwest::Response, request: &Request) -> Result<Option<String>, Cause> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
    if request.follow_redirects {
        return Ok(Some(location));
    }
    Err(Cause::Redirect {
        to: crate::redact::one_line(location.split('?').next().unwrap_or_default(), 100),
        reason: "token servers do not redirect",
    })
}

async fn read(mut response: reqwest::Response, clients: &Clients, url: Url, request: &Request) -> Result<Answer, Cause> {
    let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
    let limit = if status.is_success() { request.limit } else { REFUSAL_BODY };
    let mut body = Vec::new();
    // Counted as it comes and after decompression: lengths in headers are only claims.
    while let Some(chunk) = response.chunk().await.map_err(|error| network(clients, &url, error))? {
        let room = limit - body.len();
        if chunk.len() > room {
            if status.is_success() {
                return Err(Cause::TooLong { what: request.what, limit });
            }
            body.extend_from_slice(&chunk[..room]);
            break;
        }
        body.extend_from_slice(&chunk);
    }
    let throttling = limits::throttling(status, &headers, &body, Timestamp::now());
    let (took, server) = (Duration::ZERO, Server::Registry);
    Ok(Answer { status, headers, body, url, took, throttling, server, credential: None, message: None })
}

fn network(clients: &Clients, url: &Url, error: reqwest::Error) -> Cause {
    let host = reached(clients, url);
    match tls::fault(&error) {
        tls::Fault::Certificate => Cause::Certificate { host, source: Innermost::new(error) },
        tls::Fault::ClientCertificate => Cause::ClientCertificate { host, source: Innermost::new(error) },
        tls::Fault::NotTls => Cause::NotTls { host },
        tls::Fault::Other => Cause::Network { host, source: Innermost::new(error) },
    }
}

/// Names a URL's host, and the proxy through which it is reached: either may be what fails.
fn reached(clients: &Clients, url: &Url) -> String {
    match clients.proxy(url) {
        // Without the slash that URLs end in.
        Some(proxy) => format!("{} through the proxy {}", name(url), proxy.to_string().trim_end_matches('/')),
        None => name(url),
    }
}

/// Returns a URL's host as people write it.
pub(super) fn name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Finds what a refusal says: the OCI error, else its text if that is short and no web page.
fn message(answer: &Answer, redactor: &Redactor) -> Option<String> {
    let text = match serde_json::from_slice::<OciEnvelope>(&answer.body) {
        Ok(envelope) => {
            let error = envelope.errors.into_iter().next()?;
            if error.message.is_empty() { code(&error.code) } else { error.message }
        }
        Err(_) if answer.is_web_page() => return None,
        Err(_) => String::from_utf8_lossy(&answer.body).into_owned(),
    };
    Some(redactor.clean(&text, REFUSAL_MESSAGE)).filter(|text| !text.is_empty())
}

/// Returns an error code as it stands in the answer.
fn code(code: &OciErrorCode) -> String {
    match serde_json::to_value(code) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}
