//! What looks like a reference and was not taken, with the reason: a second walk, made only for people who ask.
//!
//! It goes the way of the [`Finder`](super::Finder), and looks closer where that one turned away.

mod charts;
mod pairs;
mod text;

use std::collections::HashSet;

use granit_parser::ScalarStyle;

use self::text::{could_be, is_reference, is_template, lines, words};
use super::super::layout::Layout;
use super::super::missed::{MOST, Why};
use super::super::quote;
use super::super::tree::{Kind, Tree};
use super::super::watch::Watch;
use super::bare::is_no_image;
use super::nested::{MAX_LAYERS, holds_json};
use super::scalar::{has_host, is_lone_digest, is_pinned_tag, names_image};
use super::sources::Origins;
use super::trail::{Step, Trail};
use super::{MAX_MERGES, is_sops};
use crate::image::Reference;

/// The longest value that is looked into as a whole; references and templates of them are far shorter.
const MAX_VALUE: usize = 4096;

/// What looks like a reference and was not taken.
pub(in super::super) struct Miss {
    /// Where it stands in the text.
    pub(in super::super) at: usize,
    pub(in super::super) path: String,
    pub(in super::super) shown: String,
    pub(in super::super) why: Why,
}

/// Finds the near misses of a tree; `taken` are the paths of its sites.
pub(in super::super) fn misses(tree: &Tree<'_>, watch: &Watch, taken: &HashSet<&str>) -> Vec<Miss> {
    if is_sops(tree) { Vec::new() } else { Near::new(tree, watch, taken).run() }
}

struct Near<'w, 't> {
    tree: &'w Tree<'t>,
    watch: &'w Watch,
    taken: &'w HashSet<&'w str>,
    trail: Trail<'w, 't>,
    /// How many entries may still be merged.
    merges: usize,
    /// The values that were judged together with what stands beside them.
    judged: HashSet<usize>,
    /// The anchored scalars that were taken.
    anchored: HashSet<usize>,
    origins: Origins,
    misses: Vec<Miss>,
}

impl<'w, 't> Near<'w, 't> {
    fn new(tree: &'w Tree<'t>, watch: &'w Watch, taken: &'w HashSet<&'w str>) -> Self {
        let (judged, anchored) = (HashSet::new(), HashSet::new());
        let origins = Origins::default();
        Self { tree, watch, taken, trail: Trail::new(tree), merges: MAX_MERGES, judged, anchored, origins, misses: Vec::new() }
    }

    fn run(mut self) -> Vec<Miss> {
        for index in 0..self.tree.documents.len() {
            self.trail.enter_document(index);
            self.walk(self.tree.documents[index].root);
        }
        self.misses.truncate(MOST);
        self.misses
    }

    /// Looks at a node and all below it. Nesting is bounded by the parser.
    fn walk(&mut self, node: usize) {
        if self.misses.len() >= MOST {
            return;
        }
        let tree = self.tree;
        match tree.kind(node) {
            Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } => self.block(node),
            Kind::Scalar { .. } => self.scalar(node),
            Kind::Mapping { flow: true } if self.braces(node) => {}
            Kind::Mapping { .. } => {
                self.mapping(node);
                for (key, value) in tree.entries(node) {
                    self.key(key);
                    self.trail.push(Step::Entry { mapping: node, key });
                    self.walk(value);
                    self.trail.pop();
                }
            }
            Kind::Sequence { .. } => {
                self.parameters(node);
                for (index, item) in tree.children(node).enumerate() {
                    self.trail.push(Step::Item { index, item });
                    self.walk(item);
                    self.trail.pop();
                }
            }
            Kind::Alias(target) => self.alias(node, target),
        }
    }

    /// Notes a near miss at a place of a scalar's value, unless a site stands there.
    fn report(&mut self, node: usize, at: usize, shown: &str, why: Why) {
        let path = self.trail.path();
        if !self.taken.contains(path.as_str()) {
            let at = self.place(node)(at);
            self.misses.push(Miss { at, path, shown: shown.to_owned(), why });
        }
    }

    /// Returns what tells where in the text a place of a scalar's value is: exactly where it can be told, or else where the scalar starts.
    fn place(&self, node: usize) -> impl Fn(usize) -> usize + use<> {
        let (layout, start) = (Layout::of(self.tree, node), self.tree.span(node).start);
        move |at| layout.as_ref().and_then(|layout| layout.in_text(&(at..at))).map_or(start, |range| range.start)
    }

    /// Says whether this is a place that names an image.
    fn is_named(&self) -> bool {
        self.trail.nearest_key().is_some_and(names_image) || self.trail.is_image_volume()
    }

    /// Looks at a key, as the features of a development container stand in.
    fn key(&mut self, key: usize) {
        let text = self.tree.text_of(key).unwrap_or_default();
        if text.contains([':', '@']) && has_host(text) && is_reference(text) {
            self.report(key, 0, text, Why::Key);
        }
    }

    /// Looks at a plain or quoted scalar.
    fn scalar(&mut self, node: usize) {
        let Some((value, style)) = self.tree.scalar(node) else { return };
        if self.tree.anchor(node) != 0 && self.taken.contains(self.trail.path().as_str()) {
            self.anchored.insert(node);
        }
        // What is empty, a number or a switch names nothing.
        let is_string = style != ScalarStyle::Plain || !quote::retypes(value);
        if !is_string || value.trim().is_empty() || value.len() > MAX_VALUE || self.judged.contains(&node) {
            return;
        }
        let why = if self.is_named() { self.named(value) } else { self.unnamed(value) };
        match why {
            Some(Why::Json) => {
                let shown = quoted(value, self.watch).next().map_or("{…}", |(_, text)| text);
                self.report(node, 0, shown, Why::Json);
            }
            Some(why) => self.report(node, 0, value, why),
            None => self.within(node, value),
        }
    }

    /// Judges the value of a key that names an image.
    fn named(&self, value: &str) -> Option<Why> {
        // `images` lists pictures, too.
        let is_plural = || self.trail.nearest_key().is_some_and(|key| key.ends_with(['s', 'S']));
        match Reference::parse(value) {
            _ if is_no_image(value) && !value.contains("://") => None,
            Ok(_) if self.trail.kind() == Some("ImageRepository") => Some(Why::Listed),
            Ok(_) if is_lone_digest(value) => Some(Why::NoRepository),
            Ok(reference) => (is_bare(&reference) && !is_plural()).then_some(Why::Unsure),
            Err(_) if is_template(value) => Some(Why::Template),
            Err(_) if value.contains("://") => Some(Why::Url),
            Err(_) if is_json(value) => Some(Why::Json),
            // Its words are looked at one by one.
            Err(_) if value.contains('=') || value.contains(char::is_whitespace) => None,
            Err(error) => (!is_plural() || has_host(value)).then_some(Why::Malformed(error.reason)),
        }
    }

    /// Judges the value of any other key as a whole.
    fn unnamed(&self, value: &str) -> Option<Why> {
        if let Ok(reference) = Reference::parse(value) {
            if is_pinned_tag(self.trail.nearest_key(), value) {
                return Some(Why::NoRepository);
            }
            if is_bare(&reference) {
                return (has_host(value) && self.watch.covers(reference.repository())).then_some(Why::NoTag);
            }
            return could_be(value, self.watch).then_some(Why::Unsure);
        }
        let holds_watched = || self.watch.hits(value).is_some_and(|hits| !hits.is_empty());
        if is_json(value) {
            return (value.contains("image\"") || holds_watched()).then_some(Why::Json);
        }
        (!value.contains(char::is_whitespace) && !value.contains("://") && is_template(value) && holds_watched()).then_some(Why::Template)
    }

    /// Looks at the words of a scalar: arguments, and references among prose or in a command.
    fn within(&mut self, node: usize, value: &str) {
        for (at, word) in words(value) {
            let why = match word.split_once('=') {
                Some((flag, given)) if names_image(flag) => argument(given),
                Some(_) => None,
                // Among other words, one without a slash could be anything.
                None if word.len() < value.len() && word.contains('/') && could_be(word, self.watch) => Some(Why::AmongWords),
                None => None,
            };
            if let Some(why) = why {
                self.report(node, at, word, why);
                return;
            }
        }
    }

    /// Looks into a block of text: as YAML where it is some, or else line by line.
    fn block(&mut self, node: usize) {
        let Some((value, _)) = self.tree.any_scalar(node) else { return };
        if holds_json(value) {
            let (path, place) = (self.trail.path(), self.place(node));
            let miss = |(at, shown): (usize, &str)| Miss { at: place(at), path: path.clone(), shown: shown.to_owned(), why: Why::Json };
            self.misses.extend(quoted(value, self.watch).take(MOST).map(miss));
            return;
        }
        let inner = Some(()).filter(|()| self.trail.layer() < MAX_LAYERS).and_then(|()| Tree::parse(value.as_bytes()).ok());
        if let Some(inner) = inner.filter(|tree| tree.documents.iter().any(|document| tree.is_collection(document.root))) {
            let mut near = Near::new(&inner, self.watch, self.taken);
            near.trail.lie_within(&mut self.trail);
            let place = self.place(node);
            self.misses.extend(near.run().into_iter().map(|miss| Miss { at: place(miss.at), ..miss }));
            return;
        }
        let (path, place) = (self.trail.path(), self.place(node));
        for (at, shown, is_templated) in lines(value, self.watch).take(MOST) {
            let why = if is_templated { Why::Template } else { Why::Block };
            self.misses.push(Miss { at: place(at), path: path.clone(), shown: shown.to_owned(), why });
        }
    }

    /// Looks at `{{ … }}`, which YAML takes for a mapping in a mapping, and says whether it is one.
    fn braces(&mut self, node: usize) -> bool {
        let start = self.tree.span(node).start;
        let Some(rest) = self.tree.text.get(start..).filter(|rest| rest.starts_with("{{")) else { return false };
        if self.is_named() {
            let end = rest.find("}}").map_or(rest.len(), |end| end + 2);
            let shown = rest.get(..end).unwrap_or(rest);
            let shown = shown.lines().next().unwrap_or_default();
            self.report(node, 0, shown, Why::Template);
        }
        true
    }

    /// Looks at an alias in an image's place.
    fn alias(&mut self, node: usize, target: usize) {
        let Some((value, _)) = self.tree.scalar(target).filter(|_| !self.anchored.contains(&target)) else { return };
        if self.is_named() && !self.judged.contains(&node) && is_reference(value) {
            let shown = self.tree.text.get(self.tree.span(node)).unwrap_or_default().to_owned();
            self.report(node, 0, &shown, Why::Alias);
        }
    }
}

/// Judges what is given to a flag that names an image.
fn argument(given: &str) -> Option<Why> {
    match Reference::parse(given) {
        _ if is_template(given) => Some(Why::Template),
        Ok(reference) => is_bare(&reference).then_some(Why::NoTag),
        Err(_) => None,
    }
}

/// Says whether a value is JSON with something in it.
fn is_json(value: &str) -> bool {
    let value = value.trim();
    let is_enclosed = value.starts_with('{') && value.ends_with('}') || value.starts_with('[') && value.ends_with(']');
    is_enclosed && value.contains('"') && serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok()
}

/// Visits what looks like a reference in JSON, with its place, and nothing else of it, as there may be secrets beside it.
fn quoted<'v>(json: &'v str, watch: &'v Watch) -> impl Iterator<Item = (usize, &'v str)> {
    let mut at = 0;
    json.split('"').filter_map(move |text| {
        let start = at;
        at += text.len() + 1;
        could_be(text, watch).then_some((start, text))
    })
}

/// Says whether a reference has neither tag nor digest.
fn is_bare(reference: &Reference) -> bool {
    reference.tag().is_none() && reference.digest().is_none()
}
