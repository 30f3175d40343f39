//! The words in which decisions are told.

use tagboat::policy::{Config, Decision, Direction::*, Hold, Keep, Policy, Question, Step::*, Variant};

use super::{alphabetical, filtered, hold, numeric, policy, semver, strict, tag, tags, update};

pub(super) fn explain(policy: &Policy, list: &str, current: Option<&str>) -> Vec<String> {
    let (list, current) = (tags(list), current.map(tag));
    let explanation = policy.explain(&Question { current: current.as_ref(), ..Question::of(&list) });
    explanation.verdicts.iter().map(|v| format!("{}: {}", v.tag, v.outcome)).collect()
}

#[test]
fn a_verdict_for_every_tag_newest_first() {
    let list = "2.0.0 1.5.0-rc.1 1.5.0-alpine 1.4.3 1.4.2 1.4.10 1.4.1 1.4 v1.4.4 latest 0a1b2c3 1234567 20240101 1.4.9-ls3 1.4.4-broken";
    let config = Config { exclude: vec!["broken$".into()], ..update(Minor) };
    assert_eq!(
        explain(&policy(config), list, Some("1.4.2")),
        [
            "20240101: a date, not a version",
            "2.0.0: major step, update = \"minor\"",
            "1.5.0-alpine: variant alpine differs from none",
            "1.5.0-rc.1: prerelease rc.1 not allowed",
            "1.4.10: chosen",
            "1.4.9-ls3: build ls3 is of another form than none",
            "v1.4.4: prefix v differs from none",
            "1.4.3: may be taken, but there is a better one",
            "1.4.2: may be taken, but there is a better one",
            "1.4.1: older than 1.4.2",
            "1.4: 2 parts, the site has 3",
            "latest: not a version: it has no number",
            "1234567: not a version: a bare number of six or more digits may be a commit, a build or a time",
            "1.4.4-broken: excluded by broken$",
            "0a1b2c3: not a version: it reads as a commit or digest",
        ]
    );
}

#[test]
fn the_reasons_of_other_orders() {
    for (config, list, current, expected) in [
        (semver("^1.4"), "2.0.0", "1.4.0", "2.0.0: not in range ^1.4"),
        (semver("^1.4"), "1.5.0-rc.1", "1.4.0", "1.5.0-rc.1: prerelease rc.1 not allowed"),
        (strict("^1.4"), "1.5", "1.4.0", "1.5: not a semantic version"),
        (strict("^1.4"), "1.5.0-alpine", "1.4.0", "1.5.0-alpine: prerelease alpine not allowed"),
        (numeric(Ascending), "abc", "1", "abc: abc is not a number"),
        (filtered("^r(.*)$", "$1", numeric(Ascending)), "x5", "r4", "x5: does not match filter"),
        (filtered("^r(.*)$", "$1", numeric(Ascending)), "rx", "r4", "rx: x is not a number"),
        (filtered("^r(.*)$", "$1", numeric(Ascending)), "r", "r4", "r: an empty text is not a number"),
        (filtered("^r", "", alphabetical(Ascending)), "x5", "r4", "x5: does not match filter"),
        (
            Config { variant: Variant::Only("alpine".into()), ..update(Minor) },
            "1.5.0",
            "1.4.0",
            "1.5.0: variant none is not the one asked for",
        ),
        (update(Patch), "1.5.0", "1.4.0", "1.5.0: minor step, update = \"patch\""),
        (update(Major), "3", "20240101", "3: a version, but the site has a date"),
        (update(Major), "2024-01-15", "20240101", "2024-01-15: a date of another form than the site's"),
        (update(Major), "1", "1.2", "1: 1 part, the site has 2"),
    ] {
        assert_eq!(explain(&policy(config), list, Some(current)), [expected]);
    }
}

#[test]
fn tags_are_explained_even_where_nothing_can_be_decided() {
    assert_eq!(
        explain(&policy(update(Minor)), "1.0.0 2.0.0", None),
        ["2.0.0: may be taken, but there is a better one", "1.0.0: may be taken, but there is a better one"]
    );
}

#[test]
fn decisions_in_words() {
    let held = |best: &str| Decision::Keep(Keep::Held { best: tag(best), hold: hold("1.4.2") });
    for (decision, words) in [
        (Decision::Move { to: tag("1.4.2") }, "move to 1.4.2"),
        (Decision::Keep(Keep::UpToDate), "up to date"),
        (Decision::Keep(Keep::Ahead { best: tag("1.4.1") }), "ahead of the policy, whose best tag is 1.4.1"),
        (held("1.4.2"), "held: 1.4.2 was taken out again after commit abc1234 wrote it"),
        (held("1.4.1"), "held: 1.4.2 was taken out again after commit abc1234 wrote it, and 1.4.1 is not newer"),
        (Decision::Keep(Keep::Unordered), "the current tag cannot be ordered, so nothing can be said to be newer"),
        (Decision::Keep(Keep::Stepless), "the current tag is a date, which has no patch or minor step"),
        (Decision::Keep(Keep::NoCurrent), "there is no current tag to step from"),
    ] {
        assert_eq!(decision.to_string(), words);
    }
    let none = super::decide(semver("^1"), "2.0.0 3.0.0 latest", None, None);
    assert_eq!(none.to_string(), "no tag satisfies the policy (3 tags: 2 outside the range, 1 without a readable version)");
}

#[test]
fn a_hold_names_the_commit_that_took_the_version_out() {
    let hold = Hold { reverted: Some("1a2b3c4".into()), ..hold("1.4.2") };
    let (list, current) = (tags("1.4.0 1.4.1 1.4.2 1.4.1-rc.1"), tag("1.4.0"));
    let question = Question { current: Some(&current), hold: Some(&hold), ..Question::of(&list) };
    let explanation = policy(update(Minor)).explain(&question);
    assert_eq!(explanation.decision.to_string(), "1.4.2 is held: reverted in 1a2b3c4");
    let verdicts: Vec<String> = explanation.verdicts.iter().map(|v| format!("{}: {}", v.tag, v.outcome)).collect();
    assert_eq!(
        verdicts,
        [
            "1.4.2: held: reverted in 1a2b3c4",
            "1.4.1: held: not newer than 1.4.2, which was reverted in 1a2b3c4",
            "1.4.1-rc.1: prerelease rc.1 not allowed",
            "1.4.0: may be taken, but there is a better one",
        ]
    );
    let without = tags("1.4.0 1.4.1");
    let explanation = policy(update(Minor)).explain(&Question { tags: &without, ..question });
    assert_eq!(explanation.decision.to_string(), "1.4.2 is held: reverted in 1a2b3c4, and 1.4.1 is not newer");
}

#[test]
fn explanations_for_machines() {
    let (list, current) = (tags("r5 r6 x"), tag("r5"));
    let explanation =
        policy(filtered("^r(.*)$", "$1", numeric(Ascending))).explain(&Question { current: Some(&current), ..Question::of(&list) });
    assert_eq!(
        serde_json::to_value(&explanation).unwrap(),
        serde_json::json!({
            "decision": { "code": "move", "text": "move to r6", "to": "r6" },
            "verdicts": [
                { "tag": "r6", "extracted": "6", "code": "chosen", "text": "chosen" },
                { "tag": "r5", "extracted": "5", "code": "eligible", "text": "may be taken, but there is a better one" },
                { "tag": "x", "code": "filter", "text": "does not match filter" },
            ]
        })
    );
    let none = super::decide(semver("^1"), "2.0.0", None, None);
    assert_eq!(serde_json::to_value(&none).unwrap()["counts"], serde_json::json!({ "total": 1, "range": 1 }));
}
