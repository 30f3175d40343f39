//! Mistakes, and how they are shown: file, line, column, the source line and a caret.
//!
//! Owns the rendering, and the promise that a secret written in the wrong place is not shown with its line.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::source::{Source, Span};
use crate::redact::REDACTED;

/// All mistakes of a policy file, sorted by file and line; displays as plain text, each with its source line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    mistakes: Vec<Mistake>,
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file, or the environment variable.
    pub file: String,
    /// Where in the file; none if it is about the whole file.
    pub at: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What can be done about it.
    pub help: Option<String>,
    excerpt: Option<Excerpt>,
}

/// A place in a text, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// The line of a mistake, with secrets blanked out, and the bytes of it that are at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    line: String,
    fault: Range<usize>,
}

impl std::error::Error for Report {}

impl Report {
    pub(super) fn new(mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
        Self { mistakes }
    }

    /// Returns the mistakes by file and line.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// Shows all mistakes with their source lines, in colour if wanted.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let shown: Vec<String> = self.mistakes.iter().map(|mistake| renderer.render(&[mistake.group()])).collect();
        shown.join("\n\n")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// How much of a line is shown on either side of a mistake's place, in bytes: a generated file may have lines of megabytes. Where
/// more stands in front, the line is not shown at all, since its columns would not be true.
const LONGEST: usize = 2000;

/// What is shown instead of hidden text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mask {
    /// The same few stars, however long it is.
    Fixed,
    /// A star for each character.
    OfTheSameLength,
}

fn masked(text: &str, hidden: impl Fn(usize) -> bool, mask: Mask) -> String {
    let (mut shown, mut within) = (String::new(), false);
    for (at, character) in text.char_indices() {
        match (hidden(at), mask) {
            (false, _) => shown.push(character),
            (true, Mask::OfTheSameLength) => shown.push('*'),
            (true, Mask::Fixed) if !within => shown.push_str(REDACTED),
            (true, Mask::Fixed) => {}
        }
        within = hidden(at);
    }
    shown
}

impl Mistake {
    /// A mistake about a whole file or variable.
    pub(super) fn of_file(file: &str, message: String, help: Option<String>) -> Self {
        Self { file: file.to_owned(), at: None, message, help, excerpt: None }
    }

    /// A mistake at a place, whose line is shown with `concealed` blanked out. In front of the place each hidden character
    /// is a star, so that columns are true; from there on the length is hidden as well.
    pub(super) fn at(source: &Source, span: Span, concealed: &[Span], message: String, help: Option<String>) -> Self {
        let text = source.text.as_str();
        let start = text.floor_char_boundary(span.start);
        let (number, line) = source.line(start);
        let start = start.min(line.end);
        let at = Position { line: number, column: text[line.start..start].chars().count() + 1 };
        let mut mistake = Self { file: source.name.clone(), at: Some(at), message, help, excerpt: None };
        if start - line.start > LONGEST {
            return mistake;
        }
        let end = text.floor_char_boundary(span.end.min(start + LONGEST)).clamp(start, line.end);
        let last = text.floor_char_boundary(end + LONGEST).min(line.end);
        let here = |c: &&Span| c.source == span.source && c.start < last && c.end > line.start;
        let concealed: Vec<&Span> = concealed.iter().filter(here).collect();
        let hidden = |at: usize| concealed.iter().any(|c| (c.start..c.end).contains(&at));
        let shown = |range: Range<usize>, mask: Mask| masked(&text[range.clone()], |at| hidden(range.start + at), mask);
        let before = shown(line.start..start, Mask::OfTheSameLength);
        let fault = shown(start..end, Mask::Fixed);
        let fault_range = before.len()..before.len() + fault.len();
        let line = before + &fault + &shown(end..last, Mask::Fixed);
        mistake.excerpt = Some(Excerpt { line, fault: fault_range });
        mistake
    }

    fn group(&self) -> Group<'_> {
        let group = Level::ERROR.primary_title(self.message.as_str());
        let group = match (&self.excerpt, self.at) {
            (Some(excerpt), Some(at)) => group.element(
                Snippet::source(excerpt.line.as_str())
                    .path(self.file.as_str())
                    .line_start(at.line)
                    .annotation(AnnotationKind::Primary.span(excerpt.fault.clone())),
            ),
            (None, Some(at)) => group.element(Origin::path(self.file.as_str()).line(at.line).char_column(at.column)),
            (_, None) => group.element(Origin::path(self.file.as_str())),
        };
        match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}
