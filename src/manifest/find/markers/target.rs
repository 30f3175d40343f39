//! Which value a marker is for: the one behind which, or above which, its comment stands.

use std::ops::Range;

use super::super::super::tree::{Kind, Tree};
use super::super::super::watch::{MARKER, Named};
use super::super::names::{Name, Role};
use super::super::trail::Step;
use super::comment::{Comment, Field};
use crate::image::{Reference, Repository};

/// How many values of a line, or of a collection, a marker may be for.
const MAX_VALUES: usize = 64;
/// How far above a value a marker may stand, in bytes, with other comments between.
const MAX_ABOVE: usize = 2048;
/// How many markers of a text count.
const MAX_COMMENTS: usize = 100_000;

/// Where a node stands in its collection.
#[derive(Clone, Copy)]
enum Place {
    Root,
    Key { mapping: u32 },
    Value { mapping: u32, key: u32 },
    Item { sequence: u32, index: u32 },
}

/// Where the nodes of a tree stand, which only texts with markers are asked for.
pub(super) struct Places<'w, 't> {
    tree: &'w Tree<'t>,
    places: Vec<Place>,
    /// The keys and values that have bytes, in their order.
    written: Vec<usize>,
}

/// A comment with markers.
pub(super) struct Found<'t> {
    pub(super) comment: Comment<'t>,
    /// Where it starts, at its `#`.
    pub(super) at: usize,
    /// Where its line starts.
    line: usize,
}

/// The values that a marker may be for.
pub(super) struct Values {
    nodes: Vec<usize>,
    /// Whether it is for the one that there is, whatever that holds.
    sure: bool,
    /// Whether it stands behind them.
    pub(super) behind: bool,
}

impl<'w, 't> Places<'w, 't> {
    pub(super) fn of(tree: &'w Tree<'t>) -> Self {
        let mut places = Vec::with_capacity(tree.len());
        let mut written = Vec::new();
        // The open collections: node, children so far, the last key.
        let mut open: Vec<(usize, u32, u32)> = Vec::new();
        for index in 0..tree.len() {
            while open.pop_if(|(collection, ..)| tree.end(*collection) <= index).is_some() {}
            let number = small(index);
            let place = match open.last_mut() {
                None => Place::Root,
                Some((collection, count, key)) => {
                    *count += 1;
                    match tree.kind(*collection) {
                        Kind::Sequence { .. } => Place::Item { sequence: small(*collection), index: *count - 1 },
                        _ if *count % 2 == 1 => {
                            *key = number;
                            Place::Key { mapping: small(*collection) }
                        }
                        _ => Place::Value { mapping: small(*collection), key: *key },
                    }
                }
            };
            places.push(place);
            match tree.kind(index) {
                Kind::Mapping { .. } | Kind::Sequence { .. } => open.push((index, 0, 0)),
                Kind::Scalar { .. } | Kind::Alias(_) if !tree.span(index).is_empty() => written.push(index),
                Kind::Scalar { .. } | Kind::Alias(_) => {}
            }
        }
        written.sort_by_key(|&node| tree.span(node).start);
        Self { tree, places, written }
    }

    /// Returns the way to a node from its document's root, and the document; none if it leads through a key.
    pub(super) fn way(&self, node: usize) -> Option<(usize, Vec<Step>)> {
        let (mut at, mut steps) = (node, Vec::new());
        loop {
            match self.places[at] {
                Place::Root => break,
                Place::Key { .. } => return None,
                Place::Value { mapping, key } => {
                    steps.push(Step::Entry { mapping: mapping as usize, key: key as usize });
                    at = mapping as usize;
                }
                Place::Item { sequence, index } => {
                    steps.push(Step::Item { index: index as usize, item: at });
                    at = sequence as usize;
                }
            }
        }
        steps.reverse();
        let document = self.tree.documents.partition_point(|document| document.root <= node).checked_sub(1)?;
        Some((document, steps))
    }

    /// Returns the mapping that a value is in; of what is no entry, the node itself.
    pub(super) fn group(&self, node: usize) -> usize {
        match self.places[node] {
            Place::Value { mapping, .. } => mapping as usize,
            _ => node,
        }
    }

    /// Returns the key of a value.
    pub(super) fn key(&self, node: usize) -> Option<&'w str> {
        match self.places[node] {
            Place::Value { key, .. } => self.tree.text_of(key as usize),
            _ => None,
        }
    }

    /// Finds the comments with markers. Each line is looked at once.
    pub(super) fn comments(&self) -> Vec<Found<'t>> {
        let text = self.tree.text;
        let (mut found, mut from) = (Vec::new(), 0);
        while let Some(hit) = text[from..].find(MARKER).map(|hit| from + hit) {
            let line = text[..hit].rfind(['\n', '\r']).map_or(0, |end| end + 1).max(from);
            let end = text[hit..].find(['\n', '\r']).map_or(text.len(), |end| hit + end);
            if let Some(at) = self.comment_in(line..end) {
                let comment = Comment::read(&text[at..end]);
                if !comment.said.is_empty() {
                    found.push(Found { comment, at, line });
                }
            }
            from = end;
            if found.len() >= MAX_COMMENTS {
                break;
            }
        }
        found
    }

    /// Finds where the comment of a line starts.
    fn comment_in(&self, line: Range<usize>) -> Option<usize> {
        let bytes = self.tree.text.as_bytes();
        let mut from = line.start;
        loop {
            let at = from + bytes[from..line.end].iter().position(|&byte| byte == b'#')?;
            match self.around(at) {
                // On from its end, however many `#` it holds.
                Some(node) => from = self.tree.span(node).end.max(at + 1),
                None if at == line.start || matches!(bytes[at - 1], b' ' | b'\t' | 0xbf) => return Some(at),
                None => from = at + 1,
            }
            if from >= line.end {
                return None;
            }
        }
    }

    /// Returns the scalar that a byte is within; what follows the header of a block scalar on its line is not.
    fn around(&self, at: usize) -> Option<usize> {
        let node = *self.written.get(self.next(at).checked_sub(1)?)?;
        let span = self.tree.span(node);
        let is_header = || self.tree.scalar(node).is_none() && !self.tree.text[span.start..at].contains(['\n', '\r']);
        (at < span.end && !is_header()).then_some(node)
    }

    /// Returns the place in `written` of the first that starts at a byte or behind it.
    fn next(&self, at: usize) -> usize {
        self.written.partition_point(|&node| self.tree.span(node).start < at)
    }

    /// Returns the values that a comment's markers may be for; none if it is a comment about nothing, such as one on a line that
    /// was commented out.
    pub(super) fn values(&self, found: &Found<'_>) -> Option<Values> {
        let before = self.tree.text[found.line..found.at].trim_matches([' ', '\t', '\u{feff}']);
        match before {
            "" if !found.comment.alone => None,
            "" | "-" => Some(self.below(found)),
            _ => Some(self.on_line(found)),
        }
    }

    /// Returns the values that end on the line, and the one that its last key is about.
    fn on_line(&self, found: &Found<'_>) -> Values {
        let tree = self.tree;
        let on_line = self.written[..self.next(found.at)].iter().rev().copied();
        let on_line: Vec<usize> = on_line.take_while(|&node| tree.span(node).end > found.line).take(2 * MAX_VALUES).collect();
        let mut nodes = Vec::new();
        if let Some(&key) = on_line.first()
            && matches!(self.places[key], Place::Key { .. })
        {
            let value = tree.end(key);
            if self.is_single(value) {
                nodes.push(value);
            } else {
                return Values { nodes: self.entries(value), sure: false, behind: true };
            }
        }
        nodes.extend(on_line.into_iter().filter(|&node| matches!(self.places[node], Place::Value { .. } | Place::Item { .. })));
        let sure = nodes.len() == 1;
        Values { nodes, sure, behind: true }
    }

    /// Returns the values that a comment on a line of its own is for: those of the next line with anything else on it, if that is as
    /// far indented and no line between is empty.
    fn below(&self, found: &Found<'_>) -> Values {
        let tree = self.tree;
        let nothing = Values { nodes: Vec::new(), sure: false, behind: false };
        let from = found.at + tree.text[found.at..].find(['\n', '\r']).unwrap_or(0);
        let Some(&next) = self.written.get(self.next(from)) else { return nothing };
        let start = tree.span(next).start;
        if start - from > MAX_ABOVE {
            return nothing;
        }
        let between = tree.text[from..start].replace("\r\n", "\n").replace('\r', "\n");
        let mut lines = between.split('\n').skip(1).collect::<Vec<_>>();
        let last = lines.pop().unwrap_or_default();
        let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
        let is_near = lines.iter().all(|line| line.trim_start().starts_with('#')) && !last.contains("---");
        let own = tree.text[found.line..found.at].trim_start_matches('\u{feff}');
        if !is_near || indent(own) != indent(last) {
            return nothing;
        }
        match self.places[next] {
            Place::Item { .. } => Values { nodes: vec![next], sure: true, behind: false },
            Place::Key { mapping } => {
                let value = tree.end(next);
                let mapping = mapping as usize;
                // Above an item that is a mapping, all of its entries.
                let is_first = next == mapping + 1 && matches!(self.places[mapping], Place::Item { .. });
                let nodes = match self.is_single(value) {
                    _ if is_first => self.entries(mapping),
                    true => vec![value],
                    false => self.entries(value),
                };
                Values { nodes, sure: false, behind: false }
            }
            Place::Root | Place::Value { .. } => nothing,
        }
    }

    fn is_single(&self, node: usize) -> bool {
        matches!(self.tree.kind(node), Kind::Scalar { .. } | Kind::Alias(_))
    }

    /// Returns the scalars that are a collection's own.
    fn entries(&self, collection: usize) -> Vec<usize> {
        let is_value = |&node: &usize| self.is_single(node) && !matches!(self.places[node], Place::Key { .. });
        self.tree.children(collection).take(2 * MAX_VALUES).filter(is_value).collect()
    }

    /// Chooses the value that a marker is for; none if several may be, or none is.
    pub(super) fn choose(&self, values: &Values, field: Field, named: &Named) -> Option<usize> {
        if values.sure {
            return values.nodes.first().copied();
        }
        let one = |fits: &dyn Fn(usize) -> bool| {
            let mut fitting = values.nodes.iter().copied().filter(|&node| fits(node));
            fitting.next().filter(|_| fitting.next().is_none())
        };
        let role = |node: usize| self.key(node).and_then(Name::parse).map(|name| name.role);
        let is_value = |node: usize| self.key(node) == Some("value");
        match field {
            Field::Whole => one(&|node| self.is_reference_to(node, &named.repository)),
            Field::Tag => one(&|node| role(node) == Some(Role::Tag))
                .or_else(|| one(&|node| role(node) == Some(Role::Version)))
                .or_else(|| one(&is_value)),
            Field::Digest => one(&|node| role(node) == Some(Role::Digest)).or_else(|| one(&is_value)),
            Field::Name => {
                const KEYS: [&str; 5] = ["newName", "repository", "image", "repo", "name"];
                KEYS.iter()
                    .find(|key| values.nodes.iter().any(|&node| self.key(node) == Some(key)))
                    .and_then(|key| one(&|node| self.key(node) == Some(key)))
            }
        }
    }

    /// Says whether a value is a reference with a tag or digest to a repository, or ends with one behind a `=`.
    fn is_reference_to(&self, node: usize, repository: &Repository) -> bool {
        let text = self.tree.text_of(node).unwrap_or_default();
        let text = text.rsplit('=').next().unwrap_or(text);
        let is_there = |reference: &Reference| reference.tag().is_some() || reference.digest().is_some();
        Reference::parse(text).is_ok_and(|reference| reference.repository() == repository && is_there(&reference))
    }
}

/// Shortens the number of a node; a tree has far fewer.
fn small(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
