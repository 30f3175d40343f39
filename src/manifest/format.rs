//! How a file is read, by its path.

use serde::{Deserialize, Serialize};

use super::watch::fnv1a;

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// As YAML, of which JSON is a part.
    Yaml,
}

/// Which files are read, and how.
#[derive(Clone, Debug, Default)]
pub struct Formats {}

impl Formats {
    /// Returns a number that is the same for the same settings in whatever process: a key for caches of scans.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        // All that is set shows here.
        fnv1a([format!("{self:?}").as_str()].into_iter())
    }

    /// Returns how a file is read; none if it holds no references.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<Format> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let is_yaml = name == "Kustomization" || extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml");
        is_yaml.then_some(Format::Yaml)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_manifests() {
        for yes in ["a.yaml", "x/b.YML", "x/Kustomization"] {
            assert_eq!(Formats::default().of(yes), Some(Format::Yaml), "{yes}");
        }
        for no in ["yaml", "x/Kustomization/a", "README.md"] {
            assert_eq!(Formats::default().of(no), None, "{no}");
        }
    }
}
