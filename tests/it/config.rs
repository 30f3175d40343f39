//! Tests of the config module as its users see it.

mod fixtures;

use tagboat::config::Variables;

/// The variables that fixtures and samples speak of.
fn variables() -> Variables {
    [
        ("GIT_TOKEN", "planted-git-token"),
        ("REGISTRY_TOKEN", "planted-registry-token"),
        ("GHCR_PASSWORD", "planted-ghcr-password"),
        ("EMPTY", ""),
    ]
    .into_iter()
    .collect()
}
