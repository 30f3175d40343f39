//! The forms of calendar versions, in the words of calver.org: `YYYY.0M.0D`, `YY.MINOR.MICRO`.
//!
//! Owns which texts are of a form, which dates exist and how two texts of one form compare. What stands behind the form
//! (a modifier, a variant) is read as with any other tag.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use super::number::{compare_digits, saturating};

/// The years of dates; a number beyond them counts something else.
const YEARS: std::ops::RangeInclusive<u64> = 1990..=2099;

/// A checked form.
#[derive(Clone, Debug)]
pub(super) struct Form {
    text: Box<str>,
    pieces: Vec<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Separator(u8),
    Number(Token),
}

/// A number of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    unit: Unit,
    width: Width,
    /// Where its number stands among those that are compared.
    rank: usize,
}

/// What a number counts. Of these a form has each at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Major,
    Minor,
    Micro,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// This many digits.
    Exactly(usize),
    /// At most this many digits, without leading zeros.
    Short(usize),
    /// Any digits.
    Any,
}

/// The most numbers that a form can have: week excludes month and day.
const NUMBERS: usize = 6;

/// The words of forms; a word stands before those that it starts with.
const WORDS: [(&str, Unit, Width); 12] = [
    ("YYYY", Unit::Year, Width::Exactly(4)),
    ("YY", Unit::Year, Width::Short(3)),
    ("0Y", Unit::Year, Width::Exactly(2)),
    ("MAJOR", Unit::Major, Width::Any),
    ("MINOR", Unit::Minor, Width::Any),
    ("MICRO", Unit::Micro, Width::Any),
    ("MM", Unit::Month, Width::Short(2)),
    ("0M", Unit::Month, Width::Exactly(2)),
    ("WW", Unit::Week, Width::Short(2)),
    ("0W", Unit::Week, Width::Exactly(2)),
    ("DD", Unit::Day, Width::Short(2)),
    ("0D", Unit::Day, Width::Exactly(2)),
];

/// The word for what may stand behind the numbers: a prerelease or another suffix.
const MODIFIER: &str = "MODIFIER";

const KNOWN: &str = "YYYY, YY, 0Y, MM, 0M, WW, 0W, DD, 0D, MAJOR, MINOR, MICRO and MODIFIER";

/// A mistake in a form, with the bytes at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FormError {
    pub(super) message: String,
    pub(super) span: Range<usize>,
}

/// Why a text is not of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// It has another form.
    Form,
    /// There is no such day, month or week, or the year is none.
    NoSuchDate,
}

/// The numbers of a text of a form, the most significant first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a>([&'a str; NUMBERS]);

impl Form {
    /// Reads a form.
    pub(super) fn parse(text: &str) -> Result<Self, FormError> {
        let fail = |span: Range<usize>, message: &str| Err(FormError { message: message.to_owned(), span });
        let mut pieces: Vec<Piece> = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let span = |length: usize| at..at + length;
            if let Some(behind) = rest.strip_prefix(MODIFIER) {
                if !behind.is_empty() {
                    return fail(span(MODIFIER.len()), "`MODIFIER` stands at the end");
                }
                // Any text may have a suffix, with its separator, so the form says nothing more by it.
                if let Some(Piece::Separator(_)) = pieces.last() {
                    pieces.pop();
                }
                break;
            }
            if let Some(&(word, unit, width)) = WORDS.iter().find(|(word, ..)| rest.starts_with(word)) {
                if pieces.iter().any(|piece| matches!(piece, Piece::Number(token) if token.unit == unit)) {
                    return fail(span(word.len()), &format!("`{word}` says again what was said before it"));
                }
                if let Some(Piece::Number(Token { width: Width::Short(_) | Width::Any, .. })) = pieces.last() {
                    let message = "nothing tells where the number before this ends; put a separator between, or write it zero-padded: `0M`";
                    return fail(span(word.len()), message);
                }
                pieces.push(Piece::Number(Token { unit, width, rank: 0 }));
                at += word.len();
            } else if let Some(&separator) = rest.as_bytes().first().filter(|b| matches!(b, b'.' | b'-' | b'_')) {
                pieces.push(Piece::Separator(separator));
                at += 1;
            } else {
                let word = rest.find(['.', '-', '_']).unwrap_or(rest.len());
                return fail(span(word), &format!("`{}` is no word of a calendar version; known are {KNOWN}", rest[..word].escape_debug()));
            }
        }
        let has = |unit| pieces.iter().any(|piece| matches!(piece, Piece::Number(token) if token.unit == unit));
        let whole = 0..text.len();
        if !has(Unit::Year) {
            return fail(whole, "a calendar version has a year: `YYYY`, `YY` or `0Y`");
        }
        if has(Unit::Week) && (has(Unit::Month) || has(Unit::Day)) {
            return fail(whole, "weeks do not go with months and days");
        }
        if has(Unit::Day) && !has(Unit::Month) {
            return fail(whole, "a day needs its month");
        }
        if matches!(pieces.first(), Some(Piece::Separator(_))) || matches!(pieces.last(), Some(Piece::Separator(_))) {
            return fail(whole, "a form starts and ends with a number; what stands before it is for `filter` and `extract`");
        }
        rank(&mut pieces);
        Ok(Self { text: text.into(), pieces })
    }

    /// Reads the numbers of `text` from `start` on: how far they go, and what they are.
    pub(super) fn read<'a>(&self, text: &'a str, start: usize) -> Result<(usize, Moment<'a>), Mismatch> {
        let bytes = text.as_bytes();
        let (mut at, mut numbers) = (start, [""; NUMBERS]);
        let (mut year, mut month, mut day, mut week) = (0, 1, 1, 1);
        for piece in &self.pieces {
            let token = match *piece {
                Piece::Separator(separator) if bytes.get(at) == Some(&separator) => {
                    at += 1;
                    continue;
                }
                Piece::Separator(_) => return Err(Mismatch::Form),
                Piece::Number(token) => token,
            };
            let number = token.width.take(&text[at..]).ok_or(Mismatch::Form)?;
            at += number.len();
            match token.unit {
                Unit::Year if token.width == Width::Exactly(4) => year = saturating(number),
                Unit::Year => year = 2000 + saturating(number),
                Unit::Month => month = saturating(number),
                Unit::Week => week = saturating(number),
                Unit::Day => day = saturating(number),
                Unit::Major | Unit::Minor | Unit::Micro => {}
            }
            if let Some(place) = numbers.get_mut(token.rank) {
                *place = number;
            }
        }
        // `2024.01.15` is not of the form `YYYY.0M`.
        let goes_on = bytes.get(at).is_some_and(u8::is_ascii_digit)
            || (bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit));
        if goes_on {
            return Err(Mismatch::Form);
        }
        let exists = YEARS.contains(&year) && (1..=days(year, month)).contains(&day) && (1..=53).contains(&week);
        if exists { Ok((at, Moment(numbers))) } else { Err(Mismatch::NoSuchDate) }
    }
}

/// Gives each number its rank: as they stand, but the parts of the date among themselves from the year down.
fn rank(pieces: &mut [Piece]) {
    let mut tokens: Vec<&mut Token> = pieces
        .iter_mut()
        .filter_map(|piece| match piece {
            Piece::Number(token) => Some(token),
            Piece::Separator(_) => None,
        })
        .collect();
    tokens.iter_mut().enumerate().for_each(|(rank, token)| token.rank = rank);
    let mut date: Vec<&mut &mut Token> = tokens.iter_mut().filter(|token| token.unit <= Unit::Day).collect();
    let ranks: Vec<usize> = date.iter().map(|token| token.rank).collect();
    date.sort_by_key(|token| token.unit);
    date.into_iter().zip(ranks).for_each(|(token, rank)| token.rank = rank);
}

impl Width {
    /// Takes the number at the start of a text.
    fn take(self, text: &str) -> Option<&str> {
        let there = text.bytes().take_while(u8::is_ascii_digit).count();
        let length = match self {
            Self::Exactly(width) => (there >= width).then_some(width)?,
            Self::Short(most) => (there <= most && (there == 1 || !text.starts_with('0'))).then_some(there)?,
            Self::Any => there,
        };
        if length == 0 { None } else { text.get(..length) }
    }
}

/// How many days a month has; none if there is no such month.
fn days(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    }
}

impl Moment<'_> {
    /// Compares two texts of one form.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.0.iter().zip(&other.0).map(|(a, b)| compare_digits(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

/// Shows the form as it was written.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str, text: &str) -> Result<usize, Mismatch> {
        Form::parse(form).unwrap().read(text, 0).map(|(end, _)| end)
    }

    #[test]
    fn texts_are_of_a_form_or_not() {
        for (form, good) in [
            ("YYYY.0M.0D", "2024.02.29 1999.12.31 2024.02.29-alpine"),
            ("YYYY.MM.DD", "2024.2.9 2024.12.31"),
            ("YY.0M", "24.04 6.10 24.04-rc1"),
            ("0Y.0M", "06.10 24.04"),
            ("YYYY0M0D", "20240229 20240229-1"),
            ("YYYY-0M-0D", "2024-02-29"),
            ("YYYY_WW", "2024_1 2024_53"),
            ("YYYY.0W", "2024.01"),
            ("YYYY.MM.MICRO", "2024.1.0 2024.1.99999999999999999999999"),
            ("MAJOR.YYYY.MINOR", "3.2024.0"),
            ("YYYY.MM.MICRO-MODIFIER", "2024.1.0 2024.1.0-rc1"),
            ("0D.0M.YYYY", "29.02.2024"),
            ("YYYY", "2024"),
        ] {
            for text in good.split(' ') {
                assert!(read(form, text).is_ok(), "{form} {text}: {:?}", read(form, text));
            }
        }
        for (form, bad) in [
            ("YYYY.0M.0D", "2024.2.29 2024.02 2024-02-29 24.02.29 latest 2024.02.29.1 2024.02.291 20240229 v2024.02.29"),
            ("YYYY.MM.DD", "2024.02.09 2024.2.09"),
            ("YY.0M", "024.04 2024.04 24.4"),
            ("0Y.0M", "6.10 124.04"),
            ("YYYY0M0D", "2024229 20240229120000 202402"),
            ("YYYY.MM.MICRO", "2024.1 2024.1."),
        ] {
            for text in bad.split(' ') {
                assert_eq!(read(form, text), Err(Mismatch::Form), "{form} {text}");
            }
        }
    }

    #[test]
    fn dates_that_do_not_exist() {
        for (form, bad) in [
            ("YYYY.0M.0D", "2024.02.30 2023.02.29 2024.13.01 2024.00.10 2024.01.00 2024.04.31 1234.01.01 2100.01.01"),
            ("YYYY.WW", "2024.54 2024.0"),
            ("YYYY.MM", "2024.0 2024.13"),
            ("YY.0M", "106.13 101.01"),
        ] {
            for text in bad.split(' ') {
                assert_eq!(read(form, text), Err(Mismatch::NoSuchDate), "{form} {text}");
            }
        }
    }

    #[test]
    fn the_year_goes_before_the_month_wherever_they_stand() {
        for (form, older, newer) in [
            ("YYYY.MM.MICRO", "2024.9.7", "2024.10.0"),
            ("YYYY.MM.MICRO", "2024.1.18446744073709551615", "2024.1.18446744073709551616"),
            ("0D.0M.YYYY", "31.12.2023", "01.01.2024"),
            ("MAJOR.0D.0M.YYYY", "1.01.01.2024", "2.31.12.2023"),
            ("YYYY.MAJOR.0M", "2023.9.12", "2024.1.01"),
        ] {
            let form = Form::parse(form).unwrap();
            let moment = |text| form.read(text, 0).unwrap().1;
            assert_eq!(moment(older).compare(&moment(newer)), Ordering::Less, "{form} {older} {newer}");
        }
    }

    #[test]
    fn mistakes_have_a_place() {
        for (form, span, words) in [
            ("", 0..0, "has a year"),
            ("MAJOR.MINOR", 0..11, "has a year"),
            ("YYYY.HH", 5..7, "`HH` is no word"),
            ("yyyy.mm", 0..4, "known are YYYY, YY"),
            ("YYYYMMDD", 6..8, "write it zero-padded"),
            ("YYYY.MM.0M", 8..10, "says again"),
            ("YYYY.0W.0D", 0..10, "weeks do not go"),
            ("YYYY.DD", 0..7, "a day needs its month"),
            ("YYYY-MODIFIER.MM", 5..13, "stands at the end"),
            ("YYYY.", 0..5, "starts and ends with a number"),
            ("é", 0..2, "`é` is no word"),
        ] {
            let error = Form::parse(form).unwrap_err();
            assert_eq!(error.span, span, "{form}: {}", error.message);
            assert!(error.message.contains(words), "{form}: {}", error.message);
        }
    }
}
