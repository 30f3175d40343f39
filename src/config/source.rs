//! The texts that settings come from, as one tree of values that know where they stand.
//!
//! Hides the TOML reader's own types: behind this point there are only [`Node`]s, and a file, an
//! environment variable and the built-in defaults look alike.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

/// A text with a name: a policy file, an environment variable or the defaults.
#[derive(Debug)]
pub(super) struct Source {
    /// What people call it: the file's path, or the variable's name.
    pub(super) name: String,
    /// The text, without a byte order mark.
    pub(super) text: String,
    /// The folder that relative paths in it start from.
    pub(super) folder: PathBuf,
    /// Where each line starts.
    lines: Vec<usize>,
}

impl Source {
    /// Makes a source of a text; the byte order mark that some editors put in front is no part of it.
    pub(super) fn new(name: String, text: String, folder: &Path) -> Self {
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name, text, folder: folder.to_owned(), lines }
    }

    /// Returns the number of the line at a place, from 1, and its bytes without the line break.
    pub(super) fn line(&self, at: usize) -> (usize, Range<usize>) {
        let number = self.lines.partition_point(|start| *start <= at).max(1);
        let start = self.lines.get(number - 1).copied().unwrap_or(0);
        let next = self.lines.get(number).copied().unwrap_or(self.text.len());
        let line = self.text[start..next].trim_end_matches(['\r', '\n']);
        (number, start..start + line.len())
    }
}

/// A place in one of the sources, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) source: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Span,
    pub(super) value: Value,
}

/// What TOML can say.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    /// None is a number beyond 64 bits.
    Integer(Option<i64>),
    Float,
    Boolean(bool),
    Date,
    List(Vec<Node>),
    Table(Table),
}

/// A table's entries by key.
pub(super) type Table = BTreeMap<String, Entry>;

/// A key's place and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: Span,
    pub(super) node: Node,
}

/// A text that is no TOML, and what of it should not be shown.
pub(super) struct SyntaxError {
    pub(super) at: Span,
    pub(super) message: String,
    /// What could be read all the same.
    pub(super) rest: Table,
}

impl Value {
    /// Names the kind of value, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a float",
            Self::Boolean(_) => "a boolean",
            Self::Date => "a date",
            Self::List(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

/// Reads the text of the source with this index.
pub(super) fn parse(source: usize, text: &str) -> Result<Table, SyntaxError> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let table = table(source, document.into_inner());
    match errors.into_iter().next() {
        None => Ok(table),
        // Later errors are mostly consequences of the first.
        Some(error) => Err(SyntaxError {
            at: span(source, error.span().unwrap_or(text.len()..text.len())),
            message: error.message().to_owned(),
            rest: table,
        }),
    }
}

fn span(source: usize, range: Range<usize>) -> Span {
    Span { source, start: range.start, end: range.end }
}

fn table(source: usize, table: DeTable<'_>) -> Table {
    let entry = |(key, value): (toml::Spanned<std::borrow::Cow<'_, str>>, toml::Spanned<DeValue<'_>>)| {
        let place = span(source, key.span());
        (key.into_inner().into_owned(), Entry { key: place, node: node(source, value) })
    };
    table.into_iter().map(entry).collect()
}

fn node(source: usize, value: toml::Spanned<DeValue<'_>>) -> Node {
    let at = span(source, value.span());
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(integer) => Value::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok()),
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(boolean) => Value::Boolean(boolean),
        DeValue::Datetime(_) => Value::Date,
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| node(source, item)).collect()),
        DeValue::Table(entries) => Value::Table(table(source, entries)),
    };
    Node { at, value }
}

/// Adds the entries of another file: tables are joined and lists of tables lengthened.
///
/// Returns the keys that both files set, each with the place where it was set first; the first stays.
pub(super) fn merge(into: &mut Table, from: Table) -> Vec<(String, Span, Span)> {
    let mut twice = Vec::new();
    for (name, entry) in from {
        match into.get_mut(&name) {
            None => {
                into.insert(name, entry);
            }
            Some(first) => match (&mut first.node.value, entry.node.value) {
                (Value::Table(first), Value::Table(second)) => twice.extend(merge(first, second)),
                (Value::List(first), Value::List(second)) if first.iter().chain(&second).all(is_table) => first.extend(second),
                _ => twice.push((name, first.key, entry.key)),
            },
        }
    }
    twice
}

fn is_table(node: &Node) -> bool {
    matches!(node.value, Value::Table(_))
}

/// Finds what may be a secret by its key's name alone, wherever it stands.
///
/// A secret in the wrong place is found by the reader as well; this also covers what the reader never gets to.
pub(super) fn likely_secrets(table: &Table, found: &mut Vec<Span>) {
    for (name, entry) in table {
        match &entry.node.value {
            Value::Table(inner) => likely_secrets(inner, found),
            Value::List(items) if items.iter().all(is_table) => {
                for item in items {
                    if let Value::Table(inner) = &item.value {
                        likely_secrets(inner, found);
                    }
                }
            }
            _ if names_a_secret(name) => found.push(entry.node.at),
            _ => {}
        }
    }
}

/// Says whether a key of this name may well hold a secret.
pub(super) fn names_a_secret(name: &str) -> bool {
    name != "token_hosts" && speaks_of_secrets(name)
}

/// Says whether a text has a word for secrets in it.
pub(super) fn speaks_of_secrets(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["passw", "passphrase", "secret", "token", "ssh_key", "credential"].iter().any(|word| text.contains(word))
}
