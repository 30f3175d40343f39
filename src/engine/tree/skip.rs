//! Why a file is left alone.

use serde::{Deserialize, Serialize};

use super::LARGEST_FILE;
use crate::manifest::Unreadable;

/// A file that may hold references but is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The file.
    pub file: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a file is left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// It is larger than Tagboat reads.
    #[error("it is larger than {} MiB", LARGEST_FILE / 1024 / 1024)]
    TooLarge,
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// It should be YAML and is none, so that most of it is not read.
    #[error("only values at markers and what `[[file]]` finds in it are read, as {0}")]
    PartlyRead(Unreadable),
    /// Git holds only a pointer to its content.
    #[error("its content is kept by Git LFS, and the repository holds only a pointer to it")]
    LfsPointer,
    /// It carries a checksum over its values.
    #[error("it is encrypted with sops, whose checksum an edit would break")]
    Encrypted,
    /// It is a link.
    #[error("it is a symbolic link; what it points to is looked at where it stands")]
    Link,
    /// It is a repository of its own.
    #[error("it is a submodule, and so part of another repository")]
    Submodule,
    /// It is a pipe, a socket or a device.
    #[error("it is no regular file")]
    NotRegular,
    /// The operating system does not let it be read: why.
    #[error("it cannot be opened: {0}")]
    Unopened(String),
    /// Git itself would not check it out.
    #[error("its name or mode is none that Git checks out")]
    Odd,
}

impl SkipReason {
    /// Returns the word for metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Unreadable(_) => "unreadable",
            Self::PartlyRead(_) => "partly-read",
            Self::LfsPointer => "lfs-pointer",
            Self::Encrypted => "encrypted",
            Self::Link => "link",
            Self::Submodule => "submodule",
            Self::NotRegular => "not-regular",
            Self::Unopened(_) => "unopened",
            Self::Odd => "odd",
        }
    }
}
