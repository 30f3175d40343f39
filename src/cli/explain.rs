//! `tagboat explain`: a verdict for every tag.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use super::output::{ADDED, FAINT, Format, HINT, STRONG, out, print_classified, print_table};
use super::{Exit, block_on, quiet_logs, registries};
use crate::config::Settings;
use crate::engine::{self, Ages, Learner, Rules};
use crate::image::{Reference, Repository, RepositoryPattern, Tag, TagList, TagRef};
use crate::policy::{self, Decision, Explanation, Facts, Outcome, Policy, Question, Reading};
use crate::registry::{self, Listing, Omitted};

/// Say for every tag of an image why it is chosen or not, newest first
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tagboat explain ghcr.io/acme/api:1.4.1
  tagboat explain nginx --current 1.25-alpine
  tagboat explain acme/api --tags list.txt --current 1.4.1

-> marks the choice, * the current tag.")]
pub(super) struct Args {
    /// A repository or a whole reference; its tag is taken as the current one
    image: String,
    /// Read the tags from a file (or - for standard input), one a line, instead of the registry
    #[arg(long, value_name = "FILE")]
    tags: Option<PathBuf>,
    /// The tag to start from
    #[arg(long, value_name = "TAG")]
    current: Option<String>,
    /// Show how each tag is read: prefix, numbers, prerelease, build, variant
    #[arg(long)]
    parts: bool,
    /// The form of the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Larger inputs are no lists of tags.
const LARGEST_INPUT: u64 = 64 * 1024 * 1024;

pub(super) fn execute(args: &Args, settings: Option<Settings>) -> anyhow::Result<Exit> {
    quiet_logs("warn")?;
    let reference = Reference::parse(&args.image)?;
    let current = match &args.current {
        Some(current) => Some(Tag::parse(current)?),
        None => reference.tag().cloned(),
    };
    let rules = settings.as_ref().map(|settings| Rules::new(settings.engine.images.clone(), settings.engine.interval));
    let rule = rules.as_ref().and_then(|rules| rules.find_for(reference.repository()));
    let default = Policy::new(policy::Config::default()).map_err(|_| anyhow::anyhow!("the default policy is not well formed"))?;
    let policy = rule.map_or(&default, |rule| &rule.policy);
    let state_dir = settings.as_ref().map(|settings| settings.engine.state_dir.clone());
    let (tags, omitted, facts) = match &args.tags {
        Some(file) => read_tags(file).map(|(tags, omitted)| (tags, omitted, Facts::new()))?,
        None => match ask(registries(settings)?, &reference, policy, current.as_ref(), state_dir.as_deref()) {
            Ok(answer) => answer.map(|(listing, facts)| (listing.tags().clone(), listing.omitted(), facts))?,
            Err(error) => {
                print_classified("explain", &error);
                if let Some(nearest) = rules.as_ref().filter(|_| error.is_not_found()).and_then(|rules| nearest(rules, &reference)) {
                    anstream::eprintln!("  {HINT}hint{HINT:#}: the policy file has a similar name: {nearest}");
                }
                return Ok(Exit::Failed);
            }
        },
    };
    let explanation = policy.explain(&Question { current: current.as_ref(), facts: &facts, ..Question::of(&tags) });
    match args.format {
        Format::Json => out!(
            "{:#}",
            json!({
                "repository": reference.repository().to_string(),
                "policy": policy.to_string(),
                "covered": rule.is_some(),
                "rule": rule.map(|rule| rule.repository.to_string()),
                "current": current.as_ref().map(Tag::as_str),
                "decision": explanation.decision,
                "change": explanation.change,
                "tags": explanation.verdicts.iter().map(|verdict| described(verdict, args.parts)).collect::<Result<Vec<_>, _>>()?,
                "omitted": { "generated": omitted.generated, "invalid": omitted.invalid },
            })
        ),
        Format::Text => {
            print_text(&explanation, current.as_ref(), args.parts);
            if !omitted.is_empty() {
                anstream::eprintln!("left out: {omitted}");
            }
            let origin = match rule {
                Some(rule) => format!(" (by the rule for {})", rule.repository),
                None => " (the default: no rule covers this repository)".to_owned(),
            };
            let from = current.map_or_else(|| "no current tag".to_owned(), |tag| format!("current tag {tag}"));
            anstream::eprintln!(
                "{STRONG}{}{STRONG:#}: {policy}{origin}, {from}: {STRONG}{}{STRONG:#}",
                reference.repository(),
                explanation.decision
            );
            if rule.is_some() && matches!(explanation.decision, Decision::Move { .. }) {
                anstream::eprintln!("{HINT}hint{HINT:#}: a site that had this version taken out again holds it; see `tagboat plan`");
            }
        }
    }
    Ok(Exit::Done)
}

/// Lists the tags, and learns of them what the policy wants to know before it decides.
fn ask(
    config: registry::Config,
    reference: &Reference,
    policy: &Policy,
    current: Option<&Tag>,
    state_dir: Option<&Path>,
) -> Result<anyhow::Result<(Listing, Facts)>, registry::Error> {
    let client = registry::Client::new(config)?;
    let asked = block_on(async {
        let listing = client.list(reference.repository(), None).await?;
        Ok((listing.clone(), learn(client, reference.repository(), &listing, policy, current, state_dir).await))
    });
    match asked {
        Ok(Ok((listing, facts))) => Ok(facts.map(|facts| (listing, facts))),
        Ok(Err(error)) => Err(error),
        Err(error) => Ok(Err(error)),
    }
}

async fn learn(
    client: registry::Client,
    repository: &Repository,
    listing: &Listing,
    policy: &Policy,
    current: Option<&Tag>,
    state_dir: Option<&Path>,
) -> anyhow::Result<Facts> {
    // A copy, since a running daemon keeps the ages of tags to itself.
    let dir = tempfile::Builder::new().prefix("tagboat-explain-").tempdir()?;
    if let Some(state_dir) = state_dir {
        engine::take_along(state_dir, dir.path());
    }
    let learner = Learner::new(client, Ages::new(dir.path()));
    let mut facts = Facts::new();
    while let Decision::Wanting(need) = policy.decide(&Question { current, facts: &facts, ..Question::of(listing.tags()) }) {
        learner.learn(repository, listing, &need, &mut facts).await?;
    }
    Ok(facts)
}

/// Reads a file of tags, and leaves out what a listing leaves out.
fn read_tags(file: &Path) -> anyhow::Result<(TagList, Omitted)> {
    let mut text = String::new();
    let (name, source): (String, Box<dyn Read>) = match file.to_str() {
        Some("-") => ("standard input".to_owned(), Box::new(std::io::stdin())),
        _ => {
            let name = file.display().to_string();
            let file = std::fs::File::open(file).with_context(|| format!("opening {name}"))?;
            (name, Box::new(file))
        }
    };
    source.take(LARGEST_INPUT).read_to_string(&mut text).with_context(|| format!("reading {name}"))?;
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())).filter(|(_, line)| !line.is_empty());
    let tags = lines.map(|(number, line)| TagRef::parse(line).with_context(|| format!("{name}, line {number}")));
    let (generated, tags): (Vec<_>, Vec<_>) = tags.collect::<anyhow::Result<Vec<_>>>()?.into_iter().partition(|tag| tag.is_generated());
    Ok((tags.into_iter().collect(), Omitted { generated: generated.len(), invalid: 0 }))
}

/// Returns the repository of a rule whose name is much like this one.
fn nearest(rules: &Rules, reference: &Reference) -> Option<Repository> {
    const LIKE: f64 = 0.9;
    let wanted = reference.repository().to_string();
    let named = rules.iter().filter_map(|rule| match &rule.repository {
        RepositoryPattern::One(repository) if repository != reference.repository() => Some(repository),
        _ => None,
    });
    let alike = named.map(|repository| (strsim::jaro_winkler(&wanted, &repository.to_string()), repository));
    alike.filter(|(likeness, _)| *likeness >= LIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, repository)| repository.clone())
}

/// Returns a verdict for machines, with the parts of the tag if these are wanted.
fn described(verdict: &policy::Verdict, parts: bool) -> serde_json::Result<serde_json::Value> {
    let mut described = serde_json::to_value(verdict)?;
    if parts {
        let text = verdict.extracted.as_deref().unwrap_or(verdict.tag.as_str());
        described["parts"] = match Reading::of(text) {
            Ok(reading) => json!({
                "prefix": reading.prefix(),
                "numbers": reading.numbers(),
                "prerelease": reading.prerelease(),
                "build": reading.build(),
                "variant": reading.variant(),
            }),
            Err(_) => serde_json::Value::Null,
        };
    }
    Ok(described)
}

/// Shows how a tag is read: `numbers 1.2.3, variant alpine`.
fn parts_of(verdict: &policy::Verdict) -> String {
    let text = verdict.extracted.as_deref().unwrap_or(verdict.tag.as_str());
    match Reading::of(text) {
        Ok(reading) => {
            let parts = [
                ("prefix", reading.prefix()),
                ("numbers", reading.numbers()),
                ("prerelease", reading.prerelease()),
                ("build", reading.build()),
                ("variant", reading.variant()),
            ];
            let said = parts.into_iter().filter(|(_, part)| !part.is_empty()).map(|(name, part)| format!("{name} {part}"));
            said.collect::<Vec<_>>().join(", ")
        }
        Err(_) => "not read".to_owned(),
    }
}

fn print_text(explanation: &Explanation, current: Option<&Tag>, parts: bool) {
    let chosen = explanation.verdicts.iter().any(|verdict| verdict.outcome == Outcome::Chosen);
    let row = |verdict: &policy::Verdict| {
        let is_current = current == Some(&verdict.tag);
        let mark = match verdict.outcome {
            Outcome::Chosen if is_current => "->*",
            Outcome::Chosen => "->",
            _ if is_current => "*",
            _ => "",
        };
        let verdict_in_words = match verdict.outcome {
            Outcome::Eligible if is_current => "the current tag".to_owned(),
            Outcome::Eligible if !chosen => "allowed, but nothing can be chosen".to_owned(),
            _ => verdict.outcome.to_string(),
        };
        let extracted = verdict.extracted.as_ref().map_or_else(String::new, |extracted| format!(" (as {extracted})"));
        let read = if parts { parts_of(verdict) } else { String::new() };
        [mark.to_owned(), format!("{}{extracted}", verdict.tag), verdict_in_words, read]
    };
    let rows: Vec<_> = explanation.verdicts.iter().map(row).collect();
    print_table(&rows, |row, _| match explanation.verdicts[row].outcome {
        Outcome::Chosen => ADDED,
        Outcome::Eligible => HINT,
        Outcome::Rejected(_) => FAINT,
    });
    if let Some(change) = &explanation.change {
        anstream::eprintln!("the choice changes by itself: {change}");
    }
}
