//! Credentials and tokens, as far as honest registries go; the others are in `attacks`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tagboat::demo::registry::Registry as Server;
use tagboat::error::Classified;
use tagboat::image::TagRef;
use tagboat::redact::SecretSource;
use tagboat::registry::{Auth, Greeting};

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
async fn a1_a11_an_anonymous_token_for_our_own_scope_is_fetched_once_for_many_requests() {
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
    assert_eq!(client.states()[0].requests, 10);
}

#[tokio::test]
async fn a2_both_names_of_the_token_are_read() {
    for answer in [r#"{"access_token":"t0ken"}"#, r#"{"token":"","access_token":"t0ken"}"#, r#"{"token":"t0ken","access_token":""}"#] {
        let (registry, _tokens, ..) = with_token_server(answer).await;
        assert_eq!(words(&client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap()), ["1.0"]);
    }
}

#[tokio::test]
async fn a2_an_answer_without_a_token_is_an_error() {
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
async fn a5_a_refused_token_is_replaced_once() {
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
    let before = registry.request_count();
    client.tags(&api).await.unwrap();
    assert_eq!(registry.request_count() - before, 3, "with the token, without it, with the password");
    client.tags(&api).await.unwrap();
    assert_eq!(registry.request_count() - before, 4);
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
async fn a6_of_several_challenges_the_one_that_can_be_answered_is_taken() {
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
async fn a7_a_registry_that_wants_a_password_of_a_stranger_says_what_to_do() {
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
async fn a7_a_password_answers_a_challenge_and_only_a_challenge() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "1.0");
    let seen = Seen::default();
    let noted = seen.clone();
    server.on_request(move |parts| {
        noted.note(parts);
        (authorization(parts).as_deref() != Some(BASIC)).then(|| unauthorized("Basic"))
    });
    client_of(&server.host(), |host| host.auth = basic()).tags(&repository(&server, "acme/api")).await.unwrap();
    let sent: Vec<_> = seen.all().into_iter().map(|(_, authorization)| authorization).collect();
    assert_eq!(sent, [None, Some(BASIC.to_owned())]);
}

#[tokio::test]
async fn a8_a_token_that_harbor_has_let_expire_is_replaced_and_the_password_not_sent_to_the_registry() {
    let (registry, tokens) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    registry.publish("acme/api", "1.0");
    let given = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&given);
    give_tokens(&tokens, move |_| json(format!(r#"{{"token":"t{}","expires_in":1800}}"#, count.fetch_add(1, Ordering::SeqCst) + 1)));
    let challenge = format!(r#"Bearer realm="http://{}/service/token",service="harbor-registry""#, tokens.host());
    let (seen, valid) = (Seen::default(), Arc::new(AtomicUsize::new(1)));
    let (noted, now_valid) = (seen.clone(), Arc::clone(&valid));
    registry.on_request(move |parts| {
        noted.note(parts);
        match authorization(parts) {
            None => Some(unauthorized(&challenge)),
            Some(sent) if sent == format!("Bearer t{}", now_valid.load(Ordering::SeqCst)) => None,
            Some(_) => Some(unauthorized(r#"Basic realm="harbor""#)),
        }
    });
    let client = client_of(&registry.host(), |host| {
        host.auth = basic();
        host.token_hosts = vec![tokens.host()];
    });
    let api = repository(&registry, "acme/api");
    client.tags(&api).await.unwrap();
    valid.store(2, Ordering::SeqCst);
    client.tags(&api).await.unwrap();
    client.tags(&api).await.unwrap();
    valid.store(1000, Ordering::SeqCst);
    assert_stalled(&client.tags(&api).await.unwrap_err());
    assert_eq!(given.load(Ordering::SeqCst), 3, "no loop");
    let sent: Vec<_> = seen.all().into_iter().map(|(_, authorization)| authorization.unwrap_or_default()).collect();
    assert_eq!(sent, ["", "Bearer t1", "Bearer t1", "", "Bearer t2", "Bearer t2", "Bearer t2", "", "Bearer t3"]);
}

#[tokio::test]
async fn a10_a_token_server_is_given_the_time_it_asks_for() {
    let (registry, tokens, ..) = with_token_server("").await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    give_tokens(&tokens, move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => {
            let mut response = status(429, "slow down");
            response.headers_mut().insert("retry-after", "1".parse().unwrap());
            response
        }
        _ => json(r#"{"token":"t0ken"}"#),
    });
    let start = Instant::now();
    client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a12_a_token_is_never_used_for_another_repository() {
    let registry = Server::start().await.unwrap();
    let realm = format!("http://{}/token", registry.host());
    for name in ["acme/api", "acme/web", "acme/api/deep"] {
        registry.publish(name, "1.0");
    }
    registry.on_request(move |parts| {
        let scope = |query: &str| url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "scope").unwrap().1.into_owned();
        if parts.uri.path() == "/token" {
            return Some(json(format!(r#"{{"token":"for {}"}}"#, scope(parts.uri.query().unwrap()))));
        }
        let name = parts.uri.path().strip_prefix("/v2/").unwrap().strip_suffix("/tags/list").unwrap();
        match authorization(parts) {
            None => Some(unauthorized(&format!(r#"Bearer realm="{realm}",service="s""#))),
            Some(sent) if sent == format!("Bearer for repository:{name}:pull") => None,
            Some(_) => Some(status(403, r#"{"errors":[{"code":"DENIED","message":"not for this"}]}"#)),
        }
    });
    let client = client(&registry);
    for name in ["acme/api", "acme/web", "acme/api/deep", "acme/api"] {
        client.tags(&repository(&registry, name)).await.unwrap();
    }
    let asked = registry.requests().into_iter().filter(|request| request.contains("/token?"));
    assert_eq!(asked.count(), 3);
}

/// What a token server was asked.
#[derive(Clone, Debug)]
struct Asked {
    method: String,
    params: Vec<(String, String)>,
    authorization: Option<String>,
}

impl Asked {
    fn param(&self, wanted: &str) -> Option<&str> {
        self.params.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }
}

/// A registry with one image and a token server at its own host that also reads forms and answers by `answer`.
struct WithForms {
    registry: Server,
    tokens: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl WithForms {
    async fn start(answer: impl Fn(&Asked) -> axum::response::Response + Clone + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let tokens = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let noted = Arc::clone(&asked);
        let router = axum::Router::new().fallback(move |request: axum::extract::Request| async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 100_000).await.unwrap();
            let read = |text: &[u8]| url::form_urlencoded::parse(text).into_owned().collect::<Vec<_>>();
            let params = if parts.method == "POST" { read(&body) } else { read(parts.uri.query().unwrap_or_default().as_bytes()) };
            let asked = Asked { method: parts.method.to_string(), params, authorization: authorization(&parts) };
            noted.lock().unwrap().push(asked.clone());
            answer(&asked)
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        let registry = Server::start().await.unwrap();
        registry.publish("acme/api", "1.0");
        want_bearer(&registry, &format!("http://{tokens}/oauth2/token"), "t0ken");
        Self { registry, tokens, asked }
    }

    /// Lists the image with what a Docker config file says of the registry.
    async fn list_with(&self, entry: &str) -> Result<(), tagboat::registry::Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        std::fs::write(&path, format!(r#"{{"auths": {{"{}": {entry}}}}}"#, self.registry.host())).unwrap();
        let client = client_of(&self.registry.host(), |host| {
            host.auth = Some(Auth::DockerConfig(path));
            host.token_hosts = vec![self.tokens.clone()];
        });
        client.tags(&repository(&self.registry, "acme/api")).await.map(|tags| assert_eq!(words(&tags), ["1.0"]))
    }

    fn methods(&self) -> Vec<String> {
        self.asked.lock().unwrap().drain(..).map(|asked| asked.method).collect()
    }
}

const IDENTITY: &str = r#"{"identitytoken": "refresh&token"}"#;
const LOGIN: &str = r#"{"username": "bot", "password": "s3cret-passw0rd"}"#;

#[tokio::test]
async fn an_identity_token_is_exchanged_by_post_as_azure_documents_it() {
    let world = WithForms::start(|asked| match asked.param("refresh_token") {
        Some("refresh&token") => json(r#"{"access_token":"t0ken","refresh_token":"another"}"#),
        _ => status(401, ""),
    })
    .await;
    world.list_with(IDENTITY).await.unwrap();
    let asked = world.asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].method.as_str(), asked[0].authorization.as_deref()), ("POST", None));
    for (name, value) in [
        ("grant_type", "refresh_token"),
        ("service", "test registry"),
        ("scope", "repository:acme/api:pull"),
        ("client_id", "tagboat"),
        ("access_type", "online"),
    ] {
        assert_eq!(asked[0].param(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn a14_where_post_is_not_known_get_is_tried() {
    for code in [400, 401, 404, 405] {
        let world =
            WithForms::start(move |asked| if asked.method == "POST" { status(code, "") } else { json(r#"{"token":"t0ken"}"#) }).await;
        world.list_with(IDENTITY).await.unwrap();
        let asked = world.asked.lock().unwrap().clone();
        // `printf '%s' '00000000-0000-0000-0000-000000000000:refresh&token' | base64`
        let basic = "Basic MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOnJlZnJlc2gmdG9rZW4=";
        assert_eq!(asked.iter().map(|asked| asked.method.as_str()).collect::<Vec<_>>(), ["POST", "GET"]);
        assert_eq!(asked[1].authorization.as_deref(), Some(basic));
    }
    for code in [403, 500] {
        let world = WithForms::start(move |_| status(code, "")).await;
        world.list_with(IDENTITY).await.unwrap_err();
        assert!(world.methods().iter().all(|method| method == "POST"), "{code}: {:?}", world.methods());
    }
}

#[tokio::test]
async fn a14_a_password_is_posted_only_where_there_is_nothing_to_get() {
    for code in [404, 405] {
        let world = WithForms::start(move |asked| match asked.param("password") {
            Some(PASSWORD) if asked.param("username") == Some(USER) && asked.param("grant_type") == Some("password") => {
                json(r#"{"access_token":"t0ken"}"#)
            }
            _ => status(code, ""),
        })
        .await;
        world.list_with(LOGIN).await.unwrap();
        assert_eq!(world.methods(), ["GET", "POST"]);
    }
    let world = WithForms::start(|_| status(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#)).await;
    let error = world.list_with(LOGIN).await.unwrap_err();
    assert!(line(&error).ends_with("answered 401 Unauthorized: wrong password"), "{}", line(&error));
    assert_eq!(world.methods(), ["GET"]);
}

#[tokio::test]
async fn of_two_refused_ways_the_one_about_the_credential_is_told() {
    for (post, get) in [(401, 404), (404, 401), (400, 401)] {
        let world = WithForms::start(move |asked| status(if asked.method == "POST" { post } else { get }, "")).await;
        let error = world.list_with(IDENTITY).await.unwrap_err();
        let told = if post == 404 { get } else { post };
        assert!(line(&error).contains(&format!("answered {told}")), "{post} {get}: {}", line(&error));
    }
}

#[tokio::test]
async fn a_password_in_a_form_does_not_come_back_in_a_message() {
    let world = WithForms::start(|asked| match asked.method.as_str() {
        "POST" => {
            let form: Vec<_> = asked.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
            axum::response::IntoResponse::into_response((axum::http::StatusCode::FORBIDDEN, form.join(" ")))
        }
        _ => status(405, ""),
    })
    .await;
    let error = world.list_with(LOGIN).await.unwrap_err();
    assert!(line(&error).contains("username=bot") && line(&error).contains("***"), "{}", line(&error));
}

#[tokio::test]
async fn a_greeting_with_an_identity_token_says_so() {
    let world = WithForms::start(|_| json(r#"{"access_token":"t0ken"}"#)).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    std::fs::write(&path, format!(r#"{{"auths": {{"{}": {IDENTITY}}}}}"#, world.registry.host())).unwrap();
    let client = client_of(&world.registry.host(), |host| {
        host.auth = Some(Auth::DockerConfig(path));
        host.token_hosts = vec![world.tokens.clone()];
    });
    let registry = tagboat::image::Registry::parse(&world.registry.host()).unwrap();
    assert_eq!(client.ping(&registry).await.unwrap(), Greeting::Identity);
}

#[tokio::test]
async fn repositories_with_token_servers_of_their_own_do_not_disturb_each_other() {
    let registry = Server::start().await.unwrap();
    let host = registry.host();
    for name in ["one/api", "two/api"] {
        registry.publish(name, "1.0");
    }
    registry.on_request(move |parts| {
        let path = parts.uri.path();
        if let Some(group) = path.strip_prefix("/token/") {
            return Some(json(format!(r#"{{"token":"{group}","expires_in":300}}"#)));
        }
        let group = path.strip_prefix("/v2/")?.split('/').next()?;
        (authorization(parts) != Some(format!("Bearer {group}")))
            .then(|| unauthorized(&format!(r#"Bearer realm="http://{host}/token/{group}""#)))
    });
    let client = client(&registry);
    let both = [repository(&registry, "one/api"), repository(&registry, "two/api")];
    for repository in &both {
        client.tags(repository).await.unwrap();
    }
    let before = registry.request_count();
    for repository in both.iter().chain(&both) {
        client.tags(repository).await.unwrap();
    }
    assert_eq!(registry.request_count() - before, 4, "{:?}", registry.requests());
}

#[tokio::test]
async fn a_token_without_the_right_to_pull_is_told_from_a_wrong_password() {
    let (registry, tokens, ..) = with_token_server(r#"{"token":"weak"}"#).await;
    let challenge = format!(r#"Bearer realm="http://{}/token",error="insufficient_scope""#, tokens.host());
    registry.on_request(move |_| Some(unauthorized(&challenge)));
    let with_login = client_of(&registry.host(), |host| {
        host.auth = basic();
        host.token_hosts = vec![tokens.host()];
    });
    let api = repository(&registry, "acme/api");
    let error = with_login.tags(&api).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("answered 401 Unauthorized, since the token gives no right to pull"), "{}", line(&error));
    assert_eq!(error.hint().unwrap(), "the credential from the policy file must be allowed to pull from this repository");
    let anonymous = client(&registry).tags(&api).await.unwrap_err();
    assert!(anonymous.hint().unwrap().starts_with("give a credential as `auth`"));
}

#[tokio::test]
async fn a_refused_credential_is_named_by_where_it_came_from() {
    let server = Server::start().await.unwrap();
    server.on_request(|_| Some(unauthorized("Basic")));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    std::fs::write(&path, format!(r#"{{"auths": {{"{}/acme": {LOGIN}}}}}"#, server.host())).unwrap();
    let client = client_of(&server.host(), |host| host.auth = Some(Auth::DockerConfig(path.clone())));
    let error = client.tags(&repository(&server, "acme/api")).await.unwrap_err();
    let expected = format!(
        "the credential for {0} from Docker's config file {1} (entry {0}/acme) is wrong or has expired, or may not pull from this repository",
        server.host(),
        path.display()
    );
    assert_eq!((line(&error), error.hint().unwrap()).1, expected);
    assert_eq!(server.request_count(), 2);
    assert_stalled(&client.tags(&repository(&server, "other/api")).await.unwrap_err());
    assert_eq!(server.request_count(), 3, "for what no entry covers there is none");

    std::fs::remove_file(&path).unwrap();
    let error = client.tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert!(line(&error).contains("reading Docker's config file"), "{}", line(&error));
}
