//! What a scrape shows after things happened.

use super::*;

/// Returns the scrape's sample lines, sorted.
fn scrape(metrics: &Metrics) -> Vec<String> {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Asserts that a scrape shows this sample.
fn assert_shows(metrics: &Metrics, sample: &str) {
    let lines = scrape(metrics);
    assert!(lines.iter().any(|line| line == sample), "no {sample} in\n{}", lines.join("\n"));
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_fresh_process_shows_its_version_and_memory() {
    let lines = scrape(&Metrics::default());
    assert!(lines.contains(&format!("tagboat_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"))), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("process_resident_memory_bytes ")), "{lines:?}");
}

#[test]
fn listings_are_counted_by_result_and_timed() {
    let metrics = Metrics::default();
    metrics.listed("ghcr.io", Ok(()), SECOND * 2);
    metrics.listed("ghcr.io", Ok(()), SECOND / 5);
    metrics.listed("ghcr.io", Err(Verdict::RETRY), SECOND);
    metrics.listed("quay.io", Err(Verdict::Stalled), SECOND);
    metrics.repositories("ghcr.io", 12, 3);
    metrics.repositories("ghcr.io", 11, 0);
    assert_shows(&metrics, r#"tagboat_repositories{registry="ghcr.io"} 11"#);
    assert_shows(&metrics, r#"tagboat_repositories_failing{registry="ghcr.io"} 0"#);
    for requests in [3, 5] {
        metrics.registry("ghcr.io", &RegistryNow { requests, ..RegistryNow::default() });
    }
    assert_shows(&metrics, r#"tagboat_listings_total{registry="ghcr.io",result="ok"} 2"#);
    assert_shows(&metrics, r#"tagboat_listings_total{registry="ghcr.io",result="retry"} 1"#);
    assert_shows(&metrics, r#"tagboat_listings_total{registry="quay.io",result="stalled"} 1"#);
    assert_shows(&metrics, r#"tagboat_listing_duration_seconds_sum{registry="ghcr.io"} 3.2"#);
    assert_shows(&metrics, r#"tagboat_listing_duration_seconds_bucket{le="0.25",registry="ghcr.io"} 1"#);
    assert_shows(&metrics, r#"tagboat_registry_requests_total{registry="ghcr.io"} 5"#);
}

#[test]
fn a_failing_pass_shows_and_keeps_the_last_success() {
    let metrics = Metrics::default();
    let at = |second| Timestamp::from_second(second).unwrap();
    metrics.passed("prod", PassResult::Pushed, SECOND, at(100));
    assert_shows(&metrics, r#"tagboat_environment_failing{environment="prod"} 0"#);
    metrics.passed("prod", PassResult::Failed(Verdict::RETRY), SECOND, at(200));
    assert_shows(&metrics, r#"tagboat_environment_failing{environment="prod"} 1"#);
    assert_shows(&metrics, r#"tagboat_last_success_timestamp_seconds{environment="prod"} 100"#);
    metrics.passed("prod", PassResult::Unchanged, SECOND, at(300));
    assert_shows(&metrics, r#"tagboat_environment_failing{environment="prod"} 0"#);
    assert_shows(&metrics, r#"tagboat_last_success_timestamp_seconds{environment="prod"} 300"#);
    for result in ["pushed", "retry", "unchanged"] {
        assert_shows(&metrics, &format!(r#"tagboat_passes_total{{environment="prod",result="{result}"}} 1"#));
    }
    assert_shows(&metrics, r#"tagboat_pass_duration_seconds_count{environment="prod"} 3"#);
}

#[test]
fn pushes_count_commits_changes_and_races() {
    let metrics = Metrics::default();
    metrics.raced("prod");
    metrics.pushed("prod", 3);
    metrics.pushed("prod", 2);
    metrics.sites("prod", 41);
    assert_shows(&metrics, r#"tagboat_commits_total{environment="prod"} 2"#);
    assert_shows(&metrics, r#"tagboat_changes_total{environment="prod"} 5"#);
    assert_shows(&metrics, r#"tagboat_push_races_total{environment="prod"} 1"#);
    assert_shows(&metrics, r#"tagboat_sites{environment="prod"} 41"#);
}

#[test]
fn a_skip_that_is_over_reads_zero() {
    let metrics = Metrics::default();
    metrics.files_skipped("prod", &BTreeMap::from([("encrypted", 2), ("unreadable", 1)]));
    metrics.files_skipped("dev", &BTreeMap::from([("encrypted", 7)]));
    metrics.files_skipped("prod", &BTreeMap::from([("unreadable", 4)]));
    assert_shows(&metrics, r#"tagboat_files_skipped{environment="prod",reason="encrypted"} 0"#);
    assert_shows(&metrics, r#"tagboat_files_skipped{environment="prod",reason="unreadable"} 4"#);
    assert_shows(&metrics, r#"tagboat_files_skipped{environment="dev",reason="encrypted"} 7"#);
}

#[test]
fn deliveries_are_counted_by_webhook_and_result() {
    let metrics = Metrics::default();
    metrics.delivered("harbor", "accepted");
    metrics.delivered("harbor", "accepted");
    metrics.delivered("ci", "unauthorized");
    assert_shows(&metrics, r#"tagboat_webhook_deliveries_total{webhook="harbor",result="accepted"} 2"#);
    assert_shows(&metrics, r#"tagboat_webhook_deliveries_total{webhook="ci",result="unauthorized"} 1"#);
}

#[test]
fn a_hostile_label_does_not_end_its_line() {
    let metrics = Metrics::default();
    metrics.raced("pr\"od\nx 1");
    assert_shows(&metrics, r#"tagboat_push_races_total{environment="pr\"od\nx 1"} 1"#);
}

#[test]
fn a_registry_shows_its_limits_and_troubles() {
    let metrics = Metrics::default();
    let trouble =
        RegistryNow { requests: 9, throttled: 2, in_flight: 3, circuit_open: true, paused: SECOND * 40, pulls: Some((7, Some(100))) };
    metrics.registry("docker.io", &trouble);
    for (name, value) in [
        ("requests_total", 9),
        ("throttled_total", 2),
        ("in_flight", 3),
        ("circuit_open", 1),
        ("paused_seconds", 40),
        ("pulls_remaining", 7),
        ("pulls_limit", 100),
    ] {
        assert_shows(&metrics, &format!(r#"tagboat_registry_{name}{{registry="docker.io"}} {value}"#));
    }
    metrics.registry("docker.io", &RegistryNow { requests: 9, ..RegistryNow::default() });
    assert_shows(&metrics, r#"tagboat_registry_circuit_open{registry="docker.io"} 0"#);
    assert_shows(&metrics, r#"tagboat_registry_paused_seconds{registry="docker.io"} 0"#);
    metrics.registry("ghcr.io", &RegistryNow::default());
    assert!(!scrape(&metrics).iter().any(|line| line.contains("pulls") && line.contains("ghcr.io")), "only who counts pulls shows them");
}
