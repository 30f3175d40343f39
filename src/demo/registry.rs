//! A small OCI registry inside this process.
//!
//! Owns repositories, tags and manifests in memory, and serves the part of the distribution
//! specification that Tagboat reads, on a free loopback port. Hides its server, which stops when
//! the [`Registry`] is dropped. A hook sees every request first and may answer in its place;
//! that is how tests make it fail, throttle or ask for credentials.

mod store;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::runtime::Runtime;

use store::Store;

/// As many requests are remembered; a try-out may run for days.
const REMEMBERED: usize = 10_000;
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A running registry; it stops when dropped.
#[derive(Debug)]
pub struct Registry {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Its own, so that dropping it ends every connection at once.
    runtime: Option<Runtime>,
}

type Hook = Arc<dyn Fn(&Parts) -> Option<Response> + Send + Sync>;

#[derive(Default)]
struct Shared {
    store: Mutex<Store>,
    hook: Mutex<Option<Hook>>,
    requests: Mutex<Requests>,
}

#[derive(Default)]
struct Requests {
    count: u64,
    latest: VecDeque<String>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Starts an empty registry on a free port of the loopback interface.
    ///
    /// # Errors
    /// If no port or thread is to be had.
    pub async fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("demo-registry").enable_all().build()?;
        let shared = Arc::<Shared>::default();
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let bound = runtime.spawn(tokio::net::TcpListener::bind(("127.0.0.1", 0)));
        let listener = match bound.await {
            Ok(listener) => listener,
            Err(error) => Err(io::Error::other(error)),
        };
        let listener = match listener {
            Ok(listener) => listener,
            Err(error) => {
                runtime.shutdown_background();
                return Err(error);
            }
        };
        let registry = Self { addr: listener.local_addr()?, shared, runtime: Some(runtime) };
        if let Some(runtime) = &registry.runtime {
            runtime.spawn(async move { axum::serve(listener, router).await });
        }
        Ok(registry)
    }

    /// Returns where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Returns its host as it stands in image references: `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// Gives a repository a tag, with an image of its own; returns the digest of the image's manifest.
    pub fn publish(&self, repository: &str, tag: &str) -> String {
        lock(&self.shared.store).publish(repository, tag)
    }

    /// Gives a repository many tags.
    pub fn publish_many<T: AsRef<str>>(&self, repository: &str, tags: impl IntoIterator<Item = T>) {
        let mut store = lock(&self.shared.store);
        for tag in tags {
            store.publish(repository, tag.as_ref());
        }
    }

    /// Takes a tag away; says whether it was there.
    pub fn delete(&self, repository: &str, tag: &str) -> bool {
        lock(&self.shared.store).delete(repository, tag)
    }

    /// Lets `hook` see every request first; what it returns is the answer, and none leaves the request to the registry.
    ///
    /// There is one hook; a new one replaces it.
    pub fn on_request(&self, hook: impl Fn(&Parts) -> Option<Response> + Send + Sync + 'static) {
        *lock(&self.shared.hook) = Some(Arc::new(hook));
    }

    /// Returns the latest requests as `METHOD path?query`, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared.requests).latest.iter().cloned().collect()
    }

    /// Returns the number of requests since the start.
    #[must_use]
    pub fn request_count(&self) -> u64 {
        lock(&self.shared.requests).count
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed where a registry may be dropped.
            runtime.shutdown_background();
        }
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    shared.remember(&parts);
    let hook = lock(&shared.hook).clone();
    if let Some(response) = hook.and_then(|hook| hook(&parts)) {
        return response;
    }
    answer(&lock(&shared.store), &parts)
}

impl Shared {
    fn remember(&self, parts: &Parts) {
        let mut requests = lock(&self.requests);
        requests.count += 1;
        if requests.latest.len() >= REMEMBERED {
            requests.latest.pop_front();
        }
        requests.latest.push_back(format!("{} {}", parts.method, parts.uri));
    }
}

/// Answers as the distribution specification has it.
fn answer(store: &Store, parts: &Parts) -> Response {
    if !matches!(parts.method, Method::GET | Method::HEAD) {
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry is for reading only");
    }
    let Some(path) = parts.uri.path().strip_prefix("/v2/") else {
        return refuse(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "the API begins at /v2/");
    };
    if path.is_empty() {
        return json("{}".to_owned());
    }
    if let Some(repository) = path.strip_suffix("/tags/list") {
        return tags(store, repository, parts.uri.query().unwrap_or_default());
    }
    match path.rsplit_once("/manifests/") {
        Some((repository, reference)) => manifest(store, repository, reference),
        None => refuse(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "no such thing here"),
    }
}

fn tags(store: &Store, repository: &str, query: &str) -> Response {
    let param = |wanted: &str| url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted).map(|(_, value)| value);
    let limit = match param("n").map(|n| n.parse::<usize>()) {
        Some(Err(_)) => return refuse(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", "n is no number"),
        Some(Ok(n)) => n,
        None => usize::MAX,
    };
    let Some(page) = store.tags(repository, param("last").as_deref(), limit) else {
        return refuse(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "repository name not known to registry");
    };
    let mut response = json(serde_json::json!({ "name": repository, "tags": page.tags }).to_string());
    if let (true, Some(last)) = (page.more, page.tags.last()) {
        let query =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("last", last).append_pair("n", &limit.to_string()).finish();
        if let Ok(link) = format!("</v2/{repository}/tags/list?{query}>; rel=\"next\"").parse() {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    response
}

fn manifest(store: &Store, repository: &str, reference: &str) -> Response {
    match store.manifest(repository, reference) {
        Some((digest, bytes)) => {
            let headers = [(header::CONTENT_TYPE, store::MEDIA_TYPE.to_owned()), (CONTENT_DIGEST, digest.to_owned())];
            (headers, Body::from(bytes)).into_response()
        }
        None => refuse(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "manifest unknown"),
    }
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
    (status, json(body.to_string())).into_response()
}
