//! `tagboat check`: is the policy file right, and can everything in it be reached?

use std::collections::BTreeSet;

use super::output::{ADDED, out, print_classified};
use super::{Exit, block_on, quiet_logs};
use crate::config::Settings;
use crate::engine::survey;
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
    if !args.connect {
        return Ok(Exit::Done);
    }
    quiet_logs()?;
    let well = block_on(connect(settings))??;
    Ok(if well { Exit::Done } else { Exit::Failed })
}

/// Contacts every registry, repository and environment repository once; says whether all answered.
async fn connect(settings: Settings) -> anyhow::Result<bool> {
    let named = |rule: &crate::engine::ImageRule| match &rule.repository {
        RepositoryPattern::One(repository) => Some(repository.clone()),
        RepositoryPattern::Many { .. } => None,
    };
    let repositories: BTreeSet<_> = settings.engine.images.iter().filter_map(named).collect();
    let hosts = settings.registry.hosts.keys().cloned();
    let registries: BTreeSet<Registry> = hosts.chain(repositories.iter().map(|repository| repository.registry().clone())).collect();
    let client = Client::new(settings.registry)?;
    let mut well = true;
    for registry in registries {
        let greeting = client.ping(&registry).await;
        well &= tell(&format!("registry {registry}"), greeting.map(|greeting| greeting.to_string()));
    }
    for repository in repositories {
        let tags = client.tags(&repository).await;
        well &= tell(&format!("repository {repository}"), tags.map(|tags| format!("{} tags", tags.len())));
    }
    let clones = tempfile::Builder::new().prefix("tagboat-check-").tempdir()?;
    for (index, environment) in settings.engine.environments.into_iter().enumerate() {
        let dir = clones.path().join(index.to_string());
        let name = format!("environment {}", environment.name);
        let tip = tokio::task::spawn_blocking(move || survey::tip(&environment, &dir)).await?;
        well &= tell(&name, tip.map(|commit| format!("at {}", commit.get(..10).unwrap_or(&commit))));
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
