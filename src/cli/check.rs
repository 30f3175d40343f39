//! `tagboat check`: is the policy file right, and can everything in it be reached?

use std::collections::BTreeSet;

use super::output::{ADDED, ERROR, Format, out, print_classified};
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
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn execute(args: &Args, settings: Settings) -> anyhow::Result<Exit> {
    let (images, environments) = (settings.engine.images.len(), settings.engine.environments.len());
    let counted = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    out!("{ADDED}ok{ADDED:#}: {}, {}", counted(images, "image"), counted(environments, "environment"));
    if !args.connect {
        return Ok(Exit::Done);
    }
    quiet_logs()?;
    let well = block_on(connect(settings))??;
    Ok(if well { Exit::Done } else { Exit::Failed })
}

