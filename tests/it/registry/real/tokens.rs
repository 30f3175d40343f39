//! Token authentication: the real registry checks signed tokens, which a server of ours gives out by rights.

use std::time::{Duration, Instant};

use tagboat::error::Classified;
use tagboat::image::{Registry, TagRef};
use tagboat::registry::{Auth, Client, Greeting};

use crate::support::docker_registry::{DockerRegistry, Setup};
use crate::support::registry::*;
use crate::support::token_server::{Life, TokenServer};

const API: &str = "acme/api";
const HOUR: i64 = 3600;

/// A registry with acme/api, from which [`USER`] may pull, and acme/secret, from which nobody may.
async fn world(life: impl Fn(usize) -> Life + Send + Sync + 'static) -> (TokenServer, DockerRegistry, String) {
    let tokens = TokenServer::start(API, life).await;
    let registry = DockerRegistry::set_up(Setup { tokens: Some(tokens.for_registry()), ..Setup::default() }).await;
    let digest = registry.push_index(API, "1.0.0", &["amd64", "arm64"]).await;
    registry.push("acme/secret", "2.0.0").await;
    (tokens, registry, digest)
}

/// The usual: an hour, and the server says so.
fn an_hour(_: usize) -> Life {
    Life { told: Some(HOUR), true_one: HOUR }
}

fn client_with(registry: &DockerRegistry, tokens: &TokenServer, auth: Option<Auth>) -> Client {
    client_of(registry.host(), |host| {
        host.auth = auth;
        host.token_hosts = vec![tokens.host()];
    })
}

#[tokio::test]
async fn five_listings_and_a_digest_take_one_exchange() {
    let (tokens, registry, digest) = world(an_hour).await;
    let client = client_with(&registry, &tokens, basic());
    let api = repository_at(registry.host(), API);
    for _ in 0..5 {
        assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0.0"], "{}", registry.log());
    }
    assert_eq!(client.digest(&api, TagRef::parse("1.0.0").unwrap()).await.unwrap().as_str(), digest);
    let exchange = "GET /token?service=registry+of+tests&scope=repository%3Aacme%2Fapi%3Apull".to_owned();
    assert_eq!(tokens.exchanges().all(), [(exchange, Some(BASIC.to_owned()))]);
    let host = Registry::parse(registry.host()).unwrap();
    assert!(matches!(client.ping(&host).await.unwrap(), Greeting::Token { .. }), "a token without a scope is good for a greeting");
}

#[tokio::test]
async fn a_repository_that_the_user_may_not_pull_from_is_refused_for_good() {
    let (tokens, registry, _) = world(an_hour).await;
    let client = client_with(&registry, &tokens, basic());
    let refused = client.tags(&repository_at(registry.host(), "acme/secret")).await.unwrap_err();
    assert_stalled(&refused);
    assert!(!refused.is_of_the_host(), "the registry's other repositories are fine");
    assert!(line(&refused).contains("answered 401"), "{}", line(&refused));
    assert!(refused.hint().unwrap().contains("pull from this repository"), "{:?}", refused.hint());
    assert_eq!(words(&client.tags(&repository_at(registry.host(), API)).await.unwrap()), ["1.0.0"]);
    assert!(tokens.exchanges().count() <= 3, "no loop: {:?}", tokens.exchanges().all());
}

#[tokio::test]
async fn a_stranger_gets_a_token_without_rights_and_is_told_to_sign_in() {
    let (tokens, registry, _) = world(an_hour).await;
    let refused = client_with(&registry, &tokens, None).tags(&repository_at(registry.host(), API)).await.unwrap_err();
    assert_stalled(&refused);
    assert!(refused.hint().unwrap().contains("`auth`"), "{:?}", refused.hint());
    assert!(tokens.exchanges().all().iter().all(|(_, sent)| sent.is_none()));
}

#[tokio::test]
async fn a_wrong_password_is_the_token_servers_word() {
    let (tokens, registry, _) = world(an_hour).await;
    let wrong = Auth::Basic { username: USER.to_owned(), password: secret("not the password") };
    let refused = client_with(&registry, &tokens, Some(wrong)).tags(&repository_at(registry.host(), API)).await.unwrap_err();
    assert_stalled(&refused);
    assert!(refused.is_of_the_host(), "it is wrong for all repositories");
    let expected = format!("the token server {} answered 401 Unauthorized: wrong user or password", tokens.host());
    assert!(line(&refused).ends_with(&expected), "{}", line(&refused));
    assert!(refused.hint().unwrap().contains("wrong or has expired"), "{:?}", refused.hint());
}

#[tokio::test]
async fn a_repository_that_does_not_exist_is_told_from_one_that_is_forbidden() {
    let tokens = TokenServer::start("acme/none", an_hour).await;
    let registry = DockerRegistry::set_up(Setup { tokens: Some(tokens.for_registry()), ..Setup::default() }).await;
    let client = client_with(&registry, &tokens, basic());
    assert!(client.tags(&repository_at(registry.host(), "acme/none")).await.unwrap_err().is_not_found());
    assert!(!client.tags(&repository_at(registry.host(), "acme/other")).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn a3_a_token_is_renewed_before_the_end_of_its_life_and_not_sooner() {
    // A token whose server does not say how long it lives says so itself; it is never said to live for less than 60 s.
    for (told, half, over) in [(None, 1800, 1780), (Some(1), 30, 31), (Some(300), 200, 101)] {
        let (tokens, registry, _) = world(move |_| Life { told, true_one: HOUR }).await;
        let client = client_with(&registry, &tokens, basic());
        let api = repository_at(registry.host(), API);
        for (passed, exchanges) in [(0, 1), (half, 1), (over, 2)] {
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(passed)).await;
            tokio::time::resume();
            client.tags(&api).await.unwrap();
            assert_eq!(tokens.exchanges().count(), exchanges, "told {told:?}, {passed} s later");
        }
    }
}

#[tokio::test]
async fn a_token_that_ends_before_its_time_is_replaced_and_nobody_notices() {
    // The first is told to live for an hour and truly ends in two seconds, the registry's minute of grace included.
    let (tokens, registry, _) = world(|n| if n == 1 { Life { told: Some(HOUR), true_one: -58 } } else { an_hour(n) }).await;
    let client = client_with(&registry, &tokens, basic());
    let api = repository_at(registry.host(), API);
    client.tags(&api).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(15);
    while tokens.exchanges().count() == 1 {
        assert!(Instant::now() < deadline, "the registry takes a token that has ended");
        assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0.0"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.tags(&api).await.unwrap();
    assert_eq!(tokens.exchanges().count(), 2, "the second one is good");
}
