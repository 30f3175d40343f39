//! What an import does not know: it is named and skipped.

use std::collections::BTreeMap;
use std::fmt;

use super::gather::named;
use super::{Object, Origin, shown};

/// The group of what only kustomize reads: files that stand in nearly every folder of manifests and are no objects of a cluster.
const KUSTOMIZE: &str = "kustomize.config.k8s.io";

/// An object of a kind that an import does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Where it was found.
    pub origin: Origin,
    /// The kind with its API group, as kubectl has them: `Service`, `Deployment.apps`; empty for a mapping without `kind`.
    pub kind: String,
    /// `namespace/name`, or the name alone; empty if it has none.
    pub name: String,
}

impl Foreign {
    fn new(object: &Object) -> Self {
        let joined = |first: &str, by: &str, second: &str| match (first.is_empty(), second.is_empty()) {
            (false, false) => shown(&format!("{first}{by}{second}")),
            _ => shown(&format!("{first}{second}")),
        };
        let kind = if object.kind().is_empty() { String::new() } else { joined(object.kind(), ".", object.api_group()) };
        Self { origin: object.origin.clone(), kind, name: joined(object.namespace(), "/", object.name()) }
    }

    fn shown_kind(&self) -> &str {
        if self.kind.is_empty() { "a mapping without `kind`" } else { &self.kind }
    }
}

/// `Service shop/web`; the place is told by who prints it.
impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown_kind())?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " {}", self.name) }
    }
}

/// Says in a line for each kind how many there are, and names the first of them: `Service (2): shop/api, shop/web`.
#[must_use]
pub fn by_kind(foreign: &[Foreign]) -> Vec<String> {
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in foreign {
        // What has no name is found by its place.
        let name = if one.name.is_empty() { one.origin.to_string() } else { one.name.clone() };
        kinds.entry(one.shown_kind()).or_default().push(name);
    }
    kinds.into_iter().map(|(kind, names)| format!("{kind} ({}): {}", names.len(), named(&names))).collect()
}

/// Skips an object that an import does not know.
pub(super) fn skip(object: &Object, foreign: &mut Vec<Foreign>) {
    if object.api_group() != KUSTOMIZE {
        foreign.push(Foreign::new(object));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_objects_are_counted_by_kind_and_the_first_are_named() {
        let mut text = "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1\n---\na: 1\n".to_owned();
        for number in 1..=10 {
            text.push_str(&format!("---\nkind: Service\napiVersion: v1\nmetadata: {{name: s{number}, namespace: shop}}\n"));
        }
        text.push_str("---\nkind: \"Odd\\e[31m\"\napiVersion: apps/v1\nmetadata: {name: web}\n");
        let mut foreign = Vec::new();
        super::super::read(&text, "a.yaml").0.iter().for_each(|object| skip(object, &mut foreign));
        let lines = by_kind(&foreign);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("Odd") && lines[0].ends_with(".apps (1): web") && !lines[0].contains('\u{1b}'), "{lines:?}");
        assert_eq!(lines[1], "Service (10): shop/s1, shop/s2, shop/s3, shop/s4, shop/s5, shop/s6, shop/s7, shop/s8 and 2 more");
        assert_eq!(lines[2], "a mapping without `kind` (1): a.yaml (document 2)");
        assert_eq!(foreign[1].to_string(), "Service shop/s1");
    }
}
