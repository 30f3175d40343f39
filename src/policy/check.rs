//! From a configuration to a policy: every mistake at once, each with its key and place.

use regex::{Regex, RegexBuilder};

use super::range::Range;
use super::scale::{Compiled, Goal, Numeric, Strict, Text, Versions};
use super::template::Template;
use super::{Conditions, Config, ConfigError, Order, Policy, Precision, Prerelease, Step, Variant, words};

/// The most memory that one compiled pattern may take, in bytes; a pattern from a policy file needs a hundredth of it.
const PATTERN_SIZE: usize = 1 << 20;

/// Checks a configuration.
pub(super) fn policy(mut config: Config) -> Result<Policy, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let order = config.order.take().unwrap_or(Order::Update(Step::Minor));
    check_combination(&order, &config, &mut errors);
    check_prerelease(&config.prerelease, config.strict, &mut errors);
    check_variant(&config.variant, &mut errors);
    let conditions = conditions(&config, &mut errors);
    let range = match &order {
        Order::Semver(text) => Range::parse(text).map_err(|e| errors.push(ConfigError::new("semver", e.message).at(e.span))).ok(),
        _ => None,
    };
    if !errors.is_empty() {
        return Err(errors);
    }
    let Config { prerelease, variant, precision, strict, .. } = config;
    let order = match (order, range) {
        (Order::Semver(_), Some(range)) if strict => Compiled::Strict(Strict { range, prerelease }),
        (Order::Semver(_), Some(range)) => Compiled::Versions(Versions { goal: Goal::Range(range), prerelease, variant, precision }),
        (Order::Semver(_), None) => return Err(errors),
        (Order::Update(step), _) => Compiled::Versions(Versions { goal: Goal::Step(step), prerelease, variant, precision }),
        (Order::Numeric(direction), _) => Compiled::Numeric(Numeric(direction)),
        (Order::Alphabetical(direction), _) => Compiled::Text(Text(direction)),
    };
    Ok(Policy { order, conditions })
}

/// Finds conditions that say nothing under the order.
fn check_combination(order: &Order, config: &Config, errors: &mut Vec<ConfigError>) {
    let name = order.name();
    let reads_versions = matches!(order, Order::Semver(_) | Order::Update(_));
    let mut refuse = |key, is_set: bool, reason: String| {
        if is_set {
            errors.push(ConfigError::new(key, reason));
        }
    };
    let variant = config.variant != Variant::Same;
    let precision = config.precision != Precision::Same;
    if !reads_versions {
        let reason = |what: &str| format!("`{name}` does not read versions, so it cannot tell {what} apart; use `filter`");
        refuse("prerelease", config.prerelease != Prerelease::No, reason("prereleases"));
        refuse("variant", variant, reason("variants"));
        refuse("precision", precision, reason("precisions"));
    } else if config.strict {
        let reason = |what: &str| format!("`strict` reads {what}; leave out one of the two");
        refuse("variant", variant, reason("a variant as a prerelease"));
        refuse("precision", precision, reason("versions of three numbers only"));
    }
    refuse("strict", config.strict && !matches!(order, Order::Semver(_)), format!("`strict` is for `semver`; `{name}` has no use for it"));
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
    Conditions { filter, extract, exclude, downgrade: config.downgrade }
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
    fn new(key: &'static str, message: String) -> Self {
        Self { key, index: None, message, span: None }
    }

    fn at(self, span: std::ops::Range<usize>) -> Self {
        Self { span: Some(span), ..self }
    }

    fn entry(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }
}
