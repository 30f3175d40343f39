//! Lists and policies at their worst: nothing, too much, too long, and what no tag satisfies.

use tagboat::image::{TagList, TagRef};
use tagboat::policy::{Config, Decision, Direction::*, Moment, Order, Policy, Question, Step::*};

use super::{alphabetical, best, decide, filtered, numeric, outcome, policy, semver, strict, tag, update};

/// Every order that needs no facts, without conditions.
fn orders() -> Vec<Config> {
    let calver = Config { order: Some(Order::Calver("YYYY.0M.0D".into())), ..Config::default() };
    vec![semver("*"), strict("*"), update(Major), calver, numeric(Ascending), alphabetical(Descending)]
}

fn with_facts() -> Vec<Config> {
    let order = |order| Config { order: Some(order), ..Config::default() };
    vec![order(Order::Newest(Moment::Pushed)), order(Order::Newest(Moment::Created)), order(Order::Digest("stable".into()))]
}

#[test]
fn an_empty_repository_has_no_candidate() {
    for config in orders().into_iter().chain(with_facts()) {
        let list = TagList::default();
        let decision = policy(config.clone()).decide(&Question::of(&list));
        let expected = if matches!(config.order, Some(Order::Update(_))) {
            "there is no current tag to step from"
        } else {
            "no tag satisfies the policy (the repository has no tags)"
        };
        assert_eq!(decision.to_string(), expected, "{config:?}");
    }
}

#[test]
fn tags_that_cannot_be_read_are_counted_and_leave_the_site_alone() {
    let list = "latest 0a1b2c3 sha256-abc.sig _ a..b 1.2.3- main";
    for (config, current) in [(semver("*"), "1.2.3"), (strict("*"), "1.2.3"), (update(Major), "1.2.3"), (numeric(Ascending), "5")] {
        let Decision::NoCandidate(counts) = decide(config.clone(), list, Some(current), None) else { panic!("{config:?}") };
        assert_eq!(counts.total(), 7, "{config:?}");
    }
}

#[test]
fn two_hundred_thousand_tags() {
    let texts: Vec<String> = (0..200_000).map(|i| format!("1.{}.{}", i / 1000, i % 1000)).collect();
    let list: TagList = texts.iter().map(|text| TagRef::parse(text).unwrap()).collect();
    let current = tag("1.0.0");
    let question = Question { current: Some(&current), ..Question::of(&list) };
    for config in [semver("^1"), strict("^1"), update(Minor)] {
        assert_eq!(policy(config).decide(&question), Decision::Move { to: tag("1.199.999") });
    }
    let Decision::Wanting(need) = policy(with_facts().remove(0)).decide(&question) else { panic!() };
    assert_eq!(need.tags.len(), 200_000, "each once, also the current");
    let waiting = Config { min_age: Some(std::time::Duration::from_secs(1)), ..semver("^1") };
    let Decision::Wanting(need) = policy(waiting).decide(&question) else { panic!() };
    assert_eq!(need.tags, [tag("1.199.999"), tag("1.199.998")], "few, the best first");
}

#[test]
fn tags_of_128_characters_and_numbers_of_128_digits() {
    let (nines, one) = ("9".repeat(128), format!("1{}", "0".repeat(127)));
    let list = format!("{nines} {one} 5");
    assert_eq!(outcome(numeric(Ascending), &list, "7"), nines);
    assert_eq!(outcome(numeric(Descending), &list, "7"), "5");
    assert_eq!(outcome(numeric(Ascending), &format!("{}8 5", &nines[1..]), &nines), format!("ahead of {}8", &nines[1..]));
    assert_eq!(best(alphabetical(Ascending), &format!("{} b", "z".repeat(128))), Some("z".repeat(128)));
    let long = format!("1.0.{}", "9".repeat(124));
    assert_eq!(outcome(update(Minor), &long, "1.0.1"), long);
    let dotted = ["1"; 63].join(".");
    assert_eq!(outcome(update(Major), &format!("{dotted}.2"), &format!("{dotted}.1")), format!("{dotted}.2"));
}

#[test]
fn patterns_that_never_match_leave_no_candidate() {
    let never = |filter: &str| Config { filter: Some(filter.into()), ..update(Minor) };
    for filter in [r"[^\s\S]", r"\z.", "^$", "a{0}^b$"] {
        assert_eq!(outcome(never(filter), "1.2.4", "1.2.3"), "no-candidate", "{filter}");
    }
    assert_eq!(
        outcome(filtered("^x(.*)$", "$1", update(Minor)), "1.2.4", "1.2.3"),
        "unordered",
        "the current tag is not of the filter either"
    );
    let all = Config { exclude: vec![String::new()], ..update(Minor) };
    assert_eq!(outcome(all, "1.2.4", "1.2.3"), "no-candidate");
}

#[test]
fn an_invalid_pattern_is_refused_when_the_policy_is_read() {
    let errors = Policy::new(Config { filter: Some("^v(".into()), ..update(Minor) }).unwrap_err();
    assert_eq!((errors[0].key, errors[0].span.clone()), ("filter", Some(2..3)));
}

#[test]
fn a_group_that_took_no_part_leaves_nothing_to_compare() {
    let optional = |config| filtered("^main(?:-(?<build>[0-9]+))?$", "$build", config);
    for (config, expected) in [
        (optional(numeric(Descending)), "main-1"),
        (optional(alphabetical(Descending)), "main-1"),
        (optional(alphabetical(Ascending)), "main-9"),
    ] {
        assert_eq!(best(config.clone(), "main main-1 main-9").as_deref(), Some(expected), "{config:?}");
    }
}

#[test]
fn two_tags_of_one_extracted_text_are_told_apart_by_rule() {
    let stamp = || filtered("^main-[0-9a-f]+-([0-9]+)$", "${1}", numeric(Ascending));
    let list = "main-aaaaaaa-5 main-ccccccc-5 main-bbbbbbb-5";
    assert_eq!(outcome(stamp(), list, "main-aaaaaaa-5"), "up-to-date", "the site's own stays");
    assert_eq!(outcome(stamp(), list, "main-aaaaaaa-4"), "main-ccccccc-5", "else the last in byte order");
    // A named group is a numbered one as well; both say the same.
    for template in ["$1", "$stamp", "${stamp}", "${1}"] {
        let named = filtered("^main-[0-9a-f]+-(?<stamp>[0-9]+)$", template, numeric(Ascending));
        assert_eq!(outcome(named, list, "main-aaaaaaa-4"), "main-ccccccc-5", "{template}");
    }
}
