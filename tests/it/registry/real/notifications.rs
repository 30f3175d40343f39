//! What the registry posts when something is pushed.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;

use crate::support::docker_registry::{DockerRegistry, Endpoint, Setup};

#[tokio::test]
async fn a_push_is_posted_with_its_tag_and_the_configured_secret() {
    let (send, received) = channel();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/webhook/tests", listener.local_addr().unwrap());
    let hook = post(move |headers: HeaderMap, body: Bytes| async move {
        let _ = send.send((headers, serde_json::from_slice::<serde_json::Value>(&body).unwrap(), Instant::now()));
    });
    let server = axum::serve(listener, axum::Router::new().route("/webhook/tests", hook));
    let server = tokio::spawn(async move { server.await });
    let notify = Endpoint { url, authorization: "Bearer s3cret".to_owned() };
    let registry = DockerRegistry::set_up(Setup { notify: Some(notify), ..Setup::default() }).await;
    let digest = registry.push("acme/api", "1.0.0").await;
    let pushed = Instant::now();
    // Blobs are told of, too, and on their own; the tag comes last.
    let event = tokio::task::spawn_blocking(move || {
        loop {
            let (headers, body, at) = received.recv_timeout(Duration::from_secs(15)).unwrap();
            assert_eq!(headers["content-type"], "application/vnd.docker.distribution.events.v1+json");
            assert_eq!(headers["authorization"], "Bearer s3cret");
            let events = body["events"].as_array().unwrap().clone();
            if let Some(event) = events.into_iter().find(|event| event["target"]["tag"].is_string()) {
                return (event, at);
            }
        }
    });
    let (event, at) = event.await.unwrap();
    assert_eq!(
        (&event["action"], &event["target"]["repository"], &event["target"]["tag"]),
        (&"push".into(), &"acme/api".into(), &"1.0.0".into())
    );
    assert_eq!((&event["target"]["digest"], &event["request"]["host"]), (&digest.into(), &registry.host().into()));
    assert!(at.saturating_duration_since(pushed) < Duration::from_secs(1), "the registry itself takes its time");
    server.abort();
}
