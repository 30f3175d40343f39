//! Errors of libraries, printed so that nothing foreign or secret gets through.

use std::fmt;

use crate::redact::one_line;

/// A transport error that prints as its innermost cause only: the layers above it repeat it or say nothing.
#[derive(Debug)]
pub struct Innermost(reqwest::Error);

impl Innermost {
    pub(in crate::registry) fn new(error: reqwest::Error) -> Self {
        // A URL may hold a signature in its query.
        Self(error.without_url())
    }

    /// Says whether no connection came about.
    pub(in crate::registry) fn is_connect(&self) -> bool {
        self.0.is_connect()
    }
}

impl fmt::Display for Innermost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut error: &dyn std::error::Error = &self.0;
        while let Some(cause) = error.source() {
            error = cause;
        }
        f.write_str(&one_line(&error.to_string(), 200))
    }
}

impl std::error::Error for Innermost {}

/// A JSON error that prints in one line of bounded length: it may quote what it found, and that is foreign.
#[derive(Debug)]
pub struct BadJson(pub(in crate::registry) serde_json::Error);

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&self.0.to_string(), 200))
    }
}

impl std::error::Error for BadJson {}
