//! The digest of a tag: from the registry's header where it costs one HEAD, from the manifest itself where it does not.

use oci_distribution::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha512};

use crate::image::{Digest, TagRef};

use super::error::{BadJson, Cause};
use super::session::Session;
use super::wire::{Answer, Request};

/// All four kinds, always: a registry that misses one converts the manifest, and the digest with it.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";
const KINDS: [&str; 4] = [OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE];
/// Registries need not take manifests larger than this (distribution-spec, "Pushing manifests").
const LARGEST: usize = 4 * 1024 * 1024;
/// Not registered with IANA, but what every registry sends.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// Learns the digest that `tag` stands for now.
pub(super) async fn digest(session: &Session<'_>, tag: TagRef<'_>) -> Result<Digest, Cause> {
    let head = ask(session, Method::HEAD, tag).await?;
    match head.status {
        status if status.is_success() => {
            if let (Some(kind), Claim::Digest(digest)) = (head.media_type(), claim(&head.headers)) {
                return check_kind(&kind).map(|()| digest);
            }
        }
        // Not all registries know HEAD, and some answer it with 404; but these mean what they say.
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => return Err(head.refused()),
        _ => {}
    }
    let answer = ask(session, Method::GET, tag).await?;
    if !answer.status.is_success() {
        return Err(answer.refused());
    }
    check_manifest(&answer)?;
    verified(&answer)
}

async fn ask(session: &Session<'_>, method: Method, tag: TagRef<'_>) -> Result<Answer, Cause> {
    let url = session.url(&format!("manifests/{tag}"));
    session.send(&Request { method, url, accept: ACCEPT, what: "the manifest", limit: LARGEST, follow_redirects: true }).await
}

/// What a registry says about the digest.
enum Claim {
    Nothing,
    Digest(Digest),
    /// Something that is no digest, or more than one.
    Nonsense(String),
}

fn claim(headers: &HeaderMap) -> Claim {
    let mut values = headers.get_all(CONTENT_DIGEST).iter();
    let show = |value: &HeaderValue| crate::redact::one_line(&String::from_utf8_lossy(value.as_bytes()), 100);
    match (values.next(), values.next()) {
        (None, _) => Claim::Nothing,
        (Some(value), None) => match value.to_str().ok().and_then(|text| Digest::parse(text).ok()) {
            Some(digest) => Claim::Digest(digest),
            None => Claim::Nonsense(show(value)),
        },
        (Some(_), Some(_)) => Claim::Nonsense("several digests".to_owned()),
    }
}

/// Computes the digest of a manifest, which must be the one that the registry claims, if it claims any.
fn verified(answer: &Answer) -> Result<Digest, Cause> {
    let claimed = claim(&answer.headers);
    let text = match &claimed {
        Claim::Digest(digest) if digest.algorithm() == "sha512" => format!("sha512:{}", hex(&Sha512::digest(&answer.body))),
        _ => format!("sha256:{}", hex(&Sha256::digest(&answer.body))),
    };
    let mismatch = |claimed: &str| Cause::DigestMismatch { claimed: claimed.to_owned(), actual: text.clone() };
    match claimed {
        Claim::Digest(digest) if digest.as_str() == text => Ok(digest),
        Claim::Digest(digest) => Err(mismatch(digest.as_str())),
        Claim::Nonsense(shown) => Err(mismatch(&shown)),
        Claim::Nothing => Digest::parse(&text).map_err(|_| mismatch("nothing")),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn check_kind(kind: &str) -> Result<(), Cause> {
    if KINDS.contains(&kind) { Ok(()) } else { Err(Cause::MediaType(crate::redact::one_line(kind, 100))) }
}

/// Checks that the body is a manifest of a kind that is known: the digest of a log-in page would be a digest, too.
fn check_manifest(answer: &Answer) -> Result<(), Cause> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        media_type: Option<String>,
        schema_version: u8,
    }
    if answer.is_web_page() {
        return Err(Cause::WebPage { expected: "a manifest" });
    }
    let head: Head =
        serde_json::from_slice(&answer.body).map_err(|error| Cause::Json { expected: "a manifest", source: BadJson(error) })?;
    let sent = answer.media_type().filter(|kind| kind != "application/json");
    match (&sent, &head.media_type) {
        // The same bytes must not be a manifest to one reader and an index to another (CVE-2021-41190).
        (Some(sent), Some(own)) if sent != own => Err(Cause::MediaType(crate::redact::one_line(&format!("{own} as {sent}"), 200))),
        (Some(kind), _) | (None, Some(kind)) => check_kind(kind),
        (None, None) if head.schema_version == 2 => Ok(()),
        (None, None) => Err(Cause::MediaType(format!("schema version {}", head.schema_version))),
    }
}

/// What must hold of every answer; see [`super::fuzz`]. A claim of `own` stands for the digest that the body has.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(answer: &mut Answer) -> Result<(), Cause> {
    let own = format!("sha256:{}", hex(&Sha256::digest(&answer.body)));
    if answer.headers.get(CONTENT_DIGEST).is_some_and(|value| value == "own")
        && let Ok(value) = HeaderValue::from_str(&own)
    {
        answer.headers.insert(CONTENT_DIGEST, value);
    }
    let manifest = check_manifest(answer);
    let digest = verified(answer)?;
    if digest.algorithm() == "sha256" {
        assert_eq!(digest.as_str(), own);
    }
    let claims: Vec<_> = answer.headers.get_all(CONTENT_DIGEST).iter().collect();
    assert!(claims.iter().all(|claim| *claim == digest.as_str()), "{claims:?} is not {digest}");
    manifest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_asked_for() {
        let asked: Vec<&str> = ACCEPT.split(',').map(str::trim).collect();
        assert_eq!(asked, KINDS);
    }
}
