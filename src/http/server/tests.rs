//! Real requests over loopback.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;
use crate::http::{ProbeError, probe};
use crate::telemetry::metrics::Metrics;

/// A server on a free port, and the switches behind its answers.
struct Running {
    address: SocketAddr,
    live: Arc<AtomicBool>,
    ready: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

async fn start(limits: Limits) -> Running {
    let (live, ready) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let metrics = Arc::new(Metrics::default());
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let switch = |switch: &Arc<AtomicBool>, reason: &'static str| {
        let switch = Arc::clone(switch);
        Arc::new(move || if switch.load(Ordering::Relaxed) { Ok(()) } else { Err(reason.to_owned()) })
    };
    let sources = Sources {
        metrics: Arc::new(registry),
        live: switch(&live, "the engine's loop stands still since 10:00"),
        ready: switch(&ready, "prod was not tried yet"),
        status: Arc::new(|filter| {
            serde_json::to_vec(&serde_json::json!({ "registry": filter.registry, "environment": filter.environment }))
        }),
        due_now: Arc::new(|_| false),
        counts: Arc::clone(&metrics),
    };
    let server = Server::with_limits("127.0.0.1:0".parse().unwrap(), Vec::new(), sources, limits).await.unwrap();
    let (address, shutdown) = (server.address(), CancellationToken::new());
    let served = tokio::spawn(server.serve(shutdown.clone()));
    Running { address, live, ready, metrics, shutdown, served }
}

/// Sends bytes and returns all that comes back until the server closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

async fn ask(address: SocketAddr, path: &'static str) -> Result<(), ProbeError> {
    tokio::task::spawn_blocking(move || probe(address, path)).await.unwrap()
}

#[tokio::test]
async fn health_and_readiness_answer_with_the_reason() {
    let server = start(Limits::DEFAULT).await;
    let answer = get(server.address, "/healthz").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    assert!(answer.contains("cache-control: no-store\r\n") && answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
    let answer = get(server.address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nprod was not tried yet\n"), "{answer}");

    server.live.store(false, Ordering::Relaxed);
    server.ready.store(true, Ordering::Relaxed);
    assert!(get(server.address, "/readyz").await.starts_with("HTTP/1.1 200 "));
    assert!(get(server.address, "/healthz").await.ends_with("the engine's loop stands still since 10:00\n"));
}

#[tokio::test]
async fn the_probe_says_what_the_server_says() {
    let server = start(Limits::DEFAULT).await;
    ask(server.address, "/healthz").await.unwrap();
    let error = ask(server.address, "/readyz").await.unwrap_err();
    assert_eq!(error.to_string(), format!("http://{}/readyz answered 503: prod was not tried yet", server.address));
}

#[tokio::test]
async fn metrics_come_as_open_metrics() {
    let server = start(Limits::DEFAULT).await;
    server.metrics.pushed("prod", 3);
    let answer = get(server.address, "/metrics").await;
    assert!(answer.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("\ntagboat_changes_total{environment=\"prod\"} 3\n") && answer.ends_with("# EOF\n"), "{answer}");
}

#[tokio::test]
async fn the_index_names_the_pages_and_others_are_not_there() {
    let server = start(Limits::DEFAULT).await;
    let index = get(server.address, "/").await;
    for page in ["/healthz", "/readyz", "/metrics", "/api/v1/status", env!("CARGO_PKG_VERSION")] {
        assert!(index.contains(page), "{page} in {index}");
    }
    assert!(get(server.address, "/etc/passwd").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_request_that_would_change_something_is_refused_and_its_body_left_unread() {
    let server = start(Limits::DEFAULT).await;
    // The body never comes: an answer shows that nobody waits for it.
    let answer =
        exchange(server.address, "POST /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let server = start(Limits::DEFAULT).await;
    let large = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "a".repeat(Limits::HEAD_SIZE));
    assert!(exchange(server.address, &large).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: a\r\n".repeat(Limits::HEADERS));
    assert!(exchange(server.address, &many).await.starts_with("HTTP/1.1 431 "));
}

#[tokio::test]
async fn a_client_that_never_finishes_its_head_is_cut_off_and_makes_room() {
    let limits = Limits { connections: 1, head: Duration::from_millis(200), ..Limits::DEFAULT };
    let server = start(limits).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET / HT").await.unwrap();
    // There is one place and the slow client has it: this one waits in the queue, and is answered.
    let answer = tokio::time::timeout(Duration::from_secs(15), get(server.address, "/healthz")).await;
    assert!(answer.expect("the slow client keeps its place").starts_with("HTTP/1.1 200 "));
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest).await;
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "), "{rest:?}");
}

#[tokio::test]
async fn a_connection_that_keeps_busy_ends_all_the_same() {
    let limits = Limits { connection: Duration::from_millis(300), ..Limits::DEFAULT };
    let server = start(limits).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let begun = Instant::now();
    let mut piece = [0; 1024];
    loop {
        let sent = stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
        if sent.is_err() || stream.read(&mut piece).await.unwrap_or(0) == 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it went on for ever");
    }
}

#[tokio::test]
async fn asked_to_stop_it_closes_idle_connections_and_ends() {
    let server = start(Limits { head: Duration::from_secs(60), drain: Duration::from_secs(60), ..Limits::DEFAULT }).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut piece = [0; 1024];
    assert!(idle.read(&mut piece).await.unwrap() > 0);
    server.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(30), server.served).await.unwrap().unwrap();
    assert_eq!(idle.read(&mut piece).await.unwrap(), 0);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn no_address_means_no_server_and_a_taken_one_is_named() {
    let sources = Sources {
        metrics: Arc::new(Registry::default()),
        live: Arc::new(|| Ok(())),
        ready: Arc::new(|| Ok(())),
        status: Arc::new(|_| Ok(Vec::new())),
        due_now: Arc::new(|_| false),
        counts: Arc::default(),
    };
    assert!(Server::bind(&Config::default(), sources.clone()).await.unwrap().is_none());
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = Server::bind(&Config { listen: Some(address), ..Config::default() }, sources).await.err().unwrap();
    assert_eq!(error.to_string(), format!("listening on {address}"));
}
