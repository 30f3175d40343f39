//! The tables of the policy file: their keys, what they mean, and the types they become.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::read::{Context, Keys, Located, Named, Read, ReadTable, describe, printable, suggest};
use super::source::Node;
use super::values::{Choice, DAY, ExistingFile, FilePath, HOUR, Listen, LogLevel, OneOf, Rate, SECOND, Wait, Whole, parsed};
use crate::engine::{EnvironmentConfig, ImageRule};
use crate::environment::{self, Author, Paths};
use crate::image::{Reference, Registry, Repository, RepositoryPattern};
use crate::policy::Policy;
use crate::{http, registry, telemetry};

/// How often a repository may be listed.
type Interval = Wait<10, { 365 * DAY }>;
/// How long a request, a fetch or a push may take.
type Timeout = Wait<SECOND, HOUR>;

/// The whole file.
pub(super) struct Root {
    pub(super) watch: Option<Watch>,
    pub(super) registries: Vec<(Located<String>, Option<registry::Host>)>,
    pub(super) environments: Vec<(Located<String>, Option<Environment>)>,
    pub(super) images: Option<Vec<Located<Image>>>,
    /// Whether the file speaks of images and environments at all.
    pub(super) speaks_of: (bool, bool),
}

impl ReadTable for Root {
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let watch = keys.optional("watch", "The daemon itself.", r#"{ interval = "5m" }"#);
        let registries = keys.optional::<Named<registry::Host>>(
            "registry",
            "How registries are reached, by host. A host that is not named is used anonymously or through Docker's config file.",
            r#"{ "ghcr.io" = { rate = "20/s" } }"#,
        );
        let environments = keys.optional::<Named<Environment>>(
            "environment",
            "The Git environment repositories, by a name of yours.",
            r#"{ prod = { url = "https://git.example.com/acme/environments.git" } }"#,
        );
        let images = keys.optional(
            "image",
            "Which repositories are watched, and how their tags are chosen. The first rule that covers a site decides.",
            r#"[{ repository = "ghcr.io/acme/api", policy = { semver = "^1.4" } }]"#,
        );
        Some(Self {
            watch,
            registries: registries.map(|named| named.0).unwrap_or_default(),
            environments: environments.map(|named| named.0).unwrap_or_default(),
            images,
            speaks_of: (keys.has("image"), keys.has("environment")),
        })
    }
}

/// The daemon's own settings; the defaults layer sees to it that those without a question mark are there.
pub(super) struct Watch {
    pub(super) interval: Duration,
    pub(super) state_dir: PathBuf,
    pub(super) http: http::Config,
    pub(super) docker_config: Option<PathBuf>,
    pub(super) telemetry: telemetry::Config,
}

impl ReadTable for Watch {
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let interval = keys.optional::<Interval>(
            "interval",
            "How often each repository is listed, give or take some jitter. Default: \"5m\".",
            r#""5m""#,
        );
        let state_dir = keys.optional::<FilePath>(
            "state_dir",
            "Where bare clones and the state file are kept; caches, safe to delete. Default: \"/var/lib/tagboat\".",
            r#""/var/lib/tagboat""#,
        );
        let listen = keys.optional::<Listen>(
            "listen",
            "The address and port for health, metrics, status and webhooks. Default: \"off\".",
            r#""0.0.0.0:8080""#,
        );
        let docker_config = keys.optional::<ExistingFile>(
            "docker_config",
            "Docker's config file, for the credentials of registries without `auth`. \
             Default: config.json in $DOCKER_CONFIG or ~/.docker, if it is there.",
            r#""/run/secrets/docker/config.json""#,
        );
        let log = keys.optional::<OneOf<telemetry::Format>>(
            "log",
            "The form of log lines: \"text\" for people (the default) or \"json\" for machines.",
            r#""json""#,
        );
        let log_level = keys.optional::<LogLevel>(
            "log_level",
            "Which log lines are written: a level, or levels by module. Default: \"info\".",
            r#""info,tagboat::registry=debug""#,
        );
        Some(Self {
            interval: interval?.0,
            state_dir: state_dir?.0,
            http: http::Config { listen: listen?.0 },
            docker_config: docker_config.map(|file| file.0),
            telemetry: telemetry::Config { format: log?.0, filter: log_level?.0 },
        })
    }
}

impl Choice for telemetry::Format {
    const CHOICES: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl ReadTable for registry::Host {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let default = Self::default();
        let auth = keys.optional("auth", "The credential.", r#"{ username = "bot", password = { file = "/run/secrets/ghcr" } }"#);
        let concurrency = keys.optional::<Whole<1, 256>>("concurrency", "Requests in flight at once. Default: 8.", "8");
        let rate = keys.optional::<Rate>("rate", "How many requests may be sent in a time. Default: no limit of ours.", r#""20/s""#);
        let plain_http = keys.optional("plain_http", "Speak HTTP without TLS; credentials travel in the clear.", "true");
        let ca_file = keys.optional::<ExistingFile>(
            "ca_file",
            "A PEM file of certificate authorities that are trusted beside the system's.",
            r#""/etc/tagboat/ca.pem""#,
        );
        let timeout = keys.optional::<Timeout>("timeout", "The deadline of one request. Default: \"30s\".", r#""30s""#);
        let token_hosts = keys.optional::<Vec<Host>>(
            "token_hosts",
            "Further hosts that may be sent the credential in exchange for a token.",
            r#"["auth.example.com"]"#,
        );
        if plain_http == Some(true) && ca_file.is_some() {
            return keys.mistake("ca_file", "`ca_file` is of no use with `plain_http = true`", None);
        }
        Some(Self {
            auth,
            plain_http: plain_http.unwrap_or(default.plain_http),
            ca_file: ca_file.map(|file| file.0),
            concurrency: concurrency.map_or(default.concurrency, |number| number.0 as usize),
            rate: rate.map(|rate| rate.0),
            timeout: timeout.map_or(default.timeout, |timeout| timeout.0),
            token_hosts: token_hosts.into_iter().flatten().map(|host| host.0).collect(),
        })
    }
}

/// A host with an optional port, in lower case.
struct Host(String);

impl Read for Host {
    fn schema() -> serde_json::Value {
        String::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let text = Located::<String>::read(node, context)?;
        parsed(&text, Registry::parse, context).map(|_| Self(text.value.to_ascii_lowercase()))
    }
}

/// An environment, as far as it could be read, with what is needed to tell two of them apart.
pub(super) struct Environment {
    url: Option<Located<String>>,
    branch: Option<String>,
    paths: Paths,
    git: Option<environment::Config>,
}

impl ReadTable for Environment {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let url = keys.required::<Located<String>>(
            "url",
            "Where the Git repository is: https, ssh, git@host:path or a local path.",
            r#""https://git.example.com/acme/environments.git""#,
        );
        let branch = keys.optional::<Located<String>>("branch", "The branch. Default: the remote's HEAD.", r#""main""#);
        let paths = keys.optional::<PathList>(
            "paths",
            "Which files are looked at; the last pattern that matches decides, `!` takes out. Default: all.",
            r#"["clusters/prod/**", "!**/vendor/**"]"#,
        );
        let auth = keys.optional("auth", "The credential.", r#"{ username = "bot", password = { env = "GIT_TOKEN" } }"#);
        let author = keys.optional::<Located<String>>(
            "author",
            "Who commits. Default: \"Tagboat <tagboat@localhost>\".",
            r#""Tagboat <tagboat@example.com>""#,
        );
        let ca_file = keys.optional::<ExistingFile>(
            "ca_file",
            "A PEM file of certificate authorities that are trusted beside the system's.",
            r#""/etc/tagboat/ca.pem""#,
        );
        let timeout = keys.optional::<Timeout>("timeout", "The deadline of one fetch or push. Default: \"2m\".", r#""2m""#);
        let history = keys.optional::<Whole<1, 100_000>>(
            "history",
            "How many commits are looked at for versions that someone took out again. Default: 200.",
            "200",
        );
        let context = &mut *keys.context;
        let branch = branch.and_then(|branch| parsed(&branch, check_branch, context));
        let author = author.map_or_else(|| Some(default_author()), |author| parsed(&author, parse_author, context));
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
        Some(Self { url, branch, paths: paths.map(|paths| paths.compiled).unwrap_or_default(), git })
    }
}

/// Path patterns, as written and compiled.
struct PathList {
    written: Vec<String>,
    compiled: Paths,
}

impl Read for PathList {
    fn schema() -> serde_json::Value {
        <Vec<String> as Read>::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let patterns = <Vec<Located<String>> as Read>::read(node, context)?;
        let written: Vec<String> = patterns.iter().map(|pattern| pattern.value.clone()).collect();
        match Paths::new(&written) {
            Ok(compiled) => Some(Self { written, compiled }),
            Err(_) => {
                // One by one, so that each that is wrong is found.
                patterns.iter().for_each(|pattern| drop(parsed(pattern, |text| Paths::new(&[text]), context)));
                None
            }
        }
    }
}

fn default_author() -> Author {
    Author { name: "Tagboat".to_owned(), email: "tagboat@localhost".to_owned() }
}

fn parse_author(text: &str) -> Result<Author, &'static str> {
    const FORM: &str = "an author is written \"Name <name@example.com>\"";
    let (name, rest) = text.split_once('<').ok_or(FORM)?;
    let (name, email) = (name.trim(), rest.trim_end().strip_suffix('>').ok_or(FORM)?);
    let clean = |text: &str| !text.is_empty() && !text.contains(['<', '>']) && !text.contains(char::is_control);
    if !clean(name) || !clean(email) || email.contains(char::is_whitespace) || !email.contains('@') {
        return Err(FORM);
    }
    Ok(Author { name: name.to_owned(), email: email.to_owned() })
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
    if let Some((scheme, rest)) = url.value.split_once("://") {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
        if let Some((user, _)) = authority.rsplit_once('@')
            && (user.contains(':') || scheme.to_ascii_lowercase().starts_with("http"))
        {
            context.conceal(url.at);
            let help = Some("leave it out of the URL and give it as `auth`".to_owned());
            return context.mistake(url.at, "a credential is never written in the policy file", help);
        }
    }
    parsed(url, environment::RemoteUrl::parse, context)
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

/// An image rule, as far as it could be read.
pub(super) struct Image {
    repository: Option<RepositoryPattern>,
    policy: Option<Policy>,
    environments: Vec<Located<String>>,
    paths: Option<PathList>,
    interval: Option<Duration>,
}

impl ReadTable for Image {
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let repository = keys.required::<Located<String>>(
            "repository",
            "The repository, or a pattern of repositories: `*` within a component, `**` across components.",
            r#""ghcr.io/acme/api""#,
        );
        let policy = keys.optional::<Policy>(
            "policy",
            "How a tag is chosen: one order and any conditions. Default: { update = \"minor\" }.",
            r#"{ semver = "^1.4" }"#,
        );
        let environments = keys.optional::<Vec<Located<String>>>("environments", "In which environments. Default: all.", r#"["prod"]"#);
        let paths = keys.optional::<PathList>(
            "paths",
            "In which files. Default: all that the environment looks at.",
            r#"["clusters/prod/api/**"]"#,
        );
        let interval = keys.optional::<Interval>("interval", "How often the repository is listed, if not as `watch` says.", r#""1h""#);
        Some(Self {
            repository: repository.and_then(|text| pattern(&text, keys.context)),
            policy: if keys.has("policy") { policy } else { default_policy() },
            environments: environments.unwrap_or_default(),
            paths,
            interval: interval.map(|interval| interval.0),
        })
    }

    fn misplaced(key: &str) -> Option<&'static str> {
        describe::<Policy>().0.iter().any(|known| known.name == key).then_some("the policy: policy = { … }")
    }
}

impl Image {
    /// What two rules must not have in common.
    fn scope(&self) -> Option<(String, Vec<&str>, &[String])> {
        let mut environments: Vec<&str> = self.environments.iter().map(|name| name.value.as_str()).collect();
        environments.sort_unstable();
        let paths = self.paths.as_ref().map_or(&[][..], |paths| paths.written.as_slice());
        self.repository.as_ref().map(|repository| (repository.to_string(), environments, paths))
    }

    fn rule(self) -> Option<ImageRule> {
        Some(ImageRule {
            repository: self.repository?,
            policy: self.policy?,
            environments: self.environments.into_iter().map(|name| name.value).collect(),
            paths: self.paths.map(|paths| paths.compiled),
            interval: self.interval,
        })
    }
}

fn default_policy() -> Option<Policy> {
    // The default is known to be sound; were it not, reading would fail and not choose at random.
    Policy::new(crate::policy::Config::default()).ok()
}

fn pattern(text: &Located<String>, context: &mut Context<'_>) -> Option<RepositoryPattern> {
    let written = text.value.as_str();
    if let Some((_, rest)) = written.split_once("://") {
        let help = Some(format!("leave the scheme out: \"{}\"", printable(rest)));
        return context.mistake(text.at, "a repository is written without a scheme", help);
    }
    if Repository::parse(written).is_err()
        && let Ok(reference) = Reference::parse(written)
    {
        let end = written.len() - written.find('@').map_or(0, |at| written.len() - at);
        let end = if reference.tag().is_some() { written[..end].rfind(':').unwrap_or(end) } else { end };
        let help = Some(format!("leave the tag out, the policy chooses it: \"{}\"", &written[..end]));
        return context.mistake(text.at, "a repository is written without a tag or digest", help);
    }
    parsed(text, RepositoryPattern::parse, context)
}

/// Checks the name of an environment; folders are called by it.
fn check_name(name: &str) -> Result<(), &'static str> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.len() > 64 || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(good) {
        return Err("a name has up to 64 letters, digits, `-`, `_` and `.`, a letter or digit first");
    }
    Ok(())
}

/// Brings the registries under their canonical hosts.
pub(super) fn registries(
    named: Vec<(Located<String>, Option<registry::Host>)>,
    context: &mut Context<'_>,
) -> BTreeMap<Registry, registry::Host> {
    let mut hosts = BTreeMap::new();
    let mut places: BTreeMap<Registry, Located<String>> = BTreeMap::new();
    for (name, host) in named {
        let Some(key) = parsed(&name, Registry::parse, context) else { continue };
        if let Some(first) = places.get(&key) {
            let message = format!("this is the same registry as `{}`", first.value);
            context.mistake::<()>(name.at, message, None);
        }
        if let Some(host) = host {
            hosts.insert(key.clone(), host);
        }
        places.insert(key, name);
    }
    hosts
}

/// Checks the environments against each other.
pub(super) fn environments(named: Vec<(Located<String>, Option<Environment>)>, context: &mut Context<'_>) -> Vec<EnvironmentConfig> {
    let mut places: BTreeMap<(String, Option<String>), String> = BTreeMap::new();
    let mut configs = Vec::new();
    for (name, environment) in named {
        parsed(&name, check_name, context);
        let Some(Environment { url, branch, paths, git }) = environment else { continue };
        if let Some(url) = url {
            let place = (url.value.trim_end_matches('/').trim_end_matches(".git").to_owned(), branch);
            if let Some(first) = places.insert(place, name.value.clone()) {
                let help = "use one environment for both, and `paths` of the images to tell its folders apart";
                context.mistake::<()>(url.at, format!("environment `{first}` has the same URL and branch"), Some(help.to_owned()));
            }
        }
        configs.extend(git.map(|git| EnvironmentConfig { name: name.value, paths, git }));
    }
    configs
}

/// Checks the images against each other and against the names of the environments.
pub(super) fn images(images: Vec<Located<Image>>, names: &[String], context: &mut Context<'_>) -> Vec<ImageRule> {
    let mut places = BTreeMap::new();
    for Located { value: image, at } in &images {
        for name in image.environments.iter().filter(|name| !names.contains(&name.value)) {
            let help = suggest(&name.value, names.iter().map(String::as_str));
            context.mistake::<()>(name.at, format!("there is no environment `{}`", printable(&name.value)), help);
        }
        let Some(scope) = image.scope() else { continue };
        if let Some(first) = places.get(&scope) {
            let message = format!("`{}` has a rule for the same environments and paths already", scope.0);
            let help = Some(format!("the first one is at {}", context.describe(*first)));
            context.mistake::<()>(*at, message, help);
        } else {
            places.insert(scope, *at);
        }
    }
    images.into_iter().filter_map(|image| image.value.rule()).collect()
}
