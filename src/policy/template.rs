//! The template that `extract` lays over the groups of `filter`.
//!
//! `$name`, `${name}` and `$1` stand for groups, `$$` for a dollar, everything else for itself. As in Flux, `$1x` is the
//! group named `1x`; unlike there, a group that the filter does not have is a mistake and not an empty text.

use std::borrow::Cow;
use std::ops::Range;

use regex::{CaptureLocations, Regex};

/// A checked template.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Group(usize),
}

/// A mistake in a template, with the bytes at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TemplateError {
    pub(super) message: String,
    pub(super) span: Range<usize>,
}

impl Template {
    /// Reads a template over the groups of `filter`.
    pub(super) fn parse(text: &str, filter: &Regex) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(offset) = text[at..].find('$') {
            let dollar = at + offset;
            push_text(&mut pieces, &text[at..dollar]);
            let rest = &text[dollar + 1..];
            if rest.starts_with('$') {
                push_text(&mut pieces, "$");
                at = dollar + 2;
                continue;
            }
            let (name, length) = name(rest).map_err(|message| TemplateError { message: message.to_owned(), span: dollar..text.len() })?;
            at = dollar + 1 + length;
            let group = group(filter, name).map_err(|message| TemplateError { message, span: dollar..at })?;
            pieces.push(Piece::Group(group));
        }
        push_text(&mut pieces, &text[at..]);
        if !pieces.iter().any(|piece| matches!(piece, Piece::Group(_))) {
            let message = "it names no group of the filter, so that all tags would be one; write `$1` or `$name`".to_owned();
            return Err(TemplateError { message, span: 0..text.len() });
        }
        Ok(Self(pieces))
    }

    /// Lays the template over the match of `filter` that `found` holds the places of; a group that took no part is empty.
    pub(super) fn expand<'a>(&self, text: &'a str, found: &CaptureLocations) -> Cow<'a, str> {
        let group = |index: &usize| found.get(*index).and_then(|(start, end)| text.get(start..end)).unwrap_or("");
        match self.0.as_slice() {
            [Piece::Group(index)] => Cow::Borrowed(group(index)),
            pieces => pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => text,
                    Piece::Group(index) => group(index),
                })
                .collect::<String>()
                .into(),
        }
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ if !text.is_empty() => pieces.push(Piece::Text(text.to_owned())),
        _ => {}
    }
}

/// Returns the name behind a `$`, and how many bytes it takes with its braces.
fn name(rest: &str) -> Result<(&str, usize), &'static str> {
    if let Some(braced) = rest.strip_prefix('{') {
        let end = braced.find('}').ok_or("the `{` is not closed")?;
        return if end == 0 { Err("a group's name is missing between the braces") } else { Ok((&braced[..end], end + 2)) };
    }
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    if end == 0 { Err("a group's name or number is missing after `$`; a dollar itself is `$$`") } else { Ok((&rest[..end], end)) }
}

fn group(filter: &Regex, name: &str) -> Result<usize, String> {
    let by_number = name.bytes().all(|b| b.is_ascii_digit()).then(|| name.parse().ok()).flatten();
    let found = match by_number {
        Some(number) => (number < filter.captures_len()).then_some(number),
        None => filter.capture_names().position(|candidate| candidate == Some(name)),
    };
    found.ok_or_else(|| {
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && digits < name.len() {
            let (number, text) = name.split_at(digits);
            return format!("the filter has no group `{name}`; for group {number} with `{text}` behind it write `${{{number}}}{text}`");
        }
        match filter.captures_len() - 1 {
            0 => format!("the filter has no group `{name}`; it has no groups at all"),
            count => format!("the filter has no group `{name}`; it has {count}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(filter: &str, template: &str, tag: &str) -> String {
        let filter = Regex::new(filter).unwrap();
        let mut found = filter.capture_locations();
        filter.captures_read(&mut found, tag).unwrap();
        Template::parse(template, &filter).unwrap().expand(tag, &found).into_owned()
    }

    #[test]
    fn groups_texts_and_dollars() {
        assert_eq!(expand("ver(\\d+)", "$1", "ver12"), "12");
        assert_eq!(expand("(?P<a>x)(?<b>y)?", "${a}-$b-$0", "x"), "x--x");
        assert_eq!(expand("(\\d+)-(\\d+)", "$2.${1}$$", "10-20"), "20.10$");
        assert_eq!(expand("(a)", "é${1}é", "a"), "éaé");
    }

    #[test]
    fn mistakes_have_a_place() {
        let filter = Regex::new("(?<word>x)(y)").unwrap();
        for (template, at, words) in [
            ("$1x", 0..3, "write `${1}x`"),
            ("a$nope", 1..6, "no group `nope`; it has 2"),
            ("$3", 0..2, "no group `3`"),
            ("$99999999999999999999999", 0..24, "no group"),
            ("x${word", 1..7, "not closed"),
            ("${}", 0..3, "missing between"),
            ("a$", 1..2, "a dollar itself is `$$`"),
            ("$-", 0..2, "missing after"),
            ("text", 0..4, "names no group"),
            ("$$", 0..2, "names no group"),
        ] {
            let error = Template::parse(template, &filter).unwrap_err();
            assert_eq!(error.span, at, "{template}");
            assert!(error.message.contains(words), "{template}: {}", error.message);
        }
    }
}
