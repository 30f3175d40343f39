//! Mistakes, and how they are shown: file, line, column, the source line and a caret.
//!
//! Owns the rendering, and the promise that a secret written in the wrong place is not shown with its line.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::source::{Source, Span};

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

impl Mistake {
    /// A mistake about a whole file or variable.
    pub(super) fn of_file(file: &str, message: String, help: Option<String>) -> Self {
        Self { file: file.to_owned(), at: None, message, help, excerpt: None }
    }

    /// A mistake at a place, whose line is shown with `concealed` blanked out.
    pub(super) fn at(source: &Source, span: Span, concealed: &[Span], message: String, help: Option<String>) -> Self {
        let text = source.text.as_str();
        let start = text.floor_char_boundary(span.start);
        let (number, line) = source.line(start);
        let start = start.min(line.end);
        let end = text.floor_char_boundary(span.end).clamp(start, line.end);
        let here = |c: &&Span| c.source == span.source && c.start < line.end && c.end > line.start;
        let concealed: Vec<&Span> = concealed.iter().filter(here).collect();
        let hidden = |at: usize| concealed.iter().any(|c| (c.start..c.end).contains(&at));
        let shown = |range: Range<usize>| -> String {
            text[range.clone()].char_indices().map(|(at, c)| if hidden(range.start + at) { '*' } else { c }).collect()
        };
        let before = shown(line.start..start);
        let at = Position { line: number, column: before.chars().count() + 1 };
        let fault = shown(start..end);
        let fault_range = before.len()..before.len() + fault.len();
        let line = before + &fault + &shown(end..line.end);
        Self { file: source.name.clone(), at: Some(at), message, help, excerpt: Some(Excerpt { line, fault: fault_range }) }
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
            _ => group.element(Origin::path(self.file.as_str())),
        };
        match &self.help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        }
    }
}
