//! libgit2's global settings, made once before its first use.
//!
//! Owns all of them: nobody else calls `git2::opts`. They keep out what the machine's user has configured for `git`, bound
//! memory, and register our transport.

use std::sync::LazyLock;

use git2::{ConfigLevel, opts};

use super::error::GitError;
use super::transport;

/// Makes the settings if they are not made yet.
///
/// # Errors
/// If libgit2 refuses one.
pub(super) fn prepare() -> Result<(), GitError> {
    static DONE: LazyLock<Result<(), GitError>> = LazyLock::new(|| settle().map_err(GitError::from));
    DONE.clone()
}

/// Pack files are mapped in pieces of this size, so that a large one does not count as memory as a whole.
const WINDOW: usize = 2 << 20;
/// All mapped pieces together.
const MAPPED: usize = 16 << 20;

#[allow(unsafe_code)] // These are global variables of libgit2; this runs once, before any other use of it in this crate.
fn settle() -> Result<(), git2::Error> {
    // Each object is read once, and its content is cached above by blob id.
    opts::enable_caching(false);
    // Half of the time of reading. Hashes were verified when the pack came, and its checksums (zlib) tell of rot since then.
    opts::strict_hash_verification(false);
    unsafe {
        for level in [ConfigLevel::ProgramData, ConfigLevel::System, ConfigLevel::XDG, ConfigLevel::Global] {
            opts::set_search_path(level, "")?;
        }
        opts::set_mwindow_size(WINDOW)?;
        opts::set_mwindow_mapped_limit(MAPPED)?;
        // That check protects against hooks and commands in the configuration of somebody else's repository. libgit2 runs neither,
        // and a volume's owner is often another user than ours.
        opts::set_verify_owner_validation(false)?;
        transport::register()
    }
}
