//! Literal blocks whose indentation their first line tells.

use granit_parser::ScalarStyle;

use super::super::{Form, Odd};
use super::Reader;

impl Reader<'_> {
    /// Reads a literal block of a collection in a column, and returns where the line behind it starts.
    pub(super) fn literal(&mut self, header: usize, end: usize, column: usize) -> Option<usize> {
        let (chomping, behind) = match self.text.get(header + 1)? {
            sign @ (b'-' | b'+') => (Some(*sign), header + 2),
            _ => (None, header + 1),
        };
        self.ends(behind, end)?;
        let first = self.text.get(end + 1..)?;
        let indent = first.iter().position(|&byte| byte != b' ')?;
        if first[indent] == b'\n' || indent <= column {
            return None;
        }
        let start = end + 1 + indent;
        let (mut at, mut value) = (end + 1, String::new());
        // Where the last line with content ends in the value, and the line at which the block ends.
        let mut kept = 0;
        let next = loop {
            let line = at;
            let stop = self.line_end(line);
            at = self.skip_spaces(line);
            if at >= stop {
                // A line of spaces alone may be content, too.
                if stop - line > indent {
                    return None;
                }
                if stop == self.text.len() {
                    break stop;
                }
                value.push('\n');
                at = stop + 1;
                continue;
            }
            if at - line < indent {
                // Neither the block's nor of a collection around it: a mistake or a comment that hangs below it.
                if at - line > column {
                    return None;
                }
                break line;
            }
            value.push_str(self.tree.text.get(line + indent..stop)?);
            kept = value.len();
            if stop == self.text.len() {
                return None;
            }
            value.push('\n');
            at = stop + 1;
            if at == self.text.len() {
                break at;
            }
        };
        match chomping {
            None => value.truncate(kept + 1),
            Some(b'-') => value.truncate(kept),
            Some(_) => {}
        }
        let stop = self.skip_spaces(next);
        self.tree.push_odd(Form::Rewritten(ScalarStyle::Literal), start..stop, Odd { value: value.into(), ..Odd::default() });
        Some(next)
    }
}
