//! Golden directories: `tests/fixtures/manifest/<case>/{in,out}/…` with the wanted edits in `edits.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use std::sync::Arc;
use tagboat::image::{Digest, Repository, RepositoryPattern, Tag};
use tagboat::manifest::{Edit, Format, Formats, Named, Search, Site, Source, Sources, Watch, apply};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Edits {
    image: Vec<Image>,
    #[serde(default)]
    file: Vec<File>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// How the names of the files end.
    ending: String,
    regex: Vec<String>,
    repository: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    repository: String,
    /// The marker that sites carry, which others do not.
    marker: Option<String>,
    tag: String,
    digest: Option<String>,
    /// Whether the digest is written where there is none yet.
    #[serde(default)]
    pin: bool,
    /// Whether the tag is written where its place stands empty.
    #[serde(default)]
    fill: bool,
}

/// What is wanted for a repository, or for sites with a marker.
struct Goal {
    tag: Tag,
    digest: Option<Digest>,
    pin: bool,
    fill: bool,
}

type Wanted = BTreeMap<(Repository, Option<String>), Goal>;

#[test]
fn every_case_comes_out_byte_for_byte() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifest");
    let (mut count, mut failed) = (0, Vec::new());
    for case in fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        // One that fails does not hide the others.
        if std::panic::catch_unwind(|| check(&case)).is_err() {
            failed.push(case);
        }
        count += 1;
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(count >= 20, "only {count} cases found");
}

fn check(case: &Path) {
    let edits: Edits = toml::from_str(&fs::read_to_string(case.join("edits.toml")).unwrap()).unwrap();
    let patterns: Vec<_> = edits.image.iter().map(|image| RepositoryPattern::parse(&image.repository).unwrap()).collect();
    let wanted: Wanted = edits
        .image
        .iter()
        .map(|image| {
            let digest = image.digest.as_ref().map(|digest| Digest::parse(digest).unwrap());
            let goal = Goal { tag: Tag::parse(&image.tag).unwrap(), digest, pin: image.pin, fill: image.fill };
            ((Repository::parse(&image.repository).unwrap(), image.marker.clone()), goal)
        })
        .collect();
    let marked = |image: &Image| {
        let named = Named { repository: Repository::parse(&image.repository).unwrap(), written: image.repository.clone() };
        image.marker.as_ref().map(|marker| (Arc::from(marker.as_str()), named))
    };
    let markers: BTreeMap<_, _> = edits.image.iter().filter_map(marked).collect();
    let searches = edits.file.into_iter().map(|file| {
        let ending = file.ending;
        Search::new(&file.regex, file.repository.as_deref(), move |path| path.ends_with(&ending)).unwrap()
    });
    let formats = Formats::new(searches);
    let (before, after) = (files(&case.join("in")), files(&case.join("out")));
    assert!(before.keys().eq(after.keys()), "{}: in and out hold other files", case.display());
    let declared = |(name, text): (&String, &Vec<u8>)| formats.of(name).map(|format| formats.sources(text, format)).unwrap_or_default();
    let sources: Vec<Source> = before.iter().flat_map(declared).collect();
    let sources: Arc<Sources> = Arc::new(sources.iter().collect());
    for (name, text) in &before {
        let shown = format!("{}/{name}", case.display());
        let mut watch = Watch::new(&patterns).with_markers(markers.clone());
        watch.know(Arc::clone(&sources));
        let format = formats.of(name).unwrap_or_else(|| panic!("{shown} is not read"));
        let how = (&formats, format);
        let new = edit(text, how, &watch, &wanted, &shown);
        let expected = &after[name];
        assert_eq!(String::from_utf8_lossy(&new), String::from_utf8_lossy(expected), "{shown}");
        assert_eq!(&new, expected, "{shown}");
        assert_eq!(&edit(&new, how, &watch, &wanted, &shown), expected, "{shown}: the second time there is nothing to do");
    }
}

/// Moves all sites that can be edited and have a tag, or get one, or have a marker that wants one.
fn edit(text: &[u8], (formats, format): (&Formats, Format), watch: &Watch, wanted: &Wanted, shown: &str) -> Vec<u8> {
    let sites = formats.scan(text, format, watch).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let edits: Vec<Edit<'_>> = sites
        .iter()
        .filter(|site| site.locked.is_none())
        .filter_map(|site| {
            let Goal { tag, digest, pin, fill } = wanted.get(&(site.repository.clone(), marker(site)))?;
            let has_place = site.digest.is_some() || *pin && site.no_digest.is_none();
            let has_place = has_place || site.marker.as_ref().is_some_and(|marker| marker.digest);
            let wants = site.tag.is_some() || site.marker.is_some() || site.blank && *fill;
            wants.then(|| Edit { site, tag: tag.clone(), digest: digest.clone().filter(|_| has_place) })
        })
        .collect();
    apply(text, &edits).unwrap_or_else(|error| panic!("{shown}: {error}"))
}

fn marker(site: &Site) -> Option<String> {
    site.marker.as_ref().map(|marker| marker.policy.to_string())
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}
