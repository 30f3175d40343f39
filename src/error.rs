//! What to do next after an error, and how an error is told.
//!
//! Every module has its own error types; what they share is a [`Verdict`], so that the engine decides
//! on waiting or giving up without ever reading a message. Hides how chains of causes are printed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// What to do next about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass by itself: try again, with backoff, and not before `after` where the other side said so.
    Retry {
        /// The delay that the other side asked for.
        after: Option<Duration>,
    },
    /// It stays until somebody changes the policy file, a credential or the repository: look again at the regular interval only.
    Stalled,
    /// Our own invariant broke; say so loudly and go on carefully.
    Bug,
}

impl Verdict {
    /// A retry at a time of our choosing.
    pub const RETRY: Self = Self::Retry { after: None };

    /// Returns the word for logs and status: `retry`, `stalled` or `bug`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Stalled => "stalled",
            Self::Bug => "bug",
        }
    }
}

/// An error that knows what to do next.
pub trait Classified: Error {
    /// Returns what to do next.
    fn verdict(&self) -> Verdict;

    /// Returns what a person can do about it, as a phrase without a full stop.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// Shows an error and all its causes in one line: `listing tags of x: the registry answered 503`.
#[must_use]
pub fn chain(error: &dyn Error) -> impl fmt::Display + '_ {
    Chain(error)
}

struct Chain<'a>(&'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
