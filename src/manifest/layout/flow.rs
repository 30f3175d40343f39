//! Plain, single-quoted and double-quoted scalars, on one line or over several (YAML 1.2.2, section 7.3).

use granit_parser::ScalarStyle;

use super::{Walk, is_blank, is_break, line_break, up_to};

/// Goes through a scalar from its first byte, the quote if it has one, to its last.
pub(super) fn walk(walk: &mut Walk<'_>, style: ScalarStyle) -> Option<()> {
    if style != ScalarStyle::Plain {
        walk.at += 1;
        walk.end = walk.end.checked_sub(1)?;
    }
    let is_special = |byte: u8| match byte {
        b'\'' => style == ScalarStyle::SingleQuoted,
        b'\\' => style == ScalarStyle::DoubleQuoted,
        _ => is_blank(byte) || is_break(byte),
    };
    while let Some(&byte) = walk.rest().first() {
        match byte {
            _ if is_break(byte) => fold(walk, true)?,
            _ if is_blank(byte) => {
                let blanks = up_to(walk.rest(), |byte| !is_blank(byte));
                match walk.rest().get(blanks) {
                    // What ends a line is no part of the value.
                    Some(&next) if is_break(next) => walk.at += blanks,
                    _ => walk.same(blanks)?,
                }
            }
            b'\'' if is_special(byte) => walk.rest().starts_with(b"''").then(|| walk.made(2, b"'"))??,
            b'\\' if is_special(byte) => match walk.rest().get(1..).map(line_break) {
                None | Some(0) => {
                    let (len, character) = escape(walk.rest())?;
                    walk.made(len, character.encode_utf8(&mut [0; 4]).as_bytes())?;
                }
                Some(ends) => {
                    walk.at += 1 + ends;
                    fold(walk, false)?;
                }
            },
            _ => walk.same(up_to(walk.rest(), is_special))?,
        }
    }
    (walk.at == walk.end && walk.done == walk.value.len()).then_some(())
}

/// Goes over line breaks and the blanks behind them: one break makes a space, each further one a line break. Behind an escaped
/// one, which makes nothing, all are further ones.
fn fold(walk: &mut Walk<'_>, with_first: bool) -> Option<()> {
    let mut breaks = 0;
    while let Some(&byte) = walk.rest().first() {
        match line_break(walk.rest()) {
            0 if is_blank(byte) => walk.at += 1,
            0 => break,
            len => {
                walk.at += len;
                breaks += 1;
            }
        }
    }
    match (with_first, breaks) {
        (false, _) => walk.breaks(breaks),
        (true, 1) => walk.made(0, b" "),
        (true, _) => walk.breaks(breaks - 1),
    }
}

/// Reads an escape sequence (YAML 1.2.2, section 5.7) with its length. A pair of surrogates is one, as in JSON.
fn escape(text: &[u8]) -> Option<(usize, char)> {
    let digits = match text.get(1)? {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        simple => {
            let character = match simple {
                b'0' => '\0',
                b'a' => '\x07',
                b'b' => '\x08',
                b't' | b'\t' => '\t',
                b'n' => '\n',
                b'v' => '\x0b',
                b'f' => '\x0c',
                b'r' => '\r',
                b'e' => '\x1b',
                b' ' | b'"' | b'/' | b'\\' => char::from(*simple),
                b'N' => '\u{85}',
                b'_' => '\u{a0}',
                b'L' => '\u{2028}',
                b'P' => '\u{2029}',
                _ => return None,
            };
            return Some((2, character));
        }
    };
    let code = number(text.get(2..2 + digits)?)?;
    if let Some(character) = char::from_u32(code) {
        return Some((2 + digits, character));
    }
    let low = text.get(6..12)?.strip_prefix(b"\\u").and_then(number).filter(|low| (0xdc00..0xe000).contains(low))?;
    let character = char::from_u32(0x1_0000 + (code.checked_sub(0xd800)? << 10) + (low - 0xdc00));
    character.filter(|_| digits == 4 && code < 0xdc00).map(|character| (12, character))
}

fn number(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    u32::from_str_radix(digits, 16).ok()
}
