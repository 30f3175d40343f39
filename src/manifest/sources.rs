//! The `HelmRepository` objects by which Flux's charts find their registry.
//!
//! Such an object most often stands in another file than the `HelmRelease` that names it. So a scan tells which ones its text
//! declares and whether it asks for others; who reads many texts brings them together and lets the [`Watch`](super::Watch) know.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};

/// The kind of these objects.
pub(super) const KIND: &str = "HelmRepository";
/// Finds the kind's name.
static NAMED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(KIND));
/// Longer names and URLs are none of Kubernetes and of no registry.
const LONGEST: usize = 512;

/// Where the charts of a `HelmRepository` lie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Address {
    /// At a registry: what stands before a chart's name in its repository, without a scheme.
    Registry(Arc<str>),
    /// On a server over HTTP, which has no tags.
    Http,
    /// Objects that may be meant differ, or the URL is a template or encrypted.
    Unclear,
}

impl Address {
    fn of(url: &str) -> Self {
        let is_plain = url.len() <= LONGEST && !url.contains(|c: char| c.is_whitespace() || c.is_control() || "${}[]".contains(c));
        match url.split_once("://") {
            Some(("oci", rest)) if is_plain => Self::Registry(rest.trim_end_matches('/').into()),
            Some(("http" | "https", _)) => Self::Http,
            _ => Self::Unclear,
        }
    }

    fn and(&self, other: &Self) -> Self {
        if self == other { self.clone() } else { Self::Unclear }
    }

    /// Adds what another object of the name says.
    fn meet(known: &mut Option<Self>, other: &Self) {
        *known = Some(known.as_ref().map_or_else(|| other.clone(), |known| known.and(other)));
    }
}

/// A `HelmRepository` that a text declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// None where something else sets it, as kustomize does.
    namespace: Option<Box<str>>,
    name: Box<str>,
    address: Address,
}

impl Source {
    /// Takes an object; none if its name is none.
    pub(super) fn new(namespace: Option<&str>, name: &str, url: &str) -> Option<Self> {
        let is_name = |name: &str| name.len() <= LONGEST;
        let namespace = namespace.filter(|namespace| is_name(namespace)).map(Into::into);
        is_name(name).then(|| Self { namespace, name: name.into(), address: Address::of(url) })
    }
}

/// The `HelmRepository` objects of many texts.
///
/// Equal ones lead every chart to the same registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sources {
    by_name: BTreeMap<Box<str>, Named>,
}

/// The objects of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    by_namespace: BTreeMap<Box<str>, Address>,
    /// What those without a namespace say.
    nowhere: Option<Address>,
    /// What all of them say.
    all: Option<Address>,
}

impl Sources {
    /// Says where the charts of the `HelmRepository` lie that a chart names; none if it cannot be any of these.
    ///
    /// Where both namespaces are known, they are the same; an object without one may be meant as well. Where that leaves it
    /// open which object is meant, all of the name must say the same.
    pub(super) fn find(&self, namespace: Option<&str>, name: &str) -> Option<Address> {
        let named = self.by_name.get(name)?;
        match (namespace.and_then(|namespace| named.by_namespace.get(namespace)), &named.nowhere) {
            (Some(exact), nowhere) => Some(nowhere.as_ref().map_or_else(|| exact.clone(), |nowhere| nowhere.and(exact))),
            (None, None) if namespace.is_some() => None,
            (None, _) => named.all.clone(),
        }
    }
}

impl<'s> FromIterator<&'s Source> for Sources {
    fn from_iter<I: IntoIterator<Item = &'s Source>>(sources: I) -> Self {
        let mut by_name: BTreeMap<Box<str>, Named> = BTreeMap::new();
        for Source { namespace, name, address } in sources {
            let named = by_name.entry(name.clone()).or_default();
            Address::meet(&mut named.all, address);
            match namespace {
                None => Address::meet(&mut named.nowhere, address),
                Some(namespace) => {
                    let known = named.by_namespace.get(namespace).map_or_else(|| address.clone(), |known| known.and(address));
                    named.by_namespace.insert(namespace.clone(), known);
                }
            }
        }
        Self { by_name }
    }
}

/// Says whether a text may name a `HelmRepository`.
pub(super) fn may_be_named_in(text: &[u8]) -> bool {
    NAMED.find(text).is_some()
}

/// Says whether a text may declare one, which has a URL.
pub(super) fn may_stand_in(text: &[u8]) -> bool {
    may_be_named_in(text) && text.windows(3).any(|word| word == b"url")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(objects: &[(&str, &str, &str)]) -> Sources {
        let sources: Vec<Source> = objects
            .iter()
            .filter_map(|(namespace, name, url)| Source::new(Some(*namespace).filter(|text| !text.is_empty()), name, url))
            .collect();
        sources.iter().collect()
    }

    fn registry(base: &str) -> Option<Address> {
        Some(Address::Registry(base.into()))
    }

    #[test]
    fn a_url_tells_what_kind_of_repository_it_is() {
        for (url, address) in [
            ("oci://ghcr.io/acme/charts", Address::Registry("ghcr.io/acme/charts".into())),
            ("oci://ghcr.io/acme/charts/", Address::Registry("ghcr.io/acme/charts".into())),
            ("https://charts.example.com", Address::Http),
            ("http://charts.example.com", Address::Http),
            ("oci://${REGISTRY}/charts", Address::Unclear),
            ("oci://{{ .registry }}/charts", Address::Unclear),
            ("${URL}", Address::Unclear),
            ("ENC[AES256_GCM,data:x]", Address::Unclear),
            ("ghcr.io/acme/charts", Address::Unclear),
        ] {
            assert_eq!(Address::of(url), address, "{url}");
        }
    }

    #[test]
    fn a_namespace_that_both_give_decides() {
        let known = sources(&[("a", "acme", "oci://a.io/x"), ("b", "acme", "oci://b.io/x"), ("b", "web", "https://b.io")]);
        assert_eq!(known.find(Some("a"), "acme"), registry("a.io/x"));
        assert_eq!(known.find(Some("b"), "acme"), registry("b.io/x"));
        assert_eq!(known.find(Some("c"), "acme"), None, "of other namespaces");
        assert_eq!(known.find(Some("a"), "web"), None);
        assert_eq!(known.find(Some("b"), "web"), Some(Address::Http));
        assert_eq!(known.find(Some("a"), "none"), None);
    }

    #[test]
    fn a_namespace_that_is_not_given_may_be_any_if_all_say_the_same() {
        let same = sources(&[("a", "acme", "oci://a.io/x"), ("b", "acme", "oci://a.io/x/")]);
        assert_eq!(same.find(None, "acme"), registry("a.io/x"));
        let other = sources(&[("a", "acme", "oci://a.io/x"), ("b", "acme", "oci://b.io/x")]);
        assert_eq!(other.find(None, "acme"), Some(Address::Unclear));
        let mixed = sources(&[("a", "acme", "oci://a.io/x"), ("b", "acme", "https://a.io/x")]);
        assert_eq!(mixed.find(None, "acme"), Some(Address::Unclear));
    }

    #[test]
    fn an_object_without_a_namespace_may_stand_in_any_if_all_say_the_same() {
        let alone = sources(&[("", "acme", "oci://a.io/x")]);
        assert_eq!(alone.find(Some("a"), "acme"), registry("a.io/x"));
        assert_eq!(alone.find(None, "acme"), registry("a.io/x"));
        let beside = sources(&[("", "acme", "oci://a.io/x"), ("b", "acme", "oci://b.io/x")]);
        assert_eq!(beside.find(Some("a"), "acme"), Some(Address::Unclear), "which of both is not clear");
        assert_eq!(beside.find(Some("b"), "acme"), Some(Address::Unclear), "the first may be set to it as well");
        let same = sources(&[("", "acme", "oci://a.io/x"), ("a", "acme", "oci://a.io/x"), ("b", "acme", "oci://b.io/x")]);
        assert_eq!(same.find(Some("a"), "acme"), registry("a.io/x"));
    }

    #[test]
    fn two_of_one_namespace_that_differ_are_not_clear_in_any_order() {
        for urls in [["oci://a.io/x", "oci://b.io/x"], ["oci://b.io/x", "oci://a.io/x"], ["https://a.io", "oci://a.io/x"]] {
            let known = sources(&[("a", "acme", urls[0]), ("a", "acme", urls[1])]);
            assert_eq!(known.find(Some("a"), "acme"), Some(Address::Unclear), "{urls:?}");
        }
        let twice = sources(&[("a", "acme", "oci://a.io/x"), ("a", "acme", "oci://a.io/x")]);
        assert_eq!((twice.find(Some("a"), "acme"), &twice), (registry("a.io/x"), &sources(&[("a", "acme", "oci://a.io/x")])));
    }

    #[test]
    fn sources_outlive_a_process() {
        let known = sources(&[("a", "acme", "oci://a.io/x"), ("", "acme", "https://b.io"), ("b", "web", "${X}")]);
        let text = serde_json::to_string(&known).unwrap();
        assert_eq!(serde_json::from_str::<Sources>(&text).unwrap(), known);
    }
}
