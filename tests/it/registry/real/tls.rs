//! TLS with an authority of one's own, without and with certificates for clients.

use std::path::PathBuf;
use std::sync::Arc;

use tagboat::error::Classified;
use tagboat::image::TagRef;
use tagboat::registry::Client;

use crate::support::authority::Authority;
use crate::support::docker_registry::{DockerRegistry, Setup};
use crate::support::registry::*;

/// A registry with acme/api behind TLS, and a folder with the authority's certificate.
struct World {
    authority: Arc<Authority>,
    registry: DockerRegistry,
    digest: String,
    directory: tempfile::TempDir,
}

impl World {
    async fn start(client_certificates: bool) -> Self {
        let authority = Arc::new(Authority::new());
        let setup = Setup { tls: Some(Arc::clone(&authority)), client_certificates, ..Setup::default() };
        let registry = DockerRegistry::set_up(setup).await;
        let digest = registry.push_index("acme/api", "1.0.0", &["amd64", "arm64"]).await;
        let directory = tempfile::tempdir().unwrap();
        Self { authority, registry, digest, directory }
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn client(&self, change: impl FnOnce(&mut tagboat::registry::Host)) -> Client {
        let ca_file = self.write("ca.pem", &self.authority.pem());
        client_of(self.registry.host(), |host| {
            host.plain_http = false;
            host.ca_file = Some(ca_file);
            change(host);
        })
    }
}

#[tokio::test]
async fn tags_and_digests_behind_an_authority_of_ones_own() {
    let world = World::start(false).await;
    let client = world.client(|_| {});
    let api = repository_at(world.registry.host(), "acme/api");
    assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0.0"]);
    assert_eq!(client.digest(&api, TagRef::parse("1.0.0").unwrap()).await.unwrap().as_str(), world.digest);
}

#[tokio::test]
async fn another_authority_than_the_registrys_is_refused_and_says_what_to_do() {
    let world = World::start(false).await;
    let other = world.write("other.pem", &Authority::new().pem());
    let client = world.client(|host| host.ca_file = Some(other));
    let error = client.tags(&repository_at(world.registry.host(), "acme/api")).await.unwrap_err();
    assert_stalled(&error);
    assert!(error.is_of_the_host());
    assert!(line(&error).contains("is not trusted"), "{}", line(&error));
    assert!(error.hint().unwrap().contains("`ca_file`"), "{:?}", error.hint());
}

#[tokio::test]
async fn with_the_client_certificate_that_a_registry_wants_it_is_read_as_any_other() {
    let world = World::start(true).await;
    let identity = world.authority.sign_client("tagboat");
    let (cert, key) = (world.write("client.pem", &identity.certificate), world.write("client-key.pem", &identity.key));
    let client = world.client(|host| host.client_cert = Some(tagboat::registry::ClientCert { cert, key }));
    let api = repository_at(world.registry.host(), "acme/api");
    assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0.0"]);
    assert_eq!(client.digest(&api, TagRef::parse("1.0.0").unwrap()).await.unwrap().as_str(), world.digest);
}

#[tokio::test]
async fn without_the_client_certificate_that_a_registry_wants_the_hint_names_it() {
    let world = World::start(true).await;
    let error = world.client(|_| {}).tags(&repository_at(world.registry.host(), "acme/api")).await.unwrap_err();
    // The registry sends an alert and closes the connection; what arrives of that first is a matter of luck.
    assert!(error.is_of_the_host());
    assert!(error.hint().unwrap().contains("`client_cert`"), "{:?}", error.hint());
}
