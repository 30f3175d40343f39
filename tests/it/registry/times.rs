//! When tags were pushed, by the APIs of those registries that tell, and that no answer leads the client elsewhere.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::json as value;
use tagboat::demo::registry::Registry as Server;
use tagboat::image::{Registry, Repository, TagList, TagRef};
use tagboat::registry::{Client, Error, Host, Listing, PushTimes};

use crate::support::registry::*;

fn listing(tags: &[&str]) -> Listing {
    tags.iter().map(|tag| TagRef::parse(tag).unwrap()).collect::<TagList>().into()
}

fn time(times: &PushTimes, tag: &str) -> Option<String> {
    times.get(TagRef::parse(tag).unwrap()).map(|time| time.to_string())
}

/// A client for which `server` is Docker Hub's web API; `docker.io` has a credential.
fn client_of_hub(server: &Server) -> Client {
    let mut config = quick();
    config.docker_hub_api = Registry::parse(&server.host()).unwrap();
    config.hosts.insert(config.docker_hub_api.clone(), Host { plain_http: true, ..Host::default() });
    config.hosts.insert(Registry::docker_hub(), Host { auth: basic(), ..Host::default() });
    Client::new(config).unwrap()
}

async fn hub(answer: impl Fn(&str) -> Response + Send + Sync + 'static) -> (Server, Result<Option<PushTimes>, Error>) {
    let server = Server::start().await.unwrap();
    server.on_request(move |parts| {
        assert_eq!(authorization(parts), None, "the credential of the registry is not for its web site");
        Some(answer(parts.uri.query().unwrap()))
    });
    let nginx = Repository::parse("nginx").unwrap();
    let times = client_of_hub(&server).pushed(&nginx, &listing(&["1.0", "2.0", "old", "odd"])).await;
    (server, times)
}

#[tokio::test]
async fn docker_hub_tells_times_page_by_page_at_its_own_address() {
    let thief = Server::start().await.unwrap();
    let next = format!("http://{}/v2/repositories/library/nginx/tags?page=2", thief.host());
    let (server, times) = hub(move |query| {
        json(if query.ends_with("page=1") {
            let results = value!([
                { "name": "2.0", "tag_last_pushed": "2024-05-01T10:00:00.123456Z", "last_updated": "2025-01-01T00:00:00Z", "digest": "x" },
                { "name": "unlisted", "tag_last_pushed": "2024-05-01T10:00:00Z" },
                { "name": "odd", "tag_last_pushed": "0001-01-01T00:00:00Z" },
            ]);
            value!({ "count": 4, "next": next, "previous": null, "results": results }).to_string()
        } else {
            value!({ "next": null, "results": [{ "name": "1.0", "tag_last_pushed": "2023-05-01T10:00:00Z" }, { "name": "old" }] })
                .to_string()
        })
    })
    .await;
    let times = times.unwrap().unwrap();
    assert_eq!(time(&times, "1.0").unwrap(), "2023-05-01T10:00:00Z");
    assert_eq!(time(&times, "2.0").unwrap(), "2024-05-01T10:00:00.123Z");
    assert_eq!((time(&times, "old"), time(&times, "odd"), time(&times, "unlisted")), (None, None, None));
    let path = "GET /v2/repositories/library/nginx/tags?page_size=100&ordering=last_updated&page=";
    assert_eq!(server.requests(), [format!("{path}1"), format!("{path}2")]);
    assert_eq!(thief.request_count(), 0);
}

#[tokio::test]
async fn times_are_all_or_an_error() {
    let limited = r#"{"detail":"Rate limit exceeded","error":false}"#;
    let (_, times) = hub(move |_| status(429, limited)).await;
    assert_retry(&times.unwrap_err());
    for (answer, expected) in [
        ((|_: &str| status(404, "{}")) as fn(&str) -> Response, "answered 404"),
        (|_| json("{}"), "the answer is not a list of tags with times"),
        (|_| json(r#"{"results":[{}]}"#), "the answer is not a list of tags with times"),
        (|_| ([(header::CONTENT_TYPE, "text/html")], "<html>").into_response(), "a web page instead of a list of tags with times"),
        (
            |query| if query.ends_with("page=1") { json(r#"{"next":"x","results":[{"name":"1.0"}]}"#) } else { status(403, "") },
            "answered 403",
        ),
    ] {
        let (_, times) = hub(answer).await;
        let error = times.unwrap_err();
        assert_stalled(&error);
        let told = line(&error);
        assert!(told.starts_with("learning when the tags of docker.io/library/nginx were pushed: ") && told.contains(expected), "{told}");
    }
    let (server, times) = hub(|_| json(r#"{"next":"again","results":[]}"#)).await;
    assert_eq!(times.unwrap().unwrap().known(), 0);
    assert_eq!(server.request_count(), 1, "an empty page is the last");
    let (server, times) = hub(|_| json(r#"{"next":"again","results":[{"name":"1.0"}]}"#)).await;
    assert!(line(&times.unwrap_err()).contains("more than 5000 pages"));
    assert_eq!(server.request_count(), 5000);
}

/// A registry that wants a token from `path` at itself for `service`, and answers its own API by `api`.
async fn product(path: &str, service: &str, api: impl Fn(&str, Option<String>) -> Response + Send + Sync + 'static) -> Server {
    let server = Server::start().await.unwrap();
    server.publish_many("acme/team/api", ["1.0", "2.0"]);
    let (path, challenge) = (path.to_owned(), format!(r#"Bearer realm="http://{}{path}",service="{service}""#, server.host()));
    server.on_request(move |parts| match (parts.uri.path(), authorization(parts)) {
        (asked, _) if asked == path => Some(json(r#"{"token":"t0ken"}"#)),
        (asked, sent) if asked.starts_with("/api/") => Some(api(&parts.uri.to_string(), sent)),
        (_, Some(sent)) if sent == "Bearer t0ken" => None,
        _ => Some(unauthorized(&challenge)),
    });
    server
}

async fn times_of(server: &Server) -> Result<Option<PushTimes>, Error> {
    let client = client_of(&server.host(), |host| host.auth = basic());
    let api = repository(server, "acme/team/api");
    let listing = client.list(&api, None).await?;
    client.pushed(&api, &listing).await
}

#[tokio::test]
async fn harbor_is_known_by_its_challenge_and_tells_times_to_its_password() {
    let server = product("/service/token", "harbor-registry", |uri, sent| {
        assert_eq!(sent.as_deref(), Some(BASIC), "its API knows no tokens");
        let artifact = |tags: serde_json::Value| value!({ "digest": "x", "push_time": "2020-01-01T00:00:00Z", "tags": tags });
        json(if uri.ends_with("page=1") {
            let mut artifacts = vec![artifact(value!(null)); 99];
            artifacts.push(artifact(value!([{ "name": "1.0", "push_time": "2024-01-01T00:00:00Z" }])));
            value!(artifacts).to_string()
        } else {
            value!([artifact(value!([{ "name": "2.0", "push_time": "2025-01-01T00:00:00.000Z" }, { "name": "x" }]))]).to_string()
        })
    })
    .await;
    let times = times_of(&server).await.unwrap().unwrap();
    assert_eq!(time(&times, "1.0").unwrap(), "2024-01-01T00:00:00Z");
    assert_eq!(time(&times, "2.0").unwrap(), "2025-01-01T00:00:00Z");
    let path = "GET /api/v2.0/projects/acme/repositories/team%252Fapi/artifacts?with_tag=true&page_size=100&page=2";
    assert_eq!(server.requests().last().unwrap(), path);
}

#[tokio::test]
async fn harbors_count_of_artifacts_spares_a_page() {
    let server = product("/service/token", "harbor-registry", |_, _| {
        let mut response = json(value!(vec![value!({ "tags": null }); 100]).to_string());
        response.headers_mut().insert("x-total-count", "100".parse().unwrap());
        response
    })
    .await;
    times_of(&server).await.unwrap().unwrap();
    assert_eq!(server.requests().iter().filter(|request| request.contains(" /api/")).count(), 1);
}

#[tokio::test]
async fn quay_is_known_by_its_challenge_and_tells_times_without_a_credential() {
    let server = product("/v2/auth", "quay.example", |uri, sent| {
        assert_eq!(sent, None, "its API takes no credential of the registry");
        json(if uri.ends_with("page=1") {
            value!({ "page": 1, "has_additional": true, "tags": [{ "name": "1.0", "start_ts": 1_700_000_000, "manifest_digest": "x" }] })
                .to_string()
        } else {
            value!({ "page": 2, "has_additional": false, "tags": [{ "name": "2.0", "start_ts": 0 }, { "name": "3.0" }] }).to_string()
        })
    })
    .await;
    let times = times_of(&server).await.unwrap().unwrap();
    assert_eq!(time(&times, "1.0").unwrap(), "2023-11-14T22:13:20Z");
    assert_eq!((time(&times, "2.0"), times.known()), (None, 1));
    let path = "GET /api/v1/repository/acme/team/api/tag/?onlyActiveTags=true&limit=100&page=2";
    assert_eq!(server.requests().last().unwrap(), path);
}

#[tokio::test]
async fn a_registry_without_times_says_so_without_a_request() {
    let server = product("/token", "some registry", |_, _| status(500, "")).await;
    assert_eq!(times_of(&server).await.unwrap(), None);
    assert!(!server.requests().iter().any(|request| request.contains(" /api/")), "{:?}", server.requests());
}
