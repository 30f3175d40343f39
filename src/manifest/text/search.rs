//! References that the user's regular expressions find, in whatever text.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use regex::{Captures, Match, Regex, RegexBuilder};

use super::super::site::{NoDigest, Shape};
use super::super::tree::Unreadable;
use super::finding::{MAX_FINDINGS, key};
use super::{Finding, Found, MissReason, Part};
use crate::image::{Digest, Repository, Tag};

/// How many searches there may be.
pub const MAX_SEARCHES: usize = 64;
/// How large a compiled expression gets, in bytes.
const PATTERN_SIZE: usize = 1 << 20;
/// How much of a text a match is looked for in at a time, in bytes, and on to the end of the line. One that is longer than half of it may
/// not be found; people's are some lines at most.
const WINDOW: usize = 8 << 10;
/// How many bytes are looked through for the matches of one expression in a text: behind each match the search starts anew, and an
/// expression such as `(?s)a.*z|(?<tag>a)` looks through all of its window each time. These are 0.4 s of a core at 330 MiB/s, as an
/// automaton was measured; 8 s at the 16 MiB/s of expressions with Unicode word boundaries in a text that is not ASCII.
///
/// Only long lines come near it: a text of short ones has [`MAX_FINDINGS`] windows at most.
const MAX_WORK: usize = 128 << 20;
/// The groups that mean something.
const GROUPS: [&str; 3] = ["repository", "tag", "digest"];

/// Regular expressions for the files at some paths.
#[derive(Clone)]
pub struct Search {
    paths: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    regexes: Arc<[Regex]>,
    /// The repository where an expression has no group for it, as written and read.
    repository: Option<(String, Repository)>,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("regexes", &self.regexes).field("repository", &self.repository).finish_non_exhaustive()
    }
}

/// A mistake in one of a search's expressions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SearchError {
    /// Which expression.
    pub index: usize,
    /// Where in the expression, in bytes; none if it is about all of it.
    pub span: Option<Range<usize>>,
    /// What is wrong with it.
    pub message: String,
    /// The name of a group that means nothing, if that is wrong; [`Search::groups`] are those that do.
    pub group: Option<String>,
}

impl Search {
    /// The groups that an expression may have; it must have `tag` or `digest`.
    #[must_use]
    pub fn groups() -> [&'static str; 3] {
        GROUPS
    }

    /// Makes a search of expressions (in multi-line mode: `^` and `$` match at lines' ends, CRLF or LF) for the files whose path is
    /// accepted. `repository` is for expressions that have no group of this name.
    ///
    /// # Errors
    /// All mistakes in the expressions at once.
    pub fn new(
        patterns: &[String],
        repository: Option<&str>,
        paths: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Result<Self, Vec<SearchError>> {
        let mut errors = Vec::new();
        let mut regexes = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            match compile(pattern) {
                Ok(regex) => {
                    check(pattern, &regex, repository.is_some(), &mut |span, message, group| {
                        errors.push(SearchError { index, span, message, group });
                    });
                    regexes.push(regex);
                }
                Err((span, message)) => errors.push(SearchError { index, span, message, group: None }),
            }
        }
        let repository = repository.and_then(|text| Some((text.to_owned(), Repository::parse(text).ok()?)));
        if errors.is_empty() { Ok(Self { paths: Arc::new(paths), regexes: regexes.into(), repository }) } else { Err(errors) }
    }

    /// Says whether every expression finds the repository itself.
    #[must_use]
    pub fn finds_repositories(&self) -> bool {
        self.regexes.iter().all(|regex| has_group(regex, "repository"))
    }

    pub(in super::super) fn applies_to(&self, path: &str) -> bool {
        (self.paths)(path)
    }

    pub(super) fn repository(&self) -> Option<&Repository> {
        self.repository.as_ref().map(|(_, repository)| repository)
    }

    /// Returns what tells this search from others, but for its paths.
    pub(in super::super) fn words(&self) -> impl Iterator<Item = &str> {
        let repository = self.repository.as_ref().map_or("", |(written, _)| written);
        self.regexes.iter().map(Regex::as_str).chain([repository])
    }
}

fn has_group(regex: &Regex, name: &str) -> bool {
    regex.capture_names().flatten().any(|group| group == name)
}

/// Compiles an expression within bounds.
fn compile(pattern: &str) -> Result<Regex, (Option<Range<usize>>, String)> {
    let syntax = match regex_syntax::parse(pattern) {
        Err(regex_syntax::Error::Parse(error)) => Some((error.kind().to_string(), *error.span())),
        Err(regex_syntax::Error::Translate(error)) => Some((error.kind().to_string(), *error.span())),
        // A kind of error that is not known yet is found below.
        Ok(_) | Err(_) => None,
    };
    if let Some((kind, span)) = syntax {
        let end = span.end.offset.max((span.start.offset + 1).min(pattern.len()));
        return Err((Some(span.start.offset..pattern.ceil_char_boundary(end)), format!("not a regular expression: {kind}")));
    }
    let mut builder = RegexBuilder::new(pattern);
    let regex = builder.multi_line(true).crlf(true).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).build();
    regex.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => {
            (None, format!("the expression takes more than {limit} bytes when compiled; use smaller counts"))
        }
        _ => (None, "not a regular expression that can be compiled".to_owned()),
    })
}

fn check(pattern: &str, regex: &Regex, has_repository: bool, refuse: &mut dyn FnMut(Option<Range<usize>>, String, Option<String>)) {
    for group in regex.capture_names().flatten().filter(|group| !GROUPS.contains(group)) {
        let named = format!("<{group}>");
        let span = pattern.find(&named).map(|at| at + 1..at + 1 + group.len());
        refuse(span, format!("the group `{group}` means nothing"), Some(group.to_owned()));
    }
    if !has_group(regex, "tag") && !has_group(regex, "digest") {
        refuse(None, "it has neither a group `tag` nor a group `digest`, so there is nothing to replace".to_owned(), None);
    }
    if !has_repository && !has_group(regex, "repository") {
        refuse(None, "it has no group `repository`, and there is no `repository` beside it".to_owned(), None);
    }
}

/// Adds what the searches find, in their order; where two find the same bytes, the first counts.
pub(super) fn read(text: &str, searches: &[Search], found: &mut Found) -> Result<(), Unreadable> {
    let mut claimed: BTreeMap<usize, usize> = BTreeMap::new();
    for extent in found.findings.iter().filter_map(Finding::extent) {
        claimed.insert(extent.start, extent.end);
    }
    for search in searches {
        for regex in search.regexes.iter() {
            let can_pin = has_group(regex, "digest");
            for captures in Matches::of(regex, text) {
                let captures = captures?;
                let at = captures.get(0).map_or(0, |whole| whole.start());
                match finding(text, &captures, search, can_pin) {
                    Ok(finding) => {
                        let Some(extent) = finding.extent() else { continue };
                        let before = claimed.range(..extent.end).next_back();
                        if before.is_none_or(|(_, end)| *end <= extent.start) {
                            claimed.insert(extent.start, extent.end);
                            found.add(finding)?;
                        }
                    }
                    Err(reason) => found.miss(at, captures.get(0).map_or("", |whole| whole.as_str()), reason),
                }
            }
        }
    }
    Ok(())
}

/// The matches of an expression, each looked for in a window of the text.
struct Matches<'r, 't> {
    regex: &'r Regex,
    text: &'t str,
    /// Where the next search starts; none at the end.
    at: Option<usize>,
    count: usize,
    /// How many bytes the searches that found something may have looked through.
    work: usize,
}

impl<'r, 't> Matches<'r, 't> {
    fn of(regex: &'r Regex, text: &'t str) -> Self {
        Self { regex, text, at: Some(0), count: 0, work: 0 }
    }

    /// Returns where the line ends that a byte is in.
    fn line_end(&self, at: usize) -> usize {
        let rest = self.text.as_bytes().get(at..).unwrap_or_default();
        rest.iter().position(|&byte| byte == b'\n').map_or(self.text.len(), |end| at + end + 1)
    }
}

impl<'t> Iterator for Matches<'_, 't> {
    type Item = Result<Captures<'t>, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.at?;
            let (half, end) = (self.line_end(at + WINDOW / 2), self.line_end(at + WINDOW));
            let is_last = end == self.text.len();
            let found = self.regex.captures_at(self.text.get(..end)?, at);
            let whole = found.as_ref().and_then(|captures| captures.get(0));
            // What starts further on may be longer than is seen from here.
            let Some(whole) = whole.filter(|whole| is_last || whole.start() < half) else {
                self.at = Some(half).filter(|_| !is_last);
                continue;
            };
            // Behind an empty match the next one is looked for a character further on.
            let next = || self.text.get(whole.end()..)?.chars().next().map(|next| whole.end() + next.len_utf8());
            self.at = if whole.is_empty() { next() } else { Some(whole.end()) };
            self.count += 1;
            self.work += end - at;
            let limit = self.count - 1;
            return if self.count > MAX_FINDINGS || self.work > MAX_WORK {
                self.at = None;
                Some(Err(Unreadable::TooManySites { limit }))
            } else {
                found.map(Ok)
            };
        }
    }
}

/// Reads a match; `can_pin` says whether the expression would find a digest behind the tag.
fn finding(text: &str, captures: &Captures<'_>, search: &Search, can_pin: bool) -> Result<Finding, MissReason> {
    let group = |name: &str| captures.name(name).filter(|group| !group.is_empty());
    let (tag, digest) = (group("tag"), group("digest"));
    let (written, repository) = match captures.name("repository") {
        Some(group) => (group.as_str().to_owned(), Repository::parse(group.as_str()).map_err(|_| MissReason::NoRepository)?),
        None => search.repository.clone().ok_or(MissReason::NoRepository)?,
    };
    let first = tag.or(digest).ok_or(if captures.name("tag").is_some() { MissReason::NoTag } else { MissReason::Nothing })?;
    let tag = part(tag, Tag::parse).map_err(|_| MissReason::NoTag)?;
    let digest = part(digest, Digest::parse).map_err(|_| MissReason::NoDigest)?;
    let mut reference = written;
    if let Some(tag) = &tag {
        reference.push(':');
        reference.push_str(tag.value.as_str());
    }
    if let Some(digest) = &digest {
        reference.push('@');
        reference.push_str(digest.value.as_str());
    }
    // Where the line starts with a name, it tells more than a number.
    let path = name_before(text, first.start()).unwrap_or("regex").to_owned();
    Ok(Finding {
        key: key(&path, &repository),
        path,
        at: first.start(),
        shape: Shape::Regex,
        written: reference,
        repository,
        tag,
        digest,
        locked: None,
        no_digest: (!can_pin).then_some(NoDigest::NoGroup),
        sure: true,
        mark: None,
    })
}

fn part<T, E>(group: Option<Match<'_>>, parse: impl Fn(&str) -> Result<T, E>) -> Result<Option<Part<T>>, E> {
    group.map(|group| Ok(Part { value: parse(group.as_str())?, range: Some(group.range()) })).transpose()
}

/// Returns the name that a line assigns a value to: `IMAGE=…`, `image: …`.
fn name_before(text: &str, at: usize) -> Option<&str> {
    const MAX_LINE: usize = 200;
    let from = text.ceil_char_boundary(at.saturating_sub(MAX_LINE));
    let before = text.get(from..at)?;
    name_in(before.rsplit(['\n', '\r']).next()?.trim_start())
}

/// Returns the name that a line starts with.
pub(super) fn name_in(line: &str) -> Option<&str> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let name = line.get(..line.find(['=', ':'])?)?.trim();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (!name.is_empty() && name.bytes().all(is_name)).then_some(name)
}
