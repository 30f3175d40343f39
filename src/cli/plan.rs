//! `tagboat plan`: what a pass would commit.

use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};

use super::output::{ADDED, FAINT, Format, HUNK, REMOVED, STRONG, WARNING, count, out, with_progress};
use super::run::{report, undecided};
use super::{Exit, block_on, quiet_logs};
use crate::app;
use crate::config::Settings;
use crate::engine::{self, EditedFile, Note, Once, Outcome};
use crate::shutdown::CancellationToken;

/// Show what a pass would commit, as a unified diff; change nothing
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Exit with 2 if anything is due
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn execute(args: &Args, mut settings: Settings) -> anyhow::Result<Exit> {
    // What fails is told at the end, with the environment that it concerns.
    quiet_logs("error")?;
    // A running daemon keeps the state directory to itself; a plan needs nothing that is in it but the ages of tags.
    let dir = tempfile::Builder::new().prefix("tagboat-plan-").tempdir()?;
    engine::take_along(&settings.engine.state_dir, dir.path());
    settings.engine.state_dir = dir.path().to_owned();
    let results = block_on(async {
        let (engine, _) = app::engine(settings)?;
        let stop = CancellationToken::new();
        anyhow::Ok(with_progress(&engine, engine.plan(&stop)).await)
    })??;
    let well = report(&results);
    let due = results.iter().filter_map(|once| once.result.as_ref().ok()).any(|outcome| !outcome.changes.is_empty());
    match args.format {
        Format::Text => print_text(&results),
        Format::Json => out!("{:#}", json!({ "environments": results.iter().map(as_json).collect::<Vec<_>>() })),
    }
    Ok(match (well, due && args.exit_code) {
        (false, _) => Exit::Failed,
        (true, true) => Exit::Due,
        (true, false) => Exit::Done,
    })
}

fn print_text(results: &[Once]) {
    for Once { environment, result } in results {
        let Ok(outcome) = result else { continue };
        for file in &outcome.files {
            print_diff(environment, file);
        }
        print_notes(environment, &outcome.notes);
        let base = outcome.base.get(..10).unwrap_or(&outcome.base);
        let Outcome { changes, files, sites, .. } = outcome;
        let due = match changes.len() {
            0 => "nothing is due".to_owned(),
            1 => "1 change is due".to_owned(),
            n => format!("{n} changes in {} are due", count(files.len(), "file", "files")),
        };
        let watched = count(*sites, "reference", "references");
        anstream::eprintln!("{STRONG}{environment}{STRONG:#} at {base}: {watched} watched, {due}{}", undecided(outcome));
    }
}

fn print_notes(environment: &str, notes: &[Note]) {
    for Note { kind, file, path, repository, tag, reason } in notes {
        let place = path.as_ref().map_or_else(String::new, |path| format!(" {path}"));
        let image = match (repository, tag) {
            (Some(repository), Some(tag)) => format!(" {repository}:{tag}"),
            (Some(repository), None) => format!(" {repository}"),
            _ => String::new(),
        };
        let style = if kind.is_a_failure() { WARNING } else { FAINT };
        anstream::eprintln!("{style}{environment}: {file}{place}{image}: {reason}{style:#}");
    }
}

fn print_diff(environment: &str, file: &EditedFile) {
    let (before, after) = (String::from_utf8_lossy(&file.before), String::from_utf8_lossy(&file.after));
    let diff = TextDiff::from_lines(before.as_ref(), after.as_ref());
    out!("{STRONG}--- a/{path}\n+++ b/{path}{STRONG:#}{FAINT}  ({environment}){FAINT:#}", path = file.path);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        out!("{HUNK}{}{HUNK:#}", hunk.header());
        for change in hunk.iter_changes() {
            let (sign, style) = match change.tag() {
                ChangeTag::Delete => ('-', REMOVED),
                ChangeTag::Insert => ('+', ADDED),
                ChangeTag::Equal => (' ', anstyle::Style::new()),
            };
            out!("{style}{sign}{}{style:#}", change.value().trim_end_matches(['\n', '\r']));
            if change.missing_newline() {
                out!("\\ No newline at end of file");
            }
        }
    }
}

fn as_json(once: &Once) -> Value {
    match &once.result {
        Ok(outcome) => json!({
            "environment": once.environment,
            "base": outcome.base,
            "references": outcome.sites,
            "changes": outcome.changes,
            "left_alone": &*outcome.notes,
        }),
        Err(error) => json!({ "environment": once.environment, "error": crate::error::chain(error).to_string() }),
    }
}
