//! Reading a tree of values into types, with every mistake noted and none fatal.
//!
//! A table is described once, by the code that reads it: each key is asked for with its type, a sentence
//! and an example. That one description gives the values, the keys that are known (all others are
//! mistakes) and, when it is run over an empty table, the JSON Schema.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::report::{Mistake, Report};
use super::source::{Entry, Node, Source, Span, Table, Value, names_a_secret};
use super::{Presence, Variables, schema};

/// Something that can be read from one value.
pub(super) trait Read: Sized {
    /// The JSON Schema of values that can be read.
    fn schema() -> Json;

    /// Reads the value; if it cannot be, notes why and returns none.
    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self>;
}

/// Something that is written as a table.
pub(super) trait ReadTable: Sized {
    /// Whether values of unknown keys are hidden in messages, because a mistyped key may hold a secret.
    const GUARDED: bool = false;

    /// Asks for all keys, always the same ones in the same order, and puts the values together.
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self>;

    /// Says where a key that does not belong here does belong.
    fn misplaced(_key: &str) -> Option<&'static str> {
        None
    }
}

impl<T: ReadTable> Read for T {
    fn schema() -> Json {
        schema::of_table::<T>()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            if T::GUARDED {
                conceal_all(context, node);
            }
            return context.expected("a table", node);
        };
        let mut keys = Keys { table, at: node.at, context, known: Vec::new(), rules: Vec::new() };
        let value = T::read(&mut keys);
        keys.finish::<T>();
        value
    }
}

impl<T: Read> Read for Vec<T> {
    fn schema() -> Json {
        json!({ "type": "array", "items": T::schema(), "minItems": 1 })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            return context.expected("an array", node);
        };
        if items.is_empty() {
            return context.mistake(node.at, "an empty array says nothing", Some("leave the key out for the default".to_owned()));
        }
        // Every item is read, so that all mistakes are found, before one of them spoils the whole.
        let items: Vec<Option<T>> = items.iter().map(|item| T::read(item, context)).collect();
        items.into_iter().collect()
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Located<T> {
    pub(super) value: T,
    pub(super) at: Span,
}

impl<T: Read> Read for Located<T> {
    fn schema() -> Json {
        T::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        T::read(node, context).map(|value| Self { value, at: node.at })
    }
}

/// What reading needs to know, and the mistakes so far.
pub(super) struct Context<'a> {
    pub(super) sources: &'a [Source],
    pub(super) variables: &'a Variables,
    /// Whether secrets and other files have to be there.
    pub(super) presence: Presence,
    mistakes: Vec<(Place, String, Option<String>)>,
    concealed: Vec<Span>,
}

enum Place {
    At(Span),
    File(String),
}

impl<'a> Context<'a> {
    pub(super) fn new(sources: &'a [Source], variables: &'a Variables, presence: Presence) -> Self {
        Self { sources, variables, presence, mistakes: Vec::new(), concealed: Vec::new() }
    }

    /// Notes a mistake; returns none, for the caller to return.
    pub(super) fn mistake<T>(&mut self, at: Span, message: impl Into<String>, help: Option<String>) -> Option<T> {
        self.mistakes.push((Place::At(at), message.into(), help));
        None
    }

    /// Notes a mistake about a whole file or an environment variable.
    pub(super) fn mistake_of_file(&mut self, file: &str, message: impl Into<String>, help: Option<String>) {
        self.mistakes.push((Place::File(file.to_owned()), message.into(), help));
    }

    /// Notes a value of the wrong kind.
    pub(super) fn expected<T>(&mut self, what: &str, node: &Node) -> Option<T> {
        self.mistake(node.at, format!("expected {what}, found {}", node.value.kind()), None)
    }

    /// Keeps a place from being shown with any mistake.
    pub(super) fn conceal(&mut self, at: Span) {
        self.concealed.push(at);
    }

    /// Narrows the place of a string to a part of its value, where the value stands in the file as it is.
    pub(super) fn part(&self, at: Span, value: &str, part: &std::ops::Range<usize>) -> Span {
        let written = self.sources.get(at.source).and_then(|source| source.text.get(at.start..at.end)).unwrap_or("");
        let quotes = ["", "\"\"\"", "'''", "\"", "'"];
        let as_it_is = |quote: &str| written.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) == Some(value);
        match quotes.into_iter().find(|quote| as_it_is(quote)).map(str::len) {
            Some(start) if part.start <= part.end && part.end <= value.len() => {
                Span { source: at.source, start: at.start + start + part.start, end: at.start + start + part.end }
            }
            _ => at,
        }
    }

    /// Returns the folder that relative paths at a place start from.
    pub(super) fn folder(&self, at: Span) -> &'a Path {
        self.sources.get(at.source).map_or(Path::new(""), |source| &source.folder)
    }

    /// Says where a place is, for another message: `tagboat.toml:3:1`.
    pub(super) fn describe(&self, at: Span) -> String {
        let Some(source) = self.sources.get(at.source) else { return String::new() };
        match Mistake::at(source, at, &[], String::new(), None).at {
            Some(position) => format!("{}:{}:{}", source.name, position.line, position.column),
            None => source.name.clone(),
        }
    }

    /// Returns the report, if there is a mistake.
    pub(super) fn finish(self) -> Result<(), Report> {
        if self.mistakes.is_empty() {
            return Ok(());
        }
        let mistake = |(place, message, help)| match place {
            Place::At(span) => match self.sources.get(span.source) {
                Some(source) => Mistake::at(source, span, &self.concealed, message, help),
                None => Mistake::of_file("", message, help),
            },
            Place::File(file) => Mistake::of_file(&file, message, help),
        };
        Err(Report::new(self.mistakes.into_iter().map(mistake).collect()))
    }
}

/// A key as the schema shows it.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What holds if it is left out, in TOML; none where that is no value of the key's own.
    pub(super) default: Option<&'static str>,
    /// An example value, in TOML.
    pub(super) example: &'static str,
    pub(super) required: bool,
    pub(super) schema: fn() -> Json,
}

/// Which keys may stand together.
pub(super) enum Rule {
    /// Exactly one of these groups, whole.
    OneOf(&'static [&'static [&'static str]]),
    /// At most one of these keys.
    AtMostOne(&'static [&'static str]),
}

/// A table being read.
pub(super) struct Keys<'t, 'c, 'a> {
    table: &'t Table,
    /// Where the table stands.
    pub(super) at: Span,
    pub(super) context: &'c mut Context<'a>,
    pub(super) known: Vec<Key>,
    pub(super) rules: Vec<Rule>,
}

impl<'t, 'c, 'a> Keys<'t, 'c, 'a> {
    /// Looks at an empty table, to learn which keys are asked for.
    pub(super) fn of_nothing(table: &'t Table, context: &'c mut Context<'a>) -> Self {
        Self { table, at: Span { source: 0, start: 0, end: 0 }, context, known: Vec::new(), rules: Vec::new() }
    }

    /// Reads a key that may be left out.
    pub(super) fn optional<T: Read>(&mut self, name: &'static str, about: &'static str, example: &'static str) -> Option<T> {
        self.known.push(Key { name, about, default: None, example, required: false, schema: T::schema });
        self.value(name)
    }

    /// Reads a key that may be left out and tells what then holds; the caller sees to it that it does.
    pub(super) fn defaulted<T: Read>(
        &mut self,
        name: &'static str,
        about: &'static str,
        default: &'static str,
        example: &'static str,
    ) -> Option<T> {
        self.known.push(Key { name, about, default: Some(default), example, required: false, schema: T::schema });
        self.value(name)
    }

    fn value<T: Read>(&mut self, name: &str) -> Option<T> {
        self.table.get(name).and_then(|entry| T::read(&entry.node, self.context))
    }

    /// Reads a key that must be there.
    pub(super) fn required<T: Read>(&mut self, name: &'static str, about: &'static str, example: &'static str) -> Option<T> {
        self.known.push(Key { name, about, default: None, example, required: true, schema: T::schema });
        match self.table.get(name) {
            Some(entry) => T::read(&entry.node, self.context),
            None => self.context.mistake(self.at, format!("`{name}` is missing"), Some(format!("for example: {name} = {example}"))),
        }
    }

    /// Says whether a key is there, read or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Returns a key's value as it stands in the file.
    pub(super) fn node(&self, name: &str) -> Option<&'t Node> {
        self.table.get(name).map(|entry| &entry.node)
    }

    /// Returns where a key stands.
    pub(super) fn key(&self, name: &str) -> Span {
        self.table.get(name).map_or(self.at, |entry| entry.key)
    }

    /// Notes a mistake at a key; returns none.
    pub(super) fn mistake<T>(&mut self, name: &str, message: impl Into<String>, help: Option<String>) -> Option<T> {
        self.context.mistake(self.key(name), message, help)
    }

    /// Demands exactly one of these groups of keys, whole; returns its number.
    pub(super) fn one_of(&mut self, groups: &'static [&'static [&'static str]]) -> Option<usize> {
        self.rules.push(Rule::OneOf(groups));
        let table = self.table;
        let mut begun = groups.iter().enumerate().filter(|(_, group)| group.iter().any(|key| table.contains_key(*key)));
        let list = || groups.iter().map(|group| quoted(group, " and ")).collect::<Vec<_>>().join(", or ");
        let Some((number, first)) = begun.next() else {
            return self.context.mistake(self.at, format!("{} must be given", list()), None);
        };
        if let Some((_, other)) = begun.next() {
            let message = format!("{} cannot stand beside {}", quoted(other, " and "), quoted(first, " and "));
            let at = other.iter().find(|key| table.contains_key(**key)).map_or(self.at, |key| self.key(key));
            return self.context.mistake(at, message, Some(format!("give either {}", list())));
        }
        let missing = first.iter().find(|key| !table.contains_key(**key));
        match missing {
            Some(missing) => self.context.mistake(self.at, format!("`{missing}` is missing"), None),
            None => Some(number),
        }
    }

    /// Demands that at most one of these keys is there.
    pub(super) fn at_most_one(&mut self, names: &'static [&'static str], why: &str) {
        self.rules.push(Rule::AtMostOne(names));
        let mut there: Vec<(&str, Span)> = names.iter().filter_map(|&name| self.table.get(name).map(|e| (name, e.key))).collect();
        there.sort_by_key(|(_, at)| (at.source, at.start));
        if let [(first, _), others @ ..] = there.as_slice() {
            for &(other, at) in others {
                self.context.mistake::<()>(at, format!("`{other}` cannot stand beside `{first}`"), Some(why.to_owned()));
            }
        }
    }

    /// Notes every key that nothing asked for.
    fn finish<T: ReadTable>(self) {
        for (name, entry) in self.table {
            if !self.known.iter().any(|key| key.name == name) {
                let known = self.known.iter().map(|key| key.name);
                if T::GUARDED && nearest(name, known.clone()).is_none_or(names_a_secret) {
                    conceal_all(self.context, &entry.node);
                }
                let help = match T::misplaced(name) {
                    Some(place) => Some(format!("it belongs in {place}")),
                    None => suggest(name, known),
                };
                self.context.mistake::<()>(entry.key, format!("`{}` is not known here", printable(name)), help);
            }
        }
    }
}

/// A table whose keys are names of the user's choosing: the entries in the order of the names.
pub(super) struct Named<T>(pub(super) Vec<(Located<String>, Option<T>)>);

impl<T: Read> Read for Named<T> {
    fn schema() -> Json {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            return context.expected("a table", node);
        };
        let read = |(name, entry): (&String, &Entry)| {
            // A table without a header of its own has its key's place; messages about it point there.
            let value = T::read(&entry.node, context);
            (Located { value: name.clone(), at: entry.key }, value)
        };
        Some(Self(table.iter().map(read).collect()))
    }
}

/// Hides all scalars under a node.
pub(super) fn conceal_all(context: &mut Context<'_>, node: &Node) {
    match &node.value {
        Value::Table(table) => table.iter().for_each(|(name, entry)| {
            if !matches!(name.as_str(), "username" | "file" | "env") || names_a_secret(name) {
                conceal_all(context, &entry.node);
            }
        }),
        Value::List(items) => items.iter().for_each(|item| conceal_all(context, item)),
        Value::Text(_) | Value::Integer(_) | Value::Float | Value::Boolean(_) | Value::Date => context.conceal(node.at),
    }
}

/// Proposes the nearest of the known words, or lists them all.
pub(super) fn suggest<'k>(word: &str, known: impl Iterator<Item = &'k str> + Clone) -> Option<String> {
    if let Some(near) = nearest(word, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let list: Vec<String> = known.map(|word| format!("`{word}`")).collect();
    (!list.is_empty()).then(|| format!("known here: {}", list.join(", ")))
}

/// Finds the known word that differs least, if it differs little.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    let farthest = (word.chars().count() / 3).max(1);
    known
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|(distance, _)| *distance <= farthest)
        .min()
        .map(|(_, k)| k)
}

/// Shows a key of the user's on one line.
pub(super) fn printable(text: &str) -> String {
    crate::redact::one_line(text, 60)
}

fn quoted(keys: &[&str], between: &str) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(between)
}

/// Runs a table's description over an empty table.
pub(super) fn describe<T: ReadTable>() -> (Vec<Key>, Vec<Rule>) {
    let (table, variables) = (BTreeMap::new(), Variables::default());
    let mut context = Context::new(&[], &variables, Presence::Deferred);
    let mut keys = Keys::of_nothing(&table, &mut context);
    // The value and its mistakes are of no interest; what was asked for is.
    let _ = T::read(&mut keys);
    (keys.known, keys.rules)
}
