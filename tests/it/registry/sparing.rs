//! Work that is spared: what has not changed is not read again, and what several want is asked for once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::header;
use axum::response::Response;
use tagboat::demo::registry::Registry as Server;
use tagboat::image::TagRef;
use tagboat::registry::Listing;

use crate::support::registry::*;

fn with(mut response: Response, name: header::HeaderName, value: &str) -> Response {
    response.headers_mut().insert(name, value.parse().unwrap());
    response
}

/// Says whether two listings share the memory of their tags.
fn share(a: &Listing, b: &Listing) -> bool {
    let start = |listing: &Listing| listing.tags().get(0).map(|tag| tag.as_str().as_ptr());
    start(a).is_some() && start(a) == start(b)
}

#[tokio::test]
async fn m7_a_listing_that_its_registry_calls_unchanged_is_kept() {
    let server = Server::start().await.unwrap();
    let (version, answered) = (Arc::new(AtomicUsize::new(1)), AtomicUsize::new(0));
    let current = Arc::clone(&version);
    server.on_request(move |parts| {
        let version = current.load(Ordering::SeqCst);
        let tag = format!("W/\"{version}\"");
        let known = parts.headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.to_str().unwrap() == tag);
        // Never the same bytes twice, so that the validator alone can spare anything.
        let body = format!(r#"{{"tags":["1.{version}"],"n":{}}}"#, answered.fetch_add(1, Ordering::SeqCst));
        Some(with(if known { status(304, "") } else { json(body) }, header::ETAG, &tag))
    });
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    let first = client.list(&api, None).await.unwrap();
    let again = client.list(&api, Some(&first)).await.unwrap();
    assert!(share(&first, &again));
    version.store(2, Ordering::SeqCst);
    let changed = client.list(&api, Some(&again)).await.unwrap();
    assert_eq!(words(changed.tags()), ["1.2"]);
    assert!(share(&changed, &client.list(&api, Some(&changed)).await.unwrap()), "the new validator counts");
    assert_eq!(server.request_count(), 4);
}

#[tokio::test]
async fn m7_a_304_that_was_not_asked_for_is_an_error() {
    let server = Server::start().await.unwrap();
    server.on_request(|_| Some(status(304, "")));
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    let without_validator = Listing::from([TagRef::parse("1.0").unwrap()].into_iter().collect::<tagboat::image::TagList>());
    for known in [None, Some(&without_validator)] {
        let error = client.list(&api, known).await.unwrap_err();
        assert!(line(&error).contains("the registry answered 304"), "{}", line(&error));
    }
}

#[tokio::test]
async fn a_listing_of_several_pages_is_asked_for_without_a_validator_for_it_is_that_of_one_page() {
    let server = Server::start().await.unwrap();
    server.on_request(|parts| {
        assert!(!parts.headers.contains_key(header::IF_NONE_MATCH));
        Some(match parts.uri.query() {
            Some("last=a") => json(r#"{"tags":["b"]}"#),
            _ => with(with(json(r#"{"tags":["a"]}"#), header::ETAG, "\"x\""), header::LINK, "<?last=a>; rel=next"),
        })
    });
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    let first = client.list(&api, None).await.unwrap();
    let again = client.list(&api, Some(&first)).await.unwrap();
    assert!(share(&first, &again), "but the same bytes are the same listing");
    assert_eq!(server.request_count(), 4);
}

#[tokio::test]
async fn the_same_bytes_are_the_same_listing_and_others_are_not() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    let first = client.list(&api, None).await.unwrap();
    let again = client.list(&api, Some(&first)).await.unwrap();
    assert!(share(&first, &again));
    assert!(again.age() <= first.age());
    server.publish("acme/api", "1.1");
    assert_eq!(words(client.list(&api, Some(&again)).await.unwrap().tags()), ["1.0", "1.1"]);
}

#[tokio::test]
async fn a_full_first_page_that_is_unchanged_does_not_hide_what_is_new_behind_it() {
    let server = Server::start().await.unwrap();
    let total = Arc::new(AtomicUsize::new(1000));
    let current = Arc::clone(&total);
    server.on_request(move |parts| {
        let last = parts.uri.query().unwrap().split_once("last=").map_or(0, |(_, last)| last.parse::<usize>().unwrap() + 1);
        let tags: Vec<String> = (last..current.load(Ordering::SeqCst)).take(1000).map(|n| format!("{n:05}")).collect();
        let tag = format!("\"{last}\"");
        Some(with(json(serde_json::json!({ "tags": tags }).to_string()), header::ETAG, &tag))
    });
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    let first = client.list(&api, None).await.unwrap();
    assert_eq!(first.tags().len(), 1000);
    assert!(share(&first, &client.list(&api, Some(&first)).await.unwrap()));
    total.store(1001, Ordering::SeqCst);
    assert_eq!(client.list(&api, Some(&first)).await.unwrap().tags().len(), 1001);
}

#[tokio::test]
async fn a_digest_that_many_want_at_once_is_asked_for_once_until_the_next_listing() {
    let server = Server::start().await.unwrap();
    let old = server.publish("acme/api", "1.0");
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    let all = (0..20).map(|_| (client.clone(), api.clone()));
    let all = all.map(|(client, api)| tokio::spawn(async move { client.digest(&api, TagRef::parse("1.0").unwrap()).await }));
    for one in all.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap().unwrap().as_str(), old);
    }
    assert_eq!(server.requests(), ["HEAD /v2/acme/api/manifests/1.0"]);
    let new = server.publish("acme/api", "1.0");
    client.list(&api, None).await.unwrap();
    assert_eq!(client.digest(&api, TagRef::parse("1.0").unwrap()).await.unwrap().as_str(), new);
    assert_eq!(server.request_count(), 3);
}

#[tokio::test]
async fn t19_digests_come_with_a_listing_of_googles() {
    let server = Server::start().await.unwrap();
    let digest = format!("sha256:{}", "0a".repeat(32));
    let body =
        serde_json::json!({ "tags": ["1.0", "2.0"], "manifest": { &digest: { "tag": ["1.0"], "timeUploadedMs": "1700000000000" } } });
    server.on_request(move |_| Some(json(body.to_string())));
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    let listing = client.list(&api, None).await.unwrap();
    let known = |tag: &str| listing.digest(TagRef::parse(tag).unwrap()).map(|digest| digest.to_string());
    assert_eq!([known("1.0"), known("2.0"), known("3.0")], [Some(digest), None, None]);
    let times = client.pushed(&api, &listing).await.unwrap().unwrap();
    assert_eq!(times.get(TagRef::parse("1.0").unwrap()).unwrap().as_second(), 1_700_000_000);
    assert_eq!((times.known(), server.request_count()), (1, 1));
}
