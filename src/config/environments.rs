//! `[environment.NAME]`: a Git environment repository.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::files::Files;
use super::read::{Context, Keys, Located, ReadTable, printable};
use super::source::Span;
use super::values::{ExistingFile, PathList, Timeout, Whole, parsed};
use crate::engine::EnvironmentConfig;
use crate::environment::{self, Author, Paths};

/// What makes two environments the same: URL, branch and path patterns. One branch may well serve several environments, each
/// with a folder of its own.
type Place = (String, Option<String>, Vec<String>);

/// An environment, as far as it could be read, with what is needed to tell two of them apart.
pub(super) struct Environment {
    /// Where the URL stands, and what other environments must not have in common with this one; none without a URL and branch to compare.
    place: Option<(Span, Place)>,
    paths: Paths,
    registry_keys: Vec<String>,
    git: Option<environment::Config>,
}

impl ReadTable for Environment {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let url = keys.required::<Located<String>>(
            "url",
            "Where the Git repository is: https, ssh, git@host:path or a local path; `./` starts from this file's folder.",
            r#""https://git.example.com/acme/environments.git""#,
        );
        let branch = keys.optional::<Located<String>>("branch", "The branch. Default: the remote's HEAD.", r#""main""#);
        let paths = keys.optional::<PathList>(
            "paths",
            "Which files are looked at; the last pattern that matches decides, `!` takes out. Default: all.",
            r#"["clusters/prod/**", "!**/vendor/**"]"#,
        );
        let registry_keys = keys.optional::<Vec<Located<String>>>(
            "registry_keys",
            "Paths in a values file whose value, if there is one, is the registry of all its `repository` and `tag` pairs.",
            r#"["global.imageRegistry"]"#,
        );
        let auth = keys.optional("auth", "The credential.", r#"{ username = "bot", password = { env = "GIT_TOKEN" } }"#);
        let author = keys.defaulted::<Located<String>>(
            "author",
            "Who commits; many forges want an address that they know.",
            r#""Tagboat <tagboat@localhost>""#,
            r#""Tagboat <tagboat@example.com>""#,
        );
        let ca_file = keys.optional::<ExistingFile>(
            "ca_file",
            "A PEM file of certificate authorities that are trusted beside the system's.",
            r#""/etc/tagboat/ca.pem""#,
        );
        let timeout = keys.defaulted::<Timeout>("timeout", "The deadline of one fetch or push.", r#""2m""#, r#""5m""#);
        let history = keys.defaulted::<Whole<1, 100_000>>(
            "history",
            "How many commits are looked at for versions that someone took out again.",
            "200",
            "1000",
        );
        let context = &mut *keys.context;
        let branch = branch.and_then(|branch| parsed(&branch, check_branch, context));
        let author = author.map_or_else(|| Some(default_author()), |author| parsed(&author, parse_author, context));
        let registry_keys = registry_keys.unwrap_or_default();
        let registry_keys = registry_keys.iter().filter_map(|key| parsed(key, check_registry_key, context)).collect();
        let remote = url.as_ref().and_then(|url| remote(url, context));
        if let (Some(url), Some(auth), Some(_)) = (&url, &auth, &remote) {
            check_auth(url, auth, keys);
        }
        let git = remote.zip(author).map(|(url, author)| environment::Config {
            url,
            branch: branch.clone(),
            auth,
            ca_file: ca_file.map(|file| file.0),
            author,
            history: history.map_or(200, |number| number.0),
            timeout: timeout.map_or(Duration::from_secs(120), |timeout| timeout.0),
        });
        let scope = paths.as_ref().map(|paths| paths.written.clone()).unwrap_or_default();
        let place = match (url, branch) {
            (Some(_), None) if keys.has("branch") => None,
            (Some(url), branch) => Some((url.at, (url.value.trim_end_matches('/').trim_end_matches(".git").to_owned(), branch, scope))),
            (None, _) => None,
        };
        Some(Self { place, paths: paths.map(|paths| paths.compiled).unwrap_or_default(), registry_keys, git })
    }
}

pub(super) fn default_author() -> Author {
    Author { name: "Tagboat".to_owned(), email: "tagboat@localhost".to_owned() }
}

fn parse_author(text: &str) -> Result<Author, &'static str> {
    const FORM: &str = "an author is written \"Name <name@example.com>\"";
    if text.contains(char::is_control) {
        return Err(FORM);
    }
    let (name, rest) = text.split_once('<').ok_or(FORM)?;
    let (name, email) = (name.trim(), rest.trim_end().strip_suffix('>').ok_or(FORM)?);
    let clean = |text: &str| !text.is_empty() && !text.contains(['<', '>']);
    if !clean(name) || !clean(email) || email.contains(char::is_whitespace) || !email.contains('@') {
        return Err(FORM);
    }
    Ok(Author { name: name.to_owned(), email: email.to_owned() })
}

fn check_registry_key(text: &str) -> Result<String, &'static str> {
    let is_path = text.split('.').all(|word| !word.is_empty() && !word.contains(|c: char| c.is_whitespace() || c.is_control()));
    if is_path { Ok(text.to_owned()) } else { Err("a path is written with dots between its keys, as in `global.imageRegistry`") }
}

/// Checks a branch's name (git-check-ref-format).
fn check_branch(text: &str) -> Result<String, &'static str> {
    if text.starts_with("refs/") {
        return Err("a branch is named without `refs/heads/` in front");
    }
    let bad = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    if text.contains(bad) || text.contains("..") || text.contains("@{") || text == "@" || text.starts_with('-') || text.ends_with('.') {
        return Err("this is no name that Git allows for a branch");
    }
    if text.split('/').all(component) { Ok(text.to_owned()) } else { Err("this is no name that Git allows for a branch") }
}

/// Reads a remote; a credential in it is a secret in the policy file.
fn remote(url: &Located<String>, context: &mut Context<'_>) -> Option<environment::RemoteUrl> {
    if let Some(credential) = credential(&url.value) {
        let part = context.part(url.at, &url.value, &credential);
        context.conceal(part);
        let help = Some("leave it out of the URL and give it as `auth`".to_owned());
        return context.mistake(url.at, "a credential is never written in the policy file", help);
    }
    if let Some(query) = url.value.find('?') {
        let part = context.part(url.at, &url.value, &(query + 1..url.value.len()));
        context.conceal(part);
    }
    let remote = parsed(url, environment::RemoteUrl::parse, context)?;
    if url.value.starts_with('.') { from_folder(url, context) } else { Some(remote) }
}

/// Reads a relative local path, which starts from the folder of the file it is written in.
fn from_folder(url: &Located<String>, context: &mut Context<'_>) -> Option<environment::RemoteUrl> {
    let path = context.folder(url.at).join(&url.value);
    // Without the dots in between; a relative path keeps one in front, by which it is known as a path.
    let path: PathBuf = path.components().collect();
    let path = if path.is_absolute() || path.starts_with(".") || path.starts_with("..") { path } else { Path::new(".").join(path) };
    match path.to_str().map(environment::RemoteUrl::parse) {
        Some(Ok(remote)) => Some(remote),
        Some(Err(error)) => context.mistake(url.at, format!("the path from this file's folder cannot be used: {error}"), None),
        None => context.mistake(url.at, "the path of this file's folder is no UTF-8", None),
    }
}

/// Finds a credential in a remote: a password in front of any host, or anything in front of one that is reached over http.
fn credential(url: &str) -> Option<Range<usize>> {
    let (start, http) = match url.split_once("://") {
        Some((scheme, _)) => (scheme.len() + 3, scheme.to_ascii_lowercase().starts_with("http")),
        None if url.starts_with(['/', '.', '~']) => return None,
        None => (0, false),
    };
    // A password may hold a slash that it should not; up to the last `@` is too much rather than too little.
    let end = start + url[start..].rfind('@')?;
    let found = &url[start..end];
    let host_is_before = found.contains('/') && !found.contains(':');
    (found.contains(':') || http && !host_is_before).then_some(start..end)
}

/// Checks that the credential is of a kind that the remote can be given.
fn check_auth(url: &Located<String>, auth: &environment::Auth, keys: &mut Keys<'_, '_, '_>) {
    let url = url.value.to_ascii_lowercase();
    let http = url.starts_with("http://") || url.starts_with("https://");
    match auth {
        environment::Auth::Ssh { .. } if http => {
            keys.mistake::<()>("auth", "`ssh_key` is of no use with an http URL", Some("give `username` and `password`".to_owned()));
        }
        environment::Auth::Basic { .. } if !http => {
            keys.mistake::<()>("auth", "`username` and `password` are of use with an http URL only", None);
        }
        _ => {}
    }
}

/// Checks the name of an environment, by which folders are called, or of a webhook, which is part of a URL.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > 64 || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(good) {
        return Err("a name has up to 64 letters, digits, `-`, `_` and `.`, a letter or digit first");
    }
    Ok(())
}

/// Checks the environments against each other.
pub(super) fn environments(
    named: Vec<(Located<String>, Option<Environment>)>,
    files: &Files,
    context: &mut Context<'_>,
) -> Vec<EnvironmentConfig> {
    let mut places: BTreeMap<Place, String> = BTreeMap::new();
    let mut configs = Vec::new();
    for (name, environment) in named {
        parsed(&name, check_name, context);
        let Some(Environment { place, paths, registry_keys, git }) = environment else { continue };
        if let Some((url, place)) = place {
            if let Some(first) = places.get(&place) {
                let help = "give each its own `paths`, or use one environment for both";
                let message = format!("environment `{}` has the same URL, branch and paths", printable(first));
                context.mistake::<()>(url, message, Some(help.to_owned()));
            } else {
                places.insert(place, name.value.clone());
            }
        }
        let formats = files.formats(Some(&name.value));
        configs.extend(git.map(|git| EnvironmentConfig { name: name.value, paths, formats, registry_keys, git }));
    }
    configs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_in_a_remote_is_found() {
        for (url, found) in [
            ("https://git.example.com/a.git", None),
            ("https://git.example.com/a@b.git", None),
            ("https://token@git.example.com/a.git", Some("token")),
            ("https://bot:hun/ter2@git.example.com/a.git", Some("bot:hun/ter2")),
            ("HTTP://b:@x", Some("b:")),
            ("ssh://git@git.example.com/a.git", None),
            ("ssh://git:hunter2@git.example.com/a.git", Some("git:hunter2")),
            ("git@git.example.com:acme/a.git", None),
            ("bot:hunter2@git.example.com:acme/a.git", Some("bot:hunter2")),
            ("/srv/a:b@c.git", None),
            ("./a", None),
        ] {
            assert_eq!(credential(url).map(|range| &url[range]), found, "{url}");
        }
    }

    #[test]
    fn authors() {
        let author = parse_author("Tagboat Bot <tagboat@example.com>").unwrap();
        assert_eq!((author.name.as_str(), author.email.as_str()), ("Tagboat Bot", "tagboat@example.com"));
        for bad in ["", "Tagboat", "<a@b>", "A <>", "A <a b@c>", "A <a@b> x", "A <a@b", "A\n <a@b>", "A <a<@b>"] {
            assert!(parse_author(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn branches() {
        for good in ["main", "release/1.x", "feature_@x"] {
            assert_eq!(check_branch(good).as_deref(), Ok(good));
        }
        for bad in
            ["refs/heads/main", "a b", "a..b", "-a", "/a", "a/", "a//b", "a.lock", ".a", "a/.b", "a~1", "a^", "a:b", "@", "a@{b", "a."]
        {
            assert!(check_branch(bad).is_err(), "{bad}");
        }
    }
}
