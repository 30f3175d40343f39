//! A line of a text that is no YAML, taken apart as far as it can be without the others.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::super::super::find::is_empty;
use super::super::Place;

/// How a template starts and ends that gives a value or says whether there is one.
const TEMPLATES: [(&str, &str); 4] = [("{{", "}}"), ("${", "}"), ("{%", "%}"), ("<%", "%>")];
/// What stands around values.
pub(super) const BLANK: [char; 3] = [' ', '\t', '\u{feff}'];

/// A line: what stands before its comment, and the comment.
pub(super) struct Line<'t> {
    pub(super) start: usize,
    pub(super) value: &'t str,
    pub(super) comment: &'t str,
}

/// What stands before a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    /// The key that it is the value of, a dash, or nothing.
    Key,
    /// A `=`, in an argument.
    Equals,
    /// A bracket or a comma.
    Item,
    /// Another word.
    Word,
}

/// A piece of a line that could be a value.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) lead: Lead,
    /// Its place in the line, without quotes.
    pub(super) range: Range<usize>,
    pub(super) quoted: bool,
    /// Whether a template is part of it, or something behind a quote.
    pub(super) spoilt: bool,
}

/// The only value of a line, behind a key or a dash, or the place for one.
pub(super) struct Lone<'t> {
    /// What stands before it.
    key: &'t str,
    pub(super) text: &'t str,
    /// Whether it is null or an empty string.
    pub(super) is_none: bool,
    pub(super) place: Place,
}

impl Lone<'_> {
    /// Says whether it is a part of a reference by its key: what is marked there as a whole one most likely lacks its `:tag`.
    pub(super) fn is_part(&self) -> bool {
        let key = self.key.trim_end_matches([' ', '\t', ':', '"', '\'']).to_ascii_lowercase();
        ["tag", "digest", "version"].iter().any(|part| key.ends_with(part))
    }
}

impl<'t> Line<'t> {
    /// Reads the line that starts at a byte.
    pub(super) fn at(text: &'t str, start: usize) -> Self {
        let rest = text.get(start..).unwrap_or_default();
        let line = rest.split(['\n', '\r']).next().unwrap_or_default();
        let (value, comment) = line.split_at(comment_in(line));
        Self { start, value, comment }
    }

    pub(super) fn end(&self) -> usize {
        self.start + self.value.len() + self.comment.len()
    }

    /// Returns the line behind it.
    pub(super) fn next(&self, text: &'t str) -> Option<Self> {
        let rest = text.get(self.end()..)?;
        let end = ["\r\n", "\n", "\r"].into_iter().find(|end| rest.starts_with(end))?;
        Some(Self::at(text, self.end() + end.len()))
    }

    /// Returns the only value of the line; one that stands there in part, or may be below, is none.
    pub(super) fn lone(&self, text: &'t str, words: &[Word]) -> Option<Lone<'t>> {
        let [word] = words else {
            let key = self.value.trim_end_matches(BLANK);
            let at = self.start + key.len();
            let place = Place { range: at..at, style: ScalarStyle::Plain, is_null: true };
            let is_key = words.is_empty() && key.ends_with(':') && !self.may_go_on(text);
            return is_key.then_some(Lone { key, text: "", is_none: true, place });
        };
        if word.spoilt || !matches!(word.lead, Lead::Key | Lead::Item) {
            return None;
        }
        let (key, text) = (self.value.get(..word.range.start)?, self.value.get(word.range.clone())?);
        let style = match key.chars().next_back() {
            Some('"') if word.quoted => ScalarStyle::DoubleQuoted,
            Some('\'') if word.quoted => ScalarStyle::SingleQuoted,
            // The end of an argument.
            _ if word.quoted => return None,
            _ => ScalarStyle::Plain,
        };
        let is_none = is_empty(text, style);
        let range = self.start + word.range.start..self.start + word.range.end;
        Some(Lone { key, text, is_none, place: Place { range, style, is_null: is_none && !word.quoted } })
    }

    /// Says whether what is below a line that ends with a key may be its value: what is further indented, a list, or a template,
    /// which may bring forth anything.
    fn may_go_on(&self, text: &'t str) -> bool {
        let own = column(self.value).len();
        let mut next = self.next(text);
        while let Some(line) = next {
            let value = line.value.trim_matches(BLANK);
            if !value.is_empty() {
                let below = indent(line.value).len();
                let is_list = below == own && (value == "-" || value.starts_with("- "));
                return below > own || is_list || TEMPLATES.iter().any(|(open, _)| value.starts_with(open));
            }
            next = line.next(text);
        }
        false
    }
}

/// Returns what stands before the first key or value of a line: blanks, and dashes of lists.
pub(super) fn column(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}');
    let mut rest = line.trim_start_matches([' ', '\t']);
    while let Some(item) = rest.strip_prefix('-').filter(|item| item.starts_with([' ', '\t'])) {
        rest = item.trim_start_matches([' ', '\t']);
    }
    line.get(..line.len() - rest.len()).unwrap_or_default()
}

/// Returns the blanks that a line starts with.
pub(super) fn indent(line: &str) -> &str {
    let line = line.trim_start_matches('\u{feff}');
    line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
}

/// Returns where the comment of a line starts, or else its end.
fn comment_in(line: &str) -> usize {
    let mut at = 0;
    let mut is_start = true;
    while let Some(next) = line[at..].chars().next() {
        if next == '#' && is_start {
            return at;
        }
        let length = template(&line[at..]).or_else(|| quoted(&line[at..]).filter(|_| is_start || line[..at].ends_with(OPENERS)));
        at += length.unwrap_or(next.len_utf8());
        is_start = length.is_none() && (matches!(next, ' ' | '\t') || next == '\u{feff}' && at == next.len_utf8());
    }
    at
}

/// What a quote may stand behind.
const OPENERS: [char; 5] = ['[', '{', ',', '=', ':'];

/// Returns the length of a template at the start of a text; one that does not end takes up all of it.
fn template(text: &str) -> Option<usize> {
    let (open, close) = TEMPLATES.iter().find(|(open, _)| text.starts_with(open))?;
    Some(text[open.len()..].find(close).map_or(text.len(), |end| open.len() + end + close.len()))
}

/// Returns the length of a string in quotes at the start of a text, with them.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    text[1..].find(quote).map(|end| end + 2)
}

/// Takes a line apart, without its keys and dashes.
pub(super) fn words(line: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let (mut at, mut lead) = (0, Lead::Key);
    while let Some(next) = line[at..].chars().next() {
        match next {
            ' ' | '\t' | '\u{feff}' => at += next.len_utf8(),
            '[' | ',' | ']' | '}' => (at, lead) = (at + 1, Lead::Item),
            '{' if template(&line[at..]).is_none() => (at, lead) = (at + 1, Lead::Item),
            '=' => (at, lead) = (at + 1, Lead::Equals),
            _ => {
                let (word, end) = Word::at(line, at, lead);
                let after = &line[end..];
                let is_key =
                    after.starts_with(':') && after[1..].chars().next().is_none_or(|next| word.quoted || matches!(next, ' ' | '\t'));
                let is_dash = words.is_empty() && lead == Lead::Key && &line[at..end] == "-";
                (at, lead) = (end + usize::from(is_key), if is_key || is_dash { Lead::Key } else { Lead::Word });
                if !is_key && !is_dash {
                    words.push(word);
                }
            }
        }
    }
    words
}

impl Word {
    /// Reads the word at a byte of a line, and where it ends; it has a byte at least.
    fn at(line: &str, start: usize, lead: Lead) -> (Self, usize) {
        let ends = |at: usize| {
            let mut next = line[at..].chars();
            match next.next() {
                None | Some(' ' | '\t' | ',' | ']' | '}' | '=') => true,
                Some(':') => matches!(next.next(), None | Some(' ' | '\t')),
                Some(_) => false,
            }
        };
        if let Some(end) = quoted(&line[start..]).map(|length| start + length).filter(|&end| ends(end) || line[end..].starts_with(':')) {
            let inner = &line[start + 1..end - 1];
            // An argument in quotes; escapes are not read.
            let from = start + 1 + inner.rfind('=').map_or(0, |at| at + 1);
            let spoilt = inner.contains('\\') || TEMPLATES.iter().any(|(open, _)| inner.contains(open));
            return (Self { lead, range: from..end - 1, quoted: true, spoilt }, end);
        }
        // A quote that ends within a word starts one that is none.
        let (mut at, mut spoilt) = (start, line[start..].starts_with(['"', '\'']));
        while !ends(at) {
            let length = template(&line[at..]);
            spoilt |= length.is_some();
            at += length.or_else(|| line[at..].chars().next().map(char::len_utf8)).unwrap_or(1);
        }
        (Self { lead, range: start..at, quoted: false, spoilt }, at)
    }
}
