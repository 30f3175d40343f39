//! The digest of a tag, and that nobody can talk the client into a wrong one.

use axum::http::{HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};
use tagboat::demo::registry::Registry as Server;
use tagboat::image::TagRef;
use tagboat::registry::Error;

use crate::support::registry::*;

type Answer = fn() -> Response;

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}"#;
/// Of [`MANIFEST`], by `sha256sum` and `sha512sum`.
const SHA256: &str = "sha256:b0ff67b72a1d087090ad4fe635c35ad2752dd27d26f9435bb7877f40ecdc0bc3";
const SHA512: &str = "sha512:3cccbae9d12c95ca9d9b1db5de1021f2442d5f4fd6d69eba9cf886073e78a8ecbda0a86ebf868e452bc5117b0e58e2c71c0ccd3e07a19cd94317063cf00e530f";

fn manifest(kind: &str, digests: &[&str], body: impl Into<axum::body::Body>) -> Response {
    let mut response = body.into().into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap());
    for digest in digests {
        response.headers_mut().append("docker-content-digest", HeaderValue::from_str(digest).unwrap());
    }
    response
}

async fn digest(server: &Server) -> Result<String, Error> {
    let digest = client(server).digest(&repository(server, "acme/api"), TagRef::parse("1.0").unwrap()).await?;
    Ok(digest.to_string())
}

/// Answers HEAD by the first and GET by the second.
async fn serve(head: impl Fn() -> Response + Send + Sync + 'static, get: impl Fn() -> Response + Send + Sync + 'static) -> Server {
    let server = Server::start().await.unwrap();
    server.on_request(move |parts| Some(if parts.method == Method::HEAD { head() } else { get() }));
    server
}

#[tokio::test]
async fn m1_one_head_request_is_enough() {
    let server = Server::start().await.unwrap();
    let published = server.publish("acme/api", "1.0");
    assert_eq!(digest(&server).await.unwrap(), published);
    assert_eq!(server.requests(), ["HEAD /v2/acme/api/manifests/1.0"]);
}

#[tokio::test]
async fn m6_every_kind_of_manifest_is_accepted_and_asked_for() {
    for kind in [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
        "application/vnd.docker.distribution.manifest.v2+json",
    ] {
        let server = Server::start().await.unwrap();
        server.on_request(move |parts| {
            let accept = parts.headers[header::ACCEPT].to_str().unwrap();
            // A registry that misses the kind answers so.
            let asked = accept.contains(kind.split(';').next().unwrap());
            Some(if asked { manifest(kind, &[SHA256], MANIFEST) } else { status(404, "") })
        });
        assert_eq!(digest(&server).await.unwrap(), SHA256);
    }
}

#[tokio::test]
async fn m1_a_head_that_says_nothing_useful_is_followed_by_a_get() {
    let heads: [Answer; 7] = [
        || manifest(OCI, &[], ""),
        || manifest(OCI, &["sha256:XYZ"], ""),
        || manifest(OCI, &["md5:00000000000000000000000000000000"], ""),
        || manifest(OCI, &[SHA256, SHA256], ""),
        || status(404, ""),
        || status(405, ""),
        || status(400, ""),
    ];
    for head in heads {
        let server = serve(head, || manifest(OCI, &[SHA256], MANIFEST)).await;
        assert_eq!(digest(&server).await.unwrap(), SHA256);
        assert_eq!(server.request_count(), 2);
    }
}

#[tokio::test]
async fn m1_a_missing_digest_is_computed() {
    let server = serve(|| status(405, ""), || manifest(OCI, &[], MANIFEST)).await;
    assert_eq!(digest(&server).await.unwrap(), SHA256);
}

#[tokio::test]
async fn a_sha512_digest_is_checked_by_its_own_algorithm() {
    let server = serve(|| status(405, ""), || manifest(OCI, &[SHA512], MANIFEST)).await;
    assert_eq!(digest(&server).await.unwrap(), SHA512);
}

#[tokio::test]
async fn m2_a_digest_that_is_not_the_contents_is_an_error() {
    let other = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    for claims in [&[other][..], &["sha256:XYZ"], &[SHA256, other]] {
        let claims: Vec<&str> = claims.to_vec();
        let server = serve(|| status(405, ""), move || manifest(OCI, &claims, MANIFEST)).await;
        let error = digest(&server).await.unwrap_err();
        assert!(line(&error).contains(&format!("the manifest's own digest is {SHA256}, but")), "{}", line(&error));
    }
}

#[tokio::test]
async fn m5_what_is_no_manifest_has_no_digest() {
    let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let cases: [(Answer, &str); 6] = [
        (|| manifest("text/html", &[SHA256], "<html>log in</html>"), "a web page instead of a manifest"),
        (|| manifest("application/json", &[], r#"{"message":"hello"}"#), "the answer is not a manifest"),
        (|| manifest(OCI, &[], ""), "the answer is not a manifest"),
        (|| manifest("application/vnd.docker.distribution.manifest.v1+prettyjws", &[], r#"{"schemaVersion":1}"#), "manifest.v1+prettyjws"),
        (|| manifest("application/json", &[], r#"{"schemaVersion":1}"#), "schema version 1"),
        (|| manifest("application/vnd.oci.image.index.v1+json", &[], MANIFEST), "manifest.v1+json as application/vnd.oci.image.index"),
    ];
    for (get, expected) in cases {
        let error = digest(&serve(|| status(405, ""), get).await).await.unwrap_err();
        assert!(line(&error).contains(expected), "{}", line(&error));
    }
    let error = digest(&serve(move || manifest(schema1, &[SHA256], ""), || status(500, "")).await).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains(schema1), "{}", line(&error));
}

#[tokio::test]
async fn a_manifest_larger_than_any_registry_takes_is_an_error() {
    let body = format!(r#"{{"schemaVersion":2,"x":"{}"}}"#, "x".repeat(4 * 1024 * 1024));
    let error = digest(&serve(|| status(405, ""), move || manifest(OCI, &[], body.clone())).await).await.unwrap_err();
    assert_stalled(&error);
    assert!(line(&error).contains("the manifest is longer than 4194304 bytes"), "{}", line(&error));
}

#[tokio::test]
async fn m11_a_tag_that_vanished_is_not_found() {
    let server = Server::start().await.unwrap();
    server.publish("acme/api", "2.0");
    let error = digest(&server).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(
        line(&error),
        format!("reading the digest of {}/acme/api:1.0: the registry answered 404 Not Found: manifest unknown", server.host())
    );
}
