//! Docker's config file (`config.json`, or a Kubernetes secret's `.dockerconfigjson`), as a source of credentials.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;

use crate::image::Registry;
use crate::redact::{Secret, one_line};

use super::credential::Credential;
use super::error::Cause;
use super::host::lock;

/// Real ones have some kilobytes.
const LARGEST: u64 = 1024 * 1024;
/// No host name is longer.
const LONGEST_PATTERN: usize = 253;

/// Padding is left out by some tools that write these files.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The file, read again whenever it has changed.
#[derive(Debug)]
pub(super) struct DockerConfig {
    path: PathBuf,
    read: Mutex<Option<(Stamp, Arc<Content>)>>,
}

/// What tells one state of the file from the next. The inode is of help where time and size are not: Kubernetes
/// swaps a mounted secret by a symbolic link.
type Stamp = (Option<SystemTime>, u64, u64, u64);

/// Where a file of this form keeps a registry's credential.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It has none.
    Nowhere,
    /// In itself, under this key.
    Here { credential: Credential, key: String },
    /// In the hands of a helper program.
    ByHelper {
        /// Its name, as written.
        helper: String,
        /// The key that stands for the registry, as written.
        server: Option<String>,
        /// Whether the file says that the helper has this registry's, rather than just any.
        must_know: bool,
    },
}

/// The part of the file that matters here.
#[derive(Debug, Default)]
struct Content {
    auths: Vec<(Key, Entry)>,
    helpers: Vec<(Key, String)>,
    store: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    creds_store: Option<String>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry(***)")
    }
}

impl DockerConfig {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::new(None) }
    }

    /// Finds where the credential of a repository is kept, or of the registry as a whole if `name` is none.
    ///
    /// An entry's own secret goes first, then the registry's helper, then the store for all. (Docker itself does not look
    /// at an entry once a helper is named, but whoever writes a secret there by hand means it.)
    pub(super) fn find(&self, registry: &Registry, name: Option<&str>, must_exist: bool) -> Result<Kept, Cause> {
        let fail = |cause| Cause::DockerConfig { path: self.path.clone(), cause };
        let content = self.content(must_exist).map_err(fail)?;
        let entry = best(&content.auths, registry, name);
        if let Some((key, entry)) = entry
            && let Some(credential) = entry.credential().map_err(fail)?
        {
            return Ok(Kept::Here { credential, key: one_line(&key.written, 200) });
        }
        if let Some((_, helper)) = best(&content.helpers, registry, name) {
            return Ok(Kept::ByHelper { helper: helper.clone(), server: None, must_know: true });
        }
        // Docker leaves an empty entry where it gave the secret to its store.
        let server = entry.map(|(key, _)| key.written.clone());
        Ok(match &content.store {
            Some(store) => Kept::ByHelper { helper: store.clone(), must_know: server.is_some(), server },
            None => Kept::Nowhere,
        })
    }

    fn content(&self, must_exist: bool) -> io::Result<Arc<Content>> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => return Ok(Arc::default()),
            Err(error) => return Err(error),
        };
        let stamp = (metadata.modified().ok(), metadata.len(), metadata.dev(), metadata.ino());
        let mut read = lock(&self.read);
        match &*read {
            Some((then, content)) if *then == stamp => Ok(Arc::clone(content)),
            _ => {
                let content = Arc::new(load(&self.path)?);
                *read = Some((stamp, Arc::clone(&content)));
                Ok(content)
            }
        }
    }
}

fn load(path: &Path) -> io::Result<Content> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(invalid("it is larger than 1 MiB"));
    }
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> io::Result<Content> {
    // serde's message would quote the value at fault, which may be a secret; the place is enough to find it.
    let written: Written = serde_json::from_slice(bytes)
        .map_err(|error| invalid(&format!("it is not JSON of the expected form, at line {} column {}", error.line(), error.column())))?;
    Ok(Content {
        auths: written.auths.into_iter().map(|(key, entry)| (Key::read(key), entry)).collect(),
        helpers: written.cred_helpers.into_iter().map(|(key, helper)| (Key::read(key), helper)).collect(),
        store: written.creds_store.filter(|store| !store.is_empty()),
    })
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

/// Finds the entry whose key fits the repository best: an exact host before a pattern, then the longest.
fn best<'a, T>(entries: &'a [(Key, T)], registry: &Registry, name: Option<&str>) -> Option<&'a (Key, T)> {
    let fitting = entries.iter().filter_map(|entry| Some((entry.0.fit(registry, name)?, entry)));
    fitting.max_by_key(|(fit, _)| *fit).map(|(_, entry)| entry)
}

/// A key: `https://index.docker.io/v1/`, `ghcr.io/acme`, `https://registry.example.com/v2/`, or with wildcards in the host
/// as Kubernetes knows them, `*.dkr.ecr.eu-west-1.amazonaws.com` (its documentation on images, "Interpretation of config.json").
#[derive(Debug)]
struct Key {
    written: String,
    host: Host,
    path: String,
}

#[derive(Debug)]
enum Host {
    One(Registry),
    Many(GlobMatcher),
    /// What no registry is called.
    None,
}

impl Key {
    fn read(written: String) -> Self {
        let key = written.strip_prefix("https://").or_else(|| written.strip_prefix("http://")).unwrap_or(&written).trim_end_matches('/');
        let (host, path) = key.split_once('/').unwrap_or((key, ""));
        let path = if matches!(path, "v1" | "v2") { String::new() } else { path.to_owned() };
        let host = match Registry::parse(host) {
            Ok(registry) => Host::One(registry),
            Err(_) => pattern(host).map_or(Host::None, Host::Many),
        };
        Self { written, host, path }
    }

    /// Says how well it fits; none if it does not.
    fn fit(&self, registry: &Registry, name: Option<&str>) -> Option<(bool, usize, usize)> {
        let exact = matches!(&self.host, Host::One(host) if host == registry);
        let covers = || matches!(&self.host, Host::Many(glob) if glob.is_match(as_folders(registry.as_str())));
        let rest = if self.path.is_empty() { Some("") } else { name.and_then(|name| name.strip_prefix(&self.path)) };
        let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        (below && (exact || covers())).then_some((exact, self.path.len(), self.written.len()))
    }
}

/// Reads a host with wildcards, each of which stands within one part of the name; a port is written out.
fn pattern(host: &str) -> Option<GlobMatcher> {
    // What the matcher knows beyond that is left out.
    let foreign = host.contains(['{', '\\']) || host.contains("**");
    if foreign || host.len() > LONGEST_PATTERN || !host.contains(['*', '?', '[']) {
        return None;
    }
    GlobBuilder::new(&as_folders(&host.to_ascii_lowercase())).literal_separator(true).build().ok().map(|glob| glob.compile_matcher())
}

/// A part of a host name is to the matcher what a folder is.
fn as_folders(host: &str) -> String {
    host.replace('.', "/")
}

impl Entry {
    fn credential(&self) -> io::Result<Option<Credential>> {
        let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credential::Bearer(Secret::new(token))));
        }
        // Beside it stands a user without password.
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credential::Identity(Secret::new(token))));
        }
        if let (Some(username), Some(password)) = (given(&self.username), given(&self.password)) {
            return Ok(Some(Credential::Basic { username, password: Secret::new(password) }));
        }
        if let Some(auth) = given(&self.auth) {
            let decoded = BASE64.decode(auth.trim()).map_err(|_| invalid("an `auth` in it is not base64"))?;
            let decoded = String::from_utf8(decoded).map_err(|_| invalid("an `auth` in it is not UTF-8"))?;
            let Some((username, password)) = decoded.split_once(':') else {
                return Err(invalid("an `auth` in it has no `:` between user and password"));
            };
            // Docker pads old entries with NUL.
            let password = password.trim_end_matches('\0');
            if !password.is_empty() {
                return Ok(Some(Credential::Basic { username: username.to_owned(), password: Secret::new(password) }));
            }
        }
        Ok(None)
    }
}

/// What must hold of every file; see [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub(super) fn fuzz(bytes: &[u8]) {
    let told = |error: io::Error| {
        // No error quotes the file: its texts are these and a place.
        let text = error.to_string();
        assert!(["it is not JSON of", "an `auth` in it", "an entry in it"].iter().any(|known| text.starts_with(known)), "{text}");
        assert!(text.len() < 150 && !text.contains(char::is_control), "{text:?}");
    };
    let content = match parse(bytes) {
        Ok(content) => content,
        Err(error) => return told(error),
    };
    for (host, name) in [("docker.io", None), ("docker.io", Some("library/nginx")), ("ghcr.io", Some("acme/api")), ("ghcr.io", None)] {
        let Ok(registry) = Registry::parse(host) else { continue };
        let Some((key, entry)) = best(&content.auths, &registry, name) else { continue };
        match entry.credential() {
            Err(error) => told(error),
            Ok(Some(_)) => {
                let written = key.written.to_ascii_lowercase();
                assert!(written.contains(host) || written.contains(['*', '?', '[']), "the credential of {written} is given to {host}");
            }
            Ok(None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(username: &str, password: &str) -> Credential {
        Credential::Basic { username: username.to_owned(), password: Secret::new(password) }
    }

    fn written(content: &str) -> (tempfile::TempDir, DockerConfig) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        std::fs::write(&path, content).unwrap();
        (directory, DockerConfig::new(path))
    }

    fn kept(config: &DockerConfig, registry: &str, name: Option<&str>) -> Result<Kept, String> {
        config.find(&Registry::parse(registry).unwrap(), name, false).map_err(|cause| crate::error::chain(&cause).to_string())
    }

    fn find(config: &DockerConfig, registry: &str, name: Option<&str>) -> Result<Option<Credential>, String> {
        kept(config, registry, name).map(|kept| match kept {
            Kept::Here { credential, .. } => Some(credential),
            Kept::Nowhere => None,
            Kept::ByHelper { .. } => panic!("{kept:?}"),
        })
    }

    fn by(helper: &str, server: Option<&str>, must_know: bool) -> Result<Kept, String> {
        Ok(Kept::ByHelper { helper: helper.to_owned(), server: server.map(str::to_owned), must_know })
    }

    #[test]
    fn keys_in_all_their_forms() {
        let (_directory, config) = written(
            r#"{"auths": {
                "https://index.docker.io/v1/": {"auth": "aHViOnMzY3JldDp3aXRoOmNvbG9ucw=="},
                "ghcr.io": {"username": "bot", "password": "one"},
                "ghcr.io/acme": {"username": "bot", "password": "two"},
                "https://registry.example.com:5000/v2/": {"auth": "Ym90OnRocmVl"},
                "quay.io": {"auth": "Ym90OmZvdXI"},
                "token.example.com": {"registrytoken": "abc"}
            }, "HttpHeaders": {"X": "y"}}"#,
        );
        for (registry, name, expected) in [
            ("docker.io", Some("library/nginx"), Some(basic("hub", "s3cret:with:colons"))),
            ("docker.io", None, Some(basic("hub", "s3cret:with:colons"))),
            ("ghcr.io", Some("other/api"), Some(basic("bot", "one"))),
            ("ghcr.io", Some("acme/api"), Some(basic("bot", "two"))),
            ("ghcr.io", Some("acme2/api"), Some(basic("bot", "one"))),
            ("registry.example.com:5000", Some("a"), Some(basic("bot", "three"))),
            ("registry.example.com", Some("a"), None),
            ("quay.io", None, Some(basic("bot", "four"))),
            ("token.example.com", None, Some(Credential::Bearer(Secret::new("abc")))),
            ("elsewhere.example", Some("a"), None),
        ] {
            assert_eq!(find(&config, registry, name), Ok(expected), "{registry} {name:?}");
        }
    }

    #[test]
    fn wildcards_as_kubernetes_knows_them() {
        let entry = |password: &str| format!(r#"{{"username": "bot", "password": "{password}"}}"#);
        let keys = [
            "*.dkr.ecr.eu-west-1.amazonaws.com",
            "*.azurecr.io",
            "*.example.com:5000",
            "*.example.com/acme",
            "exact.example.com",
            "re[gx]istry-?.example.org",
            "**.double.example",
            "{a,b}.braces.example",
            "https://*.scheme.example/v2/",
        ];
        let entries: Vec<_> = keys.iter().map(|key| format!("\"{key}\": {}", entry(key))).collect();
        let (_directory, config) = written(&format!(r#"{{"auths": {{{}}}}}"#, entries.join(",")));
        for (registry, name, expected) in [
            ("123.dkr.ecr.eu-west-1.amazonaws.com", "a", Some("*.dkr.ecr.eu-west-1.amazonaws.com")),
            ("123.dkr.ecr.eu-west-2.amazonaws.com", "a", None),
            ("a.b.azurecr.io", "a", None),
            ("acme.azurecr.io", "a/b/c", Some("*.azurecr.io")),
            ("acme.azurecr.io:443", "a", None),
            ("azurecr.io", "a", None),
            ("acme.azurecr.io.example", "a", None),
            ("r.example.com:5000", "a", Some("*.example.com:5000")),
            ("r.example.com", "acme/api", Some("*.example.com/acme")),
            ("r.example.com", "acmes/api", None),
            ("exact.example.com", "acme/api", Some("exact.example.com")),
            ("registry-1.example.org", "a", Some("re[gx]istry-?.example.org")),
            ("reyistry-1.example.org", "a", None),
            ("x.double.example", "a", None),
            ("a.braces.example", "a", None),
            ("a.scheme.example", "a", Some("https://*.scheme.example/v2/")),
        ] {
            assert_eq!(find(&config, registry, Some(name)), Ok(expected.map(|key| basic("bot", key))), "{registry}/{name}");
        }
    }

    #[test]
    fn a_helper_is_asked_where_the_file_itself_has_no_secret() {
        let (_directory, config) = written(
            r#"{"auths": {"ghcr.io": {}, "https://index.docker.io/v1/": {}, "quay.io": {"username": "bot", "password": "one"}, "quay.io/acme": {}},
                "credsStore": "desktop",
                "credHelpers": {"123.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login", "*.azurecr.io": "acr-env"}}"#,
        );
        assert_eq!(kept(&config, "123.dkr.ecr.eu-west-1.amazonaws.com", Some("a")), by("ecr-login", None, true));
        assert_eq!(kept(&config, "acme.azurecr.io", None), by("acr-env", None, true));
        assert_eq!(kept(&config, "ghcr.io", Some("a")), by("desktop", Some("ghcr.io"), true));
        assert_eq!(kept(&config, "docker.io", Some("library/a")), by("desktop", Some("https://index.docker.io/v1/"), true));
        assert_eq!(kept(&config, "elsewhere.example", Some("a")), by("desktop", None, false));
        assert_eq!(find(&config, "quay.io", Some("a")), Ok(Some(basic("bot", "one"))));
        assert_eq!(kept(&config, "quay.io", Some("acme/api")), by("desktop", Some("quay.io/acme"), true));
    }

    #[test]
    fn an_identity_token_is_taken_with_the_user_that_stands_beside_it() {
        let (_directory, config) = written(
            r#"{"auths": {"acme.azurecr.io": {"auth": "MDAwMDAwMDAtMDAwMC0wMDAwLTAwMDAtMDAwMDAwMDAwMDAwOg==", "identitytoken": "refresh"}}}"#,
        );
        assert_eq!(find(&config, "acme.azurecr.io", None), Ok(Some(Credential::Identity(Secret::new("refresh")))));
        let key = "acme.azurecr.io".to_owned();
        let credential = Credential::Identity(Secret::new("refresh"));
        assert_eq!(kept(&config, "acme.azurecr.io", None), Ok(Kept::Here { credential, key }));
    }

    #[test]
    fn a_missing_file_is_no_credential_and_a_broken_one_is_an_error_that_shows_no_secret() {
        let config = DockerConfig::new("/nonexistent/config.json".into());
        assert_eq!(find(&config, "ghcr.io", None), Ok(None));
        let missing = config.find(&Registry::parse("ghcr.io").unwrap(), None, true).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/config.json"), "{missing}");
        for broken in [
            r#"{"auths": {"ghcr.io": {"auth": 12345678}}}"#,
            r#"{"auths": {"ghcr.io": "hunter22"}}"#,
            r#"{"auths": {"ghcr.io": {"auth": "hunter22!"}}}"#,
            r#"{"auths": {"ghcr.io": {"auth": "aHVudGVyMjI="}}}"#,
            "hunter22",
        ] {
            let (_directory, config) = written(broken);
            let error = find(&config, "ghcr.io", None).unwrap_err();
            assert!(error.contains("config.json"), "{error}");
            assert!(!error.contains("hunter22") && !error.contains("12345678"), "{error}");
        }
    }

    #[test]
    fn a_change_of_the_file_is_seen() {
        let (directory, config) = written(r#"{"auths": {"ghcr.io": {"username": "a", "password": "old"}}}"#);
        assert_eq!(find(&config, "ghcr.io", None), Ok(Some(basic("a", "old"))));
        std::fs::write(directory.path().join("config.json"), r#"{"auths": {"ghcr.io": {"username": "a", "password": "newer"}}}"#).unwrap();
        assert_eq!(find(&config, "ghcr.io", None), Ok(Some(basic("a", "newer"))));
    }

    /// The file, its time and its length stay; only the link is another, as when Kubernetes changes a mounted secret.
    #[test]
    fn a_swapped_symbolic_link_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let then = SystemTime::UNIX_EPOCH;
        for version in ["one", "two"] {
            let folder = directory.path().join(version);
            std::fs::create_dir(&folder).unwrap();
            let content = format!(r#"{{"auths": {{"ghcr.io": {{"username": "a", "password": "{version}"}}}}}}"#);
            std::fs::write(folder.join(".dockerconfigjson"), content).unwrap();
            std::fs::File::options().write(true).open(folder.join(".dockerconfigjson")).unwrap().set_modified(then).unwrap();
        }
        let link = |version: &str| {
            std::os::unix::fs::symlink(version, directory.path().join("..data_tmp")).unwrap();
            std::fs::rename(directory.path().join("..data_tmp"), directory.path().join("..data")).unwrap();
        };
        link("one");
        std::os::unix::fs::symlink("..data/.dockerconfigjson", directory.path().join(".dockerconfigjson")).unwrap();
        let config = DockerConfig::new(directory.path().join(".dockerconfigjson"));
        assert_eq!(find(&config, "ghcr.io", None), Ok(Some(basic("a", "one"))));
        link("two");
        assert_eq!(find(&config, "ghcr.io", None), Ok(Some(basic("a", "two"))));
    }
}
