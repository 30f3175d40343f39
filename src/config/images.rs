//! `[[image]]`: which repositories follow which policy, and where.

use std::collections::BTreeMap;
use std::time::Duration;

use super::read::{Context, Keys, Located, ReadTable, describe, printable, suggest};
use super::values::{Interval, PathList, parsed};
use crate::engine::ImageRule;
use crate::image::{Reference, Repository, RepositoryPattern};
use crate::policy::Policy;

/// An image rule, as far as it could be read.
pub(super) struct Image {
    pub(super) repository: Option<RepositoryPattern>,
    policy: Option<Policy>,
    /// Empty means all.
    pub(super) environments: Vec<Located<String>>,
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
        self.repository.as_ref().map(|repository| (repository.to_string(), environments, self.written_paths()))
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
