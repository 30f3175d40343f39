//! What must hold of every text that a repository may hold, as functions over bytes.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::tree::both_agree;
use super::{Edit, EditError, Format, Formats, Shape, Site, Watch, apply as edit, scan as find};
use crate::error::Classified;
use crate::fuzz::harmless;
use crate::image::{Digest, RepositoryPattern, Tag};

/// How many sites of a text are edited.
const MAX_EDITED: usize = 8;
const DIGEST: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// The quick reader reads what it can as the full one does.
pub fn yaml(data: &[u8]) {
    if let Ok(text) = super::tree::decode(data) {
        both_agree(text);
    }
}

/// A text is read the same way each time, or refused with words that can be shown.
pub fn scan(data: &[u8]) {
    let (watches, formats) = ([watch(), Watch::everything()], Formats::default());
    for (format, watch) in ways().into_iter().flat_map(|format| watches.iter().map(move |watch| (format, watch))) {
        match find(data, format, watch) {
            Err(error) => {
                harmless(&error.to_string());
                assert_eq!(find(data, format, watch).err(), Some(error));
            }
            Ok(sites) => {
                let again = find(data, format, watch).unwrap_or_default();
                assert!(sites.iter().map(told).eq(again.iter().map(told)), "two readings differ");
                check_sites(data, &sites, watch);
                let declared = formats.read(data, format, watch).unwrap_or_default().sources;
                assert_eq!(declared, formats.sources(data, format), "two readings declare other sources");
            }
        }
    }
}

/// Each way that is built in to read a file.
fn ways() -> Vec<Format> {
    ["a.yaml", "a.yaml.tmpl", "Dockerfile", "a.tf"].into_iter().filter_map(|path| Formats::default().of(path)).collect()
}

/// How a tag or a digest may be spelt: as it is, as a chart's version, without the algorithm.
const FORMS: [fn(&str) -> String; 3] = [str::to_owned, |tag| tag.replace('_', "+"), |digest| digest.replace("sha256:", "")];

fn told(site: &Site) -> (&str, &str, usize, usize, &str) {
    (&site.path, &site.key, site.line, site.column, &site.written)
}

fn check_sites(data: &[u8], sites: &[Site], watch: &Watch) {
    let lines = 1 + data.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
    let mut keys = BTreeSet::new();
    let mut place = (0, 0);
    for site in sites {
        assert!(keys.insert(&site.key), "{} stands for two sites", site.key);
        assert!(!site.key.contains(char::is_whitespace), "{:?}", site.key);
        assert!(watch.covers(&site.repository), "{} is not watched", site.repository);
        assert!(site.line <= lines && site.column >= 1, "{}:{}", site.line, site.column);
        assert!(place <= (site.line, site.column), "{} is out of its place", site.path);
        place = (site.line, site.column);
        // Where variables stand for parts, these are not in what is written.
        let holds = |part: &str| site.written.contains('$') || FORMS.iter().any(|form| site.written.contains(&form(part)));
        assert!(site.tag.as_ref().is_none_or(|tag| holds(tag.as_str())), "{}", site.written);
        assert!(site.digest.as_ref().is_none_or(|digest| holds(digest.as_str())), "{}", site.written);
    }
}

/// Sites are edited or refused. An edit writes the new values over the old ones and nothing else, one by one as in one go; the
/// new text is read with the new values, and a second time there is nothing to do.
///
/// # Panics
/// If that does not hold.
pub fn apply(data: &[u8]) {
    for format in ways() {
        apply_as(data, format);
    }
}

fn apply_as(data: &[u8], format: Format) {
    let watch = watch();
    let Ok(sites) = find(data, format, &watch) else { return };
    // One that needs quotes where it stands alone, or one that does not.
    let usual = if data.len().is_multiple_of(2) { "1.10" } else { "v2.0_x-1" };
    // A chart's version is one only if it is exact.
    let tags = |site: &Site| Tag::parse(if site.shape == Shape::Chart { "2.0.0-x" } else { usual }).ok();
    let is_chosen = |site: &Site| site.locked.is_none() && !site.blank;
    let chosen: Vec<usize> = (0..sites.len()).filter(|&index| is_chosen(&sites[index])).take(MAX_EDITED).collect();
    let mut one_by_one = data.to_vec();
    let mut moved = Vec::new();
    for &index in &chosen {
        let now = find(&one_by_one, format, &watch).unwrap_or_default();
        assert_eq!(now.len(), sites.len(), "an edit made or took a site");
        let site = &now[index];
        let Some(tag) = tags(site) else { return };
        match edit(&one_by_one, &[wanted(site, &tag)]) {
            Err(error) => refused(site, &error),
            Ok(new) => {
                let parts = [(site.tag.as_ref().map(Tag::as_str), tag.as_str()), (site.digest.as_ref().map(Digest::as_str), DIGEST)];
                let meant: Vec<_> = parts.into_iter().filter_map(|(old, new)| Some((old?, new))).filter(|(old, new)| old != new).collect();
                assert!(only_replaced(&one_by_one, &new, &meant), "{}: more changed than was meant", site.path);
                moved.push(index);
                one_by_one = new;
            }
        }
    }
    let after = find(&one_by_one, format, &watch).unwrap_or_default();
    assert_eq!(after.len(), sites.len(), "an edit made or took a site");
    for &index in &moved {
        assert!(tags(&after[index]).is_some_and(|tag| has(&after[index], &tag)), "{} has not the new value", after[index].path);
    }
    let in_one_go: Vec<_> = moved.iter().filter_map(|&index| Some(wanted(&sites[index], &tags(&sites[index])?))).collect();
    assert!(edit(data, &in_one_go).as_ref() == Ok(&one_by_one), "one by one, the sites become something else than in one go");
    let again: Vec<_> = moved.iter().filter_map(|&index| Some(wanted(&after[index], &tags(&after[index])?))).collect();
    assert!(edit(&one_by_one, &again).as_ref() == Ok(&one_by_one), "a second time there is something to do");
}

fn has(site: &Site, tag: &Tag) -> bool {
    site.tag.as_ref().is_none_or(|now| now == tag) && site.digest.as_ref().is_none_or(|now| now.as_str() == DIGEST)
}

fn wanted<'s>(site: &'s Site, tag: &Tag) -> Edit<'s> {
    let digest = site.digest.as_ref().and_then(|_| Digest::parse(DIGEST).ok());
    Edit { site, tag: tag.clone(), digest }
}

/// An edit that fits its text fails only for what the text is.
fn refused(site: &Site, error: &EditError) {
    harmless(&error.to_string().replace(&*site.path, ""));
    let is_bare = site.tag.is_none() && site.digest.is_none();
    match error {
        EditError::Untagged { .. } => assert!(is_bare, "{}", site.path),
        EditError::Locked { .. } | EditError::Unproved { .. } => assert!(error.hint().is_some()),
        _ => panic!("{}: {error}", site.path),
    }
}

/// Says whether one text is another with these values replaced, each in one place, with quotes around it or none.
fn only_replaced(old: &[u8], new: &[u8], meant: &[(&str, &str)]) -> bool {
    if meant.is_empty() {
        return old == new;
    }
    let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    meant.iter().enumerate().any(|(index, (from, to))| {
        let others: Vec<_> = meant.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, pair)| *pair).collect();
        FORMS.iter().flat_map(|form| ["", "'", "\""].map(|quote| (form, quote))).any(|(form, quote)| {
            let (from, to) = (form(from), format!("{quote}{}{quote}", form(to)));
            (same.saturating_sub(from.len().max(to.len()))..=same).any(|at| {
                let rest = |text: &[u8], part: &str| text.get(at..).and_then(|text| text.strip_prefix(part.as_bytes())).map(<[u8]>::to_vec);
                matches!((rest(old, &from), rest(new, &to)), (Some(old), Some(new)) if only_replaced(&old, &new, &others))
            })
        })
    })
}

fn watch() -> Watch {
    let names = ["ghcr.io/acme/**", "nginx"];
    let mut watch = Watch::new(&names.iter().filter_map(|name| RepositoryPattern::parse(name).ok()).collect::<Vec<_>>());
    let elsewhere = b"kind: HelmRepository\nmetadata: {name: acme, namespace: flux-system}\nspec: {url: 'oci://ghcr.io/acme/charts'}";
    watch.know(Arc::new(Formats::default().sources(elsewhere, Format::Yaml).iter().collect()));
    watch
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(below: &Path, found: &mut Vec<PathBuf>) {
        for path in std::fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn what_must_hold_does_for_every_golden_file() {
        let mut found = Vec::new();
        files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/manifest"), &mut found);
        assert!(found.len() >= 60, "only {} files found", found.len());
        for path in found {
            let data = std::fs::read(&path).unwrap();
            let holds = std::panic::catch_unwind(|| {
                scan(&data);
                apply(&data);
            });
            assert!(holds.is_ok(), "{}", path.display());
        }
    }

    #[test]
    fn a_change_elsewhere_is_seen() {
        let holds = |old: &str, new: &str, meant: &[(&str, &str)]| only_replaced(old.as_bytes(), new.as_bytes(), meant);
        assert!(holds("a: v1 # v1", "a: v2 # v1", &[("v1", "v2")]));
        assert!(holds("a: v1", "a: '1.10'", &[("v1", "1.10")]));
        assert!(holds("d: x\nt: v1", "d: yy\nt: v22", &[("v1", "v22"), ("x", "yy")]));
        assert!(!holds("a: v1 # v1", "a: v2 # v2", &[("v1", "v2")]));
        assert!(!holds("a: v1 ", "a: v2", &[("v1", "v2")]));
        assert!(!holds("a: v1", "a: v1", &[("v1", "v2")]));
        assert!(!holds("a: v1", "a: v2", &[]));
    }
}
