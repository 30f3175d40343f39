//! Secrets, and text that may hold one.
//!
//! Owns the promise that secrets never show: [`Secret`] does not print, [`SafeUrl`] prints without
//! user, password and query, and [`Redactor`] takes known secrets out of foreign text (a server's
//! message, a helper's output) before it becomes an error or a log line.

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::ExposeSecret;
use url::Url;

/// What stands where a secret was.
pub const REDACTED: &str = "***";

/// A password, token or key: it has no `Display`, and its `Debug` shows nothing.
#[derive(Clone)]
pub struct Secret(Arc<secrecy::SecretString>);

impl Secret {
    /// Takes a text as a secret.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(secrecy::SecretString::from(text.into())))
    }

    /// Gives the secret out; only for the place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Where a secret is kept; the policy file holds such a source, never the secret.
///
/// A file is read at each use, so that a rotated Kubernetes secret takes effect without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The content of a file, without the line break at its end.
    File(PathBuf),
    /// The value of an environment variable, taken when the policy file was read.
    Env {
        /// The variable's name, for messages.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// An environment variable that had no value when the policy file was read by someone who may not need it.
    Unset {
        /// The variable's name.
        name: String,
    },
}

/// A secret that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Its file cannot be used.
    #[error("reading the secret file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: std::io::Error,
    },
    /// Its environment variable is empty or not set.
    #[error("the environment variable {name}, which is to hold the secret, is not set")]
    Unset {
        /// The variable.
        name: String,
    },
}

impl SecretSource {
    /// Files larger than this are no secrets, but a mistake.
    const LARGEST: u64 = 64 * 1024;

    /// Reads the secret.
    ///
    /// # Errors
    /// If the file cannot be read, is larger than 64 KiB, is empty or is no UTF-8, or if the variable is not set.
    pub fn read(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Env { value, .. } => Ok(value.clone()),
            Self::Unset { name } => Err(SecretError::Unset { name: name.clone() }),
            Self::File(path) => {
                let fail = |cause| SecretError::File { path: path.clone(), cause };
                let invalid = |what: &str| fail(std::io::Error::new(std::io::ErrorKind::InvalidData, what.to_owned()));
                let mut text = String::new();
                let mut file = std::fs::File::open(path).map_err(fail)?.take(Self::LARGEST + 1);
                file.read_to_string(&mut text).map_err(fail)?;
                if text.len() as u64 > Self::LARGEST {
                    return Err(invalid("it is larger than 64 KiB"));
                }
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() { Err(invalid("it is empty")) } else { Ok(Secret::new(text)) }
            }
        }
    }
}

/// A URL that prints without its user, password, query and fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct SafeUrl(Url);

impl SafeUrl {
    /// Wraps a URL.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// Gives the whole URL out; only for the place that connects to it.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        // Both fail only for URLs that cannot have user and password.
        let _ = shown.set_username("");
        let _ = shown.set_password(None);
        if shown.query().is_some() {
            shown.set_query(Some(REDACTED));
        }
        shown.set_fragment(None);
        shown.fmt(f)
    }
}

impl fmt::Debug for SafeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Takes known secrets out of foreign text, and control characters with them.
#[derive(Clone, Default, Debug)]
pub struct Redactor(Vec<Secret>);

impl Redactor {
    /// Makes a redactor of these secrets.
    #[must_use]
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        // A very short "secret" would blank out ordinary words without hiding anything.
        Self(secrets.into_iter().filter(|s| s.expose().len() >= 4).collect())
    }

    /// Returns `text` on one line, without the secrets, no longer than `longest` characters.
    #[must_use]
    pub fn clean(&self, text: &str, longest: usize) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            text = text.replace(secret.expose(), REDACTED);
        }
        one_line(&text, longest)
    }
}

/// Says whether a character shows nothing but changes how others show: text that runs backwards, zero widths, tags.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns foreign text as one printable line of at most `longest` characters.
#[must_use]
pub fn one_line(text: &str, longest: usize) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c)).filter(|word| !word.is_empty());
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().count() > longest {
            line = line.chars().take(longest).collect();
            line.push('…');
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_in_debug() {
        assert_eq!(format!("{:?}", Some(Secret::new("hunter2"))), "Some(***)");
    }

    #[test]
    fn a_url_does_not_show_its_user_password_or_query() {
        let url = SafeUrl::new(Url::parse("https://bot:hunter2@git.example.com:8443/a.git?token=x#y").unwrap());
        assert_eq!(url.to_string(), "https://git.example.com:8443/a.git?***");
        assert_eq!(format!("{url:?}"), url.to_string());
    }

    #[test]
    fn a_servers_message_does_not_show_a_secret() {
        let redactor = Redactor::new([Secret::new("hunter2"), Secret::new("a")]);
        assert_eq!(redactor.clean("bad\npassword\u{1b}[31m hunter2!", 80), "bad password [31m ***!");
        assert_eq!(redactor.clean("one two three", 5), "one t…");
    }
    #[test]
    fn one_line_holds_nothing_that_changes_how_text_shows() {
        assert_eq!(one_line("a\u{202e}b\u{200b}c\u{feff}\u{2066}d\u{e0041}", 20), "a b c d");
        assert_eq!(one_line("é 漢 🚢", 20), "é 漢 🚢");
    }
}
