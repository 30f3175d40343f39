//! `tagboat explain`: a verdict for every tag.

mod cases;
mod show;
mod tags;

use std::path::PathBuf;

use self::cases::{Case, Cases, Scope};
use self::tags::Source;
use super::output::{Format, HINT, print_classified};
use super::{Exit, quiet_logs};
use crate::config::Settings;
use crate::engine::Rules;
use crate::image::{Reference, Repository, RepositoryPattern, Tag};
use crate::policy::{self, Policy};

/// Say for every tag of an image why it is chosen or not, newest first
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tagboat explain ghcr.io/acme/api
  tagboat explain ghcr.io/acme/api:1.4.1
  tagboat explain 'ghcr.io/acme/*' --environment prod
  tagboat explain nginx --current 1.25-alpine
  tagboat explain acme/api --tags list.txt --current 1.4.1

-> marks the choice, * the current tag. Where the image stands in the environments, each different case there (tag, rule,
what is held) is explained; with a tag given, the places that have it.")]
pub(super) struct Args {
    /// A repository, a whole reference whose tag is taken as the current one, or a pattern as in [[image]]
    image: String,
    /// Read the tags from a file (or - for standard input), one a line; contacts nobody
    #[arg(long, value_name = "FILE")]
    tags: Option<PathBuf>,
    /// The tag to start from
    #[arg(long, value_name = "TAG")]
    current: Option<String>,
    /// Look at this environment only
    #[arg(long, value_name = "NAME", conflicts_with = "tags")]
    environment: Option<String>,
    /// Show how each tag is read: prefix, numbers, prerelease, build, variant
    #[arg(long)]
    parts: bool,
    /// The form of the result; as JSON an object for each case
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn execute(args: &Args, settings: Option<Settings>) -> anyhow::Result<Exit> {
    quiet_logs("warn")?;
    let (wanted, tag) = wanted(&args.image)?;
    let current = args.current.as_deref().map(Tag::parse).transpose()?.or(tag);
    let rules = settings.as_ref().map(|settings| Rules::new(settings.engine.images.clone(), settings.engine.interval));
    let environments = settings.as_ref().map_or_else(Vec::new, |settings| settings.engine.environments.clone());
    let default = Policy::new(policy::Config::default()).map_err(|_| anyhow::anyhow!("the default policy is not well formed"))?;
    let scope = Scope { wanted, current, rules: rules.as_ref() };
    let Cases { cases, unread } = match (&args.tags, scope.environments(&environments, args.environment.as_deref())?) {
        (Some(_), _) => scope.alone()?,
        (None, environments) => scope.look_at(&environments)?,
    };
    let mut source = match &args.tags {
        Some(file) => Source::read(file)?,
        None => Source::ask(settings)?,
    };
    let mut exit = Exit::Done;
    let sections = cases.len();
    for (index, case) in cases.iter().enumerate() {
        let policy = case.rule.map_or(&default, |rule| &rule.policy);
        let found = match source.tags(&case.repository) {
            Ok(found) => found,
            Err(error) => {
                print_classified("explain", &error);
                if let Some(nearest) = rules.as_ref().filter(|_| case.rule.is_none()).and_then(|rules| nearest(rules, &case.repository)) {
                    anstream::eprintln!("  {HINT}hint{HINT:#}: the policy file has a similar name: {nearest}");
                }
                exit = Exit::Failed;
                continue;
            }
        };
        let (facts, failure) = source.learn(&case.repository, |facts| policy.decide(&case.question(&found.tags, facts)))?;
        if let Some(error) = failure {
            print_classified(&format!("what {policy} wants to know of {} could not be learned", case.repository), &error);
            exit = Exit::Failed;
        }
        let explanation = policy.explain(&case.question(&found.tags, &facts));
        let shown = show::Section { case, policy, explanation: &explanation, omitted: found.omitted, unread: &unread, parts: args.parts };
        match args.format {
            Format::Json => shown.as_json()?,
            Format::Text => shown.as_text(index, sections, args.tags.is_some()),
        }
    }
    source.end();
    Ok(exit)
}

/// Reads what is asked about: repositories, and the tag of a whole reference.
fn wanted(image: &str) -> anyhow::Result<(RepositoryPattern, Option<Tag>)> {
    if image.contains(['*', '?', '{']) {
        return Ok((RepositoryPattern::parse(image)?, None));
    }
    let reference = Reference::parse(image)?;
    Ok((RepositoryPattern::One(reference.repository().clone()), reference.tag().cloned()))
}

/// Returns the repository of a rule whose name is much like this one, or the same but for where it is.
fn nearest(rules: &Rules, wanted: &Repository) -> Option<Repository> {
    const LIKE: f64 = 0.9;
    fn last(repository: &Repository) -> &str {
        repository.name().rsplit('/').next().unwrap_or_default()
    }
    let named = rules.iter().filter_map(|rule| match &rule.repository {
        RepositoryPattern::One(repository) if repository != wanted => Some(repository),
        _ => None,
    });
    let text = wanted.to_string();
    let likeness = |other: &Repository| {
        let by_place = strsim::jaro_winkler(&text, &other.to_string());
        if last(wanted) == last(other) { by_place.max(LIKE) } else { by_place }
    };
    let alike = named.map(|repository| (likeness(repository), repository));
    alike.filter(|(likeness, _)| *likeness >= LIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, repository)| repository.clone())
}
