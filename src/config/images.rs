//! `[[image]]`: which repositories follow which policy, and where.

use std::collections::BTreeMap;
use std::time::Duration;

use super::read::{Context, Keys, Located, ReadTable, describe, printable, suggest};
use super::values::{Interval, PathList, parsed};
use crate::engine::{BoundMarker, ImageRule};
use crate::image::{Reference, Repository, RepositoryPattern};
use crate::policy::Policy;

/// An image rule, as far as it could be read.
pub(super) struct Image {
    pub(super) repository: Option<RepositoryPattern>,
    policy: Option<Policy>,
    /// Empty means all.
    pub(super) environments: Vec<Located<String>>,
    paths: Option<PathList>,
    marker: Option<Located<String>>,
    interval: Option<Duration>,
    /// The repository as written.
    written: String,
}

/// The repository, environments, paths and marker of a rule.
type Scope<'a> = (String, Vec<&'a str>, &'a [String], Option<&'a str>);

impl ReadTable for Image {
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let repository = keys.required::<Located<String>>(
            "repository",
            "The repository, or a pattern of repositories: `*` within a component, `**` across components.",
            r#""ghcr.io/acme/api""#,
        );
        let policy = keys.defaulted::<Policy>(
            "policy",
            "How a tag is chosen: one order and any conditions.",
            r#"{ update = "minor" }"#,
            r#"{ semver = "^1.4" }"#,
        );
        let environments = keys.optional::<Vec<Located<String>>>("environments", "In which environments. Default: all.", r#"["prod"]"#);
        let paths = keys.optional::<PathList>(
            "paths",
            "In which files. Default: all that the environment looks at.",
            r#"["clusters/prod/api/**"]"#,
        );
        let marker = keys.optional::<Located<String>>(
            "marker",
            "The policy of Flux's markers, as namespace:name: only values with this marker are written. Default: values without a bound marker.",
            r#""flux-system:api""#,
        );
        let interval = keys.optional::<Interval>("interval", "How often the repository is listed, if not as `watch` says.", r#""1h""#);
        let written = repository.as_ref().map_or_else(String::new, |text| text.value.clone());
        let repository = repository.and_then(|text| pattern(&text, keys.context));
        Some(Self {
            marker: marker.and_then(|text| policy_of(text, repository.as_ref(), keys.context)),
            repository,
            policy: if keys.has("policy") { policy } else { default_policy() },
            environments: environments.unwrap_or_default(),
            paths,
            interval: interval.map(|interval| interval.0),
            written,
        })
    }

    fn misplaced(key: &str) -> Option<&'static str> {
        describe::<Policy>().0.iter().any(|known| known.name == key).then_some("the policy: policy = { … }")
    }
}

impl Image {
    /// What two rules must not have in common.
    fn scope(&self) -> Option<Scope<'_>> {
        let mut environments: Vec<&str> = self.environments.iter().map(|name| name.value.as_str()).collect();
        environments.sort_unstable();
        let marker = self.marker.as_ref().map(|marker| marker.value.as_str());
        self.repository.as_ref().map(|repository| (repository.to_string(), environments, self.written_paths(), marker))
    }

    /// Says whether two rules may be about one environment.
    fn meets(&self, other: &Self) -> bool {
        let name = |environment: &Located<String>| other.environments.iter().any(|name| name.value == environment.value);
        self.environments.is_empty() || other.environments.is_empty() || self.environments.iter().any(name)
    }

    /// The path patterns of its own; none means the environment's.
    pub(super) fn written_paths(&self) -> &[String] {
        self.paths.as_ref().map_or(&[], |paths| &paths.written)
    }

    fn rule(self) -> Option<ImageRule> {
        Some(ImageRule {
            repository: self.repository?,
            policy: self.policy?,
            environments: self.environments.into_iter().map(|name| name.value).collect(),
            paths: self.paths.map(|paths| paths.compiled),
            marker: self.marker.map(|marker| BoundMarker { policy: marker.value.into(), written: self.written }),
            interval: self.interval,
        })
    }
}

/// Checks the policy of a marker.
fn policy_of(text: Located<String>, repository: Option<&RepositoryPattern>, context: &mut Context<'_>) -> Option<Located<String>> {
    let form = || Some("write the namespace and the name of the ImagePolicy: \"flux-system:api\"".to_owned());
    let is_name = |name: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        name.bytes().all(|byte| inner(byte) || byte == b'-' || byte == b'.')
            && name.bytes().next().is_some_and(inner)
            && name.bytes().next_back().is_some_and(inner)
    };
    match text.value.split(':').collect::<Vec<_>>()[..] {
        [namespace, name] if is_name(namespace) && is_name(name) => {}
        [namespace, name, "tag" | "name" | "digest"] if is_name(namespace) && is_name(name) => {
            let help = Some(format!("write \"{namespace}:{name}\"; the manifest says which part is written"));
            return context.mistake(text.at, "a marker is bound without `:tag`, `:name` or `:digest`", help);
        }
        _ => return context.mistake(text.at, format!("`{}` is no policy of a marker", printable(&text.value)), form()),
    }
    if let Some(RepositoryPattern::Many { .. }) = repository {
        let message =
            "a marker goes with one repository, not with a pattern: beside a marked tag no name may stand that tells which is meant";
        return context.mistake(text.at, message, Some("write an [[image]] with a marker for each repository".to_owned()));
    }
    Some(text)
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
    one_repository_a_marker(&images, context);
    images.into_iter().filter_map(|image| image.value.rule()).collect()
}

/// Notes markers that would mean two repositories in one environment.
fn one_repository_a_marker(images: &[Located<Image>], context: &mut Context<'_>) {
    let mut bound: BTreeMap<&str, Vec<&Image>> = BTreeMap::new();
    for Located { value: image, .. } in images {
        let (Some(marker), Some(repository)) = (&image.marker, &image.repository) else { continue };
        let others = bound.entry(&marker.value).or_default();
        let other = others
            .iter()
            .find(|other| other.meets(image) && other.repository.as_ref().map(ToString::to_string) != Some(repository.to_string()));
        if let Some((other, at)) = other.and_then(|other| Some((other.repository.as_ref()?, other.marker.as_ref()?.at))) {
            let message = format!("`{}` means {other} in the same environment already", printable(&marker.value));
            let help = Some(format!("a policy of Flux is about one repository; the first one is at {}", context.describe(at)));
            context.mistake::<()>(marker.at, message, help);
        }
        others.push(image);
    }
}
