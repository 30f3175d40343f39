//! The reconciliation of registries with environment repositories. (contract)

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::{self, Paths};
use crate::image::RepositoryPattern;
use crate::policy::Policy;

/// What is watched, and where it is written.
#[derive(Clone, Debug)]
pub struct Config {
    /// How often a repository is listed.
    pub interval: Duration,
    /// Where bare clones and the state file are kept.
    pub state_dir: PathBuf,
    /// The environment repositories.
    pub environments: Vec<EnvironmentConfig>,
    /// The rules, in the policy file's order.
    pub images: Vec<ImageRule>,
}

/// An environment repository under the name that the policy file gives it.
#[derive(Clone, Debug)]
pub struct EnvironmentConfig {
    /// The name.
    pub name: String,
    /// Which files are looked at.
    pub paths: Paths,
    /// Where the repository is.
    pub git: environment::Config,
}

/// Which repositories follow which policy, and where.
#[derive(Clone, Debug)]
pub struct ImageRule {
    /// The repositories.
    pub repository: RepositoryPattern,
    /// How a tag is chosen.
    pub policy: Policy,
    /// The environments it is about, by name; empty means all.
    pub environments: Vec<String>,
    /// Which files it is about; none means the environment's.
    pub paths: Option<Paths>,
    /// How often these repositories are listed, where it differs from [`Config::interval`].
    pub interval: Option<Duration>,
}
