//! Credentials and tokens, as far as honest registries go; the others are in `attacks`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tagboat::demo::registry::Registry as Server;
use tagboat::error::Classified;
use tagboat::image::TagRef;
use tagboat::redact::SecretSource;
use tagboat::registry::{Auth, Config, Host};

use crate::support::registry::*;

/// A registry with one image that takes `Bearer t0ken`, which its token server (another port) gives by `answer`.
async fn with_token_server(answer: &'static str) -> (Server, Server, Seen, Seen) {
    let (registry, tokens) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    registry.publish("acme/api", "1.0");
    registry.publish("acme/web", "2.0");
    let asked = give_tokens(&tokens, move |_| json(answer));
    let seen = want_bearer(&registry, &format!("http://{}/token?x=1", tokens.host()), "t0ken");
    (registry, tokens, seen, asked)
}

#[tokio::test]
async fn an_anonymous_token_is_fetched_once_for_many_requests() {
    let (registry, _tokens, seen, asked) = with_token_server(r#"{"token":"t0ken","expires_in":300}"#).await;
    let client = client(&registry);
    let api = repository(&registry, "acme/api");
    for _ in 0..5 {
        assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0"]);
    }
    client.digest(&api, TagRef::parse("1.0").unwrap()).await.unwrap();
    assert_eq!(
        asked.all(),
        [("GET /token?x=1&service=test+registry&scope=repository%3Aacme%2Fapi%3Apull".to_owned(), None)],
        "the scope is the client's own, not the challenge's example"
    );
    assert_eq!(seen.count(), 7, "one request was refused, and that is remembered");

    assert_eq!(words(&client.tags(&repository(&registry, "acme/web")).await.unwrap()), ["2.0"]);
    assert_eq!(asked.count(), 2, "a token is good for one repository");
    assert_eq!(seen.count(), 8, "the challenge is known");
    assert_eq!(client.requests()[0].1, 10);
}

#[tokio::test]
async fn both_names_of_the_token_are_read() {
    for answer in [r#"{"access_token":"t0ken"}"#, r#"{"token":"","access_token":"t0ken"}"#, r#"{"token":"t0ken","access_token":""}"#] {
        let (registry, _tokens, ..) = with_token_server(answer).await;
        assert_eq!(words(&client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap()), ["1.0"]);
    }
}

#[tokio::test]
async fn an_answer_without_a_token_is_an_error() {
    for answer in ["{}", r#"{"token":""}"#, "[]", "t0ken"] {
        let (registry, _tokens, ..) = with_token_server(answer).await;
        let error = client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap_err();
        assert_stalled(&error);
        assert!(line(&error).contains("answered without a token"), "{}", line(&error));
        assert!(!line(&error).contains("t0ken"), "{}", line(&error));
    }
}

#[tokio::test]
async fn a_password_goes_to_the_token_server_and_the_token_to_the_registry() {
    let (registry, tokens, seen, asked) = with_token_server(r#"{"token":"t0ken"}"#).await;
    let client = client_of(&registry.host(), |host| {
        host.auth = basic();
        host.token_hosts = vec![tokens.host()];
    });
    assert_eq!(words(&client.tags(&repository(&registry, "acme/api")).await.unwrap()), ["1.0"]);
    assert_eq!(asked.all()[0].1.as_deref(), Some(BASIC));
    let sent: Vec<_> = seen.all().into_iter().map(|(_, authorization)| authorization).collect();
    assert_eq!(sent, [None, Some("Bearer t0ken".to_owned())]);
}

#[tokio::test]
async fn many_requests_at_once_fetch_one_token() {
    let (registry, _tokens, _, asked) = with_token_server(r#"{"token":"t0ken"}"#).await;
    let client = client(&registry);
    let api = repository(&registry, "acme/api");
    let all = (0..50).map(|_| (client.clone(), api.clone())).map(|(client, api)| tokio::spawn(async move { client.tags(&api).await }));
    for one in all.collect::<Vec<_>>() {
        assert_eq!(words(&one.await.unwrap().unwrap()), ["1.0"]);
    }
    assert_eq!(asked.count(), 1);
}

#[tokio::test]
async fn a_token_server_that_fails_fails_all_who_wait_at_once() {
    let (registry, tokens, ..) = with_token_server("").await;
    let asked = give_tokens(&tokens, |_| {
        std::thread::sleep(Duration::from_millis(100));
        status(403, r#"{"errors":[{"code":"DENIED","message":"go away"}]}"#)
    });
    let client = client_of(&registry.host(), |host| host.concurrency = 50);
    let api = repository(&registry, "acme/api");
    let all = (0..20).map(|_| (client.clone(), api.clone())).map(|(client, api)| tokio::spawn(async move { client.tags(&api).await }));
    for one in all.collect::<Vec<_>>() {
        let error = one.await.unwrap().unwrap_err();
        assert_stalled(&error);
        assert!(line(&error).ends_with(&format!("the token server {} answered 403 Forbidden: go away", tokens.host())), "{}", line(&error));
    }
    assert!(asked.count() <= 10, "{} times", asked.count());
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let (registry, tokens) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    registry.publish("acme/api", "1.0");
    let given = Arc::new(AtomicUsize::new(0));
    let (count, valid) = (Arc::clone(&given), Arc::new(AtomicUsize::new(1)));
    give_tokens(&tokens, move |_| json(format!(r#"{{"token":"t{}","expires_in":300}}"#, count.fetch_add(1, Ordering::SeqCst) + 1)));
    let challenge = format!(r#"Bearer realm="http://{}/token",service="s""#, tokens.host());
    let now_valid = Arc::clone(&valid);
    registry.on_request(move |parts| {
        let good = format!("Bearer t{}", now_valid.load(Ordering::SeqCst));
        (authorization(parts) != Some(good)).then(|| unauthorized(&challenge))
    });
    let client = client(&registry);
    let api = repository(&registry, "acme/api");
    client.tags(&api).await.unwrap();
    valid.store(2, Ordering::SeqCst);
    client.tags(&api).await.unwrap();
    assert_eq!(given.load(Ordering::SeqCst), 2);
    assert_eq!(registry.request_count(), 4);

    valid.store(1000, Ordering::SeqCst);
    assert_stalled(&client.tags(&api).await.unwrap_err());
    assert_eq!(given.load(Ordering::SeqCst), 3, "no loop");
    assert_eq!(registry.request_count(), 6, "no loop");
}

#[tokio::test]
async fn a_registry_that_changes_its_challenge_is_followed() {
    let (registry, tokens, ..) = with_token_server(r#"{"token":"t0ken"}"#).await;
    let client = client_of(&registry.host(), |host| {
        host.auth = basic();
        host.token_hosts = vec![tokens.host()];
    });
    let api = repository(&registry, "acme/api");
    client.tags(&api).await.unwrap();
    registry.on_request(|parts| (authorization(parts).as_deref() != Some(BASIC)).then(|| unauthorized(r#"Basic realm="harbor""#)));
    client.tags(&api).await.unwrap();
    client.tags(&api).await.unwrap();
}

#[tokio::test]
async fn a_token_server_that_moved_is_found_again() {
    let (registry, tokens, ..) = with_token_server(r#"{"token":"t0ken"}"#).await;
    let client = client(&registry);
    client.tags(&repository(&registry, "acme/api")).await.unwrap();

    drop(tokens);
    let moved = Server::start().await.unwrap();
    give_tokens(&moved, |_| json(r#"{"token":"t0ken"}"#));
    want_bearer(&registry, &format!("http://{}/token", moved.host()), "t0ken");
    let web = repository(&registry, "acme/web");
    assert_retry(&client.tags(&web).await.unwrap_err());
    assert_eq!(words(&client.tags(&web).await.unwrap()), ["2.0"]);
}

#[tokio::test]
async fn of_several_challenges_the_one_that_can_be_answered_is_taken() {
    let (registry, tokens, ..) = with_token_server(r#"{"token":"t0ken"}"#).await;
    let bearer = format!(r#"Bearer realm="http://{}/token",service="s",scope="*""#, tokens.host());
    for lines in [
        vec![r#"Basic realm="x""#.to_owned(), bearer.clone()],
        vec![format!(r#"{bearer},Basic realm="x""#)],
        vec!["Negotiate".to_owned(), bearer],
    ] {
        registry.on_request(move |parts| {
            (authorization(parts).as_deref() != Some("Bearer t0ken")).then(|| {
                let mut response = status(401, "");
                for line in &lines {
                    response.headers_mut().append("www-authenticate", line.parse().unwrap());
                }
                response
            })
        });
        assert_eq!(words(&client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap()), ["1.0"]);
    }
}

#[tokio::test]
async fn a_registry_that_wants_a_password_of_a_stranger_says_what_to_do() {
    let server = Server::start().await.unwrap();
    server.on_request(|_| Some(unauthorized(r#"Basic realm="Registry""#)));
    let error = client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert_eq!(
        line(&error),
        format!("listing tags of {}/acme/api: the registry answered 401 Unauthorized: authentication required", server.host())
    );
    assert!(error.hint().unwrap().starts_with("give a credential as `auth`"));
    assert_eq!(server.request_count(), 1);

    server.on_request(|_| Some(unauthorized("Negotiate")));
    let error = client(&server).tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("neither Basic nor Bearer"), "{}", line(&error));
}

#[tokio::test]
async fn a_wrong_password_is_not_tried_twice() {
    let server = Server::start().await.unwrap();
    server.on_request(|_| Some(unauthorized(r#"Basic realm="Registry""#)));
    let client = client_of(&server.host(), |host| host.auth = basic());
    let api = repository(&server, "acme/api");
    let error = client.tags(&api).await.unwrap_err();
    assert_stalled(&error);
    assert!(error.hint().unwrap().contains("wrong or has expired"));
    assert_eq!(server.request_count(), 2);
}

#[tokio::test]
async fn a_password_is_offered_where_private_repositories_are_hidden() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    server.on_request(|parts| match authorization(parts).as_deref() {
        Some(BASIC) => None,
        _ if parts.uri.path() == "/v2/" => Some(unauthorized("Basic")),
        _ => Some(status(404, "")),
    });
    let client = client_of(&server.host(), |host| host.auth = basic());
    assert_eq!(words(&client.tags(&repository(&server, "acme/api")).await.unwrap()), ["1.0"]);
}

#[tokio::test]
async fn a_given_token_is_sent_as_it_is() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    let seen = want_bearer(&server, "http://127.0.0.1:1/token", "t0ken");
    let client = client_of(&server.host(), |host| host.auth = Some(Auth::Bearer(secret("t0ken"))));
    assert_eq!(words(&client.tags(&repository(&server, "acme/api")).await.unwrap()), ["1.0"]);
    assert_eq!(seen.count(), 1);
}

#[tokio::test]
async fn a_rotated_password_is_used_without_a_restart() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    server.on_request(|parts| (authorization(parts).as_deref() != Some(BASIC)).then(|| unauthorized("Basic")));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("password");
    std::fs::write(&path, "old\n").unwrap();
    let password = SecretSource::File(path.clone());
    let client = client_of(&server.host(), |host| host.auth = Some(Auth::Basic { username: USER.to_owned(), password }));
    let api = repository(&server, "acme/api");
    assert_stalled(&client.tags(&api).await.unwrap_err());
    std::fs::write(&path, format!("{PASSWORD}\n")).unwrap();
    client.tags(&api).await.unwrap();

    std::fs::remove_file(&path).unwrap();
    let error = client.tags(&api).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("reading the secret file"), "{}", line(&error));
}

#[tokio::test]
async fn a_helper_of_dockers_config_file_is_an_error_and_not_anonymous_access() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    std::fs::write(&path, format!(r#"{{"credHelpers": {{"{}": "ecr-login"}}}}"#, server.host())).unwrap();
    let mut config = Config { docker_config: Some(path), ..quick() };
    config.hosts.insert(tagboat::image::Registry::parse(&server.host()).unwrap(), Host { plain_http: true, ..Host::default() });
    let error = tagboat::registry::Client::new(config).unwrap().tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("docker-credential-ecr-login"), "{}", line(&error));
    assert_eq!(server.request_count(), 0);
}
