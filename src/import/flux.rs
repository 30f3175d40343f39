//! Flux: ImageRepository, ImagePolicy, and ImageUpdateAutomation with its GitRepository.

use super::{Draft, Object};

/// Makes a draft of Flux's objects; others are passed over.
#[must_use]
pub fn import(_objects: &[Object]) -> Draft {
    Draft::default()
}
