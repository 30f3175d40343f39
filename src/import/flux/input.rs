//! Flux's objects among those of the input, to be found by namespace and name.

use std::collections::BTreeMap;

use super::notices;
use crate::import::{Foreign, Object, Remark, Severity, foreign};

const IMAGES: &str = "image.toolkit.fluxcd.io";
const SOURCES: &str = "source.toolkit.fluxcd.io";
const NOTICES: &str = "notification.toolkit.fluxcd.io";
const ALL: &str = ".toolkit.fluxcd.io";
const VERSIONS: [&str; 5] = ["v1alpha1", "v1alpha2", "v1beta1", "v1beta2", "v1"];

/// What is of interest in the input. Secrets are only asked which keys they have.
#[derive(Default)]
pub(super) struct Input<'a> {
    pub(super) repositories: Index<'a>,
    pub(super) policies: Index<'a>,
    pub(super) automations: Index<'a>,
    pub(super) sources: Index<'a>,
    secrets: Index<'a>,
}

/// Objects of one kind.
#[derive(Default)]
pub(super) struct Index<'a>(BTreeMap<(&'a str, &'a str), &'a Object>);

impl<'a> Input<'a> {
    pub(super) fn new(objects: &'a [Object], remarks: &mut Vec<Remark>, skipped: &mut Vec<Foreign>) -> Self {
        let mut input = Self::default();
        for object in objects {
            let index = match (object.api_group(), object.kind()) {
                (IMAGES, "ImageRepository") => &mut input.repositories,
                (IMAGES, "ImagePolicy") => &mut input.policies,
                (IMAGES, "ImageUpdateAutomation") => &mut input.automations,
                (SOURCES, "GitRepository") => &mut input.sources,
                ("", "Secret") => &mut input.secrets,
                (NOTICES, "Receiver" | "Alert") => {
                    notices::tell(object, remarks);
                    continue;
                }
                // Kustomizations, HelmReleases and the like stand beside the others in every checkout.
                (group, _) if group != IMAGES && group.ends_with(ALL) => continue,
                _ => {
                    foreign::skip(object, skipped);
                    continue;
                }
            };
            index.add(object, remarks);
        }
        input
    }

    /// Says which keys a Secret has, if it is among the input.
    pub(super) fn secret_has(&self, namespace: &str, name: &str, key: &str) -> Option<bool> {
        let secret = self.secrets.find(namespace, name)?;
        let has = |pointer| secret.at(pointer).and_then(|data| data.as_mapping()).is_some_and(|data| data.contains_key(key));
        Some(has("/data") || has("/stringData"))
    }
}

impl<'a> Index<'a> {
    fn add(&mut self, object: &'a Object, remarks: &mut Vec<Remark>) {
        if object.name().is_empty() {
            remarks.push(Remark::new(Severity::Broken, object, "metadata.name", "it has no name, so it is left out"));
            return;
        }
        if !VERSIONS.contains(&object.api_version()) {
            let reason = "this version of the API is not known, so the object is read as if it were `v1`";
            remarks.push(Remark::new(Severity::Note, object, "apiVersion", reason));
        }
        let first = *self.0.entry((object.namespace(), object.name())).or_insert(object);
        if first.value != object.value {
            let reason = format!("it stands twice, and differently; the first one is taken, in {}", first.origin);
            remarks.push(Remark::new(Severity::Broken, object, "", reason));
        }
    }

    /// Returns the object of this name. In a checkout the namespace is often left to a kustomization, so where either side has none,
    /// the name alone decides, if it belongs to one object only.
    pub(super) fn find(&self, namespace: &str, name: &str) -> Option<&'a Object> {
        if let Some(object) = self.0.get(&(namespace, name)).or_else(|| self.0.get(&("", name))) {
            return Some(object);
        }
        let mut named = self.iter().filter(|object| namespace.is_empty() && object.name() == name);
        named.next().filter(|_| named.next().is_none())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a Object> {
        self.0.values().copied()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
