//! Registries and repositories.

use std::fmt;
use std::sync::Arc;

use super::{ParseError, Pool};

/// Docker Hub under the name that people write; its API lives elsewhere, which only the registry client knows.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_ALIASES: [&str; 3] = [DOCKER_HUB, "index.docker.io", "registry-1.docker.io"];

/// The longest canonical form, in bytes: what many clients take (distribution-spec, "Pulling manifests").
const MAX_REPOSITORY: usize = 255;
const TOO_LONG: &str = "with its registry it is longer than 255 characters";

/// A registry's host in canonical form: lower case, with the port if one was written, `docker.io` for all of Docker Hub's names.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Registry(Arc<str>);

impl Registry {
    /// Reads a host such as `ghcr.io`, `localhost:5000` or `[::1]:5000`.
    ///
    /// # Errors
    /// If `text` is not a host name or address with an optional port.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fail = |reason| Err(ParseError::new(text, "a registry", reason));
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let Some((address, after)) = rest.split_once(']') else {
                    return fail("its `[` is not closed");
                };
                if address.parse::<std::net::Ipv6Addr>().is_err() {
                    return fail("what stands in the brackets is no IPv6 address");
                }
                (address, if after.is_empty() { None } else { Some(after.strip_prefix(':').unwrap_or("")) })
            }
            None => {
                let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
                let label = |l: &str| {
                    !l.is_empty()
                        && l.len() <= 63
                        && !l.starts_with('-')
                        && !l.ends_with('-')
                        && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                };
                if host.len() > 253 || !host.split('.').all(label) {
                    return fail("the host is no host name");
                }
                (host, port)
            }
        };
        if let Some(port) = port
            && (port.starts_with('+') || port.parse::<u16>().is_err())
        {
            return fail("the port is no number below 65536");
        }
        let canonical = text.to_ascii_lowercase();
        if DOCKER_HUB_ALIASES.contains(&host.to_ascii_lowercase().as_str()) && port.is_none() {
            return Ok(Self(DOCKER_HUB.into()));
        }
        Ok(Self(canonical.into()))
    }

    /// Returns Docker Hub, the registry that is meant when none is written.
    #[must_use]
    pub fn docker_hub() -> Self {
        Self(DOCKER_HUB.into())
    }

    /// Returns the host of Docker Hub's web API, which knows what its registry does not tell.
    #[must_use]
    pub fn docker_hub_api() -> Self {
        Self("hub.docker.com".into())
    }

    /// Returns the host that is connected to: that of Docker Hub's registry is not `docker.io`, which is a web site.
    #[must_use]
    pub fn api_host(&self) -> &str {
        if self.is_docker_hub() { "registry-1.docker.io" } else { self.as_str() }
    }

    /// Says whether this is Docker Hub.
    #[must_use]
    pub fn is_docker_hub(&self) -> bool {
        &*self.0 == DOCKER_HUB
    }

    /// Returns the canonical host, with its port if it has one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether the first component of a written reference names a registry (distribution's rule: it holds a dot or a colon, or is `localhost`).
    pub(crate) fn is_host(component: &str) -> bool {
        component.contains(['.', ':']) || component == "localhost" || component.starts_with('[')
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registry({})", self.0)
    }
}

/// A repository in canonical form: its registry and its name there, `docker.io/library/nginx` for `nginx`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    registry: Registry,
    name: Arc<str>,
}

impl Repository {
    /// Reads a repository as people write it: `nginx`, `acme/api`, `ghcr.io/acme/api`.
    ///
    /// # Errors
    /// If a part is no host or no path component (distribution's reference grammar), or its canonical form is longer than 255 bytes.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let fail = |reason| Err(ParseError::new(text, "a repository", reason));
        let (registry, name) = match text.split_once('/') {
            Some((host, name)) if Registry::is_host(host) => match Registry::parse(host) {
                Ok(registry) => (registry, name),
                Err(error) => return fail(error.reason),
            },
            _ => (Registry::docker_hub(), text),
        };
        Self::new(registry, name).map_err(|error| ParseError::new(text, "a repository", error.reason))
    }

    /// Puts a repository together from its registry and its name there.
    ///
    /// # Errors
    /// If `name` is not made of path components, or too long, or if no reference can name the registry.
    pub fn new(registry: Registry, name: &str) -> Result<Self, ParseError> {
        let fail = |reason| Err(ParseError::new(name, "a repository", reason));
        // Before all that looks at each of its characters: a stranger may have named it.
        if name.len() > MAX_REPOSITORY {
            return fail(TOO_LONG);
        }
        // The canonical form would be read as a repository of Docker Hub.
        if !Registry::is_host(registry.as_str()) {
            return Err(ParseError::new(&format!("{registry}/{name}"), "a repository", "its registry has neither a dot nor a port"));
        }
        if name.is_empty() {
            return fail("it is empty");
        }
        if name.bytes().any(|b| b.is_ascii_uppercase()) {
            return fail("upper-case letters are not allowed in it");
        }
        if !name.split('/').all(is_path_component) {
            return fail("between slashes stand lower-case letters and digits, joined by `.`, `_`, `__` or `-`");
        }
        let name: Arc<str> = if registry.is_docker_hub() && !name.contains('/') { format!("library/{name}").into() } else { name.into() };
        if registry.0.len() + 1 + name.len() > MAX_REPOSITORY {
            return fail(TOO_LONG);
        }
        Ok(Self { registry, name })
    }

    /// Returns the registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Holds its texts in common with others.
    pub fn share(&mut self, pool: &mut Pool) {
        pool.share(&mut self.registry.0);
        pool.share(&mut self.name);
    }

    /// Returns the name within the registry, as its API wants it: `library/nginx`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Checks `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` (distribution-spec, "Pulling manifests", `<name>`).
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    if !alphanumeric(first) || !alphanumeric(last) {
        return false;
    }
    bytes
        .split(|&b| alphanumeric(b))
        .filter(|separator| !separator.is_empty())
        .all(|separator| matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-'))
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.name)
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms() {
        for (written, canonical) in [
            ("nginx", "docker.io/library/nginx"),
            ("acme/api", "docker.io/acme/api"),
            ("index.docker.io/nginx", "docker.io/library/nginx"),
            ("registry-1.docker.io/library/nginx", "docker.io/library/nginx"),
            ("GHCR.io/acme/api", "ghcr.io/acme/api"),
            ("localhost/api", "localhost/api"),
            ("localhost:5000/a/b", "localhost:5000/a/b"),
            ("[::1]:5000/a", "[::1]:5000/a"),
            ("a__b/c---d/e.f", "docker.io/a__b/c---d/e.f"),
        ] {
            assert_eq!(Repository::parse(written).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn the_longest_is_read_again_from_its_canonical_form() {
        let longest = Repository::parse(&"a".repeat(255 - "docker.io/library/".len())).unwrap();
        assert_eq!(Repository::parse(&longest.to_string()), Ok(longest));
    }

    #[test]
    fn a_registry_that_no_reference_can_name_has_no_repositories() {
        let new = |registry: &str| Repository::new(Registry::parse(registry).unwrap(), "acme/api").map(|made| made.to_string());
        for registry in ["quay.io", "registry:80", "localhost", "LocalHost", "[::1]"] {
            assert_eq!(new(registry), Ok(format!("{}/acme/api", registry.to_ascii_lowercase())));
        }
        let told = "`registry/acme/api` is not a repository: its registry has neither a dot nor a port";
        assert_eq!(new("registry").map_err(|error| error.to_string()), Err(told.to_owned()));
    }

    #[test]
    fn refused() {
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "A",
            "ghcr.io/",
            "ghcr.io/A",
            "a..b",
            "a___b",
            "-a",
            "a b",
            "x:99999/a",
            "[::g]/a",
            "[::1/a",
            "a._b",
            &"a".repeat(256 - "docker.io/library/".len()),
        ] {
            assert!(Repository::parse(bad).is_err(), "{bad}");
        }
    }
}
