//! `tagboat refs`: every image reference found, what looks like one and was not taken, and what was left alone.

mod text;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::output::{Format, out, print_classified};
use super::{Exit, quiet_logs};
use crate::config::Settings;
use crate::engine::survey::{self, Found, NearMiss, Survey};
use crate::engine::{Rules, Skip};
use crate::manifest::Missed;

/// List every image reference in a directory, or in the environments of the policy file
///
/// References are grouped by repository, each with its place as file:line:column. What looks like a reference and was
/// not taken, and the files that are left alone, are counted by reason below them; --missed and --skipped list them.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The directory or file; without it, the environments are fetched
    dir: Option<PathBuf>,
    /// The form of the result; json prints one object a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// List what looks like a reference and was not taken instead, with the reason
    #[arg(long)]
    missed: bool,
    /// List the files that are left alone instead, with the reason
    #[arg(long)]
    skipped: bool,
}

pub(super) fn execute(args: &Args, settings: Option<Settings>) -> anyhow::Result<Exit> {
    quiet_logs("warn")?;
    let has_rules = settings.is_some();
    let rules = settings.as_ref().map(|settings| Rules::new(settings.engine.images.clone(), settings.engine.interval));
    if let Some(dir) = &args.dir {
        let formats = settings.as_ref().map(|settings| settings.formats().clone()).unwrap_or_default();
        let survey =
            survey::directory(dir, rules.as_ref(), &formats).map_err(|error| anyhow::anyhow!("reading {}: {error}", dir.display()))?;
        print(args, None, &survey, has_rules);
        return Ok(Exit::Done);
    }
    let (Some(settings), Some(rules)) = (settings, rules) else {
        anyhow::bail!("there is neither a directory to look at nor a policy file; try `tagboat refs .`");
    };
    let clones = tempfile::Builder::new().prefix("tagboat-refs-").tempdir()?;
    let mut exit = Exit::Done;
    for (index, environment) in settings.engine.environments.iter().enumerate() {
        match survey::environment(environment, &clones.path().join(index.to_string()), &rules) {
            Ok(survey) => print(args, Some(&environment.name), &survey, has_rules),
            Err(error) => {
                print_classified(&format!("environment {}", environment.name), &error);
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

fn print(args: &Args, environment: Option<&str>, survey: &Survey, has_rules: bool) {
    let Args { format, missed, skipped, .. } = *args;
    match format {
        Format::Json => {
            let sites = survey.found.iter().filter(|_| !missed && !skipped).map(of_site);
            let missed = survey.missed.iter().filter(|_| missed).map(of_missed);
            let skipped = survey.skips.iter().filter(|_| skipped).map(of_skip);
            for mut line in sites.chain(missed).chain(skipped) {
                if let Some(environment) = environment {
                    line["environment"] = environment.into();
                }
                out!("{line}");
            }
        }
        Format::Text => {
            text::print_environment(environment);
            if missed {
                text::print_missed(&survey.missed);
            }
            if skipped {
                text::print_skips(&survey.skips);
            }
            if !missed && !skipped {
                text::print_survey(survey, has_rules);
            }
        }
    }
}

fn of_site(found: &Found) -> Value {
    let Found { file, site, rule } = found;
    json!({
        "kind": "site",
        "file": file,
        "line": site.line,
        "column": site.column,
        "path": site.path,
        "key": site.key,
        "shape": site.shape,
        "reference": site.written,
        "repository": site.repository.to_string(),
        "tag": site.tag.as_ref().map(ToString::to_string),
        "digest": site.digest.as_ref().map(ToString::to_string),
        "marker": site.marker.as_ref().map(|marker| &*marker.policy),
        "locked": site.locked.as_ref().map(ToString::to_string),
        "covered": rule.is_some(),
        "rule": rule.as_ref().map(|rule| &rule.repository),
        "policy": rule.as_ref().map(|rule| &rule.policy),
    })
}

fn of_missed(near: &NearMiss) -> Value {
    let NearMiss { file, missed: Missed { path, line, column, shown, why, .. } } = near;
    json!({
        "kind": "missed",
        "file": file,
        "line": line,
        "column": column,
        "path": path,
        "text": shown,
        "why": why.as_str(),
        "reason": why.to_string(),
    })
}

fn of_skip(skip: &Skip) -> Value {
    let Skip { file, reason } = skip;
    json!({ "kind": "skipped", "file": file, "why": reason.as_str(), "reason": reason.to_string() })
}
