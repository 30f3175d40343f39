//! `tagboat demo`: the real daemon in an embedded world.

use std::time::Duration;

use tokio::sync::mpsc;

use super::output::{ADDED, FAINT, HINT, HUNK, REMOVED, STRONG, is_closed, out};
use super::{Exit, block_on, start_logs};
use crate::demo::repository::Shown;
use crate::demo::story::{self, Event, Tour};
use crate::shutdown::CancellationToken;
use crate::telemetry;

/// Show Tagboat at work; needs nothing else on this machine
#[derive(clap::Args, Debug)]
#[command(after_help = "Everything is on loopback and in a temporary directory, and removed at the end.")]
pub(super) struct Args {
    /// End after the last act instead of going on until Ctrl-C
    #[arg(long)]
    end: bool,
    /// Seconds of pause before each act
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS", value_parser = pause)]
    pace: f64,
}

fn pause(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 60".to_owned()),
    }
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    start_logs(&telemetry::Config { filter: "tagboat=info".to_owned(), ..telemetry::Config::default() })?;
    let (pace, end) = (Duration::from_secs_f64(args.pace), args.end);
    block_on(async move {
        let (send, mut events) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let story = tokio::spawn(story::run(pace, end, stop.clone(), send));
        while let Some(event) = events.recv().await {
            show(&event, end);
            if is_closed() {
                stop.cancel();
            }
        }
        story.await??;
        out!("{FAINT}The demo's files are removed.{FAINT:#}");
        anyhow::Ok(Exit::Done)
    })?
}

fn show(event: &Event, end: bool) {
    match event {
        Event::Ready(tour) => show_tour(tour),
        Event::Says(sentence) => out!("\n{STRONG}{sentence}{STRONG:#}"),
        Event::Published(reference) => out!("  {HINT}pushed{HINT:#} {reference}"),
        Event::Landed(commit) => show_commit(commit),
        Event::TheEnd if end => {}
        Event::TheEnd => out!("\n{STRONG}That was the tour. Tagboat goes on watching; look around, then press Ctrl-C.{STRONG:#}"),
    }
}

fn show_tour(Tour { repository, policy_file, listen }: &Tour) {
    let (repository, policy_file) = (repository.display(), policy_file.display());
    let program = std::env::current_exe().map_or_else(|_| "tagboat".to_owned(), |path| path.display().to_string());
    out!("{STRONG}A registry, an environment repository and Tagboat are running.{STRONG:#} Look around from another terminal:");
    for (command, what) in [
        (format!("git -C {repository} log -p"), "the commits"),
        (format!("cat {policy_file}"), "the policy file"),
        (format!("{program} plan --config {policy_file}"), "what is due, and why the rest is left alone"),
        (format!("curl http://{listen}/metrics"), "the daemon's metrics"),
    ] {
        out!("  {command:60}  {FAINT}# {what}{FAINT:#}");
    }
}

fn show_commit(commit: &Shown) {
    let id = commit.id.get(..10).unwrap_or(&commit.id);
    out!("\n{STRONG}commit {id}{STRONG:#} by {}", commit.author);
    for line in commit.message.trim_end().lines() {
        out!("    {line}");
    }
    out!("");
    for line in commit.diff.lines() {
        let style = match line.as_bytes().first() {
            Some(b'+') => ADDED,
            Some(b'-') => REMOVED,
            Some(b'@') => HUNK,
            _ => anstyle::Style::new(),
        };
        out!("{style}{line}{style:#}");
    }
}
