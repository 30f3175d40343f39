//! The Git environment repository. (contract)

mod paths;

pub use paths::{Paths, PatternError};

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Classified, Verdict};
use crate::redact::SecretSource;

/// An environment repository and how to reach it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it is.
    pub url: RemoteUrl,
    /// The branch; none means the remote's HEAD.
    pub branch: Option<String>,
    /// The credential.
    pub auth: Option<Auth>,
    /// A PEM file of certificate authorities trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Who commits.
    pub author: Author,
    /// How many commits of history are fetched and looked at.
    pub history: u32,
    /// The deadline of one fetch or push.
    pub timeout: Duration,
}

/// A place that Git can fetch from: https, http, ssh, `user@host:path` or a local path. Prints without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {}

/// A credential for the remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// User name and password or token, over https.
    Basic {
        /// The user.
        username: String,
        /// The password or token.
        password: SecretSource,
    },
    /// A private key file, over ssh.
    Ssh {
        /// The private key.
        key: PathBuf,
        /// The file of known host keys.
        known_hosts: Option<PathBuf>,
    },
}

/// Who commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// The name.
    pub name: String,
    /// The e-mail address.
    pub email: String,
}

/// Why the environment repository could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// To be replaced.
    #[error("not yet")]
    NotYet,
}

impl Classified for Error {
    fn verdict(&self) -> Verdict {
        Verdict::RETRY
    }
}

/// The id of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlobId([u8; 20]);

/// A file of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The path from the root, with `/`.
    pub path: String,
    /// The id of its content.
    pub blob: BlobId,
}

/// A commit of the branch's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The commit's id in hexadecimal digits.
    pub id: String,
    /// Its message, bounded.
    pub message: String,
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a push that was refused has changed nothing"]
pub enum Push {
    /// The server says that the branch stands at our commit.
    Pushed,
    /// The branch moved meanwhile.
    Raced,
    /// The server refused.
    Refused {
        /// What it said, cleaned.
        reason: String,
    },
}

/// A bare clone of an environment repository. All methods block; run them off the runtime's workers.
pub struct Environment {}

/// One commit's tree; it never changes under a plan.
pub struct Snapshot {}

/// New file contents on top of a snapshot.
pub struct Changeset {}

/// A commit that is in the bare clone only.
pub struct Commit {}

impl RemoteUrl {
    /// Reads a remote.
    ///
    /// # Errors
    /// If it is none of the known forms.
    pub fn parse(text: &str) -> Result<Self, String> {
        let _ = text;
        Ok(Self {})
    }
}

impl Environment {
    /// Opens the bare clone at `dir`, making it if there is none; a damaged one is set aside and made anew. Contacts nobody.
    ///
    /// # Errors
    /// If the directory cannot be used.
    #[allow(clippy::needless_pass_by_value)]
    pub fn open(config: Config, dir: &Path) -> Result<Self, Error> {
        let _ = (config, dir);
        Err(Error::NotYet)
    }

    /// Fetches the branch's tip.
    ///
    /// # Errors
    /// If the remote cannot be reached, refuses us, or has no such branch.
    pub fn fetch(&mut self) -> Result<Snapshot, Error> {
        Err(Error::NotYet)
    }

    /// Pushes a commit, compare-and-swap: only if the branch still stands where the commit's snapshot was taken.
    ///
    /// # Errors
    /// If the remote cannot be reached or its answer is not known; the branch may have moved then.
    pub fn push(&mut self, commit: &Commit) -> Result<Push, Error> {
        let _ = commit;
        Err(Error::NotYet)
    }
}

impl Snapshot {
    /// Returns the commit's id in hexadecimal digits.
    #[must_use]
    pub fn commit(&self) -> &str {
        ""
    }

    /// Returns the id of the root tree, which is equal for equal content.
    #[must_use]
    pub fn tree(&self) -> &str {
        ""
    }

    /// Lists the regular files that `wanted` accepts, in path order.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub fn files(&self, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<File>, Error> {
        let _ = wanted;
        Ok(Vec::new())
    }

    /// Reads a file's content; none if it is larger than `largest` bytes.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub fn read(&self, blob: BlobId, largest: usize) -> Result<Option<Vec<u8>>, Error> {
        let _ = (blob, largest);
        Ok(None)
    }

    /// Returns the branch's last commits, newest first.
    ///
    /// # Errors
    /// If the clone is damaged.
    pub fn history(&self) -> Result<Vec<HistoryEntry>, Error> {
        Ok(Vec::new())
    }

    /// Starts a changeset on this snapshot.
    #[must_use]
    pub fn change(&self) -> Changeset {
        Changeset {}
    }
}

impl Changeset {
    /// Sets a file's new content; the file's mode stays.
    ///
    /// # Errors
    /// If the clone cannot be written.
    pub fn write(&mut self, path: &str, content: &[u8]) -> Result<(), Error> {
        let _ = (path, content);
        Ok(())
    }

    /// Makes one commit of all changes, in the bare clone only.
    ///
    /// # Errors
    /// If the clone cannot be written.
    pub fn commit(self, message: &str) -> Result<Commit, Error> {
        let _ = message;
        Err(Error::NotYet)
    }
}

impl Commit {
    /// Returns the commit's id in hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> &str {
        ""
    }
}
