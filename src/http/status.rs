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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn filter(registry: &str) -> Filter {
        Filter { registry: Some(registry.to_owned()), environment: None }
    }

    async fn ask(page: &Arc<Page>, filter: Filter) -> (StatusCode, String, String) {
        let answer = Arc::clone(page).answer(Query(filter)).await;
        let (status, kind) = (answer.status(), answer.headers()["content-type"].to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn many_who_ask_the_same_at_once_share_one_document() {
        let made = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&made);
        let page = Page::new(Arc::new(move |filter| {
            count.fetch_add(1, Ordering::SeqCst);
            serde_json::to_vec(&filter.registry)
        }));
        let asking: Vec<_> = (0..50)
            .map(|_| {
                tokio::spawn({
                    let page = Arc::clone(&page);
                    async move { ask(&page, filter("ghcr.io")).await }
                })
            })
            .collect();
        for asked in asking {
            assert_eq!(asked.await.unwrap(), (StatusCode::OK, "application/json".to_owned(), "\"ghcr.io\"".to_owned()));
        }
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert_eq!(ask(&page, filter("quay.io")).await.2, "\"quay.io\"", "another question has another answer");
        page.last.lock().await.as_mut().unwrap().made = Instant::now().checked_sub(FRESH).unwrap();
        ask(&page, filter("quay.io")).await;
        assert_eq!(made.load(Ordering::SeqCst), 3, "an old document is made anew");
    }

    #[tokio::test]
    async fn a_status_that_cannot_be_written_is_an_error_and_the_next_may_be_fine() {
        let fails = Arc::new(AtomicU32::new(2));
        let left = Arc::clone(&fails);
        let page = Page::new(Arc::new(move |_| match left.fetch_sub(1, Ordering::SeqCst) {
            2 => Err(<serde_json::Error as serde::ser::Error>::custom("no")),
            1 => panic!("a bug"),
            _ => Ok(b"{}".to_vec()),
        }));
        for expected in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::INTERNAL_SERVER_ERROR, StatusCode::OK] {
            assert_eq!(ask(&page, Filter::default()).await.0, expected);
        }
    }
}
