//! When to try again: backoff with jitter, and what a server's `Retry-After` means.
//!
//! Owns the delays; hides how they grow. Callers keep a count of attempts and ask for the delay.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

/// Delays that double from a least to a greatest, with jitter so that many clients do not meet again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    least: Duration,
    greatest: Duration,
}

impl Backoff {
    /// Makes a backoff; the bounds are swapped if they come the wrong way round.
    #[must_use]
    pub const fn new(a: Duration, b: Duration) -> Self {
        if a.as_nanos() <= b.as_nanos() { Self { least: a, greatest: b } } else { Self { least: b, greatest: a } }
    }

    /// Returns the delay after `failures` failures in a row (1 = the first): between half of the doubled delay and all of it.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        let doubled = self.least.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1).min(31)));
        let full = doubled.min(self.greatest);
        full.mul_f64(0.5 + 0.5 * fastrand::f64()).clamp(self.least.min(full), self.greatest)
    }
}

/// Reads a `Retry-After` value, in seconds or as an HTTP date (RFC 9110, 10.2.3), no longer than `longest`.
///
/// A date in the past means now. Text that is neither is as good as none.
#[must_use]
pub fn parse_retry_after(value: &str, now: Timestamp, longest: Duration) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        return Some(value.parse().map_or(longest, Duration::from_secs).min(longest));
    }
    let at = rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    let wait = at.duration_since(now).max(SignedDuration::ZERO);
    Some(wait.unsigned_abs().min(longest))
}

/// Reads a duration as Go's `time.Duration` prints it: `880.092µs`, `1m2.5s`. Text that is none is as good as none.
#[must_use]
pub fn parse_go_duration(text: &str) -> Option<Duration> {
    /// Longest first where one begins like another.
    const UNITS: [(&str, f64); 8] =
        [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("μs", 1e-6), ("ms", 1e-3), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let (unit, size) = UNITS.iter().find(|(unit, _)| after.starts_with(unit))?;
        seconds += number.parse::<f64>().ok()? * size;
        rest = &after[unit.len()..];
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: Duration = Duration::from_secs(600);

    #[test]
    fn retry_after_in_seconds_and_as_a_date() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let read = |text| parse_retry_after(text, now, LONGEST);
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read(" 0 "), Some(Duration::ZERO));
        assert_eq!(read("99999999999999999999999"), Some(LONGEST));
        assert_eq!(read("Sun, 01 Mar 2026 12:00:30 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(read("Sun, 01 Mar 2026 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("Mon, 01 Mar 2027 12:00:00 GMT"), Some(LONGEST));
        for neither in ["", "soon", "-1", "1.5"] {
            assert_eq!(read(neither), None, "{neither}");
        }
    }

    #[test]
    fn e2_durations_as_go_prints_them() {
        for (text, nanoseconds) in [
            ("880.092µs", 880_092),
            ("880.092μs", 880_092),
            ("1.5us", 1_500),
            ("3ns", 3),
            ("250ms", 250_000_000),
            ("7s", 7_000_000_000),
            ("1m2.5s", 62_500_000_000),
            ("1h0m0s", 3_600_000_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse_go_duration(text), Some(Duration::from_nanos(nanoseconds)), "{text}");
        }
        for none in ["", "5", "s", "-1s", "+1s", "1 s", "1.2.3s", ".s", "1d", "NaNs", "1e3s", "1s,", "99999999999999999999999h"] {
            assert_eq!(parse_go_duration(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_duration_parser_panic(text in "[0-9.a-zµμ -]{0,40}") {
            let _ = parse_go_duration(&text);
        }

        #[test]
        fn every_delay_stays_in_bounds(a in 0u64..1_000_000, b in 0u64..1_000_000, failures in 0u32..200) {
            let backoff = Backoff::new(Duration::from_millis(a), Duration::from_millis(b));
            let delay = backoff.delay(failures);
            prop_assert!(delay >= Duration::from_millis(a.min(b)) && delay <= Duration::from_millis(a.max(b)));
        }
    }
}
