//! The policy file. (contract)

use std::path::Path;

use crate::{engine, http, registry, telemetry};

/// All that the policy file says, checked and in the modules' own types.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What is watched and where it is written.
    pub engine: engine::Config,
    /// How registries are reached.
    pub registry: registry::Config,
    /// Where health and metrics are served.
    pub http: http::Config,
    /// How logs are written.
    pub telemetry: telemetry::Config,
}

/// All mistakes of a policy file; displays as text for a terminal.
#[derive(Debug)]
pub struct Report {}

/// Reads the policy file (or every `*.toml` of a directory, in name order), with defaults below and the environment above.
///
/// # Errors
/// All mistakes at once.
pub fn load(path: &Path, variables: &dyn Fn(&str) -> Option<String>) -> Result<Settings, Report> {
    let _ = (path, variables);
    Err(Report {})
}
