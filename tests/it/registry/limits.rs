//! Limits: of time, of size, of requests; and what is tried again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::http::header;
use axum::response::{IntoResponse, Response};
use tagboat::demo::registry::Registry as Server;
use tagboat::error::{Classified, Verdict};
use tagboat::registry::Error;

use tagboat::image::TagRef;
use tagboat::registry::{Cause, CircuitState, Client, HostState};

use crate::support::registry::*;
use crate::support::registry_raw::{RawServer, Script, head, response};

async fn list_raw(server: &RawServer, timeout: Duration) -> Result<Vec<String>, Error> {
    let client = client_of(&server.host(), |host| host.timeout = timeout);
    let tags = client.tags(&repository_at(&server.host(), "acme/api")).await?;
    Ok(words(&tags).into_iter().map(str::to_owned).collect())
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

fn retry_after(code: u16, value: &'static str) -> Response {
    let mut response = status(code, "slow down");
    response.headers_mut().insert(header::RETRY_AFTER, value.parse().unwrap());
    response
}

/// Answers `failures` requests by `answer` and the others well.
async fn failing(failures: usize, answer: impl Fn() -> Response + Send + Sync + 'static) -> Server {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    let count = AtomicUsize::new(0);
    server.on_request(move |_| (count.fetch_add(1, Ordering::SeqCst) < failures).then(&answer));
    server
}

#[tokio::test]
async fn e3_e4_tired_servers_are_asked_again() {
    for code in [408, 429, 500, 502, 503, 504] {
        let server = failing(3, move || status(code, "")).await;
        assert_eq!(words(&client(&server).tags(&repository(&server, "acme/api")).await.unwrap()), ["1.0"]);
        assert_eq!(server.request_count(), 4);

        let server = failing(4, move || status(code, "")).await;
        let error = client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
        assert_eq!(error.verdict(), Verdict::RETRY);
        assert_eq!(server.request_count(), 4, "no more than that");
    }
}

#[tokio::test]
async fn e5_e6_e7_refusals_that_mean_it_are_not_asked_again() {
    for code in [400, 403, 404, 410, 412, 501, 505] {
        let server = failing(10, move || status(code, "")).await;
        client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
        // A refused page size is left out once.
        assert_eq!(server.request_count(), if code == 400 { 2 } else { 1 }, "{code}");
    }
}

#[tokio::test]
async fn e1_a_short_retry_after_is_waited_for() {
    let server = failing(1, || retry_after(429, "1")).await;
    let start = Instant::now();
    assert_eq!(words(&client(&server).tags(&repository(&server, "acme/api")).await.unwrap()), ["1.0"]);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn e1_a_long_retry_after_is_handed_on_and_kept_for_all_requests_to_that_host() {
    let server = failing(1, || retry_after(429, "7200")).await;
    let client = client(&server);
    let error = client.tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Retry { after: Some(Duration::from_secs(7200)) });
    assert!(line(&error).ends_with("the registry answered 429 Too Many Requests: slow down"), "{}", line(&error));

    let error = client.tags(&repository(&server, "acme/web")).await.unwrap_err();
    let Verdict::Retry { after: Some(after) } = error.verdict() else { panic!("{}", line(&error)) };
    assert!(after > Duration::from_secs(7100) && after <= Duration::from_secs(7200), "{after:?}");
    assert_eq!(server.request_count(), 1, "the registry is left alone");
}

#[tokio::test]
async fn e1_e3_an_absurd_retry_after_is_cut_to_a_day_and_garbage_is_ignored() {
    let server = failing(1, || retry_after(503, "99999999999999999999")).await;
    let error = client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Retry { after: Some(Duration::from_secs(24 * 3600)) });

    let server = failing(1, || retry_after(429, "-5")).await;
    assert_eq!(words(&client(&server).tags(&repository(&server, "acme/api")).await.unwrap()), ["1.0"]);
}

#[tokio::test]
async fn e1_one_throttled_host_does_not_delay_another() {
    let throttled = failing(usize::MAX, || retry_after(429, "30")).await;
    let healthy = failing(0, || status(500, "")).await;
    let mut config = quick();
    for server in [&throttled, &healthy] {
        let host = tagboat::registry::Host { plain_http: true, ..Default::default() };
        config.hosts.insert(tagboat::image::Registry::parse(&server.host()).unwrap(), host);
    }
    let client = tagboat::registry::Client::new(config).unwrap();
    let (other, slow) = (client.clone(), repository(&throttled, "acme/api"));
    let waiting = tokio::spawn(async move { other.tags(&slow).await });
    while throttled.request_count() == 0 {
        tokio::task::yield_now().await;
    }
    client.tags(&repository(&healthy, "acme/api")).await.unwrap();
    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn e10_a_registry_that_is_down_is_an_error_that_may_pass() {
    let server = Server::start().await.unwrap();
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    drop(server);
    let error = client.tags(&api).await.unwrap_err();
    assert_retry(&error);
    assert!(line(&error).contains("no answer from 127.0.0.1:") && line(&error).contains("refused"), "{}", line(&error));
    assert_eq!(client.states()[0].requests, 4);
}

#[tokio::test]
async fn e10_a_body_cut_short_is_read_again_and_never_taken_for_the_whole() {
    let cut = head("200 OK", &[], 100).into_iter().chain(*br#"{"tags":["1.0"]}"#).collect::<Vec<u8>>();
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\n{\"tags\":[\"1.0\"]}\r\n".to_vec();
    for broken in [cut, chunked, Vec::new(), b"HTTP/1.1 200".to_vec(), b"220 smtp.example ESMTP\r\n".to_vec()] {
        let copy = broken.clone();
        let server = RawServer::start(move |n| match n {
            0 => Script::Send(copy.clone()),
            _ => Script::Send(response("200 OK", &[], r#"{"tags":["1.0","2.0"]}"#)),
        })
        .await;
        assert_eq!(list_raw(&server, LONG).await.unwrap(), ["1.0", "2.0"]);

        let server = RawServer::start(move |_| Script::Send(broken.clone())).await;
        assert_retry(&list_raw(&server, LONG).await.unwrap_err());
        assert!(server.connections() >= 4);
    }
}

#[tokio::test]
async fn a_server_that_hangs_or_drips_meets_the_deadline() {
    let scripts = [
        Script::Hang(Vec::new()),
        Script::Hang(head("200 OK", &[], 100)),
        Script::Drip(b"HTTP/1.1 200 OK\r\nx-slow: ".to_vec(), Duration::from_millis(20)),
        Script::Drip(head("200 OK", &[], 1_000_000), Duration::from_millis(20)),
    ];
    for script in scripts {
        let server = RawServer::start(move |_| script.clone()).await;
        let start = Instant::now();
        let error = list_raw(&server, SHORT).await.unwrap_err();
        assert_retry(&error);
        assert!(line(&error).contains("did not answer in full within 0.3 s"), "{}", line(&error));
        assert!(start.elapsed() < Duration::from_secs(10), "a hanging server is not tried again and again");
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn an_endless_body_is_read_to_the_limit_and_no_further() {
    let start = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"tags\":[".to_vec();
    let server = RawServer::start(move |_| Script::Endless(start.clone(), br#""1.0","#.repeat(10_000))).await;
    let error = list_raw(&server, LONG).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("a page of tags is longer than 33554432 bytes"), "{}", line(&error));
    assert!(server.written() < 64 * 1024 * 1024);
}

#[tokio::test]
async fn an_endless_refusal_is_cut() {
    let start = b"HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n".to_vec();
    let server = RawServer::start(move |_| Script::Endless(start.clone(), b"no such thing ".repeat(10_000))).await;
    let error = list_raw(&server, LONG).await.unwrap_err();
    assert!(error.is_not_found());
    assert!(line(&error).len() < 400, "{}", line(&error));
    assert!(server.written() < 32 * 1024 * 1024);
}

#[tokio::test]
async fn a_compressed_bomb_counts_by_what_it_unpacks_to() {
    // `{"tags":[`, 40 MiB of spaces, `"1.0"]}`.
    let bomb = include_bytes!("../../fixtures/registry/bomb.json.gz");
    assert!(bomb.len() < 100_000);
    let server = RawServer::start(move |_| Script::Send(response("200 OK", &["content-encoding: gzip"], bomb))).await;
    let error = list_raw(&server, LONG).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("a page of tags is longer than"), "{}", line(&error));
}

#[tokio::test]
async fn an_honest_compressed_answer_is_read() {
    let packed = include_bytes!("../../fixtures/registry/tags.json.gz");
    let server = RawServer::start(move |_| Script::Send(response("200 OK", &["content-encoding: gzip"], packed))).await;
    assert_eq!(list_raw(&server, LONG).await.unwrap(), ["1.0", "2.0"]);
}

#[tokio::test]
async fn e11_no_more_requests_are_in_flight_than_allowed() {
    let raw = RawServer::start(|_| Script::Later(Duration::from_millis(5), response("200 OK", &[], r#"{"tags":[]}"#))).await;
    let client = client_of(&raw.host(), |host| host.concurrency = 3);
    let all = (0..60).map(|n| {
        let (client, repository) = (client.clone(), repository_at(&raw.host(), &format!("acme/{n}")));
        tokio::spawn(async move { client.tags(&repository).await })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    assert_eq!(raw.most_waiting(), 3);
}

#[tokio::test]
async fn requests_a_second_are_limited() {
    let server = failing(0, || status(500, "")).await;
    let client = client_of(&server.host(), |host| host.rate = Some(10));
    let api = repository(&server, "acme/api");
    let start = Instant::now();
    for _ in 0..15 {
        client.tags(&api).await.unwrap();
    }
    // A tenth of a second apart, and none in advance.
    assert!(start.elapsed() >= Duration::from_millis(1400), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_thousand_listings_are_a_thousand_requests() {
    let server = Server::start().await.unwrap();
    for n in 0..1000 {
        server.publish(&format!("acme/{n}"), "1.0");
    }
    let client = client(&server);
    let all = (0..1000).map(|n| {
        let (client, repository) = (client.clone(), repository(&server, &format!("acme/{n}")));
        tokio::spawn(async move { client.tags(&repository).await })
    });
    for one in all.collect::<Vec<_>>() {
        assert_eq!(words(&one.await.unwrap().unwrap()), ["1.0"]);
    }
    assert_eq!(server.request_count(), 1000);
    let states = client.states();
    assert_eq!((states.len(), states[0].registry.as_str(), states[0].requests), (1, server.host().as_str(), 1000));
}

#[tokio::test]
async fn the_client_names_itself() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    server.on_request(|parts| {
        let agent = parts.headers[header::USER_AGENT].to_str().unwrap();
        (!agent.starts_with("tagboat/")).then(|| (axum::http::StatusCode::BAD_REQUEST, agent.to_owned()).into_response())
    });
    client(&server).tags(&repository(&server, "acme/api")).await.unwrap();
}

#[tokio::test]
async fn e1_an_http_date_is_a_time_to_wait_for_too() {
    let server = failing(1, || {
        let mut response = status(503, "");
        let later = jiff::fmt::rfc2822::to_string(&(jiff::Zoned::now() + Duration::from_secs(90))).unwrap();
        response.headers_mut().insert(header::RETRY_AFTER, later.parse().unwrap());
        response
    })
    .await;
    let error = client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
    let Verdict::Retry { after: Some(after) } = error.verdict() else { panic!("{}", line(&error)) };
    assert!(after > Duration::from_secs(85) && after <= Duration::from_secs(90), "{after:?}");
}

#[tokio::test]
async fn e2_ghcrs_wait_in_words_is_kept() {
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 2h0m0s, allowed: 44000/minute"}]}"#;
    let server = failing(1, move || status(429, body)).await;
    let error = client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Retry { after: Some(Duration::from_secs(7200)) });
    let body = r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 880.092µs, allowed: 44000/minute"}]}"#;
    let server = failing(2, move || status(429, body)).await;
    client(&server).tags(&repository(&server, "acme/api")).await.unwrap();
}

#[tokio::test]
async fn throttling_by_another_status_is_asked_again_and_is_told_as_that() {
    let throttling = r#"{"errors":[{"code":"ThrottlingException","message":"Rate exceeded"}]}"#;
    let server = failing(1, move || status(400, throttling)).await;
    let client = client(&server);
    client.tags(&repository(&server, "acme/api")).await.unwrap();
    assert_eq!((server.request_count(), state(&client).throttled), (2, 1));

    let server = failing(1, || retry_after(403, "3600")).await;
    let error = self::client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Retry { after: Some(Duration::from_secs(3600)) });
    assert!(error.is_of_the_host() && error.hint().unwrap().contains("lower `rate`"), "{:?}", error.hint());
}

#[tokio::test]
async fn e8_a_huge_message_is_cut_and_cleaned() {
    let message = format!(r#"{{"errors":[{{"code":"DENIED","message":"no\u001b[31m\n{}"}}]}}"#, "x".repeat(10_000));
    let message: &'static str = message.leak();
    let server = failing(1, move || status(403, message)).await;
    let error = client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert!(line(&error).len() < 400 && line(&error).contains("no [31m xxx") && !line(&error).contains('\u{1b}'), "{}", line(&error));
}

#[tokio::test]
async fn e10_a_name_that_does_not_exist_may_exist_later() {
    let client = client_of("registry.test.invalid:5000", |_| {});
    let error = client.tags(&repository_at("registry.test.invalid:5000", "acme/api")).await.unwrap_err();
    assert_retry(&error);
    assert!(error.is_of_the_host());
    assert!(line(&error).contains("no answer from registry.test.invalid:5000: "), "{}", line(&error));
}

fn state(client: &Client) -> HostState {
    let mut states = client.states();
    assert_eq!(states.len(), 1);
    states.remove(0)
}

#[tokio::test]
async fn m13_when_no_pulls_are_left_manifests_wait_and_all_else_goes_on() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    let remaining = std::sync::Arc::new(std::sync::Mutex::new("0;w=21600"));
    let told = std::sync::Arc::clone(&remaining);
    server.on_request(move |parts| {
        if parts.uri.path().ends_with("/tags/list") {
            return None;
        }
        // No digest, so that the manifest itself has to be fetched.
        let mut response = json(r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#);
        let headers = response.headers_mut();
        headers.insert("ratelimit-limit", "100;w=21600".parse().unwrap());
        headers.insert("ratelimit-remaining", told.lock().unwrap().parse().unwrap());
        headers.insert("docker-ratelimit-source", "192.0.2.1".parse().unwrap());
        Some(response)
    });
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    let tag = TagRef::parse("1.0").unwrap();
    for _ in 0..2 {
        let error = client.digest(&api, tag).await.unwrap_err();
        assert!(matches!(error.cause(), Cause::PullsSpent { .. }), "{}", line(&error));
        let Verdict::Retry { after: Some(after) } = error.verdict() else { panic!("{}", line(&error)) };
        assert!(after > Duration::from_secs(21_500) && after <= Duration::from_secs(21_600), "{after:?}");
        assert!(!error.is_of_the_host(), "listings go on");
    }
    client.tags(&api).await.unwrap();
    assert!(server.requests().iter().all(|request| !request.starts_with("GET /v2/acme/api/manifests")), "{:?}", server.requests());
    let limit = state(&client).limit.unwrap();
    assert_eq!((limit.limit, limit.remaining, limit.window_seconds, limit.pulls_only), (Some(100), 0, Some(21_600), true));
    assert_eq!(state(&client).metrics().pulls, Some((0, Some(100))));

    // The question after the digest costs nothing, and its answer tells that there is more.
    *remaining.lock().unwrap() = "7;w=21600";
    client.digest(&api, tag).await.unwrap();
    *remaining.lock().unwrap() = "garbage";
    client.digest(&api, tag).await.unwrap();
    assert_eq!(state(&client).limit.unwrap().remaining, 7, "what cannot be read is as good as not said");
}

#[tokio::test]
async fn a_host_whose_limit_of_all_requests_is_used_up_is_left_alone_until_it_has_more() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    server.on_request(|_| {
        let mut response = json(r#"{"tags":["1.0"]}"#);
        for (name, value) in [("ratelimit-limit", "60"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "600")] {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        Some(response)
    });
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    client.tags(&api).await.unwrap();
    let error = client.tags(&api).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Throttled { .. }), "{}", line(&error));
    assert_eq!(server.request_count(), 1);
    assert!(state(&client).paused_until.is_some());
}

#[tokio::test]
async fn a_host_that_fails_for_all_is_left_alone_while_others_go_on() {
    let (down, healthy) = (failing(usize::MAX, || status(502, "")).await, failing(0, || status(500, "")).await);
    let mut config = quick();
    for server in [&down, &healthy] {
        let host = tagboat::registry::Host { plain_http: true, ..Default::default() };
        config.hosts.insert(tagboat::image::Registry::parse(&server.host()).unwrap(), host);
    }
    let client = Client::new(config).unwrap();
    client.tags(&repository(&down, "acme/api")).await.unwrap_err();
    client.tags(&repository(&down, "acme/web")).await.unwrap_err();
    let count = down.request_count();
    assert!(count < 8, "{count}");
    let error = client.tags(&repository(&down, "acme/api")).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::Open { .. }), "{}", line(&error));
    assert!(line(&error).ends_with("last so: the registry answered 502 Bad Gateway"), "{}", line(&error));
    let Verdict::Retry { after: Some(after) } = error.verdict() else { panic!("{}", line(&error)) };
    assert!(after > Duration::from_secs(1) && after <= Duration::from_secs(5), "{after:?}");
    assert!(error.is_of_the_host());
    assert_eq!(down.request_count(), count, "it is not asked at all");
    client.tags(&repository(&healthy, "acme/api")).await.unwrap();
    let states = client.states();
    let open = states.iter().find(|state| state.registry == down.host()).unwrap();
    assert!(matches!(&open.circuit, CircuitState::Open { failures: 6.., .. }), "{open:?}");
    assert!(open.metrics().circuit_open);
    let shown = serde_json::to_value(open).unwrap();
    assert_eq!((&shown["circuit"]["state"], &shown["registry"]), (&"open".into(), &down.host().into()));
}

#[tokio::test]
async fn a_single_repository_that_fails_does_not_shut_its_neighbours_out() {
    let server = Server::start().await.unwrap();
    server.publish("acme/good", "1.0");
    server.on_request(|parts| parts.uri.path().contains("/bad/").then(|| status(500, "")));
    let client = client(&server);
    for _ in 0..5 {
        client.tags(&repository(&server, "acme/bad")).await.unwrap_err();
    }
    client.tags(&repository(&server, "acme/good")).await.unwrap();
}

#[tokio::test]
async fn a_host_that_only_hangs_is_left_alone_too() {
    let server = RawServer::start(|_| Script::Hang(Vec::new())).await;
    let client = client_of(&server.host(), |host| host.timeout = Duration::from_millis(50));
    let tags = async |n: usize| client.tags(&repository_at(&server.host(), &format!("acme/{n}"))).await.unwrap_err();
    for n in 0..6 {
        assert!(line(&tags(n).await).contains("did not answer in full"));
    }
    assert!(matches!(tags(6).await.cause(), Cause::Open { .. }));
    assert_eq!(server.connections(), 6);
}

#[tokio::test]
async fn e11_a_host_that_throttles_gets_fewer_requests_at_once() {
    let server = failing(1, || status(429, "")).await;
    let client = client(&server);
    client.tags(&repository(&server, "acme/api")).await.unwrap();
    let state = state(&client);
    assert_eq!((state.concurrency, state.throttled, state.in_flight, state.waiting), (4, 1, 0, 0));
}

#[tokio::test]
async fn a_registry_at_an_ipv6_address_is_reached() {
    let server = RawServer::start_at("::1", |_| Script::Send(response("200 OK", &[], r#"{"tags":["1.0"]}"#))).await;
    assert!(server.host().starts_with("[::1]:"), "{}", server.host());
    assert_eq!(list_raw(&server, LONG).await.unwrap(), ["1.0"]);
}
