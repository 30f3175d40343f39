//! The cases by which Argo CD Image Updater and Keel are known (field/argocd-keel.md 3.1 and 3.4), by the number they have
//! there, with the outcome that the owner of the site wants. Where the tool does otherwise, the row says what it does.
//!
//! Not here: 19 and 20 in part are about live workloads, which Tagboat does not look at, and 61 in part about Helm values, which
//! are found by the code for manifests.

use tagboat::image::{Reference, Repository};
use tagboat::policy::{Config, Direction::*, Moment, Policy, Precision, Prerelease, Question, Range, Step::*, Variant};

use super::facts::{ask, digest, follow, newest, platforms, talk, world};
use super::{alphabetical, best, filtered, numeric, outcome, policy, semver, update};

/// What the updater's `semver` is here: it reads `1.0` as a version, too.
fn loose(range: &str) -> Config {
    Config { precision: Precision::Any, ..semver(range) }
}

fn excluding(patterns: &[&str], config: Config) -> Config {
    Config { exclude: patterns.iter().map(|&pattern| pattern.to_owned()).collect(), ..config }
}

const T: &str = "0.1 0.5.1 0.9 1.0 1.0.1 1.1.2 2.0.3";

#[test]
fn image_updater_versions() {
    for (row, range, list, expected) in [
        (1, "*", T, Some("2.0.3")),
        (2, "^1.0", T, Some("1.1.2")),
        (3, "~1.0", T, Some("1.0.1")),
        (4, "*", "v2.2.0 v2.3.0-rc.0.18.g1abb7b5dd-ppc64le", Some("v2.2.0")),
        (5, "~1.0", "0.1 0.5.1 0.9 2.0.3", None),
        (7, "*", "", None),
        (9, "*", "zz bb yy cc aa ll", None),
    ] {
        assert_eq!(best(loose(range), list).as_deref(), expected, "{row}: {range} on {list}");
    }
    for (row, range, current, expected) in [
        (1, "*", "1.0", "2.0.3"),
        (2, "^1.0", "1.0", "1.1.2"),
        (3, "~1.0", "1.0", "1.0.1"),
        // The updater takes 2.0.3 and 1.1.2: but what `latest` is today may be newer than both.
        (1, "*", "latest", "unordered"),
        (2, "^1.0", "latest", "unordered"),
        // The updater lowers the site to 1.1.2 (#453).
        (2, "^1.0", "2.0.3", "ahead of 1.1.2"),
    ] {
        assert_eq!(outcome(loose(range), T, current), expected, "{row}: {range} at {current}");
    }
    for (row, range, expected) in [(1, "*", "2.0.3"), (2, "^1.0", "1.1.2")] {
        let config = Config { downgrade: true, ..loose(range) };
        assert_eq!(outcome(config, T, "latest"), expected, "{row}: whoever lets the policy lower a site gets the updater's choice");
    }
    assert!(Range::parse("latest").is_err(), "6");
}

#[test]
fn image_updater_12_the_order_of_versions() {
    let mut left = vec!["v2.0.2", "v1.0", "v2.0.0", "v1.0.1", "v2.0.3", "v2.0"];
    let mut sorted = Vec::new();
    while !left.is_empty() {
        let next = best(loose("*"), &left.join(" ")).unwrap();
        left.retain(|tag| *tag != next);
        sorted.insert(0, next);
    }
    assert_eq!(sorted, ["v1.0", "v1.0.1", "v2.0", "v2.0.0", "v2.0.2", "v2.0.3"], "of one version, the longest spelling");
}

#[test]
fn image_updater_10_15_16_names_and_patterns() {
    assert_eq!(best(alphabetical(Ascending), "zz bb yy cc aa ll"), Some("zz".into()), "10");
    let ignoring = || excluding(&["^tag.$", "^foo$"], alphabetical(Ascending));
    assert_eq!(best(ignoring(), "tag1 foo tag10"), Some("tag10".into()), "15: the globs `tag?` and `foo`");
    assert_eq!(best(ignoring(), "tag1 foo"), None, "15, and 20: all ignored");
    let allowing = |pattern: &str| Config { filter: Some(pattern.into()), ..alphabetical(Ascending) };
    assert_eq!(best(allowing("^v"), "v1 w1"), Some("v1".into()), "16, and 20: a pattern that excludes");
    assert_eq!(best(allowing("^x"), "v1 w1"), None, "16, and 20: a pattern that excludes all");
    // The updater takes a broken pattern for one that matches nothing, and says nothing.
    assert!(tagboat::policy::Policy::new(allowing("[aA-zZ")).is_err(), "16");
}

#[test]
fn image_updater_8_and_13_dates() {
    let list = "zz bb yy cc aa ll";
    for (row, facts, expected) in [
        (8, "zz=pushed:1 bb=pushed:2 yy=pushed:3 cc=pushed:4 aa=pushed:5 ll=pushed:6", "ll"),
        (13, "zz=pushed:1 bb=pushed:6 yy=pushed:6 cc=pushed:6 aa=pushed:5 ll=pushed:6", "yy"),
    ] {
        let (list, world) = (super::tags(list), world(facts));
        let (_, explanation) = talk(&policy(newest(Moment::Pushed)), &Question::of(&list), &world);
        assert_eq!(explanation.decision.to_string(), format!("move to {expected}"), "{row}");
    }
}

/// What `digest` answers a site on a tag with a digest, in a repository where `latest` and `v1.0.0-variant2` have digest 2.
fn followed(tag: &str, current: &str, has: Option<&str>) -> String {
    let (list, current, has) = (super::tags("latest v1.0.0 v1.0.0-variant2"), super::tag(current), has.map(digest));
    let question = Question { current: Some(&current), digest: has.as_ref(), ..Question::of(&list) };
    talk(&policy(follow(tag)), &question, &world("latest=digest:2 v1.0.0-variant2=digest:2 v1.0.0=digest:?")).1.decision.to_string()
}

#[test]
fn image_updater_11_and_14_digests() {
    assert_eq!(followed("latest", "latest", Some("1")), "move to latest", "11");
    assert_eq!(followed("latest", "latest", Some("2")), "up to date", "14: the same digest");
    assert_eq!(followed("latest", "latest", None), "move to latest", "14: a digest and none differ");
    // The updater: equal. But the manifest shall say the tag that the policy names.
    assert_eq!(followed("v1.0.0-variant2", "latest", Some("2")), "move to v1.0.0-variant2", "14: one digest, two tags");
}

#[test]
fn image_updater_17_platforms() {
    // The updater takes no tag at all, and says nothing.
    assert!(Policy::new(platforms(&["invalid"], loose("*"))).is_err(), "17");
    let facts = "1.1.0=platforms:linux/arm/v7";
    assert_eq!(ask(platforms(&["linux/amd64"], loose("*")), "1.1.0", "1.0.0", facts).1.decision.code(), "no-candidate", "17");
    let (asked, explanation) = ask(loose("*"), "1.1.0", "1.0.0", facts);
    assert_eq!((asked.len(), explanation.decision.code()), (0, "move"), "17: with none given any will do");
}

#[test]
fn image_updater_18_references() {
    let digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    for (text, tag, digest) in [
        (format!("img:tag@{digest}"), Some("tag"), Some(digest)), // #1357
        // The updater writes `latest@sha256:…`; a bare digest moves only under a `digest` policy here.
        (format!("img@{digest}"), None, Some(digest)),
        ("registry:5000/classic-web".to_owned(), None, None), // #273
    ] {
        let reference = Reference::parse(&text).unwrap();
        assert_eq!(reference.tag().map(tagboat::image::Tag::as_str), tag, "{text}");
        assert_eq!(reference.digest().map(tagboat::image::Digest::as_str), digest, "{text}");
    }
    assert_eq!(Reference::parse("registry:5000/classic-web").unwrap().repository().to_string(), "registry:5000/classic-web");
}

#[test]
fn image_updater_20_nothing_to_do() {
    assert_eq!(outcome(loose("*"), "1.0.0 1.0.1", "1.0.1"), "up-to-date");
    assert_eq!(outcome(loose("*"), "", "1.0.1"), "no-candidate", "an empty list (#1242)");
}

#[test]
fn keel_53_to_55_steps() {
    for (row, step, current, candidate, expected) in [
        (53, Major, "1.4.5", "1.4.6", "1.4.6"),
        (53, Major, "1.4.5", "1.4.3", "ahead of 1.4.3"),
        (53, Major, "1.4.5", "1.4.5", "up-to-date"),
        (53, Major, "1.4", "1.5", "1.5"),
        (53, Major, "1.4.5", "3050", "no-candidate"),
        // Keel: yes. But `yy` is another variant, not a newer `xx`.
        (53, Major, "1.4.5-xx", "1.4.5-yy", "no-candidate"),
        // Keel: yes. But a site of two numbers follows tags of two.
        (54, Patch, "1.4", "1.4.6", "no-candidate"),
        (54, Patch, "1.4", "1.5.6", "no-candidate"),
        (54, Patch, "1.4.5", "2.4.6", "no-candidate"),
        (54, Patch, "1.4.5", "1.5.6", "no-candidate"),
        (54, Minor, "1.4.5", "1.5.5", "1.5.5"),
        (55, Minor, "1.4.5", "1.4.5-xx", "no-candidate"),
        (55, Minor, "v1.0.0", "v1.0.1-metadata", "no-candidate"),
        (55, Minor, "v1.0.0-metadata", "v1.0.1-metadata", "v1.0.1-metadata"),
        (55, Minor, "v1.0.0-xx", "v1.0.1-yy", "no-candidate"),
    ] {
        assert_eq!(outcome(update(step), candidate, current), expected, "{row}: {step} from {current} to {candidate}");
    }
    let any = Config { precision: Precision::Any, ..update(Patch) };
    assert_eq!(outcome(any, "1.4.6", "1.4"), "1.4.6", "54: with any number of parts, as Keel");
}

#[test]
fn keel_56_and_57_versions_that_others_hide() {
    let list = "1.3.0 1.5.0 2.0.0 1.2.1";
    for (step, expected) in [(Patch, "1.2.1"), (Minor, "1.5.0"), (Major, "2.0.0")] {
        assert_eq!(outcome(update(step), list, "1.2.0"), expected, "56: {step} (#490)");
    }
    let list = "1.3.0-dev 1.5.0 1.8.0-alpha";
    for (step, current, expected) in [
        (Major, "1.1.0", "1.5.0"),
        // Keel with `matchPreRelease`: 1.3.0-dev. But a prerelease is on its way to a release, and one is there.
        (Major, "1.2.0-dev", "1.5.0"),
        // Keel without it: 1.8.0-alpha. But nobody asked for an alpha.
        (Minor, "1.2.0-dev", "1.5.0"),
    ] {
        assert_eq!(outcome(update(step), list, current), expected, "57: {step} from {current}");
    }
    let any = Config { prerelease: Prerelease::Any, ..update(Minor) };
    assert_eq!(outcome(any, list, "1.2.0-dev"), "1.8.0-alpha", "57: whoever asks for an alpha gets it");
    assert_eq!(outcome(update(Minor), "v0.1.2-ls1 v0.1.3-ls2 v0.2.0-ls3", "v0.1.2-ls1"), "v0.2.0-ls3", "57: linuxserver");
}

#[test]
fn keel_58_force() {
    let list = "3.0.0 3.0.1 5.0.0 7.9.1-1-ubi8 8.0.0 8.3.1 latest";
    let force = || Config { variant: Variant::Any, ..update(Major) };
    for (config, list, current, expected) in [
        (force(), list, "7.9.1-1-ubi8", "8.3.1"), // #823
        (force(), list, "8.3.1", "up-to-date"),
        (force(), "3.0.0 5.0.0", "7.9.1-1-ubi8", "ahead of 5.0.0"),
        // What the default adds: the base system stays.
        (Config::default(), list, "7.9.1-1-ubi8", "up-to-date"),
        // Keel: yes. But whether `main` is newer than `latest` nobody can say.
        (force(), "main", "latest", "unordered"),
    ] {
        assert_eq!(outcome(config, list, current), expected, "58: {list} at {current}");
    }
}

#[test]
fn keel_58_and_62_one_tag() {
    assert_eq!(followed("latest", "latest", Some("1")), "move to latest", "58: `latest` to `latest`, when it points elsewhere");
    assert_eq!(outcome(alphabetical(Ascending), "main", "latest"), "main", "58: without `matchTag`");
    assert_eq!(
        outcome(Config { filter: Some("^latest$".into()), ..alphabetical(Ascending) }, "main", "latest"),
        "no-candidate",
        "58: with it"
    );
    // What runs is no concern of Tagboat's: what drifts is the digest in the manifest (#845).
    for (has, facts, expected) in [
        (Some("1"), "latest=digest:2", "move"),
        (Some("2"), "latest=digest:2", "up-to-date"),
        (Some("1"), "latest=digest:?", "no-candidate"),
        (None, "latest=digest:?", "no-candidate"),
    ] {
        let (list, current, has) = (super::tags("latest"), super::tag("latest"), has.map(digest));
        let question = Question { current: Some(&current), digest: has.as_ref(), ..Question::of(&list) };
        assert_eq!(talk(&policy(follow("latest")), &question, &world(facts)).1.decision.code(), expected, "62: {has:?}, {facts}");
    }
}

#[test]
fn keel_63_platforms() {
    let facts = "1.3.0=platforms:linux/arm/v7 1.2.0=platforms:? 1.1.0=platforms:linux/amd64+linux/arm64 1.0.1=platforms:linux/amd64";
    for (wanted, list, expected) in [
        (&["linux/amd64"][..], "1.0.1 1.3.0", "move to 1.0.1"),
        (&["linux/amd64", "linux/arm64"], "1.0.1 1.1.0 1.3.0", "move to 1.1.0"),
        (&["linux/amd64"], "1.1.0 1.2.0 1.3.0", "move to 1.1.0"),
        (&["linux/arm"], "1.1.0 1.2.0 1.3.0", "move to 1.3.0"),
    ] {
        let (_, explanation) = ask(platforms(wanted, update(Minor)), list, "1.0.0", facts);
        assert_eq!(explanation.decision.to_string(), expected, "63: {wanted:?} (#834)");
    }
}

#[test]
fn keel_59_and_60_patterns() {
    let builds = "build-1696801785 build-1696801700 build-3a3560ef-1696801700 build-1a3560ef-1696801785 main";
    let glob = || Config { filter: Some("^build-[0-9]+$".into()), ..alphabetical(Ascending) };
    assert_eq!(best(glob(), builds), Some("build-1696801785".into()), "59: the glob `build-*`, on numbers");
    let compare = |config| filtered("^build-.*-(?P<compare>.+)$", "$compare", config);
    assert_eq!(best(compare(numeric(Ascending)), builds), Some("build-1a3560ef-1696801785".into()), "59");
    let without = Config { filter: Some("^build-.*-.+$".into()), ..alphabetical(Ascending) };
    assert_eq!(best(without, builds), Some("build-3a3560ef-1696801700".into()), "59: the last as text is not the newest");
    let latest = || Config { filter: Some("^latest".into()), ..alphabetical(Ascending) };
    assert_eq!(outcome(latest(), "latest-20251321", "latest-20241321"), "latest-20251321", "60: days that do not exist are text");
    assert_eq!(outcome(latest(), "latest-20241321", "latest-20251321"), "ahead of latest-20241321", "60");
}

#[test]
fn keel_61_and_64_names() {
    assert_eq!(outcome(update(Major), "1.1.2", "alpha"), "unordered", "61: a current tag that is no version");
    // Keel: two registries. They are one.
    assert_eq!(Repository::parse("index.docker.io/library/nginx"), Repository::parse("docker.io/library/nginx"), "64");
    assert_ne!(Repository::parse("registry:5000/app"), Repository::parse("registry:5001/app"), "64: a port is part of the name");
}
