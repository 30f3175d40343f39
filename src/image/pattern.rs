//! Patterns of repositories.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

use super::{ParseError, Registry, Repository};

/// One repository, or a pattern of them such as `ghcr.io/acme/*`.
///
/// `*` stands for any run of characters within a path component, `**` for whole components as well.
#[derive(Clone, Debug)]
pub enum RepositoryPattern {
    /// Exactly this repository.
    One(Repository),
    /// All repositories whose canonical name the glob matches.
    Many {
        /// The pattern as written.
        written: String,
        /// The compiled form, over canonical names.
        glob: Box<GlobMatcher>,
    },
}

impl RepositoryPattern {
    /// Reads a repository or a pattern.
    ///
    /// # Errors
    /// If `text` is neither.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if !text.contains(['*', '?', '[', '{']) || text.starts_with('[') && !text.contains('*') {
            return Repository::parse(text).map(Self::One);
        }
        // A pattern is matched against canonical names, so it is brought to that form too.
        let canonical = match text.split_once('/') {
            Some((host, rest)) if Registry::is_host(host) && !host.contains('*') => {
                // An IPv6 address has brackets.
                format!("{}/{rest}", globset::escape(Registry::parse(host)?.as_str()))
            }
            Some((host, _)) if host.contains('*') => text.to_owned(),
            Some(_) => format!("{}/{text}", Registry::docker_hub()),
            None if text == "*" || text == "**" => "**".to_owned(),
            None => format!("{}/library/{text}", Registry::docker_hub()),
        };
        let glob = GlobBuilder::new(&canonical)
            .literal_separator(true)
            .build()
            .map_err(|_| ParseError::new(text, "a repository pattern", "its wildcards are not well formed"))?;
        Ok(Self::Many { written: text.to_owned(), glob: Box::new(glob.compile_matcher()) })
    }

    /// Says whether `repository` is covered.
    #[must_use]
    pub fn matches(&self, repository: &Repository) -> bool {
        match self {
            Self::One(one) => one == repository,
            Self::Many { glob, .. } => glob.is_match(repository.to_string()),
        }
    }

    /// Returns a text that stands in every written form of every repository covered, for a quick byte search; none if there is no such text.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self {
            Self::One(repository) => repository.name().rsplit('/').next(),
            Self::Many { written, .. } => literal_of(written),
        }
    }
}

/// Finds the longest component that every repository covered has in its name.
fn literal_of(written: &str) -> Option<&str> {
    let name = match written.split_once('/') {
        // The host may stand apart from the name, or be left out; only components of the name are sure to be there.
        Some((host, name)) if Registry::is_host(host) => {
            // Alternatives may reach from the host into the name.
            if host.contains(['{', '[']) && Registry::parse(host).is_err() {
                return None;
            }
            name
        }
        _ => written,
    };
    // In braces and brackets a slash parts no components, so the search ends before the first.
    let end = name.find(['{', '[']).map_or(name.len(), |open| name[..open].rfind('/').unwrap_or(0));
    let is_literal = |c: &&str| !c.is_empty() && !c.contains(['*', '?', ']', '}', '\\']) && *c != "library";
    name[..end].split('/').filter(is_literal).max_by_key(|c| c.len())
}

impl fmt::Display for RepositoryPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(repository) => repository.fmt(f),
            Self::Many { written, .. } => f.write_str(written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, repository: &str) -> bool {
        RepositoryPattern::parse(pattern).unwrap().matches(&Repository::parse(repository).unwrap())
    }

    #[test]
    fn wildcards() {
        assert!(matches("ghcr.io/acme/*", "ghcr.io/acme/api"));
        assert!(!matches("ghcr.io/acme/*", "ghcr.io/acme/team/api"));
        assert!(matches("ghcr.io/acme/**", "ghcr.io/acme/team/api"));
        assert!(!matches("ghcr.io/acme/*", "ghcr.io/acme2/api"));
        assert!(matches("acme/*", "acme/api"));
        assert!(matches("nginx*", "nginx"));
        assert!(matches("*.io/acme/*", "ghcr.io/acme/api"));
        assert!(matches("**", "ghcr.io/acme/api"));
        assert!(matches("nginx", "docker.io/library/nginx"));
        assert!(matches("[::1]:5000/*", "[::1]:5000/api"));
    }

    #[test]
    fn literals_for_the_screen() {
        for (pattern, literal) in [
            ("nginx", Some("nginx")),
            ("ghcr.io/acme/api", Some("api")),
            ("ghcr.io/acme/*", Some("acme")),
            ("ghcr.io/*", None),
            ("**", None),
            ("library/*", None),
            ("ghcr.io/acme/{api,web}", Some("acme")),
            ("ghcr.io/acme/{a/x,long/y}/z", Some("acme")),
            ("{*.io,quay.io/long}/acme/api", None),
            ("acme/[a/long/b]", Some("acme")),
        ] {
            assert_eq!(RepositoryPattern::parse(pattern).unwrap().literal(), literal, "{pattern}");
        }
    }
}
