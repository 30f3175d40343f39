//! The two forms of a log line, and the escaping that keeps a line one line.

use std::fmt::Write as _;
use std::io;

use anstyle::{AnsiColor, Style as Colour};
use jiff::Timestamp;
use serde::Serialize as _;
use serde_json::{Map, Value};
use tracing::Level;

use super::fields::Fields;

/// Which form.
#[derive(Clone, Copy, Debug)]
pub(super) enum Style {
    /// `2026-11-22T10:00:00Z INFO  pushed environment=prod commit=1a2b3c4`
    Text {
        /// With a terminal's colours.
        colours: bool,
    },
    /// `{"timestamp":"2026-11-22T10:00:00.000Z","level":"INFO","message":"pushed","environment":"prod","commit":"1a2b3c4"}`
    Json,
}

/// All that a line is made of.
pub(super) struct Line<'a> {
    /// When the event happened.
    pub(super) at: Timestamp,
    /// How important it is.
    pub(super) level: Level,
    /// The module it comes from; shown only if that is a library's.
    pub(super) target: &'a str,
    /// The message and the fields.
    pub(super) fields: &'a Fields,
}

impl Line<'_> {
    /// Returns the line with the line break at its end, the only one in it.
    pub(super) fn render(&self, style: Style) -> String {
        let mut line = match style {
            Style::Text { colours } => self.text(colours),
            Style::Json => self.json(),
        };
        line.push('\n');
        line
    }

    /// Returns the library that the event comes from, if it is not Tagboat's own.
    fn library(&self) -> Option<&str> {
        (!super::is_own(self.target)).then_some(self.target)
    }

    fn text(&self, colours: bool) -> String {
        let paint = |colour: Colour| if colours { colour } else { Colour::new() };
        let (dim, level) = (paint(Colour::new().dimmed()), paint(colour_of(self.level)));
        let mut line = format!("{dim}{:.0}{dim:#} {level}{:<5}{level:#} ", self.at, self.level.as_str());
        escape(&mut line, &self.fields.message);
        let library = self.library().map(|target| ("target", Value::from(target)));
        for (name, value) in library.iter().chain(&self.fields.values) {
            let _ = write!(line, " {dim}{name}={dim:#}");
            match value {
                Value::String(text) => quote(&mut line, text),
                other => {
                    let _ = write!(line, "{other}");
                }
            }
        }
        line
    }

    fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("timestamp".to_owned(), format!("{:.3}", self.at).into());
        object.insert("level".to_owned(), self.level.as_str().into());
        object.insert("message".to_owned(), self.fields.message.as_str().into());
        if let Some(target) = self.library() {
            object.insert("target".to_owned(), target.into());
        }
        for (name, value) in &self.fields.values {
            // A field cannot take the place of the four above.
            object.entry(*name).or_insert_with(|| value.clone());
        }
        let mut bytes = Vec::new();
        let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Printable);
        // A map of strings and numbers always serialises, and always to UTF-8.
        let _ = object.serialize(&mut serializer);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn colour_of(level: Level) -> Colour {
    match level {
        Level::ERROR => AnsiColor::Red.on_default().bold(),
        Level::WARN => AnsiColor::Yellow.on_default(),
        Level::INFO => AnsiColor::Green.on_default(),
        _ => AnsiColor::Blue.on_default(),
    }
}

/// Whether a character shows as itself: control characters, line separators and marks that turn the text's direction do not.
fn is_printable(c: char) -> bool {
    // `escape_debug` knows Unicode's unprintable characters, but escapes these three for the sake of Rust's quotes.
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// Writes a text so that it can be read and cannot end the line.
fn escape(line: &mut String, text: &str) {
    for c in text.chars() {
        if is_printable(c) { line.push(c) } else { line.extend(c.escape_debug()) }
    }
}

/// Writes a value: bare if it is one plain word, else in quotes and escaped.
fn quote(line: &mut String, text: &str) {
    let plain = |c: char| is_printable(c) && !c.is_whitespace() && !matches!(c, '"' | '\\' | '=');
    if !text.is_empty() && text.chars().all(plain) {
        line.push_str(text);
        return;
    }
    line.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            line.push('\\');
        }
        if is_printable(c) { line.push(c) } else { line.extend(c.escape_debug()) }
    }
    line.push('"');
}

/// Compact JSON in which unprintable characters are escaped, those too that JSON would allow (U+2028, U+0085, U+202E).
struct Printable;

impl serde_json::ser::Formatter for Printable {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            if is_printable(c) {
                writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
                continue;
            }
            for unit in c.encode_utf16(&mut units) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}
