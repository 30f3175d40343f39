//! Flow collections that end in the line in which they start.

use granit_parser::ScalarStyle;

use super::super::Form;
use super::{MAX_DEPTH, MAX_KEY, Reader};

impl Reader<'_> {
    /// Reads a flow collection that ends in its line, and returns where it ends.
    pub(super) fn flow(&mut self, at: usize, end: usize, depth: usize) -> Option<usize> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let is_sequence = self.text[at] == b'[';
        let (form, closing) = if is_sequence { (Form::Sequence { flow: true }, b']') } else { (Form::Mapping { flow: true }, b'}') };
        let node = self.tree.len();
        self.tree.push(form, at..at + 1);
        let mut at = self.skip_spaces(at + 1);
        while at < end && self.text[at] != closing {
            if !is_sequence {
                let key = at;
                at = self.flow_scalar(at, end)?;
                let is_key = at < end && self.text[at] == b':' && self.text.get(at + 1) == Some(&b' ') && at - key <= MAX_KEY;
                at = self.skip_spaces(is_key.then_some(at + 1)?);
            }
            at = match self.text.get(at)? {
                b'[' | b'{' => self.flow(at, end, depth + 1)?,
                _ => self.flow_scalar(at, end)?,
            };
            at = self.skip_spaces(at);
            match self.text.get(at)? {
                b',' => at = self.skip_spaces(at + 1),
                byte if *byte == closing => {}
                _ => return None,
            }
        }
        self.tree.close(node);
        (at < end).then_some(at + 1)
    }

    /// Reads a scalar in a flow collection, and returns where it ends: before a colon, a comma or a bracket, but for spaces.
    fn flow_scalar(&mut self, at: usize, end: usize) -> Option<usize> {
        if at >= end {
            return None;
        }
        let (style, behind) = match self.text[at] {
            quote @ (b'"' | b'\'') => self.quoted(at, end, quote)?,
            _ => (ScalarStyle::Plain, self.flow_plain(at, end)?),
        };
        self.tree.push(Form::Verbatim(style), at..behind);
        Some(behind)
    }

    fn flow_plain(&self, at: usize, end: usize) -> Option<usize> {
        let is_flow = |byte: u8| matches!(byte, b',' | b'[' | b']' | b'{' | b'}');
        if !self.starts_plain(at) || self.text[at] == b'-' && self.text.get(at + 1).is_none_or(|&byte| is_flow(byte)) {
            return None;
        }
        let mut behind = at;
        for (next, &byte) in self.text[at..end].iter().enumerate() {
            let next = at + next;
            match byte {
                b':' if self.is_indicator(next) => return Some(behind),
                b':' if self.text.get(next + 1).is_some_and(|&byte| is_flow(byte)) => return None,
                b'#' if behind < next => return None,
                b'[' | b'{' => return None,
                b',' | b']' | b'}' => return Some(behind),
                b' ' => {}
                _ => behind = next + 1,
            }
        }
        None
    }
}
