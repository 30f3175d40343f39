//! Shape 4: entries of kustomize's `images:` (also in Flux's `Kustomization.spec.images`).

use super::super::site::Shape;
use super::Finder;
use super::fields::Fields;
use super::split::Pair;

impl Finder<'_, '_> {
    /// Looks at a mapping, and says whether it is such an entry.
    pub(super) fn kustomize(&mut self, mapping: usize) -> bool {
        let tree = self.tree;
        if !self.trail.is_item_of("images") {
            return false;
        }
        let (mut named, mut renamed) = (false, false);
        for (key, _) in tree.entries(mapping) {
            match tree.text_of(key) {
                Some("name") => named = true,
                Some("newName" | "newTag" | "digest") => renamed = true,
                _ => {}
            }
        }
        if !named || !renamed {
            return false;
        }
        let fields = Fields::of_mapping(tree, mapping);
        let given = |name: &str| fields.get(name).and_then(|node| tree.text_of(node)).filter(|text| !text.is_empty());
        // The new name is the one that is deployed; the entry's own name only where there is no new one.
        let Some(name) = given("newName").or_else(|| given("name")) else { return true };
        if let Some((written, repository)) = self.bare_repository(name, None) {
            let repeated = ["name", "newName", "newTag", "digest"].iter().any(|name| fields.is_repeated(name));
            let (tag, digest) = (fields.own("newTag"), fields.own("digest"));
            self.pair(Pair { shape: Shape::Kustomize, written, repository, tag, digest, repeated, only_if_tag: false });
        }
        true
    }
}
