//! What one blob was found to hold.

use std::sync::Arc;

use super::SkipReason;
use super::sources::Told;
use crate::environment::BlobId;
use crate::image::Pool;
use crate::manifest::{Format, Formats, Locked, Scan, Site, Unreadable, Watch};

/// A content and how it is read.
pub(super) type Content = (BlobId, Format);

/// What a blob was found to hold.
#[derive(Clone, Debug)]
pub(super) enum Scanned {
    Nothing,
    Sites(Arc<[Site]>),
    /// Some sites, and why the rest is not read.
    Partly(Arc<[Site]>, Unreadable),
    Skipped(SkipReason),
}

impl Scanned {
    /// Scans a text; tells as well what it says of the sources of charts.
    pub(super) fn of(text: &[u8], formats: &Formats, format: Format, watch: &Watch) -> (Self, Told) {
        if is_lfs_pointer(text) {
            return (Self::Skipped(SkipReason::LfsPointer), Told::default());
        }
        match formats.read(text, format, watch) {
            Ok(Scan { sites, sources, asks, rest }) => {
                let scanned = match rest {
                    _ if sites.is_empty() => Self::Nothing,
                    None => Self::Sites(sites.into()),
                    Some(reason) => Self::Partly(sites.into(), reason),
                };
                (scanned, Told { sources, asks })
            }
            Err(reason) => (Self::Skipped(reason.into()), Told::default()),
        }
    }

    /// Lets the sites forget where they are in the text, which is then scanned again before an edit.
    pub(super) fn unbound(self) -> Self {
        match self {
            Self::Sites(sites) => Self::Sites(sites.iter().cloned().map(Site::unbound).collect()),
            Self::Partly(sites, reason) => Self::Partly(sites.iter().cloned().map(Site::unbound).collect(), reason),
            other => other,
        }
    }

    /// Holds the sites' texts in common with those of others.
    pub(super) fn share(&mut self, pool: &mut Pool) {
        if let Self::Sites(sites) | Self::Partly(sites, _) = self {
            Arc::get_mut(sites).into_iter().flatten().for_each(|site| site.share(pool));
        }
    }

    /// Returns the sites, and why the file is left alone if it is.
    pub(super) fn parts(&self) -> (Option<&Arc<[Site]>>, Option<SkipReason>) {
        match self {
            Self::Nothing => (None, None),
            Self::Skipped(reason) => (None, Some(reason.clone())),
            Self::Partly(sites, reason) => (Some(sites), Some(SkipReason::PartlyRead(reason.clone()))),
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
