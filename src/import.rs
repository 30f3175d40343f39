//! Coming from another updater: its objects in, a commented policy file out.
//!
//! Owns what an object of the input is, what becomes of it ([`Draft`]) and what is told about that which cannot be carried over
//! ([`Remark`]). Each tool is a module with one function from objects to a draft. Pure: files are read and written by the command.
//! What a policy file may say is not decided here: a draft is put before [`config`](crate::config), and what that refuses is left out
//! and told.

pub mod argocd;
mod common;
pub mod flux;
mod foreign;
mod gather;
pub mod keel;
mod object;
mod read;
mod sound;
mod write;

use std::fmt;

pub use foreign::{Foreign, by_kind};
pub use object::{Object, Origin};
pub use read::read;
pub use sound::sound;
pub use write::{quoted, write};

/// What will become the policy file.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// `[registry."host"]`, each host once.
    pub registries: Vec<RegistryDraft>,
    /// `[environment.NAME]`, each name once.
    pub environments: Vec<EnvironmentDraft>,
    /// `[[image]]`.
    pub images: Vec<ImageDraft>,
    /// What is to be told.
    pub remarks: Vec<Remark>,
    /// What the import does not know, and skipped.
    pub foreign: Vec<Foreign>,
}

/// A key of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The key.
    pub key: String,
    /// Its value, already TOML, on one line.
    pub value: String,
    /// What stands behind it.
    pub comment: Option<String>,
}

/// A registry's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryDraft {
    /// The host, with its port if it has one.
    pub host: String,
    /// Its keys.
    pub lines: Vec<Line>,
}

/// An environment's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentDraft {
    /// Its name.
    pub name: String,
    /// Its keys.
    pub lines: Vec<Line>,
    /// What stands above it, a line each; the first names the objects it comes from.
    pub comments: Vec<String>,
}

/// An image's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDraft {
    /// The repository or the pattern of them, not yet TOML.
    pub repository: String,
    /// The keys of its policy.
    pub policy: Vec<Line>,
    /// Its other keys.
    pub lines: Vec<Line>,
    /// What stands above it, a line each; the first names the objects it comes from.
    pub comments: Vec<String>,
}

/// Something that was not carried over, or only nearly. It is printed, and stands in the file as a comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where it was found, if in one place.
    pub origin: Option<Origin>,
    /// The object: `Kind namespace/name`; may be empty if there is none.
    pub object: String,
    /// The field: `spec.suspend`; may be empty if it is about the whole object.
    pub field: String,
    /// Why, or what is different.
    pub reason: String,
    /// What to do; of what is lost, the nearest equivalent.
    pub instead: Option<String>,
    /// How bad it is.
    pub severity: Severity,
}

/// How bad a [`Remark`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Carried over, with something to know or to do.
    Note,
    /// Not carried over.
    Lost,
    /// The input is broken or contradicts itself; what it says was left out.
    Broken,
}

impl Line {
    /// A key with a value that is TOML already.
    #[must_use]
    pub fn new(key: &str, value: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: value.into(), comment: None }
    }

    /// A key with a text as its value.
    #[must_use]
    pub fn text(key: &str, text: &str) -> Self {
        Self::new(key, quoted(text))
    }

    /// A key with a list of texts as its value.
    #[must_use]
    pub fn texts<S: AsRef<str>>(key: &str, texts: &[S]) -> Self {
        let texts: Vec<String> = texts.iter().map(|text| quoted(text.as_ref())).collect();
        Self::new(key, format!("[{}]", texts.join(", ")))
    }

    /// The same with a comment behind it.
    #[must_use]
    pub fn because(self, comment: impl Into<String>) -> Self {
        Self { comment: Some(comment.into()), ..self }
    }
}

impl Remark {
    /// A remark about a field of an object.
    #[must_use]
    pub fn new(severity: Severity, object: &Object, field: &str, reason: impl Into<String>) -> Self {
        Self {
            origin: Some(object.origin.clone()),
            object: object.title(),
            field: field.to_owned(),
            reason: reason.into(),
            instead: None,
            severity,
        }
    }

    /// The same with what to do instead.
    #[must_use]
    pub fn instead(self, instead: impl Into<String>) -> Self {
        Self { instead: Some(instead.into()), ..self }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Lost => "lost",
            Self::Broken => "broken",
        })
    }
}

/// One line: `ImagePolicy flux-system/podinfo: spec.suspend: why; instead: what`. The file is told by who prints it.
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.object, &self.field, &self.reason].into_iter().filter(|part| !part.is_empty());
        let text = parts.map(String::as_str).collect::<Vec<_>>().join(": ");
        f.write_str(&shown(&text))?;
        match (&self.instead, self.severity) {
            (Some(instead), Severity::Lost) => write!(f, "; instead: {}", shown(instead)),
            (Some(help), _) => write!(f, "; {}", shown(help)),
            (None, _) => Ok(()),
        }
    }
}

/// How much of a text of others is shown, in characters.
const LONGEST: usize = 400;

/// Returns foreign text as one printable line, short enough for a message.
fn shown(text: &str) -> String {
    crate::redact::one_line(text, LONGEST)
}
