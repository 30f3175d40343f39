//! Terraform, Nomad and other HCL: string literals that as a whole are references.

use std::ops::Range;

use super::super::find::names_image;
use super::super::joined::Joined;
use super::super::site::Shape;
use super::super::tree::Unreadable;
use super::{Finding, Found, MissReason};

/// The longest literal that is looked at, and the longest name shown.
const MAX_LITERAL: usize = 1024;
const MAX_NAME: usize = 100;

/// Finds the references of an HCL text.
pub(super) fn read(text: &str) -> Result<Found, Unreadable> {
    let mut found = Found::default();
    let (mut name, mut variable) = (Name::default(), Variable::default());
    let mut at = 0;
    while let Some(token) = Token::next(text, at) {
        let (start, end) = (at, at + token.len);
        at = end;
        match token.kind {
            Kind::Word => name.last = Some(start..end),
            Kind::Joint => name.joined = name.last.take().or(name.joined),
            Kind::Literal { plain } => {
                let inner = start + 1..end - 1;
                let named = name.joined.as_ref().map(|joined| variable.of_default(text, joined));
                literal(text, &inner, plain, named, &mut found)?;
                if name.is(text, "variable") && variable.depth == 0 {
                    variable.name = Some(inner.clone());
                }
                name.last = Some(inner);
            }
            Kind::Open => {
                variable.depth += 1;
                name = Name::default();
            }
            Kind::Close => {
                variable.depth = variable.depth.saturating_sub(1);
                variable.name = variable.name.filter(|_| variable.depth > 0);
                name = Name::default();
            }
            Kind::End => name = Name::default(),
            Kind::Other => {}
        }
    }
    Ok(found)
}

/// Looks at a string; `name` is that of the attribute it belongs to.
fn literal(text: &str, inner: &Range<usize>, plain: bool, name: Option<&Range<usize>>, found: &mut Found) -> Result<(), Unreadable> {
    let value = text.get(inner.clone()).unwrap_or_default();
    let name = name.and_then(|name| text.get(name.clone())).unwrap_or_default();
    if value.is_empty() || value.len() > MAX_LITERAL || name.len() > MAX_NAME {
        return Ok(());
    }
    let named = names_image(name);
    if !plain {
        if named {
            found.miss(inner.start, value, MissReason::Variable);
        }
        return Ok(());
    }
    if !named && (!value.contains([':', '@']) || value.contains("://")) {
        return Ok(());
    }
    let path = if name.is_empty() { "string".to_owned() } else { name.to_owned() };
    match Finding::of(&Joined::of(value, inner.start), value, path, Shape::Terraform, named) {
        Some(finding) if named || finding.tag.is_some() || finding.digest.is_some() => found.add(finding),
        Some(_) => Ok(()),
        None => {
            if named {
                found.miss(inner.start, value, MissReason::NoReference);
            }
            Ok(())
        }
    }
}

/// The name that a value belongs to.
#[derive(Default)]
struct Name {
    /// The last word or string of the line.
    last: Option<Range<usize>>,
    /// What stood before the last `=` or `:` of the line.
    joined: Option<Range<usize>>,
}

impl Name {
    /// Says whether nothing but this word stands on the line so far.
    fn is(&self, text: &str, word: &str) -> bool {
        self.joined.is_none() && self.last.clone().and_then(|last| text.get(last)) == Some(word)
    }
}

/// The block `variable "…" { … }` that this is in, if so.
#[derive(Default)]
struct Variable {
    name: Option<Range<usize>>,
    /// How many braces are open.
    depth: usize,
}

impl Variable {
    /// Returns the attribute's own name, or, of a variable's `default`, that of the variable, which says what it is for.
    fn of_default<'n>(&'n self, text: &str, attribute: &'n Range<usize>) -> &'n Range<usize> {
        let is_default = self.depth == 1 && text.get(attribute.clone()) == Some("default");
        self.name.as_ref().filter(|_| is_default).unwrap_or(attribute)
    }
}

struct Token {
    kind: Kind,
    len: usize,
}

enum Kind {
    Word,
    /// `=` or `:`
    Joint,
    /// A string; plain without escapes and interpolations.
    Literal {
        plain: bool,
    },
    /// What ends an attribute: a line's end or a comma.
    End,
    /// `{`, which ends one, too
    Open,
    /// `}`, which ends one, too
    Close,
    /// White space, comments, heredocs and the rest.
    Other,
}

impl Token {
    fn next(text: &str, at: usize) -> Option<Self> {
        let rest = text.get(at..)?;
        let first = rest.chars().next()?;
        let until = |end: &str| rest.find(end).unwrap_or(rest.len());
        let (kind, len) = match first {
            '"' => return Some(string(rest)),
            '#' => (Kind::Other, until("\n")),
            '/' if rest.starts_with("//") => (Kind::Other, until("\n")),
            '/' if rest.starts_with("/*") => {
                (Kind::Other, (2 + rest.get(2..)?.find("*/").map_or(rest.len(), |end| end + 2)).min(rest.len()))
            }
            '<' if rest.starts_with("<<") => (Kind::Other, heredoc(rest)),
            '=' | ':' => (Kind::Joint, 1),
            '\n' | ',' => (Kind::End, 1),
            '{' => (Kind::Open, 1),
            '}' => (Kind::Close, 1),
            c if c.is_alphanumeric() || c == '_' => {
                let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(rest.len());
                (Kind::Word, len)
            }
            c => (Kind::Other, c.len_utf8()),
        };
        Some(Self { kind, len })
    }
}

/// Reads a string with its quotes. One that is not closed on its line is none.
fn string(text: &str) -> Token {
    let bytes = text.as_bytes();
    let (mut at, mut plain) = (1, true);
    // By interpolation around the place: the braces that are open in it, and whether a string is open in it.
    let mut open: Vec<usize> = Vec::new();
    let mut quoted = true;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\n' => break,
            b'\\' if quoted => {
                plain = false;
                at += 1;
            }
            b'$' | b'%' if quoted && bytes.get(at + 1) == Some(&b'{') => {
                plain = false;
                open.push(0);
                quoted = false;
                at += 1;
            }
            b'"' if quoted && open.is_empty() => return Token { kind: Kind::Literal { plain }, len: at + 1 },
            b'"' => quoted = !quoted,
            b'{' if !quoted => open.iter_mut().last().into_iter().for_each(|depth| *depth += 1),
            b'}' if !quoted => match open.last_mut() {
                Some(0) | None => {
                    open.pop();
                    quoted = true;
                }
                Some(depth) => *depth -= 1,
            },
            _ => {}
        }
        at += 1;
    }
    Token { kind: Kind::Other, len: at.min(text.len()) }
}

/// Returns how long a heredoc is, with the word that ends it; two characters if it is none.
fn heredoc(text: &str) -> usize {
    let rest = text.get(2..).unwrap_or_default();
    let rest = rest.strip_prefix('-').unwrap_or(rest);
    let first = rest.get(..rest.floor_char_boundary(MAX_NAME + 2)).unwrap_or_default();
    let Some((name, _)) = first.split_once('\n') else { return 2 };
    let body = rest.get(name.len() + 1..).unwrap_or_default();
    let name = name.trim_end();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        return 2;
    }
    let mut at = text.len() - body.len();
    for line in body.split_inclusive('\n') {
        if line.trim() == name {
            return at + line.trim_end_matches(['\n', '\r']).len();
        }
        at += line.len();
    }
    text.len()
}
