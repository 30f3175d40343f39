//! What stands behind the numbers of a tag: prerelease, build and variant, in any order.

use super::{Unreadable, is_separator};
use crate::policy::words;

/// The text behind the numbers, taken apart. Each field is one contiguous piece of the tag, without the separator before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rest<'a> {
    pub(super) prerelease: &'a str,
    pub(super) build: &'a str,
    pub(super) variant: &'a str,
    /// What fits nowhere else, such as a second variant behind a build.
    pub(super) tail: &'a str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Prerelease,
    Build,
    Variant,
    Tail,
}

/// What one segment between separators looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Prerelease,
    Build,
    Number,
    Commit,
    Word,
}

impl<'a> Rest<'a> {
    /// Takes `text` apart from `start`, which is not its end.
    pub(super) fn of(text: &'a str, start: usize) -> Result<Self, Unreadable> {
        let bytes = text.as_bytes();
        let mut rest = Self::default();
        let mut last: Option<Field> = None;
        // Where the field that `last` names began, so that the next segment can lengthen it.
        let mut begin = start;
        let mut at = start;
        while at < bytes.len() {
            let glued = at == start && !is_separator(bytes[at]) && bytes[at] != b'.';
            let from = if glued { at } else { at + 1 };
            let to = from + bytes[from..].iter().position(|&b| is_separator(b)).unwrap_or(bytes.len() - from);
            let segment = &text[from..to];
            if segment.is_empty() || segment.ends_with('.') || (glued && !is_word_and_number(segment)) {
                return Err(Unreadable::Unclear);
            }
            let number_follows = bytes.get(to + 1).is_some_and(u8::is_ascii_digit);
            let field = rest.place(shape(segment, number_follows), segment, last);
            if last != Some(field) {
                begin = from;
            }
            *rest.field(field) = &text[begin..to];
            last = Some(field);
            at = to;
        }
        Ok(rest)
    }

    /// Says which field a segment belongs to, given the field of the one before it.
    fn place(&self, shape: Shape, segment: &str, last: Option<Field>) -> Field {
        if last == Some(Field::Tail) {
            return Field::Tail;
        }
        let lengthens_prerelease = last == Some(Field::Prerelease) && !has_digit(self.prerelease);
        match shape {
            Shape::Number | Shape::Commit if lengthens_prerelease => Field::Prerelease,
            // `r0-ls300` counts twice, and so does Java's `u432-b06`, which is no beta.
            Shape::Number | Shape::Build if last == Some(Field::Build) => Field::Build,
            Shape::Prerelease if last == Some(Field::Build) && is_java_build(segment) => Field::Build,
            Shape::Prerelease if self.prerelease.is_empty() && self.build.is_empty() => Field::Prerelease,
            Shape::Number if last == Some(Field::Variant) => Field::Variant,
            Shape::Build | Shape::Number if self.build.is_empty() => Field::Build,
            _ if self.variant.is_empty() || last == Some(Field::Variant) => Field::Variant,
            _ => Field::Tail,
        }
    }

    fn field(&mut self, field: Field) -> &mut &'a str {
        match field {
            Field::Prerelease => &mut self.prerelease,
            Field::Build => &mut self.build,
            Field::Variant => &mut self.variant,
            Field::Tail => &mut self.tail,
        }
    }
}

fn shape(segment: &str, number_follows: bool) -> Shape {
    if words::is_commit(segment) {
        return Shape::Commit;
    }
    if is_dotted_number(segment) {
        return Shape::Number;
    }
    let length = segment.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, after) = segment.split_at(length);
    let numbered = after.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    if (after.is_empty() || after.starts_with('.') || numbered) && words::prerelease(word, numbered).is_some() {
        return Shape::Prerelease;
    }
    let counts = if after.is_empty() { number_follows } else { is_dotted_number(after.trim_start_matches('.')) };
    let is_build = if counts { words::is_build(word) } else { is_distribution_build(segment) };
    if is_build { Shape::Build } else { Shape::Word }
}

/// `k3s1`, `rke2r1`: the builds of two Kubernetes distributions whose names have digits.
fn is_distribution_build(segment: &str) -> bool {
    let number = segment.strip_prefix("k3s").or_else(|| segment.strip_prefix("rke2r"));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// `b06`, behind an update as in `8u432-b06`.
fn is_java_build(segment: &str) -> bool {
    segment.strip_prefix('b').is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// `rc1`, `b2`, `u212`, `lts`: what may follow numbers without a separator.
fn is_word_and_number(segment: &str) -> bool {
    let after = segment.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    after.len() < segment.len() && (after.is_empty() || is_dotted_number(after.strip_prefix('.').unwrap_or(after)))
}

fn is_dotted_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}
