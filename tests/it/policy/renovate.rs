//! The cases by which Renovate's `docker` versioning is known (field/renovate-kargo.md 1.1.1 and 1.1.2), with the outcome
//! that the owner of the site wants. Where Renovate does otherwise, the row says what it does.

use tagboat::policy::{Config, Decision, Keep, Precision, Prerelease, Reading, Step::*, Variant};

use super::{best, decide, outcome, semver, update};

/// 1.1.1, rows 1 to 11: what a version is.
#[test]
fn what_is_a_version() {
    for (text, expected) in [
        ("", false),
        ("1.2.3", true),
        ("18.04", true),
        ("10.1", true),
        ("3", true),
        ("foo", false),
        ("0a1b2c3", false),
        ("0a1b2c3d", false),
        ("0123456789abcdef0123456789abcdef01234567", false),
        ("0123456789abcdef0123456789abcdef012345678", false), // Renovate: a version, for it is one digit too long for a hash
        ("0a1b2C3", false),                                   // Renovate: a version, for one letter is large
        ("0z1b2c3", false),                                   // Renovate: the version 0
        ("123098140293", false),                              // Renovate: a major version
        ("01aecc#v2.1.0", false),
    ] {
        assert_eq!(Reading::of(text).is_ok(), expected, "{text}");
    }
}

/// Rows 12 to 14.
#[test]
fn the_numbers() {
    for (text, expected) in [("1.2.3", &["1", "2", "3"][..]), ("18.04", &["18", "04"]), ("3", &["3"])] {
        let reading = Reading::of(text).unwrap();
        assert_eq!(reading.parts().collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(reading.precision(), expected.len());
    }
}

/// Rows 15 to 28, 46: which of two tags is taken when their number of parts does not matter.
#[test]
fn the_greater_of_two() {
    for (a, b, expected) in [
        ("1.2.3", "1.2", "1.2.3"),    // Renovate: the shorter is greater, as it may stand for any of them
        ("10.1", "10.1.2", "10.1.2"), // Renovate: 10.1
        ("18.04", "18.1", "18.04"),
        ("3", "2", "3"),
        ("1.2", "1.3.4", "1.3.4"),
        ("10.1", "10.0.4", "10.1"),
        ("18.04", "18.4", "18.4"),    // equal; the spelling of the site decides, here `18.3`
        ("10.0", "10.0.4", "10.0.4"), // Renovate: 10.0
        ("1.9.9", "1.10.0", "1.10.0"),
    ] {
        let config = Config { precision: Precision::Any, ..update(Major) };
        let current = if a.starts_with("18") { "18.3" } else { "0.1" };
        assert_eq!(outcome(config, &format!("{a} {b}"), current), expected, "{a} {b}");
    }
    let list = "0.9.8 1.1.1 1.1 1.2.3 1.2 1 2.2.2 2.2 2";
    for (range, current, expected) in
        [("1.2", "1.1", "1.2"), ("1", "0", "1"), ("1.3", "1.1", "no-candidate"), ("0.9", "0.8", "no-candidate")]
    {
        assert_eq!(outcome(semver(range), list, current), expected, "{range}");
    }
}

/// Row 29: the whole order, by taking the best away again and again.
#[test]
fn the_order_of_a_mixed_list() {
    let mut left = vec!["3.7.0", "3.7-alpine", "3.7.0b1", "3.7.0b5", "3.8.0b1-alpine", "3.8.0-alpine", "3.8.2", "3.8.0"];
    let mut sorted = Vec::new();
    while !left.is_empty() {
        let config = Config { variant: Variant::Any, precision: Precision::Any, prerelease: Prerelease::Any, ..semver("*") };
        let next = best(config, &left.join(" ")).unwrap();
        left.retain(|tag| *tag != next);
        sorted.insert(0, next);
    }
    // Renovate puts the variant of a prerelease after the release of the variant before it, and 3.7-alpine after 3.7.0.
    assert_eq!(sorted, ["3.7.0b1", "3.7.0b5", "3.7-alpine", "3.7.0", "3.8.0b1-alpine", "3.8.0-alpine", "3.8.0", "3.8.2"]);
}

/// Rows 30 and 31.
#[test]
fn what_is_stable() {
    for (text, kind) in [
        ("3.7.0", None),
        ("3.7-alpine", None),
        ("3.8.0-alpine", None),
        ("3.8.2", None),
        ("3.7.0b1", Some("beta")),
        ("3.8.0b1-alpine", Some("beta")),
    ] {
        assert_eq!(Reading::of(text).unwrap().prerelease_kind(), kind, "{text}");
    }
}

/// Rows 32 to 41: whether one tag is of the site's line.
#[test]
fn what_is_of_one_line() {
    for (candidate, current, expected) in [
        ("3.7.0", "3.7.0", true),
        ("3.7.0b1", "3.7.0", true),
        ("3.7-alpine", "3.7.0", false),
        ("3.8.0-alpine", "3.7.0", false),
        ("3.8.2", "3.7.0", true),
        ("3.7.0", "3.7.0-alpine", false),
        ("3.7-alpine", "3.7.0-alpine", false),
        ("3.8.0-alpine", "3.7.0-alpine", true),
        ("3.8.0b1-alpine", "3.7.0-alpine", true),
        ("3.8.2", "3.7.0-alpine", false),
    ] {
        let config = Config { prerelease: Prerelease::Any, downgrade: true, ..update(Major) };
        let decision = decide(config, candidate, Some(current), None);
        assert_eq!(!matches!(decision, Decision::NoCandidate(_)), expected, "{candidate} for {current}: {decision}");
    }
}

/// Rows 42 to 45: the tag is written as it is, and the version is what stands before the variant.
#[test]
fn what_is_written() {
    assert_eq!(best(semver("*"), "1.2.3"), Some("1.2.3".into()));
    for (text, numbers, prerelease) in [("3.7-alpine", "3.7", ""), ("3.8.0b1-alpine", "3.8.0", "b1")] {
        let reading = Reading::of(text).unwrap();
        assert_eq!((reading.numbers(), reading.prerelease(), reading.variant()), (numbers, prerelease, "alpine"), "{text}");
    }
}

/// 1.1.2: current tag, tags present, what is written.
#[test]
fn from_end_to_end() {
    for (current, list, step, expected) in [
        ("1.25", "1.25 1.26 1.26.1 1.27.0", Minor, "1.26"),
        ("1.25.0", "1.25.0 1.26 1.26.1", Minor, "1.26.1"),
        ("1", "1 2 2.0 2.0.0", Major, "2"),
        ("1", "1 2 2.0 2.0.0", Minor, "up-to-date"),
        ("1.25-alpine", "1.25 1.25-alpine 1.26 1.26-alpine 1.26.1-alpine", Minor, "1.26-alpine"),
        ("1.2.3-alpine", "1.2.4 1.2.4-alpine 1.2.4-alpine3.18", Minor, "1.2.4-alpine"),
        ("1.2.3-alpine3.17", "1.2.4-alpine3.18", Minor, "1.2.4-alpine3.18"), // Renovate: nothing; the base system freezes the image
        ("18-alpine", "19-alpine 20-alpine 20.1-alpine", Major, "20-alpine"),
        ("8.0.33-oracle", "8.0.34-oracle 8.4.0-oracle 9.0.0-oracle 9.0-oracle", Minor, "8.4.0-oracle"),
        ("8.0.33-oracle", "8.0.34-oracle 8.4.0-oracle 9.0.0-oracle 9.0-oracle", Patch, "8.0.34-oracle"),
        ("8.0.33-oracle", "8.0.34-oracle 8.4.0-oracle 9.0.0-oracle 9.0-oracle", Major, "9.0.0-oracle"),
        ("1.2.3-amd64", "1.2.4-arm64 1.2.4-amd64", Minor, "1.2.4-amd64"),
        ("1.9", "1.10", Minor, "1.10"),
        // Renovate: 22.10. But year and month are no steps, and which release of Ubuntu to follow is a person's decision.
        ("18.04", "20.04 22.04 22.10", Major, "calendar"),
        ("1.2.3", "1.2.4-rc1 1.2.4-rc.2 1.3.0rc1", Minor, "no-candidate"),
        ("1.2.3-rc1", "1.2.3-rc2 1.2.3 1.2.4-rc1", Minor, "1.2.3"), // Renovate: 1.2.4-rc1; it takes `rc1` for a variant
        ("1.2.3-rc1", "1.2.3-rc2 1.2.4-rc1", Minor, "1.2.3-rc2"),
        ("v3.1.0-rc.1", "v3.1.0-rc.2 v3.1.0", Minor, "v3.1.0"), // Renovate: nothing, never gets off the rc (#20106)
        ("3.7.0b1", "3.7.0b5 3.7.0 3.8.0b1", Minor, "3.7.0"),
        ("3.7.0b9", "3.7.0b10", Minor, "3.7.0b10"),      // Renovate: nothing; it compares letters
        ("v1.2.3", "1.2.4", Minor, "1.2.4"),             // no tag has the `v` any more: the project dropped it
        ("v1.2.3", "v1.2.3 1.2.4", Minor, "up-to-date"), // Renovate: 1.2.4, the `v` lost
        ("v1.2.3", "1.2.4 v1.2.4", Minor, "v1.2.4"),     // Renovate: by the registry's list order (#35669)
        ("1.2", "1.3 v1.4", Minor, "1.3"),               // Renovate: v1.4
        ("5", "5 6 1234567", Major, "6"),                // Renovate: 1234567, a commit
        ("3.20", "3.21 20240923", Minor, "3.21"),
        ("3", "3 4 20240923", Major, "4"), // an edge date is not a major version
        ("20240101", "20240601 2024.06.01", Major, "20240601"),
        ("20240101", "20240601 2024.06.01", Minor, "stepless"), // Renovate: every date is a major version
        ("2024-01-15", "2024-02-15 2025-01-15", Major, "2025-01-15"),
        ("2024-01-15", "2024-02-15", Major, "2024-02-15"), // Renovate: nothing, the month is a variant
        ("2024-01-15", "2024-02-15 2025-01-15", Minor, "stepless"),
        ("2024.01.15", "2024.01.16 2024.02.01 2025.01.01 20250101", Minor, "calendar"), // a day has no minor step, however it is written
        ("2024.01.15", "2024.01.16 2024.02.01 2025.01.01 20250101", Patch, "2024.01.16"), // year and month stay, as was asked
        ("1.2.3_4", "1.2.3_5 1.2.4_1 1.2.4", Minor, "1.2.4_1"),                         // Renovate: 1.2.4, another series
        ("1.2.3_4", "1.2.3_5", Minor, "1.2.3_5"),
        ("2.1.3-ls45", "2.1.3-ls46 2.1.4-ls47", Minor, "2.1.4-ls47"), // Renovate: nothing
        ("2.1.3-ls45", "2.1.3-ls46 2.1.3-ls9 2.1.4", Minor, "2.1.3-ls46"),
        ("1.15.0-debian-11-r12", "1.15.0-debian-11-r13 1.15.1-debian-11-r0", Minor, "1.15.1-debian-11-r0"), // Renovate: nothing
        // Renovate: nothing. 1.15.0 is there on Debian 11, so the one on Debian 12 is published beside it and no update of it.
        ("1.15.0-debian-11-r12", "1.15.0-debian-11-r9 1.15.0-debian-12-r0", Minor, "ahead of 1.15.0-debian-11-r9"),
        ("1.15.0-debian-11-r12", "1.15.0-debian-11-r13 1.15.0-debian-12-r20", Minor, "1.15.0-debian-11-r13"),
        ("1.15.0-debian-11-r12", "1.15.0-debian-11-r13 1.15.1-debian-12-r0", Minor, "1.15.1-debian-12-r0"), // only there
        (
            "RELEASE.2023-01-01T00-00-00Z",
            "RELEASE.2023-03-01T00-00-00Z RELEASE.2023-02-01T00-00-00Z",
            Major,
            "RELEASE.2023-03-01T00-00-00Z",
        ), // Renovate: nothing
        ("main-abc1234-1700000000", "main-abc1235-1700000001", Major, "unordered"),
        ("version-1.2.3", "version-1.2.4 1.2.5", Minor, "version-1.2.4"), // Renovate: nothing
        ("latest", "latest 1.2.3", Major, "unordered"),
    ] {
        assert_eq!(outcome(update(step), list, current), expected, "{current} with {list}, update {step}");
    }
}

/// The schemes for which Renovate's users had to collect presets (1.1.2, below the table).
#[test]
fn schemes_with_presets() {
    for (current, list, expected) in [
        ("1.2.3-4_base", "1.2.3-5_base 1.2.3-6 1.2.4-1_base", "1.2.4-1_base"),
        ("9.1.0-security-01", "9.1.0 9.1.0-security-02", "9.1.0-security-02"),
        ("9.1.0-security-01", "9.1.0-security-02 9.1.1", "9.1.1"),
        ("9.1.0", "9.1.0-security-01", "9.1.0-security-01"),
        ("21.0.11_10-jre", "21.0.12_7-jre 21.0.12_7-jdk 21.0.12_7", "21.0.12_7-jre"),
        ("8u212-jre", "8u222-jre 8u222-jdk 8u22-jre", "8u222-jre"),
        ("jdk-17.0.1", "jdk-17.0.2 jre-17.0.3", "jdk-17.0.2"),
        ("3.19", "3.20 20250108 edge", "3.20"),
        ("1.2.3-slim-bookworm", "1.2.4-slim-bookworm 1.2.4-slim-trixie 1.2.4-bookworm", "1.2.4-slim-bookworm"),
        // Lines that are published beside each other: to change them is a person's decision.
        ("2.14.1-pg15", "2.14.1-pg16 2.14.2-pg16 2.14.2-pg15", "2.14.2-pg15"),
        ("10.1.5-jdk17", "10.1.6-jdk21 10.1.6-jdk17", "10.1.6-jdk17"),
        ("1.2.3-arm32v7", "1.2.4-arm64v8 1.2.4-arm32v7", "1.2.4-arm32v7"),
        ("1.2.3-windowsservercore-ltsc2019", "1.2.4-windowsservercore-ltsc2022", "no-candidate"),
        ("amd64-2.1.3-ls4", "amd64-2.1.4-ls1 arm64v8-2.1.5-ls1", "amd64-2.1.4-ls1"),
        // A commit behind the version says nothing of age.
        ("1.2.3-abc1234", "1.2.3-fffffff 1.2.3-def5678", "up-to-date"),
        ("1.2.3-abc1234", "1.2.4-abc1230 1.2.3-def5678", "1.2.4-abc1230"),
        ("1.2.3-18-gabc1234", "1.2.3-19-g0bc1234 1.2.3-9-gfbc1234", "1.2.3-19-g0bc1234"),
    ] {
        assert_eq!(outcome(update(Minor), list, current), expected, "{current} with {list}");
    }
}

#[test]
fn a_current_tag_that_is_no_version_is_left_and_said_so() {
    for current in
        ["latest", "0a1b2c3", "1234567", "1700000000", "sha256-0123456789abcdef", "main-0a1b2c3", "pg15-2.14.1", "1.2.3-", "git-1234567"]
    {
        let decision = decide(update(Major), "1.2.3 2.0.0 7654321 0b1b2c3 1700000001 pg16-2.14.2", Some(current), None);
        assert_eq!(decision, Decision::Keep(Keep::Unordered), "{current}");
    }
}
