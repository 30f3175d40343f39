//! Reads the plain YAML that nearly all manifests are, many times as fast as YAML can be read in general.
//!
//! It knows block mappings and sequences, keys and scalars of one line (plain, or in quotes without escapes), flow collections of
//! one line, literal blocks, comments and documents. Whatever else it meets, an anchor, a tag, a tab, a scalar over several
//! lines, a mistake, it gives up, and the text is read in full. What it reads it reads as [`full`](super::full) does, to the byte:
//! a property test and a fuzz target hold the two against each other.

mod flow;
mod literal;
#[cfg(test)]
mod tests;

use granit_parser::ScalarStyle;
use memchr::memchr;

use super::{Document, Form, Tree};

/// How deep collections nest; deeper ones are left to the full reader, which has the bound.
const MAX_DEPTH: usize = 64;
/// The longest key in bytes; YAML bounds it to 1,024 characters.
const MAX_KEY: usize = 1_000;

/// Reads a text of a number of nodes at most; none if it is beyond this reader.
pub(super) fn read(text: &str, limit: usize) -> Option<Tree<'_>> {
    if !is_plain(text) {
        return None;
    }
    let mut reader = Reader { text: text.as_bytes(), tree: Tree::new(text), open: Vec::new(), want: None, limit };
    let mut at = 0;
    while at < text.len() {
        at = reader.line(at)?;
    }
    reader.end_document(text.len());
    let last = reader.tree.documents.last_mut()?;
    last.bytes.end = text.len();
    reader.tree.is_quick = true;
    Some(reader.tree)
}

/// Says whether all characters are such that the line feed alone ends lines and the space alone is white space, and that YAML allows.
fn is_plain(text: &str) -> bool {
    let is_plain_ascii = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    // In pieces and without an early end, which the compiler makes fast.
    let is_all_ascii = text.as_bytes().chunks(64).all(|piece| piece.iter().fold(true, |all, &byte| all & is_plain_ascii(byte)));
    is_all_ascii
        || text.chars().all(|character| {
            matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
        })
}

struct Reader<'t> {
    text: &'t [u8],
    tree: Tree<'t>,
    /// The block collections around, outermost first.
    open: Vec<Block>,
    /// Whether a value is to come that may be a null: where that would stand.
    want: Option<usize>,
    limit: usize,
}

/// A block collection that has not ended.
#[derive(Clone, Copy)]
struct Block {
    node: usize,
    /// The column of its keys or dashes.
    column: usize,
    is_sequence: bool,
}

impl<'t> Reader<'t> {
    /// Reads a line, or several if a literal block starts in it, and returns where the next one starts.
    fn line(&mut self, start: usize) -> Option<usize> {
        let end = self.line_end(start);
        let at = self.skip_spaces(start);
        if self.is_end_or_comment(at, end) {
            return Some(end + 1);
        }
        if at == start && (self.text[at..].starts_with(b"---") || self.text[at..].starts_with(b"...")) {
            self.document(at, end)?;
            return Some(end + 1);
        }
        if self.tree.documents.is_empty() {
            self.begin_document(0, false);
        }
        let column = at - start;
        self.settle(column, self.is_dash(at))?;
        let next = match self.open.last() {
            Some(&block) if block.column == column && (block.is_sequence || !self.is_dash(at)) => match block.is_sequence {
                true => self.item(at, end, column),
                false => self.entry(at, end, column),
            },
            _ => {
                self.want.take()?;
                self.collection(at, end, column)
            }
        };
        next.filter(|_| self.tree.len() <= self.limit)
    }

    fn line_end(&self, at: usize) -> usize {
        memchr(b'\n', &self.text[at..]).map_or(self.text.len(), |len| at + len)
    }

    fn skip_spaces(&self, at: usize) -> usize {
        self.text[at..].iter().position(|&byte| byte != b' ').map_or(self.text.len(), |len| at + len)
    }

    /// Says whether nothing but a comment is left of a line; a space or the line's start is before it.
    fn is_end_or_comment(&self, at: usize, end: usize) -> bool {
        at >= end || self.text[at] == b'#'
    }

    /// Goes over the rest of a line behind a value; none if there is more than a comment.
    fn ends(&self, at: usize, end: usize) -> Option<()> {
        let next = self.skip_spaces(at).min(end);
        (next == end || next > at && self.text[next] == b'#').then_some(())
    }

    /// Says whether an indicator stands here: followed by a space or the line's end.
    fn is_indicator(&self, at: usize) -> bool {
        matches!(self.text.get(at + 1), None | Some(b' ' | b'\n'))
    }

    fn is_dash(&self, at: usize) -> bool {
        self.text[at] == b'-' && self.is_indicator(at)
    }

    /// Reads `---`; other lines that start like it or like `...` are left to the full reader.
    fn document(&mut self, at: usize, end: usize) -> Option<()> {
        let behind = at + 3;
        if self.text[at] != b'-' {
            return None;
        }
        self.ends(behind, end)?;
        self.end_document(at);
        self.begin_document(behind, true);
        Some(())
    }

    fn begin_document(&mut self, null: usize, explicit: bool) {
        let start = self.tree.documents.last().map_or(0, |document| document.bytes.end);
        let root = self.tree.len();
        self.tree.documents.push(Document { root, bytes: start..start, explicit, version: None });
        self.want = Some(null);
    }

    fn end_document(&mut self, at: usize) {
        // As the full reader sees it, an empty document ends at once.
        let end = self.want.filter(|_| self.open.is_empty()).unwrap_or(at);
        self.null();
        while let Some(block) = self.open.pop() {
            self.tree.close(block.node);
        }
        if let Some(document) = self.tree.documents.last_mut() {
            document.bytes.end = end;
        }
    }

    /// Writes the null whose place is kept, if a value did not come.
    fn null(&mut self) {
        if let Some(at) = self.want.take() {
            self.tree.push(Form::Verbatim(ScalarStyle::Plain), at..at);
        }
    }

    /// Ends what ends before a line whose text starts in a column.
    fn settle(&mut self, column: usize, is_dash: bool) -> Option<()> {
        while let Some(&top) = self.open.last() {
            if top.column < column {
                break;
            }
            if top.column == column {
                match (top.is_sequence, is_dash) {
                    // A sequence in the column of the key that it is the value of.
                    (false, true) => return self.want.map(|_| ()),
                    (true, false) => {}
                    _ => {
                        self.null();
                        break;
                    }
                }
            }
            self.null();
            self.tree.close(top.node);
            self.open.pop();
        }
        Some(())
    }

    /// Opens a block collection with its first entry.
    fn collection(&mut self, at: usize, end: usize, column: usize) -> Option<usize> {
        let is_sequence = self.is_dash(at);
        if self.open.len() >= MAX_DEPTH {
            return None;
        }
        // To the full reader, a sequence that is not indented starts behind its first dash.
        let start = match self.open.last() {
            Some(block) if is_sequence && !block.is_sequence && block.column == column => {
                let behind = self.skip_spaces(at + 1);
                if self.is_end_or_comment(behind, end) { end } else { behind }
            }
            _ => at,
        };
        let node = self.tree.len();
        let form = if is_sequence { Form::Sequence { flow: false } } else { Form::Mapping { flow: false } };
        self.tree.push(form, start..start);
        self.open.push(Block { node, column, is_sequence });
        if is_sequence { self.item(at, end, column) } else { self.entry(at, end, column) }
    }

    /// Reads an item of a block sequence from its dash on.
    fn item(&mut self, dash: usize, end: usize, column: usize) -> Option<usize> {
        let at = self.skip_spaces(dash + 1);
        if self.is_end_or_comment(at, end) {
            self.want = Some(end);
            return Some(end + 1);
        }
        if self.is_dash(at) || self.key(at, end).is_some() {
            return self.collection(at, end, column + (at - dash));
        }
        self.value(at, end, column)
    }

    /// Reads an entry of a block mapping.
    fn entry(&mut self, at: usize, end: usize, column: usize) -> Option<usize> {
        let (style, colon) = self.key(at, end)?;
        self.tree.push(Form::Verbatim(style), at..colon);
        let at = self.skip_spaces(colon + 1);
        if self.is_end_or_comment(at, end) {
            self.want = Some(colon);
            return Some(end + 1);
        }
        self.value(at, end, column)
    }

    /// Finds the colon of a key, which directly follows it.
    fn key(&self, at: usize, end: usize) -> Option<(ScalarStyle, usize)> {
        let (style, colon) = self.scalar(at, end)?;
        let is_key = colon < end && self.text[colon] == b':' && self.is_indicator(colon) && colon - at <= MAX_KEY;
        is_key.then_some((style, colon))
    }

    /// Reads a value within a line, or a literal block, of a collection in a column.
    fn value(&mut self, at: usize, end: usize, column: usize) -> Option<usize> {
        match self.text[at] {
            b'|' => return self.literal(at, end, column),
            b'[' | b'{' => {
                let behind = self.flow(at, end, 1)?;
                self.ends(behind, end)?;
            }
            _ => {
                let (style, behind) = self.scalar(at, end)?;
                self.ends(behind, end)?;
                self.tree.push(Form::Verbatim(style), at..behind);
            }
        }
        Some(end + 1)
    }

    /// Finds the end of a scalar of one line outside of flow collections.
    fn scalar(&self, at: usize, end: usize) -> Option<(ScalarStyle, usize)> {
        match self.text[at] {
            quote @ (b'"' | b'\'') => self.quoted(at, end, quote),
            _ => Some((ScalarStyle::Plain, self.plain(at, end)?)),
        }
    }

    /// Finds the end of a quoted scalar without escapes.
    fn quoted(&self, at: usize, end: usize, quote: u8) -> Option<(ScalarStyle, usize)> {
        let inside = &self.text[at + 1..end];
        let len = memchr(quote, inside)?;
        let behind = at + len + 2;
        match quote {
            b'"' => memchr(b'\\', &inside[..len]).is_none().then_some((ScalarStyle::DoubleQuoted, behind)),
            _ => (self.text.get(behind) != Some(&b'\'')).then_some((ScalarStyle::SingleQuoted, behind)),
        }
    }

    /// Finds the end of a plain scalar outside of flow collections: before a colon, a comment, or the spaces at the line's end.
    fn plain(&self, at: usize, end: usize) -> Option<usize> {
        if !self.starts_plain(at) {
            return None;
        }
        let mut behind = at;
        for (next, &byte) in self.text[at..end].iter().enumerate() {
            let next = at + next;
            match byte {
                b':' if self.is_indicator(next) => return Some(behind),
                b'#' if behind < next => return Some(behind),
                b' ' => {}
                _ => behind = next + 1,
            }
        }
        Some(behind)
    }

    fn starts_plain(&self, at: usize) -> bool {
        match self.text[at] {
            b'-' => !self.is_indicator(at),
            b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"' | b'%' | b'@'
            | b'`' => false,
            _ => true,
        }
    }
}
