//! `calver`: calendar versions of a form.

use tagboat::policy::{Config, Order, Prerelease, Variant};

use super::explaining::explain;
use super::{best, outcome, policy};

fn calver(form: &str) -> Config {
    Config { order: Some(Order::Calver(form.into())), ..Config::default() }
}

#[test]
fn the_latest_of_the_form_is_taken() {
    for (form, list, current, expected) in [
        ("YYYY.0M.0D", "2024.01.15 2024.02.01 2023.12.31", "2024.01.15", "2024.02.01"),
        ("YYYY.0M.0D", "2024.02.30 2024.13.01 2024.2.1 2025.1 20250101 latest", "2024.01.15", "no-candidate"),
        ("YYYY.MM.DD", "2024.9.30 2024.10.1 2024.10.01", "2024.9.1", "2024.10.1"),
        ("YY.0M", "22.04 24.04 23.10 24.13 latest", "22.04", "24.04"),
        ("YY.0M", "22.04 24.04 v24.10 24.10-slim", "22.04", "24.04"),
        ("YYYY.MM.MICRO", "2024.1.9 2024.1.10 2024.1.99-beta1", "2024.1.0", "2024.1.10"),
        ("YYYY.MM.MICRO-MODIFIER", "2024.1.10 2024.2.0-rc1", "2024.1.0", "2024.1.10"),
        ("YYYY-0M-0D", "2024-01-16 2024-01-32", "2024-01-15", "2024-01-16"),
        ("YYYY0M0D", "20240116 20241301 1234567", "20240115", "20240116"),
        ("YYYY.0W", "2024.53 2024.54", "2024.01", "2024.53"),
        ("0D.0M.YYYY", "31.12.2023 01.02.2024", "01.01.2024", "01.02.2024"),
        ("YYYY.0M.0D", "v2024.02.01 2024.03.01", "v2024.01.15", "v2024.02.01"),
        ("YYYY.0M.0D", "2024.02.01-alpine3.20 2024.03.01 2024.03.01-slim", "2024.01.15-alpine3.19", "2024.02.01-alpine3.20"),
        ("YYYY.0M.0D", "2024.01.15-2 2024.01.15-10", "2024.01.15-1", "2024.01.15-10"),
        ("YYYY.0M.0D", "2023.12.31", "2024.01.15", "ahead of 2023.12.31"),
        ("YYYY.0M.0D", "2024.01.15", "2024.02.30", "unordered"),
        ("YYYY.0M.0D", "2024.01.15", "1.2.3", "unordered"),
        ("YYYY.MICRO", "2024.123456789012345678901234567890 2024.99", "2024.1", "2024.123456789012345678901234567890"),
    ] {
        assert_eq!(outcome(calver(form), list, current), expected, "{form}: {list} at {current}");
    }
    assert_eq!(best(calver("YYYY.0M.0D"), "2024.01.15 2024.01.16-slim").as_deref(), Some("2024.01.15"));
}

#[test]
fn prereleases_and_variants_are_as_with_versions() {
    let list = "2024.1.0 2024.2.0-rc1 2024.3.0-beta.1 2024.4.0-slim";
    for (config, current, expected) in [
        (calver("YYYY.MM.MICRO"), "2024.1.0", "up-to-date"),
        (calver("YYYY.MM.MICRO"), "2024.2.0-beta1", "2024.2.0-rc1"),
        (Config { prerelease: Prerelease::Kinds(vec!["rc".into()]), ..calver("YYYY.MM.MICRO") }, "2024.1.0", "2024.2.0-rc1"),
        (Config { prerelease: Prerelease::Any, ..calver("YYYY.MM.MICRO") }, "2024.1.0", "2024.3.0-beta.1"),
        (Config { variant: Variant::Any, ..calver("YYYY.MM.MICRO") }, "2024.1.0", "2024.4.0-slim"),
        (Config { variant: Variant::Only("slim".into()), ..calver("YYYY.MM.MICRO") }, "2024.1.0", "2024.4.0-slim"),
    ] {
        assert_eq!(outcome(config.clone(), list, current), expected, "{config:?}");
    }
}

#[test]
fn it_is_said_why_a_tag_is_no_calendar_version() {
    assert_eq!(policy(calver("YYYY.0M.0D")).to_string(), "calver YYYY.0M.0D");
    assert_eq!(
        explain(&policy(calver("YYYY.0M.0D")), "2024.02.30 2024.2.1 2024.02.01-slim v2024.02.01 2024.02.01 2024.01.01", Some("2024.01.15")),
        [
            "v2024.02.01: prefix v differs from none",
            "2024.02.01: chosen",
            "2024.02.01-slim: variant slim differs from none",
            "2024.01.01: older than 2024.01.15",
            "2024.2.1: not of the form",
            "2024.02.30: a date that does not exist",
        ]
    );
}
