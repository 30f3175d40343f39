//! `tagboat health`: asks the daemon on this machine, for container images without curl.

use super::Exit;
use crate::config::Settings;
use crate::http;

/// Ask the daemon on this machine whether it is well
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Ask whether it has finished its first passes instead
    #[arg(long)]
    ready: bool,
}

pub(super) fn execute(args: &Args, settings: &Settings) -> anyhow::Result<Exit> {
    let Some(listen) = settings.http.listen else {
        anyhow::bail!("the policy file sets no `listen` address, so there is no one to ask");
    };
    http::probe(listen, if args.ready { "/readyz" } else { "/healthz" })?;
    Ok(Exit::Done)
}
