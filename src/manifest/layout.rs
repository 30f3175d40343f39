//! Where the bytes of a scalar's value stand in the text, whatever its style.
//!
//! Goes through the text by rules of its own, one file a family of styles, and through the value that the parser read side by
//! side: where the two do not add up there is no layout, and the scalar is out of reach for an edit instead of edited wrongly.

mod block;
mod flow;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::ScalarStyle;

use super::tree::Tree;

/// The most runs that are kept, which bounds the memory for a text of nothing but short lines.
const MAX_RUNS: usize = 1 << 19;

/// The runs of a scalar's value that stand in the text as they are; between them is what YAML makes of escapes, folds and indentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// In order, without gaps in the text where there are none in the value; line breaks are in none.
    runs: Vec<Run>,
    style: ScalarStyle,
    /// In a literal block: the line end with the indentation of the next line.
    line_break: Option<String>,
}

/// Bytes that are the same in the value and in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    // Texts are far below 4 GiB.
    in_value: u32,
    in_text: u32,
    len: u32,
}

impl Layout {
    /// Works out the layout of a scalar; none if it cannot be told.
    pub(super) fn of(tree: &Tree<'_>, node: usize) -> Option<Self> {
        let (value, style) = tree.any_scalar(node)?;
        let span = tree.span(node);
        let mut walk =
            Walk { text: tree.text.as_bytes(), at: span.start, end: span.end, value: value.as_bytes(), done: 0, runs: Vec::new() };
        let mut line_break = None;
        match style {
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let indented = block::walk(&mut walk, style == ScalarStyle::Folded)?;
                line_break = Some(indented).filter(|_| style == ScalarStyle::Literal);
            }
            _ if let Some(start) = tree.verbatim(node) => {
                // A value without bytes has its place, too.
                walk.at = start;
                walk.runs.push(walk.run(0)?);
                walk.same(value.len())?;
            }
            _ => flow::walk(&mut walk, style)?,
        }
        let Walk { runs, .. } = walk;
        Some(Self { runs, style, line_break })
    }

    /// Returns the layout of a scalar that has none: no part of it is in reach.
    pub(super) fn unknown(style: ScalarStyle) -> Self {
        Self { runs: Vec::new(), style, line_break: None }
    }

    /// Returns where a part of the value stands in the text; none if it does not stand there in one piece.
    pub(super) fn in_text(&self, part: &Range<usize>) -> Option<Range<usize>> {
        let next = self.runs.partition_point(|run| run.in_value as usize <= part.start);
        let run = self.runs.get(next.checked_sub(1)?)?;
        let start = run.in_text as usize + (part.start - run.in_value as usize);
        (part.start <= part.end && part.end <= (run.in_value + run.len) as usize).then(|| start..start + part.len())
    }

    /// Writes a part of a value as it must stand within the scalar; none if the style cannot hold it.
    pub(super) fn spell<'p>(&self, part: &'p str) -> Option<Cow<'p, str>> {
        let special: &[char] = match self.style {
            ScalarStyle::Plain | ScalarStyle::Folded => &[],
            ScalarStyle::SingleQuoted => &['\''],
            ScalarStyle::DoubleQuoted => &['"', '\\'],
            ScalarStyle::Literal => &['\n'],
        };
        if !part.contains(|character: char| character.is_control() || special.contains(&character)) {
            return Some(Cow::Borrowed(part));
        }
        let mut spelt = String::with_capacity(part.len() + 8);
        for character in part.chars() {
            match (self.style, character) {
                (ScalarStyle::SingleQuoted, '\'') => spelt.push_str("''"),
                (ScalarStyle::DoubleQuoted, '"' | '\\' | '\n' | '\r' | '\t') => spelt.extend(character.escape_default()),
                (ScalarStyle::Literal, '\n') => spelt.push_str(self.line_break.as_deref()?),
                (_, '\t') => spelt.push(character),
                _ if character.is_control() => return None,
                _ => spelt.push(character),
            }
        }
        Some(Cow::Owned(spelt))
    }
}

/// Goes through a scalar's text and its value side by side.
struct Walk<'s> {
    text: &'s [u8],
    /// How far it is in the text.
    at: usize,
    /// Where the scalar ends.
    end: usize,
    value: &'s [u8],
    /// How far it is in the value.
    done: usize,
    runs: Vec<Run>,
}

impl<'s> Walk<'s> {
    /// Returns what is left of the scalar's text.
    fn rest(&self) -> &'s [u8] {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    /// Goes over bytes that must be the same in text and value.
    fn same(&mut self, len: usize) -> Option<()> {
        if len == 0 {
            return Some(());
        }
        let end = self.at.checked_add(len).filter(|&end| end <= self.end)?;
        if self.text.get(self.at..end)? != self.value.get(self.done..self.done + len)? {
            return None;
        }
        let new = self.run(len)?;
        let is_full = self.runs.len() >= MAX_RUNS;
        match self.runs.last_mut() {
            Some(last) if last.in_value + last.len == new.in_value && last.in_text + last.len == new.in_text => last.len += new.len,
            _ if is_full => return None,
            _ => self.runs.push(new),
        }
        (self.at, self.done) = (end, self.done + len);
        Some(())
    }

    /// Goes over bytes of the text that make these bytes of the value.
    fn made(&mut self, len: usize, made: &[u8]) -> Option<()> {
        let rest = self.value.get(self.done..)?;
        self.at = self.at.checked_add(len).filter(|&end| end <= self.end)?;
        self.done += made.len();
        rest.starts_with(made).then_some(())
    }

    /// Expects line breaks in the value that stand for what was gone over.
    fn breaks(&mut self, count: usize) -> Option<()> {
        let made = self.value.get(self.done..self.done.checked_add(count)?)?;
        self.done += count;
        made.iter().all(|&byte| byte == b'\n').then_some(())
    }

    fn run(&self, len: usize) -> Option<Run> {
        let [in_value, in_text, len] = [self.done, self.at, len].map(u32::try_from);
        Some(Run { in_value: in_value.ok()?, in_text: in_text.ok()?, len: len.ok()? })
    }
}

/// Returns how long a line break is at the start of a text, LF, CR LF or CR; 0 if there is none.
fn line_break(text: &[u8]) -> usize {
    match text {
        [b'\r', b'\n', ..] => 2,
        [b'\n' | b'\r', ..] => 1,
        _ => 0,
    }
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Counts the bytes at the start of a text up to the first that is wanted, or to its end.
fn up_to(text: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|&byte| wanted(byte)).unwrap_or(text.len())
}
