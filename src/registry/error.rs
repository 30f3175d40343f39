//! Why a registry could not be read, what to do next, and what a person can do about it.
//!
//! Owns what could not be done ([`Error`]); why is a [`Cause`], which may be a [`Refusal`]. No text is ever matched.

mod cause;
mod refusal;
mod wrapped;

use std::sync::Arc;

use reqwest::StatusCode;

use crate::error::{Classified, Verdict};
use crate::image::{Registry, Repository, Tag};

pub use cause::Cause;
pub(super) use refusal::is_temporary;
pub use refusal::{Refusal, Server};
pub use wrapped::{BadJson, Innermost};

/// What could not be done at a registry; the reason is its source.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The tags of a repository could not all be listed.
    #[error("listing tags of {repository}")]
    Tags {
        /// The repository.
        repository: Repository,
        /// Why not.
        #[source]
        cause: Arc<Cause>,
    },
    /// The digest of a tag could not be learned.
    #[error("reading the digest of {repository}:{tag}")]
    Digest {
        /// The repository.
        repository: Repository,
        /// The tag.
        tag: Tag,
        /// Why not.
        #[source]
        cause: Arc<Cause>,
    },
    /// A manifest or an image's configuration could not be read.
    #[error("reading {repository}{version}")]
    Manifest {
        /// The repository.
        repository: Repository,
        /// `:` and the tag, or `@` and the digest.
        version: String,
        /// Why not.
        #[source]
        cause: Arc<Cause>,
    },
    /// The times at which tags were pushed could not be learned.
    #[error("learning when the tags of {repository} were pushed")]
    Times {
        /// The repository.
        repository: Repository,
        /// Why not.
        #[source]
        cause: Arc<Cause>,
    },
    /// The registry could not be greeted.
    #[error("connecting to {registry}")]
    Ping {
        /// The registry.
        registry: Registry,
        /// Why not.
        #[source]
        cause: Arc<Cause>,
    },
    /// The client could not be made ready for a host.
    #[error("preparing the connection to {registry}")]
    Setup {
        /// The registry.
        registry: Registry,
        /// Why not.
        #[source]
        cause: Arc<Cause>,
    },
    /// The client could not be made at all.
    #[error("preparing the connection to registries")]
    Client {
        /// Why not.
        #[source]
        cause: Arc<Cause>,
    },
}

impl Error {
    /// Returns why.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        match self {
            Self::Tags { cause, .. }
            | Self::Digest { cause, .. }
            | Self::Manifest { cause, .. }
            | Self::Times { cause, .. }
            | Self::Ping { cause, .. }
            | Self::Setup { cause, .. }
            | Self::Client { cause } => cause,
        }
    }

    /// Returns the registry, unless the error is of no single one.
    #[must_use]
    pub fn registry(&self) -> Option<&Registry> {
        match self {
            Self::Tags { repository, .. }
            | Self::Digest { repository, .. }
            | Self::Manifest { repository, .. }
            | Self::Times { repository, .. } => Some(repository.registry()),
            Self::Ping { registry, .. } | Self::Setup { registry, .. } => Some(registry),
            Self::Client { .. } => None,
        }
    }

    /// Says whether the failure is the host's rather than the repository's, so that its other repositories most likely fail alike.
    #[must_use]
    pub fn is_of_the_host(&self) -> bool {
        self.cause().is_of_the_host()
    }

    /// Says whether the registry, or whom it redirected to, answered that it does not have the repository or tag.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        let is_of_content = |server: &Server| !matches!(server, Server::TokenServer(_));
        let cause = match self.cause() {
            Cause::Mirror { cause, .. } => cause,
            cause => cause,
        };
        matches!(cause, Cause::Answer(refusal) if refusal.status == StatusCode::NOT_FOUND && is_of_content(&refusal.server))
    }
}

impl Classified for Error {
    fn verdict(&self) -> Verdict {
        self.cause().verdict()
    }

    fn hint(&self) -> Option<String> {
        self.cause().hint(self.registry().map_or("the registry", Registry::as_str))
    }
}
