//! `/api/v1/status`: what the engine knows, as JSON.
//!
//! With ten thousand repositories the document has some megabytes, so it is made by one request at a time, off the
//! threads that serve others, and at most once a second for those who ask the same.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::routes::{PLAIN, headers};

/// For so long a document is given again as it is.
const FRESH: Duration = Duration::from_secs(1);

/// The part of the status that a request asks for; without any filter, all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Filter {
    /// Only this registry and its repositories.
    pub registry: Option<String>,
    /// Only this environment and the repositories it uses.
    pub environment: Option<String>,
}

/// Writes the status, as JSON; it may take a while.
pub type StatusSource = Arc<dyn Fn(&Filter) -> Result<Vec<u8>, serde_json::Error> + Send + Sync>;

/// The page, with the document that it gave last.
pub(super) struct Page {
    source: StatusSource,
    last: Mutex<Option<Document>>,
}

struct Document {
    filter: Filter,
    made: Instant,
    bytes: Bytes,
}

impl Page {
    pub(super) fn new(source: StatusSource) -> Arc<Self> {
        Arc::new(Self { source, last: Mutex::default() })
    }

    /// Answers a request.
    pub(super) async fn answer(self: Arc<Self>, Query(filter): Query<Filter>) -> Response {
        match self.document(filter).await {
            Some(bytes) => (StatusCode::OK, headers("application/json"), bytes).into_response(),
            None => (StatusCode::INTERNAL_SERVER_ERROR, headers(PLAIN), "the status could not be written\n").into_response(),
        }
    }

    async fn document(&self, filter: Filter) -> Option<Bytes> {
        let mut last = self.last.lock().await;
        if let Some(document) = last.as_ref().filter(|document| document.filter == filter && document.made.elapsed() < FRESH) {
            return Some(document.bytes.clone());
        }
        let (source, wanted, made) = (Arc::clone(&self.source), filter.clone(), Instant::now());
        let written = tokio::task::spawn_blocking(move || source(&wanted)).await;
        let bytes = Bytes::from(written.ok()?.ok()?);
        *last = Some(Document { filter, made, bytes: bytes.clone() });
        Some(bytes)
    }
}
