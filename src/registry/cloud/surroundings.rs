//! What a login finds around it: environment variables and files, and a stand-in for the cloud in tests.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use url::Url;

use crate::redact::Secret;

use super::error::Problem;

/// Key files have some kilobytes, AWS's shared files some tens of them.
const LARGEST_FILE: u64 = 1024 * 1024;
/// No cloud gives a login for longer in earnest.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

/// The surroundings of the process as clouds' tools see them; their variables are secrets, so they do not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    variables: Arc<BTreeMap<String, Secret>>,
    stand_in: Option<Url>,
}

impl Surroundings {
    /// Sends every call to this plain HTTP server instead, with the host that was meant as its `Host`.
    #[must_use]
    pub fn with_stand_in(self, server: Url) -> Self {
        Self { stand_in: Some(server), ..self }
    }

    pub(super) fn stand_in(&self) -> Option<&Url> {
        self.stand_in.as_ref()
    }

    /// Returns a variable; an empty one is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(Secret::expose).filter(|value| !value.is_empty())
    }

    /// Returns a variable that holds a URL.
    pub(super) fn url(&self, name: &str) -> Result<Option<Url>, Problem> {
        self.get(name).map(|text| web_address(text, name)).transpose()
    }

    /// Returns a path below the user's home.
    pub(super) fn home(&self, path: &str) -> Option<PathBuf> {
        ["HOME", "USERPROFILE"].into_iter().find_map(|name| self.get(name)).map(|home| Path::new(home).join(path))
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Surroundings {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), Secret::new(value))).collect();
        Self { variables: Arc::new(variables), stand_in: None }
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("stand_in", &self.stand_in).finish_non_exhaustive()
    }
}

/// Reads a web address that `place` gives.
pub(super) fn web_address(text: &str, place: &str) -> Result<Url, Problem> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.filter(|url| url.username().is_empty() && url.password().is_none()).ok_or_else(|| Problem::setting(place, "it is no web address"))
}

/// Reads a file, which may hold secrets.
pub(super) fn file(path: &Path) -> Result<Secret, Problem> {
    let fail = |cause| Problem::File { path: path.to_owned(), cause };
    let invalid = |text: &str| fail(io::Error::new(io::ErrorKind::InvalidData, text.to_owned()));
    let mut text = String::new();
    std::fs::File::open(path).map_err(fail)?.take(LARGEST_FILE + 1).read_to_string(&mut text).map_err(fail)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(invalid("it is larger than 1 MiB"));
    }
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() { Err(invalid("it is empty")) } else { Ok(Secret::new(text)) }
}

/// Reads a file that need not be there.
pub(super) fn file_if_there(path: &Path) -> Result<Option<Secret>, Problem> {
    match file(path) {
        Ok(text) => Ok(Some(text)),
        Err(Problem::File { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Returns until when something is good that ends at a time by the calendar.
pub(super) fn until(end: Timestamp, what: &'static str) -> Result<Instant, Problem> {
    let left = Duration::try_from(end.duration_since(Timestamp::now())).ok().filter(|left| !left.is_zero());
    left.map(after).ok_or(Problem::Expired(what))
}

/// Returns until when something is good that was given for a time.
pub(super) fn after(life: Duration) -> Instant {
    Instant::now() + life.min(LONGEST_LIFE)
}
