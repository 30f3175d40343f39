//! One YAML text as a flat list of nodes with exact byte spans.
//!
//! Aliases point to the node of their anchor and are never expanded, so the tree is no larger than the text,
//! whatever the text does with them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};

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
    pub(super) nodes: Vec<Node<'t>>,
    pub(super) documents: Vec<Document>,
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

/// A value, or a key of a mapping.
pub(super) struct Node<'t> {
    pub(super) kind: Kind<'t>,
    /// The index behind its last descendant.
    pub(super) end: usize,
    /// The bytes of a scalar, with its quotes, without anchor and tag; where a collection starts.
    pub(super) span: Range<usize>,
    /// The number of its anchor in the stream; 0 if it has none.
    pub(super) anchor: usize,
    pub(super) tag: Option<Box<Tag>>,
}

pub(super) enum Kind<'t> {
    Scalar {
        value: Cow<'t, str>,
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

impl<'t> Tree<'t> {
    /// Reads a text.
    pub(super) fn parse(text: &'t [u8]) -> Result<Self, Unreadable> {
        Self::parse_up_to(text, MAX_NODES)
    }

    fn parse_up_to(text: &'t [u8], limit: usize) -> Result<Self, Unreadable> {
        let text = decode(text)?;
        let mut builder = Builder {
            tree: Self { text, nodes: Vec::with_capacity((text.len() / 8).min(1 << 16)), documents: Vec::new() },
            open: Vec::new(),
            anchors: HashMap::new(),
        };
        let options = granit_parser::options! {
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
            // As libyaml reads it, so that both readers of the proof agree.
            block_scalar_eof_without_line_feed: true,
        };
        let mut parser = Parser::new_from_str_with_options(text, options);
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| unreadable(&error))?;
            builder.take(event, span)?;
            if builder.tree.nodes.len() > limit {
                return Err(Unreadable::TooManyNodes { limit });
            }
        }
        Ok(builder.tree)
    }

    /// Returns a scalar's value and style; block scalars are none, because what they hold is text of its own.
    pub(super) fn scalar(&self, node: usize) -> Option<(&str, ScalarStyle)> {
        match &self.nodes[node].kind {
            Kind::Scalar { value, style } if !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) => Some((value, *style)),
            _ => None,
        }
    }

    /// Returns a scalar's value and style, whatever the style.
    pub(super) fn any_scalar(&self, node: usize) -> Option<(&str, ScalarStyle)> {
        match &self.nodes[node].kind {
            Kind::Scalar { value, style } => Some((value, *style)),
            _ => None,
        }
    }

    /// Returns where a scalar's value stands in the text, if it stands there as it is: without escapes and on one line.
    pub(super) fn verbatim(&self, node: usize) -> Option<usize> {
        let (value, style) = self.scalar(node)?;
        let span = &self.nodes[node].span;
        let quote = usize::from(style != ScalarStyle::Plain);
        let start = span.start + quote;
        (span.len() == value.len() + 2 * quote && self.text.get(start..start + value.len()) == Some(value)).then_some(start)
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
        match self.nodes[node].kind {
            Kind::Alias(target) => target,
            _ => node,
        }
    }

    /// Visits the children of a collection in order; in a mapping, keys and values in turn.
    pub(super) fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        let end = self.nodes[node].end;
        let mut next = node + 1;
        std::iter::from_fn(move || {
            let child = Some(next).filter(|&child| child < end)?;
            next = self.nodes[child].end;
            Some(child)
        })
    }

    /// Visits the entries of a mapping: its keys with their values.
    pub(super) fn entries(&self, mapping: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut children = self.children(mapping);
        std::iter::from_fn(move || children.next().zip(children.next()))
    }
}

/// Puts nodes together from the parser's events.
struct Builder<'t> {
    tree: Tree<'t>,
    /// The collections that have not ended yet.
    open: Vec<usize>,
    /// By the parser's number: the anchored nodes.
    anchors: HashMap<usize, usize>,
}

impl<'t> Builder<'t> {
    fn take(&mut self, event: Event<'t>, span: Span) -> Result<(), Unreadable> {
        let bytes = span.byte_range().unwrap_or_default();
        match event {
            Event::DocumentStart(explicit, version) => {
                let start = self.tree.documents.last().map_or(0, |document| document.bytes.end);
                let version = version.map(|version| (version.major, version.minor));
                let root = self.tree.nodes.len();
                self.tree.documents.push(Document { root, bytes: start..start, explicit, version });
            }
            Event::DocumentEnd => {
                if let Some(document) = self.tree.documents.last_mut() {
                    document.bytes.end = bytes.end;
                }
            }
            Event::StreamEnd => {
                if let Some(document) = self.tree.documents.last_mut() {
                    document.bytes.end = self.tree.text.len();
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                // The parser says `~` for a null that is not written; its value is what stands there: nothing.
                let value = if bytes.is_empty() { Cow::Borrowed("") } else { value };
                self.node(Kind::Scalar { value, style }, bytes, anchor, tag);
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.open(Kind::Sequence { flow: style == StructureStyle::Flow }, bytes, anchor, tag);
            }
            Event::MappingStart(style, anchor, tag) => self.open(Kind::Mapping { flow: style == StructureStyle::Flow }, bytes, anchor, tag),
            Event::SequenceEnd | Event::MappingEnd => {
                let end = self.tree.nodes.len();
                if let Some(node) = self.open.pop() {
                    self.tree.nodes[node].end = end;
                }
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(&target) => self.node(Kind::Alias(target), bytes, 0, None),
                None => {
                    let message = "an alias without its anchor".to_owned();
                    return Err(Unreadable::NotYaml { line: span.start.line(), column: span.start.col() + 1, message });
                }
            },
            // Comments and what else is only presentation.
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, kind: Kind<'t>, span: Range<usize>, anchor: usize, tag: Option<Cow<'t, Tag>>) {
        self.open.push(self.tree.nodes.len());
        self.node(kind, span, anchor, tag);
    }

    fn node(&mut self, kind: Kind<'t>, span: Range<usize>, anchor: usize, tag: Option<Cow<'t, Tag>>) {
        let index = self.tree.nodes.len();
        if anchor != 0 {
            self.anchors.insert(anchor, index);
        }
        self.tree.nodes.push(Node { kind, end: index + 1, span, anchor, tag: tag.map(|tag| Box::new(tag.into_owned())) });
    }
}

fn unreadable(error: &ScanError) -> Unreadable {
    let line = error.marker().line();
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return Unreadable::TooDeep { line };
    }
    let mut message = String::new();
    for character in error.info().chars().take(MAX_MESSAGE) {
        message.push(if character.is_control() { ' ' } else { character });
    }
    Unreadable::NotYaml { line, column: error.marker().col() + 1, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_lie_flat_with_their_bytes() {
        let text = "a: &x 'b'\n? [c]\n: {d: *x}\n---\n";
        let tree = Tree::parse(text.as_bytes()).unwrap();
        let kinds: String = tree
            .nodes
            .iter()
            .map(|node| match node.kind {
                Kind::Scalar { .. } => 's',
                Kind::Sequence { .. } => '[',
                Kind::Mapping { .. } => '{',
                Kind::Alias(_) => '*',
            })
            .collect();
        assert_eq!(kinds, "{ss[s{s*s");
        let entries: Vec<_> = tree.entries(0).collect();
        assert_eq!(entries, [(1, 2), (3, 5)]);
        assert_eq!(&text[tree.nodes[2].span.clone()], "'b'");
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
        assert_eq!((tree.text_of(2), tree.nodes[2].span.is_empty()), (Some(""), true));
        assert_eq!((tree.text_of(4), tree.nodes[4].span.clone()), (Some("~"), 6..7));
    }

    #[test]
    fn more_nodes_than_the_limit_are_refused() {
        assert!(Tree::parse_up_to(b"[a, b, c]", 4).is_ok());
        assert_eq!(Tree::parse_up_to(b"[a, b, c, d]", 4).err(), Some(Unreadable::TooManyNodes { limit: 4 }));
    }
}
