//! TLS: who is believed.

use tagboat::error::Classified;

use crate::support::registry::*;
use crate::support::registry_tls::TlsServer;

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_if_named() {
    let server = TlsServer::start("127.0.0.1").await;
    let client = client_of(server.host(), |host| {
        host.plain_http = false;
        host.ca_file = Some(server.ca_file());
    });
    assert_eq!(words(&client.tags(&repository_at(server.host(), "acme/api")).await.unwrap()), ["1.0", "2.0"]);
}

#[tokio::test]
async fn an_unknown_authority_is_refused_at_once_and_says_what_to_do() {
    let server = TlsServer::start("127.0.0.1").await;
    let client = client_of(server.host(), |host| host.plain_http = false);
    let error = client.tags(&repository_at(server.host(), "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("is not trusted: invalid peer certificate: UnknownIssuer"), "{}", line(&error));
    assert!(error.hint().unwrap().contains("ca_file"));
    assert_eq!(client.requests()[0].1, 1, "it would not help to try again");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = TlsServer::start("registry.example.com").await;
    let client = client_of(server.host(), |host| {
        host.plain_http = false;
        host.ca_file = Some(server.ca_file());
    });
    let error = client.tags(&repository_at(server.host(), "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("is not trusted"), "{}", line(&error));
}

#[tokio::test]
async fn plain_http_is_never_fallen_back_to() {
    let server = tagboat::demo::registry::Registry::start().await.unwrap();
    server.publish("acme/api", "1.0");
    let client = client_of(&server.host(), |host| host.plain_http = false);
    let error = client.tags(&repository(&server, "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert_eq!(line(&error), format!("listing tags of {0}/acme/api: {0} does not speak TLS", server.host()));
    assert!(error.hint().unwrap().contains("plain_http"));
    assert_eq!(server.request_count(), 0);
}

#[tokio::test]
async fn a_certificate_file_that_cannot_be_used_is_told_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    for (content, expected) in [(None, "No such file"), (Some(""), "holds no certificate"), (Some("hello"), "holds no certificate")] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let mut config = quick();
        let host = tagboat::registry::Host { ca_file: Some(path.clone()), ..Default::default() };
        config.hosts.insert(tagboat::image::Registry::parse("registry.example.com").unwrap(), host);
        let error = tagboat::registry::Client::new(config).unwrap_err();
        assert!(
            line(&error).starts_with("preparing the connection to registry.example.com: reading the certificates in"),
            "{}",
            line(&error)
        );
        assert!(line(&error).contains(expected), "{}", line(&error));
        assert_stalled(&error);
    }
}
