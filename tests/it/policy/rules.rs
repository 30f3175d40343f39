//! The rules that hold under every order: conditions, no downgrade, holds, ties.

use tagboat::policy::{Code, Config, Decision, Direction::*, Keep, Precision, Prerelease, Question, Step::*, Variant};

use super::{alphabetical, best, decide, filtered, hold, numeric, outcome, policy, semver, strict, tag, tags, update};

#[test]
fn the_default_is_update_minor() {
    assert_eq!(policy(Config::default()).to_string(), "update minor");
    assert_eq!(outcome(Config::default(), "1.2.4 1.3.0 2.0.0", "1.2.3"), "1.3.0");
}

#[test]
fn policies_are_shown_as_they_are_written() {
    for (config, shown) in [
        (semver(" ^1.4 "), "semver ^1.4"),
        (strict(">=1 <2"), "semver >=1 <2 strict"),
        (update(Patch), "update patch"),
        (numeric(Ascending), "numeric ascending"),
        (alphabetical(Descending), "alphabetical descending"),
    ] {
        assert_eq!(policy(config).to_string(), shown);
    }
}

#[test]
fn steps_count_positions() {
    let list = "0.3.1 0.3.2 0.4.0 1.0.0 1.0.1 1.1.0 2.0.0";
    for (current, patch, minor, major) in
        [("0.3.1", "0.3.2", "0.4.0", "2.0.0"), ("1.0.0", "1.0.1", "1.1.0", "2.0.0"), ("2.0.0", "up-to-date", "up-to-date", "up-to-date")]
    {
        for (step, expected) in [(Patch, patch), (Minor, minor), (Major, major)] {
            assert_eq!(outcome(update(step), list, current), expected, "{current} {step}");
        }
    }
    let list = "1 2 1.1 1.2 2.0 1.2.3.4 1.2.3.5 1.2.4.0 1.3.0.0 2.0.0.0";
    for (current, patch, minor, major) in
        [("1", "up-to-date", "up-to-date", "2"), ("1.1", "up-to-date", "1.2", "2.0"), ("1.2.3.4", "1.2.4.0", "1.3.0.0", "2.0.0.0")]
    {
        for (step, expected) in [(Patch, patch), (Minor, minor), (Major, major)] {
            assert_eq!(outcome(update(step), list, current), expected, "{current} {step}");
        }
    }
    assert_eq!(outcome(update(Patch), "18-alpine3.18 19-alpine3.19", "18-alpine3.17"), "18-alpine3.18");
    assert_eq!(outcome(update(Minor), "5-r2 6-r1", "5-r1"), "5-r2");
}

#[test]
fn a_range_applies_to_the_tag_as_it_is_read() {
    for (range, list, current, expected) in [
        ("^1.4", "1.4 1.5 2.0", "1.4", "1.5"),
        ("^1", "1 2", "1", "up-to-date"),
        (">=1", "1 2", "1", "2"),
        ("^1.4", "v1.4.0-alpine3.18 v1.9.0-alpine3.19 v1.9.1", "v1.4.0-alpine3.18", "v1.9.0-alpine3.19"),
        ("~1.2.3", "1.2.3.9 1.2.4.1 1.3.0.0", "1.2.3.1", "1.2.4.1"),
        ("~8.0", "8.0.33-oracle 8.0.34-oracle 8.1.0-oracle", "8.0.33-oracle", "8.0.34-oracle"),
        (">=1.0.0-0", "1.0.0-rc9 1.0.0-rc10", "1.0.0-rc8", "1.0.0-rc10"),
        (">=1.0.0-rc.2", "1.0.0-rc1 1.0.0-beta.9", "0.9.0", "no-candidate"),
        (">=1.0.0-rc.2", "1.0.0-rc10", "0.9.0", "1.0.0-rc10"),
        (">1", "99999999999999999999999.0.0", "1.0.0", "99999999999999999999999.0.0"),
        ("*", "20240101 2024-01-01 1234567 3.0", "2.0", "3.0"),
        ("*", "20240101 20240202 3", "20230101", "20240202"),
    ] {
        assert_eq!(outcome(semver(range), list, current), expected, "{range} on {list} at {current}");
    }
}

#[test]
fn prereleases() {
    let with = |prerelease| Config { prerelease, ..update(Minor) };
    let kinds = |words: &[&str]| Prerelease::Kinds(words.iter().map(|&w| w.to_owned()).collect());
    let list = "1.0.0 1.1.0-alpha.1 1.1.0-rc.1 1.1.0-nightly.5 1.2.0-beta1";
    for (prerelease, expected) in [
        (Prerelease::No, "up-to-date"),
        (Prerelease::Any, "1.2.0-beta1"),
        (kinds(&["rc"]), "1.1.0-rc.1"),
        (kinds(&["RC", "alpha"]), "1.1.0-rc.1"),
        (kinds(&["nightly"]), "1.1.0-nightly.5"),
        (kinds(&["b"]), "1.2.0-beta1"),
    ] {
        assert_eq!(outcome(with(prerelease.clone()), list, "1.0.0"), expected, "{prerelease:?}");
    }
    for (current, list, expected) in [
        ("1.1.0-alpha.1", "1.1.0-alpha.2 1.1.0-beta.1 1.1.0-rc.1 1.2.0-rc.1", "1.1.0-rc.1"),
        ("1.1.0-rc.1", "1.1.0-alpha.2 1.1.0-rc.1 1.1.0-nightly.9", "up-to-date"),
        ("1.1.0-nightly.1", "1.1.0-snapshot.9", "no-candidate"),
        ("1.1.0-nightly.1", "1.1.0-nightly.9 1.1.0-nightly.10", "1.1.0-nightly.10"),
        ("1.1.0-rc.1", "1.0.9 1.1.1", "1.1.1"),
        ("1.1.0-rc.1", "1.1.0-RC2", "1.1.0-RC2"),
        ("1.1.0-rc.1", "1.0.9", "ahead of 1.0.9"),
        ("1.1.0", "1.1.1-rc.1 1.1.0-rc.9", "no-candidate"),
    ] {
        assert_eq!(outcome(Config::default(), list, current), expected, "{current} with {list}");
    }
}

#[test]
fn prereleases_and_ranges() {
    let rc = || Prerelease::Kinds(vec!["rc".into()]);
    for (config, expected) in [
        (semver("^1"), Some("1.0.0")),
        (Config { prerelease: rc(), ..semver("^1") }, Some("1.1.0-rc.1")),
        (Config { prerelease: Prerelease::Any, ..semver("^1") }, Some("1.2.0-beta.1")),
        (semver("^1-0"), Some("1.2.0-beta.1")),
        (strict("^1"), Some("1.0.0")),
        (Config { prerelease: rc(), ..strict("^1") }, Some("1.1.0-rc.1")),
        (Config { prerelease: Prerelease::Any, ..strict("^1") }, Some("1.2.0-beta.1")),
        (Config { prerelease: Prerelease::Any, ..strict("^0") }, None),
    ] {
        assert_eq!(best(config.clone(), "1.0.0 1.1.0-rc.1 1.2.0-beta.1 2.0.0").as_deref(), expected, "{config:?}");
    }
}

#[test]
fn variants() {
    let list = "1.2.3 1.2.4 1.2.5-alpine 1.2.4-alpine3.18 1.2.4-alpine3.19 1.2.6-debian-12 1.2.4-ls3";
    for (variant, current, expected) in [
        (Variant::Same, "1.2.3", "1.2.4"),
        (Variant::Same, "1.2.3-alpine3.17", "1.2.4-alpine3.19"),
        (Variant::Same, "1.2.3-ls1", "1.2.4-ls3"),
        (Variant::Any, "1.2.3", "1.2.6-debian-12"),
        (Variant::Only("alpine".into()), "1.2.3", "1.2.5-alpine"),
        (Variant::Only("alpine3.18".into()), "1.2.3", "1.2.4-alpine3.18"),
        (Variant::Only("debian".into()), "1.2.3", "1.2.6-debian-12"),
        (Variant::Only(String::new()), "1.2.3-alpine3.17", "1.2.4-ls3"),
        (Variant::Only("fedora".into()), "1.2.3", "no-candidate"),
    ] {
        assert_eq!(outcome(Config { variant: variant.clone(), ..update(Minor) }, list, current), expected, "{variant:?} {current}");
    }
    let only = |name: &str| Config { variant: Variant::Only(name.into()), ..update(Minor) };
    assert_eq!(
        outcome(only("alpine"), "1.2.3 1.2.3-alpine", "1.2.3"),
        "1.2.3-alpine",
        "the version the site has, in the variant asked for"
    );
    assert_eq!(outcome(only("alpine"), "1.2.2-alpine", "1.2.3"), "ahead of 1.2.2-alpine");
    assert_eq!(outcome(only("arm64"), "1.2.4-arm64 1.2.5-arm32v7", "1.2.3-arm64"), "1.2.4-arm64");
    let any = || Config { variant: Variant::Any, ..update(Minor) };
    assert_eq!(outcome(any(), "1.2.4 1.2.4-slim 1.2.4-alpine", "1.2.3-slim"), "1.2.4-slim", "the site's own first");
    assert_eq!(outcome(any(), "1.2.4 1.2.4-slim 1.2.4-alpine", "1.2.3-jammy"), "1.2.4", "then none");
    assert_eq!(outcome(any(), "1.2.3 1.2.3-alpine", "1.2.3-slim"), "up-to-date", "another variant of one version is not newer");
}

#[test]
fn a_chart_without_build_metadata_takes_none_unless_any_variant_will_do() {
    let any = |config| Config { variant: Variant::Any, ..config };
    for (list, current, same, anything) in [
        ("1.2.2 1.2.3_build.2", "1.2.2", "up-to-date", "1.2.3_build.2"),
        ("1.2.2 1.2.3_4f2a91c 1.2.3_up1.0.0", "1.2.2", "up-to-date", "1.2.3_up1.0.0"),
        ("1.2.3_build.2 1.2.3_build.10 1.2.3", "1.2.2", "1.2.3", "1.2.3"),
        // One with metadata goes on with its own.
        ("1.2.3_build.2 1.2.3_build.10 1.2.4", "1.2.3_build.1", "1.2.3_build.10", "1.2.4"),
        ("104.0.0_up1.0.0 105.0.0_up1.1.0 106.0.0", "104.0.0_up1.0.0", "105.0.0_up1.1.0", "106.0.0"),
    ] {
        assert_eq!(outcome(semver(">=0"), list, current), same, "{list}");
        assert_eq!(outcome(any(semver(">=0")), list, current), anything, "{list}");
    }
    let policy = policy(semver(">=0"));
    let decision = policy.decide(&Question { current: Some(&tag("1.2.2")), ..Question::of(&tags("1.2.3_build.2")) });
    assert!(decision.to_string().contains("build"), "{decision}");
}

#[test]
fn prefixes_stay() {
    for (current, list, expected) in [
        ("1.2.3", "v1.3.0 1.2.4 release-1.4.0", "1.2.4"),
        ("v1.2.3", "v1.2.4 V1.3.0 1.4.0", "v1.2.4"),
        ("release-1.2.3", "1.3.0 release-1.2.4", "release-1.2.4"),
        ("release-1.2.3", "1.3.0", "no-candidate"),
        ("1.2.3", "v1.3.0 V1.2.9", "v1.3.0"),
        // A hash that starts with a digit does not make the site's form exist.
        ("1.2.3", "v1.3.0 0a1b2c3", "v1.3.0"),
    ] {
        assert_eq!(outcome(Config::default(), list, current), expected, "{current} with {list}");
    }
}

#[test]
fn precision_is_kept_unless_any_will_do() {
    let any = || Config { precision: Precision::Any, ..update(Major) };
    assert_eq!(outcome(update(Major), "1.3 1.3.1 2", "1.2"), "1.3");
    assert_eq!(outcome(any(), "1.3 1.3.1", "1.2"), "1.3.1");
    assert_eq!(outcome(any(), "1.3 1.3.0", "1.2"), "1.3", "of one version, the spelling of the site");
    assert_eq!(outcome(any(), "1.3 1.3.0", "1.2.0"), "1.3.0");
    assert_eq!(outcome(any(), "1.2.0", "1.2"), "up-to-date");
}

#[test]
fn a_site_is_never_lowered_unless_the_policy_says_so() {
    for (config, list, current, best) in [
        (semver("^1.4"), "1.5.0 2.0.0", "2.0.0", "1.5.0"),
        (strict("^1.4"), "1.5.0 2.0.0", "2.0.0", "1.5.0"),
        (update(Minor), "1.4.1", "1.4.2", "1.4.1"),
        (numeric(Ascending), "5 6", "7", "6"),
        (numeric(Descending), "5 6", "4", "5"),
        (alphabetical(Ascending), "a b", "c", "b"),
        (filtered("^r(.*)", "$1", numeric(Ascending)), "r5", "r6", "r5"),
    ] {
        assert_eq!(outcome(config.clone(), list, current), format!("ahead of {best}"), "{config:?}");
        assert_eq!(outcome(Config { downgrade: true, ..config.clone() }, list, current), best, "{config:?}");
    }
}

#[test]
fn a_current_tag_that_cannot_be_ordered_moves_only_where_lowering_is_allowed() {
    for config in [semver("^1"), strict("^1"), numeric(Ascending), filtered("^(1.*)", "$1", alphabetical(Ascending))] {
        assert_eq!(outcome(config.clone(), "1.0.0 1", "latest"), "unordered", "{config:?}");
        assert_ne!(outcome(Config { downgrade: true, ..config.clone() }, "1.0.0 1", "latest"), "unordered", "{config:?}");
    }
    assert_eq!(outcome(Config { downgrade: true, ..update(Major) }, "1.0.0", "latest"), "unordered", "a step needs somewhere to start");
}

#[test]
fn without_a_current_tag() {
    assert_eq!(best(semver("^1"), "1.2 v1.3.0 release-1.9.0 1.4.0-alpine 1.4.0-rc1 1234567 20240101"), Some("v1.3.0".into()));
    assert_eq!(best(semver("*"), "1.27 1.27.0"), Some("1.27.0".into()), "the longest spelling");
    assert_eq!(best(numeric(Ascending), "9 10"), Some("10".into()));
    assert_eq!(decide(update(Minor), "1.0.0", None, None), Decision::Keep(Keep::NoCurrent));
}

#[test]
fn holds() {
    let held = |config: Config, list: &str, current: &str, held: &str| {
        let hold = hold(held);
        match decide(config, list, Some(current), Some(&hold)) {
            Decision::Move { to } => to.to_string(),
            Decision::Keep(Keep::Held { best, hold: by }) => {
                assert_eq!(by, hold);
                format!("held {best}")
            }
            other => other.code().to_owned(),
        }
    };
    for (list, current, hold, expected) in [
        ("1.4.0 1.4.2", "1.4.0", "1.4.2", "held 1.4.2"),
        ("1.4.0 1.4.1", "1.4.0", "1.4.2", "held 1.4.1"),
        ("1.4.0 1.4.2 1.4.3", "1.4.0", "1.4.2", "1.4.3"),
        ("1.4.0", "1.4.0", "1.4.2", "up-to-date"),
        ("1.3.0", "1.4.0", "1.4.2", "ahead"),
        ("1.4.1", "1.4.0", "latest", "1.4.1"),
        ("v1.4.2", "1.4.0", "1.4.2", "held v1.4.2"),
    ] {
        assert_eq!(held(Config::default(), list, current, hold), expected, "{list} at {current}, held {hold}");
    }
    let lower = || Config { downgrade: true, ..semver("<1.4") };
    assert_eq!(held(lower(), "1.3.0", "1.4.0", "1.4.2"), "1.3.0", "what lowers the site on purpose may go on");
    assert_eq!(held(lower(), "1.3.0", "1.4.0", "1.3.0"), "held 1.3.0");
    assert_eq!(held(numeric(Descending), "5", "7", "4"), "held 5", "newer is what the order wants more");
    assert_eq!(held(filtered("-(.*)", "$1", numeric(Ascending)), "b-5 c-6", "a-4", "z-5"), "c-6");
    assert_eq!(held(filtered("-(.*)", "$1", numeric(Ascending)), "b-5", "a-4", "z-5"), "held b-5");
}

#[test]
fn ties_are_decided_by_the_spelling_of_the_site() {
    for (config, list, current, expected) in [
        (semver("*"), "2022.04.1 2022.4.1", "2022.03.1", "2022.04.1"),
        (semver("*"), "2022.04.1 2022.4.1", "2022.3.1", "2022.4.1"),
        (semver("*"), "1.3.0-rc1 1.3.0-rc.1 1.3.0", "1.2.0", "1.3.0"),
        (strict("*"), "1.3.0 v1.3.0", "1.2.0", "v1.3.0"), // as Flux: descending byte order
        (numeric(Ascending), "2 2.0 02", "1", "2.0"),
        (filtered("^[a-z]+-(.*)$", "$1", numeric(Ascending)), "aa-1 bb-1", "aa-1", "up-to-date"),
    ] {
        assert_eq!(outcome(config, list, current), expected, "{list} at {current}");
    }
}

#[test]
fn the_current_tag_need_not_be_listed() {
    assert_eq!(outcome(Config::default(), "1.3.0", "1.2.3"), "1.3.0");
    assert_eq!(outcome(Config::default(), "2.3.0", "1.2.3"), "no-candidate");
    assert_eq!(outcome(Config::default(), "", "1.2.3"), "no-candidate");
}

#[test]
fn exclusions_and_filters_come_first() {
    let config = || Config { exclude: vec!["^1\\.3".into(), "bad".into()], filter: Some("^1".into()), ..update(Major) };
    assert_eq!(outcome(config(), "1.2.4 1.3.0 2.0.0 1.9.9-bad", "1.2.3"), "1.2.4");
    match decide(config(), "1.3.0 2.0.0 1.9-bad latest", Some(&tag("1.2.3").to_string()), None) {
        Decision::NoCandidate(counts) => {
            assert_eq!((counts.total(), counts.rejected(Code::Excluded), counts.rejected(Code::Filter)), (4, 2, 2));
            assert_eq!(counts.to_string(), "4 tags: 2 excluded, 2 not matching the filter");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_site_stays_on_its_base_system_while_its_version_is_there() {
    for (current, list, expected) in [
        ("1.2.3-ubuntu22.04", "1.2.4-ubuntu20.04 1.2.4-ubuntu22.04 1.2.4-ubuntu24.04", "1.2.4-ubuntu22.04"),
        ("1.2.3-ubuntu22.04", "1.2.3-ubuntu22.04 1.2.3-ubuntu24.04", "up-to-date"),
        ("1.2.3-ubuntu22.04", "1.2.4-ubuntu22.04 1.2.5-ubuntu24.04", "1.2.5-ubuntu24.04"),
        ("1.2.3-alpine3.18", "1.2.4-alpine3.18 1.2.4-alpine3.19 1.2.5-alpine3.20 1.2.5-alpine3.19", "1.2.5-alpine3.20"),
        // A tag that stands for many versions stays too: its base is one of two that are kept up beside each other.
        ("1.2-alpine3.18", "1.2-alpine3.18 1.2-alpine3.19", "up-to-date"),
        ("1.2-alpine3.18", "1.2-alpine3.19", "1.2-alpine3.19"),
        // Days, commits and counters are builds, not bases.
        ("1.2.3-bookworm-20240101", "1.2.3-bookworm-20240101 1.2.3-bookworm-20240201", "1.2.3-bookworm-20240201"),
        ("1.2.3-gke.7", "1.2.3-gke.7 1.2.3-gke.8", "1.2.3-gke.8"),
        ("1.2.3-debian-11-abc1234", "1.2.4-debian-12-abc1234 1.2.4-debian-11-def5678", "1.2.4-debian-11-def5678"),
    ] {
        assert_eq!(outcome(Config::default(), list, current), expected, "{current} with {list}");
    }
    let only = Config { variant: Variant::Only("alpine".into()), ..update(Minor) };
    assert_eq!(outcome(only, "1.2.4-alpine3.18 1.2.4-alpine3.19", "1.2.3"), "1.2.4-alpine3.19", "a site with none has no base to keep");
}

#[test]
fn calendar_versions_have_no_steps() {
    for (step, current, list, expected) in [
        (Minor, "22.04", "22.04 22.10 24.04", "calendar"),
        (Major, "22.04", "22.04 22.10 24.04", "calendar"),
        (Patch, "22.04", "22.04 22.10 24.04", "up-to-date"),
        // That 22.10 is a month only the others say.
        (Major, "22.10", "22.04 22.10 24.04", "calendar"),
        (Major, "22.10", "22.9 22.10 24.4", "24.4"),
        (Minor, "22.10-slim", "22.9-slim 22.10-slim 22.11-slim", "22.11-slim"),
        (Minor, "v24.10", "v24.04 v24.12", "calendar"),
        (Minor, "24.10", "v24.04 24.12", "24.12"),
        (Minor, "2024.10.1", "2024.10.1 2024.11.0 2025.1.0", "2024.11.0"),
        (Minor, "2024.10.01", "2024.09.01 2024.10.02", "calendar"),
        // Docker's old scheme: a fix leaves year and month alone.
        (Patch, "19.03.12", "19.03.12 19.03.15 20.10.7", "19.03.15"),
        (Minor, "19.03.12", "19.03.12 19.03.15 20.10.7", "calendar"),
        (Minor, "3.9", "3.9 3.10 3.11", "3.11"),
        (Minor, "16.9", "16.9 16.10 17.0", "16.10"),
        (Minor, "20.10.7", "20.10.7 20.10.8", "20.10.8"),
    ] {
        assert_eq!(outcome(update(step), list, current), expected, "update {step} from {current} with {list}");
    }
    // What is asked for by another order is done.
    assert_eq!(outcome(semver("*"), "22.04 22.10 24.04", "22.04"), "24.04");
    let decision = decide(update(Minor), "22.04 22.10", Some("22.04"), None);
    assert_eq!(decision.to_string(), "the current tag reads as a calendar version, whose year and month are no steps; use `calver`");
}

#[test]
fn dev_beside_every_release_is_a_variant() {
    let pairs = "1.2.3 1.2.3-dev 1.2.4 1.2.4-dev 1.3.0 1.3.0-dev 2.0.0 2.0.0-dev";
    for (current, list, expected) in [
        ("1.2.3-dev", pairs, "1.3.0-dev"),
        ("1.2.3", pairs, "1.3.0"),
        ("1.3.0-dev", pairs, "up-to-date"),
        // Pushed a moment before its release: it waits for that.
        ("1.2.3-dev", "1.2.3 1.2.3-dev 1.2.4-dev", "up-to-date"),
        ("1.2.3-dev", "1.2.3 1.2.3-dev 1.2.4", "up-to-date"),
        ("1.2-dev", "1.2 1.2-dev 1.3 1.3-dev 1.3.0-dev 1.3.0", "1.3-dev"),
        // Without its release beside it, it is a build on the way there.
        ("1.2.3-dev", "1.2.3-dev 1.2.4 1.2.4-dev", "1.2.4"),
        ("1.2.3-dev.1", "1.2.3 1.2.3-dev.1 1.2.4-dev.1 1.2.4", "1.2.4"),
        ("1.2.3-dev", "v1.2.3 1.2.3-dev 1.2.4 1.2.4-dev", "1.2.4"),
    ] {
        assert_eq!(outcome(Config::default(), list, current), expected, "{current} with {list}");
    }
    assert_eq!(outcome(semver("^1"), pairs, "1.2.3-dev"), "1.3.0-dev", "a range does not refuse a variant");
    let asked = Config { prerelease: Prerelease::Any, ..update(Minor) };
    assert_eq!(outcome(asked, pairs, "1.2.3-dev"), "1.3.0", "whoever allows prereleases has said what it is");
    assert_eq!(
        super::explaining::explain(&policy(Config::default()), "1.2.3 1.2.3-dev 1.2.4 1.2.5-dev", Some("1.2.3-dev")),
        [
            "1.2.5-dev: prerelease dev not allowed",
            "1.2.4: variant none differs from dev",
            "1.2.3: variant none differs from dev",
            "1.2.3-dev: chosen",
        ]
    );
}
