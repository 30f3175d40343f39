//! Literal and folded block scalars (YAML 1.2.2, section 8.1).

use super::{Walk, is_blank, is_break, line_break, up_to};

/// Goes through a block from the first character behind its indentation to its end, and returns what joins two of its lines in
/// the text: a line end with the indentation.
pub(super) fn walk(walk: &mut Walk<'_>, folded: bool) -> Option<String> {
    let before = std::str::from_utf8(walk.text.get(..walk.at)?).ok()?;
    let margin = before.trim_end_matches(' ');
    let indent = before.len() - margin.len();
    let end = if margin.ends_with("\r\n") { "\r\n" } else { margin.get(margin.len().checked_sub(1)?..)? };
    // A block of nothing but blank lines has no indentation that could be told.
    if !is_break(*end.as_bytes().first()?) || walk.value.iter().all(|&byte| byte == b'\n') {
        return None;
    }
    // The blank lines between the header and the first line; the header has a line end of its own.
    let header = margin.trim_end_matches([' ', '\n', '\r']).len();
    walk.breaks(breaks(margin.as_bytes().get(header..)?).checked_sub(1)?)?;
    let mut deeper = is_blank(*walk.rest().first()?);
    let blank_lines = loop {
        walk.same(up_to(walk.rest(), is_break))?;
        let blank_lines = next_line(walk, indent)?;
        let Some(&first) = walk.rest().first() else { break blank_lines };
        let after_deeper = std::mem::replace(&mut deeper, is_blank(first));
        match blank_lines {
            _ if !folded || after_deeper || deeper => walk.breaks(1 + blank_lines)?,
            0 => walk.made(0, b" ")?,
            _ => walk.breaks(blank_lines)?,
        }
    };
    // What chomping leaves of the last line ends.
    let left = walk.value.len().checked_sub(walk.done)?;
    walk.breaks(left)?;
    (walk.at == walk.end && left <= 1 + blank_lines).then(|| format!("{end}{}", " ".repeat(indent)))
}

/// Goes over a line's end, the blank lines behind it and the indentation of the next line, and counts the blank lines; none if
/// the next line is none of the block's.
fn next_line(walk: &mut Walk<'_>, indent: usize) -> Option<usize> {
    walk.at += line_break(walk.rest());
    let mut blank_lines = 0;
    loop {
        let spaces = up_to(walk.rest().get(..indent).unwrap_or(walk.rest()), |byte| byte != b' ');
        walk.at += spaces;
        match line_break(walk.rest()) {
            0 => return (spaces == indent || walk.rest().is_empty()).then_some(blank_lines),
            len => {
                walk.at += len;
                blank_lines += 1;
            }
        }
    }
}

/// Counts line breaks.
fn breaks(text: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let len = line_break(rest);
        count += usize::from(len > 0);
        at += len.max(1);
    }
    count
}
