//! `tagboat check`: is the policy file right, and can everything in it be reached?

use std::collections::BTreeSet;
use std::sync::Arc;

use super::output::{ADDED, HINT, count, out, print_classified};
use super::{Exit, block_on, quiet_logs};
use crate::config::Settings;
use crate::engine::{Rules, survey};
use crate::error::Classified;
use crate::image::{Registry, RepositoryPattern};
use crate::registry::Client;

/// Check the policy file; with --connect, also every registry and repository in it
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Also contact every registry and every repository; nothing is changed
    #[arg(long)]
    connect: bool,
}

pub(super) fn execute(args: &Args, settings: Settings) -> anyhow::Result<Exit> {
    out!("{ADDED}ok{ADDED:#}: {}", settings.summary());
    for hint in settings.hints() {
        anstream::eprintln!("{HINT}hint{HINT:#}: {hint}");
    }
    if !args.connect {
        return Ok(Exit::Done);
    }
    quiet_logs("warn")?;
    let well = block_on(connect(settings))??;
    Ok(if well { Exit::Done } else { Exit::Failed })
}

/// Contacts every environment repository, and every registry and repository that a rule names or covers there, once; says
/// whether all answered.
async fn connect(settings: Settings) -> anyhow::Result<bool> {
    let rules = Arc::new(Rules::new(settings.engine.images.clone(), settings.engine.interval));
    let client = Client::new(settings.registry.clone())?;
    let (mut repositories, mut well) = (BTreeSet::new(), true);
    let clones = tempfile::Builder::new().prefix("tagboat-check-").tempdir()?;
    for (index, environment) in settings.engine.environments.into_iter().enumerate() {
        let (dir, rules) = (clones.path().join(index.to_string()), Arc::clone(&rules));
        let name = format!("environment {}", environment.name);
        let found = tokio::task::spawn_blocking(move || survey::covered(&environment, &dir, &rules)).await?;
        well &= tell(
            &name,
            found.map(|(commit, covered)| {
                let commit = commit.get(..10).unwrap_or(&commit).to_owned();
                let covered_text = count(covered.len(), "watched repository", "watched repositories");
                repositories.extend(covered);
                format!("at {commit}, {covered_text}")
            }),
        );
    }
    repositories.extend(rules.iter().filter_map(|rule| match &rule.repository {
        RepositoryPattern::One(repository) => Some(repository.clone()),
        RepositoryPattern::Many { .. } => None,
    }));
    let hosts = settings.registry.hosts.keys().cloned();
    let registries: BTreeSet<Registry> = hosts.chain(repositories.iter().map(|repository| repository.registry().clone())).collect();
    for registry in registries {
        let greeting = client.ping(&registry).await;
        well &= tell(&format!("registry {registry}"), greeting.map(|greeting| greeting.to_string()));
    }
    for repository in repositories {
        let tags = client.tags(&repository).await;
        well &= tell(&format!("repository {repository}"), tags.map(|tags| count(tags.len(), "tag", "tags")));
    }
    Ok(well)
}

fn tell<E: Classified>(what: &str, answer: Result<String, E>) -> bool {
    match answer {
        Ok(answer) => {
            out!("{ADDED}ok{ADDED:#}: {what}: {answer}");
            true
        }
        Err(error) => {
            print_classified(what, &error);
            false
        }
    }
}
