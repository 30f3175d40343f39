//! What one blob was found to hold.

use std::sync::Arc;

use super::SkipReason;
use crate::environment::BlobId;
use crate::image::Pool;
use crate::manifest::{Format, Formats, Locked, Site, Watch};

/// A content and how it is read.
pub(super) type Content = (BlobId, Format);

/// What a blob was found to hold.
#[derive(Clone, Debug)]
pub(super) enum Scanned {
    Nothing,
    Sites(Arc<[Site]>),
    Skipped(SkipReason),
}

impl Scanned {
    pub(super) fn of(text: &[u8], formats: &Formats, format: Format, watch: &Watch) -> Self {
        if is_lfs_pointer(text) {
            return Self::Skipped(SkipReason::LfsPointer);
        }
        match formats.scan(text, format, watch) {
            Ok(sites) if sites.is_empty() => Self::Nothing,
            Ok(sites) => Self::Sites(sites.into()),
            Err(reason) => Self::Skipped(reason.into()),
        }
    }

    /// Lets the sites forget where they are in the text, which is then scanned again before an edit.
    pub(super) fn unbound(self) -> Self {
        match self {
            Self::Sites(sites) => Self::Sites(sites.iter().cloned().map(Site::unbound).collect()),
            other => other,
        }
    }

    /// Holds the sites' texts in common with those of others.
    pub(super) fn share(&mut self, pool: &mut Pool) {
        if let Self::Sites(sites) = self {
            Arc::get_mut(sites).into_iter().flatten().for_each(|site| site.share(pool));
        }
    }

    /// Returns the sites, and why the file is left alone if it is.
    pub(super) fn parts(&self) -> (Option<&Arc<[Site]>>, Option<SkipReason>) {
        match self {
            Self::Nothing => (None, None),
            Self::Skipped(reason) => (None, Some(reason.clone())),
            Self::Sites(sites) => {
                let encrypted = sites.iter().any(|site| site.locked == Some(Locked::Sops));
                (Some(sites), encrypted.then_some(SkipReason::Encrypted))
            }
        }
    }
}

/// Says whether a text is what Git LFS leaves in the repository: a few lines, whose first is always the same.
pub(in super::super) fn is_lfs_pointer(text: &[u8]) -> bool {
    const VERSION: &[u8] = b"version https://git-lfs.github.com/spec/v1";
    /// By its specification.
    const LONGEST: usize = 1024;
    let rest = text.strip_prefix(VERSION).filter(|_| text.len() < LONGEST);
    rest.is_some_and(|rest| rest.starts_with(b"\n") || rest.starts_with(b"\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_of_lfs_is_short_and_starts_with_its_version() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        assert!(is_lfs_pointer(pointer.as_bytes()));
        assert!(is_lfs_pointer(pointer.replace('\n', "\r\n").as_bytes()));
        assert!(!is_lfs_pointer(format!("{pointer}{}", " ".repeat(1024)).as_bytes()));
        for other in ["", "version https://git-lfs.github.com/spec/v1", "version https://git-lfs.github.com/spec/v12\n", "a: 1\n"] {
            assert!(!is_lfs_pointer(other.as_bytes()), "{other}");
        }
    }
}
