//! Listing tags: pages, forms of answers, and that it is all or nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tagboat::demo::registry::Registry as Server;
use tagboat::error::Classified;
use tagboat::registry::{Auth, Error};

use crate::support::registry::*;
use crate::support::registry_raw::{RawServer, Script, head, response};

/// A page of tags with a link to the next.
fn page(body: impl Into<String>, link: Option<&str>) -> Response {
    let mut response = json(body);
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link.parse().unwrap());
    }
    response
}

/// Serves `answers` in turn, whatever is asked; the last one for ever.
async fn in_turn(answers: impl Fn(usize) -> Response + Send + Sync + 'static) -> Server {
    let server = Server::start().await.unwrap();
    let count = AtomicUsize::new(0);
    server.on_request(move |_| Some(answers(count.fetch_add(1, Ordering::SeqCst))));
    server
}

/// Lists the tags of a server's `acme/api`.
async fn list(server: &Server) -> Result<Vec<String>, Error> {
    let tags = client(server).tags(&repository(server, "acme/api")).await?;
    Ok(words(&tags).into_iter().map(str::to_owned).collect())
}

async fn list_once(answer: impl Fn() -> Response + Send + Sync + 'static) -> Result<Vec<String>, Error> {
    list(&in_turn(move |_| answer()).await).await
}

#[tokio::test]
async fn all_pages_make_one_sorted_list() {
    let server = Server::start().await.unwrap();
    let tags: Vec<String> = (0..2500).map(|n| format!("1.{n}")).collect();
    server.publish_many("acme/api", &tags);
    let listed = list(&server).await.unwrap();
    let mut sorted = tags.clone();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    assert_eq!(server.request_count(), 3, "{:?}", server.requests());
}

#[tokio::test]
async fn t2_an_opaque_cursor_goes_back_as_it_came() {
    let server = in_turn(|n| match n {
        0 => page(r#"{"tags":["a"]}"#, Some(r#"</v2/acme/api/tags/list?last=Zm9v%2F%2B==&x=%20;>; rel="next""#)),
        _ => page(r#"{"tags":["b"]}"#, None),
    })
    .await;
    assert_eq!(list(&server).await.unwrap(), ["a", "b"]);
    assert_eq!(server.requests()[1], "GET /v2/acme/api/tags/list?last=Zm9v%2F%2B==&x=%20;");
}

#[tokio::test]
async fn t3_a_short_page_with_a_link_is_not_the_end() {
    let server = in_turn(|n| match n {
        0 => page(r#"{"tags":[]}"#, Some("<?last=x>; rel=next")),
        _ => page(r#"{"tags":["b"]}"#, None),
    })
    .await;
    assert_eq!(list(&server).await.unwrap(), ["b"]);
}

/// A page of the tags from `first` on.
fn numbered(first: usize, count: usize) -> String {
    let tags: Vec<String> = (first..first + count).map(|n| format!("\"{n:05}\"")).collect();
    format!(r#"{{"tags":[{}]}}"#, tags.join(","))
}

#[tokio::test]
async fn t4_a_full_page_without_a_link_is_the_end_unless_the_registry_knows_more() {
    let refusals: [fn() -> Response; 6] = [
        || page(numbered(0, 1000), None), // takes no notice of the cursor
        || json(r#"{"tags":null}"#),      // Harbor, Hub: nothing behind it
        || status(405, "{}"),             // ECR
        || status(404, ""),               // zot
        || status(400, "{}"),
        || page(numbered(999, 1000), None), // has moved meanwhile, but takes no notice either
    ];
    for second in refusals {
        let server = in_turn(move |n| if n == 0 { page(numbered(0, 1000), None) } else { second() }).await;
        assert_eq!(list(&server).await.unwrap().len(), 1000);
        let first = "GET /v2/acme/api/tags/list?n=1000";
        assert_eq!(server.requests(), [first, &format!("{first}&last=00999")]);
    }
    let server = in_turn(|_| page(numbered(0, 1000), None)).await;
    let (client, repository) = (client(&server), repository(&server, "acme/api"));
    let known = client.list(&repository, None).await.unwrap();
    let again = client.list(&repository, Some(&known)).await.unwrap();
    assert_eq!((server.request_count(), again.tags().len()), (3, 1000), "who takes no notice of the cursor is asked so once");
    for (count, link) in [(999, false), (1001, false), (1000, true)] {
        let server = in_turn(move |n| match (link, n) {
            (true, 0) => page(numbered(0, 1000), Some("<?n=1000&last=x>; rel=next")),
            (true, _) => page(numbered(1000, 1000), None),
            _ => page(numbered(0, count), None),
        })
        .await;
        list(&server).await.unwrap();
        assert_eq!(server.request_count(), if link { 2 } else { 1 }, "nothing is guessed where a link or the count tells");
    }
}

#[tokio::test]
async fn t4_what_gitea_and_nexus_cut_without_a_link_is_listed_in_full() {
    for total in [2500, 3000] {
        let server = Server::start().await.unwrap();
        server.on_request(move |parts| {
            let query = parts.uri.query().unwrap();
            let last = query.split_once("last=").map_or(0, |(_, last)| last.parse::<usize>().unwrap() + 1);
            Some(json(numbered(last, (total - last).min(1000))))
        });
        assert_eq!(list(&server).await.unwrap().len(), total);
        assert_eq!(server.request_count(), if total == 2500 { 3 } else { 4 });
    }
    let failing = in_turn(|n| if n == 0 { page(numbered(0, 1000), None) } else { status(500, "") }).await;
    assert_retry(&list(&failing).await.unwrap_err());
}

#[tokio::test]
async fn t9_null_is_the_empty_list() {
    assert_eq!(list_once(|| json(r#"{"name":"acme/api","tags":null}"#)).await.unwrap(), [""; 0]);
    assert_eq!(list_once(|| json(r#"{"name":"acme/api","tags":[]}"#)).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn t9_a_tag_on_two_pages_is_listed_once_and_escapes_are_read() {
    let server = in_turn(|n| match n {
        0 => page(r#"{"child":[{"a":[1]}],"tags":["1.0","\u0061"],"manifest":{}}"#, Some("<?last=x>; rel=next")),
        _ => page(r#" {"tags" : ["a","1.0"] } "#, None),
    })
    .await;
    assert_eq!(list(&server).await.unwrap(), ["1.0", "a"]);
}

#[tokio::test]
async fn t10_any_content_type_will_do_for_a_listing() {
    for content_type in ["text/plain; charset=utf-8", "application/json; charset=utf-8", "application/octet-stream"] {
        let listed = list_once(move || ([(header::CONTENT_TYPE, content_type)], r#"{"tags":["1"]}"#).into_response()).await;
        assert_eq!(listed.unwrap(), ["1"]);
    }
}

#[tokio::test]
async fn t9_what_cannot_be_a_tag_is_left_out_and_counted() {
    let bad = [r#""1.0\n[x]""#, r#""""#, r#""..""#, r#""-x""#, r#""a b""#, r#""\u202e1""#, r#""\u001b[31m""#, r#""a/b""#, r#""x\u0000""#];
    let long = format!("\"{}\"", "a".repeat(200_000));
    let body = format!(r#"{{"tags":["1.0",{},{long},"2.0"]}}"#, bad.join(","));
    let server = in_turn(move |_| json(body.clone())).await;
    let listing = client(&server).list(&repository(&server, "acme/api"), None).await.unwrap();
    assert_eq!(words(listing.tags()), ["1.0", "2.0"]);
    assert_eq!((listing.omitted().invalid, listing.omitted().generated), (bad.len() + 1, 0));
}

#[tokio::test]
async fn t21_tags_that_tools_generate_are_only_counted() {
    let hex = "0a".repeat(32);
    let body =
        serde_json::json!({ "tags": [format!("sha256-{hex}.sig"), format!("sha256-{hex}.att"), format!("sha256-{hex}"), "sha256-1"] });
    let server = in_turn(move |_| json(body.to_string())).await;
    let listing = client(&server).list(&repository(&server, "acme/api"), None).await.unwrap();
    assert_eq!(words(listing.tags()), ["sha256-1"]);
    assert_eq!(listing.omitted().to_string(), "3 generated tags (signatures, attestations)");
}

#[tokio::test]
async fn t20_the_order_of_a_listing_means_nothing() {
    let one = list_once(|| json(r#"{"tags":["b","10","a","9"]}"#)).await.unwrap();
    assert_eq!(list_once(|| json(r#"{"tags":["9","a","b","10"]}"#)).await.unwrap(), one);
}

#[tokio::test]
async fn t9_an_answer_that_is_no_list_of_tags_is_never_the_empty_list() {
    for bad in [
        "{}",
        "[]",
        "null",
        r#"{"name":"acme/api"}"#,
        r#"{"tags":"1.0"}"#,
        r#"{"tags":{}}"#,
        r#"{"tags":[5]}"#,
        r#"{"tags":[null]}"#,
        r#"{"tags":["1"],"tags":["2"]}"#,
        r#"{"tags":["1"]} x"#,
        "hello",
    ] {
        let error = list_once(move || json(bad)).await.unwrap_err();
        assert_stalled(&error);
        assert!(line(&error).contains("the answer is not a list of tags: "), "{bad}: {}", line(&error));
    }
}

#[tokio::test]
async fn an_error_does_not_repeat_a_long_answer() {
    let long = format!(r#"{{"tags":"{}"}}"#, "x".repeat(1_000_000));
    let error = list_once(move || json(long.clone())).await.unwrap_err();
    assert!(line(&error).len() < 400, "{}", line(&error));
}

#[tokio::test]
async fn t16_half_an_answer_is_an_error_that_may_pass() {
    for half in ["", r#"{"tags":["1.0","#, r#"{"tags":["1.0"]"#] {
        assert_retry(&list_once(move || json(half)).await.unwrap_err());
    }
}

#[tokio::test]
async fn t10_a_log_in_page_is_an_error() {
    for content_type in ["text/html; charset=utf-8", "application/json"] {
        let answer = move || ([(header::CONTENT_TYPE, content_type)], "\n <!DOCTYPE html><html>log in</html>").into_response();
        let error = list_once(answer).await.unwrap_err();
        assert_stalled(&error);
        assert!(line(&error).ends_with("the registry answered with a web page instead of a list of tags"), "{}", line(&error));
        assert!(error.hint().is_some());
    }
}

#[tokio::test]
async fn t13_a_failing_page_fails_the_whole_listing() {
    for (code, stalled) in [(500, false), (502, false), (503, false), (429, false), (403, true), (401, true), (400, true)] {
        let server = in_turn(move |n| match n {
            0 => page(r#"{"tags":["1.0"]}"#, Some("<?last=1.0>; rel=next")),
            _ => status(code, ""),
        })
        .await;
        let error = list(&server).await.unwrap_err();
        if stalled {
            assert_stalled(&error);
        } else {
            assert_retry(&error);
        }
        assert!(line(&error).contains(&format!("the registry answered {code}")), "{}", line(&error));
    }
}

#[tokio::test]
async fn t12_a_page_that_vanished_starts_the_listing_over_once() {
    let server = in_turn(|n| match n {
        0 => page(r#"{"tags":["1.0","gone"]}"#, Some("<?last=gone>; rel=next")),
        1 => status(404, ""),
        2 => page(r#"{"tags":["1.0"]}"#, Some("<?last=1.0>; rel=next")),
        _ => page(r#"{"tags":["2.0"]}"#, None),
    })
    .await;
    assert_eq!(list(&server).await.unwrap(), ["1.0", "2.0"], "what the first try read is forgotten");
    assert_eq!(server.request_count(), 4);

    let server = in_turn(|n| match n % 2 {
        0 => page(r#"{"tags":["1.0"]}"#, Some("<?last=1.0>; rel=next")),
        _ => status(404, ""),
    })
    .await;
    assert_stalled(&list(&server).await.unwrap_err());
    assert_eq!(server.request_count(), 4, "not a third time");
}

#[tokio::test]
async fn t11_a_repository_that_does_not_exist_is_an_error() {
    for (content_type, body) in [
        ("application/json", r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#),
        ("text/html", "<html>not found</html>"),
        ("text/plain", ""),
    ] {
        let answer = move || (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, content_type)], body).into_response();
        let error = list_once(answer).await.unwrap_err();
        assert!(error.is_not_found());
        assert_stalled(&error);
        assert!(!line(&error).contains("html"), "{}", line(&error));
    }
}

#[tokio::test]
async fn t14_t15_a_page_size_that_is_refused_is_left_out_from_then_on() {
    for code in [400, 405, 413] {
        let server = Server::start().await.unwrap();
        server.publish("acme/api", "1.0");
        server.on_request(move |parts| parts.uri.query().is_some().then(|| status(code, r#"{"errors":[{"code":"UNSUPPORTED"}]}"#)));
        let client = client(&server);
        for _ in 0..2 {
            assert_eq!(words(&client.tags(&repository(&server, "acme/api")).await.unwrap()), ["1.0"]);
        }
        let list = "GET /v2/acme/api/tags/list";
        assert_eq!(server.requests(), [&format!("{list}?n=1000"), list, list]);
    }
}

#[tokio::test]
async fn t5_t6_a_listing_that_goes_in_circles_is_an_error() {
    let itself = in_turn(|_| page(r#"{"tags":["1.0"]}"#, Some("<?n=1000>; rel=next"))).await;
    assert_stalled(&list(&itself).await.unwrap_err());
    assert_eq!(itself.request_count(), 1);

    let circle =
        in_turn(|n| page(format!(r#"{{"tags":["{n}"]}}"#), Some(if n % 2 == 0 { "<?last=a>; rel=next" } else { "<?last=b>; rel=next" })))
            .await;
    let error = list(&circle).await.unwrap_err();
    assert!(line(&error).contains("does not end"), "{}", line(&error));
    assert_eq!(circle.request_count(), 3);

    let ever_new = in_turn(|n| page(r#"{"tags":["1.0"]}"#, Some(&format!("<?last={n}>; rel=next")))).await;
    assert_stalled(&list(&ever_new).await.unwrap_err());
    assert_eq!(ever_new.request_count(), 2, "new links to the same page are a circle, too");
}

#[tokio::test]
async fn t7_a_listing_without_end_is_an_error_and_not_cut_short() {
    let server = in_turn(|n| page(format!(r#"{{"tags":["t{n}"]}}"#), Some(&format!("<?last=t{n}>; rel=next")))).await;
    let error = list(&server).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("more than 5000 pages"), "{}", line(&error));
    assert_eq!(server.request_count(), 5000);
}

#[tokio::test]
async fn t8_more_tags_than_any_repository_has_are_an_error_and_not_cut_short() {
    let counter = Arc::new(AtomicUsize::new(0));
    let server = in_turn(move |n| {
        let first = counter.fetch_add(250_000, Ordering::SeqCst);
        let tags: Vec<String> = (first..first + 250_000).map(|n| format!("\"{n}\"")).collect();
        page(format!(r#"{{"tags":[{}]}}"#, tags.join(",")), Some(&format!("<?last={n}>; rel=next")))
    })
    .await;
    let error = list(&server).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("more than 1000000 tags"), "{}", line(&error));
    assert_eq!(server.request_count(), 5);
}

#[tokio::test]
async fn t23_a_path_prefix_of_a_proxy_in_the_link_does_no_harm() {
    let server = in_turn(|n| match n {
        0 => page(r#"{"tags":["a"]}"#, Some(r#"</artifactory/api/docker/x/v2/acme/api/tags/list?last=a&n=1>; rel="next""#)),
        _ => page(r#"{"tags":["b"]}"#, None),
    })
    .await;
    assert_eq!(list(&server).await.unwrap(), ["a", "b"]);
    assert_eq!(server.requests()[1], "GET /v2/acme/api/tags/list?last=a&n=1");
}

#[tokio::test]
async fn t22_of_artifactorys_links_only_the_cursor_is_taken() {
    let server = in_turn(|n| {
        let link = (n == 0).then_some(r#"</v2/api/tags/list?n=50&last=a>; rel="next""#);
        let mut response = page(if n == 0 { r#"{"tags":["a"]}"# } else { r#"{"tags":["b"]}"# }, link);
        response.headers_mut().insert("x-jfrog-version", "Artifactory/7.90.1".parse().unwrap());
        response
    })
    .await;
    assert_eq!(list(&server).await.unwrap(), ["a", "b"]);
    assert_eq!(server.requests()[1], "GET /v2/acme/api/tags/list?n=1000&last=a");
}

#[tokio::test]
async fn t16_t17_t18_a_second_page_that_is_cut_short_bursts_or_drips_spoils_the_whole() {
    let first = response("200 OK", &["link: <?last=x>; rel=next"], r#"{"tags":["1.0"]}"#);
    let bomb = include_bytes!("../../fixtures/registry/bomb.json.gz");
    let seconds = [
        Script::Send(head("200 OK", &[], 100).into_iter().chain(*br#"{"tags":["2.0"]}"#).collect()),
        Script::Send(response("200 OK", &["content-encoding: gzip"], bomb)),
        Script::Drip(head("200 OK", &[], 1_000_000), Duration::from_millis(20)),
    ];
    for second in seconds {
        let first = first.clone();
        let server = RawServer::start(move |n| if n == 0 { Script::Send(first.clone()) } else { second.clone() }).await;
        let client = client_of(&server.host(), |host| host.timeout = Duration::from_millis(500));
        client.tags(&repository_at(&server.host(), "acme/api")).await.unwrap_err();
    }
}

#[tokio::test]
async fn t24_pages_go_on_where_a_redirect_led_without_a_credential() {
    let backend = Server::start().await.unwrap();
    backend.publish_many("mirror/api", (0..1500).map(|n| format!("{n:04}")));
    let seen = Seen::default();
    let noted = seen.clone();
    backend.on_request(move |parts| {
        noted.note(parts);
        None
    });
    let front = Server::start().await.unwrap();
    // Some front ends drop the query; resolving the link against them would begin again and again.
    let target = format!("http://{}/v2/mirror/api/tags/list", backend.host());
    front.on_request(move |_| Some(redirect_to(&target)));
    let client = client_of(&front.host(), |host| host.auth = Some(Auth::Bearer(secret("t0ken"))));
    let api = repository(&front, "acme/api");
    assert_eq!(client.tags(&api).await.unwrap().len(), 1500);
    assert_eq!((front.request_count(), backend.request_count()), (1, 1));

    let target = format!("http://{}/v2/mirror/api/tags/list?n=1000", backend.host());
    front.on_request(move |_| Some(redirect_to(&target)));
    assert_eq!(client.tags(&api).await.unwrap().len(), 1500);
    assert_eq!((front.request_count(), backend.request_count()), (2, 3));
    assert!(seen.all().iter().all(|(_, authorization)| authorization.is_none()), "{:?}", seen.all());
}
