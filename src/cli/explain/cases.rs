//! What is explained: each different case in which an image stands in the environments, or one that is only asked about.

use anyhow::bail;

use crate::cli::output::print_classified;
use crate::engine::{self, EnvironmentConfig, ImageRule, Place, Rules};
use crate::environment;
use crate::image::{Digest, Repository, RepositoryPattern, Tag, TagList};
use crate::policy::{Facts, Hold, Question};

/// Places that agree in all that a decision depends on; or none, where the image stands nowhere.
pub(super) struct Case<'a> {
    pub(super) repository: Repository,
    /// The rule that covers the image.
    pub(super) rule: Option<&'a ImageRule>,
    pub(super) current: Option<Tag>,
    /// The digest, where the rule follows one.
    pub(super) digest: Option<Digest>,
    pub(super) hold: Option<Hold>,
    pub(super) places: Vec<Place<'a>>,
}

impl Case<'_> {
    /// Asks what to do in this case.
    pub(super) fn question<'q>(&'q self, tags: &'q TagList, facts: &'q Facts) -> Question<'q> {
        let (current, digest, hold) = (self.current.as_ref(), self.digest.as_ref(), self.hold.as_ref());
        Question { tags, current, digest, hold, facts }
    }
}

/// All cases, and the environments that could not be looked at.
#[derive(Default)]
pub(super) struct Cases<'a> {
    pub(super) cases: Vec<Case<'a>>,
    pub(super) unread: Vec<&'a str>,
}

/// What is asked about.
pub(super) struct Scope<'a> {
    pub(super) wanted: RepositoryPattern,
    pub(super) current: Option<Tag>,
    pub(super) rules: Option<&'a Rules>,
}

impl<'a> Scope<'a> {
    /// Returns the environments to look at: those of that name, if one is given; none if no rule covers the image.
    pub(super) fn environments(&self, all: &'a [EnvironmentConfig], name: Option<&str>) -> anyhow::Result<Vec<&'a EnvironmentConfig>> {
        if let Some(name) = name
            && !all.iter().any(|environment| environment.name == name)
        {
            let known: Vec<&str> = all.iter().map(|environment| environment.name.as_str()).collect();
            match known.as_slice() {
                [] => bail!("there is no environment {name}, as there is no policy file"),
                known => bail!("the policy file has no environment {name}, but {}", known.join(", ")),
            }
        }
        let covered = match &self.wanted {
            RepositoryPattern::One(repository) => self.rules.is_some_and(|rules| rules.find_by_repository(repository).is_some()),
            RepositoryPattern::Many { .. } => true,
        };
        Ok(all.iter().filter(|environment| covered && name.is_none_or(|name| environment.name == name)).collect())
    }

    /// Takes the image as it is asked about, wherever it stands.
    pub(super) fn alone(&self) -> anyhow::Result<Cases<'a>> {
        let RepositoryPattern::One(repository) = &self.wanted else {
            bail!("`{}` is a pattern, and no reference in the environments is known to match it", self.wanted);
        };
        let rule = self.rules.and_then(|rules| rules.find_by_repository(repository));
        let case =
            Case { repository: repository.clone(), rule, current: self.current.clone(), digest: None, hold: None, places: Vec::new() };
        Ok(Cases { cases: vec![case], unread: Vec::new() })
    }

    /// Looks for the image in environments. One that cannot be read is told and passed over.
    pub(super) fn look_at(&self, environments: &[&'a EnvironmentConfig]) -> anyhow::Result<Cases<'a>> {
        let Some(rules) = self.rules.filter(|_| !environments.is_empty()) else { return self.alone() };
        let mut found = Cases::default();
        let mut somewhere = false;
        for (environment, places) in self.places(environments, rules)? {
            match places {
                Ok(places) => {
                    somewhere |= !places.is_empty();
                    let is_asked = |place: &Place<'_>| self.current.is_none() || place.site.tag == self.current;
                    places.into_iter().filter(is_asked).for_each(|place| found.add(place));
                }
                Err(error) => {
                    print_classified(&format!("environment {}: what stands and is held there is not known", environment.name), &error);
                    found.unread.push(&environment.name);
                }
            }
        }
        if found.cases.is_empty() {
            match &self.current {
                _ if !found.unread.is_empty() => {}
                Some(current) if somewhere => {
                    anstream::eprintln!("no reference in the environments has the tag {current}; explained as if one had");
                }
                _ => anstream::eprintln!("no reference in the environments to {}", self.wanted),
            }
            found.cases = self.alone()?.cases;
        }
        Ok(found)
    }

    /// Reads all environments at the same time.
    #[expect(clippy::type_complexity, reason = "it is used once, just above")]
    fn places(
        &self,
        environments: &[&'a EnvironmentConfig],
        rules: &'a Rules,
    ) -> anyhow::Result<Vec<(&'a EnvironmentConfig, Result<Vec<Place<'a>>, environment::Error>)>> {
        let clones = tempfile::Builder::new().prefix("tagboat-explain-").tempdir()?;
        Ok(std::thread::scope(|scope| {
            let look = |(index, environment): (usize, &&'a EnvironmentConfig)| {
                let (environment, dir) = (*environment, clones.path().join(index.to_string()));
                (environment, scope.spawn(move || engine::places(environment, &dir, rules, &self.wanted)))
            };
            let looking: Vec<_> = environments.iter().enumerate().map(look).collect();
            let end = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            looking.into_iter().map(|(environment, thread)| (environment, end(thread))).collect()
        }))
    }
}

impl<'a> Cases<'a> {
    /// Adds a place to the case that it belongs to.
    fn add(&mut self, place: Place<'a>) {
        let digest = place.site.digest.clone().filter(|_| place.rule.policy.follows().is_some());
        let same = |case: &&mut Case<'a>| {
            case.repository == place.site.repository
                && case.rule.is_some_and(|rule| std::ptr::eq(rule, place.rule))
                && (&case.current, &case.digest, &case.hold) == (&place.site.tag, &digest, &place.hold)
        };
        match self.cases.iter_mut().find(same) {
            Some(case) => case.places.push(place),
            None => self.cases.push(Case {
                repository: place.site.repository.clone(),
                rule: Some(place.rule),
                current: place.site.tag.clone(),
                digest,
                hold: place.hold.clone(),
                places: vec![place],
            }),
        }
    }
}
