//! `tagboat schema`: the JSON Schema of the policy file.

use super::Exit;
use super::output::out;
use crate::config;

/// Print the JSON Schema of the policy file, for editors
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) fn execute(_: &Args) -> anyhow::Result<Exit> {
    out!("{:#}", config::schema());
    Ok(Exit::Done)
}
