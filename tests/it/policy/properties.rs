//! What holds for all tags, however strange.

use std::cmp::Ordering;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tagboat::image::{Digest, Platform, Tag, TagList, TagRef};
use tagboat::policy::{
    Code, Config, Decision, Direction, Explanation, Fact, Facts, Hold, Keep, Known, Moment, Order, Outcome, Policy, Precision, Prerelease,
    Question, Range, Reading, Step, Variant,
};

use super::facts::learn;
use super::naive;

/// Tags as they are found, with few enough pieces that many of them are related.
fn tag() -> impl Strategy<Value = String> {
    let number = select(vec!["0", "1", "2", "9", "10", "03", "2024", "18446744073709551616"]);
    let numbers = prop::collection::vec(number, 1..4).prop_map(|parts| parts.join("."));
    let prefix = select(vec!["", "", "", "v", "release-"]);
    let prerelease = select(vec!["", "", "", "-rc.1", "-rc2", "b1", "-SNAPSHOT", "-alpha.10", "-nightly", "-dev"]);
    let rest =
        select(vec!["", "", "-alpine3.18", "-alpine3.9", "-debian-11-r2", "-ls4", "_5", "-slim", "-abc1234", "-fbc1234", "-20240101"]);
    let version = (prefix, numbers, prerelease, rest).prop_map(|(a, b, c, d)| format!("{a}{b}{c}{d}"));
    let other = select(vec![
        "latest",
        "1234567",
        "0a1b2c3",
        "20240101",
        "20240315",
        "2024-01-15",
        "2024-02-01",
        "main-abc1234-1700000000",
        "24.04",
        "24.10",
        "1.2-dev",
        "1.2",
        "1.9-dev",
        "1.9",
    ]);
    prop_oneof![8 => version, 1 => other.prop_map(str::to_owned), 1 => "[A-Za-z0-9_][A-Za-z0-9._-]{0,12}"]
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(tag(), 0..12)
}

fn config() -> impl Strategy<Value = Config> {
    let direction = || select(vec![Direction::Ascending, Direction::Descending]);
    let versions = prop_oneof![
        select(vec!["*", "^1", ">=1.0.0-0", "~2.0 || ^9", "<=2"]).prop_map(|range| Order::Semver(range.into())),
        select(vec![Step::Patch, Step::Minor, Step::Major]).prop_map(Order::Update),
    ];
    let precision = select(vec![Precision::Same, Precision::Any]);
    let read = (versions, prerelease_of(), variant_of(), precision).prop_map(|(order, prerelease, variant, precision)| Config {
        order: Some(order),
        prerelease,
        variant,
        precision,
        ..Config::default()
    });
    let strict = Just(Config { order: Some(Order::Semver("*-0".into())), strict: true, ..Config::default() });
    let numeric = direction().prop_map(|d| Config {
        order: Some(Order::Numeric(d)),
        filter: Some(r"^v?(\d+(?:\.\d+)?)".into()),
        extract: Some("$1".into()),
        ..Config::default()
    });
    let text = direction().prop_map(|d| Config { order: Some(Order::Alphabetical(d)), exclude: vec!["slim".into()], ..Config::default() });
    let calver = (select(vec!["YYYY.MM.MICRO", "YYYY0M0D", "YYYY-0M-0D", "YY.0M"]), prerelease_of(), variant_of()).prop_map(
        |(form, prerelease, variant)| Config { order: Some(Order::Calver(form.into())), prerelease, variant, ..Config::default() },
    );
    let newest = select(vec![Moment::Pushed, Moment::Created]).prop_map(|moment| Config {
        order: Some(Order::Newest(moment)),
        exclude: vec!["slim".into()],
        ..Config::default()
    });
    let order = prop_oneof![4 => read, 1 => strict, 1 => calver, 1 => numeric, 1 => text, 1 => newest];
    let min_age = select(vec![None, None, Some(Duration::from_secs(5))]);
    let platforms = select(vec![vec![], vec![], vec!["linux/amd64"], vec!["linux/amd64", "linux/arm64"]]);
    (order, min_age, platforms).prop_map(|(config, min_age, platforms)| Config {
        min_age,
        platforms: platforms.into_iter().map(str::to_owned).collect(),
        ..config
    })
}

fn prerelease_of() -> impl Strategy<Value = Prerelease> {
    select(vec![Prerelease::No, Prerelease::Any, Prerelease::Kinds(vec!["rc".into()])])
}

fn variant_of() -> impl Strategy<Value = Variant> {
    select(vec![Variant::Same, Variant::Any, Variant::Only("alpine".into())])
}

/// What a registry knows of a tag: anything, but always the same.
fn fact(tag: &str) -> Fact {
    let number = tag.bytes().fold(7_u64, |sum, b| (sum * 31 + u64::from(b)) % 1009);
    let time = |salt: u64| if (number + salt).is_multiple_of(11) { Known::Unknown } else { Known::Is(((number + salt) % 13) as i64) };
    let age = if number.is_multiple_of(7) { Known::Unknown } else { Known::Is(Duration::from_secs(number % 10)) };
    let platforms = [vec![], vec!["linux/amd64"], vec!["linux/arm64/v8", "linux/amd64"]];
    let platforms = match platforms.get((number % 4) as usize) {
        Some(names) => Known::Is(names.iter().map(|name| Platform::parse(name).unwrap()).collect()),
        None => Known::Unknown,
    };
    Fact {
        digest: Some(Known::Is(Digest::parse(&format!("sha256:{number:064x}")).unwrap())),
        pushed: Some(time(0)),
        created: Some(time(5)),
        age: Some(age),
        platforms: Some(platforms),
    }
}

/// Asks until it is decided; every answer is new, so that it comes to an end.
fn talk(policy: &Policy, question: &Question<'_>) -> (Decision, Facts) {
    let mut facts = Facts::new();
    loop {
        match policy.decide(&Question { facts: &facts, ..*question }) {
            Decision::Wanting(need) => {
                let before = facts.clone();
                let world: Facts = need.tags.iter().map(|tag| (tag.clone(), fact(tag.as_str()))).collect();
                learn(&world, &need, &mut facts);
                let learned = need.tags.iter().all(|tag| before.get(tag) != facts.get(tag));
                assert!(!need.tags.is_empty() && learned, "asked for what is known: {need}");
            }
            decision => return (decision, facts),
        }
    }
}

/// Explains with what the decision took.
fn explain(policy: &Policy, question: &Question<'_>) -> Explanation {
    let (_, facts) = talk(policy, question);
    policy.explain(&Question { facts: &facts, ..*question })
}

/// Explains with all that could be known.
fn explain_all(policy: &Policy, question: &Question<'_>) -> Explanation {
    let mut facts: Facts = question.tags.iter().map(|tag| (tag.to_tag(), fact(tag.as_str()))).collect();
    facts.extend(question.current.into_iter().chain(question.hold.map(|hold| &hold.tag)).map(|tag| (tag.clone(), fact(tag.as_str()))));
    policy.explain(&Question { facts: &facts, ..*question })
}

fn list<'a>(words: impl IntoIterator<Item = &'a String>) -> TagList {
    words.into_iter().map(|word| TagRef::parse(word).unwrap()).collect()
}

fn decide(policy: &Policy, tags: &TagList, current: &str) -> Decision {
    talk(policy, &Question { current: Some(&Tag::parse(current).unwrap()), ..Question::of(tags) }).0
}

/// How a policy without any condition compares two tags: as the one moves to the other, and back.
fn compare(policy: &Policy, a: &str, b: &str) -> Ordering {
    let moves = |from: &str, to: &str| matches!(decide(policy, &list(&[to.to_owned()]), from), Decision::Move { .. });
    match (moves(a, b), moves(b, a)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => Ordering::Equal,
        (true, true) => panic!("{a} and {b} are each newer than the other"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn newer_goes_one_way(words in prop::collection::vec(tag(), 3..7), config in config()) {
        let policy = Policy::new(config).unwrap();
        for a in &words {
            prop_assert_eq!(compare(&policy, a, a), Ordering::Equal);
            for b in &words {
                prop_assert_eq!(compare(&policy, a, b), compare(&policy, b, a).reverse());
            }
        }
    }

    #[test]
    fn explain_sorts_totally(words in tags(), current in tag(), config in config()) {
        let policy = Policy::new(config).unwrap();
        let current = Tag::parse(&current).unwrap();
        let rank = |words: &[String]| -> Vec<String> {
            let tags = list(words);
            let explanation = explain_all(&policy, &Question { current: Some(&current), ..Question::of(&tags) });
            explanation.verdicts.iter().map(|v| v.tag.to_string()).collect()
        };
        // A total order restricted to a part of the list is the order of that part: true for all parts only if it is total.
        let whole = rank(&words);
        for (i, a) in whole.iter().enumerate() {
            for b in &whole[i + 1..] {
                let pair = rank(&[b.clone(), a.clone()]);
                prop_assert_eq!(pair, vec![a.clone(), b.clone()]);
            }
        }
    }

    #[test]
    fn the_order_of_a_listing_does_not_matter((words, shuffled) in tags().prop_flat_map(|w| (Just(w.clone()), Just(w).prop_shuffle())), current in tag(), config in config()) {
        let policy = Policy::new(config).unwrap();
        prop_assert_eq!(decide(&policy, &list(&words), &current), decide(&policy, &list(&shuffled), &current));
    }

    #[test]
    fn explain_decides_as_decide_does(words in tags(), current in prop::option::of(tag()), held in prop::option::of(tag()), config in config()) {
        let policy = Policy::new(config).unwrap();
        let tags = list(&words);
        let current = current.map(|c| Tag::parse(&c).unwrap());
        let hold = held.map(|h| Hold { tag: Tag::parse(&h).unwrap(), digest: None, commit: "abc".into(), reverted: None });
        let question = Question { current: current.as_ref(), hold: hold.as_ref(), ..Question::of(&tags) };
        let explanation = explain(&policy, &question);
        prop_assert_eq!(&explanation.decision, &talk(&policy, &question).0);
        prop_assert_eq!(explanation.verdicts.len(), tags.len());
        let chosen: Vec<_> = explanation.verdicts.iter().filter(|v| v.outcome == Outcome::Chosen).map(|v| v.tag.clone()).collect();
        match &explanation.decision {
            Decision::Move { to } => prop_assert_eq!(&chosen, std::slice::from_ref(to)),
            Decision::NoCandidate(_) => prop_assert!(chosen.is_empty()),
            Decision::Keep(_) => prop_assert!(chosen.len() <= 1),
            Decision::Wanting(_) => prop_assert!(false, "not decided"),
        }
    }

    #[test]
    fn a_site_is_never_lowered(words in tags(), current in tag(), config in config()) {
        let policy = Policy::new(config).unwrap();
        if let Decision::Move { to } = decide(&policy, &list(&words), &current) {
            prop_assert_ne!(to.as_str(), current.as_str());
            // Going back would be lowering, so it is never offered from there.
            let back = decide(&policy, &list(std::slice::from_ref(&current)), to.as_str());
            prop_assert!(!matches!(back, Decision::Move { .. }), "{} and back", to);
        }
    }

    #[test]
    fn after_a_move_the_site_is_at_rest(words in tags(), current in tag(), config in config()) {
        let policy = Policy::new(config).unwrap();
        let tags = list(&words);
        let mut at = current;
        for _ in 0..words.len() {
            match decide(&policy, &tags, &at) {
                Decision::Move { to } => at = to.to_string(),
                _ => break,
            }
        }
        prop_assert!(!matches!(decide(&policy, &tags, &at), Decision::Move { .. }), "never at rest: {}", at);
    }

    #[test]
    fn the_choice_satisfies_every_condition_read_a_second_time(words in tags(), current in prop::option::of(tag()), config in config(), downgrade: bool) {
        let config = Config { downgrade, ..config };
        let policy = Policy::new(config.clone()).unwrap();
        let tags = list(&words);
        let at = current.as_ref().map(|current| Tag::parse(current).unwrap());
        if let Decision::Move { to } = talk(&policy, &Question { current: at.as_ref(), ..Question::of(&tags) }).0 {
            prop_assert!(words.contains(&to.to_string()));
            if let Err(why) = naive::satisfies(&config, to.as_str(), current.as_deref(), &words, fact) {
                prop_assert!(false, "{}: {}", to, why);
            }
        }
    }

    #[test]
    fn facts_that_nobody_asked_for_change_no_choice(words in tags(), current in tag(), config in config()) {
        let policy = Policy::new(config).unwrap();
        let (tags, current) = (list(&words), Tag::parse(&current).unwrap());
        let question = Question { current: Some(&current), ..Question::of(&tags) };
        let (few, all) = (talk(&policy, &question).0, explain_all(&policy, &question).decision);
        match (&few, &all) {
            // Where the site stays anyway nothing is asked, so it may stay for another reason.
            (Decision::Move { .. }, _) | (_, Decision::Move { .. }) => prop_assert_eq!(few, all),
            _ => {}
        }
    }

    #[test]
    fn a_followed_tag_moves_just_when_its_digest_does(words in tags(), current in prop::option::of(tag()), has: bool, min_age in select(vec![None, Some(Duration::from_secs(5))])) {
        let followed = "stable";
        let config = Config { order: Some(Order::Digest(followed.into())), min_age, ..Config::default() };
        let policy = Policy::new(config.clone()).unwrap();
        let words: Vec<String> = words.into_iter().chain([followed.to_owned()]).collect();
        let (tags, current) = (list(&words), current.map(|_| Tag::parse(followed).unwrap()));
        let Some(Known::Is(digest)) = fact(followed).digest else { unreachable!() };
        let question = Question { current: current.as_ref(), digest: has.then_some(&digest), ..Question::of(&tags) };
        let old_enough = naive::satisfies(&config, followed, None, &words, fact).is_ok();
        let expected = match (has, old_enough) { (true, _) => "up-to-date", (false, true) => "move", (false, false) => "no-candidate" };
        prop_assert_eq!(talk(&policy, &question).0.code(), expected);
    }

    #[test]
    fn a_rejected_tag_changes_nothing(words in tags(), extra in tag(), current in tag(), config in config()) {
        let policy = Policy::new(config).unwrap();
        // What a list says of the site's own tag is no matter of a tag that may be taken: with the current tag listed its prefix is in
        // use, so that no tag can decide whether a `v` may come or go; a `-dev` may be one of a pair, and `24.10` a month.
        prop_assume!(!current.ends_with("-dev"));
        let mut words = words;
        words.push(current.clone());
        let without = list(words.iter().filter(|word| **word != extra));
        let with = list(words.iter().filter(|word| **word != extra).chain([&extra]));
        prop_assume!(without.contains(&current));
        let current = Tag::parse(&current).unwrap();
        let explanation = explain(&policy, &Question { current: Some(&current), ..Question::of(&with) });
        let verdict = explanation.verdicts.iter().find(|v| v.tag.as_str() == extra).unwrap();
        if let Outcome::Rejected(reason) = &verdict.outcome {
            let before = decide(&policy, &without, current.as_str());
            match (&before, &explanation.decision) {
                (Decision::NoCandidate(_), Decision::NoCandidate(_)) => {}
                // What is older only says how far ahead the site is.
                (Decision::NoCandidate(_) | Decision::Keep(Keep::Ahead { .. }), Decision::Keep(Keep::Ahead { .. })) if reason.code() == Code::Older => {}
                (before, Decision::Keep(Keep::Calendar)) if *before != explanation.decision => prop_assert!(extra.contains(".0"), "{}: {}", extra, reason),
                (before, after) => prop_assert_eq!(before, after, "{}: {}", extra, reason),
            }
        }
    }

    #[test]
    fn every_part_of_a_list_gives_the_same_or_less(words in tags(), current in tag(), config in config(), kept in subsequence((0..12).collect::<Vec<usize>>(), 0..12)) {
        let policy = Policy::new(config).unwrap();
        let part: Vec<String> = words.iter().enumerate().filter(|(i, _)| kept.contains(i)).map(|(_, w)| w.clone()).chain([current.clone()]).collect();
        let whole: Vec<String> = words.into_iter().chain([current.clone()]).collect();
        if let (Decision::Move { to: some }, Decision::Move { to: all }) = (decide(&policy, &list(&part), &current), decide(&policy, &list(&whole), &current)) {
            // On the site's own base system a version is as good as on a newer one, and a `-dev` may be one of a pair.
            let suffix = |tag: &str| tag.find("-alpine").map(|at| tag[at..].to_owned());
            let is_own_base = suffix(&current).is_some() && suffix(&current) == suffix(all.as_str());
            prop_assume!(!is_own_base && !current.ends_with("-dev"));
            prop_assert!(some == all || compare(&policy, some.as_str(), all.as_str()).is_le(), "{} and {}", some, all);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_text_is_read_without_panic(text in ".{0,40}", tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}") {
        let _ = Reading::of(&text);
        if let Ok(reading) = Reading::of(&tag) {
            // Everything that a reading says stands in the tag, and its parts are its numbers.
            prop_assert!(tag.starts_with(reading.prefix()) && tag[reading.prefix().len()..].starts_with(reading.numbers()));
            prop_assert_eq!(reading.parts().count(), reading.precision());
            prop_assert!([reading.prerelease(), reading.build(), reading.variant(), reading.tail()].iter().all(|part| tag.contains(part)));
        }
    }

    #[test]
    fn any_text_as_a_range_is_read_or_refused_in_place(text in "[-0-9xX*.,<>=~^|! va+é]{0,20}") {
        if let Err(error) = Range::parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{:?} in {:?}", error.span, text);
        }
    }

    #[test]
    fn any_configuration_is_checked_without_panic(order in ".{0,12}", filter in ".{0,16}", extract in "[$a1{}é]{0,8}", variant in ".{0,4}", kind in ".{0,4}", strict: bool) {
        let config = Config {
            order: Some(Order::Semver(order.clone())),
            filter: Some(filter.clone()),
            extract: Some(extract.clone()),
            variant: Variant::Only(variant.clone()),
            prerelease: Prerelease::Kinds(vec![kind]),
            strict,
            ..Config::default()
        };
        for error in Policy::new(config).err().unwrap_or_default() {
            let text = match error.key { "semver" => &order, "filter" => &filter, "extract" => &extract, _ => &variant };
            prop_assert!(error.span.clone().is_none_or(|span| text.get(span).is_some()), "{:?}", error);
        }
    }
}
