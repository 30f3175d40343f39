//! The command line: one file a command.
//!
//! Owns what a person sees: results on standard output, logs and progress on standard error, and the exit
//! codes. Hides clap. Nothing below this module prints.

mod check;
mod completions;
mod demo;
mod explain;
mod health;
mod import;
mod output;
mod plan;
mod refs;
mod registry;
mod run;
mod schema;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::config::{self, Settings};
use crate::telemetry;
use output::print_error;

/// Watches OCI registries for new image tags and commits the chosen ones to a Git environment repository.
#[derive(Parser, Debug)]
#[command(name = "tagboat", version, max_term_width = 110, after_help = AFTER_HELP)]
struct Cli {
    /// The policy file, or a directory of *.toml files
    #[arg(short, long, global = true, env = "TAGBOAT_CONFIG", value_name = "PATH", default_value = DEFAULT_POLICY_FILE)]
    config: PathBuf,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

const DEFAULT_POLICY_FILE: &str = "tagboat.toml";

const AFTER_HELP: &str = "\
Exit codes: 0 done, 1 failed, 2 changes are due (plan --exit-code), 64 usage or policy file.
Try it without any set-up: tagboat demo";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(run::Args),
    Plan(plan::Args),
    Check(check::Args),
    Explain(explain::Args),
    Refs(refs::Args),
    Registry(registry::Args),
    Import(import::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Health(health::Args),
    Demo(demo::Args),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done = 0,
    Failed = 1,
    Due = 2,
    Usage = 64,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing help to a closed pipe is no error worth telling.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    match cli.color {
        Colour::Auto => {}
        Colour::Always => anstream::ColorChoice::Always.write_global(),
        Colour::Never => anstream::ColorChoice::Never.write_global(),
    }
    match execute(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            print_error(&error);
            Exit::Failed.into()
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<Exit> {
    let policy_file = cli.config;
    match cli.command {
        Command::Run(args) => with_settings(&policy_file, |settings| run::execute(&args, settings)),
        Command::Plan(args) => with_settings(&policy_file, |settings| plan::execute(&args, settings)),
        Command::Check(args) => with_settings(&policy_file, |settings| check::execute(&args, settings)),
        Command::Explain(args) => with_optional_settings(&policy_file, |settings| explain::execute(&args, settings)),
        Command::Registry(args) => with_optional_settings(&policy_file, |settings| registry::execute(&args, settings)),
        Command::Refs(args) => with_optional_settings(&policy_file, |settings| refs::execute(&args, settings)),
        Command::Health(args) => go_on_with(without_secrets(&policy_file), |settings| health::execute(&args, &settings)),
        Command::Import(args) => import::execute(&args),
        Command::Demo(args) => demo::execute(&args),
        Command::Schema(args) => schema::execute(&args),
        Command::Completions(args) => completions::execute(&args),
    }
}

/// Reads the policy file and goes on with it; prints all its mistakes and exits with 64 if it has any.
fn with_settings(path: &std::path::Path, then: impl FnOnce(Settings) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    go_on_with(config::load(path, &std::env::vars_os().collect()), then)
}

fn go_on_with(loaded: Result<Settings, config::Report>, then: impl FnOnce(Settings) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    match loaded {
        Ok(settings) => then(settings),
        Err(report) => {
            anstream::eprintln!("{}", report.render(true));
            Ok(Exit::Usage)
        }
    }
}

/// As [`with_settings`], for commands that need little of the policy file: they go on where none is at the default place, and
/// without secrets that they may never use.
fn with_optional_settings(path: &std::path::Path, then: impl FnOnce(Option<Settings>) -> anyhow::Result<Exit>) -> anyhow::Result<Exit> {
    if path == std::path::Path::new(DEFAULT_POLICY_FILE) && !path.exists() {
        return then(None);
    }
    go_on_with(without_secrets(path), |settings| then(Some(settings)))
}

fn without_secrets(path: &std::path::Path) -> Result<Settings, config::Report> {
    config::load_without_secrets(path, &std::env::vars_os().collect())
}

/// Returns how registries are reached, by the policy file or without one.
fn registries(settings: Option<Settings>) -> anyhow::Result<crate::registry::Config> {
    match settings {
        Some(settings) => Ok(settings.registry),
        None => config::registries_without_a_file(&std::env::vars_os().collect()).map_err(anyhow::Error::msg),
    }
}

/// Starts logging for a command whose result is on standard output: only what `level` says, unless asked for more.
fn quiet_logs(level: &str) -> anyhow::Result<()> {
    let config = telemetry::Config { filter: level.to_owned(), ..telemetry::Config::default() };
    start_logs(&config)
}

fn start_logs(config: &telemetry::Config) -> anyhow::Result<()> {
    Ok(telemetry::init(config, std::env::var(telemetry::FILTER_VARIABLE).ok().as_deref())?)
}

/// Runs a future on a runtime of its own; blocking work that outlives it is not waited for long.
fn block_on<R>(future: impl Future<Output = R>) -> anyhow::Result<R> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    Ok(result)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
