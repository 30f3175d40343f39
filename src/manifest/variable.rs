//! Shell variables with defaults: `${TAG:-1.4.2}` as Compose, Dockerfiles and Flux's substitution have them.

use std::ops::Range;

use super::joined::Joined;

/// How long a value gets: the longest reference has some 520 bytes.
const MAX_VALUE: usize = 1024;
/// How deep defaults may lie in defaults.
const MAX_DEPTH: usize = 8;

/// Says whether a text uses variables.
pub(super) fn has_variables(text: &str) -> bool {
    text.contains('$')
}

/// Puts the values of variables in their places: the known one, or else the default that stands there. None if a variable has
/// neither, if its value depends on something else (`${A:+b}`), or if there is a `$` that is none (`$$`).
pub(super) fn expand(text: &Joined, known: &mut dyn FnMut(&str) -> Option<Joined>) -> Option<Joined> {
    let mut expanded = Joined::default();
    expand_part(text, 0..text.value().len(), known, 0, &mut expanded)?;
    Some(expanded)
}

fn expand_part(
    text: &Joined,
    part: Range<usize>,
    known: &mut dyn FnMut(&str) -> Option<Joined>,
    depth: usize,
    expanded: &mut Joined,
) -> Option<()> {
    let value = text.value();
    let mut at = part.start;
    while at < part.end && expanded.value().len() <= MAX_VALUE {
        let rest = value.get(at..part.end)?;
        let plain = rest.find('$').unwrap_or(rest.len()).min(MAX_VALUE + 1);
        let plain = rest.floor_char_boundary(plain);
        expanded.append(&text.slice(&(at..at + plain)));
        at += plain;
        if !value.get(at..part.end)?.starts_with('$') {
            continue;
        }
        let (usage, end) = Usage::parse(value.get(at + 1..part.end)?)?;
        let start = at + 1;
        at = start + end;
        let given = known(usage.name);
        match (given, usage.default) {
            (Some(given), None) => expanded.append(&given),
            (Some(given), Some(default)) if !given.value().is_empty() || !default.also_for_empty => expanded.append(&given),
            (_, Some(default)) if depth < MAX_DEPTH => {
                expand_part(text, start + default.word.start..start + default.word.end, known, depth + 1, expanded)?;
            }
            _ => return None,
        }
    }
    (expanded.value().len() <= MAX_VALUE).then_some(())
}

/// A variable where it is used.
struct Usage<'a> {
    name: &'a str,
    default: Option<Default>,
}

/// A default behind `-` or `=`.
struct Default {
    /// Where it stands behind the `$`.
    word: Range<usize>,
    /// Whether a value that is empty gives way to it, as with `:-`.
    also_for_empty: bool,
}

impl<'a> Usage<'a> {
    /// Reads what stands behind a `$`; returns where it ends, too.
    fn parse(text: &'a str) -> Option<(Self, usize)> {
        let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let name_at = |start: usize| {
            let bytes = text.as_bytes().get(start..)?;
            let len = bytes.iter().take_while(|byte| is_name(byte)).count();
            text.get(start..start + len).filter(|name| name.starts_with(|c: char| !c.is_ascii_digit()))
        };
        if !text.starts_with('{') {
            let name = name_at(0)?;
            return Some((Self { name, default: None }, name.len()));
        }
        let name = name_at(1)?;
        let behind = 1 + name.len();
        let end = closing_brace(text)?;
        let rest = text.get(behind..end)?;
        if rest.is_empty() {
            return Some((Self { name, default: None }, end + 1));
        }
        let also_for_empty = rest.starts_with(':');
        let operator = if also_for_empty { rest.get(1..)? } else { rest };
        let word = operator.strip_prefix(['-', '='])?;
        let default = Default { word: end - word.len()..end, also_for_empty };
        Some((Self { name, default: Some(default) }, end + 1))
    }
}

/// Finds the brace that closes the first one.
fn closing_brace(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate().take(MAX_VALUE) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Option<String> {
        let known = |name: &str| match name {
            "TAG" => Some(Joined::of("9", 0)),
            "EMPTY" => Some(Joined::default()),
            _ => None,
        };
        expand(&Joined::of(text, 0), &mut { known }).map(|joined| joined.value().to_owned())
    }

    #[test]
    fn variables_give_their_values_or_defaults() {
        for (text, expected) in [
            ("api:1", Some("api:1")),
            ("api:$TAG", Some("api:9")),
            ("api:${TAG}-x", Some("api:9-x")),
            ("api:${TAG:-1}", Some("api:9")),
            ("api:${OTHER:-1.4}", Some("api:1.4")),
            ("api:${OTHER-1.4}", Some("api:1.4")),
            ("api:${OTHER:=1.4}", Some("api:1.4")),
            ("api:${EMPTY:-1}", Some("api:1")),
            ("api:${EMPTY-1}", Some("api:")),
            ("${A:-${B:-c}/d}:e", Some("c/d:e")),
            ("${A:-ä}", Some("ä")),
            ("${A:-}", Some("")),
            ("", Some("")),
            ("api:$OTHER", None),
            ("api:${OTHER}", None),
            ("api:${OTHER:?why}", None),
            ("api:${TAG:+1}", None),
            ("api:$$TAG", None),
            ("api:$", None),
            ("api:${", None),
            ("api:${TAG", None),
            ("api:${TAG!}", None),
            ("api:$1", None),
            ("${{ matrix.image }}", None),
        ] {
            assert_eq!(expanded(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_default_is_found_where_it_stands() {
        let text = "api:${OTHER:-1.4}";
        let joined = expand(&Joined::of(text, 100), &mut |_| None).unwrap();
        assert_eq!(joined.in_text(&(4..7)), Some(113..116));
        assert_eq!(joined.in_text(&(0..7)), None);
    }

    #[test]
    fn values_and_depth_are_bounded() {
        assert_eq!(expanded(&"a".repeat(2000)), None);
        assert_eq!(expanded(&"${OTHER:-aaaaaaaaa}".repeat(1000)), None);
        let deep = format!("{}a{}", "${A:-".repeat(20), "}".repeat(20));
        assert_eq!(expanded(&deep), None);
        let mut known = |_: &str| Some(Joined::of(&"x".repeat(900), 0));
        assert_eq!(expand(&Joined::of(&"$A".repeat(1_000_000), 0), &mut known), None);
    }
}
