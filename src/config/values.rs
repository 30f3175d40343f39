//! The single values of the policy file: how each is written, checked and described.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Presence;
use super::read::{Context, Located, Read, printable, suggest};
use super::source::{Node, Value};
use crate::environment::Paths;

/// Reads a string that is not empty.
fn text<'n>(what: &str, node: &'n Node, context: &mut Context<'_>) -> Option<&'n str> {
    match &node.value {
        Value::Text(text) if text.trim().is_empty() => context.mistake(node.at, "an empty string says nothing", None),
        Value::Text(text) => Some(text),
        _ => context.expected(what, node),
    }
}

impl Read for String {
    fn schema() -> Json {
        json!({ "type": "string", "minLength": 1 })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        text("a string", node, context).map(str::to_owned)
    }
}

impl Read for bool {
    fn schema() -> Json {
        json!({ "type": "boolean" })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match node.value {
            Value::Boolean(value) => Some(value),
            _ => context.expected("true or false", node),
        }
    }
}

/// A whole number between two bounds, both included.
pub(super) struct Whole<const LEAST: u32, const GREATEST: u32>(pub(super) u32);

impl<const LEAST: u32, const GREATEST: u32> Read for Whole<LEAST, GREATEST> {
    fn schema() -> Json {
        json!({ "type": "integer", "minimum": LEAST, "maximum": GREATEST })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let Value::Integer(value) = node.value else {
            return context.expected("an integer", node);
        };
        match value.and_then(|v| u32::try_from(v).ok()).filter(|v| (LEAST..=GREATEST).contains(v)) {
            Some(value) => Some(Self(value)),
            None => context.mistake(node.at, format!("expected an integer from {LEAST} to {GREATEST}"), None),
        }
    }
}

/// A duration between two bounds in milliseconds, both included.
pub(super) struct Wait<const LEAST: u64, const GREATEST: u64>(pub(super) Duration);

/// Milliseconds of the units that bounds are given in.
const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// How often a repository may be listed.
pub(super) type Interval = Wait<10, { 365 * DAY }>;
/// How old a tag may have to be.
pub(super) type Age = Wait<SECOND, { 365 * DAY }>;
/// How long a request, a fetch or a push may take.
pub(super) type Timeout = Wait<SECOND, HOUR>;

const UNITS: [(&str, u64); 5] = [("d", DAY), ("h", HOUR), ("m", 60 * SECOND), ("s", SECOND), ("ms", 1)];

impl<const LEAST: u64, const GREATEST: u64> Read for Wait<LEAST, GREATEST> {
    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2 })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let units = || Some("numbers with the units d, h, m, s or ms, greatest first: \"90s\", \"1h30m\"".to_owned());
        match &node.value {
            Value::Integer(Some(number)) if *number > 0 => {
                let help = format!("give it a unit, such as \"{number}m\" or \"{number}s\"");
                return context.mistake(node.at, "a duration needs a unit", Some(help));
            }
            Value::Text(text) => match milliseconds(text) {
                Some(value) if (LEAST..=GREATEST).contains(&value) => return Some(Self(Duration::from_millis(value))),
                Some(_) => {
                    let message = format!("expected a duration from {} to {}", shown(LEAST), shown(GREATEST));
                    return context.mistake(node.at, message, None);
                }
                None => {}
            },
            _ => {}
        }
        let found = if matches!(node.value, Value::Text(_)) { String::new() } else { format!(", found {}", node.value.kind()) };
        context.mistake(node.at, format!("expected a duration{found}"), units())
    }
}

/// Reads `1h30m` and the like: each unit at most once, from the greatest to the least.
fn milliseconds(text: &str) -> Option<u64> {
    let (mut rest, mut units, mut sum) = (text, UNITS.as_slice(), 0u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let place = units.iter().position(|(name, _)| *name == unit)?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(units[place].1)?)?;
        (rest, units) = (&rest[digits + letters..], &units[place + 1..]);
    }
    Some(sum).filter(|_| !text.is_empty())
}

fn shown(milliseconds: u64) -> String {
    let fits = UNITS.iter().find(|(_, size)| milliseconds >= *size && milliseconds.is_multiple_of(*size));
    fits.map_or_else(|| "0s".to_owned(), |(unit, size)| format!("{}{unit}", milliseconds / size))
}

/// Requests a second; rates per minute are rounded down, since a rate is a promise not to exceed it.
pub(super) struct Rate(pub(super) u32);

impl Read for Rate {
    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^[0-9]+/[sm]$" })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let help = || Some("requests per second or minute: \"20/s\", \"600/m\"".to_owned());
        let Value::Text(text) = &node.value else {
            return context.mistake(node.at, format!("expected a rate, found {}", node.value.kind()), help());
        };
        let number = |digits: &str| digits.parse::<u32>().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()));
        let per_second = match text.split_once('/') {
            Some((digits, "s")) => number(digits),
            Some((digits, "m")) => number(digits).map(|number| number / 60),
            _ => None,
        };
        match per_second {
            Some(0) => context.mistake(node.at, "a rate is at least one request a second", help()),
            Some(number) => Some(Self(number)),
            None => context.mistake(node.at, "expected a rate", help()),
        }
    }
}

/// A path; a relative one starts from the folder of the file it is written in.
pub(super) struct FilePath(pub(super) PathBuf);

impl Read for FilePath {
    fn schema() -> Json {
        String::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let path = text("a path", node, context)?;
        Some(Self(context.folder(node.at).join(path)))
    }
}

/// The path of a file that is there, or will be when it is used.
pub(super) struct ExistingFile(pub(super) PathBuf);

impl Read for ExistingFile {
    fn schema() -> Json {
        FilePath::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let path = FilePath::read(node, context)?.0;
        if context.presence == Presence::Deferred {
            return Some(Self(path));
        }
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => Some(Self(path)),
            Ok(_) => context.mistake(node.at, "this is no file", None),
            Err(error) => context.mistake(node.at, file_error(&error), None),
        }
    }
}

/// Says why a file cannot be used, without the operating system's numbers where they add nothing.
pub(super) fn file_error(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "the file may not be read".to_owned(),
        _ => format!("the file cannot be read: {error}"),
    }
}

/// Where to listen; none for `"off"`.
pub(super) struct Listen(pub(super) Option<SocketAddr>);

impl Read for Listen {
    fn schema() -> Json {
        String::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let address = text("an address and port", node, context)?;
        if address == "off" {
            return Some(Self(None));
        }
        match address.parse() {
            Ok(address) => Some(Self(Some(address))),
            Err(_) => {
                let help = "an IP address and a port, such as \"0.0.0.0:8080\" or \"[::]:8080\", or \"off\"";
                context.mistake(node.at, "expected an address and port", Some(help.to_owned()))
            }
        }
    }
}

/// Which log lines are written.
pub(super) struct LogLevel(pub(super) String);

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

impl Read for LogLevel {
    fn schema() -> Json {
        String::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let filter = text("a log level", node, context)?;
        // The filter takes any bare word for a module's name, which would turn a mistyped level into silence.
        if let Some(word) = filter.split(',').map(str::trim).find(|part| !part.contains(['=', '[']) && !LEVELS.contains(part)) {
            let help = suggest(word, LEVELS.into_iter());
            return context.mistake(node.at, format!("`{}` is no log level", printable(word)), help);
        }
        match tracing_subscriber::EnvFilter::builder().parse(filter) {
            Ok(_) => Some(Self(filter.to_owned())),
            Err(_) => {
                let help = "a level, or levels by module: \"info\", \"info,tagboat::registry=debug\"";
                context.mistake(node.at, "expected a log level", Some(help.to_owned()))
            }
        }
    }
}

/// A type that is written as one of a few words.
pub(super) trait Choice: Copy + 'static {
    /// The words and what they stand for.
    const CHOICES: &'static [(&'static str, Self)];
}

/// One of a few words.
pub(super) struct OneOf<T>(pub(super) T);

impl<T: Choice> Read for OneOf<T> {
    fn schema() -> Json {
        json!({ "enum": T::CHOICES.iter().map(|(word, _)| word).collect::<Vec<_>>() })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let words = T::CHOICES.iter().map(|(word, _)| *word);
        let Value::Text(text) = &node.value else {
            let list: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
            return context.expected(&list.join(" or "), node);
        };
        match T::CHOICES.iter().find(|(word, _)| word == text) {
            Some((_, value)) => Some(Self(*value)),
            None => {
                let help = suggest(text, words);
                context.mistake(node.at, format!("`{}` is none of the choices", printable(text)), help)
            }
        }
    }
}

/// Path patterns, as written and compiled.
pub(super) struct PathList {
    pub(super) written: Vec<String>,
    pub(super) compiled: Paths,
}

impl Read for PathList {
    fn schema() -> Json {
        <Vec<String> as Read>::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let patterns = <Vec<Located<String>> as Read>::read(node, context)?;
        let written: Vec<String> = patterns.iter().map(|pattern| pattern.value.clone()).collect();
        match Paths::new(&written) {
            Ok(compiled) => Some(Self { written, compiled }),
            Err(_) => {
                // One by one, so that each that is wrong is found.
                patterns.iter().for_each(|pattern| drop(parsed(pattern, |text| Paths::new(&[text]), context)));
                None
            }
        }
    }
}

/// Reads a value by its own parser, whose reason becomes the mistake.
pub(super) fn parsed<T, E: std::fmt::Display>(
    text: &Located<String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
    context: &mut Context<'_>,
) -> Option<T> {
    match parse(&text.value) {
        Ok(value) => Some(value),
        Err(error) => context.mistake(text.at, crate::redact::one_line(&error.to_string(), 400), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("500ms", Some(500)),
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("2d", Some(172_800_000)),
            ("1s500ms", Some(1500)),
            ("0s", Some(0)),
            ("", None),
            ("5", None),
            ("m", None),
            ("5 m", None),
            ("-5m", None),
            ("1.5h", None),
            ("30s1m", None),
            ("1m1m", None),
            ("5M", None),
            ("5µs", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
        assert_eq!([shown(10), shown(90 * SECOND), shown(365 * DAY), shown(0)], ["10ms", "90s", "365d", "0s"]);
    }
}
