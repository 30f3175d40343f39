//! From a configuration to a policy: every mistake at once, each with its key and place.

use regex::{Regex, RegexBuilder};

use super::calver::Form;
use super::facts::Requirements;
use super::range::Range;
use super::scale::{Calendar, Compiled, Goal, Line, Numeric, Strict, Text, Versions};
use super::template::Template;
use super::{Conditions, Config, ConfigError, Order, Policy, Prerelease, Step, Variant, combinations, words};
use crate::image::{Platform, Tag};

/// The most memory that one compiled pattern may take, in bytes; a pattern from a policy file needs a hundredth of it.
const PATTERN_SIZE: usize = 1 << 20;

/// Checks a configuration.
pub(super) fn policy(mut config: Config) -> Result<Policy, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let order = config.order.take().unwrap_or(Order::Update(Step::Minor));
    combinations::check(&order, &config, &mut errors);
    check_prerelease(&config.prerelease, config.strict, &mut errors);
    check_variant(&config.variant, &mut errors);
    let conditions = conditions(&config, &mut errors);
    let order = compile(order, &config, &mut errors);
    match order {
        Some(order) if errors.is_empty() => {
            let pins = config.pin_digest || matches!(order, Compiled::Follow(_));
            Ok(Policy { order, conditions, pins, fills: config.fill })
        }
        _ => Err(errors),
    }
}

/// Reads the order's own text; none if there is a mistake in it.
fn compile(order: Order, config: &Config, errors: &mut Vec<ConfigError>) -> Option<Compiled> {
    let line = || Line { prerelease: config.prerelease.clone(), variant: config.variant.clone() };
    let versions = |goal| Compiled::Versions(Versions { goal, line: line(), precision: config.precision });
    match order {
        Order::Semver(text) => {
            let range = Range::parse(&text).map_err(|e| errors.push(ConfigError::new("semver", e.message).at(e.span))).ok()?;
            let prerelease = config.prerelease.clone();
            Some(if config.strict { Compiled::Strict(Strict { range, prerelease }) } else { versions(Goal::Range(range)) })
        }
        Order::Update(step) => Some(versions(Goal::Step(step))),
        Order::Calver(text) => {
            let form = Form::parse(&text).map_err(|e| errors.push(ConfigError::new("calver", e.message).at(e.span))).ok()?;
            Some(Compiled::Calendar(Calendar { form, line: line() }))
        }
        Order::Numeric(direction) => Some(Compiled::Numeric(Numeric(direction))),
        Order::Alphabetical(direction) => Some(Compiled::Text(Text(direction))),
        Order::Newest(moment) => Some(Compiled::Newest(moment)),
        Order::Digest(text) => {
            Tag::parse(&text).map_err(|e| errors.push(ConfigError::new("digest", e.to_string()))).ok().map(Compiled::Follow)
        }
    }
}

fn platforms(config: &Config, errors: &mut Vec<ConfigError>) -> Vec<Platform> {
    let parse = |(index, text): (usize, &String)| {
        Platform::parse(text).map_err(|e| errors.push(ConfigError::new("platforms", e.to_string()).entry(index))).ok()
    };
    config.platforms.iter().enumerate().filter_map(parse).collect()
}

fn check_prerelease(prerelease: &Prerelease, strict: bool, errors: &mut Vec<ConfigError>) {
    let Prerelease::Kinds(kinds) = prerelease else { return };
    if kinds.is_empty() {
        errors.push(ConfigError::new("prerelease", "an empty list allows none; write `false`".to_owned()));
    }
    for (index, kind) in kinds.iter().enumerate() {
        let is_word = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphabetic());
        // Strictly read, any suffix is a prerelease, so any word may be a kind.
        if !(if strict { is_word } else { words::prerelease(kind, true).is_some() }) {
            let message = if strict {
                format!("`{}` is no kind of prerelease: a kind is the word that a suffix starts with", kind.escape_debug())
            } else {
                format!("`{}` is no kind of prerelease; known are {}", kind.escape_debug(), words::KINDS)
            };
            errors.push(ConfigError::new("prerelease", message).entry(index));
        }
    }
}

fn check_variant(variant: &Variant, errors: &mut Vec<ConfigError>) {
    let Variant::Only(name) = variant else { return };
    let bad = name.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
    if let Some(at) = bad {
        let end = at + name[at..].chars().next().map_or(0, char::len_utf8);
        errors.push(ConfigError::new("variant", "a tag holds only letters, digits, `.`, `-` and `_`".to_owned()).at(at..end));
    } else if name.starts_with(['-', '_', '.']) {
        errors.push(ConfigError::new("variant", "a variant is written without the separator before it".to_owned()).at(0..1));
    }
}

fn conditions(config: &Config, errors: &mut Vec<ConfigError>) -> Conditions {
    let filter = config.filter.as_deref().and_then(|text| pattern("filter", None, text, errors));
    let extract = config.extract.as_deref().filter(|text| !text.is_empty());
    let extract = match (extract, &filter) {
        (Some(text), Some(filter)) => {
            Template::parse(text, filter).map_err(|e| errors.push(ConfigError::new("extract", e.message).at(e.span))).ok()
        }
        (Some(_), None) if config.filter.is_none() => {
            errors.push(ConfigError::new("extract", "`extract` takes groups from `filter`, which is missing".to_owned()));
            None
        }
        _ => None,
    };
    let exclude = config.exclude.iter().enumerate().filter_map(|(index, text)| pattern("exclude", Some(index), text, errors)).collect();
    let requirements = Requirements { min_age: config.min_age, platforms: platforms(config, errors) };
    Conditions { filter, extract, exclude, requirements, downgrade: config.downgrade }
}

/// Compiles a pattern within bounds.
fn pattern(key: &'static str, index: Option<usize>, text: &str, errors: &mut Vec<ConfigError>) -> Option<Regex> {
    let mut refuse = |message: String, span| errors.push(ConfigError { key, index, message, span });
    let syntax = match regex_syntax::parse(text) {
        Ok(_) => None,
        Err(regex_syntax::Error::Parse(error)) => Some((error.kind().to_string(), *error.span())),
        Err(regex_syntax::Error::Translate(error)) => Some((error.kind().to_string(), *error.span())),
        // A kind of error that is not known yet; the pattern is refused below.
        Err(_) => None,
    };
    if let Some((kind, span)) = syntax {
        let (start, end) = (span.start.offset, span.end.offset.max((span.start.offset + 1).min(text.len())));
        refuse(format!("not a regular expression: {kind}"), Some(start..text.ceil_char_boundary(end)));
        return None;
    }
    match RegexBuilder::new(text).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).build() {
        Ok(regex) => Some(regex),
        Err(regex::Error::CompiledTooBig(limit)) => {
            refuse(format!("the pattern takes more than {limit} bytes when compiled; use smaller counts"), None);
            None
        }
        Err(_) => {
            refuse("not a regular expression that can be compiled".to_owned(), None);
            None
        }
    }
}

impl ConfigError {
    pub(super) fn new(key: &'static str, message: String) -> Self {
        Self { key, index: None, message, span: None }
    }

    fn at(self, span: std::ops::Range<usize>) -> Self {
        Self { span: Some(span), ..self }
    }

    fn entry(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}
