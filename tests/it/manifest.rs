//! Tests of the manifest module as its users see it.

mod differential;
mod edits;
mod generator;
mod golden;
mod hostile;
mod markers;
mod missed;
mod nested;
mod odd_files;
mod properties;
mod shapes;
mod slots;
mod sources;
mod text;

use tagboat::image::{Digest, RepositoryPattern, Tag};
use tagboat::manifest::{Edit, Format, Site, Watch, apply, scan};

/// Watches these repositories.
fn watch(patterns: &[&str]) -> Watch {
    Watch::new(&patterns.iter().map(|pattern| RepositoryPattern::parse(pattern).unwrap()).collect::<Vec<_>>())
}

/// Finds the sites of a repository of this name at ghcr.io/acme.
fn api_sites(text: &str) -> Vec<Site> {
    scan(text.as_bytes(), Format::Yaml, &watch(&["ghcr.io/acme/api"])).unwrap()
}

/// Describes a site in one line: `line:column shape path repository tag@digest [locked]`.
fn describe(site: &Site) -> String {
    let tag = site.tag.as_ref().map_or("-", Tag::as_str);
    let digest = site.digest.as_ref().map_or(String::new(), |digest| format!("@{}", &digest.as_str()[..14]));
    let locked = site.locked.as_ref().map_or(String::new(), |locked| format!(" {locked:?}"));
    format!("{}:{} {} {} {} {tag}{digest}{locked}", site.line, site.column, site.shape, site.path, site.repository)
}

/// Moves every site that can be edited to a tag, and to a digest where it has one.
fn bump(text: &str, watch: &Watch, tag: &str) -> String {
    let sites = scan(text.as_bytes(), Format::Yaml, watch).unwrap();
    let edits: Vec<Edit<'_>> = sites
        .iter()
        .filter(|site| site.locked.is_none() && site.tag.is_some())
        .map(|site| Edit { site, tag: Tag::parse(tag).unwrap(), digest: site.digest.as_ref().map(|_| digest('b')) })
        .collect();
    String::from_utf8(apply(text.as_bytes(), &edits).unwrap()).unwrap()
}

/// Makes a digest of one hexadecimal digit repeated.
fn digest(digit: char) -> Digest {
    Digest::parse(&format!("sha256:{}", digit.to_string().repeat(64))).unwrap()
}
