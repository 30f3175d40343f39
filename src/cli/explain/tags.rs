//! Where the tags come from, and what is known of them: a registry, or a plain list.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::cli::registries;
use crate::config::Settings;
use crate::engine::{self, Ages, FactError, Learner};
use crate::image::{Repository, TagList, TagRef};
use crate::policy::{Decision, Facts};
use crate::registry::{self, Client, Listing, Omitted};

/// Larger inputs are no lists of tags.
const LARGEST_INPUT: u64 = 64 * 1024 * 1024;

/// The tags of a repository.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) tags: TagList,
    pub(super) omitted: Omitted,
}

/// Where the tags come from.
pub(super) enum Source {
    /// A plain list, for every repository the same.
    List(Found),
    Registries(Box<Registries>),
}

/// The registries, each repository of which is listed once.
pub(super) struct Registries {
    runtime: Runtime,
    client: Client,
    listings: HashMap<Repository, Listing>,
    /// What is known of the tags of each repository, and who learns it.
    known: HashMap<Repository, (Arc<Learner>, Facts)>,
    ages: Arc<Ages>,
    /// Where the ages are kept until the end.
    _dir: tempfile::TempDir,
}

impl Source {
    /// Reads a file of tags, one a line, and leaves out what a listing leaves out.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let mut text = String::new();
        let (name, source): (String, Box<dyn Read>) = match file.to_str() {
            Some("-") => ("standard input".to_owned(), Box::new(std::io::stdin())),
            _ => {
                let name = file.display().to_string();
                let file = std::fs::File::open(file).with_context(|| format!("opening {name}"))?;
                (name, Box::new(file))
            }
        };
        source.take(LARGEST_INPUT).read_to_string(&mut text).with_context(|| format!("reading {name}"))?;
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).filter(|(_, line)| !line.is_empty());
        let tags = lines.map(|(number, line)| TagRef::parse(line).with_context(|| format!("{name}, line {number}")));
        let (generated, tags): (Vec<_>, Vec<_>) = tags.collect::<anyhow::Result<Vec<_>>>()?.into_iter().partition(|tag| tag.is_generated());
        Ok(Self::List(Found { tags: tags.into_iter().collect(), omitted: Omitted { generated: generated.len(), invalid: 0 } }))
    }

    /// Asks registries, and knows the ages of tags that the daemon has seen.
    pub(super) fn ask(settings: Option<Settings>) -> anyhow::Result<Self> {
        // A copy, since a running daemon keeps the ages of tags to itself.
        let dir = tempfile::Builder::new().prefix("tagboat-explain-").tempdir()?;
        if let Some(settings) = &settings {
            engine::take_along(&settings.engine.state_dir, dir.path());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let client = Client::new(registries(settings)?)?;
        let ages = Ages::new(dir.path());
        Ok(Self::Registries(Box::new(Registries { runtime, client, listings: HashMap::new(), known: HashMap::new(), ages, _dir: dir })))
    }

    /// Returns the tags of a repository.
    pub(super) fn tags(&mut self, repository: &Repository) -> Result<Found, registry::Error> {
        match self {
            Self::List(found) => Ok(found.clone()),
            Self::Registries(registries) => {
                let listing = registries.listing(repository)?;
                Ok(Found { tags: listing.tags().clone(), omitted: listing.omitted() })
            }
        }
    }

    /// Learns of tags what a decision wants to know, and returns all that is known of the repository's, with what could not be
    /// learned. Of a plain list nothing is known beyond the names.
    pub(super) fn learn(
        &mut self,
        repository: &Repository,
        decide: impl Fn(&Facts) -> Decision,
    ) -> anyhow::Result<(Facts, Option<FactError>)> {
        let Self::Registries(registries) = self else { return Ok((Facts::new(), None)) };
        let listing = registries.listing(repository)?;
        // Its time runs from here on, however long the listing took.
        let begin = || (Learner::new(registries.client.clone(), Arc::clone(&registries.ages)), Facts::new());
        let (learner, facts) = registries.known.entry(repository.clone()).or_insert_with(begin);
        while let Decision::Wanting(need) = decide(facts) {
            if let Err(error) = registries.runtime.block_on(learner.learn(repository, &listing, &need, facts)) {
                return Ok((facts.clone(), Some(error)));
            }
        }
        Ok((facts.clone(), None))
    }

    /// Ends; what still blocks (a name that is looked up) is not waited for long.
    pub(super) fn end(self) {
        if let Self::Registries(registries) = self {
            registries.runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }
}

impl Registries {
    fn listing(&mut self, repository: &Repository) -> Result<Listing, registry::Error> {
        if let Some(listing) = self.listings.get(repository) {
            return Ok(listing.clone());
        }
        let listing = self.runtime.block_on(self.client.list(repository, None))?;
        self.listings.insert(repository.clone(), listing.clone());
        Ok(listing)
    }
}
