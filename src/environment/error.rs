//! Why the environment repository could not be used.
//!
//! [`Error`] names the object (a remote, a branch, a file); [`Fault`] is what went wrong between us and the
//! remote. Both know what to do next. Texts of other programs are cleaned before they get in here.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Classified, Verdict};
use crate::redact::{SecretError, one_line};

/// Why the environment repository could not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The directory of the clone cannot be used.
    #[error("using {} for the clone of {remote}", dir.display())]
    Directory {
        /// The remote.
        remote: String,
        /// The directory.
        dir: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// Another process holds the clone's lock.
    #[error("the clone in {} is in use by another process", dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The clone cannot be read or written; the next fetch makes it anew.
    #[error("the clone of {remote} is damaged")]
    Damaged {
        /// The remote.
        remote: String,
        /// What libgit2 said.
        #[source]
        cause: GitError,
    },
    /// A fetch failed.
    #[error("fetching {remote}")]
    Fetch {
        /// The remote.
        remote: String,
        /// What went wrong.
        #[source]
        cause: Fault,
    },
    /// A push failed before the remote was told anything: its branch is as it was.
    #[error("pushing to `{branch}` of {remote}")]
    Push {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// What went wrong.
        #[source]
        cause: Fault,
    },
    /// A push broke off before the remote's answer came: its branch may have moved or not, and the next fetch tells.
    #[error("pushing to `{branch}` of {remote}: it is not known whether it was taken")]
    OutcomeUnknown {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
        /// What went wrong.
        #[source]
        cause: Fault,
    },
    /// The remote has no such branch.
    #[error("{remote} has no branch `{branch}`")]
    BranchMissing {
        /// The remote.
        remote: String,
        /// The branch.
        branch: String,
    },
    /// The policy file names no branch, and the remote's HEAD stands for none.
    #[error("the HEAD of {remote} stands for no branch")]
    NoDefaultBranch {
        /// The remote.
        remote: String,
    },
    /// The remote has no commit at all.
    #[error("{remote} is empty")]
    EmptyRepository {
        /// The remote.
        remote: String,
    },
    /// No branch can have that name.
    #[error("`{branch}` cannot be a branch's name")]
    InvalidBranch {
        /// The branch.
        branch: String,
    },
    /// Git does not take that author.
    #[error("`{name} <{email}>` cannot be a commit's author")]
    InvalidAuthor {
        /// The name.
        name: String,
        /// The e-mail address.
        email: String,
    },
    /// A changeset names something that is no regular file of its snapshot.
    #[error("`{path}` is no regular file of the snapshot")]
    NotAFile {
        /// The path.
        path: String,
    },
    /// The changeset leaves the tree as it is; no commit is made.
    #[error("the changes make no difference")]
    NothingChanged,
    /// The tree is beyond all measure.
    #[error("the tree of {remote} has more than {limit} entries")]
    TooManyFiles {
        /// The remote.
        remote: String,
        /// The most that are looked at.
        limit: usize,
    },
}

/// What went wrong between us and a remote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No connection.
    #[error("it cannot be reached")]
    Unreachable(#[source] Foreign),
    /// The connection broke, or the other side ended it too early.
    #[error("the connection broke")]
    Broken(#[source] Foreign),
    /// The deadline of the whole operation passed.
    #[error("it took longer than {} s", after.as_secs_f32())]
    Timeout {
        /// The deadline.
        after: Duration,
    },
    /// The remote said nothing for too long.
    #[error("it said nothing for {} s", after.as_secs_f32())]
    Silent {
        /// The patience.
        after: Duration,
    },
    /// We are asked to stop.
    #[error("interrupted by the shutdown")]
    Interrupted,
    /// The server's certificate is not trusted, or there is no common ground in TLS.
    #[error("no trust in its TLS certificate")]
    Tls(#[source] Foreign),
    /// The file of certificate authorities cannot be used.
    #[error("using the certificate authorities of {}", path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The credential cannot be read.
    #[error("reading its credential")]
    Secret(#[source] SecretError),
    /// The remote wants a credential, and there is none.
    #[error("it asks for a credential, and none is set")]
    LoginNeeded,
    /// The remote refuses our credential, or the credential is not enough for this.
    #[error("it refuses the credential of `{username}`")]
    LoginRefused {
        /// The user.
        username: String,
    },
    /// The credential is of a kind that this remote has no use for.
    #[error("the credential does not fit: {0}")]
    WrongKindOfAuth(&'static str),
    /// There is no such repository, or our credential may not see it.
    #[error("there is no such repository, or the credential may not see it")]
    NotFound,
    /// The server answered with an HTTP status that is an error.
    #[error("the server answered {status}")]
    Status {
        /// The status.
        status: u16,
        /// The delay it asked for.
        retry_after: Option<Duration>,
    },
    /// The server wants to send us elsewhere, where we do not follow.
    #[error("the server redirects to {to}")]
    Redirected {
        /// Where, without credentials and query.
        to: String,
    },
    /// What answers there does not speak Git.
    #[error("what answers there is no Git repository: {0}")]
    NotGit(Foreign),
    /// The remote sent more than we are ready to take.
    #[error("it sent more than {limit} bytes")]
    TooLarge {
        /// The most that is taken.
        limit: u64,
    },
    /// The remote refused in its own words.
    #[error("the remote says: {0}")]
    RemoteSays(Foreign),
    /// The host's key is in no file of known hosts.
    #[error("the host's key is not known")]
    HostKeyUnknown,
    /// The host's key is another than the known one.
    #[error("the host's key is not the one that is known")]
    HostKeyChanged,
    /// The host does not take our key.
    #[error("the host refuses the SSH key")]
    KeyRefused,
    /// Our key cannot be used.
    #[error("the SSH key cannot be used")]
    KeyUnusable(#[source] Foreign),
    /// There is no `ssh` program, or it does not start.
    #[error("starting `ssh`")]
    NoSsh(#[source] io::Error),
    /// OpenSSH wants a line in /etc/passwd for the user that we run as.
    #[error("`ssh` does not run under a user id that has no name")]
    NoSshUser,
    /// `ssh` failed in another way.
    #[error("`ssh` failed")]
    Ssh(#[source] Foreign),
    /// libgit2 failed.
    #[error("the exchange failed")]
    Git(#[source] GitError),
    /// The remote took the objects and then gave no word about the branch.
    #[error("the remote did not say what became of the branch")]
    NoStatus,
    /// A local repository has the branch checked out.
    #[error("the branch is checked out there")]
    CheckedOut,
}

/// Words of another program, cleaned: one line, bounded, without our secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Foreign(pub(super) String);

/// What libgit2 said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct GitError {
    /// Its message, cleaned.
    pub message: String,
    /// Its code.
    pub code: git2::ErrorCode,
    /// The part of libgit2 it is from.
    pub class: git2::ErrorClass,
}

/// The longest foreign text in an error, in characters.
pub(super) const LONGEST_TEXT: usize = 500;

impl Foreign {
    /// Cleans a text that cannot hold a secret.
    pub(super) fn new(text: &str) -> Self {
        Self(one_line(text, LONGEST_TEXT))
    }
}

impl Fault {
    /// Says whether a remote that was sent a push may have taken it in spite of this.
    pub(super) fn leaves_open(&self) -> bool {
        matches!(
            self,
            Self::Broken(_)
                | Self::Timeout { .. }
                | Self::Silent { .. }
                | Self::Interrupted
                | Self::Status { status: 500..=599, .. }
                | Self::NotGit(_)
                | Self::TooLarge { .. }
                | Self::RemoteSays(_)
                | Self::Ssh(_)
                | Self::Git(_)
                | Self::NoStatus
        )
    }
}

impl From<git2::Error> for GitError {
    fn from(error: git2::Error) -> Self {
        Self { message: one_line(error.message(), LONGEST_TEXT), code: error.code(), class: error.class() }
    }
}

impl Classified for Error {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Directory { .. } | Self::Locked { .. } | Self::Damaged { .. } | Self::OutcomeUnknown { .. } => Verdict::RETRY,
            Self::Fetch { cause, .. } | Self::Push { cause, .. } => cause.verdict(),
            Self::BranchMissing { .. }
            | Self::NoDefaultBranch { .. }
            | Self::EmptyRepository { .. }
            | Self::InvalidBranch { .. }
            | Self::InvalidAuthor { .. }
            | Self::TooManyFiles { .. } => Verdict::Stalled,
            Self::NotAFile { .. } | Self::NothingChanged => Verdict::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Directory { .. } => "check the permissions and the free space of `state_dir`",
            Self::Locked { .. } => "two Tagboat processes must not share a `state_dir`",
            Self::Damaged { .. } => "it is a cache, and the next fetch makes it anew",
            Self::Fetch { cause, .. } | Self::Push { cause, .. } | Self::OutcomeUnknown { cause, .. } => return cause.hint(),
            Self::BranchMissing { .. } => "create the branch, or correct `branch`",
            Self::NoDefaultBranch { .. } => "set `branch`",
            Self::EmptyRepository { .. } => "push a first commit to it",
            Self::InvalidBranch { .. } => "correct `branch`",
            Self::InvalidAuthor { .. } => "write `author` as `Name <address>`",
            Self::NotAFile { .. } | Self::NothingChanged | Self::TooManyFiles { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

impl Classified for Fault {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Status { status: 408 | 425 | 429 | 500..=599, retry_after } => Verdict::Retry { after: *retry_after },
            Self::Unreachable(_)
            | Self::Broken(_)
            | Self::Timeout { .. }
            | Self::Silent { .. }
            | Self::Interrupted
            | Self::Ssh(_)
            | Self::Git(_)
            | Self::NoStatus => Verdict::RETRY,
            Self::Tls(_)
            | Self::CaFile { .. }
            | Self::Secret(_)
            | Self::LoginNeeded
            | Self::LoginRefused { .. }
            | Self::WrongKindOfAuth(_)
            | Self::NotFound
            | Self::Status { .. }
            | Self::Redirected { .. }
            | Self::NotGit(_)
            | Self::TooLarge { .. }
            | Self::RemoteSays(_)
            | Self::HostKeyUnknown
            | Self::HostKeyChanged
            | Self::KeyRefused
            | Self::KeyUnusable(_)
            | Self::NoSsh(_)
            | Self::NoSshUser
            | Self::CheckedOut => Verdict::Stalled,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Timeout { .. } => "a larger `timeout` may be needed for a large repository",
            Self::Tls(_) => "for a private certificate authority set `ca_file`",
            Self::LoginNeeded => "set `auth`",
            Self::LoginRefused { .. } => "check the token: its value, its expiry, and that it may write to the repository",
            Self::NotFound => "check `url`, and that the credential may read the repository",
            Self::Redirected { to } => return Some(format!("set `url` to {to} if that is the right place")),
            Self::HostKeyUnknown => "put the host's key into the file of `known_hosts` (ssh-keyscan, then compare the fingerprint)",
            Self::HostKeyChanged => "either the host got a new key, or somebody is in between; find out before changing `known_hosts`",
            Self::KeyRefused => "register the public key with the host, with write access",
            Self::KeyUnusable(_) => "the key must be a private key without passphrase that only its owner can read (mode 0400)",
            Self::NoSsh(_) => "install the OpenSSH client",
            Self::NoSshUser => "run under a user id that /etc/passwd knows",
            Self::CheckedOut => "push to a bare repository, or check out another branch there",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
