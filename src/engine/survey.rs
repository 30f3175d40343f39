//! Every image reference of a directory or an environment, whether a rule covers it or not; and what looks like one and was
//! not taken, and what was left alone, each with its reason.

mod folder;

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::tree::{Cache, LARGEST_FILE, Skip, SkipReason, View, is_lfs_pointer};
use super::{EnvironmentConfig, ImageRule, Rules};
use crate::environment::{self, Entry, Environment};
use crate::image::Repository;
use crate::manifest::{Format, Formats, Locked, Missed, Scan, Site, Source, Unreadable, Watch};

/// What a directory or an environment holds.
#[derive(Debug, Default)]
pub struct Survey {
    /// The references, by file in path order.
    pub found: Vec<Found>,
    /// What looks like a reference and was not taken, by file in path order.
    pub missed: Vec<NearMiss>,
    /// The files that may hold references but are left alone, in path order.
    pub skips: Vec<Skip>,
}

/// A reference that was found.
#[derive(Debug)]
pub struct Found {
    /// The file.
    pub file: String,
    /// Where and how the reference stands in it.
    pub site: Site,
    /// The rule of the policy file that covers it, if one does.
    pub rule: Option<Covering>,
}

/// What is said of a rule that covers a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covering {
    /// Its repository in canonical form, or its pattern as the policy file writes it.
    pub repository: String,
    /// Its policy.
    pub policy: String,
}

/// Something that looks like a reference and was not taken.
#[derive(Debug)]
pub struct NearMiss {
    /// The file.
    pub file: String,
    /// Where and what it is, and why it was not taken.
    pub missed: Missed,
}

impl From<&ImageRule> for Covering {
    fn from(rule: &ImageRule) -> Self {
        Self { repository: rule.repository.to_string(), policy: rule.policy.to_string() }
    }
}

impl Survey {
    fn skip(&mut self, file: String, reason: SkipReason) {
        self.skips.push(Skip { file, reason });
    }

    /// Takes in a file's text.
    fn text<'r>(
        &mut self,
        file: &str,
        (formats, format): (&Formats, Format),
        text: &[u8],
        wanted: &Wanted,
        rule: &dyn Fn(&Site) -> Option<&'r ImageRule>,
    ) {
        if is_lfs_pointer(text) {
            return self.skip(file.to_owned(), SkipReason::LfsPointer);
        }
        match sites(text, (formats, format), wanted) {
            Err(reason) => self.skip(file.to_owned(), reason.into()),
            Ok((sites, rest)) => {
                if let Some(reason) = rest {
                    self.skip(file.to_owned(), SkipReason::PartlyRead(reason));
                } else if sites.iter().any(|site| site.locked == Some(Locked::Sops)) {
                    self.skip(file.to_owned(), SkipReason::Encrypted);
                }
                let near = |missed| NearMiss { file: file.to_owned(), missed };
                self.missed.extend(formats.missed(text, format, &wanted.watched, &sites).into_iter().map(near));
                let found = |site| Found { file: file.to_owned(), rule: rule(&site).map(Covering::from), site };
                self.found.extend(sites.into_iter().map(found));
            }
        }
    }
}

/// What is looked for.
struct Wanted {
    watched: Watch,
    everything: Watch,
}

impl Wanted {
    /// Looks for what is watched and for everything else; charts may come from these sources.
    fn new(mut watched: Watch, sources: &[Source]) -> Self {
        let (sources, mut everything) = (Arc::new(sources.iter().collect()), Watch::everything());
        watched.know(Arc::clone(&sources));
        everything.know(sources);
        Self { watched, everything }
    }
}

/// Finds every sure reference of a text, and those that are sure only because their repository is watched; and says why the rest of
/// the text is not read, if so.
fn sites(text: &[u8], (formats, format): (&Formats, Format), wanted: &Wanted) -> Result<(Vec<Site>, Option<Unreadable>), Unreadable> {
    let Scan { mut sites, rest, .. } = formats.read(text, format, &wanted.watched)?;
    // What is watched is known better: by its repository and its marker.
    let watched: HashSet<Arc<str>> = sites.iter().map(|site| site.key.clone()).collect();
    let others = match (formats.read(text, format, &wanted.everything), rest) {
        // Without rules no marker means anything.
        (Err(_), Some(reason)) => Scan { rest: Some(reason), ..Scan::default() },
        (others, _) => others?,
    };
    sites.extend(others.sites.into_iter().filter(|site| !watched.contains(&site.key)));
    sites.sort_by_key(|site| (site.line, site.column));
    Ok((sites, others.rest))
}

/// Surveys a directory on disk, or a single file. Links are not followed; what git keeps for itself is left out.
///
/// # Errors
/// If the directory itself cannot be read. A file or folder in it that cannot be is one of the skips.
pub fn directory(root: &Path, rules: Option<&Rules>, formats: &Formats) -> std::io::Result<Survey> {
    let watch = rules.map_or_else(|| Watch::new(&[]), Rules::watch_anywhere);
    let rule = |site: &Site| rules.and_then(|rules| rules.find_anywhere(site));
    let mut survey = Survey::default();
    let (files, skips) = folder::collect(root, formats)?;
    survey.skips = skips;
    let mut sources = Vec::new();
    for (file, path) in &files {
        if let (Some(format), Ok(text)) = (formats.of(file), folder::read(path, LARGEST_FILE)) {
            sources.extend(formats.sources(&text, format));
        }
    }
    let wanted = Wanted::new(watch, &sources);
    for (file, path) in files {
        let Some(format) = formats.of(&file) else { continue };
        match folder::read(&path, LARGEST_FILE) {
            Ok(text) => survey.text(&file, (formats, format), &text, &wanted, &rule),
            Err(reason) => survey.skip(file, reason),
        }
    }
    survey.skips.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(survey)
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
    let mut survey = Survey::default();
    let snapshot = Environment::open(config.git.clone(), dir)?.fetch()?;
    let view = View { environment: config, rules };
    let mut files = Vec::new();
    snapshot.walk(None, &|path, entry| view.wants(path, entry))?.each(&mut String::new(), &mut |path, entry| match entry {
        Entry::File(blob) => files.extend(view.format(path).map(|format| (path.to_owned(), *blob, format))),
        Entry::Link => survey.skip(path.to_owned(), SkipReason::Link),
        Entry::Submodule => survey.skip(path.to_owned(), SkipReason::Submodule),
        Entry::Odd => survey.skip(path.to_owned(), SkipReason::Odd),
        Entry::Folder(_) => {}
    });
    let mut sources = Vec::new();
    for (_, blob, format) in &files {
        sources.extend(snapshot.look(*blob, LARGEST_FILE, |text| config.formats.sources(text, *format))?.unwrap_or_default());
    }
    let wanted = Wanted::new(rules.watch(config), &sources);
    for (file, blob, format) in files {
        let rule = |site: &Site| rules.find(config, &file, site).map(|(_, rule)| rule);
        match snapshot.look(blob, LARGEST_FILE, |text| survey.text(&file, (&config.formats, format), text, &wanted, &rule))? {
            Some(()) => {}
            None => survey.skip(file, SkipReason::TooLarge),
        }
    }
    survey.skips.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(survey)
}
