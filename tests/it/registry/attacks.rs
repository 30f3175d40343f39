//! Registries that want to steal: none of these may learn a credential or send the client where it must not go.

use tagboat::demo::registry::Registry as Server;
use tagboat::error::Classified;
use tagboat::image::TagRef;
use tagboat::registry::{Auth, Error};

use crate::support::registry::*;

/// A registry that sends for tokens to `realm`, and the error of a client with a password.
async fn sent_for_a_token_to(realm: &str) -> (Server, Error) {
    let registry = Server::start().await.unwrap();
    want_bearer(&registry, realm, "t0ken");
    let client = client_of(&registry.host(), |host| host.auth = basic());
    let error = client.tags(&repository(&registry, "acme/api")).await.unwrap_err();
    (registry, error)
}

#[tokio::test]
async fn a9_a_password_is_not_sent_to_a_token_server_of_another_host() {
    let thief = Server::start().await.unwrap();
    let stolen = give_tokens(&thief, |_| json(r#"{"token":"t0ken"}"#));
    let (registry, error) = sent_for_a_token_to(&format!("http://{}/token", thief.host())).await;
    assert_eq!(stolen.count(), 0);
    assert_stalled(&error);
    assert!(line(&error).contains(&format!("sends for a token to http://{}/token: this host is not known to belong", thief.host())));
    assert!(error.hint().unwrap().contains("token_hosts"));
    assert_eq!(registry.request_count(), 1, "and the request is not repeated without the password");
}

#[tokio::test]
async fn a9_a_token_server_at_a_bad_address_is_never_asked() {
    for realm in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://0.0.0.0/",
        "http://localhost:1/",
        "http://user:secret@127.0.0.1/",
        "ftp://127.0.0.1/",
        "/token",
        "https://registry.evil.example@169.254.169.254/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token",
        "gopher:",
    ] {
        let (registry, error) = sent_for_a_token_to(realm).await;
        assert_stalled(&error);
        assert!(line(&error).contains("the registry sends for a token to"), "{}", line(&error));
        assert!(!line(&error).contains("secret"), "{}", line(&error));
        assert_eq!(registry.request_count(), 1);

        let anonymous = client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap_err();
        assert_stalled(&anonymous);
    }
}

#[tokio::test]
async fn a_token_server_that_refuses_the_password_does_not_make_it_anonymous() {
    let registry = Server::start().await.unwrap();
    registry.publish("acme/api", "1.0");
    let tokens = Server::start().await.unwrap();
    let asked = give_tokens(&tokens, |parts| match authorization(parts) {
        Some(_) => status(401, r#"{"details":"incorrect username or password"}"#),
        None => json(r#"{"token":"t0ken"}"#),
    });
    want_bearer(&registry, &format!("http://{}/token", tokens.host()), "t0ken");
    let client = client_of(&registry.host(), |host| {
        host.auth = basic();
        host.token_hosts = vec![tokens.host()];
    });
    let error = client.tags(&repository(&registry, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("incorrect username or password"), "{}", line(&error));
    assert!(asked.all().iter().all(|(_, authorization)| authorization.is_some()));
    assert_eq!(registry.request_count(), 1);
}

#[tokio::test]
async fn a10_a_token_server_that_redirects_is_not_followed() {
    let (tokens, thief) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let registry = Server::start().await.unwrap();
    let target = format!("http://{}/token?secret=1", thief.host());
    give_tokens(&tokens, move |_| redirect_to(&target));
    want_bearer(&registry, &format!("http://{}/token", tokens.host()), "t0ken");
    let client = client_of(&registry.host(), |host| {
        host.auth = basic();
        host.token_hosts = vec![tokens.host()];
    });
    let error = client.tags(&repository(&registry, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("was not followed"), "{}", line(&error));
    assert!(!line(&error).contains("secret=1"), "{}", line(&error));
    assert_eq!(thief.request_count(), 0);
}

#[tokio::test]
async fn a10_an_endless_answer_of_a_token_server_is_cut_off() {
    let registry = Server::start().await.unwrap();
    let tokens = Server::start().await.unwrap();
    give_tokens(&tokens, |_| json(format!(r#"{{"token":"{}"}}"#, "x".repeat(10_000_000))));
    want_bearer(&registry, &format!("http://{}/token", tokens.host()), "t0ken");
    let error = client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).ends_with("the token server's answer is longer than 131072 bytes"), "{}", line(&error));
}

#[tokio::test]
async fn a7_a_password_is_not_sent_in_the_clear_to_a_host_that_is_not_configured_plain() {
    let server = Server::start().await.unwrap();
    server.on_request(|_| Some(unauthorized("Basic")));
    let client = client_of(&server.host(), |host| {
        host.auth = basic();
        host.plain_http = false;
    });
    let error = client.tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert!(line(&error).contains("does not speak TLS"), "{}", line(&error));
    assert_eq!(server.request_count(), 0);
}

#[tokio::test]
async fn an_identity_token_is_not_sent_to_a_token_server_of_another_host_nor_to_the_registry() {
    let (registry, thief) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let stolen = give_tokens(&thief, |_| json(r#"{"token":"t0ken"}"#));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    std::fs::write(&path, format!(r#"{{"auths": {{"{}": {{"identitytoken": "{PASSWORD}"}}}}}}"#, registry.host())).unwrap();
    let client = client_of(&registry.host(), |host| host.auth = Some(Auth::DockerConfig(path)));
    let api = repository(&registry, "acme/api");

    want_bearer(&registry, &format!("http://{}/token", thief.host()), "t0ken");
    let error = client.tags(&api).await.unwrap_err();
    assert!(line(&error).contains("the credential was not sent"), "{}", line(&error));
    assert_eq!(stolen.count(), 0);

    let seen = Seen::default();
    let noted = seen.clone();
    registry.on_request(move |parts| {
        noted.note(parts);
        Some(unauthorized("Basic"))
    });
    assert_stalled(&client.tags(&api).await.unwrap_err());
    assert!(seen.all().iter().all(|(_, authorization)| authorization.is_none()), "{:?}", seen.all());
}

#[tokio::test]
async fn a_challenge_of_many_kilobytes_is_not_remembered() {
    let registry = Server::start().await.unwrap();
    let realm = format!("http://{}/{}", registry.host(), "x".repeat(8_000));
    let seen = want_bearer(&registry, &realm, "t0ken");
    let error = client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).len() < 400, "{}", line(&error));
    assert_eq!(seen.count(), 1);
}

#[tokio::test]
async fn a_token_is_not_sent_to_another_host() {
    let (registry, other) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let digest = other.publish("acme/api", "1.0");
    let seen = Seen::default();
    let noted = seen.clone();
    other.on_request(move |parts| {
        noted.note(parts);
        None
    });
    let (host, away) = (other.host(), registry.host());
    registry.on_request(move |parts| match authorization(parts).as_deref() {
        Some("Bearer t0ken") => Some(redirect_to(format!("http://{host}{}", parts.uri))),
        _ => Some(unauthorized(&format!(r#"Bearer realm="http://{away}/token""#))),
    });
    let client = client_of(&registry.host(), |host| host.auth = Some(Auth::Bearer(secret("t0ken"))));
    let api = repository(&registry, "acme/api");
    assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0"]);
    assert_eq!(client.digest(&api, TagRef::parse("1.0").unwrap()).await.unwrap().as_str(), digest);
    assert_eq!(seen.count(), 2);
    assert!(seen.all().iter().all(|(_, authorization)| authorization.is_none()), "{:?}", seen.all());
}

#[tokio::test]
async fn a_credential_does_not_come_back_after_a_detour_over_another_host() {
    let (registry, other) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let back = format!("http://{}/v2/acme/other/tags/list", registry.host());
    other.on_request(move |_| Some(redirect_to(&back)));
    let seen = Seen::default();
    let noted = seen.clone();
    let away = format!("http://{}/", other.host());
    registry.on_request(move |parts| {
        noted.note(parts);
        let begun = parts.uri.path().contains("acme/api");
        Some(if begun { redirect_to(&away) } else { json(r#"{"tags":["1.0"]}"#) })
    });
    let client = client_of(&registry.host(), |host| host.auth = Some(Auth::Bearer(secret("t0ken"))));
    client.tags(&repository(&registry, "acme/api")).await.unwrap();
    let sent: Vec<_> = seen.all().into_iter().map(|(_, authorization)| authorization).collect();
    assert_eq!(sent, [Some("Bearer t0ken".to_owned()), None]);
}

#[tokio::test]
async fn pages_at_a_host_redirected_to_are_asked_for_without_a_credential() {
    let (registry, other) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    other.publish_many("acme/api", (0..1500).map(|n| format!("{n}")));
    let seen = Seen::default();
    let noted = seen.clone();
    other.on_request(move |parts| {
        noted.note(parts);
        None
    });
    let host = other.host();
    registry.on_request(move |parts| Some(redirect_to(format!("http://{host}{}", parts.uri))));
    let client = client_of(&registry.host(), |host| host.auth = Some(Auth::Bearer(secret("t0ken"))));
    assert_eq!(client.tags(&repository(&registry, "acme/api")).await.unwrap().len(), 1500);
    assert_eq!(seen.count(), 2);
    assert!(seen.all().iter().all(|(_, authorization)| authorization.is_none()), "{:?}", seen.all());
}

#[tokio::test]
async fn a_host_redirected_to_cannot_ask_for_a_credential() {
    let (registry, thief) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    let host = thief.host();
    let asked = give_tokens(&thief, move |_| unauthorized(&format!(r#"Bearer realm="http://{host}/token""#)));
    let target = format!("http://{}/v2/x", thief.host());
    registry.on_request(move |_| Some(redirect_to(&target)));
    let client = client_of(&registry.host(), |host| {
        host.auth = basic();
        host.token_hosts = vec![thief.host()];
    });
    let error = client.tags(&repository(&registry, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains(&format!("{}, to which the registry redirected, answered 401", thief.host())), "{}", line(&error));
    assert_eq!(asked.all(), [("GET /v2/x".to_owned(), None)]);
}

#[tokio::test]
async fn redirects_are_followed_within_bounds_only() {
    let registry = Server::start().await.unwrap();
    for (target, expected) in [
        ("/again", "there were too many"),
        ("http://169.254.169.254/latest/meta-data/", "link-local or metadata"),
        ("http://[fe80::1]/", "link-local or metadata"),
        ("ftp://127.0.0.1/", "no web address"),
        ("http://user:secret@127.0.0.1/", "it holds a user name"),
    ] {
        let before = registry.request_count();
        registry.on_request(move |_| Some(redirect_to(target)));
        let error = client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap_err();
        assert_stalled(&error);
        assert!(line(&error).contains(expected), "{}", line(&error));
        assert!(!line(&error).contains("secret"), "{}", line(&error));
        let made = registry.request_count() - before;
        assert_eq!(made, if target == "/again" { 6 } else { 1 }, "{target}");
    }
}

#[tokio::test]
async fn t1_a_link_to_another_host_is_followed_at_home_and_nowhere_else() {
    let (registry, thief) = (Server::start().await.unwrap(), Server::start().await.unwrap());
    for scheme in ["http", "https"] {
        let link = format!(r#"<{scheme}://{}/v2/acme/other/tags/list?last=1.0>; rel="next""#, thief.host());
        registry.on_request(move |parts| {
            let second = parts.uri.query() == Some("last=1.0");
            let mut response = json(if second { r#"{"tags":["2.0"]}"# } else { r#"{"tags":["1.0"]}"# });
            if !second {
                response.headers_mut().insert("link", link.parse().unwrap());
            }
            Some(response)
        });
        assert_eq!(words(&client(&registry).tags(&repository(&registry, "acme/api")).await.unwrap()), ["1.0", "2.0"]);
        assert_eq!(registry.requests().last().unwrap(), "GET /v2/acme/api/tags/list?last=1.0");
    }
    assert_eq!(thief.request_count(), 0);
}

#[tokio::test]
async fn a_servers_message_shows_no_secret_and_no_control_characters() {
    let registry = Server::start().await.unwrap();
    registry.on_request(|parts| match authorization(parts) {
        Some(sent) => {
            let message = format!("bad\n\u{1b}[31m {sent} {PASSWORD} {}", "x".repeat(100_000));
            Some(axum::response::IntoResponse::into_response((
                axum::http::StatusCode::FORBIDDEN,
                serde_json::json!({ "errors": [{ "code": "DENIED", "message": message }] }).to_string(),
            )))
        }
        None => Some(unauthorized("Basic")),
    });
    let client = client_of(&registry.host(), |host| host.auth = basic());
    let error = client.tags(&repository(&registry, "acme/api")).await.unwrap_err();
    let line = line(&error);
    assert!(line.len() < 400 && !line.contains('\u{1b}'), "{line}");
}

#[tokio::test]
async fn a_client_and_its_errors_do_not_show_the_password_when_printed_for_debugging() {
    let registry = Server::start().await.unwrap();
    let client = client_of(&registry.host(), |host| host.auth = basic());
    assert!(!format!("{client:?}").contains(PASSWORD));
}
