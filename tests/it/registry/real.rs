//! Against the real registry (distribution 2.8), which ignores `n`, never links and does not sort: open, with a password,
//! with tokens, and behind TLS.

mod notifications;
mod tls;
mod tokens;

use tagboat::error::Classified;
use tagboat::image::{Registry, TagRef};
use tagboat::registry::{Config, Greeting};

use crate::support::docker_registry::DockerRegistry;
use crate::support::registry::*;

#[tokio::test]
async fn tags_and_digests_of_an_open_registry() {
    let registry = DockerRegistry::start().await;
    let mut digests = Vec::new();
    for tag in ["2.0.0", "latest", "1.0.0", "v1.0.0", "Z"] {
        digests.push((tag, registry.push("acme/api", tag).await));
    }
    let client = client_of(registry.host(), |_| {});
    let api = repository_at(registry.host(), "acme/api");
    assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0.0", "2.0.0", "Z", "latest", "v1.0.0"], "{}", registry.log());
    for (tag, digest) in digests {
        assert_eq!(client.digest(&api, TagRef::parse(tag).unwrap()).await.unwrap().as_str(), digest);
    }
    assert_eq!(client.ping(&Registry::parse(registry.host()).unwrap()).await.unwrap(), Greeting::Open);

    let unknown = client.tags(&repository_at(registry.host(), "acme/none")).await.unwrap_err();
    assert!(unknown.is_not_found());
    assert_stalled(&unknown);
    assert_eq!(
        line(&unknown),
        format!(
            "listing tags of {}/acme/none: the registry answered 404 Not Found: repository name not known to registry",
            registry.host()
        )
    );
    assert!(unknown.hint().unwrap().contains("spelt"), "{:?}", unknown.hint());
    assert!(client.digest(&api, TagRef::parse("none").unwrap()).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn the_digest_of_an_index_is_that_of_the_index_and_not_of_a_platform() {
    let registry = DockerRegistry::start().await;
    let digest = registry.push_index("acme/api", "1.0.0", &["amd64", "arm64"]).await;
    let client = client_of(registry.host(), |_| {});
    let api = repository_at(registry.host(), "acme/api");
    assert_eq!(client.digest(&api, TagRef::parse("1.0.0").unwrap()).await.unwrap().as_str(), digest);
    assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0.0"], "what was pushed by digest is no tag");
}

#[tokio::test]
async fn tags_and_digests_of_a_registry_that_wants_a_password() {
    let registry = DockerRegistry::start_with_login(USER, PASSWORD).await;
    let digest = registry.push_index("acme/api", "1.0.0", &["amd64", "arm64"]).await;
    let api = repository_at(registry.host(), "acme/api");
    let host = Registry::parse(registry.host()).unwrap();

    let client = client_of(registry.host(), |host| host.auth = basic());
    assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0.0"]);
    assert_eq!(client.digest(&api, TagRef::parse("1.0.0").unwrap()).await.unwrap().as_str(), digest);
    assert_eq!(client.ping(&host).await.unwrap(), Greeting::Password { username: USER.to_owned() });

    let stranger = client_of(registry.host(), |_| {}).tags(&api).await.unwrap_err();
    assert_stalled(&stranger);
    assert!(line(&stranger).ends_with("the registry answered 401 Unauthorized: authentication required"), "{}", line(&stranger));
    assert!(stranger.hint().unwrap().contains("`auth`"), "{:?}", stranger.hint());

    let wrong = client_of(registry.host(), |host| {
        host.auth = Some(tagboat::registry::Auth::Basic { username: USER.to_owned(), password: secret("not the password") });
    });
    let refused = wrong.tags(&api).await.unwrap_err();
    assert_stalled(&refused);
    assert!(refused.hint().unwrap().contains("wrong or has expired"), "{:?}", refused.hint());
    assert_stalled(&wrong.ping(&host).await.unwrap_err());
}

#[tokio::test]
async fn the_password_may_come_from_dockers_config_file() {
    let registry = DockerRegistry::start_with_login(USER, PASSWORD).await;
    registry.push("acme/api", "1.0.0").await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    let auth = BASIC.strip_prefix("Basic ").unwrap();
    std::fs::write(&path, format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, registry.host())).unwrap();
    let mut config = Config { docker_config: Some(path), ..quick() };
    let host = tagboat::registry::Host { plain_http: true, ..Default::default() };
    config.hosts.insert(Registry::parse(registry.host()).unwrap(), host);
    let client = tagboat::registry::Client::new(config).unwrap();
    assert_eq!(words(&client.tags(&repository_at(registry.host(), "acme/api")).await.unwrap()), ["1.0.0"]);
}
