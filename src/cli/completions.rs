//! `tagboat completions`: for the shells that have them.

use clap::CommandFactory;

use super::{Cli, Exit};

/// Print a completion script for a shell
#[derive(clap::Args, Debug)]
#[command(after_help = "For bash: source <(tagboat completions bash)")]
pub(super) struct Args {
    shell: clap_complete::Shell,
}

pub(super) fn execute(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tagboat", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script)?;
    Ok(Exit::Done)
}
