//! Shape 7 in files that should be YAML and are none, such as templates: values that Flux's markers stand at, line by line.
//!
//! There is no tree to tell what a value is, so only what is beyond doubt is taken: one marker, and on its line, or on the next where
//! the marker is alone on its line, one value that fits and is all that stands there behind a key, a dash or a `=`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::super::find::{Comment, Field, Said};
use super::super::joined::Joined;
use super::super::quote;
use super::super::site::{Locked, Marker, Shape};
use super::super::tree::Unreadable;
use super::super::watch::{MARKER, Markers, Named};
use super::finding::key;
use super::search::name_in;
use super::{Finding, Found, Part};
use crate::image::{Digest, Tag};

/// How a template starts and ends that gives a value or says whether there is one.
const TEMPLATES: [(&str, &str); 4] = [("{{", "}}"), ("${", "}"), ("{%", "%}"), ("<%", "%>")];
/// How what a template engine leaves out starts and ends, over any number of lines.
const LEFT_OUT: ([&str; 3], [&str; 2]) = (["{{/*", "{{- /*", "{#"], ["*/", "#}"]);
/// What stands around values.
const BLANK: [char; 3] = [' ', '\t', '\u{feff}'];
/// The longest name that tells where a value is.
const MAX_NAME: usize = 200;

/// A line: what stands before its comment, and the comment.
struct Line<'t> {
    start: usize,
    value: &'t str,
    comment: &'t str,
}

/// What stands before a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// The key that it is the value of, a dash, or nothing.
    Key,
    /// A `=`, in an argument.
    Equals,
    /// A bracket or a comma.
    Item,
    /// Another word.
    Word,
}

/// A piece of a line that could be a value.
#[derive(Clone, Debug)]
struct Word {
    lead: Lead,
    /// Its place in the line, without quotes.
    range: Range<usize>,
    quoted: bool,
    /// Whether a template is part of it, or something behind a quote.
    spoilt: bool,
}

/// A marked value, which another one beside it may complete.
struct Marked<'t> {
    /// The indentation of its line, and where that ends.
    indent: &'t str,
    end: usize,
    finding: Finding,
}

/// Adds the marked values; one that was found otherwise is told its marker.
pub(super) fn read(text: &str, markers: &Markers, found: &mut Found) -> Result<(), Unreadable> {
    let mut known: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (index, extent) in found.findings.iter().enumerate().filter_map(|(index, finding)| Some((index, finding.extent()?))) {
        known.insert(extent.start, (extent.end, index));
    }
    let locked = text.lines().any(|line| line.starts_with("sops:")).then_some(Locked::Sops);
    let mut last: Option<Marked<'_>> = None;
    let (mut from, mut is_out) = (0, false);
    while let Some(hit) = text[from..].find(MARKER).map(|hit| from + hit) {
        let start = text[from..hit].rfind(['\n', '\r']).map_or(from, |end| from + end + 1);
        is_out = is_left_out(&text[from..start], is_out);
        let line = Line::at(text, start);
        from = line.end();
        if is_out {
            continue;
        }
        let Some(mut here) = Marked::read(text, &line, markers) else { continue };
        here.finding.locked.clone_from(&locked);
        let Some(extent) = here.finding.extent() else { continue };
        if let Some((_, &(end, index))) = known.range(..extent.end).next_back()
            && end > extent.start
        {
            if let Some(other) = found.findings.get_mut(index).filter(|other| other.repository == here.finding.repository) {
                other.marker = here.finding.marker;
            }
            continue;
        }
        if last.as_mut().is_some_and(|last| last.takes(text, &here)) {
            continue;
        }
        if let Some(before) = last.replace(here) {
            found.add(before.finding)?;
        }
    }
    last.map_or(Ok(()), |last| found.add(last.finding))
}

impl<'t> Marked<'t> {
    /// Reads a line with a marker.
    fn read(text: &'t str, line: &Line<'t>, markers: &Markers) -> Option<Self> {
        let comment = Comment::read(line.comment);
        let &[Said { policy, field }] = comment.said.as_slice() else { return None };
        let (policy, named) = markers.policy(policy)?;
        let next = if line.value.trim_matches(BLANK).is_empty() { Some(line.next(text).filter(|_| comment.alone)?) } else { None };
        let line = match &next {
            // A marker behind the value counts for more.
            Some(next) if indent(next.value) != indent(line.value) || next.comment.contains(MARKER) => return None,
            Some(next) => next,
            None => line,
        };
        let words = words(line.value);
        let mut finding = match field {
            Field::Whole => reference(line, &words, named),
            Field::Tag | Field::Digest => part(line, &words, named, field == Field::Digest),
            // Without the other values around, nobody knows what it is the name of.
            Field::Name => None,
        }?;
        let before = line.value.get(..finding.at - line.start)?.trim_start_matches(['-', ' ', '\t', '\u{feff}']);
        let name = name_in(before).filter(|name| name.len() <= MAX_NAME);
        finding.path = name.map_or_else(|| format!("marker({policy})"), str::to_owned);
        finding.key = key(&finding.path, &named.repository);
        let (whole, digest) = (field == Field::Whole, field != Field::Tag);
        finding.marker = Some(Marker { policy: Arc::clone(policy), whole, digest, misnamed: false });
        Some(Self { indent: indent(line.value), end: line.end(), finding })
    }

    /// Takes in a digest behind a tag, or a tag behind a digest, that a marker of the same policy stands at in the next line, so that
    /// neither moves alone; says whether it did.
    fn takes(&mut self, text: &str, next: &Self) -> bool {
        let (first, second) = (&mut self.finding, &next.finding);
        let (Some(marker), Some(other)) = (&mut first.marker, &second.marker) else { return false };
        let is_part = !marker.whole && !other.whole && marker.policy == other.policy && self.indent == next.indent;
        let completes = first.tag.is_some() != second.tag.is_some() && first.digest.is_some() != second.digest.is_some();
        let between = text.get(self.end..second.at).unwrap_or_default().trim_start_matches(['\r', '\n']);
        let mut lines = between.split(['\r', '\n']).map(str::trim_start).rev().skip(1);
        if !is_part || !completes || !lines.all(|line| line.is_empty() || line.starts_with('#')) {
            return false;
        }
        marker.digest = true;
        first.written = match first.tag {
            Some(_) => format!("{}@{}", first.written, second.written),
            None => format!("{}@{}", second.written, first.written),
        };
        first.tag = first.tag.take().or_else(|| second.tag.clone());
        first.digest = first.digest.take().or_else(|| second.digest.clone());
        first.retyped |= second.retyped;
        true
    }
}

/// Finds the one reference of a line to the policy's repository.
fn reference(line: &Line<'_>, words: &[Word], named: &Named) -> Option<Finding> {
    let read = |word: &Word| {
        let (value, range) = (line.value.get(word.range.clone())?, word.range.start + line.start..word.range.end + line.start);
        let finding = Finding::of(&Joined::of(value, range.start), value, String::new(), Shape::Marker, true)?;
        let is_marked = finding.repository == named.repository && finding.extent().is_some();
        is_marked.then(|| Finding { retyped: word.is_retyped(line), ..finding })
    };
    let mut fitting = words.iter().enumerate().filter(|(_, word)| !word.spoilt).filter_map(|(index, word)| Some((index, read(word)?)));
    let (index, finding) = fitting.next().filter(|_| fitting.next().is_none())?;
    let is_all = words.get(index)?.lead != Lead::Word && words.get(index + 1).is_none_or(|next| next.lead != Lead::Word);
    is_all.then_some(finding)
}

/// A tag and a digest.
type Parts = (Option<Part<Tag>>, Option<Part<Digest>>);

/// Reads the last word of a line as a tag, behind which a digest may stand, or as a digest.
fn part(line: &Line<'_>, words: &[Word], named: &Named, is_digest: bool) -> Option<Finding> {
    let read = |word: &Word| -> Option<Parts> {
        let value = line.value.get(word.range.clone()).filter(|_| !word.spoilt)?;
        let at = line.start + word.range.start;
        let digest_at = |text: &str, at: usize| Some(Part { value: Digest::parse(text).ok()?, range: Some(at..at + text.len()) });
        if is_digest {
            return Some((None, Some(digest_at(value, at)?)));
        }
        let (tag, digest) = value.split_once('@').map_or((value, None), |(tag, digest)| (tag, Some(digest)));
        let tag_part = Part { value: Tag::parse(tag).ok()?, range: Some(at..at + tag.len()) };
        let digest = match digest {
            Some(digest) => Some(digest_at(digest, at + tag.len() + 1)?),
            None => None,
        };
        Some((Some(tag_part), digest))
    };
    let (last, others) = words.split_last()?;
    let (tag, digest) =
        read(last).filter(|_| matches!(last.lead, Lead::Key | Lead::Equals) || last.lead == Lead::Item && others.is_empty())?;
    if others.iter().any(|word| read(word).is_some()) {
        return None;
    }
    Some(Finding {
        path: String::new(),
        key: String::new(),
        at: line.start + last.range.start,
        shape: Shape::Marker,
        written: line.value.get(last.range.clone())?.to_owned(),
        repository: named.repository.clone(),
        tag,
        digest,
        locked: None,
        no_digest: None,
        sure: true,
        marker: None,
        retyped: last.is_retyped(line),
    })
}

impl<'t> Line<'t> {
    /// Reads the line that starts at a byte.
    fn at(text: &'t str, start: usize) -> Self {
        let rest = text.get(start..).unwrap_or_default();
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        let (value, comment) = line.split_at(comment_in(line));
        Self { start, value, comment }
    }

    fn end(&self) -> usize {
        self.start + self.value.len() + self.comment.len()
    }

    /// Returns the line behind it.
    fn next(&self, text: &'t str) -> Option<Self> {
        let rest = text.get(self.end()..)?;
        let end = ["\r\n", "\n", "\r"].into_iter().find(|end| rest.starts_with(end))?;
        Some(Self::at(text, self.end() + end.len()))
    }
}

impl Word {
    /// Says whether YAML would take it for something else than a string; what stands behind a `=` is a part of one.
    fn is_retyped(&self, line: &Line<'_>) -> bool {
        !self.quoted && self.lead != Lead::Equals && line.value.get(self.range.clone()).is_some_and(quote::retypes)
    }
}

/// Says whether a text ends in what a template engine leaves out, given whether it starts there.
fn is_left_out(text: &str, before: bool) -> bool {
    // Neither `{{#if x}}` nor `${#x}` starts a comment.
    let is_one = |&(at, _): &(usize, &str)| !text[..at].ends_with(['{', '$']);
    let last = |marks: &[&str]| marks.iter().filter_map(|mark| text.rmatch_indices(mark).find(is_one)).map(|(at, _)| at).max();
    match (last(&LEFT_OUT.0), last(&LEFT_OUT.1)) {
        (Some(start), Some(end)) => start > end,
        (start, end) => start.is_some() || before && end.is_none(),
    }
}

fn indent(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}');
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
}

/// Returns where the comment of a line starts, or else its end.
fn comment_in(line: &str) -> usize {
    let mut at = 0;
    let mut is_start = true;
    while let Some(next) = line[at..].chars().next() {
        if next == '#' && is_start {
            return at;
        }
        let length = template(&line[at..]).or_else(|| quoted(&line[at..]).filter(|_| is_start || line[..at].ends_with(OPENERS)));
        at += length.unwrap_or(next.len_utf8());
        is_start = length.is_none() && (matches!(next, ' ' | '\t') || next == '\u{feff}' && at == next.len_utf8());
    }
    at
}

/// What a quote may stand behind.
const OPENERS: [char; 5] = ['[', '{', ',', '=', ':'];

/// Returns the length of a template at the start of a text; one that does not end takes up all of it.
fn template(text: &str) -> Option<usize> {
    let (open, close) = TEMPLATES.iter().find(|(open, _)| text.starts_with(open))?;
    Some(text[open.len()..].find(close).map_or(text.len(), |end| open.len() + end + close.len()))
}

/// Returns the length of a string in quotes at the start of a text, with them.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    text[1..].find(quote).map(|end| end + 2)
}

/// Takes a line apart, without its keys and dashes.
fn words(line: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut at, mut lead) = (0, Lead::Key);
    while let Some(next) = line[at..].chars().next() {
        match next {
            ' ' | '\t' | '\u{feff}' => at += next.len_utf8(),
            '[' | ',' | ']' | '}' => (at, lead) = (at + 1, Lead::Item),
            '{' if template(&line[at..]).is_none() => (at, lead) = (at + 1, Lead::Item),
            '=' => (at, lead) = (at + 1, Lead::Equals),
            _ => {
                let (word, end) = Word::at(line, at, lead);
                let after = &line[end..];
                let is_key =
                    after.starts_with(':') && after[1..].chars().next().is_none_or(|next| word.quoted || matches!(next, ' ' | '\t'));
                let is_dash = words.is_empty() && lead == Lead::Key && &line[at..end] == "-";
                (at, lead) = (end + usize::from(is_key), if is_key || is_dash { Lead::Key } else { Lead::Word });
                if !is_key && !is_dash {
                    words.push(word);
                }
            }
        }
    }
    words
}

impl Word {
    /// Reads the word at a byte of a line, and where it ends; it has a byte at least.
    fn at(line: &str, start: usize, lead: Lead) -> (Self, usize) {
        let ends = |at: usize| {
            let mut next = line[at..].chars();
            match next.next() {
                None | Some(' ' | '\t' | ',' | ']' | '}' | '=') => true,
                Some(':') => matches!(next.next(), None | Some(' ' | '\t')),
                Some(_) => false,
            }
        };
        if let Some(end) = quoted(&line[start..]).map(|length| start + length).filter(|&end| ends(end) || line[end..].starts_with(':')) {
            let inner = &line[start + 1..end - 1];
            // An argument in quotes; escapes are not read.
            let from = start + 1 + inner.rfind('=').map_or(0, |at| at + 1);
            let spoilt = inner.contains('\\') || TEMPLATES.iter().any(|(open, _)| inner.contains(open));
            return (Self { lead, range: from..end - 1, quoted: true, spoilt }, end);
        }
        // A quote that ends within a word starts one that is none.
        let (mut at, mut spoilt) = (start, line[start..].starts_with(['"', '\'']));
        while !ends(at) {
            let length = template(&line[at..]);
            spoilt |= length.is_some();
            at += length.or_else(|| line[at..].chars().next().map(char::len_utf8)).unwrap_or(1);
        }
        (Self { lead, range: start..at, quoted: false, spoilt }, at)
    }
}
