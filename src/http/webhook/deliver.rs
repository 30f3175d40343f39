//! From a request to an answer: limits, then who sends, then what it says, then who is told.

use std::collections::{BTreeMap, HashSet};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::auth::{Guard, Refusal};
use super::read::{Reading, parse};
use super::tell::Teller;
use super::{Config, Event, Kind, Sender};
use crate::error::chain;
use crate::http::{DueNow, Sources};
use crate::redact::one_line;

/// The largest body, in bytes; real payloads are a few thousand.
const LARGEST: usize = 1024 * 1024;
/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);
/// Deliveries at once, all webhooks together; with [`LARGEST`] it bounds the memory.
const PLACES: usize = 32;
/// Foreign text in a log line, in characters.
const LONGEST_REASON: usize = 200;
/// How Event Grid asks before it sends CloudEvents (CloudEvents "HTTP 1.1 Web Hooks", 4), and the one who may.
const REQUEST_ORIGIN: &str = "webhook-request-origin";
const EVENT_GRID: &str = "eventgrid.azure.net";

/// All webhooks, by name.
pub(in crate::http) struct Webhooks {
    hooks: BTreeMap<String, Hook>,
    due_now: DueNow,
    places: Semaphore,
    patience: Duration,
}

struct Hook {
    sender: Sender,
    guard: Guard,
    teller: Teller,
}

impl Webhooks {
    pub(in crate::http) fn new(configs: Vec<Config>, sources: &Sources) -> Self {
        let hook = |Config { name, sender, auth }: Config| {
            let guard = Guard::new(sender.kind, auth);
            (name.clone(), Hook { sender, guard, teller: Teller::new(name, Arc::clone(&sources.counts)) })
        };
        let hooks = configs.into_iter().map(hook).collect();
        Self { hooks, due_now: Arc::clone(&sources.due_now), places: Semaphore::new(PLACES), patience: PATIENCE }
    }
}

/// What a delivery comes to.
#[derive(Debug)]
enum Outcome {
    /// At least one repository is due now.
    Accepted,
    /// It is well and leads to nothing.
    Ignored,
    /// Event Grid gets this code back.
    Validated(String),
    Unauthorized(Refusal),
    Invalid(String),
    TooLarge,
    /// The body did not arrive in time.
    Slow,
    /// The body broke off.
    Broken,
    /// All places are taken.
    Busy,
    /// It could not be checked, for a reason on our side.
    Failed(Refusal),
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Secret(_) | Refusal::Keys(_) => Self::Failed(refusal),
            _ => Self::Unauthorized(refusal),
        }
    }
}

/// Answers a request to `/webhook/NAME` or `/webhook/NAME/SECRET`.
pub(in crate::http) async fn deliver(State(webhooks): State<Arc<Webhooks>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/webhook/").unwrap_or_default();
    let (name, secret) = path.split_once('/').map_or((path, None), |(name, secret)| (name, Some(secret)));
    let Some(hook) = webhooks.hooks.get(name) else { return answer(StatusCode::NOT_FOUND, "no such webhook") };
    if head.method == Method::OPTIONS && hook.sender.kind == Kind::Acr {
        return hook.permission(&head, secret).await;
    }
    if head.method != Method::POST {
        return ([(header::ALLOW, HeaderValue::from_static("POST"))], answer(StatusCode::METHOD_NOT_ALLOWED, "events are sent by POST"))
            .into_response();
    }
    let outcome = match webhooks.places.try_acquire() {
        Ok(_place) => hook.take(&head, secret, body, &webhooks).await.unwrap_or_else(|outcome| outcome),
        Err(_) => Outcome::Busy,
    };
    hook.tell(&outcome);
    hook.answer(&outcome)
}

impl Hook {
    async fn take(&self, head: &Parts, secret: Option<&str>, body: Body, webhooks: &Webhooks) -> Result<Outcome, Outcome> {
        let check = self.guard.admit(head, secret).await?;
        if length(&head.headers).is_some_and(|length| length > LARGEST as u64) {
            return Err(Outcome::TooLarge);
        }
        let body = tokio::time::timeout(webhooks.patience, read(body)).await.map_err(|_| Outcome::Slow)??;
        check.body(&body)?;
        match parse(&self.sender, &head.headers, &body) {
            Ok(Reading::Events(events)) => Ok(self.pass_on(&events, &webhooks.due_now)),
            Ok(Reading::Nothing(reason)) => {
                tracing::debug!(webhook = self.teller.webhook(), reason, "a push event leads to nothing");
                Ok(Outcome::Ignored)
            }
            Ok(Reading::Validation(code)) => Ok(Outcome::Validated(code)),
            Err(error) => Err(Outcome::Invalid(error.to_string())),
        }
    }

    /// Says of each repository once that it is due.
    fn pass_on(&self, events: &[Event], due_now: &DueNow) -> Outcome {
        let (mut seen, mut outcome) = (HashSet::new(), Outcome::Ignored);
        for Event { repository, tag } in events {
            if !seen.insert(repository) {
                continue;
            }
            let (webhook, tag) = (self.teller.webhook(), tag.as_ref().map(tracing::field::display));
            if due_now(repository) {
                tracing::debug!(webhook, %repository, tag, "a push event makes a repository due");
                outcome = Outcome::Accepted;
            } else {
                tracing::debug!(webhook, %repository, tag, "a push event is about a repository that is not watched");
            }
        }
        outcome
    }

    /// Answers Event Grid, which asks whether it may send before it does.
    async fn permission(&self, head: &Parts, secret: Option<&str>) -> Response {
        if let Err(refusal) = self.guard.admit(head, secret).await {
            let outcome = refusal.into();
            self.tell(&outcome);
            return self.answer(&outcome);
        }
        if head.headers.get(REQUEST_ORIGIN).is_none_or(|origin| origin != EVENT_GRID) {
            return answer(StatusCode::BAD_REQUEST, "this origin may not send");
        }
        ([("webhook-allowed-origin", EVENT_GRID), ("webhook-allowed-rate", "*")], answer(StatusCode::OK, "events may be sent"))
            .into_response()
    }

    /// Counts the outcome, and logs it if something is wrong.
    fn tell(&self, outcome: &Outcome) {
        let (result, reason) = match outcome {
            Outcome::Accepted => ("accepted", None),
            Outcome::Ignored | Outcome::Validated(_) => ("ignored", None),
            Outcome::Unauthorized(refusal) => ("unauthorized", Some(chain(refusal).to_string())),
            Outcome::Invalid(reason) => ("invalid", Some(reason.clone())),
            Outcome::TooLarge => ("too_large", Some("the body is larger than 1 MiB".to_owned())),
            Outcome::Slow => ("timeout", Some("the body did not arrive in time".to_owned())),
            Outcome::Broken => ("invalid", Some("the body broke off".to_owned())),
            Outcome::Busy => ("busy", Some("too many events at once; the next listing makes up for it".to_owned())),
            Outcome::Failed(refusal) => ("failed", Some(chain(refusal).to_string())),
        };
        self.teller.count(result);
        if let Some(reason) = reason {
            self.teller.trouble(result, &one_line(&reason, LONGEST_REASON));
        }
    }

    fn answer(&self, outcome: &Outcome) -> Response {
        let wait = |seconds| [(header::RETRY_AFTER, HeaderValue::from_static(seconds))];
        match outcome {
            Outcome::Accepted => answer(StatusCode::OK, "the repository is due now"),
            Outcome::Ignored => answer(StatusCode::OK, "nothing to do"),
            // It repeats a refused event for ever and sends no other meanwhile.
            Outcome::Invalid(_) | Outcome::TooLarge if self.sender.kind == Kind::Distribution => answer(StatusCode::OK, "nothing to do"),
            Outcome::Validated(code) => axum::Json(serde_json::json!({ "validationResponse": code })).into_response(),
            Outcome::Unauthorized(_) => {
                let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))];
                (challenge, answer(StatusCode::UNAUTHORIZED, "not authorized")).into_response()
            }
            Outcome::Invalid(_) | Outcome::Broken => answer(StatusCode::BAD_REQUEST, "this is no event of the expected kind"),
            Outcome::TooLarge => answer(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB"),
            Outcome::Slow => answer(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"),
            Outcome::Busy => (wait("10"), answer(StatusCode::SERVICE_UNAVAILABLE, "too many events at once")).into_response(),
            Outcome::Failed(_) => (wait("60"), answer(StatusCode::SERVICE_UNAVAILABLE, "it cannot be checked now")).into_response(),
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a body, whatever length it claims.
async fn read(mut body: Body) -> Result<Vec<u8>, Outcome> {
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let piece: Bytes = frame.map_err(|_| Outcome::Broken)?.into_data().unwrap_or_default();
        if whole.len() + piece.len() > LARGEST {
            return Err(Outcome::TooLarge);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole)
}

fn answer(status: StatusCode, sentence: &str) -> Response {
    super::super::routes::plain(status, format!("{sentence}\n"))
}
