//! The `Warning` headers of a host (distribution-spec, "Warnings"): each text is told once.

use std::collections::HashSet;

use reqwest::header::{HeaderMap, WARNING};

use crate::redact::one_line;

/// A host with more to say is not listened to any longer.
const MOST: usize = 32;
/// As much of a warning is shown as fits a log line.
const LONGEST: usize = 300;

/// The warnings of one host so far.
#[derive(Debug, Default)]
pub(super) struct Warnings(HashSet<String>);

impl Warnings {
    /// Returns the warnings of an answer that were not heard before, cleaned for printing.
    pub(super) fn news(&mut self, headers: &HeaderMap) -> Vec<String> {
        let mut news = Vec::new();
        for value in headers.get_all(WARNING) {
            let Some(text) = text(&String::from_utf8_lossy(value.as_bytes())) else { continue };
            if self.0.len() < MOST && self.0.insert(text.clone()) {
                news.push(text);
            }
        }
        news
    }
}

/// Reads `299 - "text"`, the one form that the specification allows.
fn text(value: &str) -> Option<String> {
    let quoted = value.trim().strip_prefix("299 - \"")?.strip_suffix('"')?;
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        text.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    Some(one_line(&text, LONGEST)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (WARNING, HeaderValue::from_bytes(value.as_bytes()).unwrap())).collect()
    }

    #[test]
    fn e9_a_warning_is_told_once_and_clean() {
        let mut warnings = Warnings::default();
        let first = headers(&[r#"299 - "this \"tag\" goes away""#, r#"299 - "bold \u{1b}[1m""#]);
        assert_eq!(warnings.news(&first), [r#"this "tag" goes away"#, "bold u{1b}[1m"]);
        assert!(warnings.news(&first).is_empty());
        assert_eq!(warnings.news(&headers(&["299 - \"another\tone\""])), ["another one"]);
        for other in ["", "299", "110 - \"stale\"", "299 - unquoted", "299 - \"", "299 - \"\""] {
            assert!(warnings.news(&headers(&[other])).is_empty(), "{other}");
        }
    }

    #[test]
    fn e9_a_host_that_never_stops_warning_is_cut_off() {
        let mut warnings = Warnings::default();
        let told: usize = (0..1000).map(|n| warnings.news(&headers(&[&format!("299 - \"warning {n}\"")])).len()).sum();
        assert_eq!(told, MOST);
        let long = format!("299 - \"{}\"", "x".repeat(10_000));
        assert!(Warnings::default().news(&headers(&[&long]))[0].len() < 400);
    }
}
