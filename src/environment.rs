//! The Git environment repository: fetch, read, commit, push.
//!
//! Owns a bare clone per environment, on libgit2, and the ways to its remote: HTTP over the one HTTP stack, SSH through the
//! OpenSSH client, and local paths. A [`Snapshot`] is one commit's tree and never changes; a [`Changeset`] becomes a [`Commit`]
//! in memory; [`Environment::push`] moves the remote's branch compare-and-swap, never by force, and takes nothing but the
//! server's word for its success. The clone is a cache that may be deleted at any time. Knows bytes and paths, not images.
//! Hides libgit2, its global state and its traps.

mod changeset;
mod error;
mod fetch;
mod hermetic;
mod local;
mod outgoing;
mod paths;
mod push;
mod snapshot;
mod store;
mod transport;
mod tree;
mod url;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use git2::Oid;

use crate::redact::SecretSource;
use crate::shutdown::CancellationToken;

pub use changeset::{Changeset, Commit};
pub use error::{Error, Fault, Foreign, GitError};
pub use paths::{Paths, PatternError};
pub use snapshot::{File, HistoryEntry, Reads, Snapshot};
pub use tree::{Entry, Folder};
pub use url::RemoteUrl;

use fetch::Wanted;
use snapshot::Shared;
use store::Store;
use transport::{Purpose, Session};

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
        /// The file of known host keys; none means those of the user that we run as.
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

/// The id of a file's content: equal content, equal id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId([u8; 20]);

impl From<Oid> for BlobId {
    fn from(id: Oid) -> Self {
        let mut bytes = [0; 20];
        bytes.copy_from_slice(id.as_bytes());
        Self(bytes)
    }
}

impl BlobId {
    /// Reads 40 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Oid::from_str(text).ok().filter(|_| text.len() == 40).map(Self::from)
    }

    /// Returns the id as libgit2 has it.
    fn oid(self) -> Result<Oid, git2::Error> {
        let Self(bytes) = self;
        Oid::from_bytes(&bytes)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
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
pub struct Environment {
    config: Config,
    remote: String,
    store: Store,
    cancel: CancellationToken,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("remote", &self.remote).finish_non_exhaustive()
    }
}

impl Environment {
    /// Opens the bare clone at `dir`, making it if there is none; a damaged one is removed and made anew. Contacts nobody.
    ///
    /// # Errors
    /// If the directory cannot be used, or another process uses it.
    pub fn open(config: Config, dir: &Path) -> Result<Self, Error> {
        let remote = config.url.to_string();
        hermetic::prepare().map_err(|cause| Error::Damaged { remote: remote.clone(), cause })?;
        let store = Store::open(dir, &remote)?;
        Ok(Self { config, remote, store, cancel: CancellationToken::new() })
    }

    /// Lets `stop` interrupt fetches. A push in flight is not torn; it ends within its deadline.
    #[must_use]
    pub fn interrupted_by(self, stop: CancellationToken) -> Self {
        Self { cancel: stop, ..self }
    }

    /// Fetches the branch's tip: what the remote says now, also after somebody forced the branch elsewhere. If it has not
    /// moved, only the list of references is transferred.
    ///
    /// # Errors
    /// If the remote cannot be reached, refuses us, or has no such branch.
    pub fn fetch(&mut self) -> Result<Snapshot, Error> {
        let target = self.store.target()?;
        let history = self.config.history.clamp(1, i32::MAX as u32);
        let wanted = Wanted { remote: &self.remote, branch: self.config.branch.as_deref(), history: history.cast_signed() };
        let session = Session::open(&self.config, Purpose::Fetch, &self.cancel);
        let session = session.map_err(|cause| Error::Fetch { remote: self.remote.clone(), cause })?;
        let fetched = match &session {
            Some(session) => wanted.fetch(&target.repository, session),
            None => wanted.fetch_local(&target.repository, self.config.url.local_path(), &|| self.cancel.is_cancelled()),
        };
        let tip = fetched.inspect_err(|e| self.store.suspect(e))?;
        self.store.arrived(&target, tip.id)?;
        drop(target);
        let shared = Shared {
            remote: self.remote.clone(),
            branch: tip.branch,
            author: self.config.author.clone(),
            history: history as usize,
            path: self.store.path(),
            outgoing: self.store.outgoing(),
            damaged: self.store.damage(),
        };
        Snapshot::new(Arc::new(shared), tip.id)
    }

    /// Pushes a commit, compare-and-swap: only if the branch still stands where the commit's snapshot was taken.
    ///
    /// # Errors
    /// If the remote cannot be reached ([`Error::Push`]: nothing has changed there), or its answer is not known
    /// ([`Error::OutcomeUnknown`]: the branch may have moved, and the next fetch tells).
    pub fn push(&mut self, commit: &Commit) -> Result<Push, Error> {
        let session = Session::open(&self.config, Purpose::Push, &self.cancel);
        let fail = |cause| Error::Push { remote: self.remote.clone(), branch: commit.branch.clone(), cause };
        match session.map_err(fail)? {
            Some(session) => push::push(commit, &self.remote, &session),
            None => local::push(commit, &self.remote, self.config.url.local_path()),
        }
    }
}
