//! Near misses: what looks like a reference and was not taken, with the reason. Looked for only where people ask, never in a pass.

use std::collections::HashSet;
use std::fmt;

use super::find::{self, Comment, Cursor, Miss};
use super::site::Site;
use super::text::{self, MissReason};
use super::tree::Tree;
use super::watch::{MARKER, Watch};

/// How many are listed of a file; a file of more is no manifest that people wrote.
pub(super) const MOST: usize = 10_000;
/// How much of one is shown, in characters.
const MAX_SHOWN: usize = 120;

/// Something that looks like a reference and was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missed {
    /// Where it stands in the document tree, as [`Site::path`] has it.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What stands there, cut to a length and without control characters.
    pub shown: String,
    /// Why it was not taken.
    pub why: Why,
}

/// Why something that looks like a reference was not taken. Reads on from "it was not taken: …".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Why {
    /// A template or a variable is part of it: `{{ .Values.image }}`, `${IMAGE}`.
    Template,
    /// It stands where an image is named, and is no reference: what is wrong with it.
    Malformed(&'static str),
    /// It is a URL.
    Url,
    /// It could be a reference or something else, and no rule names its repository.
    Unsure,
    /// It stands among other words.
    AmongWords,
    /// It stands in JSON within a string.
    Json,
    /// It stands in a block of text that is no YAML, such as a script.
    Block,
    /// A tag or digest without a repository beside it.
    NoRepository,
    /// A repository without a tag or digest beside it.
    NoTag,
    /// A chart's version that is a range.
    Range,
    /// A chart that comes from a repository over HTTP, not from a registry.
    HttpChart,
    /// A chart whose repository is an object in no file that is looked at.
    SourceElsewhere,
    /// A chart that may come from several repositories, or from one whose URL is a template.
    SourceUnclear,
    /// What Flux is to list, not what is to run.
    Listed,
    /// An alias whose anchor was not taken.
    Alias,
    /// It is the key of a mapping, not a value.
    Key,
    /// A Flux marker that no rule is bound to, with nothing beside it that was taken.
    Marker,
    /// It was found otherwise than as a value of YAML: by a regular expression of the user's, in a Dockerfile or in Terraform.
    Searched(MissReason),
}

impl Why {
    /// Returns the word for machines.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Template => "template",
            Self::Malformed(_) => "malformed",
            Self::Url => "url",
            Self::Unsure => "unsure",
            Self::AmongWords => "among-words",
            Self::Json => "json",
            Self::Block => "block",
            Self::NoRepository => "no-repository",
            Self::NoTag => "no-tag",
            Self::Range => "range",
            Self::HttpChart => "http-chart",
            Self::SourceElsewhere => "source-elsewhere",
            Self::SourceUnclear => "source-unclear",
            Self::Listed => "listed",
            Self::Alias => "alias",
            Self::Key => "key",
            Self::Marker => "marker",
            Self::Searched(MissReason::Variable) => "template",
            Self::Searched(_) => "malformed",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Template => "a template or variable stands in it, known only once it is rendered",
            Self::Malformed(reason) => return write!(f, "it is no reference: {reason}"),
            Self::Url => "it is a URL, not a reference",
            Self::Unsure => "it could be something else; it counts once a rule names its repository",
            Self::AmongWords => "it stands among other words",
            Self::Json => "it stands in JSON within a string, which is left alone",
            Self::Block => "it stands in a block of text that is no YAML, such as a script",
            Self::NoRepository => "no repository stands beside this tag",
            Self::NoTag => "neither a tag nor a digest stands beside this repository",
            Self::Range => "its version is a range, which moves by itself",
            Self::HttpChart => "the chart comes from a repository over HTTP, not from a registry",
            Self::SourceElsewhere => "the chart's HelmRepository is in no file that is looked at",
            Self::SourceUnclear => "the HelmRepository objects that the chart may mean have different URLs, or one that is a template",
            Self::Listed => "it tells Flux what to list, not what to run",
            Self::Alias => "it is an alias, and its anchor was not taken",
            Self::Key => "it is a key, not a value, and keys are left alone",
            Self::Marker => "no rule is bound to this Flux marker, nor is a sure reference beside it",
            Self::Searched(reason) => return reason.fmt(f),
        })
    }
}

/// Finds what looks like a reference and is not among a text's sites, in the tree of the text, if it has one; `searched` is what was
/// found without.
pub(super) fn missed(text: &str, tree: Option<&Tree<'_>>, searched: Vec<text::Miss>, watch: &Watch, sites: &[Site]) -> Vec<Missed> {
    let taken: HashSet<&str> = sites.iter().map(|site| &*site.path).collect();
    let searched =
        searched.into_iter().map(|miss| Miss { at: miss.at, path: String::new(), shown: miss.written, why: Why::Searched(miss.reason) });
    let mut misses: Vec<Miss> = searched.take(MOST).collect();
    if let Some(tree) = tree {
        misses.extend(find::misses(tree, watch, &taken));
    }
    markers(text, sites, &mut misses);
    misses.sort_by_key(|miss| miss.at);
    misses.dedup_by_key(|miss| miss.at);
    let taken: HashSet<(usize, usize)> = sites.iter().map(|site| (site.line, site.column)).collect();
    let mut cursor = Cursor::new(text);
    let place = |Miss { at, path, shown, why }| {
        let (line, column) = cursor.advance(at);
        Missed { path, line, column, shown: clean(&shown), why }
    };
    misses.into_iter().map(place).filter(|missed| !taken.contains(&(missed.line, missed.column))).take(MOST).collect()
}

/// Looks for Flux markers with no site on their line, or on the next one where they stand on a line of their own, nor at another
/// marker of their policy in the same mapping: name, tag and digest are one site.
fn markers(text: &str, sites: &[Site], misses: &mut Vec<Miss>) {
    if !text.contains(MARKER) {
        return;
    }
    let lines: HashSet<usize> = sites.iter().map(|site| site.line).collect();
    let mut mappings = Mappings::default();
    // What markers there are in which mapping, and of which policies some stand at a site.
    let (mut open, mut taken) = (Vec::new(), HashSet::new());
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        let marker = line.find(MARKER).and_then(|marker| line[..marker].rfind('#'));
        let value = line[..marker.unwrap_or(line.len())].trim_end();
        let mapping = mappings.of(value);
        let Some(comment) = marker else { continue };
        let policy = Comment::read(&line[comment..]).said.first().map(|said| said.policy);
        let is_alone = value.trim_start().is_empty();
        if lines.contains(&(index + 1)) || is_alone && lines.contains(&(index + 2)) {
            taken.extend(mapping.zip(policy));
        } else {
            open.push((start..at, comment, mapping.zip(policy)));
        }
    }
    for (line, comment, place) in open {
        if place.is_some_and(|place| taken.contains(&place)) {
            continue;
        }
        // A marker says more than what else was told of the line.
        misses.retain(|miss| !line.contains(&miss.at));
        if misses.len() < MOST {
            let shown = text[line.start + comment..line.end].trim().to_owned();
            misses.push(Miss { at: line.start + comment, path: String::new(), shown, why: Why::Marker });
        }
    }
}

/// Tells the lines of one block mapping from those of others, by where their keys stand.
#[derive(Default)]
struct Mappings {
    /// The columns of the mappings around a line, with the number of each.
    around: Vec<(usize, usize)>,
    count: usize,
}

impl Mappings {
    /// Returns the number of the mapping that a line is in; none if nothing stands on it.
    fn of(&mut self, line: &str) -> Option<usize> {
        let rest = line.trim_start();
        if rest.is_empty() || rest.starts_with('#') {
            return None;
        }
        let indent = line.len() - rest.len();
        let key = rest.trim_start_matches(['-', ' ', '\t']);
        let column = line.len() - key.len();
        // A dash starts another one.
        let end = if column > indent { indent } else { column };
        while self.around.pop_if(|(other, _)| *other > end).is_some() {}
        match self.around.last() {
            Some(&(other, number)) if other == column => Some(number),
            _ => {
                self.count += 1;
                self.around.push((column, self.count));
                Some(self.count)
            }
        }
    }
}

/// Makes a text fit for a line of output.
fn clean(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
