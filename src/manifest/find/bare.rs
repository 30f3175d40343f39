//! References without tag and digest: shown, so that nobody wonders why they never move; never edited.

use granit_parser::ScalarStyle;

use super::super::quote;
use super::super::site::Shape;
use super::locate::Located;
use super::scalar::has_host;
use super::{Finder, Free, Reading};

/// How the names of pictures and of disks of virtual machines end.
const FILES: [&str; 13] = [".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp", ".ico", ".qcow2", ".iso", ".img", ".vmdk", ".ova", ".raw"];

/// Says whether the value of a key that names an image is something else by its look, though it may satisfy the grammar of names: a version
/// or a range (`"image": "^1.0.0"` of a lock file), a path, a picture.
pub(super) fn is_no_image(value: &str) -> bool {
    let number = value.trim_start_matches(['^', '~', '<', '>', '=', ' ', 'v']);
    number.contains('.') && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        || ["/", "./", "../"].iter().any(|start| value.starts_with(start))
        || FILES.iter().any(|end| value.ends_with(end))
}

impl Finder<'_, '_> {
    /// Reads a scalar in an image's place as a bare repository, unless a tag or a place for one stands beside it.
    pub(super) fn bare(&self, node: usize) -> Option<Reading> {
        let (value, style) = self.tree.scalar(node)?;
        // Such as `image: true`, which switches something.
        let is_string = style != ScalarStyle::Plain || !quote::retypes(value);
        if !is_string || is_no_image(value) || self.claimed.contains(&node) || !self.is_sure(value) {
            return None;
        }
        // Flux's `ImageRepository` names what is to be listed, not what is to run.
        if self.trail.kind() == Some("ImageRepository") {
            return None;
        }
        let (written, repository) = self.bare_repository(value, None)?;
        let located = Located::new(self.tree, node)?;
        let (at, locked) = (located.position(&(0..value.len())), located.locked());
        Some(Reading { shape: Shape::Scalar, written, repository, tag: None, digest: None, free: Free::default(), locked, at })
    }

    /// Says whether a value is a repository for sure: `images` lists pictures, too, and a word under `vmImage` may be any word.
    fn is_sure(&self, value: &str) -> bool {
        let key = || self.trail.nearest_key().unwrap_or_default();
        let is_named = || self.trail.is_image_volume() || key().eq_ignore_ascii_case("image");
        !self.watch.is_everything() || has_host(value) || is_named() || value.contains('/') && !key().ends_with(['s', 'S'])
    }
}
