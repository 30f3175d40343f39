//! Golden directories: `tests/fixtures/manifest/<case>/{in,out}/…` with the wanted edits in `edits.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tagboat::image::{Digest, Repository, RepositoryPattern, Tag};
use std::sync::Arc;

use tagboat::manifest::{Edit, Format, Named, Site, Watch, apply, scan};

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Edits {
    image: Vec<Image>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Image {
    repository: String,
    /// The marker that sites carry, which others do not.
    marker: Option<String>,
    tag: String,
    digest: Option<String>,
}

/// What is wanted for a repository, or for sites with a marker.
type Wanted = BTreeMap<(Repository, Option<String>), (Tag, Option<Digest>)>;

#[test]
fn every_case_comes_out_byte_for_byte() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifest");
    let mut count = 0;
    for case in fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        check(&case);
        count += 1;
    }
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
            let follows = (Repository::parse(&image.repository).unwrap(), image.marker.clone());
            (follows, (Tag::parse(&image.tag).unwrap(), digest))
        })
        .collect();
    let marked = |image: &Image| {
        let named = Named { repository: Repository::parse(&image.repository).unwrap(), written: image.repository.clone() };
        image.marker.as_ref().map(|marker| (Arc::from(marker.as_str()), named))
    };
    let markers: BTreeMap<_, _> = edits.image.iter().filter_map(marked).collect();
    let (before, after) = (files(&case.join("in")), files(&case.join("out")));
    assert!(before.keys().eq(after.keys()), "{}: in and out hold other files", case.display());
    for (name, text) in &before {
        let shown = format!("{}/{name}", case.display());
        let watch = Watch::new(&patterns).with_markers(markers.clone());
        let new = edit(text, &watch, &wanted, &shown);
        let expected = &after[name];
        assert_eq!(String::from_utf8_lossy(&new), String::from_utf8_lossy(expected), "{shown}");
        assert_eq!(&new, expected, "{shown}");
        assert_eq!(&edit(&new, &watch, &wanted, &shown), expected, "{shown}: the second time there is nothing to do");
    }
}

/// Moves all sites that can be edited and have a tag, or a marker that wants one.
fn edit(text: &[u8], watch: &Watch, wanted: &Wanted, shown: &str) -> Vec<u8> {
    let sites = scan(text, Format::Yaml, watch).unwrap_or_else(|error| panic!("{shown}: {error}"));
    let edits: Vec<Edit<'_>> = sites
        .iter()
        .filter(|site| site.locked.is_none() && (site.tag.is_some() || site.marker.is_some()))
        .filter_map(|site| {
            let (tag, digest) = wanted.get(&(site.repository.clone(), marker(site)))?;
            let has_digest = site.digest.is_some() || site.marker.as_ref().is_some_and(|marker| marker.whole);
            Some(Edit { site, tag: tag.clone(), digest: digest.clone().filter(|_| has_digest) })
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
