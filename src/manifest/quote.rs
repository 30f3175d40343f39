//! Which plain scalars YAML would read as something else than a string.

/// Says whether a plain scalar is a number, boolean, null, date or the like to some YAML reader, of version 1.1 or 1.2.
///
/// Covers the types of both versions (YAML 1.1 type repository; YAML 1.2.2 section 10.3) and what their readers add;
/// a quote too many harms nothing.
pub(super) fn retypes(text: &str) -> bool {
    is_word(text) || is_integer(text) || is_float(text) || is_sexagesimal(text) || is_date(text)
}

fn is_word(text: &str) -> bool {
    const WORDS: [&str; 17] =
        ["", "~", "null", "y", "n", "yes", "no", "on", "off", "true", "false", "t", "f", "nan", "inf", ".nan", ".inf"];
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    WORDS.iter().any(|word| unsigned.eq_ignore_ascii_case(word))
}

/// Strips a sign.
fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

/// Says whether a text is made of these bytes and underscores, and has at least one of these bytes.
fn made_of(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().any(&allowed) && text.bytes().all(|byte| byte == b'_' || allowed(byte))
}

fn digits(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && made_of(text, |b| b.is_ascii_digit())
}

fn is_integer(text: &str) -> bool {
    let text = unsigned(text);
    let radix = |prefix: &str, allowed: fn(u8) -> bool| {
        text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) && made_of(&text[2..], allowed)
    };
    digits(text)
        || radix("0x", |b| b.is_ascii_hexdigit())
        || radix("0o", |b| matches!(b, b'0'..=b'7'))
        || radix("0b", |b| matches!(b, b'0' | b'1'))
}

fn is_float(text: &str) -> bool {
    let text = unsigned(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(unsigned(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, fraction)| (whole, Some(fraction)));
    let part = |text: &str| text.is_empty() || made_of(text, |b| b.is_ascii_digit()) || text.bytes().all(|b| b == b'_');
    let mantissa_fits =
        (digits(whole) || whole.is_empty() && fraction.is_some_and(|f| f.bytes().any(|b| b.is_ascii_digit()))) && fraction.is_none_or(part);
    mantissa_fits && exponent.is_none_or(digits) && (fraction.is_some() || exponent.is_some())
}

/// Base 60 of YAML 1.1: `1:30`, `190:20:30.15`.
fn is_sexagesimal(text: &str) -> bool {
    let mut parts = unsigned(text).split(':');
    let first = parts.next().is_some_and(digits);
    let mut rest = parts.peekable();
    first
        && rest.peek().is_some()
        && rest.all(|part| part.starts_with(|c: char| c.is_ascii_digit()) && made_of(part, |b| b.is_ascii_digit() || b == b'.'))
}

/// A date, or a timestamp that starts with one.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let number = |text: &str, lengths: &[usize]| lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let day = rest.split(['t', 'T', ' ', '\t']).next().unwrap_or_default();
    number(year, &[4]) && number(month, &[1, 2]) && number(day, &[1, 2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_string() {
        for text in [
            "",
            "~",
            "null",
            "Null",
            "NULL",
            "y",
            "Y",
            "n",
            "yes",
            "Yes",
            "no",
            "NO",
            "on",
            "On",
            "off",
            "OFF",
            "true",
            "True",
            "false",
            "FALSE",
            "1",
            "16",
            "0755",
            "0o17",
            "0x1F",
            "0X1f",
            "0b101",
            "1_000",
            "1__0",
            "+1",
            "-1",
            "20240131",
            "1.10",
            "1.",
            ".5",
            "1._5",
            "1_0.5",
            "1e3",
            "1E5",
            "12e03",
            "1e+3",
            "1.5e-3",
            "1.e3",
            "1234567e890",
            "1:30",
            "190:20:30",
            "1:30.5",
            "2024-01-31",
            "2024-1-3",
            "2024-01-31T10",
            "2024-01-31t10:00:00Z",
            "2024-01-31 10:00:00",
            ".inf",
            ".Inf",
            "-.INF",
            ".NaN",
            "nan",
            "inf",
            "18446744073709551616",
        ] {
            assert!(retypes(text), "{text}");
        }
    }

    #[test]
    fn what_is_a_string() {
        for text in [
            "1.4.2",
            "v1",
            "v1.10",
            "1.10-alpine",
            "2024.01.31",
            "2024-01-31-1",
            "2024-01",
            "20240131-abc",
            "1.2.3.4",
            "latest",
            "_1",
            "e3",
            "1e",
            "1e3x",
            "0x",
            "0xg",
            "0o8",
            "0b2",
            "yesno",
            "trueish",
            "1.4.1_4",
            "release-2024",
            "sha256-abc",
            "1.10_rc",
            "1a",
            "abc:1.10",
            "nginx:1",
            "1:x",
            "123-45-6",
        ] {
            assert!(!retypes(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_second_reader_takes_for_no_string_is_known(tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,6}|[0-9][0-9._eExXob-]{0,8}") {
            let value: serde_yaml::Value = serde_yaml::from_str(&format!("a: {tag}")).unwrap();
            if !value["a"].is_string() {
                prop_assert!(retypes(&tag), "{tag} is {value:?}");
            }
        }
    }
}
