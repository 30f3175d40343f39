//! What the registry holds: repositories, their tags and manifests.

use std::collections::{BTreeMap, HashMap};

use axum::body::Bytes;
use oci_distribution::manifest::OCI_IMAGE_MEDIA_TYPE;
use sha2::{Digest, Sha256};

/// The kind of all manifests here.
pub(super) const MEDIA_TYPE: &str = OCI_IMAGE_MEDIA_TYPE;

/// The digest of `{}`, the empty content of the image specification.
const EMPTY: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// All repositories by name.
#[derive(Default)]
pub(super) struct Store(BTreeMap<String, Repository>);

#[derive(Default)]
struct Repository {
    /// Each tag and the digest it stands for.
    tags: BTreeMap<String, String>,
    manifests: HashMap<String, Bytes>,
}

/// A part of a listing.
pub(super) struct Page<'a> {
    pub(super) tags: Vec<&'a str>,
    /// Whether others follow.
    pub(super) more: bool,
}

impl Store {
    /// Puts an image that differs for each repository and tag under the tag; returns its digest.
    pub(super) fn publish(&mut self, repository: &str, tag: &str) -> String {
        let empty = |kind: &str| serde_json::json!({ "mediaType": kind, "digest": EMPTY, "size": 2 });
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MEDIA_TYPE,
            "config": empty("application/vnd.oci.empty.v1+json"),
            "layers": [empty("application/vnd.oci.empty.v1+json")],
            "annotations": { "org.opencontainers.image.ref.name": format!("{repository}:{tag}") },
        });
        let bytes = Bytes::from(manifest.to_string());
        let digest = format!("sha256:{}", Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        let entry = self.0.entry(repository.to_owned()).or_default();
        entry.tags.insert(tag.to_owned(), digest.clone());
        entry.manifests.insert(digest.clone(), bytes);
        digest
    }

    /// Takes a tag away; its manifest stays, as in real registries.
    pub(super) fn delete(&mut self, repository: &str, tag: &str) -> bool {
        self.0.get_mut(repository).is_some_and(|repository| repository.tags.remove(tag).is_some())
    }

    /// Returns at most `limit` tags behind `last`, in byte order; none if there is no such repository.
    pub(super) fn tags(&self, repository: &str, last: Option<&str>, limit: usize) -> Option<Page<'_>> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = last.map_or(Unbounded, Excluded);
        let mut rest = self.0.get(repository)?.tags.range::<str, _>((from, Unbounded)).map(|(tag, _)| tag.as_str());
        let tags: Vec<&str> = rest.by_ref().take(limit).collect();
        Some(Page { more: limit > 0 && rest.next().is_some(), tags })
    }

    /// Returns a manifest by tag or digest, with its digest.
    pub(super) fn manifest(&self, repository: &str, reference: &str) -> Option<(&str, Bytes)> {
        let repository = self.0.get(repository)?;
        let digest = repository.tags.get(reference).map_or(reference, String::as_str);
        let (digest, bytes) = repository.manifests.get_key_value(digest)?;
        Some((digest, bytes.clone()))
    }
}
