//! Reading a tag: what its characters most probably mean (DESIGN section 5).
//!
//! Owns the split of a tag into prefix, numbers, prerelease, build and variant. Borrows from the tag and allocates
//! nothing. Where a text could mean two things it is not read at all, with the reason: nobody is served by a guess.

mod date;
mod rest;

use std::fmt;

use super::words::{self, Named};
pub(super) use date::year_and_month;
use rest::Rest;

/// A tag taken apart.
///
/// `v1.2.3-rc.1`, `1.15.0-debian-11-r12` and `18.04` are all read; `latest`, `0a1b2c3` and `1234567` are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    prefix: &'a str,
    numbers: &'a str,
    parts: usize,
    /// The first three numbers, where they are all there are and fit: what almost every comparison needs.
    small: Option<[u64; 3]>,
    scheme: Scheme,
    rest: Rest<'a>,
}

/// What the numbers of a tag count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Versions: `1.2.3`. Calendar versions such as `22.04` and `2024.01.15` count the same way, but have no steps.
    Version,
    /// Days: `20240115`, `2024-01-15`, with or without a time.
    Date,
}

/// Why a tag is not read as a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// There is no number to compare: `latest`.
    NoNumber,
    /// It reads as a commit or a digest: `0a1b2c3`, `sha256-…`.
    Commit,
    /// A bare number of six digits or more, no date: a commit, a build or a time, who knows.
    Serial,
    /// It is built from a change that is only proposed: `pr-123`.
    Request,
    /// More than one reading is possible, or characters are left over: `1.2.3-`, `pg15-2.14.1`, `0z1b2c3`.
    Unclear,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoNumber => "not a version: it has no number",
            Self::Commit => "not a version: it reads as a commit or digest",
            Self::Serial => "not a version: a bare number of six or more digits may be a commit, a build or a time",
            Self::Request => "not a version: it reads as a pull request",
            Self::Unclear => "not a version: it can be read in more than one way",
        })
    }
}

impl<'a> Reading<'a> {
    /// Takes a tag (or what a template extracted from one) apart.
    ///
    /// # Errors
    /// Why it is not read as a version.
    pub fn of(text: &'a str) -> Result<Self, Unreadable> {
        let prefix = prefix_length(text)?;
        let bytes = text.as_bytes();
        let Numbers { mut end, first, mut parts, mut small } = Numbers::at(bytes, prefix);
        let mut scheme = Scheme::Version;
        if parts == 1 && is_glued(bytes, prefix, end) && is_commit_at(text, prefix) {
            return Err(Unreadable::Commit);
        }
        if let Some(date) = date::find(&text[prefix..], end - prefix, first - prefix, parts) {
            (end, parts, scheme, small) = (prefix + date.length, date.parts, Scheme::Date, None);
        } else if parts == 1 && end - prefix >= 6 {
            return Err(Unreadable::Serial);
        }
        let rest = if end == bytes.len() { Rest::default() } else { Rest::of(text, end)? };
        let reading = Self { prefix: &text[..prefix], numbers: &text[prefix..end], parts, small, scheme, rest };
        if prefix > 0 && !is_v(reading.prefix) && has_second_version(&reading) {
            return Err(Unreadable::Unclear);
        }
        Ok(reading)
    }

    /// Takes a text apart whose numbers, of a form known beforehand, stand from `prefix` to `end`.
    ///
    /// # Errors
    /// If what stands behind them can be read in more than one way.
    pub(super) fn around(text: &'a str, prefix: usize, end: usize) -> Result<Self, Unreadable> {
        let rest = if end == text.len() { Rest::default() } else { Rest::of(text, end)? };
        let (before, numbers) = (&text[..prefix], &text[prefix..end]);
        Ok(Self { prefix: before, numbers, parts: 1, small: None, scheme: Scheme::Date, rest })
    }

    /// Returns what stands before the numbers, with its separator: ``, `v`, `release-`.
    #[must_use]
    pub fn prefix(&self) -> &'a str {
        self.prefix
    }

    /// Returns the numbers with what separates them: `1.2.3`, `2024-01-15`.
    #[must_use]
    pub fn numbers(&self) -> &'a str {
        self.numbers
    }

    /// Visits the numbers one by one, as their digits.
    pub fn parts(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.numbers.split(['.', '-', 'T', 'Z']).filter(|part| !part.is_empty())
    }

    /// Returns the numbers, missing ones as zero, if there are at most three and each fits.
    pub(super) fn small_numbers(&self) -> Option<[u64; 3]> {
        self.small
    }

    /// Returns how many numbers there are.
    #[must_use]
    pub fn precision(&self) -> usize {
        self.parts
    }

    /// Returns what the numbers count.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the prerelease as written, without its separator: `rc.1`, `b1`, `SNAPSHOT`; empty for a release.
    #[must_use]
    pub fn prerelease(&self) -> &'a str {
        self.rest.prerelease
    }

    /// Returns the build as written, without its separator: `ls45`, `4`, `r12`; empty if there is none.
    #[must_use]
    pub fn build(&self) -> &'a str {
        self.rest.build
    }

    /// Returns the variant as written, without its separator: `alpine3.18`, `debian-11`; empty if there is none.
    #[must_use]
    pub fn variant(&self) -> &'a str {
        self.rest.variant
    }

    /// Returns what stands behind all that, and is compared like a variant.
    #[must_use]
    pub fn tail(&self) -> &'a str {
        self.rest.tail
    }

    /// Returns the reading of the tag were its prerelease a variant, of which it has none.
    pub(super) fn with_prerelease_as_variant(mut self) -> Self {
        (self.rest.variant, self.rest.prerelease) = (self.rest.prerelease, "");
        self
    }

    /// Returns the kind of the prerelease in its canonical name (`b1` is `beta`), or `None` for a release.
    #[must_use]
    pub fn prerelease_kind(&self) -> Option<&'static str> {
        super::compare::kind_of(self.rest.prerelease).map(|kind| kind.name)
    }
}

/// Says whether a prefix is the `v` that projects put before versions or leave out.
pub(super) fn is_v(prefix: &str) -> bool {
    matches!(prefix, "v" | "V")
}

/// Returns how long the prefix is: letters and separators up to the first digit, if they can be a prefix.
fn prefix_length(text: &str) -> Result<usize, Unreadable> {
    let bytes = text.as_bytes();
    if bytes.first().is_some_and(u8::is_ascii_digit) {
        return Ok(0);
    }
    let start = architecture_length(text);
    let length = start + bytes[start..].iter().position(u8::is_ascii_digit).ok_or(Unreadable::NoNumber)?;
    let prefix = &text[start..length];
    if prefix.is_empty() || is_v(prefix) {
        return Ok(length);
    }
    if !prefix.bytes().all(|b| b.is_ascii_alphabetic() || is_separator(b) || b == b'.') {
        return Err(Unreadable::Unclear);
    }
    let is_end = |c: char| !c.is_ascii_alphabetic();
    let word = prefix.trim_end_matches(is_end);
    let word = word.rsplit(is_end).next().unwrap_or(word);
    match words::named(word) {
        Some(Named::Commit) => return Err(Unreadable::Commit),
        Some(Named::Request) => return Err(Unreadable::Request),
        None => {}
    }
    // `main-abc1234`: a word glued to the number belongs to the number, unless it is the only one or a `v`.
    let glued = prefix.ends_with(word);
    if word.is_empty() || (glued && word.len() < prefix.len() && !is_v(word)) {
        return Err(if is_commit_at(text, length - word.len()) { Unreadable::Commit } else { Unreadable::Unclear });
    }
    Ok(length)
}

/// Returns how many bytes an architecture in front takes, with its separator: `amd64-`.
fn architecture_length(text: &str) -> usize {
    match text.split_once(['-', '_']) {
        // The one whose name has a separator in it.
        Some(("x86", after)) if after.starts_with("64-") || after.starts_with("64_") => "x86_64-".len(),
        Some((first, _)) if words::is_architecture(first) => first.len() + 1,
        _ => 0,
    }
}

/// Says whether behind a first version, which a word names, there is a second: `pg15-2.14.1`, `ubuntu-22.04-1.2.3`, `alpine3.19-v17.5.0`.
///
/// Which of the two is that of the image? Only behind `version-` and `release-` it is the first.
fn has_second_version(reading: &Reading<'_>) -> bool {
    let (prefix, rest) = (reading.prefix, &reading.rest);
    let word = prefix.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    let named = word.len() == prefix.len() || words::is_base_system(word) || (reading.parts > 1 && !words::is_version_word(word));
    let is_version = |segment: &str| {
        let number = segment.strip_prefix('v').unwrap_or(segment);
        number.contains('.') && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    let mut segments = rest.build.split(['-', '_']).chain(rest.variant.split(['-', '_'])).chain(rest.tail.split(['-', '_']));
    named && segments.any(is_version)
}

/// Says whether a commit hash stands at `start`, or at the word that is glued to it.
fn is_commit_at(text: &str, start: usize) -> bool {
    let bytes = text.as_bytes();
    let begin = bytes[..start].iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let length = bytes[begin..].iter().position(|&b| is_separator(b) || b == b'.').unwrap_or(bytes.len() - begin);
    let segment = &text[begin..begin + length];
    // All digits: whether that is a date or a serial number is told apart elsewhere.
    segment.len() >= 7 && segment.bytes().any(|b| b.is_ascii_alphabetic()) && words::is_commit(segment)
}

/// Says whether a letter touches the digits from `start` to `end`, as in a commit hash.
fn is_glued(bytes: &[u8], start: usize, end: usize) -> bool {
    bytes.get(end).is_some_and(u8::is_ascii_alphabetic) || (start > 0 && bytes[start - 1].is_ascii_alphabetic())
}

/// `digits(.digits)*` in a text.
struct Numbers {
    /// Where they end.
    end: usize,
    /// Where the first of them ends.
    first: usize,
    parts: usize,
    small: Option<[u64; 3]>,
}

impl Numbers {
    /// The most digits that surely fit a `u64`.
    const DIGITS: usize = 19;

    fn at(bytes: &[u8], start: usize) -> Self {
        let (mut at, mut first, mut parts, mut small) = (start, start, 0, [0; 3]);
        let mut fits = true;
        loop {
            let begin = at;
            let mut value = 0_u64;
            while let Some(digit) = bytes.get(at).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
                value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
                at += 1;
            }
            fits &= at - begin <= Self::DIGITS;
            match small.get_mut(parts) {
                Some(place) => *place = value,
                None => fits = false,
            }
            parts += 1;
            if parts == 1 {
                first = at;
            }
            if bytes.get(at) != Some(&b'.') || !bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
                return Self { end: at, first, parts, small: fits.then_some(small) };
            }
            at += 1;
        }
    }
}

/// Says whether `b` separates segments of a tag.
pub(super) fn is_separator(b: u8) -> bool {
    matches!(b, b'-' | b'_')
}
