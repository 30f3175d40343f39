//! What an image index holds: the same image for several platforms. Pure.

use serde::Deserialize;

use crate::image::{Digest, Platform};

use super::error::Cause;

/// More than any honest index; Windows images have some dozens.
const MOST_ENTRIES: usize = 10_000;
/// Marks what buildx hangs on an image, such as its provenance.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// The images of an index, by platform: attestations are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    children: Vec<Child>,
}

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The size of its manifest in bytes.
    pub size: u64,
    /// What it is for; none if the index does not say, or says what is no platform.
    pub platform: Option<Platform>,
}

/// An index as it stands in a manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default)]
    platform: Option<WrittenPlatform>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, serde::de::IgnoredAny>>,
}

#[derive(Deserialize)]
pub(super) struct WrittenPlatform {
    #[serde(default)]
    pub(super) os: String,
    #[serde(default)]
    pub(super) architecture: String,
    #[serde(default)]
    pub(super) variant: Option<String>,
}

impl WrittenPlatform {
    /// Checks the platform's words; an empty variant is none.
    pub(super) fn read(&self) -> Option<Platform> {
        let variant = self.variant.as_deref().filter(|variant| !variant.is_empty());
        let parts = [Some(self.os.as_str()), Some(self.architecture.as_str()), variant];
        Platform::parse(&parts.into_iter().flatten().collect::<Vec<_>>().join("/")).ok()
    }

    fn is_unknown(&self) -> bool {
        self.os == "unknown" && self.architecture == "unknown"
    }
}

impl Index {
    /// Reads the entries of an index.
    pub(super) fn read(entries: &[Entry]) -> Result<Self, Cause> {
        if entries.len() > MOST_ENTRIES {
            return Err(Cause::BadManifest("its index has more than 10000 entries"));
        }
        let is_image = |entry: &&Entry| {
            let attached = entry.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(REFERENCE_TYPE));
            !attached && !entry.platform.as_ref().is_some_and(WrittenPlatform::is_unknown)
        };
        let child = |entry: &Entry| {
            let digest = Digest::parse(&entry.digest).map_err(|_| Cause::BadManifest("its index names a digest that is none"))?;
            Ok(Child { digest, size: entry.size, platform: entry.platform.as_ref().and_then(WrittenPlatform::read) })
        };
        Ok(Self { children: entries.iter().filter(is_image).map(child).collect::<Result<_, Cause>>()? })
    }

    /// Returns the images, in the order of the index.
    #[must_use]
    pub fn children(&self) -> &[Child] {
        &self.children
    }

    /// Returns the platforms, each once, sorted.
    #[must_use]
    pub fn platforms(&self) -> Vec<Platform> {
        let mut platforms: Vec<_> = self.children.iter().filter_map(|child| child.platform.clone()).collect();
        platforms.sort_unstable();
        platforms.dedup();
        platforms
    }

    /// Says whether another index has another image for one of the platforms that matter; all do if none is named.
    ///
    /// What is for no platform in particular (an index within the index, say) matters for all. The order of the entries
    /// means nothing here, nor do attestations, which differ with every build of the same image.
    #[must_use]
    pub fn differs(&self, other: &Self, platforms: &[Platform]) -> bool {
        self.that_matter(platforms) != other.that_matter(platforms)
    }

    fn that_matter(&self, platforms: &[Platform]) -> Vec<(Option<&Platform>, &Digest)> {
        let matters = |child: &&Child| match &child.platform {
            Some(platform) => platforms.is_empty() || platforms.iter().any(|wanted| platform.is(wanted)),
            None => true,
        };
        let mut children: Vec<_> = self.children.iter().filter(matters).map(|child| (child.platform.as_ref(), &child.digest)).collect();
        children.sort_unstable();
        children.dedup();
        children
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn digest(n: u8) -> String {
        Digest::sha256(&[n; 32]).to_string()
    }

    fn index(entries: Value) -> Result<Index, Cause> {
        Index::read(&serde_json::from_value::<Vec<Entry>>(entries).unwrap())
    }

    fn child(n: u8, platform: &str) -> Value {
        let mut parts = platform.split('/');
        let mut written = json!({ "os": parts.next(), "architecture": parts.next() });
        if let Some(variant) = parts.next() {
            written["variant"] = variant.into();
        }
        json!({ "digest": digest(n), "size": 1, "platform": written })
    }

    fn platforms(texts: &[&str]) -> Vec<Platform> {
        texts.iter().map(|text| Platform::parse(text).unwrap()).collect()
    }

    #[test]
    fn m8_attestations_are_no_images() {
        let read = index(json!([
            child(1, "linux/amd64"),
            child(2, "unknown/unknown"),
            { "digest": digest(3), "size": 1, "platform": { "os": "linux", "architecture": "amd64" },
              "annotations": { "vnd.docker.reference.type": "attestation-manifest" } },
            { "digest": digest(4), "size": 1, "annotations": { "other": "x" } },
            { "digest": digest(5), "size": 1, "platform": { "os": "lin\nux", "architecture": "amd64" } },
            { "digest": digest(6), "size": 1, "platform": { "os": "linux", "architecture": "arm", "variant": "v7" } },
            child(7, "linux/amd64"),
        ]))
        .unwrap();
        let digests: Vec<_> = read.children().iter().map(|child| child.digest.as_str()).collect();
        assert_eq!(digests, [digest(1), digest(4), digest(5), digest(6), digest(7)]);
        assert_eq!(read.platforms(), platforms(&["linux/amd64", "linux/arm/v7"]), "two for the same platform are one platform");
        assert_eq!(read.children()[2].platform, None, "what is no platform is none");
    }

    #[test]
    fn m8_an_index_has_bounds() {
        let entries = |count: usize| index(Value::from(vec![child(1, "linux/amd64"); count]));
        assert_eq!(entries(MOST_ENTRIES).unwrap().children().len(), MOST_ENTRIES);
        assert!(entries(MOST_ENTRIES + 1).is_err());
        assert!(index(json!([{ "digest": "sha256:x", "size": 1 }])).is_err());
    }

    #[test]
    fn only_a_change_of_a_platform_that_matters_is_a_difference() {
        let before = index(json!([child(1, "linux/amd64"), child(2, "linux/arm64/v8"), child(9, "unknown/unknown")])).unwrap();
        let amd64 = platforms(&["linux/amd64"]);
        let both = platforms(&["linux/amd64", "linux/arm64"]);
        for (after, for_amd64, for_both, for_all) in [
            (json!([child(2, "linux/arm64/v8"), child(1, "linux/amd64"), child(8, "unknown/unknown")]), false, false, false),
            (json!([child(1, "linux/amd64"), child(3, "linux/arm64/v8")]), false, true, true),
            (json!([child(3, "linux/amd64"), child(2, "linux/arm64/v8")]), true, true, true),
            (json!([child(1, "linux/amd64")]), false, true, true),
            (json!([child(1, "linux/amd64"), child(2, "linux/arm64/v8"), child(4, "windows/amd64")]), false, false, true),
            (json!([child(1, "linux/amd64"), child(2, "linux/arm64/v8"), { "digest": digest(4), "size": 1 }]), true, true, true),
            (json!([]), true, true, true),
        ] {
            let shown = after.to_string();
            let after = index(after).unwrap();
            let all = [for_amd64, for_both, for_all];
            assert_eq!([&amd64[..], &both, &[]].map(|wanted| before.differs(&after, wanted)), all, "{shown}");
            assert_eq!([&amd64[..], &both, &[]].map(|wanted| after.differs(&before, wanted)), all, "{shown}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_an_index_means_nothing(ns in proptest::collection::vec((0..4_u8, 0..4_usize), 0..8), seed in any::<u64>()) {
            let names = ["linux/amd64", "linux/arm64", "linux/arm/v7", "unknown/unknown"];
            let entries: Vec<Value> = ns.iter().map(|&(n, name)| child(n, names[name])).collect();
            let mut shuffled = entries.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
            let (a, b) = (index(entries.into()).unwrap(), index(shuffled.into()).unwrap());
            prop_assert!(!a.differs(&b, &[]) && !a.differs(&b, &platforms(&["linux/arm"])));
        }
    }
}
