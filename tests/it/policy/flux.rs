//! Flux's policy cases (field/flux.md 3.1 to 3.3) with the strict reading; comments give the number of a case there.
//!
//! Where an outcome differs from Flux's, the row says why. Case 27 is beside the code that reads versions, 26 among the
//! mistakes; 29 is about what Flux shows, not what it chooses.

use tagboat::image::Reference;
use tagboat::policy::{Config, Direction::*, Policy, Question, Range};

use super::facts::{digest, follow, talk, world};
use super::{alphabetical, best, filtered, numeric, policy, strict};

/// Their cases 1 and 2, and the ranges of 3.2 that are valid or not.
#[test]
fn ranges_that_flux_accepts_and_refuses() {
    for good in [
        "1.0.x",
        "^1.0",
        "=1.0.0",
        "~1.0",
        ">=1.0",
        ">0,<2.0",
        "*",
        "x",
        "X.1",
        "1.x.3",
        "v1.2",
        ">= 1.0.0  <= 2.0.0-beta || > 3",
        ">=1 , <2",
        "12.3.34 ~1.2.3",
        "1.2 - 1.4",
        "1.2 - 1.4.5, !=1.3",
        "1.2-1.4.5",
        "=>1 =<2",
        "~>1.2",
        "1.2.3+meta",
        " ^1 ",
        "01.02.03",
        "^1||^2",
        "*-0",
        // Hyphen ranges are rewritten as text, which leaves a space behind them and none before them.
        "1 - 2>1.5",
        "1 - 2 1.1 - 1.9",
        "^1 || 1.2 - 1.4",
        "^1||v1.2 - 1.4",
        "1 - 2||3.1",
        // What follows a wildcard is not looked at.
        "1.x.xx",
        "*.18446744073709551616",
    ] {
        assert!(Range::parse(good).is_ok(), "{good}: {:?}", Range::parse(good));
    }
    for bad in [
        "1.0.0p",
        "1x",
        "x1",
        "-1",
        "a",
        "",
        " ",
        "*-*",
        "v1.2.3-beta.01",
        "12.3.4.1234",
        "12.3.34~ 1.2.3",
        ">= bar",
        ">=1,,<2",
        "||",
        ">=1 ||",
        "|| 1",
        "==1",
        "><1",
        "V1",
        ">=1,",
        ",1",
        "1.",
        "1..2",
        ".1",
        "1.2.3-",
        "1 | 2",
        "1 -2",
        ">1 - 2",
        "1 - 2 - 3",
        "1.2.3+",
        "1 &&2",
        "^",
        "99999999999999999999",
        "é",
        "1.é",
        "1.2.3-é",
        "=1.0 1.2 - 1.4",
        "^1||1.2 - 1.4",
        "1 - 2.1||3.1.0",
        "xx",
        "1.xx",
        "1 - 2x",
        // Flux takes this for `>=1 || 2.1 <=3`, which nobody means who writes it.
        "1||2.1 - 3",
    ] {
        assert!(Range::parse(bad).is_err(), "{bad}");
    }
}

/// Their cases 3 to 8.
#[test]
fn semver_policies() {
    for (range, list, expected) in [
        ("1.0.x", "1.0.0 1.0.0.1 1.0.0p 1.0.1 1.2.0 0.1.0", Some("1.0.1")), // 3
        ("1.0.x", "v1.2.3 v1.0.0 v0.1.0", Some("v1.0.0")),                  // 4
        ("1.0.x", "b1.2.3 b1.0.0", None),                                   // 5
        ("1.0.x", "", None),                                                // 6
        ("1.0.x", "1.2.0", None),                                           // 6
        ("v1.0.x", "1.0.0 2.0.0 1.0.1 1.2.0", Some("1.0.1")),               // 7
        ("1.0.x", "v1.0.0 v2.0.0 v1.0.1 v1.2.0", Some("v1.0.1")),           // 7
        ("1.0.x", "0.1.0 0.1.1 0.2.0 1.0.0 1.0.1 1.0.2 1.1.0-alpha", Some("1.0.2")), // 8
        // 3.3: their extra runs.
        (">=1.0.0", "2021.12.1 2022.04.1 2022.4.1", Some("2022.4.1")), // the first of a tie in descending byte order, as 2.1 rule 4 has it
        (">=1.0.0", "1.0.0-alpine3.18 1.0.0", Some("1.0.0")),
        (">=1.0.0-0", "1.0.0-alpine3.9 1.0.0-alpine3.18", Some("1.0.0-alpine3.18")),
        (">=1.0.0-0", "1.0.0-rc9 1.0.0-rc10", Some("1.0.0-rc9")),
        (">=1.0.0-0 <2.0.0", "1.9.0 2.0.0-rc.1", Some("2.0.0-rc.1")),
        (">=1.0.0-0 <2.0.0-0", "1.9.0 2.0.0-rc.1", Some("1.9.0")),
        (">1.0.0-rc <2.0.0-rc", "1.9.0 2.0.0-alpha", Some("2.0.0-alpha")),
        (">=1.0.0 || >=2.0.0-0", "1.4.0 2.4.0-rc1 1.5.0-rc1", Some("2.4.0-rc1")),
        ("1.2 - 1.4", "1.4.5 1.4.6 1.5.0", Some("1.4.6")),
        ("1.2-1.4.5", "1.2.0-1.4.4 1.2.9 1.3.0", Some("1.2.9")),
        (">=1 , <2", "1.1.0 2.0.0", Some("1.1.0")),
        // 2.1 rule 4: `v` comes later in byte order.
        ("*", "v1.2.3 1.2.3", Some("v1.2.3")),
        // 2.1 rule 2: leading zeros, and what a version is.
        ("*", "2025.07.03 2025.07.02 1.2 v9 V9.9.9 9.9.9.9 9.9.9_x release-9.9.9", Some("2025.07.03")),
        ("*-0", "1.2-beta.3 1.1.0", Some("1.2-beta.3")),
        ("*", "v0.0.1-1-abcd v0.0.1", Some("v0.0.1")),
    ] {
        assert_eq!(best(strict(range), list).as_deref(), expected, "{range} on {list}");
    }
}

/// Their cases 9 to 13, and the extra runs.
#[test]
fn alphabetical_policies() {
    for (direction, list, expected) in [
        (Ascending, "16.04 16.04.1 16.10 20.04 20.10", Some("20.10")),      // 9
        (Descending, "16.04 16.04.1 16.10 20.04 20.10", Some("16.04")),     // 9
        (Ascending, "xenial yakkety zesty artful bionic", Some("zesty")),   // 10
        (Descending, "xenial yakkety zesty artful bionic", Some("artful")), // 10
        (Ascending, "1606234201 1606364286 1606334092 1606334284 1606334201", Some("1606364286")), // 11
        (Ascending, "rel-1606234201 rel-1606364286 rel-1606334092", Some("rel-1606364286")), // 12
        // 12
        (Ascending, "2021-01-08T21-18-21Z 2020-05-08T21-18-21Z 2023-05-08T00-20-00Z 1990-01-08T00-20-00Z", Some("2023-05-08T00-20-00Z")),
        (Descending, "2021-01-08T21-18-21Z 2020-05-08T21-18-21Z 2023-05-08T00-20-00Z 1990-01-08T00-20-00Z", Some("1990-01-08T00-20-00Z")),
        (Ascending, "", None), // 13
        // 3.3
        (Ascending, "9 10", Some("9")),
        (Ascending, "a B", Some("a")),
        (Ascending, "a Z 9", Some("a")),
    ] {
        assert_eq!(best(alphabetical(direction), list).as_deref(), expected, "{direction} on {list}");
    }
}

/// Their cases 14 to 17. Tags cannot begin with `-`, so those with a sign are extracted from behind an `n`.
#[test]
fn numeric_policies() {
    for (direction, list, expected) in [
        (Ascending, "n-62 n-88 n73 n72 n15 n16 n15 n29 n-33 n-91", Some("n73")), // 14
        (Descending, "n5 n-8 n-78 n25 n70 n-4 n80 n92 n-20 n-24", Some("n-78")), // 15
        (Ascending, "n40.26961 n53.47333823144817 n48.2 n53.47333823144816 n-7.5", Some("n53.47333823144817")), // 16
        (Ascending, "", None),                                                   // 17
        // 17: Flux fails the whole policy for one tag that is no number; here that tag is rejected and the others stand.
        (Ascending, "n0 n1a nb", Some("n0")),
        (Ascending, "n123 nabc", Some("n123")),
        (Ascending, "nb", None),
        (Ascending, "n9 n10", Some("n10")),
        // 3.3: Flux refuses `5e12345` and takes `1e10`: both are commit hashes, and neither is a number here. The same for `nan` and `inf`.
        (Ascending, "n5e12345 n1", Some("n1")),
        (Ascending, "nnan n1 n2 n1e10 ninf n0x1p4 n1_000", Some("n2")),
        // Flux compares as floats, where these two are one.
        (Ascending, "n9007199254740992 n9007199254740993", Some("n9007199254740993")),
        // Equal numbers: Flux takes the last of the list, which is random with a filter; here it is the greatest in byte order.
        (Ascending, "n1.0 n1", Some("n1.0")),
    ] {
        let config = filtered("^n(.*)$", "$1", numeric(direction));
        assert_eq!(best(config, list).as_deref(), expected, "{direction} on {list}");
    }
    assert_eq!(best(numeric(Ascending), "9 10 007 2.5 x"), Some("10".into()));
}

/// Their cases 18 to 25.
#[test]
fn filters_and_templates() {
    let last = || alphabetical(Ascending);
    let debug = "123-1.0.0-debug 123-1.1.0-debug 123-1.2.0 123-1.3.0 124-2.0.0";
    for (filter, extract, config, list, expected) in [
        ("", "", last(), "a", Some("a")),                                                          // 18
        ("^ver", "", last(), "ver1 ver2 ver3 wer1", Some("ver3")),                                 // 19
        (r"ver(\d+)", "$1", last(), "ver1 ver2 ver3 rel1", Some("ver3")),                          // 20
        (r"^(123-[0-9]+\.[0-9]+\.[a-z0-9]+-debug)", "$1", last(), debug, Some("123-1.1.0-debug")), // 21
        (r"^(?P<tag>123-[0-9]+\.[0-9]+\.[a-z0-9]+$)", "$tag", last(), debug, Some("123-1.3.0")),   // 22
        ("^test-(.*)$", "$1", strict(">=0.x"), "test-0.1.0 test-0.1.1 dev-0.2.0 1.0.0 1.0.0.1", Some("test-0.1.1")), // 23
        (r"1.0.0-rc\.(?P<num>[0-9]+)", "$num", numeric(Ascending), "1.0.0-rc.1 1.0.0-rc.2 1.0.0-rc.3 1.0.1-rc.2", Some("1.0.0-rc.3")), // 24
        ("foo-(?P<word>[a-z]+)", "$word", last(), "foo-aaa foo-zzz foo-ooo bar-bbb", Some("foo-zzz")), // 25
        // 2.4: two hashes of one second. Flux keeps whichever comes last out of a map; here it is the greatest in byte order.
        (r"^[a-f0-9]+-(\d+)$", "$1", numeric(Ascending), "aa-10 cc-10 bb-10 dd-9", Some("cc-10")),
        // 2.4: a group that took no part is empty, which is no number.
        (r"^r(\d+)?$", "$1", numeric(Ascending), "r r1", Some("r1")),
    ] {
        assert_eq!(best(filtered(filter, extract, config), list).as_deref(), expected, "{filter} {extract} on {list}");
    }
}

/// Their case 28.
#[test]
fn exclusion_lists() {
    let samples: [(&[&str], &str, &str); 3] = [
        (&["[abc]"], "a b c d", "d"),
        (&[r"^.*\-alpha$", r"^.*\.sig$"], "0.1.0 0.2.0 0.2.-alpha 0.3.0 0.4.0 0.4.0.sig", "0.1.0 0.2.0 0.3.0 0.4.0"),
        (&["aaa|ccc"], "aaa bbb ccc ddd", "bbb ddd"),
    ];
    for (exclude, list, expected) in samples {
        let config = tagboat::policy::Config { exclude: exclude.iter().map(|&e| e.to_owned()).collect(), ..alphabetical(Ascending) };
        let list = super::tags(list);
        let explanation = policy(config).explain(&tagboat::policy::Question::of(&list));
        let mut left: Vec<_> =
            explanation.verdicts.iter().filter(|v| matches!(v.outcome.code(), "chosen" | "eligible")).map(|v| v.tag.as_str()).collect();
        left.sort_unstable();
        assert_eq!(left.join(" "), expected);
    }
}

/// 3.2: whether a range admits a version.
#[test]
fn what_ranges_admit() {
    for (range, version, expected) in [
        ("=2.0", "2.0.1", true),
        ("!=4.1", "4.1.1", false),
        ("!=4.1", "4.2.0", true),
        ("!=4", "4.2.0", false),
        ("!=4.1-alpha", "4.1.0", true),
        ("!=4.1.0", "4.1.0", false),
        ("<11", "11.1.0", false),
        ("<11", "10.9.9", true),
        ("<1.1.x", "1.1.0", false),
        ("<=11", "11.2.3", true),
        ("<=11", "12.0.0", false),
        ("<=1.1", "1.1.9", true),
        ("<=1.1", "1.2.0", false),
        ("<=1", "1.9.9", true),
        (">11", "11.1.0", false),
        (">11", "12.0.0", true),
        (">11.1", "11.1.1", false),
        (">11.1", "11.2.1", true),
        (">11.1", "12.0.0", true),
        (">0", "0.0.1-alpha", false),
        (">0-0", "0.0.1-alpha", false),
        (">=0-0", "0.0.1-alpha", true),
        (">0.0.0-0", "0.0.0-alpha", true),
        ("<0-z", "0.0.0-alpha", true),
        (">*", "0.0.1", true),
        (">*", "0.0.0", false),
        ("<=*", "0.0.0", true),
        ("<=*", "0.5.0", false),
        ("*", "1.2.3", true),
        ("*", "1.2.3-alpha.1", false),
        ("*-0", "1.2.3-alpha.1", true),
        ("1", "1.9.9", true),
        ("1", "2.0.0", false),
        ("1.2", "1.2.9", true),
        ("1.2", "1.3.0", false),
        ("1.2.3", "1.2.4", false),
        ("1.x.3", "1.9.0", true),
        ("*.1.2", "9.0.0", true),
        ("~1.2.3", "1.2.9", true),
        ("~1.2.3", "1.3.0", false),
        ("~1", "1.9.9", true),
        ("~1", "2.0.0", false),
        ("~0.0.0", "7.1.2", true),
        ("~1.2.3-beta.2", "1.2.4-beta.2", true),
        ("~1.2.3-beta.2", "1.3.4-beta.2", false),
        ("^1.2.3", "1.9.9", true),
        ("^1.2.3", "2.0.0", false),
        ("^1.2.3", "1.2.2", false),
        ("^0.2.3", "0.2.9", true),
        ("^0.2.3", "0.3.0", false),
        ("^0.0.3", "0.0.3", true),
        ("^0.0.3", "0.0.4", false),
        ("^0.0", "0.0.9", true),
        ("^0.0", "0.1.0", false),
        ("^0", "0.9.9", true),
        ("^0", "1.0.0", false),
        ("^0.0.0", "0.0.0", true),
        ("^0.0.0", "0.0.1", false),
        ("^1.x-0", "1.5.0-rc.1", true),
        ("^1.2.0-alpha.0", "1.2.1-alpha.1", true),
        ("^0.2.3-beta.2", "0.2.4-beta.2", true),
        ("^0.2.3-beta.2", "0.3.4-beta.2", false),
        (">=1.1, <2, !=1.2.3 || > 3", "4.1.2", true),
        (">=1.1, <2, !=1.2.3 || > 3", "3.1.2", false),
        (">=1.1, <2, !=1.2.3 || > 3", "1.2.3", false),
        (">= 1.0.0  <= 2.0.0-beta || > 3", "1.0.1-beta", true),
        (">= 1.0.0  <= 2.0.0-beta || > 3", "3.0.1-beta", false),
        ("1.1-3", "4.3.2", false),
        ("1.0.0 - 2.0.0, <=2.0.0", "1.5.0", true),
        ("1.2 - 2", "2.4.6", true),
        ("1.2 - 1.4.5", "1.4.6", false),
        ("1.2 - 1.4.5", "1.1.9", false),
        ("12.3.34 ~1.2.3", "12.3.34", false),
        ("1.2.3", "1.2.3+meta", true),
    ] {
        let (parsed, version) = (Range::parse(range).unwrap(), semver::Version::parse(version).unwrap());
        assert_eq!(parsed.matches(&version), expected, "{range} on {version}");
    }
}

/// What Masterminds/semver itself answered to ranges and tags made at random near its grammar: which are valid, which tags
/// are versions, which of them are in the range, and which one Flux takes.
#[test]
fn recorded_answers_of_masterminds() {
    let (mut valid, mut invalid) = (0, 0);
    for line in include_str!("../../fixtures/policy/strict.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [range, list, letters, winner] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        if letters == "error" {
            assert!(Policy::new(strict(range)).is_err(), "{range}");
            invalid += 1;
            continue;
        }
        valid += 1;
        let tags = super::tags(list);
        let explanation = policy(strict(range)).explain(&tagboat::policy::Question::of(&tags));
        let letter = |tag: &str| match explanation.verdicts.iter().find(|verdict| verdict.tag.as_str() == tag).unwrap().outcome.code() {
            "chosen" | "eligible" => 'y',
            "not-a-version" => 'i',
            _ => 'n',
        };
        assert_eq!(list.split(' ').map(letter).collect::<String>(), letters, "{range} on {list}");
        assert_eq!(best(strict(range), list).as_deref().unwrap_or("-"), winner, "{range} on {list}");
    }
    assert!(valid >= 300 && invalid >= 100, "{valid} {invalid}");
}

/// Their cases 30 to 34. `digestReflectionPolicy: Always` is the order `digest` here, or a tag that is chosen anew; `IfNotPresent`
/// is `pin_digest`, which writes a digest with a tag and then leaves it; `Never` is neither.
#[test]
fn digests() {
    let pinned = |range: &str| Config { pin_digest: true, ..strict(range) };
    let facts = world("v1.1.1=digest:2 v2.0.0=digest:3 main=digest:2");
    let list = super::tags("v1.1.1 v2.0.0 main");
    for (row, config, current, has, expected, pins) in [
        (30, follow("main"), "main", Some("1"), "move", true),
        (30, follow("main"), "main", Some("2"), "up-to-date", true),
        (31, pinned("1.x"), "v1.1.1", Some("1"), "up-to-date", true),
        (32, pinned("2.x"), "v1.1.1", Some("1"), "move", true),
        // Flux shows no digest any more; the one in the manifest stays until the tag moves.
        (33, strict("1.x"), "v1.1.1", Some("1"), "up-to-date", false),
        (34, pinned("1.x"), "v1.1.1", Some("1"), "up-to-date", true),
        (34, follow("v1.1.1"), "v1.1.1", Some("1"), "move", true),
    ] {
        let (current, has) = (super::tag(current), has.map(digest));
        let question = Question { current: Some(&current), digest: has.as_ref(), ..Question::of(&list) };
        let policy = policy(config);
        let (_, explanation) = talk(&policy, &question, &facts);
        assert_eq!((explanation.decision.code(), policy.pins()), (expected, pins), "{row}: {policy} at {current}");
    }
    assert_eq!(super::outcome(pinned("2.x"), "v1.1.1 v2.0.0", "v1.1.1"), "v2.0.0", "32");
}

/// Their case 35.
#[test]
fn references() {
    for (text, expected) in [("https://x/y", false), ("x/y:baz", true), ("example.com:9999/foo/bar", true)] {
        // Flux wants a repository there, so that `x/y:baz` is a mistake for it; here it is a reference.
        assert_eq!(Reference::parse(text).is_ok(), expected, "{text}");
    }
}
