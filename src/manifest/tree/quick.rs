//! Reads the plain YAML that nearly all manifests are, many times as fast as YAML can be read in general.
//!
//! It knows block mappings and sequences, keys and scalars of one line (plain, or in quotes without escapes), flow collections of
//! one line, literal blocks, comments and documents. Whatever else it meets, an anchor, a tag, a tab, a scalar over several
//! lines, a mistake, it gives up, and the text is read in full. What it reads it reads as [`full`](super::full) does, to the byte:
//! a property test and a fuzz target hold the two against each other.

use granit_parser::ScalarStyle;
use memchr::memchr;

use super::{Document, Form, Odd, Tree};

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
        let (style, colon) = match self.text[at] {
            quote @ (b'"' | b'\'') => self.quoted(at, end, quote)?,
            _ => (ScalarStyle::Plain, self.plain(at, end)?),
        };
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
            quote @ (b'"' | b'\'') => {
                let (style, behind) = self.quoted(at, end, quote)?;
                self.ends(behind, end)?;
                self.tree.push(Form::Verbatim(style), at..behind);
            }
            _ => {
                let behind = self.plain(at, end)?;
                self.ends(behind, end)?;
                self.tree.push(Form::Verbatim(ScalarStyle::Plain), at..behind);
            }
        }
        Some(end + 1)
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

    /// Reads a flow collection that ends in its line, and returns where it ends.
    fn flow(&mut self, at: usize, end: usize, depth: usize) -> Option<usize> {
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

    /// Reads a literal block of a collection in a column, and returns where the line behind it starts.
    fn literal(&mut self, header: usize, end: usize, column: usize) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::both_agree;
    use super::*;

    #[test]
    fn what_manifests_are_made_of_is_read() {
        for text in [
            "a: b\n",
            "a: b",
            "# c\n\na: b # d\n  # e\n",
            "---\na: b\n---\n# c\n---\nd:\n---\n",
            "a: b\n---\n",
            "  a: b\n  c: d\n",
            "a:\n  b:\n    c: d\n  e:\nf:\n",
            "a:\n- b\n- c: d\n  e: f\n-\n- - g\n  - h\ni: j\n",
            "a:\n  - b\n  -\n    c: d\n",
            "a:\n- # b\n  c: d\n- e\nf:\n-\n-\ng:\n-\n\n# h\ni:\n-\n---\nj:\n-\n",
            "- a\n- b: c\n",
            "-  # c\n-   \n- b\n",
            "a: 'b'\n\"c\": \"d\" # e\nf: ''\n'g': \"\"\n",
            "a: []\nb: {}\nc: [a, \"b\", 'c d', {e: f, \"g\": [h]}, -i, ]\nd: { a: b }\n",
            "a: http://b/c?d=e#f\nb: --c=d:e\nc: -1\nd: a, [b] {c}\ne: ---\n",
            "a: |\n  b\n\n   c\nd: |-\n  e\n\n\n# f\ng:\n- |+\n  h\n\n\n- i: |  # j\n     k # l\n- m\n",
            "a: |\n  b\n\n",
            "a: ü # ünï – “…”\n",
            "a: b\n   ",
            "a:\n  b: c\n\n  # d\n    # e\n  f: g\n",
            include_str!("../../../tests/fixtures/manifest/deployment.yaml"),
        ] {
            assert!(both_agree(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_beyond_it_is_left_to_the_full_reader() {
        for text in [
            "",
            "# a\n",
            "a",
            "a: b\n c\n",
            "a:\n  b\n",
            "a: &b c\n",
            "a: *b\n",
            "a: !!str b\n",
            "? a\n: b\n",
            "a: \"b\\n\"\n",
            "a: 'b''c'\n",
            "a: \"b\n  c\"\n",
            "a: [b,\n  c]\n",
            "a: [b: c]\n",
            "a: {b}\n",
            "a: {b: }\n",
            "a: >\n  b\n",
            "a: |2\n  b\n",
            "a: |\n",
            "a: |\n  b",
            "a: |\n   b\n  c\n",
            "a: |\n  b\n     \n",
            "a:\tb\n",
            "a: b\r\n",
            "\u{feff}a: b\n",
            "a: b\u{85}c\n",
            "a: b\u{2028}c\n",
            "%YAML 1.2\n---\na: b\n",
            "--- a\n",
            "a: b\n...\n",
            "...\n",
            "a : b\n",
            "a: b: c\n",
            "a: - b\n",
            "a: b\n- c\n",
            "- a\nb: c\n",
            "a: b\n  c: d\n",
            "  a: b\nc: d\n",
            "a: 'b' c\n",
            "a: 'b'#c\n",
            "a: [b]#c\n",
            "a: {{ b }}\n",
            "a: @b\n",
            "a: ]\n",
        ] {
            assert!(!both_agree(text), "{text:?}");
        }
        let deep: String = (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(!both_agree(&deep));
        assert!(!both_agree(&format!("{}: a\n", "k".repeat(1100))));
        assert!(!both_agree(&format!("a: {}b{}\n", "[".repeat(100), "]".repeat(100))));
        assert!(read("a: [b, c]\n", 3).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_it_reads_it_reads_as_the_full_reader_does(lines in prop::collection::vec(line(), 0..9), last in "\\PC{0,2}") {
            both_agree(&(lines.concat() + &last));
        }
    }

    fn line() -> impl Strategy<Value = String> {
        let name = prop::sample::select(vec!["a", "b", "\"c\"", "'d'", "e f", "-g", "h#", "<<", "i:j", "{}", "", "~", "|", "ü"]);
        let value = prop::sample::select(vec![
            "x",
            "y z",
            "\"q\"",
            "'s'",
            "''",
            "[]",
            "{}",
            "[a, 'b']",
            "{a: b, c: [d]}",
            "[a,]",
            "[,]",
            "{a: b,}",
            "[a:b]",
            "[a: b]",
            "{a}",
            "|",
            "|-",
            "|+",
            ">",
            "|2",
            "#",
            "x #",
            "x#",
            ":",
            "-",
            "- ",
            "--",
            "---",
            "...",
            "?",
            "a: ",
            ":x",
            "-x",
            "&a",
            "*a",
            "!t",
            "%",
            "@",
            "'",
            "\"",
            "\\",
            "'a''b'",
            "\"\\n\"",
            "[",
            "]",
            "{",
            "}",
            "x: y",
            "x:y",
            "[a b, -c, d#e ]",
            "[a #b]",
            "{\"a\":b}",
            "{a: }",
            "[[a], {b: c}]",
        ]);
        let value = prop_oneof![2 => Just(""), 3 => value];
        let end = prop::sample::select(vec!["", "", "", "", " ", "  ", " # c", "#c", "\t"]);
        let structured = (
            prop_oneof![3 => prop::sample::select(vec![0usize, 2, 4]), 1 => 0usize..7],
            0usize..3,
            prop::option::weighted(0.6, name),
            value,
            end,
            prop::bool::weighted(0.97),
        )
            .prop_map(|(indent, dashes, key, value, end, is_ended)| {
                let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
                let line = format!("{}{}{key}{value}{end}", " ".repeat(indent), "- ".repeat(dashes));
                let line = if value.is_empty() && end.is_empty() { line.trim_end().to_owned() } else { line };
                line + if is_ended { "\n" } else { "" }
            });
        let marker =
            prop::sample::select(vec!["---\n", "--- \n", "--- # c\n", "...\n", "---x\n", "%YAML 1.2\n", "\n", "   \n", "# c\n", "  # c\n"]);
        prop_oneof![12 => structured, 3 => marker.prop_map(str::to_owned), 1 => "[-a:# \\[\\]{},'\"|?\n]{0,12}"]
    }
}
