//! Tests of the policy module as its users see it.

mod argocd_keel;
mod calver;
mod corpus;
mod explaining;
mod facts;
mod flux;
mod hostile;
mod mistakes;
mod naive;
mod properties;
mod reading;
mod renovate;
mod rules;

use tagboat::image::{Tag, TagList, TagRef};
use tagboat::policy::{Config, Decision, Direction, Hold, Keep, Order, Policy, Question, Step};

/// A list of tags from words.
fn tags(words: &str) -> TagList {
    words.split_whitespace().map(|word| TagRef::parse(word).unwrap()).collect()
}

fn tag(text: &str) -> Tag {
    Tag::parse(text).unwrap()
}

fn hold(text: &str) -> Hold {
    Hold { tag: tag(text), digest: None, commit: "abc1234".into(), reverted: None }
}

fn semver(range: &str) -> Config {
    Config { order: Some(Order::Semver(range.into())), ..Config::default() }
}

/// As Flux reads versions.
fn strict(range: &str) -> Config {
    Config { strict: true, ..semver(range) }
}

fn update(step: Step) -> Config {
    Config { order: Some(Order::Update(step)), ..Config::default() }
}

fn numeric(direction: Direction) -> Config {
    Config { order: Some(Order::Numeric(direction)), ..Config::default() }
}

fn alphabetical(direction: Direction) -> Config {
    Config { order: Some(Order::Alphabetical(direction)), ..Config::default() }
}

fn filtered(filter: &str, extract: &str, config: Config) -> Config {
    Config { filter: Some(filter.into()), extract: Some(extract.into()), ..config }
}

fn policy(config: Config) -> Policy {
    Policy::new(config).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn decide(config: Config, list: &str, current: Option<&str>, hold: Option<&Hold>) -> Decision {
    let (list, current) = (tags(list), current.map(tag));
    policy(config).decide(&Question { current: current.as_ref(), hold, ..Question::of(&list) })
}

/// The tag that is written, or the code of why none is.
fn outcome(config: Config, list: &str, current: &str) -> String {
    match decide(config, list, Some(current), None) {
        Decision::Move { to } => to.to_string(),
        Decision::Keep(Keep::Ahead { best }) => format!("ahead of {best}"),
        other => other.code().to_owned(),
    }
}

/// The tag that is best where there is no site.
fn best(config: Config, list: &str) -> Option<String> {
    match decide(config, list, None, None) {
        Decision::Move { to } => Some(to.to_string()),
        Decision::NoCandidate(_) => None,
        other @ (Decision::Keep(_) | Decision::Wanting(_)) => panic!("{other:?}"),
    }
}
