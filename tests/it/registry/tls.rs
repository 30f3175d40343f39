//! TLS: who is believed.

use tagboat::error::Classified;
use tagboat::registry::{Client, ClientCert};

use crate::support::registry::*;
use crate::support::registry_raw::response;
use crate::support::registry_tls::{Clients, TlsServer};

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
    assert_eq!(client.states()[0].requests, 1, "it would not help to try again");
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

const TAGS: &str = r#"{"tags":["1.0","2.0"]}"#;

fn pair(directory: &tempfile::TempDir) -> ClientCert {
    ClientCert { cert: directory.path().join("client.pem"), key: directory.path().join("client.key") }
}

fn showing(server: &TlsServer, pair: &ClientCert) -> Client {
    client_of(server.host(), |host| {
        (host.plain_http, host.ca_file, host.client_cert) = (false, Some(server.ca_file()), Some(pair.clone()));
    })
}

#[tokio::test]
async fn a_registry_that_demands_a_client_certificate_gets_it() {
    let server = TlsServer::start_with("127.0.0.1", Clients::Demanded, response("200 OK", &[], TAGS)).await;
    let directory = tempfile::tempdir().unwrap();
    let pair = pair(&directory);
    server.issue(&pair);
    let api = repository_at(server.host(), "acme/api");
    assert_eq!(words(&showing(&server, &pair).tags(&api).await.unwrap()), ["1.0", "2.0"]);

    let without = client_of(server.host(), |host| (host.plain_http, host.ca_file) = (false, Some(server.ca_file())));
    let error = without.tags(&api).await.unwrap_err();
    assert!(line(&error).contains("CertificateRequired"), "{}", line(&error));
}

#[tokio::test]
async fn a_renewed_client_certificate_is_taken_up_without_a_restart() {
    let server = TlsServer::start_with("127.0.0.1", Clients::Demanded, response("200 OK", &[], TAGS)).await;
    let stranger = TlsServer::start("127.0.0.1").await;
    let directory = tempfile::tempdir().unwrap();
    let pair = pair(&directory);
    stranger.issue(&pair);
    let (client, api) = (showing(&server, &pair), repository_at(server.host(), "acme/api"));
    client.tags(&api).await.unwrap_err();
    // Halfway through: what was read before stays in use, and nothing breaks.
    std::fs::write(&pair.key, "").unwrap();
    client.tags(&api).await.unwrap_err();
    server.issue(&pair);
    client.tags(&api).await.unwrap();
    std::fs::remove_file(&pair.cert).unwrap();
    client.tags(&api).await.unwrap();
}

#[tokio::test]
async fn a_changed_authority_is_taken_up_without_a_restart() {
    let (server, other) = (TlsServer::start("127.0.0.1").await, TlsServer::start("127.0.0.1").await);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::copy(other.ca_file(), &file).unwrap();
    let client = client_of(server.host(), |host| (host.plain_http, host.ca_file) = (false, Some(file.clone())));
    let api = repository_at(server.host(), "acme/api");
    assert!(line(&client.tags(&api).await.unwrap_err()).contains("is not trusted"));
    std::fs::copy(server.ca_file(), &file).unwrap();
    client.tags(&api).await.unwrap();
}

#[tokio::test]
async fn the_client_certificate_is_not_shown_to_the_host_that_a_registry_redirects_to() {
    let storage = TlsServer::start_with("127.0.0.1", Clients::Asked, response("200 OK", &[], TAGS)).await;
    let location = format!("location: https://{}/tags", storage.host());
    let redirect = response("307 Temporary Redirect", &[&location], "");
    let server = TlsServer::start_with("127.0.0.1", Clients::Demanded, redirect).await;
    let directory = tempfile::tempdir().unwrap();
    let pair = pair(&directory);
    server.issue(&pair);
    // Both authorities are trusted.
    let both = directory.path().join("both.pem");
    let read = |server: &TlsServer| std::fs::read_to_string(server.ca_file()).unwrap();
    std::fs::write(&both, read(&server) + &read(&storage)).unwrap();
    let client = client_of(server.host(), |host| {
        (host.plain_http, host.ca_file, host.client_cert) = (false, Some(both), Some(pair));
    });
    client.tags(&repository_at(server.host(), "acme/api")).await.unwrap();
    assert_eq!((server.shown(), storage.shown()), (vec![true], vec![false]));
}

#[tokio::test]
async fn a_client_certificate_that_cannot_be_used_is_told_at_the_start_and_never_shown() {
    let server = TlsServer::start("127.0.0.1").await;
    let directory = tempfile::tempdir().unwrap();
    let good = pair(&directory);
    server.issue(&good);
    let (cert, key) = (std::fs::read_to_string(&good.cert).unwrap(), std::fs::read_to_string(&good.key).unwrap());
    server.issue(&good);
    let another_key = std::fs::read_to_string(&good.key).unwrap();
    for (cert, key, expected) in [
        ("", &*key, "client.pem: it holds no certificate in PEM form"),
        (&*key, &*key, "client.pem: it holds no certificate in PEM form"),
        (&*cert, "", "client.key: it holds no private key in PEM form"),
        (&*cert, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "client.pem: "),
        (&*cert, &*another_key, "the HTTP client cannot be built"),
    ] {
        std::fs::write(&good.cert, cert).unwrap();
        std::fs::write(&good.key, key).unwrap();
        let mut config = quick();
        let host = tagboat::registry::Host { client_cert: Some(good.clone()), ..Default::default() };
        config.hosts.insert(tagboat::image::Registry::parse("registry.example.com").unwrap(), host);
        let error = Client::new(config).unwrap_err();
        assert!(line(&error).contains(expected), "{}", line(&error));
        assert!(!line(&error).contains("BEGIN"));
        assert_stalled(&error);
    }
}
