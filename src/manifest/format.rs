//! How a file is read, by its path.

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// As YAML, of which JSON is a part.
    Yaml,
}

/// Which files are read, and how.
#[derive(Clone, Debug, Default)]
pub struct Formats {}

impl Formats {
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
