//! The policy file: from text to the modules' own `Config` types, with all mistakes at once.
//!
//! Owns the file's keys and what they mean, the layers (built-in defaults, files, environment variables),
//! the report of mistakes and the JSON Schema. Hides TOML: no other module knows what the file looks like.
//! What a range, a pattern or a URL may be is not decided here but by the modules that use them; their
//! errors are brought to the line and column they are about.

mod clouds;
mod environments;
mod files;
mod hints;
mod hosts;
mod images;
mod layers;
mod policy;
mod read;
mod report;
mod schema;
mod secrets;
mod source;
mod tables;
mod values;
mod webhooks;

pub use report::{Mistake, Position, Report};
pub use schema::schema;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::image::{Registry, RepositoryPattern};
use crate::manifest::Formats;
use crate::registry::EnvironmentProxies;
use crate::{engine, http, registry, telemetry};
use source::{Node, Source, Span, Value};

/// All that the policy file says, checked and in the modules' own types.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is watched and where it is written.
    pub engine: engine::Config,
    /// How registries are reached.
    pub registry: registry::Config,
    /// Where health and metrics are served, and who may send push events.
    pub http: http::Config,
    /// How logs are written.
    pub telemetry: telemetry::Config,
    formats: Formats,
    hints: Vec<String>,
}

/// Environment variables by name; its `Debug` shows no values, since secrets are among them.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Takes variables as the process has them (`std::env::vars_os`) or as a test gives them; those that are no UTF-8 are left out.
impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let text = |(name, value): (N, V)| Some((name.into().into_string().ok()?, value.into().into_string().ok()?));
        Self(variables.into_iter().filter_map(text).collect())
    }
}

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Reads the policy file (or every `*.toml` of a directory, in name order), with defaults below and the environment above.
///
/// Looks at nothing but the files and the given variables; contacts nobody.
///
/// # Errors
/// All mistakes at once.
pub fn load(path: &Path, variables: &Variables) -> Result<Settings, Report> {
    settings(layers::read(path)?, variables, Presence::Demanded)
}

/// As [`load`], but for those who need few of the secrets or none, such as a look at a checkout on a developer's machine:
/// secrets, keys and certificates that the policy file names need not be there. Whoever does need one is told at its first use.
///
/// # Errors
/// All other mistakes at once.
pub fn load_without_secrets(path: &Path, variables: &Variables) -> Result<Settings, Report> {
    settings(layers::read(path)?, variables, Presence::Deferred)
}

/// Whether what the policy file names beside itself (secrets, keys, certificates) has to be there already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Demanded,
    Deferred,
}

/// Reads a policy file that is at hand as text; relative paths in it start from the current directory.
///
/// # Errors
/// All mistakes at once, under the name given.
pub fn load_str(name: &str, text: &str, variables: &Variables) -> Result<Settings, Report> {
    settings(vec![Source::new(name.to_owned(), text.to_owned(), Path::new(""))], variables, Presence::Demanded)
}

/// As [`load_str`], without the secrets, keys and certificates that the text names, as in [`load_without_secrets`].
///
/// # Errors
/// All other mistakes at once, under the name given.
pub fn load_str_without_secrets(name: &str, text: &str, variables: &Variables) -> Result<Settings, Report> {
    settings(vec![Source::new(name.to_owned(), text.to_owned(), Path::new(""))], variables, Presence::Deferred)
}

fn settings(mut sources: Vec<Source>, variables: &Variables, presence: Presence) -> Result<Settings, Report> {
    let (table, findings) = layers::join(&mut sources, variables)?;
    let mut context = read::Context::new(&sources, variables, presence);
    findings.into_iter().for_each(|finding| finding.tell(&mut context));
    let whole = Node { at: Span { source: 0, start: 0, end: 0 }, value: Value::Table(table) };
    let root = <tables::Root as read::Read>::read(&whole, &mut context);
    let settings = root.and_then(|root| assemble(root, &mut context));
    context.finish()?;
    // Without a mistake there are settings; if not, that is to be seen.
    settings.ok_or_else(|| Report::new(vec![Mistake::of_file("", "the settings were lost without a reason".to_owned(), None)]))
}

/// Puts the tables together, and checks what only shows when all of them are there.
fn assemble(root: tables::Root, context: &mut read::Context<'_>) -> Option<Settings> {
    let names: Vec<String> = root.environments.iter().map(|(name, _)| name.value.clone()).collect();
    let (speaks_of_images, speaks_of_environments) = root.speaks_of;
    let file = context.sources.first().map(|source| source.name.clone()).unwrap_or_default();
    if !speaks_of_images {
        let help = "add one: [[image]] with a `repository`".to_owned();
        context.mistake_of_file(&file, "there is no `[[image]]`, so nothing would be watched", Some(help));
    }
    if !speaks_of_environments || names.is_empty() {
        let help = "add one: [environment.NAME] with a `url`".to_owned();
        context.mistake_of_file(&file, "there is no `[environment.NAME]`, so nothing could be written", Some(help));
    }
    let listens = root.watch.as_ref().is_none_or(|watch| watch.http.listen.is_some());
    if let Some((first, _)) = root.webhooks.first().filter(|_| !listens) {
        let help = "set `listen` in [watch], such as \"0.0.0.0:8080\"".to_owned();
        context.mistake::<()>(first.at, "there is a webhook, but `listen` is \"off\", so nothing can be sent to it", Some(help));
    }
    let webhooks = webhooks::webhooks(root.webhooks, context);
    let hosts = hosts::registries(root.registries, context);
    let files = files::Files::new(root.files.unwrap_or_default(), &names, context);
    let environments = environments::environments(root.environments, &files, context);
    let images = root.images.unwrap_or_default();
    let mut hints = hints::unreachable(&images, &names, context);
    hints.extend(hints::unknown_authors(&environments));
    let images = images::images(images, &names, context);
    let watch = root.watch?;
    let proxies = EnvironmentProxies::read(|name| context.variables.get(name));
    let proxies = match proxies {
        Ok(proxies) => proxies,
        Err((variable, reason)) => {
            context.mistake_of_file(variable, reason.to_string(), Some("set it right, or not at all".to_owned()));
            return None;
        }
    };
    let docker_config = watch.docker_config.or_else(|| docker_config(context.variables));
    Some(Settings {
        engine: engine::Config { interval: watch.interval, state_dir: watch.state_dir, environments, images },
        registry: registry::Config { hosts, docker_config, proxies, ..registry::Config::default() },
        http: http::Config { webhooks, ..watch.http },
        telemetry: watch.telemetry,
        formats: files.formats(None),
        hints,
    })
}

/// Returns how registries are reached without a policy file: as a policy file that names none of them would have it.
///
/// # Errors
/// If a proxy that the environment names is no proxy, with the variable's name and the reason.
pub fn registries_without_a_file(variables: &Variables) -> Result<registry::Config, String> {
    let proxies = EnvironmentProxies::read(|name| variables.get(name)).map_err(|(variable, reason)| format!("{variable}: {reason}"))?;
    Ok(registry::Config { docker_config: docker_config(variables), proxies, ..registry::Config::default() })
}

/// Finds Docker's config file where Docker does.
fn docker_config(variables: &Variables) -> Option<PathBuf> {
    let set = |name| variables.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("DOCKER_CONFIG").or_else(|| set("HOME").map(|home| home.join(".docker")))?;
    Some(folder.join("config.json")).filter(|file| file.is_file())
}

impl Settings {
    /// Says what is no mistake, yet most likely not what was meant: one sentence each, without a full stop.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        self.hints.clone()
    }

    /// Returns how files are read that belong to no environment, such as a directory's: with the searches of all environments.
    #[must_use]
    pub fn formats(&self) -> &Formats {
        &self.formats
    }

    /// Says in a few words what is configured: `3 images, 2 environments, 1 registry`.
    #[must_use]
    pub fn summary(&self) -> String {
        let count = |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
        let used = self.engine.images.iter().filter_map(|image| match &image.repository {
            RepositoryPattern::One(repository) => Some(repository.registry()),
            RepositoryPattern::Many { .. } => None,
        });
        let webhooks = self.http.webhooks.len();
        let registries: BTreeSet<&Registry> = self.registry.hosts.keys().chain(used).collect();
        let mut parts = vec![
            count(self.engine.images.len(), "image", "images"),
            count(self.engine.environments.len(), "environment", "environments"),
            count(registries.len(), "registry", "registries"),
        ];
        parts.extend((webhooks > 0).then(|| count(webhooks, "webhook", "webhooks")));
        parts.join(", ")
    }
}
