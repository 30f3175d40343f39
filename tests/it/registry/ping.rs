//! The greeting that `tagboat check --connect` makes.

use tagboat::demo::registry::Registry as Server;
use tagboat::image::Registry;
use tagboat::registry::{Auth, Greeting};

use crate::support::registry::*;

#[tokio::test]
async fn tells_how_the_registry_lets_one_in() {
    let server = Server::start().await.unwrap();
    let host = Registry::parse(&server.host()).unwrap();
    assert_eq!(client(&server).ping(&host).await.unwrap(), Greeting::Open);

    let realm = format!("http://{}/token", server.host());
    server.on_request(move |parts| {
        if parts.uri.path() == "/token" {
            let known = authorization(parts).as_deref() == Some(BASIC);
            return Some(if known { json(r#"{"token":"t0ken"}"#) } else { status(403, "no") });
        }
        let token = authorization(parts).as_deref() == Some("Bearer t0ken");
        (!token).then(|| unauthorized(&format!(r#"Bearer realm="{realm}",service="s""#)))
    });
    assert_eq!(client(&server).ping(&host).await.unwrap(), Greeting::Anonymous);
    let with_login = client_of(&server.host(), |host| host.auth = basic());
    assert_eq!(with_login.ping(&host).await.unwrap(), Greeting::Token { username: USER.to_owned() });
    let with_token = client_of(&server.host(), |host| host.auth = Some(Auth::Bearer(secret("t0ken"))));
    assert_eq!(with_token.ping(&host).await.unwrap(), Greeting::FixedToken);
    let with_wrong_token = client_of(&server.host(), |host| host.auth = Some(Auth::Bearer(secret("wrong"))));
    assert_stalled(&with_wrong_token.ping(&host).await.unwrap_err());
}

#[tokio::test]
async fn a_web_site_is_no_registry() {
    let server = Server::start().await.unwrap();
    server.on_request(|_| Some(axum::response::IntoResponse::into_response(axum::response::Html("<!DOCTYPE html>"))));
    let error = client(&server).ping(&Registry::parse(&server.host()).unwrap()).await.unwrap_err();
    assert_stalled(&error);
    assert_eq!(
        line(&error),
        format!("connecting to {}: the registry answered with a web page instead of a registry's greeting", server.host())
    );
}
