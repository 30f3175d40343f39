//! Manifests: the digest of a tag where one HEAD tells it, and manifests whose bytes are what their digest says.

use oci_distribution::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha512};

use crate::image::{Digest, TagRef};

use super::error::{BadJson, Cause};
use super::index::{Entry, Index};
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
const EXPECTED: &str = "a manifest";

/// A manifest, read and checked against its digest.
#[derive(Clone, Debug)]
pub struct Manifest {
    digest: Digest,
    bytes: Vec<u8>,
    content: Content,
}

/// What a manifest describes.
#[derive(Clone, Debug)]
pub enum Content {
    /// The same image for several platforms.
    Index(Index),
    /// One image, or another artifact.
    Image {
        /// Its configuration, which every image has.
        config: Option<Descriptor>,
    },
}

/// Something that a manifest refers to (OCI image-spec, "descriptor").
#[derive(Clone, Debug)]
pub struct Descriptor {
    /// Its kind, cleaned for printing.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Manifest {
    /// Returns the digest, which is that of the bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Returns the bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns what it describes.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }
}

/// Learns the digest that `tag` stands for now.
pub(super) async fn digest(session: &Session<'_>, tag: TagRef<'_>) -> Result<Digest, Cause> {
    let head = ask(session, Method::HEAD, tag.as_str()).await?;
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
    by_tag(session, tag).await.map(|manifest| manifest.digest)
}

/// Reads the manifest that `tag` stands for now, together with its digest: a tag that moves meanwhile cannot mix the two.
pub(super) async fn by_tag(session: &Session<'_>, tag: TagRef<'_>) -> Result<Manifest, Cause> {
    let answer = get(session, tag.as_str()).await?;
    let content = read(&answer)?;
    let digest = verified(&answer)?;
    Ok(Manifest { digest, bytes: answer.body, content })
}

/// Reads the manifest of this digest. What the registry says its digest is does not matter: the bytes are checked.
pub(super) async fn by_digest(session: &Session<'_>, digest: &Digest) -> Result<Manifest, Cause> {
    let answer = get(session, digest.as_str()).await?;
    check_content("the manifest", digest, &answer.body)?;
    let content = read(&answer)?;
    Ok(Manifest { digest: digest.clone(), bytes: answer.body, content })
}

async fn get(session: &Session<'_>, reference: &str) -> Result<Answer, Cause> {
    let answer = ask(session, Method::GET, reference).await?;
    if answer.status.is_success() { Ok(answer) } else { Err(answer.refused()) }
}

async fn ask(session: &Session<'_>, method: Method, reference: &str) -> Result<Answer, Cause> {
    let (url, what) = (session.url(&format!("manifests/{reference}")), "the manifest");
    let request = Request { method, url, accept: ACCEPT, what, limit: LARGEST, follow_redirects: true, if_none_match: None };
    session.send(&request).await
}

/// Checks that bytes are those of the digest by which they were asked for.
pub(super) fn check_content(what: &'static str, asked: &Digest, bytes: &[u8]) -> Result<(), Cause> {
    let actual = computed(bytes, asked.algorithm());
    if actual == *asked { Ok(()) } else { Err(Cause::WrongContent { what, asked: asked.clone(), actual }) }
}

fn computed(bytes: &[u8], algorithm: &str) -> Digest {
    match algorithm {
        "sha512" => Digest::sha512(&Sha512::digest(bytes).into()),
        _ => Digest::sha256(&Sha256::digest(bytes).into()),
    }
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
    let algorithm = if let Claim::Digest(digest) = &claimed { digest.algorithm() } else { "sha256" };
    let actual = computed(&answer.body, algorithm);
    let mismatch = |claimed: String| Err(Cause::DigestMismatch { claimed, actual: actual.to_string() });
    match claimed {
        Claim::Digest(digest) if digest != actual => mismatch(digest.to_string()),
        Claim::Nonsense(shown) => mismatch(shown),
        Claim::Digest(_) | Claim::Nothing => Ok(actual),
    }
}

fn check_kind(kind: &str) -> Result<(), Cause> {
    if KINDS.contains(&kind) { Ok(()) } else { Err(Cause::MediaType(crate::redact::one_line(kind, 100))) }
}

/// A manifest of any kind, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    media_type: Option<String>,
    schema_version: u8,
    manifests: Option<Vec<Entry>>,
    layers: Option<serde::de::IgnoredAny>,
    config: Option<WrittenDescriptor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenDescriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// Reads the body, which must be a manifest of a kind that is known: the digest of a log-in page would be a digest, too.
fn read(answer: &Answer) -> Result<Content, Cause> {
    if answer.is_web_page() {
        return Err(Cause::WebPage { expected: EXPECTED });
    }
    let sent = answer.media_type().filter(|kind| kind != "application/json");
    read_body(sent.as_deref(), &answer.body)
}

/// Reads a body that was `sent` as this kind.
fn read_body(sent: Option<&str>, body: &[u8]) -> Result<Content, Cause> {
    // What names itself an old kind is refused as that, not for what it lacks.
    if let Some(kind) = sent {
        check_kind(kind)?;
    }
    let written: Written = serde_json::from_slice(body).map_err(|error| Cause::Json { expected: EXPECTED, source: BadJson(error) })?;
    match (sent, &written.media_type) {
        // The same bytes must not be a manifest to one reader and an index to another (CVE-2021-41190).
        (Some(sent), Some(own)) if sent != own => {
            return Err(Cause::MediaType(crate::redact::one_line(&format!("{own} as {sent}"), 200)));
        }
        (_, Some(own)) => check_kind(own)?,
        (_, None) if written.schema_version == 2 => {}
        (_, None) => return Err(Cause::MediaType(format!("schema version {}", written.schema_version))),
    }
    let is_index = written.media_type.as_deref().or(sent).map(|kind| [KINDS[0], KINDS[1]].contains(&kind));
    match (written.manifests, written.layers.is_some() || written.config.is_some()) {
        (Some(_), true) => Err(Cause::BadManifest("it is an image and an index at once")),
        (Some(_), false) if is_index == Some(false) => Err(Cause::BadManifest("it calls itself an image, and is an index")),
        (Some(entries), false) => Index::read(&entries).map(Content::Index),
        (None, _) if is_index == Some(true) => Err(Cause::BadManifest("it calls itself an index, and lists no manifests")),
        (None, _) => {
            let config = written.config.map(|config| config.read()).transpose()?;
            Ok(Content::Image { config })
        }
    }
}

impl WrittenDescriptor {
    fn read(&self) -> Result<Descriptor, Cause> {
        let digest = Digest::parse(&self.digest).map_err(|_| Cause::BadManifest("its configuration's digest is none"))?;
        Ok(Descriptor { media_type: crate::redact::one_line(&self.media_type, 100), digest, size: self.size })
    }
}

/// What must hold of every answer; see [`super::fuzz`]. A claim of `own` stands for the digest that the body has.
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(answer: &mut Answer) -> Result<(), Cause> {
    let own = computed(&answer.body, "sha256").to_string();
    if answer.headers.get(CONTENT_DIGEST).is_some_and(|value| value == "own")
        && let Ok(value) = HeaderValue::from_str(&own)
    {
        answer.headers.insert(CONTENT_DIGEST, value);
    }
    let content = read(answer);
    let digest = verified(answer)?;
    if digest.algorithm() == "sha256" {
        assert_eq!(digest.as_str(), own);
    }
    let claims: Vec<_> = answer.headers.get_all(CONTENT_DIGEST).iter().collect();
    assert!(claims.iter().all(|claim| *claim == digest.as_str()), "{claims:?} is not {digest}");
    content.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INDEX: &str = KINDS[0];
    const IMAGE: &str = KINDS[2];

    #[test]
    fn every_kind_is_asked_for() {
        let asked: Vec<&str> = ACCEPT.split(',').map(str::trim).collect();
        assert_eq!(asked, KINDS);
    }

    #[test]
    fn m5_a_manifest_is_one_thing_to_every_reader() {
        let read = |sent: Option<&str>, body: &str| read_body(sent, body.as_bytes()).map_err(|cause| cause.to_string());
        let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
        let image = format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","layers":[]}}"#);
        for sent in [None, Some(INDEX)] {
            assert!(matches!(read(sent, &index), Ok(Content::Index(_))));
            assert!(matches!(read(sent, r#"{"schemaVersion":2,"manifests":[]}"#), Ok(Content::Index(_))));
        }
        for sent in [None, Some(IMAGE)] {
            assert!(matches!(read(sent, &image), Ok(Content::Image { config: None })));
            assert!(matches!(read(sent, r#"{"schemaVersion":2,"layers":[]}"#), Ok(Content::Image { config: None })));
        }
        for (sent, body, expected) in [
            (Some(IMAGE), index.as_str(), "index.v1+json as application/vnd.oci.image.manifest"),
            (Some(INDEX), &image, "manifest.v1+json as application/vnd.oci.image.index"),
            (Some(IMAGE), r#"{"schemaVersion":2,"manifests":[]}"#, "calls itself an image, and is an index"),
            (Some(INDEX), r#"{"schemaVersion":2,"layers":[]}"#, "calls itself an index, and lists no manifests"),
            (None, r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#, "an image and an index at once"),
            (
                None,
                r#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"y","size":0},"manifests":[]}"#,
                "an image and an index at once",
            ),
            (None, r#"{"schemaVersion":2,"config":{"mediaType":"x","digest":"y","size":0}}"#, "its configuration's digest is none"),
            (None, r#"{"schemaVersion":1}"#, "schema version 1"),
            (Some("application/vnd.docker.distribution.manifest.v1+prettyjws"), "{}", "v1+prettyjws` instead of an image manifest"),
        ] {
            let error = read(sent, body).unwrap_err();
            assert!(error.contains(expected), "{body}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in r#"\{("(schemaVersion|manifests|layers|config|digest)":(2|\[\]|\{\}|null|"x"),?){0,4}\}"#) {
            let _ = read_body(None, body.as_bytes());
        }
    }
}
