//! Places for new values: behind an entry that a mapping has, written as that one is, and in the place of a null.

use granit_parser::ScalarStyle;

use super::super::site::NewEntry;
use super::super::tree::{Kind, Tree};

/// An entry of a mapping, as nodes.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) mapping: usize,
    pub(super) key: usize,
    pub(super) value: usize,
}

impl Entry {
    /// Finds the place for an entry of another name behind this one: on a line of its own, with this one's indentation and line
    /// end, or behind a comma in a flow mapping. None if the text around is not plain enough to tell.
    pub(super) fn new_behind(self, tree: &Tree<'_>, name: &str) -> Option<NewEntry> {
        let style = tree.scalar(self.key)?.1;
        let key = match style {
            ScalarStyle::SingleQuoted => format!("'{name}'"),
            ScalarStyle::DoubleQuoted => format!("\"{name}\""),
            _ => name.to_owned(),
        };
        let gap = match tree.kind(self.mapping) {
            Kind::Mapping { flow: false } => self.in_block(tree),
            Kind::Mapping { flow: true } => self.in_flow(tree, style == ScalarStyle::Plain),
            _ => None,
        }?;
        let (start, end) = gap.span;
        let lead = format!("{}{key}:{}", gap.lead, gap.behind_colon);
        let tail = gap.tail.to_owned();
        Some(NewEntry { mapping: self.mapping, node: tree.end(self.value), span: start..end, lead, tail, key: name.to_owned(), style })
    }

    fn in_block<'t>(self, tree: &Tree<'t>) -> Option<Gap<'t>> {
        let text = tree.text;
        let start = tree.span(self.mapping).start;
        let margin = text.get(line_start(text, start)..start)?.trim_start_matches('\u{feff}');
        // In a list's item or behind `? ` the first entry is not the first on its line; spaces stand below those.
        if !margin.bytes().all(|byte| b" -?:".contains(&byte)) {
            return None;
        }
        let at = self.end_of_lines(tree)?;
        let lead = format!("{}{}", line_end(text, at), " ".repeat(margin.len()));
        Some(Gap { span: (at, at), lead, behind_colon: " ", tail: "" })
    }

    /// Returns where the last line of the entry ends in a block mapping.
    fn end_of_lines(self, tree: &Tree<'_>) -> Option<usize> {
        let text = tree.text;
        if !matches!(tree.kind(self.value), Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. }) {
            let end = end_of(tree, self.value)?;
            let line_end = next_break(text, end);
            return is_blank_or_comment(text.get(end..line_end)?).then_some(line_end);
        }
        // A block scalar's bytes go on to the next key. A tag ends in no line break, so blank lines are none of its value.
        let span = tree.span(self.value);
        let content = text.get(span.clone())?.trim_end_matches([' ', '\t', '\r', '\n']);
        (!content.is_empty()).then(|| next_break(text, span.start + content.len()))
    }

    fn in_flow<'t>(self, tree: &Tree<'t>, plain: bool) -> Option<Gap<'t>> {
        let text = tree.text;
        let mapping = tree.span(self.mapping);
        if mapping.is_empty() {
            return None; // `[a: b]` is a mapping that cannot have a second entry
        }
        let key = tree.span(self.key);
        let end = end_of(tree, self.value)?;
        let behind_colon = match text.get(key.end..end)?.split_once(':') {
            Some((_, rest)) if !plain && rest.starts_with(|c: char| !c.is_whitespace()) => "",
            Some(_) => " ",
            None => return None,
        };
        let line = line_start(text, key.start);
        let (before, rest) = (text.get(line..key.start)?, text.get(end..next_break(text, end))?);
        if line > mapping.start && before.trim_ascii().is_empty() && line_start(text, end) == line {
            let line_end = end + rest.len();
            let own_line = format!("{}{before}", line_end_before(text, line));
            if rest.trim_ascii_start().strip_prefix(',').is_some_and(is_blank_or_comment) {
                return Some(Gap { span: (line_end, line_end), lead: own_line, behind_colon, tail: "," });
            }
            if is_blank_or_comment(rest) {
                let comment = if rest.trim_ascii().is_empty() { "" } else { rest };
                return Some(Gap { span: (end, end + comment.len()), lead: format!(",{comment}{own_line}"), behind_colon, tail: "" });
            }
        }
        let blanks = |text: &str| text.starts_with([' ', '\t']);
        let spaced = match rest.trim_ascii_start().strip_prefix(',') {
            Some(next) => !next.is_empty() && blanks(next) || next.is_empty() && behind_colon == " ",
            None if before.trim_ascii_end().ends_with(',') => before.ends_with([' ', '\t']),
            None => behind_colon == " ",
        };
        Some(Gap { span: (end, end), lead: if spaced { ", " } else { "," }.to_owned(), behind_colon, tail: "" })
    }
}

/// Where a new entry goes, and what stands around its key and value.
struct Gap<'t> {
    span: (usize, usize),
    lead: String,
    behind_colon: &'t str,
    tail: &'t str,
}

/// Returns where a scalar that is no block, or an alias, ends in the text.
fn end_of(tree: &Tree<'_>, value: usize) -> Option<usize> {
    let span = tree.span(value);
    match tree.kind(value) {
        Kind::Scalar { style: ScalarStyle::Literal | ScalarStyle::Folded, .. } | Kind::Sequence { .. } | Kind::Mapping { .. } => None,
        Kind::Scalar { .. } if span.is_empty() => place_of_null(tree, value),
        Kind::Scalar { .. } | Kind::Alias(_) => Some(span.end),
    }
}

/// Returns where the value is to be written of a null that is not: behind the colon, or behind its anchor or tag.
pub(super) fn place_of_null(tree: &Tree<'_>, node: usize) -> Option<usize> {
    let span = tree.span(node);
    if tree.anchor(node) != 0 || tree.tag(node).is_some() {
        return Some(span.end);
    }
    let rest = tree.text.get(span.end..)?;
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    // A key without a colon (`{tag}`, `? tag`) has no place for a value.
    rest[blanks..].starts_with(':').then_some(span.end + blanks + 1)
}

fn is_break(byte: &u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn line_start(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().rposition(is_break).map_or(0, |before| before + 1)
}

fn next_break(text: &str, at: usize) -> usize {
    text.as_bytes()[at..].iter().position(is_break).map_or(text.len(), |length| at + length)
}

/// Returns how the line ends that ends here, or, if the text does, how one before it does.
fn line_end(text: &str, at: usize) -> &'static str {
    match text.as_bytes()[at..] {
        [b'\r', b'\n', ..] => "\r\n",
        [b'\r', ..] => "\r",
        [b'\n', ..] => "\n",
        _ => line_end_before(text, line_start(text, at)),
    }
}

/// Returns how the line before the start of another one ends.
fn line_end_before(text: &str, start: usize) -> &'static str {
    match text.as_bytes()[..start] {
        [.., b'\r', b'\n'] => "\r\n",
        [.., b'\r'] => "\r",
        _ => "\n",
    }
}

fn is_blank_or_comment(rest: &str) -> bool {
    let words = rest.trim_start_matches([' ', '\t']);
    words.is_empty() || words.starts_with('#') && words.len() < rest.len()
}
