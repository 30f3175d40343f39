//! One YAML text as a flat list of nodes with exact byte spans.
//!
//! Aliases point to the node of their anchor and are never expanded, so the tree is no larger than the text,
//! whatever the text does with them.

mod full;
mod quick;

use std::borrow::Cow;
use std::ops::Range;

pub(super) use full::{Met, visit};
use granit_parser::{ScalarStyle, Tag};

use serde::{Deserialize, Serialize};

use crate::error::{Classified, Verdict};

/// The longest text that is read, in bytes.
pub const MAX_BYTES: usize = 24 << 20;
/// How many keys, values and collections are read: texts of nothing but `[,,` have far more of them than files.
const MAX_NODES: usize = 2_000_000;
/// How deep block and flow collections may nest, each.
const MAX_DEPTH: usize = 128;
/// How much of the parser's message is shown, in characters.
pub(super) const MAX_MESSAGE: usize = 160;

/// Why a text was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unreadable {
    /// It is no text in UTF-8.
    #[error("it is no UTF-8 text (byte {offset} breaks the encoding)")]
    NotUtf8 {
        /// How many bytes are good before the first bad one.
        offset: usize,
    },
    /// It starts with the byte-order mark of UTF-16.
    #[error("it is UTF-16, and only UTF-8 is read")]
    Utf16,
    /// It holds a NUL byte.
    #[error("it is binary (a NUL byte at offset {offset})")]
    Binary {
        /// Where the first NUL byte stands.
        offset: usize,
    },
    /// It is longer than [`MAX_BYTES`].
    #[error("it is too large ({bytes} bytes, {MAX_BYTES} are read at most)")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Its collections nest too deeply.
    #[error("its collections nest too deeply at line {line} ({MAX_DEPTH} levels are read)")]
    TooDeep {
        /// The line of the collection, from 1.
        line: usize,
    },
    /// It holds more keys and values than anyone writes.
    #[error("it holds more than {limit} keys and values")]
    TooManyNodes {
        /// How many are read.
        limit: usize,
    },
    /// It holds more sites than anyone writes.
    #[error("it holds more than {limit} image references")]
    TooManySites {
        /// How many are taken.
        limit: usize,
    },
    /// It holds more texts within its values than anyone writes.
    #[error("it holds more than {limit} texts within its values")]
    TooManyTexts {
        /// How many are read.
        limit: usize,
    },
    /// It merges (`<<`) more into its mappings than anyone writes.
    #[error("it merges more than {limit} entries into other mappings")]
    TooManyMerges {
        /// How many are merged.
        limit: usize,
    },
    /// It is no well-formed YAML.
    #[error("it is no YAML at line {line}, column {column}: {message}")]
    NotYaml {
        /// The line of the mistake, from 1.
        line: usize,
        /// The column of the mistake in characters, from 1.
        column: usize,
        /// What the parser says, without control characters.
        message: String,
    },
}

impl Classified for Unreadable {
    fn verdict(&self) -> Verdict {
        Verdict::Stalled
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotYaml { .. } | Self::TooDeep { .. } | Self::Binary { .. } => {
                Some("leave the file out with `paths` if it is no manifest".to_owned())
            }
            Self::NotUtf8 { .. } | Self::Utf16 => Some("save the file as UTF-8, as YAML for Kubernetes is".to_owned()),
            Self::TooLarge { .. }
            | Self::TooManyNodes { .. }
            | Self::TooManySites { .. }
            | Self::TooManyTexts { .. }
            | Self::TooManyMerges { .. } => Some("split the file or leave it out with `paths`".to_owned()),
        }
    }
}

/// Refuses UTF-16, in which a byte search for names finds nothing.
pub(super) fn refuse_utf16(text: &[u8]) -> Result<(), Unreadable> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") { Err(Unreadable::Utf16) } else { Ok(()) }
}

/// Reads bytes as a text within bounds.
pub(super) fn decode(text: &[u8]) -> Result<&str, Unreadable> {
    refuse_utf16(text)?;
    if text.len() > MAX_BYTES {
        return Err(Unreadable::TooLarge { bytes: text.len() });
    }
    let text = std::str::from_utf8(text).map_err(|error| Unreadable::NotUtf8 { offset: error.valid_up_to() })?;
    // Asked first without the place, because that is the faster search.
    if text.as_bytes().contains(&0) {
        return Err(Unreadable::Binary { offset: text.find('\0').unwrap_or_default() });
    }
    Ok(text)
}

/// A text with its nodes in the order of the text, parents before their children.
pub(super) struct Tree<'t> {
    pub(super) text: &'t str,
    pub(super) documents: Vec<Document>,
    nodes: Vec<Node>,
    /// What few nodes have.
    odds: Vec<Odd<'t>>,
    is_quick: bool,
}

/// A document of a text.
pub(super) struct Document {
    /// Its root node; it always has one, empty ones a null.
    pub(super) root: usize,
    /// Its bytes, with the directives and comments before it. Documents of a text lie end to end.
    pub(super) bytes: Range<usize>,
    /// Whether it starts with `---`.
    pub(super) explicit: bool,
    /// The version of its `%YAML` directive.
    pub(super) version: Option<(u32, u32)>,
}

/// What a node is: a value, or a key of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    Scalar {
        value: &'t str,
        style: ScalarStyle,
    },
    Sequence {
        flow: bool,
    },
    Mapping {
        flow: bool,
    },
    /// The node of the anchor that it names.
    Alias(usize),
}

/// A node as it is kept: small, as large texts have millions of them. Texts are far below 4 GiB.
struct Node {
    form: Form,
    start: u32,
    /// The end of its bytes.
    stop: u32,
    /// The index behind its last descendant.
    end: u32,
    /// The number of its oddity, from 1; 0 if it has none.
    odd: u32,
}

#[derive(Clone, Copy)]
enum Form {
    /// A scalar whose value stands in the text as it is, between quotes if it has these.
    Verbatim(ScalarStyle),
    /// A scalar whose value is told by its oddity.
    Rewritten(ScalarStyle),
    Sequence {
        flow: bool,
    },
    Mapping {
        flow: bool,
    },
    Alias,
}

/// What few nodes have.
#[derive(Default)]
struct Odd<'t> {
    node: usize,
    /// The value of a scalar that does not stand in the text as it is.
    value: Cow<'t, str>,
    /// The number of its anchor in the stream; 0 if it has none.
    anchor: usize,
    tag: Option<Box<Tag>>,
    /// The node of the anchor that an alias names.
    target: usize,
}

impl<'t> Tree<'t> {
    /// Says whether the quick reader has read it, so that the full one is another engine.
    pub(super) fn is_quick(&self) -> bool {
        self.is_quick
    }

    /// Reads a text.
    pub(super) fn parse(text: &'t [u8]) -> Result<Self, Unreadable> {
        let text = decode(text)?;
        quick::read(text, MAX_NODES).map_or_else(|| full::read(text, MAX_NODES), Ok)
    }

    fn new(text: &'t str) -> Self {
        Self { text, documents: Vec::new(), nodes: Vec::with_capacity((text.len() / 8).min(1 << 16)), odds: Vec::new(), is_quick: false }
    }

    /// Adds a node, which has no descendants yet.
    fn push(&mut self, form: Form, span: Range<usize>) {
        self.nodes.push(Node { form, start: small(span.start), stop: small(span.end), end: small(self.nodes.len() + 1), odd: 0 });
    }

    /// Adds a node with what few nodes have.
    fn push_odd(&mut self, form: Form, span: Range<usize>, odd: Odd<'t>) {
        let node = self.nodes.len();
        self.push(form, span);
        self.odds.push(Odd { node, ..odd });
        self.nodes[node].odd = small(self.odds.len());
    }

    /// Ends a collection behind the last node.
    fn close(&mut self, node: usize) {
        self.nodes[node].end = small(self.nodes.len());
    }

    /// Returns how many nodes it has.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns what a node is.
    pub(super) fn kind(&self, node: usize) -> Kind<'_> {
        let Node { form, start, stop, odd, .. } = self.nodes[node];
        match form {
            Form::Verbatim(style) => {
                let quote = u32::from(style != ScalarStyle::Plain);
                Kind::Scalar { value: &self.text[(start + quote) as usize..(stop - quote) as usize], style }
            }
            Form::Rewritten(style) => Kind::Scalar { value: self.odd(odd).map_or("", |odd| &odd.value), style },
            Form::Sequence { flow } => Kind::Sequence { flow },
            Form::Mapping { flow } => Kind::Mapping { flow },
            Form::Alias => Kind::Alias(self.odd(odd).map_or(node, |odd| odd.target)),
        }
    }

    /// Returns the bytes of a scalar, with its quotes, without anchor and tag; where a collection starts.
    pub(super) fn span(&self, node: usize) -> Range<usize> {
        let Node { start, stop, .. } = self.nodes[node];
        start as usize..stop as usize
    }

    /// Returns the index behind a node's last descendant.
    pub(super) fn end(&self, node: usize) -> usize {
        self.nodes[node].end as usize
    }

    /// Returns the number of a node's anchor in the stream; 0 if it has none.
    pub(super) fn anchor(&self, node: usize) -> usize {
        self.odd(self.nodes[node].odd).map_or(0, |odd| odd.anchor)
    }

    /// Returns a node's tag.
    pub(super) fn tag(&self, node: usize) -> Option<&Tag> {
        self.odd(self.nodes[node].odd)?.tag.as_deref()
    }

    fn odd(&self, number: u32) -> Option<&Odd<'t>> {
        self.odds.get((number as usize).checked_sub(1)?)
    }

    /// Says whether a node and all below it stand in the text as they are: without an alias, an anchor, a tag, or a scalar whose
    /// value is not what is written.
    pub(super) fn is_verbatim(&self, node: usize) -> bool {
        let next = self.odds.partition_point(|odd| odd.node < node);
        self.odds.get(next).is_none_or(|odd| odd.node >= self.end(node))
    }

    /// Returns the bytes of a node and of all below it, with what is behind it up to the next node.
    pub(super) fn reach(&self, node: usize) -> Range<usize> {
        let end = self.nodes.get(self.end(node)).map_or(self.text.len(), |next| next.start as usize);
        let Range { start, end: stop } = self.span(node);
        start..end.max(stop)
    }

    /// Says whether a node is a mapping.
    pub(super) fn is_mapping(&self, node: usize) -> bool {
        matches!(self.nodes[node].form, Form::Mapping { .. })
    }

    /// Says whether a node is a mapping or a sequence.
    pub(super) fn is_collection(&self, node: usize) -> bool {
        matches!(self.nodes[node].form, Form::Mapping { .. } | Form::Sequence { .. })
    }

    /// Returns a scalar's value and style; block scalars are none, because what they hold is text of its own.
    pub(super) fn scalar(&self, node: usize) -> Option<(&str, ScalarStyle)> {
        self.any_scalar(node).filter(|(_, style)| !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded))
    }

    /// Returns a scalar's value and style, whatever the style.
    pub(super) fn any_scalar(&self, node: usize) -> Option<(&str, ScalarStyle)> {
        if let Kind::Scalar { value, style } = self.kind(node) { Some((value, style)) } else { None }
    }

    /// Returns where a scalar's value stands in the text, if it stands there as it is: without escapes and on one line.
    pub(super) fn verbatim(&self, node: usize) -> Option<usize> {
        let Node { form: Form::Verbatim(style), start, .. } = self.nodes[node] else { return None };
        Some(start as usize + usize::from(style != ScalarStyle::Plain))
    }

    /// Says whether a scalar's value is not what stands in the text.
    pub(super) fn is_rewritten(&self, node: usize) -> bool {
        self.scalar(node).is_some() && self.verbatim(node).is_none()
    }

    /// Returns a scalar's value, following an alias; empty for a null that is not written.
    pub(super) fn text_of(&self, node: usize) -> Option<&str> {
        self.any_scalar(self.resolve(node)).map(|(value, _)| value)
    }

    /// Follows an alias to its anchor.
    pub(super) fn resolve(&self, node: usize) -> usize {
        if let Kind::Alias(target) = self.kind(node) { target } else { node }
    }

    /// Visits the children of a collection in order; in a mapping, keys and values in turn.
    pub(super) fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        let end = self.end(node);
        let mut next = node + 1;
        std::iter::from_fn(move || {
            let child = Some(next).filter(|&child| child < end)?;
            next = self.end(child);
            Some(child)
        })
    }

    /// Visits the entries of a mapping: its keys with their values.
    pub(super) fn entries(&self, mapping: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut children = self.children(mapping);
        std::iter::from_fn(move || children.next().zip(children.next()))
    }
}

/// Texts are far below 4 GiB.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Checks that the quick reader, if it can read a text, reads it as the full one does, to the byte; says whether it can.
#[cfg(any(test, fuzzing))]
pub(super) fn both_agree(text: &str) -> bool {
    let Some(quick) = quick::read(text, MAX_NODES) else { return false };
    match full::read(text, MAX_NODES) {
        Ok(full) => assert!(told(&quick) == told(&full), "{text:?}:\n{:?}\n{:?}", told(&quick), told(&full)),
        Err(error) => panic!("{text:?} is read, though {error}"),
    }
    true
}

/// All that a tree tells.
#[cfg(any(test, fuzzing))]
#[allow(clippy::type_complexity, reason = "made to be compared only")]
fn told<'w>(
    tree: &'w Tree<'_>,
) -> (Vec<(usize, Range<usize>, bool, Option<(u32, u32)>)>, Vec<(Kind<'w>, Option<usize>, Range<usize>, usize, usize, Option<&'w Tag>)>) {
    let documents = tree.documents.iter().map(|document| (document.root, document.bytes.clone(), document.explicit, document.version));
    let node = |node| (tree.kind(node), tree.verbatim(node), tree.span(node), tree.end(node), tree.anchor(node), tree.tag(node));
    (documents.collect(), (0..tree.len()).map(node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_lie_flat_with_their_bytes() {
        let text = "a: &x 'b'\n? [c]\n: {d: *x}\n---\n";
        let tree = Tree::parse(text.as_bytes()).unwrap();
        let kinds: String = (0..tree.len())
            .map(|node| match tree.kind(node) {
                Kind::Scalar { .. } => 's',
                Kind::Sequence { .. } => '[',
                Kind::Mapping { .. } => '{',
                Kind::Alias(_) => '*',
            })
            .collect();
        assert_eq!(kinds, "{ss[s{s*s");
        let entries: Vec<_> = tree.entries(0).collect();
        assert_eq!(entries, [(1, 2), (3, 5)]);
        assert_eq!(&text[tree.span(2)], "'b'");
        assert_eq!(tree.text_of(7), Some("b"), "through the alias");
        assert_eq!(tree.text_of(8), Some(""), "an empty document is a null that is not written");
        assert_eq!(
            tree.documents.iter().map(|document| (document.root, document.bytes.clone())).collect::<Vec<_>>(),
            [(0, 0..26), (8, 26..30)]
        );
    }

    #[test]
    fn an_unwritten_null_has_no_bytes() {
        let tree = Tree::parse(b"a:\nb: ~\n").unwrap();
        assert_eq!((tree.text_of(2), tree.span(2).is_empty()), (Some(""), true));
        assert_eq!((tree.text_of(4), tree.span(4)), (Some("~"), 6..7));
    }

    #[test]
    fn more_nodes_than_the_limit_are_refused() {
        assert!(full::read("[a, b, c]", 4).is_ok());
        assert_eq!(full::read("[a, b, c, d]", 4).err(), Some(Unreadable::TooManyNodes { limit: 4 }));
    }
}
