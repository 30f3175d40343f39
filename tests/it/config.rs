//! Tests of the config module as its users see it.

mod fixtures;
mod hints;
mod layers;
mod robustness;
mod samples;
mod schema;
mod secrets;

use tagboat::config::Variables;

/// The variables that fixtures and samples speak of.
fn variables() -> Variables {
    with(&[])
}

/// The same and some more.
fn with(more: &[(&str, &str)]) -> Variables {
    let common = [
        ("GIT_TOKEN", "planted-git-token"),
        ("REGISTRY_TOKEN", "planted-registry-token"),
        ("CI_WEBHOOK_SECRET", "planted-webhook-secret"),
        ("EMPTY", ""),
    ];
    common.iter().chain(more).copied().collect()
}
