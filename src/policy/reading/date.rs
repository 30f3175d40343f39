//! Dates among the numbers of a tag.

use std::ops::RangeInclusive;

const YEARS: RangeInclusive<u32> = 1990..=2099;

/// A date found at the start of a text.
pub(super) struct Date {
    /// How many bytes it takes.
    pub(super) length: usize,
    /// How many numbers it has.
    pub(super) parts: usize,
}

/// Finds a date at the start of `text`, whose first `length` bytes are `parts` dotted numbers, the first of them of `first` bytes.
///
/// Known are `2024-01-15` and `2024-01`, `20240115` with further digits for a time or dotted counters behind it, and either
/// followed by a time of day as in `2024-01-15T10-20-30Z`. Dotted dates (`2024.01.15`) are left to be versions.
pub(super) fn find(text: &str, length: usize, first: usize, parts: usize) -> Option<Date> {
    let bytes = text.as_bytes();
    let mut date = match first {
        4 if parts == 1 => dashed(bytes)?,
        8 | 10 | 12 | 14 if is_day(number(bytes, 0, 4)?, number(bytes, 4, 2)?, number(bytes, 6, 2)?) => Date { length, parts },
        _ => return None,
    };
    if let Some((time, parts)) = time_of_day(&bytes[date.length..]) {
        date = Date { length: date.length + time, parts: date.parts + parts };
    }
    Some(date)
}

/// Finds a year and a month of two digits at the start of dotted numbers, as in `22.04`, `22.10` and `2024.01.15`: how many digits the
/// year has, and whether the month has a zero in front, which no version would have.
pub(in crate::policy) fn year_and_month(text: &str) -> Option<(usize, bool)> {
    let bytes = text.as_bytes();
    let width = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let is_year = match width {
        2 => bytes.first() != Some(&b'0'),
        4 => YEARS.contains(&number(bytes, 0, 4)?),
        _ => false,
    };
    let is_month = bytes.get(width) == Some(&b'.') && !bytes.get(width + 3).is_some_and(u8::is_ascii_digit);
    let month = number(bytes, width + 1, 2).filter(|month| is_year && is_month && (1..=12).contains(month))?;
    Some((width, month < 10))
}

/// `2024-01-15` or `2024-01`.
fn dashed(bytes: &[u8]) -> Option<Date> {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let (year, month) = (number(bytes, 0, 4)?, number(bytes, 5, 2)?);
    if bytes.get(4) != Some(&b'-') || is_digit(7) || !is_day(year, month, 1) {
        return None;
    }
    match number(bytes, 8, 2) {
        Some(day) if bytes.get(7) == Some(&b'-') && !is_digit(10) => is_day(year, month, day).then_some(Date { length: 10, parts: 3 }),
        _ => Some(Date { length: 7, parts: 2 }),
    }
}

/// `T102030`, `T10-20-30` or `T10.20.30`, with `Z` behind it or not: its bytes and how many numbers it has.
fn time_of_day(bytes: &[u8]) -> Option<(usize, usize)> {
    if bytes.first() != Some(&b'T') {
        return None;
    }
    let digits = |from: usize, count: usize| number(bytes, from, count).is_some();
    let separated = |at: usize| matches!(bytes.get(at), Some(b'-' | b'.'));
    let (length, parts) = if digits(1, 6) {
        (7, 1)
    } else if digits(1, 2) && separated(3) && digits(4, 2) && separated(6) && digits(7, 2) {
        (9, 3)
    } else {
        return None;
    };
    Some((length + usize::from(bytes.get(length) == Some(&b'Z')), parts))
}

fn number(bytes: &[u8], from: usize, count: usize) -> Option<u32> {
    let digits = bytes.get(from..from + count)?;
    digits.iter().try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + u32::from(b - b'0')))
}

fn is_day(year: u32, month: u32, day: u32) -> bool {
    YEARS.contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_with_a_zero_in_front_tells_a_calendar_version() {
        for (text, expected) in [
            ("22.04", Some((2, true))),
            ("22.04.3-slim", Some((2, true))),
            ("2024.01.15", Some((4, true))),
            ("22.10", Some((2, false))),
            ("22.4", None),
            ("22.13", None),
            ("22.00", None),
            ("22.040", None),
            ("22-04", None),
            ("3.09", None),
            ("122.04", None),
            ("01.02", None),
            ("1024.04", None),
            ("22", None),
            ("22.0", None),
            ("22.0a", None),
            ("", None),
        ] {
            assert_eq!(year_and_month(text), expected, "{text}");
        }
    }
}
