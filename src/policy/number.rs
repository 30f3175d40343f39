//! Numbers as text: exact at any length, so that no tag overflows or rounds.

use std::cmp::Ordering;

/// Compares two strings of ASCII digits as natural numbers.
pub(super) fn compare_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (without_leading_zeros(a), without_leading_zeros(b));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn without_leading_zeros(digits: &str) -> &str {
    digits.trim_start_matches('0')
}

/// Reads digits as a `u64`; larger ones stop at its maximum, which no sensible bound of a range reaches.
pub(super) fn saturating(digits: &str) -> u64 {
    digits.bytes().fold(0_u64, |sum, b| sum.saturating_mul(10).saturating_add(u64::from(b.wrapping_sub(b'0'))))
}

/// A decimal number: a sign, whole digits and a fraction. No exponents, no `inf`, no `nan`: those turn commit hashes into numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// Reads `[+-]digits[.digits]`; either side of the dot may be empty, not both.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
            return None;
        }
        let (whole, fraction) = (without_leading_zeros(whole), fraction.trim_end_matches('0'));
        // There is one zero, and it has no sign.
        Some(Self { negative: negative && !(whole.is_empty() && fraction.is_empty()), whole, fraction })
    }

    /// Compares by value.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let magnitude = || compare_digits(self.whole, other.whole).then_with(|| self.fraction.cmp(other.fraction));
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_compare_by_value_at_any_length() {
        for (a, b, expected) in [
            ("9", "10", Ordering::Less),
            ("010", "10", Ordering::Equal),
            ("000", "", Ordering::Equal),
            ("18446744073709551616", "18446744073709551615", Ordering::Greater),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
        ] {
            assert_eq!(compare_digits(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn decimals_compare_by_value() {
        let sorted = ["-91", "-9.5", "-0.5", "-0", ".25", "0.3", "5.", "5.01", "5.1", "007.5", "1234567890123456789012345678901234567890"];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(Decimal::parse(a).unwrap().compare(&Decimal::parse(b).unwrap()), i.cmp(&j), "{a} {b}");
            }
        }
        assert!(Decimal::parse("-0").unwrap().compare(&Decimal::parse("0.0").unwrap()).is_eq());
    }

    #[test]
    fn what_is_no_decimal() {
        for bad in ["", ".", "-", "+", "-.", "1e10", "0x10", "inf", "nan", "1_000", "1.2.3", "5e12345", " 1", "1a", "--1", "١"] {
            assert!(Decimal::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn saturation_stops_at_the_maximum() {
        assert_eq!(saturating("0042"), 42);
        assert_eq!(saturating("99999999999999999999"), u64::MAX);
    }
}
