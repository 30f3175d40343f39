//! Docker's config file (`config.json`, or a Kubernetes secret's `.dockerconfigjson`), as a source of credentials.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::image::Registry;
use crate::redact::Secret;

use super::credential::Credential;
use super::error::Cause;
use super::host::lock;

/// Real ones have some kilobytes.
const LARGEST: u64 = 1024 * 1024;

/// Padding is left out by some tools that write these files.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The file, read again whenever it has changed.
#[derive(Debug)]
pub(super) struct DockerConfig {
    path: PathBuf,
    read: Mutex<Option<(Stamp, Arc<Content>)>>,
}

/// What tells one state of the file from the next.
type Stamp = (Option<SystemTime>, u64);

/// The part of the file that matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
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

    /// Finds the credential of a repository, or of the registry as a whole if `name` is none.
    pub(super) fn find(&self, registry: &Registry, name: Option<&str>) -> Result<Option<Credential>, Cause> {
        let fail = |cause| Cause::DockerConfig { path: self.path.clone(), cause };
        let content = self.content().map_err(fail)?;
        let helper = |helper: &String| Cause::CredentialHelper { registry: registry.clone(), helper: helper.clone() };
        if let Some((_, program)) = content.cred_helpers.iter().find(|(key, _)| key_of(key) == registry.as_str()) {
            return Err(helper(program));
        }
        let Some(entry) = content.entry(registry, name) else { return Ok(None) };
        match (entry.credential().map_err(fail)?, &content.creds_store) {
            (Some(credential), _) => Ok(Some(credential)),
            // Docker leaves an empty entry where it gave the secret to its store.
            (None, Some(program)) => Err(helper(program)),
            (None, None) => Ok(None),
        }
    }

    fn content(&self) -> io::Result<Arc<Content>> {
        let metadata = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Arc::default()),
            Err(error) => return Err(error),
        };
        let stamp = (metadata.modified().ok(), metadata.len());
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
    serde_json::from_slice(bytes)
        .map_err(|error| invalid(&format!("it is not JSON of the expected form, at line {} column {}", error.line(), error.column())))
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

impl Content {
    /// Finds the entry with the longest key that the repository lies below.
    fn entry(&self, registry: &Registry, name: Option<&str>) -> Option<&Entry> {
        let wanted = name.map_or_else(|| registry.to_string(), |name| format!("{registry}/{name}"));
        let covers = |key: &str| wanted.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let entries = self.auths.iter().map(|(key, entry)| (key_of(key), entry));
        entries.filter(|(key, _)| covers(key)).max_by_key(|(key, _)| key.len()).map(|(_, entry)| entry)
    }
}

/// Brings a key (`https://index.docker.io/v1/`, `ghcr.io/acme`, `https://registry.example.com/v2/`) to the form of a canonical repository or registry.
fn key_of(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key).trim_end_matches('/');
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let host = Registry::parse(host).map_or_else(|_| host.to_owned(), |registry| registry.to_string());
    match path {
        "" | "v1" | "v2" => host,
        path => format!("{host}/{path}"),
    }
}

impl Entry {
    fn credential(&self) -> io::Result<Option<Credential>> {
        let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credential::Bearer(Secret::new(token))));
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
        if given(&self.identitytoken).is_some() {
            return Err(invalid("an entry in it holds an `identitytoken`, which is not supported; use a user name and password"));
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
        match content.entry(&registry, name).map(Entry::credential) {
            Some(Err(error)) => told(error),
            Some(Ok(Some(credential))) => {
                let key = content.auths.keys().map(|key| key_of(key)).find(|key| host.starts_with(key) || key.starts_with(host));
                assert!(key.is_some(), "a credential of another host is given to {host}: {credential:?}");
            }
            Some(Ok(None)) | None => {}
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

    fn find(config: &DockerConfig, registry: &str, name: Option<&str>) -> Result<Option<Credential>, String> {
        config.find(&Registry::parse(registry).unwrap(), name).map_err(|cause| crate::error::chain(&cause).to_string())
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
    fn a_helper_is_an_error_only_for_the_host_that_needs_it() {
        let (_directory, config) = written(
            r#"{"auths": {"ghcr.io": {}}, "credsStore": "desktop",
                "credHelpers": {"123.dkr.ecr.eu-west-1.amazonaws.com": "ecr-login"}}"#,
        );
        let error = find(&config, "123.dkr.ecr.eu-west-1.amazonaws.com", None).unwrap_err();
        assert!(error.contains("docker-credential-ecr-login"), "{error}");
        assert!(find(&config, "ghcr.io", None).unwrap_err().contains("docker-credential-desktop"));
        assert_eq!(find(&config, "quay.io", None), Ok(None));
    }

    #[test]
    fn a_missing_file_is_no_credential_and_a_broken_one_is_an_error_that_shows_no_secret() {
        let config = DockerConfig::new("/nonexistent/config.json".into());
        assert_eq!(find(&config, "ghcr.io", None), Ok(None));
        for broken in [
            r#"{"auths": {"ghcr.io": {"auth": 12345678}}}"#,
            r#"{"auths": {"ghcr.io": "hunter22"}}"#,
            r#"{"auths": {"ghcr.io": {"auth": "hunter22!"}}}"#,
            r#"{"auths": {"ghcr.io": {"auth": "aHVudGVyMjI="}}}"#,
            r#"{"auths": {"ghcr.io": {"identitytoken": "hunter22"}}}"#,
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
}
