//! Which rule of the policy file a site follows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::{EnvironmentConfig, ImageRule};
use crate::image::{Repository, RepositoryPattern, Tag};
use crate::manifest::{Named, Site, Watch};
use crate::policy::Policy;

/// The `[[image]]` rules of a policy file.
#[derive(Debug, Default)]
pub struct Rules {
    images: Vec<ImageRule>,
    interval: Duration,
    /// The rules that name one repository, by it.
    exact: HashMap<Repository, Vec<usize>>,
    /// The rules with a pattern.
    patterns: Vec<usize>,
}

impl Rules {
    /// Takes the rules in the policy file's order, and the interval for those without one.
    #[must_use]
    pub fn new(images: Vec<ImageRule>, interval: Duration) -> Self {
        let mut exact: HashMap<Repository, Vec<usize>> = HashMap::new();
        let mut patterns = Vec::new();
        for (index, rule) in images.iter().enumerate() {
            match &rule.repository {
                RepositoryPattern::One(repository) => exact.entry(repository.clone()).or_default().push(index),
                RepositoryPattern::Many { .. } => patterns.push(index),
            }
        }
        Self { images, interval, exact, patterns }
    }

    /// Visits the rules that cover a repository, those that name it before those whose pattern covers it, each in the file's order.
    fn covering<'a>(&'a self, repository: &Repository) -> impl Iterator<Item = (usize, &'a ImageRule)> {
        let exact = self.exact.get(repository).into_iter().flatten();
        let patterns = self.patterns.iter().filter(|index| self.images[**index].repository.matches(repository));
        exact.chain(patterns).map(|index| (*index, &self.images[*index]))
    }

    /// Returns the rule for a site of a file of an environment, and its index: the first that covers it.
    ///
    /// A site with a marker follows rules with that marker only, and other sites follow rules without one only.
    #[must_use]
    pub fn find(&self, environment: &EnvironmentConfig, path: &str, site: &Site) -> Option<(usize, &ImageRule)> {
        self.following(site)
            .find(|(_, rule)| rule.applies_to(&environment.name) && rule.paths.as_ref().unwrap_or(&environment.paths).accept(path))
    }

    /// Returns the first rule that covers a site, wherever it is.
    #[must_use]
    pub fn find_anywhere(&self, site: &Site) -> Option<&ImageRule> {
        self.following(site).next().map(|(_, rule)| rule)
    }

    /// Visits the rules that a site may follow.
    fn following<'a>(&'a self, site: &Site) -> impl Iterator<Item = (usize, &'a ImageRule)> {
        self.covering(&site.repository).filter(|(_, rule)| match (&rule.marker, &site.marker) {
            (None, None) => true,
            (Some(bound), Some(marker)) => *bound.policy == *marker.policy,
            _ => false,
        })
    }

    /// Returns the first rule that covers a repository anywhere, for commands that have no site.
    #[must_use]
    pub fn find_by_repository(&self, repository: &Repository) -> Option<&ImageRule> {
        self.covering(repository).next().map(|(_, rule)| rule)
    }

    /// Says whether any rule looks at a file of an environment.
    #[must_use]
    pub fn look_at(&self, environment: &EnvironmentConfig, path: &str) -> bool {
        let own_paths = self.images.iter().filter(|rule| rule.applies_to(&environment.name)).filter_map(|rule| rule.paths.as_ref());
        environment.paths.accept(path) || own_paths.into_iter().any(|paths| paths.accept(path))
    }

    /// Returns what to look for in an environment's files.
    #[must_use]
    pub fn watch(&self, environment: &EnvironmentConfig) -> Watch {
        watch(self.images.iter().filter(|rule| rule.applies_to(&environment.name))).with_registry_keys(environment.registry_keys.clone())
    }

    /// Returns what to look for where no environment is known.
    #[must_use]
    pub fn watch_anywhere(&self) -> Watch {
        watch(self.images.iter())
    }

    /// Returns how often a repository is listed: as often as the most eager rule that covers it says.
    #[must_use]
    pub fn interval(&self, repository: &Repository) -> Duration {
        self.covering(repository).map(|(_, rule)| rule.interval.unwrap_or(self.interval)).min().unwrap_or(self.interval)
    }

    /// Visits the tags of a repository that any rule follows by digest.
    pub(super) fn followed<'a>(&'a self, repository: &Repository) -> impl Iterator<Item = &'a Tag> {
        self.covering(repository).filter_map(|(_, rule)| rule.policy.follows())
    }

    /// Returns the policy of a rule that [`Rules::find`] named.
    pub(super) fn policy(&self, index: usize) -> &Policy {
        &self.images[index].policy
    }

    /// Visits the rules in the policy file's order.
    pub fn iter(&self) -> impl Iterator<Item = &ImageRule> {
        self.images.iter()
    }
}

fn watch<'a>(rules: impl Iterator<Item = &'a ImageRule> + Clone) -> Watch {
    let named = |rule: &ImageRule| {
        let (RepositoryPattern::One(repository), Some(bound)) = (&rule.repository, &rule.marker) else { return None };
        Some((Arc::clone(&bound.policy), Named { repository: repository.clone(), written: bound.written.clone() }))
    };
    let mut bound = BTreeMap::new();
    for (policy, named) in rules.clone().filter_map(named) {
        bound.entry(policy).or_insert(named);
    }
    Watch::new(&rules.map(|rule| rule.repository.clone()).collect::<Vec<_>>()).with_markers(bound)
}

impl ImageRule {
    fn applies_to(&self, environment: &str) -> bool {
        self.environments.is_empty() || self.environments.iter().any(|name| name == environment)
    }
}
