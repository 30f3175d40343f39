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
        let fields = Fields::of_mapping(tree, mapping, &mut self.merges);
        let has = |name: &str| fields.get(name).is_some();
        if !has("name") || !(has("newName") || has("newTag") || has("digest")) {
            return false;
        }
        let given = |name: &str| fields.get(name).and_then(|field| tree.text_of(field.value)).filter(|text| !text.is_empty());
        // The new name is the one that is deployed; the entry's own name only where there is no new one.
        let Some(name) = given("newName").or_else(|| given("name")) else { return true };
        if let Some((written, repository)) = self.bare_repository(name, None) {
            let names = ["name", "newName", "newTag", "digest"];
            // What is merged in as a whole was found where it stands.
            if names.iter().all(|name| fields.own(name).is_none()) {
                return true;
            }
            let repeated = names.iter().any(|name| fields.is_repeated(name));
            let (tag, digest) = (fields.get("newTag"), fields.get("digest"));
            let beside = ("digest".to_owned(), fields.own("newTag").is_some());
            self.pair(Pair { shape: Shape::Kustomize, written, repository, tag, digest, beside, repeated, only_if_tag: false });
        }
        true
    }
}
