//! `tagboat refs`: every image reference found.

use std::path::PathBuf;

use serde_json::json;

use super::output::{ADDED, FAINT, Format, STRONG, WARNING, count, out, print_classified};
use super::{Exit, quiet_logs};
use crate::config::Settings;
use crate::engine::survey::{self, Found, Survey};
use crate::engine::{Rules, Skip};

/// List every image reference in a directory, or in the environments of the policy file
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The directory; without it, the environments are fetched
    dir: Option<PathBuf>,
    /// The form of the result; json prints one object a line
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// List the files that could not be read instead
    #[arg(long)]
    skipped: bool,
}

pub(super) fn execute(args: &Args, settings: Option<Settings>) -> anyhow::Result<Exit> {
    quiet_logs("warn")?;
    let rules = settings.as_ref().map(|settings| Rules::new(settings.engine.images.clone(), settings.engine.interval));
    if let Some(dir) = &args.dir {
        let formats = settings.as_ref().map(|settings| settings.formats().clone()).unwrap_or_default();
        let survey =
            survey::directory(dir, rules.as_ref(), &formats).map_err(|error| anyhow::anyhow!("reading {}: {error}", dir.display()))?;
        print(args, None, &survey);
        return Ok(Exit::Done);
    }
    let (Some(settings), Some(rules)) = (settings, rules) else {
        anyhow::bail!("there is neither a directory to look at nor a policy file; try `tagboat refs .`");
    };
    let clones = tempfile::Builder::new().prefix("tagboat-refs-").tempdir()?;
    let mut exit = Exit::Done;
    for (index, environment) in settings.engine.environments.iter().enumerate() {
        match survey::environment(environment, &clones.path().join(index.to_string()), &rules) {
            Ok(survey) => print(args, Some(&environment.name), &survey),
            Err(error) => {
                print_classified(&format!("environment {}", environment.name), &error);
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

fn print(args: &Args, environment: Option<&str>, survey: &Survey) {
    match (args.skipped, args.format) {
        (true, _) => survey.skips.iter().for_each(|skip| print_skip(args.format, environment, skip)),
        (false, Format::Json) => survey.found.iter().for_each(|found| print_json(environment, found)),
        (false, Format::Text) => print_text(environment, survey),
    }
}

fn print_skip(format: Format, environment: Option<&str>, skip: &Skip) {
    let Skip { file, reason } = skip;
    match format {
        Format::Text => out!("{file}: {reason}"),
        Format::Json => out!("{}", json!({ "environment": environment, "file": file, "reason": reason.to_string() })),
    }
}

fn print_json(environment: Option<&str>, found: &Found) {
    let Found { file, site, covered } = found;
    let mut line = json!({
        "file": file,
        "line": site.line,
        "column": site.column,
        "path": site.path,
        "shape": site.shape,
        "reference": site.written,
        "repository": site.repository.to_string(),
        "tag": site.tag.as_ref().map(ToString::to_string),
        "digest": site.digest.as_ref().map(ToString::to_string),
        "covered": covered,
    });
    if let Some(environment) = environment {
        line["environment"] = environment.into();
    }
    if let Some(marker) = &site.marker {
        line["marker"] = (&*marker.policy).into();
    }
    if let Some(locked) = &site.locked {
        line["locked"] = locked.to_string().into();
    }
    out!("{line}");
}

/// Prints references grouped by repository.
fn print_text(environment: Option<&str>, survey: &Survey) {
    if let Some(environment) = environment {
        out!("{STRONG}environment {environment}{STRONG:#}");
    }
    let mut found: Vec<&Found> = survey.found.iter().collect();
    found.sort_by(|a, b| (&a.site.repository, &a.file, a.site.line).cmp(&(&b.site.repository, &b.file, b.site.line)));
    for group in found.chunk_by(|a, b| a.site.repository == b.site.repository) {
        let Some(first) = group.first() else { continue };
        out!("{STRONG}{}{STRONG:#}", first.site.repository);
        for Found { file, site, covered } in group {
            let covered = if *covered { format!("  {ADDED}watched{ADDED:#}") } else { String::new() };
            let tag = site.tag.as_ref().map_or_else(|| "(no tag)".to_owned(), ToString::to_string);
            let digest = site.digest.as_ref().map_or_else(String::new, |d| format!("@{}…", d.as_str().get(..19).unwrap_or(d.as_str())));
            let locked = site.locked.as_ref().map_or_else(String::new, |locked| format!("  {WARNING}{locked}{WARNING:#}"));
            out!("  {tag}{digest}  {FAINT}{file}:{}:{} {}{FAINT:#}{covered}{locked}", site.line, site.column, site.path);
        }
    }
    let (found, skips) = (survey.found.len(), survey.skips.len());
    let hint = if skips > 0 { ", see --skipped" } else { "" };
    let found = count(found, "reference", "references");
    anstream::eprintln!("{found} found, {} could not be read{hint}", count(skips, "file", "files"));
}
