//! Where a repository stands in an environment, and what is held there.

use std::path::Path;

use super::holds::Holds;
use super::tree::Cache;
use super::{EnvironmentConfig, ImageRule, Rules};
use crate::environment::{self, Environment};
use crate::image::RepositoryPattern;
use crate::manifest::Site;
use crate::policy::Hold;

/// A reference that a rule covers.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// The file.
    pub file: String,
    /// Where and how the reference stands in it.
    pub site: Site,
    /// The rule that it follows.
    pub rule: &'a ImageRule,
    /// What is held for it, with the commit that took it out.
    pub hold: Option<Hold>,
}

/// Finds the references to some repositories at an environment's branch tip, through a bare clone at `dir`. Blocks.
///
/// # Errors
/// If the environment repository cannot be fetched.
pub fn places<'a>(
    config: &'a EnvironmentConfig,
    dir: &Path,
    rules: &'a Rules,
    wanted: &RepositoryPattern,
) -> Result<Vec<Place<'a>>, environment::Error> {
    let snapshot = Environment::open(config.git.clone(), dir)?.fetch()?;
    let mut cache = Cache::new(rules.watch(config));
    let tree = cache.sites(&snapshot, config, rules)?;
    let holds = Holds::read(snapshot.history()?);
    let mut reverts = holds.reverts(&snapshot, &config.formats, cache.watch());
    let mut places = Vec::new();
    for file in tree.files() {
        for site in file.sites.iter().filter(|site| wanted.matches(&site.repository)) {
            let Some((_, rule)) = rules.find(config, &file.path, site) else { continue };
            let mut hold = holds.of(&file.path, site, &file.sites);
            if let Some(hold) = &mut hold {
                hold.reverted = reverts.of(&file.path, site, &file.sites)?;
            }
            places.push(Place { environment: &config.name, file: file.path.to_string(), site: site.clone(), rule, hold });
        }
    }
    Ok(places)
}
