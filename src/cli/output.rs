//! What commands print: styles, lines, errors with causes and hints, progress.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::Engine;
use crate::error::Classified;

/// The form of a command's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    #[default]
    Text,
    /// For machines
    Json,
}

pub(super) const ADDED: Style = AnsiColor::Green.on_default();
pub(super) const REMOVED: Style = AnsiColor::Red.on_default();
pub(super) const HUNK: Style = AnsiColor::Cyan.on_default();
pub(super) const STRONG: Style = Style::new().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(super) const HINT: Style = AnsiColor::Cyan.on_default().bold();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Prints to standard output; a reader that has gone away (`| head`) ends the program quietly.
macro_rules! out {
    ($($arg:tt)*) => { $crate::cli::output::print_line(format!($($arg)*)) };
}
pub(super) use out;

/// Whether the reader of standard output has gone away.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Prints a line whole, so that standard error cannot come between it and its end. Once the reader has gone away
/// (`| head`) nothing is printed any more, and the command ends as if it were.
pub(super) fn print_line(mut line: String) {
    line.push('\n');
    let mut stdout = anstream::stdout().lock();
    if !is_closed() && stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()).is_err() {
        CLOSED.store(true, Ordering::Relaxed);
    }
}

/// Says whether the reader of standard output has gone away.
pub(super) fn is_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Says how many there are: `1 file`, `2 files`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Prints an error with its causes, a line each.
pub(super) fn print_error(error: &anyhow::Error) {
    anstream::eprintln!("{ERROR}error{ERROR:#}: {error}");
    for cause in error.chain().skip(1) {
        anstream::eprintln!("  caused by: {cause}");
    }
}

/// Prints an error that knows what can be done about it.
pub(super) fn print_classified(what: &str, error: &dyn Classified) {
    anstream::eprintln!("{ERROR}error{ERROR:#}: {what}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        anstream::eprintln!("  caused by: {error}");
        cause = error.source();
    }
    if let Some(hint) = error.hint() {
        anstream::eprintln!("  {HINT}hint{HINT:#}: {hint}");
    }
}

/// Shows a progress bar for listings while `work` takes more than a second, if standard error is a terminal.
pub(super) async fn with_progress<R>(engine: &Arc<Engine>, work: impl Future<Output = R>) -> R {
    const UNNOTICED: Duration = Duration::from_secs(1);
    let mut work = std::pin::pin!(work);
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    if let Ok(result) = tokio::time::timeout(UNNOTICED, &mut work).await {
        return result;
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} listing repositories {bar:30} {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            result = &mut work => {
                bar.finish_and_clear();
                return result;
            }
            _ = tick.tick() => {
                let (done, known) = engine.progress();
                bar.set_length(known.max(done));
                bar.set_position(done);
                bar.tick();
            }
        }
    }
}
