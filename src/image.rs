//! The words of the whole program: registries, repositories, tags, digests, references and platforms.
//!
//! Owns what these words mean: how each is parsed, its canonical form (used for keys and comparison)
//! and what the user wrote (used for display and for edits). A value of these types has been checked
//! against its grammar, so text from a registry or a manifest that is not one of them never travels
//! further. Hides Docker Hub's several names and its implied `library/`.

mod digest;
mod pattern;
mod platform;
mod pool;
mod reference;
mod repository;
mod tag;

pub use digest::Digest;
pub use pattern::RepositoryPattern;
pub use platform::Platform;
pub use pool::Pool;
pub use reference::{Reference, ReferenceSpans};
pub use repository::{Registry, Repository};
pub use tag::{Tag, TagList, TagRef};

/// Why a text is not the word it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}: {reason}")]
pub struct ParseError {
    /// The text as given, shortened and with control characters escaped, so that it is safe to print.
    pub text: String,
    /// What it should have been, with its article: "a tag", "a digest".
    pub expected: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl ParseError {
    fn new(text: &str, expected: &'static str, reason: &'static str) -> Self {
        const SHOWN: usize = 80;
        let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
        if text.chars().nth(SHOWN).is_some() {
            shown.push('…');
        }
        Self { text: shown, expected, reason }
    }
}
