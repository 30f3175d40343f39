//! Manifests and configurations: what is read is what its digest says, wherever it comes from.

use std::collections::HashMap;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json as value};
use sha2::{Digest as _, Sha256};
use tagboat::demo::registry::Registry as Server;
use tagboat::image::{Digest, TagRef};
use tagboat::registry::{Auth, Content, Error, Image};

use crate::support::registry::*;
use crate::support::registry_raw::{RawServer, Script, head, response};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

fn digest_of(body: &str) -> Digest {
    Digest::sha256(&Sha256::digest(body).into())
}

/// What a registry holds, by the end of its path.
#[derive(Default)]
struct Store(HashMap<String, (&'static str, String)>);

impl Store {
    fn put(&mut self, kind: &'static str, body: String) -> Digest {
        let digest = digest_of(&body);
        self.0.insert(digest.to_string(), (kind, body));
        digest
    }

    fn descriptor(&self, digest: &Digest) -> Value {
        let (kind, body) = &self.0[digest.as_str()];
        value!({ "mediaType": kind, "digest": digest.as_str(), "size": body.len() })
    }

    fn image(&mut self, config: String) -> Digest {
        let config = self.put(CONFIG, config);
        let manifest = value!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": self.descriptor(&config), "layers": [] });
        self.put(MANIFEST, manifest.to_string())
    }

    fn index(&mut self, children: &[Value]) -> Digest {
        self.put(INDEX, value!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children }).to_string())
    }

    fn tag(&mut self, tag: &str, digest: &Digest) {
        let entry = self.0[digest.as_str()].clone();
        self.0.insert(tag.to_owned(), entry);
    }

    fn answer(&self, path: &str) -> Response {
        match self.0.get(path.rsplit('/').next().unwrap()) {
            Some((kind, body)) => ([(header::CONTENT_TYPE, *kind)], body.clone()).into_response(),
            None => status(404, ""),
        }
    }

    async fn serve(self) -> Server {
        let server = Server::start().await.unwrap();
        server.on_request(move |parts| Some(self.answer(parts.uri.path())));
        server
    }
}

fn config(platform: &str) -> String {
    let (os, architecture) = platform.split_once('/').unwrap();
    let labels = value!({ "org.opencontainers.image.source": "https://git.example.com/acme/api\n[x]" });
    value!({ "os": os, "architecture": architecture, "created": "2024-03-01T12:00:00Z", "config": { "Labels": labels } }).to_string()
}

async fn image(server: &Server, digest: &Digest) -> Result<Arc<Image>, Error> {
    client(server).image(&repository(server, "acme/api"), digest).await
}

fn platforms(image: &Image) -> Vec<String> {
    image.platforms.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn an_image_says_its_platform_time_and_labels_and_is_read_once() {
    let mut store = Store::default();
    let digest = store.image(config("linux/arm64"));
    let server = store.serve().await;
    let client = client(&server);
    for name in ["acme/api", "acme/api", "acme/copy"] {
        let image = client.image(&repository(&server, name), &digest).await.unwrap();
        assert_eq!(platforms(&image), ["linux/arm64"]);
        assert_eq!(image.created.unwrap().to_string(), "2024-03-01T12:00:00Z");
        assert_eq!(image.labels["org.opencontainers.image.source"], "https://git.example.com/acme/api [x]");
    }
    assert_eq!(server.request_count(), 2);
}

#[tokio::test]
async fn m8_an_index_says_its_platforms_and_its_first_image_the_rest() {
    let mut store = Store::default();
    let image_digest = store.image(config("linux/amd64"));
    let mut children = Vec::new();
    for (os, architecture) in [("unknown", "unknown"), ("linux", "arm64"), ("linux", "amd64"), ("linux", "amd64")] {
        let mut child = store.descriptor(&image_digest);
        child["platform"] = value!({ "os": os, "architecture": architecture });
        children.push(child);
    }
    let digest = store.index(&children);
    let empty = store.index(&[]);
    let server = store.serve().await;
    let read = image(&server, &digest).await.unwrap();
    assert_eq!(platforms(&read), ["linux/amd64", "linux/arm64"]);
    assert!(read.created.is_some());
    assert_eq!(server.request_count(), 3);
    assert_eq!(*image(&server, &empty).await.unwrap(), Image::default());
}

#[tokio::test]
async fn m8_an_index_in_an_index_is_not_gone_into() {
    let mut store = Store::default();
    let inner = store.image(config("linux/amd64"));
    let mut nested = store.descriptor(&inner);
    for _ in 0..10 {
        let index = store.index(&[nested]);
        nested = store.descriptor(&index);
    }
    let digest = store.index(&[nested]);
    let server = store.serve().await;
    assert_eq!(*image(&server, &digest).await.unwrap(), Image::default());
    assert_eq!(server.request_count(), 2);
}

#[tokio::test]
async fn m3_what_a_digest_does_not_fit_is_an_error() {
    for at in ["manifest", "configuration"] {
        let mut store = Store::default();
        let digest = store.image(config("linux/amd64"));
        let kind = if at == "manifest" { MANIFEST } else { CONFIG };
        store.0.values_mut().filter(|(found, _)| *found == kind).for_each(|(_, body)| body.push(' '));
        let server = store.serve().await;
        let error = image(&server, &digest).await.unwrap_err();
        assert_retry(&error);
        let told = line(&error);
        assert!(told.contains(at) && told.contains("has the digest sha256:") && told.contains("was asked for"), "{told}");
    }
}

#[tokio::test]
async fn a_child_that_is_not_as_long_as_its_index_says_is_an_error() {
    let mut store = Store::default();
    let inner = store.image(config("linux/amd64"));
    let mut child = store.descriptor(&inner);
    child["size"] = value!(1);
    let digest = store.index(&[child]);
    let server = store.serve().await;
    assert!(line(&image(&server, &digest).await.unwrap_err()).contains("not as long as its index says"));
}

#[tokio::test]
async fn m4_a_length_that_lies_is_an_error() {
    let manifest = r#"{"schemaVersion":2,"layers":[]}"#;
    let kind = format!("content-type: {MANIFEST}");
    for length in [1000, 10, 0] {
        let mut bytes = head("200 OK", &[&kind], length);
        bytes.extend_from_slice(manifest.as_bytes());
        let server = RawServer::start(move |_| Script::Send(bytes.clone())).await;
        let client = client_of(&server.host(), |_| {});
        let api = repository_at(&server.host(), "acme/api");
        let error = client.manifest(&api, TagRef::parse("1.0").unwrap()).await.unwrap_err();
        assert_retry(&error);
        assert_retry(&client.manifest_of(&api, &digest_of(manifest)).await.unwrap_err());
    }
    let server = RawServer::start(move |_| Script::Send(response("200 OK", &[&kind], manifest))).await;
    let read = client_of(&server.host(), |_| {}).manifest(&repository_at(&server.host(), "acme/api"), TagRef::parse("1.0").unwrap()).await;
    assert_eq!(read.unwrap().digest(), &digest_of(manifest));
}

#[tokio::test]
async fn m12_a_tag_that_moves_meanwhile_gives_a_digest_and_a_manifest_that_belong_together() {
    let mut store = Store::default();
    let (old, new) = (store.image(config("linux/amd64")), store.image(config("linux/arm64")));
    store.tag("1.0", &new);
    let server = Server::start().await.unwrap();
    let head_says = old.to_string();
    server.on_request(move |parts| {
        let mut response = store.answer(parts.uri.path());
        if parts.method == axum::http::Method::HEAD {
            response.headers_mut().insert("docker-content-digest", head_says.parse().unwrap());
        }
        Some(response)
    });
    let (client, api, tag) = (client(&server), repository(&server, "acme/api"), TagRef::parse("1.0").unwrap());
    let digest = client.digest(&api, tag).await.unwrap();
    assert_eq!(digest, old);
    assert_eq!(platforms(&client.image(&api, &digest).await.unwrap()), ["linux/amd64"], "the image is that of the digest");
    let manifest = client.manifest(&api, tag).await.unwrap();
    assert_eq!((manifest.digest(), &digest_of(std::str::from_utf8(manifest.bytes()).unwrap())), (&new, &new));
    assert!(matches!(manifest.content(), Content::Image { config: Some(_) }));
}

#[tokio::test]
async fn m9_a_configuration_elsewhere_is_fetched_without_a_credential() {
    for code in [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT, StatusCode::FOUND] {
        let mut store = Store::default();
        let digest = store.image(config("linux/amd64"));
        let store = Arc::new(store);
        let (registry, storage) = (Server::start().await.unwrap(), Server::start().await.unwrap());
        let (held, seen) = (Arc::clone(&store), Seen::default());
        let noted = seen.clone();
        storage.on_request(move |parts| {
            noted.note(parts);
            Some(held.answer(parts.uri.path()))
        });
        let host = storage.host();
        registry.on_request(move |parts| {
            assert_eq!(authorization(parts).as_deref(), Some("Bearer t0ken"));
            let path = parts.uri.path();
            let away = (code, [(header::LOCATION, format!("http://{host}{path}?signature=x"))]).into_response();
            Some(if path.contains("/blobs/") { away } else { store.answer(path) })
        });
        let client = client_of(&registry.host(), |host| host.auth = Some(Auth::Bearer(secret("t0ken"))));
        let image = client.image(&repository(&registry, "acme/api"), &digest).await.unwrap();
        assert_eq!(platforms(&image), ["linux/amd64"]);
        assert!(seen.count() == 1 && seen.all().iter().all(|(_, sent)| sent.is_none()), "{:?}", seen.all());
    }
}

#[tokio::test]
async fn m9_redirects_of_a_configuration_are_bounded() {
    for (target, expected) in [("/again", "there were too many"), ("http://169.254.169.254/x", "link-local or metadata")] {
        let mut store = Store::default();
        let digest = store.image(config("linux/amd64"));
        let server = Server::start().await.unwrap();
        server.on_request(move |parts| {
            let path = parts.uri.path();
            Some(if path.contains("/manifests/") { store.answer(path) } else { redirect_to(target) })
        });
        let error = image(&server, &digest).await.unwrap_err();
        assert!(line(&error).contains(expected), "{}", line(&error));
    }
}

#[tokio::test]
async fn m10_a_configuration_that_is_too_large_or_none_is_an_error() {
    let mut store = Store::default();
    let text = store.image("hello".to_owned());
    let large = store.image(format!(r#"{{"x":"{}"}}"#, "x".repeat(9 * 1024 * 1024)));
    let body = config("linux/amd64");
    let blob = store.put(CONFIG, body.clone());
    let lying = value!({ "schemaVersion": 2, "config": { "mediaType": CONFIG, "digest": blob.as_str(), "size": 100 << 20 }, "layers": [] });
    let lying = store.put(MANIFEST, lying.to_string());
    let chart = value!({ "schemaVersion": 2, "config": { "mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": blob.as_str(), "size": 1 }, "layers": [] });
    let chart = store.put(MANIFEST, chart.to_string());
    let server = store.serve().await;
    for (digest, expected, requests) in [
        (&text, "the answer is not an image's configuration", 2),
        (&large, "the image's configuration is longer than 8388608 bytes", 1),
        (&lying, "the image's configuration is longer than 8388608 bytes", 1),
    ] {
        let before = server.request_count();
        let error = image(&server, digest).await.unwrap_err();
        assert_stalled(&error);
        assert!(line(&error).contains(expected), "{}", line(&error));
        assert_eq!(server.request_count() - before, requests);
    }
    assert_eq!(*image(&server, &chart).await.unwrap(), Image::default(), "what is no image says nothing of itself");
}

#[tokio::test]
async fn m11_a_manifest_that_vanished_is_not_found() {
    let server = Store::default().serve().await;
    let (client, api) = (client(&server), repository(&server, "acme/api"));
    assert!(client.manifest(&api, TagRef::parse("1.0").unwrap()).await.unwrap_err().is_not_found());
    let error = client.image(&api, &digest_of("x")).await.unwrap_err();
    assert!(error.is_not_found());
    assert!(line(&error).starts_with(&format!("reading {api}@sha256:")), "{}", line(&error));
}
