//! Reads any YAML, by the events of `granit_parser`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StructureStyle, Tag};

use super::{Document, Form, Kind, MAX_DEPTH, MAX_MESSAGE, Odd, Tree, Unreadable};

/// Reads a text with a number of nodes at most.
pub(super) fn read(text: &str, limit: usize) -> Result<Tree<'_>, Unreadable> {
    let mut builder = Builder { tree: Tree::new(text), open: Vec::new(), anchors: HashMap::new() };
    let mut parser = Parser::new_from_str_with_options(text, options());
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| unreadable(&error))?;
        builder.take(event, span)?;
        if builder.tree.len() > limit {
            return Err(Unreadable::TooManyNodes { limit });
        }
    }
    Ok(builder.tree)
}

/// What the full reader meets in a text.
pub(in super::super) enum Met<'e> {
    /// The start of a document.
    Document,
    /// A scalar, or the start of a collection, without anchor and tag.
    Node(Kind<'e>),
    /// The end of a collection.
    End,
    /// Something with an anchor or a tag, or an alias.
    Odd,
}

/// Reads a text and keeps nothing of it, as long as `wants` says yes; says whether it was read to its end.
pub(in super::super) fn visit(text: &str, mut wants: impl FnMut(Met<'_>) -> bool) -> bool {
    let mut parser = Parser::new_from_str_with_options(text, options());
    while let Some(next) = parser.next_event() {
        let Ok((event, span)) = next else { return false };
        let met = match &event {
            Event::DocumentStart(..) => Met::Document,
            Event::Scalar(_, style, 0, None) if span.byte_range().is_some_and(|bytes| bytes.is_empty()) => {
                Met::Node(Kind::Scalar { value: "", style: *style })
            }
            Event::Scalar(value, style, 0, None) => Met::Node(Kind::Scalar { value, style: *style }),
            Event::SequenceStart(style, 0, None) => Met::Node(Kind::Sequence { flow: *style == StructureStyle::Flow }),
            Event::MappingStart(style, 0, None) => Met::Node(Kind::Mapping { flow: *style == StructureStyle::Flow }),
            Event::SequenceEnd | Event::MappingEnd => Met::End,
            Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..) | Event::Alias(_) => Met::Odd,
            _ => continue,
        };
        if !wants(met) {
            return false;
        }
    }
    true
}

fn options() -> granit_parser::Options {
    granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        // As libyaml reads it, so that both readers of the proof agree.
        block_scalar_eof_without_line_feed: true,
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
                let root = self.tree.len();
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
            Event::Scalar(value, style, anchor, tag) => self.scalar(value, style, bytes, anchor, tag),
            Event::SequenceStart(style, anchor, tag) => {
                self.open(Form::Sequence { flow: style == StructureStyle::Flow }, bytes, anchor, tag);
            }
            Event::MappingStart(style, anchor, tag) => self.open(Form::Mapping { flow: style == StructureStyle::Flow }, bytes, anchor, tag),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(node) = self.open.pop() {
                    self.tree.close(node);
                }
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(&target) => self.node(Form::Alias, bytes, Odd { target, ..Odd::default() }),
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

    fn scalar(&mut self, value: Cow<'t, str>, style: ScalarStyle, span: Range<usize>, anchor: usize, tag: Option<Cow<'t, Tag>>) {
        // The parser says `~` for a null that is not written; its value is what stands there: nothing.
        let value = if span.is_empty() { Cow::Borrowed("") } else { value };
        let written = match style {
            ScalarStyle::Plain => self.tree.text.get(span.clone()),
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => self.tree.text.get(span.start + 1..span.end.saturating_sub(1)),
            ScalarStyle::Literal | ScalarStyle::Folded => None,
        };
        match written {
            Some(written) if written == value => self.node(Form::Verbatim(style), span, odd(anchor, tag)),
            _ => self.node(Form::Rewritten(style), span, Odd { value, ..odd(anchor, tag) }),
        }
    }

    fn open(&mut self, form: Form, span: Range<usize>, anchor: usize, tag: Option<Cow<'t, Tag>>) {
        self.open.push(self.tree.len());
        self.node(form, span, odd(anchor, tag));
    }

    fn node(&mut self, form: Form, span: Range<usize>, odd: Odd<'t>) {
        if odd.anchor != 0 {
            self.anchors.insert(odd.anchor, self.tree.len());
        }
        if matches!(form, Form::Rewritten(_) | Form::Alias) || odd.anchor != 0 || odd.tag.is_some() {
            self.tree.push_odd(form, span, odd);
        } else {
            self.tree.push(form, span);
        }
    }
}

fn odd<'t>(anchor: usize, tag: Option<Cow<'t, Tag>>) -> Odd<'t> {
    Odd { anchor, tag: tag.map(|tag| Box::new(tag.into_owned())), ..Odd::default() }
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
