//! What a host says about its limits: when to come again, and how much may still be asked. Pure.
//!
//! Every registry says it in its own way. What cannot be read is as good as not said, and no wait is longer than a day.

use std::time::Duration;

use jiff::Timestamp;
use oci_distribution::errors::{OciEnvelope, OciErrorCode};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use crate::retry::{parse_go_duration, parse_retry_after};

/// A registry that asks for more than a day is asked again after a day.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// Numbers of seconds from here on are points in time.
const SURELY_A_TIMESTAMP: u64 = 1_000_000_000;

/// How much a host lets itself be asked, as it said last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    /// The most in a window, if it says so.
    pub(super) limit: Option<u64>,
    /// What is left of it.
    pub(super) remaining: u64,
    /// The length of the window, if it says so.
    pub(super) window: Option<Duration>,
    /// When there is more, if it says so.
    pub(super) reset: Option<Duration>,
    /// Whether only pulls count (Docker Hub): manifests that are fetched, not the questions after them, nor listings.
    pub(super) pulls_only: bool,
}

impl Limit {
    /// Reads the headers of an answer: `ratelimit-remaining: 20;w=21600`, `X-RateLimit-Remaining`, `RateLimit-Remaining`.
    pub(super) fn read(headers: &HeaderMap, now: Timestamp) -> Option<Self> {
        // IETF drafts and Docker Hub, then what came before them; headers' names know no case.
        let family = ["ratelimit", "x-ratelimit"].into_iter().find(|family| headers.contains_key(format!("{family}-remaining")))?;
        let read = |name: &str| headers.get(format!("{family}-{name}"))?.to_str().ok();
        let (remaining, window) = counted(read("remaining")?)?;
        let limit = read("limit").and_then(counted);
        Some(Self {
            limit: limit.map(|(limit, _)| limit),
            remaining,
            window: window.or_else(|| limit.and_then(|(_, window)| window)).map(|window| window.min(LONGEST_WAIT)),
            reset: read("reset").and_then(|text| wait_until(text, now)),
            pulls_only: headers.contains_key("docker-ratelimit-source"),
        })
    }

    /// Returns how long nothing is left, if nothing is.
    pub(super) fn spent_for(&self) -> Option<Duration> {
        // Without a window the next minute may be another one.
        (self.remaining == 0).then(|| self.reset.or(self.window).unwrap_or(Duration::from_secs(60)))
    }
}

/// Reads `100;w=21600`, and `100, 100;w=60` for the first of several.
fn counted(text: &str) -> Option<(u64, Option<Duration>)> {
    let mut parts = text.split(',').next()?.split(';').map(str::trim);
    let count = digits(parts.next()?)?;
    let window = parts.filter_map(|part| part.strip_prefix("w=")).find_map(digits);
    Some((count, window.map(Duration::from_secs)))
}

/// Reads seconds from now, or a point in time in seconds since 1970.
fn wait_until(text: &str, now: Timestamp) -> Option<Duration> {
    let seconds = digits(text.trim())?;
    let wait = if seconds < SURELY_A_TIMESTAMP { seconds } else { seconds.saturating_sub(now.as_second().try_into().unwrap_or(0)) };
    Some(Duration::from_secs(wait).min(LONGEST_WAIT))
}

fn digits(text: &str) -> Option<u64> {
    // Nineteen digits always fit.
    let sane = !text.is_empty() && text.len() < 20 && text.bytes().all(|b| b.is_ascii_digit());
    sane.then(|| text.parse().ok()).flatten()
}

/// A refusal that means "too much", and how long to wait if it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Throttling {
    pub(super) after: Option<Duration>,
}

/// Says whether an answer means that the host is asked too much.
pub(super) fn throttling(status: StatusCode, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<Throttling> {
    let after = after(headers, now);
    let throttled = match status {
        StatusCode::TOO_MANY_REQUESTS => return Some(Throttling { after: after.or_else(|| after_in_message(body)) }),
        // GitHub's "secondary rate limit"; a plain 403 never says when to come again.
        StatusCode::FORBIDDEN => after.is_some() || Limit::read(headers, now).is_some_and(|limit| limit.remaining == 0),
        // AWS.
        StatusCode::BAD_REQUEST => says_throttling(body),
        _ => false,
    };
    throttled.then_some(Throttling { after })
}

/// Returns when a host wants to be asked again, by the headers of its answer.
pub(super) fn after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let read = |name| headers.get(name)?.to_str().ok();
    read(RETRY_AFTER.as_str())
        .and_then(|text| parse_retry_after(text, now, LONGEST_WAIT))
        // Docker Hub's own, a point in time.
        .or_else(|| read("x-retry-after").and_then(|text| wait_until(text, now)))
}

/// Reads GHCR's `retry-after: 880.092µs, allowed: 44000/minute`.
fn after_in_message(body: &[u8]) -> Option<Duration> {
    let envelope: OciEnvelope = serde_json::from_slice(body).ok()?;
    let error = envelope.errors.into_iter().find(|error| error.code == OciErrorCode::Toomanyrequests)?;
    let text = error.message.trim().strip_prefix("retry-after:")?.split(',').next()?;
    parse_go_duration(text.trim()).map(|wait| wait.min(LONGEST_WAIT))
}

/// Finds AWS's `ThrottlingException`, as its APIs write errors or as its registry does.
fn says_throttling(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Error {
        #[serde(alias = "__type")]
        code: String,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Registry { errors: Vec<Error> },
        Api(Error),
    }
    let codes = match serde_json::from_slice(body) {
        Ok(Body::Registry { errors }) => errors,
        Ok(Body::Api(error)) => vec![error],
        Err(_) => return false,
    };
    // `com.amazonaws.ecr#ThrottlingException` in some protocols.
    codes.iter().any(|error| error.code.rsplit('#').next() == Some("ThrottlingException"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    const fn seconds(seconds: u64) -> Option<Duration> {
        Some(Duration::from_secs(seconds))
    }

    #[test]
    fn m13_limits_as_registries_write_them() {
        let hub = [("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "0;w=21600"), ("docker-ratelimit-source", "192.0.2.1")];
        let window = Some(Duration::from_secs(21600));
        let read = |lines: &[(&str, &str)]| Limit::read(&headers(lines), now());
        assert_eq!(read(&hub), Some(Limit { limit: Some(100), remaining: 0, window, reset: None, pulls_only: true }));
        let limit = |limit, remaining, window, reset| Some(Limit { limit, remaining, window, reset, pulls_only: false });
        for (lines, expected) in [
            (
                &[("RateLimit-Limit", "60"), ("RateLimit-Remaining", "7"), ("RateLimit-Reset", "30")][..],
                limit(Some(60), 7, None, seconds(30)),
            ),
            (
                &[("X-RateLimit-Limit", "180"), ("X-RateLimit-Remaining", "179"), ("X-RateLimit-Reset", "1800000060")],
                limit(Some(180), 179, None, seconds(60)),
            ),
            (&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1700000000")], limit(None, 0, None, seconds(0))),
            (&[("ratelimit-remaining", "5"), ("ratelimit-limit", "10, 10;w=60")], limit(Some(10), 5, None, None)),
            (&[("ratelimit-remaining", "5;w=999999999")], limit(None, 5, Some(LONGEST_WAIT), None)),
            (&[("ratelimit-remaining", "5; w=60; q=x"), ("ratelimit-limit", "lots")], limit(None, 5, seconds(60), None)),
        ] {
            assert_eq!(read(lines), expected, "{lines:?}");
        }
        for garbage in ["", ";", "soon", "-1", "1.5", "0x10", "99999999999999999999999", "٣", " ", "w=1"] {
            let value = HeaderValue::from_bytes(garbage.as_bytes()).unwrap();
            let headers = [(HeaderName::from_static("ratelimit-remaining"), value)].into_iter().collect();
            assert_eq!(Limit::read(&headers, now()), None, "{garbage}");
        }
    }

    #[test]
    fn what_is_spent_is_spent_until_the_host_says_or_its_window_has_moved() {
        let limit = Limit { limit: None, remaining: 0, window: seconds(21600), reset: None, pulls_only: true };
        assert_eq!(limit.spent_for(), seconds(21600));
        assert_eq!(Limit { reset: seconds(9), ..limit }.spent_for(), seconds(9));
        assert_eq!(Limit { window: None, ..limit }.spent_for(), seconds(60));
        assert_eq!(Limit { remaining: 1, ..limit }.spent_for(), None);
    }

    #[test]
    fn e1_e2_refusals_that_mean_too_much() {
        let ghcr = |message: &str| format!(r#"{{"errors":[{{"code":"TOOMANYREQUESTS","message":"{message}"}}]}}"#);
        let none: &[(&str, &str)] = &[];
        for (status, lines, body, expected) in [
            (429, &[("retry-after", "7")][..], String::new(), Some(seconds(7))),
            (429, &[("retry-after", "99999999999999999999")], String::new(), Some(Some(LONGEST_WAIT))),
            (429, &[("retry-after", "-7")], String::new(), Some(None)),
            (429, &[("x-retry-after", "1800000042")], String::new(), Some(seconds(42))),
            (429, &[("x-retry-after", "1700000000")], String::new(), Some(seconds(0))),
            (429, none, "429 Too Many Requests".to_owned(), Some(None)),
            (429, none, r#"{"detail":"Rate limit exceeded","error":false}"#.to_owned(), Some(None)),
            (429, none, ghcr("retry-after: 880.092µs, allowed: 44000/minute"), Some(Some(Duration::from_nanos(880_092)))),
            (429, none, ghcr("retry-after: 1m2.5s"), Some(Some(Duration::from_millis(62_500)))),
            (429, none, ghcr("retry-after: 999999999h, allowed: 1/minute"), Some(Some(LONGEST_WAIT))),
            (429, none, ghcr("retry-after: soon, allowed: 44000/minute"), Some(None)),
            (429, none, ghcr("try later; retry-after: 5s"), Some(None)),
            (400, none, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#.to_owned(), Some(None)),
            (400, none, r#"{"__type":"com.amazonaws.ecr#ThrottlingException"}"#.to_owned(), Some(None)),
            (400, none, r#"{"errors":[{"code":"ThrottlingException","message":"Rate exceeded"}]}"#.to_owned(), Some(None)),
            (400, none, r#"{"errors":[{"code":"NAME_INVALID","message":"ThrottlingException"}]}"#.to_owned(), None),
            (400, none, "ThrottlingException".to_owned(), None),
            (403, &[("retry-after", "60")], "You have exceeded a secondary rate limit".to_owned(), Some(seconds(60))),
            (403, &[("x-ratelimit-remaining", "0")], String::new(), Some(None)),
            (403, &[("x-ratelimit-remaining", "12")], String::new(), None),
            (403, none, "denied".to_owned(), None),
            (404, &[("retry-after", "60")], String::new(), None),
            (503, &[("retry-after", "60")], String::new(), None),
        ] {
            let found = throttling(StatusCode::from_u16(status).unwrap(), &headers(lines), body.as_bytes(), now());
            assert_eq!(found.map(|throttling| throttling.after), expected, "{status} {lines:?} {body}");
        }
    }

    proptest! {
        #[test]
        fn no_header_or_body_leads_to_a_wait_beyond_a_day(value in "[ -~]{0,30}", number in any::<u64>(), body in any::<Vec<u8>>()) {
            for text in [value, number.to_string(), format!("0;w={number}")] {
                let names = ["retry-after", "x-retry-after", "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-reset"];
                let headers = headers(&names.map(|name| (name, text.as_str())));
                let waits = [
                    after(&headers, now()),
                    throttling(StatusCode::TOO_MANY_REQUESTS, &headers, &body, now()).and_then(|throttling| throttling.after),
                    Limit::read(&headers, now()).and_then(|limit| limit.spent_for()),
                ];
                prop_assert!(waits.into_iter().flatten().all(|wait| wait <= LONGEST_WAIT));
            }
        }
    }
}
