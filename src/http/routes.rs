//! What is answered on which path.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use super::status::Page;
use super::webhook::{self, Webhooks, deliver};
use super::{Check, Sources};

/// The media type of the encoder's text (OpenMetrics 1.0.0, "Overall Structure").
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) const PLAIN: &str = "text/plain; charset=utf-8";

const INDEX: &str = concat!(
    "Tagboat ",
    env!("CARGO_PKG_VERSION"),
    "\n\n/healthz        whether the process works\n/readyz         whether the first round is done\n/metrics        metrics for Prometheus\n",
    "/webhook        push events, under the names of the policy file\n",
    "/api/v1/status  what is watched and what fails, as JSON; ?registry= and ?environment= give a part\n"
);

/// Puts the paths together.
pub(super) fn routes(webhooks: Vec<webhook::Config>, sources: Sources) -> Router {
    let status = Page::new(Arc::clone(&sources.status));
    let webhooks = Arc::new(Webhooks::new(webhooks, &sources));
    let events = Router::new().route("/webhook/{name}", any(deliver)).route("/webhook/{name}/{secret}", any(deliver)).with_state(webhooks);
    Router::new()
        .route("/", get(|| async { answer(StatusCode::OK, PLAIN, INDEX.to_owned()) }))
        .route("/healthz", get(|State(sources): State<Sources>| async move { checked(&sources.live) }))
        .route("/readyz", get(|State(sources): State<Sources>| async move { checked(&sources.ready) }))
        .route("/metrics", get(|State(sources): State<Sources>| async move { metrics(&sources) }))
        .route("/api/v1/status", get(move |filter| Arc::clone(&status).answer(filter)))
        .fallback(|| async { answer(StatusCode::NOT_FOUND, PLAIN, "no such page\n".to_owned()) })
        .with_state(sources)
        .merge(events)
}

fn checked(check: &Check) -> Response {
    match check() {
        Ok(()) => answer(StatusCode::OK, PLAIN, "ok\n".to_owned()),
        Err(reason) => answer(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("{reason}\n")),
    }
}

fn metrics(sources: &Sources) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &sources.metrics) {
        Ok(()) => answer(StatusCode::OK, OPEN_METRICS, text),
        Err(_) => answer(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, "the metrics could not be written\n".to_owned()),
    }
}

/// Answers with plain text.
pub(super) fn plain(status: StatusCode, text: String) -> Response {
    answer(status, PLAIN, text)
}

fn answer(status: StatusCode, media_type: &'static str, body: String) -> Response {
    (status, headers(media_type), body).into_response()
}

/// The headers of every answer.
pub(super) fn headers(media_type: &'static str) -> [(HeaderName, HeaderValue); 3] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        // Reasons may quote foreign text: no browser shall take it for a page.
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}
