//! `tagboat run`: watch for ever, or one pass.

use super::output::{STRONG, WARNING, count, print_classified, with_progress};
use super::{Exit, block_on, start_logs};
use crate::app::{self, App};
use crate::config::Settings;
use crate::engine::{Once, Outcome};
use crate::shutdown::{self, CancellationToken};

/// Watch registries and keep the environment repositories current
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Make one pass over every environment, then exit
    #[arg(long)]
    once: bool,
}

pub(super) fn execute(args: &Args, settings: Settings) -> anyhow::Result<Exit> {
    start_logs(&settings.telemetry)?;
    if args.once {
        return block_on(once(settings))?;
    }
    block_on(async move {
        App::build(settings).await?.run(CancellationToken::new()).await?;
        Ok(Exit::Done)
    })?
}

async fn once(settings: Settings) -> anyhow::Result<Exit> {
    let (engine, _) = app::engine(settings)?;
    let stop = CancellationToken::new();
    let pass = with_progress(&engine, engine.once(&stop));
    let results = tokio::select! {
        results = pass => results,
        signal = shutdown::requested() => anyhow::bail!("stopped by {} before the pass had ended", signal?),
    };
    let well = report(&results);
    for Once { environment, result } in &results {
        let Ok(outcome) = result else { continue };
        let sites = count(outcome.sites, "reference", "references");
        let did = match &outcome.pushed {
            Some(commit) => {
                format!("{} pushed as {}", count(outcome.changes.len(), "change", "changes"), commit.get(..10).unwrap_or(commit))
            }
            None => "nothing is due".to_owned(),
        };
        anstream::eprintln!("{STRONG}{environment}{STRONG:#}: {sites} watched, {did}{}", undecided(outcome));
    }
    Ok(if well { Exit::Done } else { Exit::Failed })
}

/// Says how many sites could not be decided on, as the end of a sentence; nothing if there are none.
pub(super) fn undecided(outcome: &Outcome) -> String {
    match outcome.notes.iter().filter(|note| note.kind.is_a_failure()).count() {
        0 => String::new(),
        n => format!("; {WARNING}{n} could not be decided{WARNING:#}"),
    }
}

/// Prints what failed; says whether nothing did.
pub(super) fn report(results: &[Once]) -> bool {
    let mut well = true;
    for Once { environment, result } in results {
        match result {
            Err(error) => {
                print_classified(&format!("environment {environment}"), error);
                well = false;
            }
            Ok(outcome) => well &= !outcome.notes.iter().any(|note| note.kind.is_a_failure()),
        }
    }
    well
}
