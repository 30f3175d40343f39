//! What costs requests: times, ages, platforms and digests, asked for where they decide and nowhere else.

use std::time::Duration;

use tagboat::image::{Digest, Platform, Tag, TagList};
use tagboat::policy::{
    Code, Config, Decision, Explanation, Fact, Facts, Hold, Keep, Known, Moment, Need, Order, Policy, Question, Step::*, Wanted,
};

use super::{hold, policy, semver, tag, tags, update};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// What a registry would answer, one word a tag: `1.4.3=age:3,platforms:linux/amd64+linux/arm64`.
pub(super) fn world(words: &str) -> Facts {
    let known = |text: &str, value: &dyn Fn(&str) -> i64| if text == "?" { Known::Unknown } else { Known::Is(value(text)) };
    let number = |text: &str| text.parse().unwrap();
    words
        .split_whitespace()
        .map(|word| {
            let (name, facts) = word.split_once('=').unwrap();
            let mut fact = Fact::default();
            for (what, value) in facts.split(',').map(|fact| fact.split_once(':').unwrap()) {
                match what {
                    "pushed" => fact.pushed = Some(known(value, &number)),
                    "created" => fact.created = Some(known(value, &number)),
                    "age" if value == "?" => fact.age = Some(Known::Unknown),
                    "age" => fact.age = Some(Known::Is(Duration::from_secs(value.parse::<u64>().unwrap() * HOUR))),
                    "platforms" if value == "?" => fact.platforms = Some(Known::Unknown),
                    "platforms" => {
                        fact.platforms = Some(Known::Is(value.split('+').map(|text| Platform::parse(text).unwrap()).collect()));
                    }
                    "digest" if value == "?" => fact.digest = Some(Known::Unknown),
                    "digest" => fact.digest = Some(Known::Is(digest(value))),
                    other => panic!("{other}"),
                }
            }
            (tag(name), fact)
        })
        .collect()
}

/// A digest of one repeated digit.
pub(super) fn digest(digit: &str) -> Digest {
    Digest::parse(&format!("sha256:{}", digit.repeat(64))).unwrap()
}

/// Answers a need from the world, just what was asked.
pub(super) fn learn(world: &Facts, need: &Need, facts: &mut Facts) {
    for tag in &need.tags {
        let there = world.get(tag).cloned().unwrap_or_default();
        let fact = facts.entry(tag.clone()).or_default();
        match need.what {
            Wanted::Digest => fact.digest = Some(there.digest.unwrap_or(Known::Unknown)),
            Wanted::Pushed => fact.pushed = Some(there.pushed.unwrap_or(Known::Unknown)),
            Wanted::Created => fact.created = Some(there.created.unwrap_or(Known::Unknown)),
            Wanted::Age => fact.age = Some(there.age.unwrap_or(Known::Unknown)),
            Wanted::Platforms => fact.platforms = Some(there.platforms.unwrap_or(Known::Unknown)),
        }
    }
}

/// The dialogue: what was asked for, in order, and the decision.
pub(super) fn talk(policy: &Policy, question: &Question<'_>, world: &Facts) -> (Vec<String>, Explanation) {
    let (mut facts, mut asked) = (question.facts.clone(), Vec::new());
    loop {
        let question = Question { facts: &facts, ..*question };
        match policy.decide(&question) {
            Decision::Wanting(need) => {
                assert!(asked.len() < 1000, "it asks for ever: {need}");
                let tags: Vec<&str> = need.tags.iter().map(Tag::as_str).collect();
                asked.push(format!("{} {}", need.what, tags.join(" ")));
                learn(world, &need, &mut facts);
            }
            decision => {
                let explanation = policy.explain(&question);
                assert_eq!(explanation.decision, decision);
                return (asked, explanation);
            }
        }
    }
}

pub(super) fn ask(config: Config, list: &str, current: &str, facts: &str) -> (Vec<String>, Explanation) {
    let (list, current) = (tags(list), tag(current));
    talk(&policy(config), &Question { current: Some(&current), ..Question::of(&list) }, &world(facts))
}

fn words(explanation: &Explanation) -> Vec<String> {
    explanation.verdicts.iter().map(|v| format!("{}: {}", v.tag, v.outcome)).collect()
}

fn min_age(days: u64, config: Config) -> Config {
    Config { min_age: Some(Duration::from_secs(days * DAY)), ..config }
}

pub(super) fn platforms(names: &[&str], config: Config) -> Config {
    Config { platforms: names.iter().map(|&name| name.into()).collect(), ..config }
}

pub(super) fn newest(moment: Moment) -> Config {
    Config { order: Some(Order::Newest(moment)), ..Config::default() }
}

pub(super) fn follow(tag: &str) -> Config {
    Config { order: Some(Order::Digest(tag.into())), ..Config::default() }
}

#[test]
fn a_tag_waits_for_its_age_and_the_next_is_taken_meanwhile() {
    let (asked, explanation) = ask(
        min_age(3, update(Minor)),
        "1.4.0 1.4.1 1.4.2 1.4.3 1.4.4 2.0.0",
        "1.4.0",
        "1.4.4=age:3 1.4.3=age:? 1.4.2=age:72 1.4.1=age:200",
    );
    assert_eq!(asked, ["age 1.4.4 1.4.3", "age 1.4.2 1.4.1"], "the best first and few; 2.0.0 is out of the question");
    assert_eq!(explanation.decision, Decision::Move { to: tag("1.4.2") });
    assert_eq!(
        words(&explanation),
        [
            "2.0.0: major step, update = \"minor\"",
            "1.4.4: seen 3h ago, min_age 3d",
            "1.4.3: its age is not known",
            "1.4.2: chosen",
            "1.4.1: may be taken, but there is a better one",
            "1.4.0: may be taken, but there is a better one",
        ]
    );
    let change = explanation.change.as_ref().unwrap();
    assert_eq!((change.to_string().as_str(), change.after), ("1.4.4 in 2d21h", Duration::from_secs(69 * HOUR)));
    assert_eq!(serde_json::to_value(&explanation).unwrap()["change"], serde_json::json!({ "tag": "1.4.4", "after_seconds": 69 * HOUR }));
}

#[test]
fn the_next_change_is_the_one_that_comes_first() {
    let list = "1.4.0 1.4.1 1.4.2 1.4.3";
    let (_, explanation) = ask(min_age(3, update(Minor)), list, "1.4.1", "1.4.3=age:1 1.4.2=age:60");
    assert_eq!(explanation.decision, Decision::Keep(Keep::UpToDate));
    assert_eq!(explanation.change.unwrap().to_string(), "1.4.2 in 12h");
    let (_, explanation) = ask(min_age(3, update(Minor)), list, "1.4.1", "1.4.3=age:60 1.4.2=age:1");
    assert_eq!(explanation.change.unwrap().to_string(), "1.4.3 in 12h");
    let (_, explanation) = ask(update(Minor), list, "1.4.1", "");
    assert_eq!(explanation.change, None);
}

#[test]
fn where_the_site_stays_anyway_nothing_is_asked() {
    let picky = || platforms(&["linux/arm64"], min_age(3, update(Minor)));
    for (list, current, expected) in [
        ("1.4.0 1.4.1", "1.4.1", "up-to-date"),
        ("1.4.0 1.4.1", "1.4.2", "ahead"),
        ("2.0.0", "1.4.2", "no-candidate"),
        ("1.4.0", "latest", "unordered"),
    ] {
        let (asked, explanation) = ask(picky(), list, current, "");
        assert_eq!((asked.len(), explanation.decision.code()), (0, expected), "{list} at {current}");
    }
    let (list, current, hold) = (tags("1.4.0 1.4.1"), tag("1.4.0"), hold("1.4.1"));
    let question = Question { current: Some(&current), hold: Some(&hold), ..Question::of(&list) };
    let (asked, explanation) = talk(&policy(picky()), &question, &Facts::new());
    assert_eq!((asked.len(), explanation.decision.code()), (0, "held"));
    assert_eq!(
        words(&explanation),
        ["1.4.1: held: 1.4.1 was taken out again after commit abc1234 wrote it", "1.4.0: may be taken, but there is a better one"]
    );
}

#[test]
fn the_tag_that_a_site_has_is_not_too_young_to_stay() {
    let lowering = Config { downgrade: true, ..platforms(&["linux/arm64"], min_age(3, update(Minor))) };
    let (asked, explanation) = ask(lowering.clone(), "1.4.0 1.4.1", "1.4.1", "1.4.1=age:1 1.4.0=age:999,platforms:linux/arm64");
    assert_eq!((asked.len(), explanation.decision), (0, Decision::Keep(Keep::UpToDate)));
    let (asked, explanation) = ask(lowering, "1.4.0", "1.4.1", "1.4.0=age:999,platforms:linux/arm64");
    assert_eq!(asked, ["age 1.4.0", "platforms 1.4.0"], "lowering is a move like any other");
    assert_eq!(explanation.decision, Decision::Move { to: tag("1.4.0") });
}

#[test]
fn every_platform_must_be_there() {
    let both = || platforms(&["linux/amd64", "linux/arm64"], update(Minor));
    let (asked, explanation) = ask(
        both(),
        "1.4.1 1.4.2 1.4.3 1.4.4 1.4.5",
        "1.4.0",
        "1.4.5=platforms:linux/amd64 1.4.4=platforms:? 1.4.3=platforms:linux/arm64/v8+linux/amd64+windows/amd64 1.4.2=platforms:?",
    );
    assert_eq!(asked, ["platforms 1.4.5 1.4.4", "platforms 1.4.3 1.4.2"]);
    assert_eq!(explanation.decision, Decision::Move { to: tag("1.4.3") });
    assert_eq!(
        words(&explanation),
        [
            "1.4.5: no linux/arm64",
            "1.4.4: its platforms are not known",
            "1.4.3: chosen",
            "1.4.2: its platforms are not known",
            "1.4.1: may be taken, but there is a better one",
        ]
    );
    let (_, explanation) = ask(platforms(&["plan9/sparc"], update(Minor)), "1.4.1", "1.4.0", "1.4.1=platforms:linux/amd64");
    assert_eq!(explanation.decision.to_string(), "no tag satisfies the policy (1 tag: 1 without a platform)");
}

#[test]
fn ages_spare_the_platforms_of_what_is_too_young() {
    let (asked, _) = ask(
        platforms(&["linux/amd64"], min_age(3, semver("^1"))),
        "1.4.1 1.4.2",
        "1.4.0",
        "1.4.2=age:1 1.4.1=age:100,platforms:linux/amd64",
    );
    assert_eq!(asked, ["age 1.4.2 1.4.1", "platforms 1.4.1"]);
}

#[test]
fn an_age_of_just_as_much_is_enough() {
    for (seconds, expected) in [(3 * DAY - 1, "no-candidate"), (3 * DAY, "move")] {
        let fact = Fact { age: Some(Known::Is(Duration::from_secs(seconds))), ..Fact::default() };
        let (list, current, facts) = (tags("1.4.1"), tag("1.4.0"), Facts::from([(tag("1.4.1"), fact)]));
        let question = Question { current: Some(&current), facts: &facts, ..Question::of(&list) };
        assert_eq!(policy(min_age(3, update(Minor))).decide(&question).code(), expected, "{seconds}");
    }
}

#[test]
fn the_newest_is_told_by_its_time_alone() {
    let facts = "main-aaa=pushed:100,created:500 main-bbb=pushed:300,created:200 main-ccc=pushed:200,created:? dev-ddd=pushed:999";
    let list = "main-aaa main-bbb main-ccc dev-ddd";
    let only_main = |moment| Config { filter: Some("^main-".into()), ..newest(moment) };
    let (asked, explanation) = ask(only_main(Moment::Pushed), list, "main-aaa", facts);
    assert_eq!(asked, ["push time main-aaa main-ccc main-bbb"], "the site's own, then all that may be taken");
    assert_eq!(
        words(&explanation),
        [
            "main-bbb: chosen",
            "main-ccc: may be taken, but there is a better one",
            "main-aaa: may be taken, but there is a better one",
            "dev-ddd: does not match filter"
        ]
    );
    let (asked, explanation) = ask(only_main(Moment::Created), list, "main-bbb", facts);
    assert_eq!(asked, ["creation time main-bbb main-ccc main-aaa"]);
    assert_eq!(explanation.decision, Decision::Move { to: tag("main-aaa") });
    assert!(words(&explanation).contains(&"main-ccc: its creation time is not known".to_owned()));
    let (_, explanation) = ask(newest(Moment::Pushed), "a", "b", "a=pushed:1 b=pushed:2");
    assert_eq!(explanation.decision, Decision::Keep(Keep::Ahead { best: tag("a") }));
}

#[test]
fn nothing_is_newer_than_a_tag_of_unknown_time() {
    let (asked, explanation) = ask(newest(Moment::Pushed), "a b", "gone", "a=pushed:1 b=pushed:2");
    assert_eq!((asked, explanation.decision), (vec!["push time gone b a".to_owned()], Decision::Keep(Keep::Unordered)));
    let lowering = Config { downgrade: true, ..newest(Moment::Pushed) };
    assert_eq!(ask(lowering, "a b", "gone", "a=pushed:1 b=pushed:2").1.decision, Decision::Move { to: tag("b") });
    assert_eq!(ask(newest(Moment::Pushed), "a b", "a", "a=pushed:1").1.decision, Decision::Keep(Keep::UpToDate));
}

#[test]
fn of_two_tags_of_one_time_the_sites_own_stays_and_else_the_last_in_byte_order_is_taken() {
    let facts = "a=pushed:2 b=pushed:2 c=pushed:1";
    assert_eq!(ask(newest(Moment::Pushed), "a b c", "a", facts).1.decision, Decision::Keep(Keep::UpToDate));
    assert_eq!(ask(newest(Moment::Pushed), "a b c", "c", facts).1.decision, Decision::Move { to: tag("b") });
}

#[test]
fn the_newest_may_also_have_to_be_old_enough() {
    let (asked, explanation) =
        ask(min_age(1, newest(Moment::Pushed)), "a b c", "a", "a=pushed:1,age:100 b=pushed:2,age:50 c=pushed:3,age:2");
    assert_eq!(asked, ["push time a c b", "age c b"]);
    assert_eq!(explanation.decision, Decision::Move { to: tag("b") });
}

#[test]
fn what_was_taken_out_is_compared_by_time_too() {
    let (list, current, hold) = (tags("a b c"), tag("a"), hold("x"));
    let question = Question { current: Some(&current), hold: Some(&hold), ..Question::of(&list) };
    for (time, expected) in [("2", "move"), ("3", "held"), ("9", "held"), ("?", "move")] {
        let (asked, explanation) =
            talk(&policy(newest(Moment::Pushed)), &question, &world(&format!("a=pushed:1 b=pushed:2 c=pushed:3 x=pushed:{time}")));
        assert_eq!(asked, ["push time a x c b"]);
        assert_eq!(explanation.decision.code(), expected, "{time}");
    }
}

#[test]
fn a_tag_is_followed_wherever_it_points() {
    let list = tags("stable 1.0.0 2.0.0");
    let decide = |config: Config, current: Option<&str>, has: Option<&str>, facts: &str| {
        let (current, has) = (current.map(tag), has.map(digest));
        let question = Question { current: current.as_ref(), digest: has.as_ref(), ..Question::of(&list) };
        talk(&policy(config), &question, &world(facts))
    };
    let outcome = |current, has| decide(follow("stable"), current, has, "stable=digest:2").1.decision.code();
    assert_eq!(outcome(Some("stable"), Some("2")), "up-to-date");
    assert_eq!(outcome(Some("stable"), Some("1")), "move");
    assert_eq!(outcome(Some("stable"), None), "move", "the digest is written where there is none");
    assert_eq!(outcome(Some("1.0.0"), Some("2")), "move", "the tag is the one that the policy names");
    assert_eq!(outcome(None, Some("1")), "move", "a bare digest moves under this order");
    assert_eq!(outcome(None, Some("2")), "up-to-date");
    let (asked, explanation) = decide(min_age(3, follow("stable")), Some("stable"), Some("1"), "stable=digest:2,age:71");
    assert_eq!(asked, ["digest stable", "age stable"]);
    assert_eq!(
        words(&explanation),
        ["stable: seen 2d23h ago, min_age 3d", "2.0.0: not stable, which is followed", "1.0.0: not stable, which is followed"]
    );
    assert_eq!(explanation.change.unwrap().to_string(), "stable in 1h");
    assert_eq!(explanation.decision.to_string(), "no tag satisfies the policy (3 tags: 2 not the tag that is followed, 1 too young)");
    let (_, explanation) = decide(follow("stable"), Some("stable"), Some("1"), "stable=digest:?");
    assert_eq!(words(&explanation)[0], "stable: its digest is not known");
    let (asked, explanation) = decide(follow("gone"), Some("gone"), Some("1"), "");
    assert_eq!((asked.len(), explanation.decision.code(), explanation.verdicts.len()), (0, "no-candidate", 3));
    assert!(policy(follow("stable")).pins() && policy(follow("stable")).follows() == Some(&tag("stable")));
    assert!(!policy(update(Minor)).pins() && policy(Config { pin_digest: true, ..update(Minor) }).pins());
}

#[test]
fn a_digest_that_was_taken_out_stays_out_until_the_tag_moves_on() {
    let (list, current, has) = (tags("stable"), tag("stable"), digest("1"));
    for (held, expected) in [(Some(digest("2")), "held"), (Some(digest("3")), "move"), (None, "held")] {
        let hold = Hold { digest: held, ..hold("stable") };
        let question = Question { current: Some(&current), digest: Some(&has), hold: Some(&hold), ..Question::of(&list) };
        let (_, explanation) = talk(&policy(follow("stable")), &question, &world("stable=digest:2"));
        assert_eq!(explanation.decision.code(), expected, "{hold:?}");
    }
}

#[test]
fn a_need_in_words_and_for_machines() {
    let list = tags("1.4.1");
    let decision = policy(min_age(3, semver("^1"))).decide(&Question::of(&list));
    assert_eq!(decision.to_string(), "not decided before the age of 1.4.1 has been asked for");
    assert_eq!(
        serde_json::to_value(&decision).unwrap(),
        serde_json::json!({ "code": "wanting", "text": decision.to_string(), "need": { "tags": ["1.4.1"], "what": "age" } })
    );
    let list: TagList = tags("a b");
    let explanation = policy(newest(Moment::Pushed)).explain(&Question::of(&list));
    assert_eq!(words(&explanation), ["b: its push time has not been asked for", "a: its push time has not been asked for"]);
    assert!(matches!(&explanation.verdicts[0].outcome, tagboat::policy::Outcome::Rejected(reason) if reason.code() == Code::Unknown));
}
