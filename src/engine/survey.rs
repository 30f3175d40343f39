//! Every image reference of a directory or an environment, whether a rule covers it or not.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::tree::{Cache, LARGEST_FILE, Skip, SkipReason};
use super::{EnvironmentConfig, Rules};
use crate::environment::{self, Environment};
use crate::image::Repository;
use crate::manifest::{Format, Formats, Site, Unreadable, Watch};

/// References found, and files that could not be read.
#[derive(Debug, Default)]
pub struct Survey {
    /// The references, by file in path order.
    pub found: Vec<Found>,
    /// The files that may hold references but could not be read.
    pub skips: Vec<Skip>,
}

/// A reference that was found.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub file: String,
    /// Where and how the reference stands in it.
    pub site: Site,
    /// Whether a rule of the policy file covers it.
    pub covered: bool,
}

impl Survey {
    /// Takes in a file; `text` is none if it is too large to be read.
    fn file(
        &mut self,
        path: &str,
        text: Option<&[u8]>,
        (formats, format): (&Formats, Format),
        watch: &Watch,
        covered: &dyn Fn(&Site) -> bool,
    ) {
        match text.map_or(Err(SkipReason::TooLarge), |text| Ok(sites(text, (formats, format), watch)?)) {
            Err(reason) => self.skips.push(Skip { file: path.to_owned(), reason }),
            Ok(sites) => {
                let found = |site| Found { file: path.to_owned(), covered: covered(&site), site };
                self.found.extend(sites.into_iter().map(found));
            }
        }
    }
}

/// Finds every sure reference of a text, and those that are sure only because their repository is watched.
fn sites(text: &[u8], (formats, format): (&Formats, Format), watch: &Watch) -> Result<Vec<Site>, Unreadable> {
    let mut sites = formats.scan(text, format, watch)?;
    // What is watched is known better: by its repository and its marker.
    let watched: HashSet<String> = sites.iter().map(|site| site.key.clone()).collect();
    sites.extend(formats.scan(text, format, &Watch::everything())?.into_iter().filter(|site| !watched.contains(&site.key)));
    sites.sort_by_key(|site| (site.line, site.column));
    Ok(sites)
}

/// Surveys a directory on disk; hidden folders such as `.git` and links are left out.
///
/// # Errors
/// If a folder or a file cannot be read.
pub fn directory(root: &Path, rules: Option<&Rules>, formats: &Formats) -> std::io::Result<Survey> {
    let mut survey = Survey::default();
    let watch = rules.map_or_else(|| Watch::new(&[]), Rules::watch_anywhere);
    let mut files = Vec::new();
    collect(root, root, formats, &mut files)?;
    files.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (path, format) in files {
        let file = root.join(&path);
        let text = if std::fs::metadata(&file)?.len() > LARGEST_FILE as u64 { None } else { Some(std::fs::read(&file)?) };
        let covered = |site: &Site| rules.is_some_and(|rules| rules.cover(site));
        survey.file(&path, text.as_deref(), (formats, format), &watch, &covered);
    }
    Ok(survey)
}

fn collect(root: &Path, folder: &Path, formats: &Formats, files: &mut Vec<(String, Format)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            collect(root, &path, formats, files)?;
        } else if kind.is_file()
            && let Some(relative) = path.strip_prefix(root).ok().and_then(Path::to_str)
            && let Some(format) = formats.of(relative)
        {
            files.push((relative.to_owned(), format));
        }
    }
    Ok(())
}

/// Fetches an environment's branch tip into a bare clone at `dir`; returns its commit and the repositories there that a
/// rule covers. Blocks.
///
/// # Errors
/// If the environment repository cannot be fetched.
pub fn covered(config: &EnvironmentConfig, dir: &Path, rules: &Rules) -> Result<(String, BTreeSet<Repository>), environment::Error> {
    let snapshot = Environment::open(config.git.clone(), dir)?.fetch()?;
    let tree = Cache::new(rules.watch(config)).sites(&snapshot, config, rules)?;
    Ok((snapshot.commit().to_owned(), tree.repositories.keys().cloned().collect()))
}

/// Surveys an environment's branch tip, through a bare clone at `dir`. Blocks.
///
/// # Errors
/// If the environment repository cannot be fetched.
pub fn environment(config: &EnvironmentConfig, dir: &Path, rules: &Rules) -> Result<Survey, environment::Error> {
    let (mut survey, watch) = (Survey::default(), rules.watch(config));
    let snapshot = Environment::open(config.git.clone(), dir)?.fetch()?;
    for file in snapshot.files(&|path| rules.look_at(config, path))? {
        let Some(format) = config.formats.of(&file.path) else { continue };
        let text = snapshot.read(file.blob, LARGEST_FILE)?;
        let covered = |site: &Site| rules.find(config, &file.path, site).is_some();
        survey.file(&file.path, text.as_deref(), (&config.formats, format), &watch, &covered);
    }
    Ok(survey)
}
