//! `tagboat run`: watch for ever, or one pass.

use super::output::{print_classified, with_progress};
use super::{Exit, block_on, start_logs};
use crate::app::{self, App};
use crate::config::Settings;
use crate::engine::{NoteKind, Once};
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
    Ok(if report(&results) { Exit::Done } else { Exit::Failed })
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
            Ok(outcome) => {
                let failed = |kind| matches!(kind, NoteKind::Unlisted | NoteKind::Unproved | NoteKind::NoDigest);
                well &= !outcome.notes.iter().any(|note| failed(note.kind));
            }
        }
    }
    well
}
