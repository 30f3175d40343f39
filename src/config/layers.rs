//! From files and environment variables to one tree.
//!
//! The policy's tables come from the files alone. The daemon's own settings, `[watch]`, are layered by the
//! `config` crate: the built-in defaults, over them the files, over them variables such as
//! `TAGBOAT_WATCH__INTERVAL` (the table, two underscores, the key). Other variables that start with
//! `TAGBOAT_` are not looked at: the command line has its own, and Kubernetes sets
//! `TAGBOAT_SERVICE_HOST` and the like for a service named so.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, ValueKind};

use super::Variables;
use super::read::{Context, Key, describe, nearest, printable};
use super::report::{Mistake, Report};
use super::source::{Entry, Node, Source, Span, SyntaxError, Table, Value, likely_secrets, merge, parse, speaks_of_secrets};
use super::tables::Watch;
use super::values::file_error;

const WATCH: &str = "watch";
const PREFIX: &str = "TAGBOAT_WATCH__";
/// The origin that the `config` crate is told for the files' values.
const FILES: &str = "files";
/// A policy file of a few thousand images has some hundred KiB.
const LARGEST_FILE: u64 = 8 * 1024 * 1024;
const MOST_FILES: usize = 1000;

/// Reads a file, or every `*.toml` of a directory in name order.
pub(super) fn read(path: &Path) -> Result<Vec<Source>, Report> {
    let fail = |file: &Path, message: String| Report::new(vec![Mistake::of_file(&file.display().to_string(), message, None)]);
    let files = match fs::metadata(path) {
        Err(error) => return Err(fail(path, file_error(&error))),
        Ok(metadata) if metadata.is_dir() => list(path).map_err(|message| fail(path, message))?,
        Ok(_) => vec![path.to_owned()],
    };
    let (mut sources, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        match text(&file) {
            Ok(text) => sources.push(Source::new(file.display().to_string(), text, file.parent().unwrap_or(Path::new("")))),
            Err(message) => mistakes.push(Mistake::of_file(&file.display().to_string(), message, None)),
        }
    }
    if mistakes.is_empty() { Ok(sources) } else { Err(Report::new(mistakes)) }
}

/// Lists a directory's policy files; hidden entries, such as the links that Kubernetes keeps in a mounted ConfigMap, are none.
fn list(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(|error| file_error(&error))? {
        let path = entry.map_err(|error| file_error(&error))?.path();
        let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
        if files.len() > MOST_FILES {
            return Err(format!("there are more than {MOST_FILES} policy files"));
        }
    }
    files.sort();
    if files.is_empty() { Err("there is no *.toml file in this directory".to_owned()) } else { Ok(files) }
}

fn text(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = fs::File::open(file).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(file_error(&error)),
        Ok(_) if bytes.len() as u64 > LARGEST_FILE => Err("the file is larger than 8 MiB".to_owned()),
        Ok(_) => String::from_utf8(bytes).map_err(|error| format!("byte {} is no UTF-8", error.utf8_error().valid_up_to() + 1)),
    }
}

/// Joins the files into one tree and lays `[watch]` over its defaults and under its variables.
///
/// Appends the defaults and the variables to the sources. Returns the mistakes of syntax first: with one
/// of those, all others would be guesses.
pub(super) fn join(sources: &mut Vec<Source>, variables: &Variables) -> Result<(Table, Vec<Finding>), Report> {
    let mut root = Table::new();
    let mut findings = Vec::new();
    let mut broken = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        match parse(index, &source.text) {
            Err(error) => broken.push(syntax(source, &error)),
            Ok(table) => {
                let mut secrets = Vec::new();
                likely_secrets(&table, &mut secrets);
                findings.extend(secrets.into_iter().map(Finding::Secret));
                findings.extend(merge(&mut root, table).into_iter().map(|(key, first, second)| Finding::Twice { key, first, second }));
            }
        }
    }
    if !broken.is_empty() {
        return Err(Report::new(broken));
    }
    overlay(&mut root, sources, variables, &mut findings);
    Ok((root, findings))
}

/// What joining found, to be told with all else.
pub(super) enum Finding {
    /// Something that may be a secret, by its key.
    Secret(Span),
    /// A key that two files set.
    Twice { key: String, first: Span, second: Span },
    /// A variable of the right form that sets nothing.
    Variable { name: String, help: String },
}

impl Finding {
    pub(super) fn tell(self, context: &mut Context<'_>) {
        match self {
            Self::Secret(at) => context.conceal(at),
            Self::Twice { key, first, second } => {
                let help = format!("it is set at {} as well", context.describe(first));
                context.mistake::<()>(second, format!("`{}` is set in two files", printable(&key)), Some(help));
            }
            Self::Variable { name, help } => {
                context.mistake_of_file(&name, "this environment variable sets nothing that is known", Some(help));
            }
        }
    }
}

fn syntax(source: &Source, error: &SyntaxError) -> Mistake {
    let mut secrets = Vec::new();
    likely_secrets(&error.rest, &mut secrets);
    let (_, line) = source.line(error.at.start);
    // What could not be read may be a secret all the same. Once secrets are spoken of, only the line's first key
    // and its punctuation are shown, and those are what such a mistake is about.
    if speaks_of_secrets(&source.text[..line.end]) {
        let value = source.text[line.clone()].find('=').map_or(line.start, |equals| line.start + equals);
        let letters = source.text[value..line.end].char_indices().filter(|(_, c)| !c.is_whitespace() && !"=\"'[]{},.#".contains(*c));
        secrets.extend(letters.map(|(at, c)| Span { source: error.at.source, start: value + at, end: value + at + c.len_utf8() }));
    }
    Mistake::at(source, error.at, &secrets, format!("this is no TOML: {}", error.message), None)
}

/// Replaces `[watch]` by what holds after all layers.
fn overlay(root: &mut Table, sources: &mut Vec<Source>, variables: &Variables, findings: &mut Vec<Finding>) {
    let keys = describe::<Watch>().0;
    let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
    let mut accepted = Map::new();
    for (name, value) in variables.iter().filter(|(name, _)| name.starts_with("TAGBOAT_") && name.contains("__")) {
        let key = name.strip_prefix(PREFIX).map(str::to_ascii_lowercase);
        if key.is_some_and(|key| known.contains(&key.as_str())) {
            accepted.insert(name.to_owned(), value.to_owned());
        } else {
            let names: Vec<String> = known.iter().map(|key| variable(key)).collect();
            let help = match nearest(name, names.iter().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("these are: {}", names.join(", ")),
            };
            findings.push(Finding::Variable { name: name.to_owned(), help });
        }
    }
    let files = match root.remove(WATCH) {
        None => Entry { key: NOWHERE, node: Node { at: NOWHERE, value: Value::Table(Table::new()) } },
        Some(entry) if matches!(entry.node.value, Value::Table(_)) => entry,
        // The reader will say that this is no table.
        Some(entry) => {
            root.insert(WATCH.to_owned(), entry);
            return;
        }
    };
    let Value::Table(mut settings) = files.node.value else { return };
    let defaults = defaults(&keys);
    let mut built_in = match parse(sources.len(), &defaults).map(|mut table| table.remove(WATCH)) {
        Ok(Some(Entry { node: Node { value: Value::Table(table), .. }, .. })) => table,
        _ => Table::new(),
    };
    sources.push(Source::new("built-in defaults".to_owned(), defaults.clone(), Path::new("")));
    for (key, value) in layered(&defaults, &settings, accepted).unwrap_or_default() {
        match value.origin() {
            Some(FILES) => {}
            None => {
                if let Some(entry) = built_in.remove(&key) {
                    settings.insert(key, entry);
                }
            }
            Some(_) => {
                let text = value.into_string().unwrap_or_default();
                let at = Span { source: sources.len(), start: 0, end: text.len() };
                sources.push(Source::new(variable(&key), text.clone(), Path::new("")));
                settings.insert(key, Entry { key: at, node: Node { at, value: Value::Text(text) } });
            }
        }
    }
    let node = Node { at: files.node.at, value: Value::Table(settings) };
    root.insert(WATCH.to_owned(), Entry { key: files.key, node });
}

const NOWHERE: Span = Span { source: 0, start: 0, end: 0 };

fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase())
}

/// What holds unless the files or the environment say otherwise.
fn defaults(keys: &[Key]) -> String {
    let lines = keys.iter().filter_map(|key| key.default.map(|default| format!("{} = {default}\n", key.name)));
    std::iter::once(format!("[{WATCH}]\n")).chain(lines).collect()
}

/// Lets the `config` crate decide which layer each setting is taken from; its origin tells.
fn layered(defaults: &str, files: &Table, variables: Map<String, String>) -> Result<Map<String, config::Value>, ConfigError> {
    Config::builder()
        .add_source(File::from_str(defaults, FileFormat::Toml))
        .add_source(FileLayer(files.clone()))
        .add_source(Environment::with_prefix("TAGBOAT").prefix_separator("_").separator("__").source(Some(variables)))
        .build()?
        .get_table(WATCH)
}

/// The files' `[watch]` as a source of the `config` crate; only its keys matter, the values stay in the tree.
#[derive(Clone, Debug)]
struct FileLayer(Table);

impl config::Source for FileLayer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        let origin = FILES.to_owned();
        let here = |kind: ValueKind| config::Value::new(Some(&origin), kind);
        let settings: Map<String, config::Value> = self.0.keys().map(|key| (key.clone(), here(ValueKind::Nil))).collect();
        Ok(Map::from_iter([(WATCH.to_owned(), here(ValueKind::Table(settings)))]))
    }
}
