//! An object of the input, and how its fields are asked for.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::Value;

/// Where an object was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// The file's name as it was given, or `standard input`.
    pub file: String,
    /// Which document of the file, from 1.
    pub document: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (document {})", super::shown(&self.file), self.document)
    }
}

/// One object of the input, as YAML gives it, with where it came from. Any field may be missing or of another type.
#[derive(Clone, Debug)]
pub struct Object {
    /// Where it was found.
    pub origin: Origin,
    /// All of it; always a mapping.
    pub value: Value,
}

impl Object {
    /// Returns the value at a path such as `/spec/policy/semver/range`; `~1` stands for a slash in a key, `~0` for a tilde, and a
    /// number for an entry of a list.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        pointer.split('/').skip(1).try_fold(&self.value, |value, part| {
            let key = if part.contains('~') { Cow::from(part.replace("~1", "/").replace("~0", "~")) } else { Cow::from(part) };
            match value {
                Value::Sequence(items) => items.get(key.parse::<usize>().ok()?),
                Value::Mapping(entries) => entries.get(&*key),
                _ => None,
            }
        })
    }

    /// Returns the text at a path.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.at(pointer).and_then(Value::as_str)
    }

    /// Returns the kind, or nothing for what is no object of Kubernetes'.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// Returns the API group: `apps` for `apps/v1`, nothing for `v1`.
    #[must_use]
    pub fn api_group(&self) -> &str {
        self.text("/apiVersion").and_then(|version| version.split_once('/')).map_or("", |(group, _)| group)
    }

    /// Returns the API version: `v1` for `apps/v1` and for `v1`.
    #[must_use]
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion").map_or("", |version| version.rsplit('/').next().unwrap_or(version))
    }

    /// Returns the name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// Returns the namespace; nothing if it has none, which in a checkout is no rare thing.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace").unwrap_or_default()
    }

    /// Returns the labels.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        self.texts("/metadata/labels")
    }

    /// Returns the annotations.
    #[must_use]
    pub fn annotations(&self) -> BTreeMap<&str, &str> {
        self.texts("/metadata/annotations")
    }

    /// Returns the texts of a mapping.
    #[must_use]
    pub fn texts(&self, pointer: &str) -> BTreeMap<&str, &str> {
        let entries = self.at(pointer).and_then(Value::as_mapping);
        entries.into_iter().flatten().filter_map(|(key, value)| key.as_str().zip(value.as_str())).collect()
    }

    /// Says what it is in a line: `ImagePolicy flux-system/podinfo`.
    #[must_use]
    pub fn title(&self) -> String {
        let (namespace, slash) = if self.namespace().is_empty() { ("", "") } else { (self.namespace(), "/") };
        super::shown(&format!("{} {namespace}{slash}{}", self.kind(), self.name()))
    }
}
