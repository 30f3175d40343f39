//! Where the `sourceRef` of a Flux chart leads: to a `HelmRepository` of the same text, or of another one that the watch knows.

use super::super::sources::{Address, KIND, Source, Sources};
use super::super::tree::{Kind, Tree};
use super::super::watch::Watch;
use super::charts::{entry, value};
use super::trail::Trail;

/// How many objects of a text count; people write some hundred at most.
const MAX_SOURCES: usize = 20_000;

/// Finds the `HelmRepository` objects of a text, and those in a `List`.
pub(in super::super) fn declared(tree: &Tree<'_>) -> Vec<Source> {
    let items = |root: usize| value(tree, root, "items").filter(|&items| matches!(tree.kind(items), Kind::Sequence { .. }));
    let listed = |root: usize| items(root).into_iter().flat_map(|items| tree.children(items)).map(|item| tree.resolve(item));
    let object = |root: usize| {
        let metadata = value(tree, root, "metadata").filter(|_| entry(tree, root, "kind") == Some(KIND))?;
        // A patch that leaves the URL as it is declares none.
        let url = entry(tree, value(tree, root, "spec")?, "url")?;
        Source::new(entry(tree, metadata, "namespace"), entry(tree, metadata, "name")?, url)
    };
    let roots = tree.documents.iter().map(|document| document.root);
    roots.flat_map(|root| std::iter::once(root).chain(listed(root))).filter_map(object).take(MAX_SOURCES).collect()
}

/// Where a source is.
pub(super) struct Origin {
    /// What is said of it; nothing if it is in no text that is known.
    pub(super) address: Option<Address>,
    /// Whether other texts than this one say it.
    pub(super) is_elsewhere: bool,
}

/// The sources that a text declares itself, read when the first chart asks for one.
#[derive(Default)]
pub(super) struct Origins {
    own: Option<Sources>,
}

impl Origins {
    /// Finds the source that a `sourceRef` names; none if it names none for charts.
    pub(super) fn find(&mut self, tree: &Tree<'_>, watch: &Watch, trail: &Trail<'_, '_>, reference: usize) -> Option<Origin> {
        let entry = |name| entry(tree, tree.resolve(reference), name);
        if entry("kind") != Some(KIND) {
            return None;
        }
        let (name, namespace) = (entry("name")?, entry("namespace").or_else(|| trail.namespace()));
        // What stands together belongs together, whatever else has the same name.
        let own = self.own.get_or_insert_with(|| declared(tree).iter().collect()).find(namespace, name);
        let is_elsewhere = own.is_none();
        Some(Origin { address: own.or_else(|| watch.sources().find(namespace, name)), is_elsewhere })
    }
}
