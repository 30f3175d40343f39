//! Shape 7 in files that should be YAML and are none, such as templates: values that Flux's markers stand at, line by line.
//!
//! There is no tree to tell what a value is, so only what is beyond doubt is taken: one marker, and on its line, or on the next where
//! the marker is alone on its line, one value that fits and is all that stands there behind a key, a dash or a `=`. An empty value is
//! filled if nothing below it can be the value. A name, a tag and a digest of one policy on lines of one mapping, with nothing between,
//! are one reference.

mod line;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::find::{Comment, Field, Said};
use super::super::joined::Joined;
use super::super::site::{Locked, Marker, Shape};
use super::super::tree::Unreadable;
use super::super::watch::{MARKER, Markers, Named};
use super::finding::key;
use super::search::name_in;
use super::{Finding, Found, Mark, Part};
use crate::image::{Digest, Reference, Repository, Tag};
use line::{BLANK, Lead, Line, Lone, Word, column, indent, words};

/// How what a template engine leaves out starts and ends, over any number of lines.
const LEFT_OUT: ([&str; 3], [&str; 2]) = (["{{/*", "{{- /*", "{#"], ["*/", "#}"]);
/// The longest name that tells where a value is.
const MAX_NAME: usize = 200;

/// A marked value, which others beside it may complete.
struct Marked<'t> {
    policy: &'t str,
    /// What stands before its key: blanks and dashes.
    column: &'t str,
    /// Where its line ends.
    end: usize,
    /// What stands for a name, a tag and a digest, where one of them was marked.
    parts: [Option<String>; 3],
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
        let Some(mut here) = Marked::read(text, line, markers) else { continue };
        here.finding.locked.clone_from(&locked);
        if let Some(extent) = here.finding.extent()
            && let Some((_, &(end, index))) = known.range(..extent.end).next_back()
            && end > extent.start
        {
            if let Some(other) = found.findings.get_mut(index).filter(|other| other.repository == here.finding.repository) {
                other.mark = here.finding.mark.map(|mark| Mark::of(mark.marker));
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
    fn read(text: &'t str, line: Line<'t>, markers: &Markers) -> Option<Self> {
        let comment = Comment::read(line.comment);
        let &[Said { policy, field }] = comment.said.as_slice() else { return None };
        let (known, named) = markers.policy(policy)?;
        let is_above = line.value.trim_matches(BLANK).is_empty();
        let line = if is_above {
            let next = line.next(text).filter(|_| comment.alone)?;
            // A marker behind the value counts for more.
            if indent(next.value) != indent(line.value) || next.comment.contains(MARKER) {
                return None;
            }
            next
        } else {
            line
        };
        let words = words(line.value);
        let lone = line.lone(text, &words);
        // A line that ends with a key has its value elsewhere, if it has one.
        if !words.is_empty() && line.value.trim_end_matches(BLANK).ends_with(':') {
            return None;
        }
        let (whole, digest) = (field == Field::Whole, matches!(field, Field::Whole | Field::Digest));
        let mark = Mark::of(Marker { policy: Arc::clone(known), whole, digest, misnamed: false });
        let mut finding = match field {
            // A marker above a value is for what fits alone.
            Field::Whole => {
                reference(&line, &words, named, &mark).or_else(|| renamed(lone.filter(|lone| !is_above && !lone.is_part())?, named, mark))
            }
            Field::Name => name(lone?, named, mark),
            Field::Tag | Field::Digest => match lone {
                Some(lone) if lone.is_none => Some(gap(lone, named, mark)),
                _ => part(&line, &words, named, mark),
            },
        }?;
        let before = line.value.get(..finding.at - line.start)?.trim_start_matches(['-', ' ', '\t', '\u{feff}']);
        let name = name_in(before).filter(|name| name.len() <= MAX_NAME);
        finding.path = name.map_or_else(|| format!("marker({policy})"), str::to_owned);
        finding.key = key(&finding.path, &named.repository);
        let parts = [Field::Name, Field::Tag, Field::Digest].map(|part| (field == part).then(|| finding.written.clone()));
        Some(Self { policy, column: column(line.value), end: line.end(), parts, finding })
    }

    /// Takes in a name, a tag or a digest that a marker of the same policy stands at in the next line, so that none of them moves
    /// alone; says whether it did.
    fn takes(&mut self, text: &str, next: &Self) -> bool {
        // An item beside items, such as arguments, or a key of the same mapping.
        let is_aligned = self.column == next.column || indent(next.column) == next.column && self.column.len() == next.column.len();
        let is_beside = self.policy == next.policy && is_aligned;
        let between = text.get(self.end..next.finding.at).unwrap_or_default().trim_start_matches(['\r', '\n']);
        let mut lines = between.split(['\r', '\n']).map(str::trim_start).rev().skip(1);
        if !is_beside || !self.lacks(next) || !lines.all(|line| line.is_empty() || line.starts_with('#')) {
            return false;
        }
        let (first, second) = (&mut self.finding, &next.finding);
        let (Some(mark), Some(other)) = (&mut first.mark, &second.mark) else { return false };
        mark.marker.digest |= other.marker.digest;
        mark.marker.misnamed |= other.marker.misnamed;
        mark.bare |= other.bare;
        mark.tag = mark.tag.take().or_else(|| other.tag.clone());
        mark.digest = mark.digest.take().or_else(|| other.digest.clone());
        mark.naming = mark.naming.take().or_else(|| other.naming.clone());
        first.tag = first.tag.take().or_else(|| second.tag.clone());
        first.digest = first.digest.take().or_else(|| second.digest.clone());
        // It is told by its tag, or else by its digest.
        let [_, tag, digest] = &next.parts;
        if tag.is_some() || digest.is_some() && self.parts[1].is_none() {
            first.path.clone_from(&second.path);
            first.key.clone_from(&second.key);
            first.at = second.at;
        }
        for (part, other) in self.parts.iter_mut().zip(&next.parts) {
            *part = part.take().or_else(|| other.clone());
        }
        self.end = next.end;
        first.written = String::new();
        for (joint, part) in ["", ":", "@"].into_iter().zip(&self.parts) {
            let Some(part) = part.as_ref().filter(|part| !part.is_empty()) else { continue };
            first.written.push_str(if first.written.is_empty() { "" } else { joint });
            first.written.push_str(part);
        }
        true
    }

    /// Says whether the next is a part that this one, being parts, does not have.
    fn lacks(&self, next: &Self) -> bool {
        let is_whole = |marked: &Self| marked.parts.iter().all(Option::is_none);
        let have_both = self.parts.iter().zip(&next.parts).any(|(one, other)| one.is_some() && other.is_some());
        // One behind the tag, and one by itself.
        let have_digests = self.finding.digest_at().is_some() && next.finding.digest_at().is_some();
        !is_whole(self) && !is_whole(next) && !have_both && !have_digests
    }
}

impl Mark {
    /// Makes the mark of a value that goes where it stands.
    fn of(marker: Marker) -> Self {
        Self { marker, bare: false, tag: None, digest: None, naming: None }
    }
}

/// Finds the one reference of a line to the policy's repository.
fn reference(line: &Line<'_>, words: &[Word], named: &Named, mark: &Mark) -> Option<Finding> {
    let read = |word: &Word| {
        let (value, at) = (line.value.get(word.range.clone())?, word.range.start + line.start);
        let finding = Finding::of(&Joined::of(value, at), value, String::new(), Shape::Marker, true)?;
        (finding.repository == named.repository && finding.extent().is_some()).then_some(finding)
    };
    let mut fitting = words.iter().enumerate().filter(|(_, word)| !word.spoilt).filter_map(|(index, word)| Some((index, read(word)?)));
    let (index, finding) = fitting.next().filter(|_| fitting.next().is_none())?;
    let is_all = words.get(index)?.lead != Lead::Word && words.get(index + 1).is_none_or(|next| next.lead != Lead::Word);
    is_all.then(|| Finding { mark: Some(mark.clone()), ..finding })
}

/// Makes a finding of a value in whose place a reference goes: one to another repository, or none.
fn renamed(lone: Lone<'_>, named: &Named, mut mark: Mark) -> Option<Finding> {
    let (at, written) = (lone.place.range.start, lone.text.to_owned());
    let (mut tag, mut digest, mut name) = (None, None, named.written.as_str());
    if !lone.is_none {
        let reference = Reference::parse(lone.text).ok()?;
        tag = reference.tag().map(|tag| Part { value: tag.clone(), range: None });
        digest = reference.digest().map(|digest| Part { value: digest.clone(), range: None });
        // With a tag or a digest, it would have been found by its value.
        if *reference.repository() == named.repository {
            name = lone.text;
        } else {
            mark.marker.misnamed = true;
        }
    }
    mark.naming = Some((lone.place, name.to_owned()));
    Some(Finding { tag, digest, ..unfilled(at, written, named, mark) })
}

/// Reads a value as the name of a repository, the policy's or another.
fn name(lone: Lone<'_>, named: &Named, mut mark: Mark) -> Option<Finding> {
    let (at, written) = (lone.place.range.start, lone.text.to_owned());
    if Repository::parse(lone.text).ok()? != named.repository {
        mark.marker.misnamed = true;
        mark.naming = Some((lone.place, named.written.clone()));
    }
    Some(unfilled(at, written, named, mark))
}

/// Makes a finding of an empty place for a tag or a digest.
fn gap(lone: Lone<'_>, named: &Named, mut mark: Mark) -> Finding {
    let at = lone.place.range.start;
    *if mark.marker.digest { &mut mark.digest } else { &mut mark.tag } = Some(lone.place);
    unfilled(at, String::new(), named, mark)
}

/// A tag and a digest.
type Parts = (Option<Part<Tag>>, Option<Part<Digest>>);

/// Reads the last word of a line as a tag, behind which a digest may stand, or as a digest.
fn part(line: &Line<'_>, words: &[Word], named: &Named, mark: Mark) -> Option<Finding> {
    let read = |word: &Word| -> Option<Parts> {
        let value = line.value.get(word.range.clone()).filter(|_| !word.spoilt)?;
        let at = line.start + word.range.start;
        let digest_at = |text: &str, at: usize| Some(Part { value: Digest::parse(text).ok()?, range: Some(at..at + text.len()) });
        if mark.marker.digest {
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
    let written = line.value.get(last.range.clone())?.to_owned();
    // What stands behind a `=` is a part of a string.
    let bare = !last.quoted && last.lead != Lead::Equals && digest.is_none();
    let finding = unfilled(line.start + last.range.start, written, named, Mark { bare, ..mark });
    Some(Finding { tag, digest, ..finding })
}

/// Makes a finding that has neither tag nor digest yet, nor a path.
fn unfilled(at: usize, written: String, named: &Named, mark: Mark) -> Finding {
    Finding {
        path: String::new(),
        key: String::new(),
        at,
        shape: Shape::Marker,
        written,
        repository: named.repository.clone(),
        tag: None,
        digest: None,
        locked: None,
        no_digest: None,
        sure: true,
        mark: Some(mark),
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
