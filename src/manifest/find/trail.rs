//! The way from a document's root to a site, as a path for people and a key for machines.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::super::tree::Tree;
use crate::image::Reference;

/// How much of a key or name is shown, in characters.
const MAX_WORD: usize = 100;
/// How long a path gets, in bytes; of a longer one the end is kept. A path is a hundred levels deep at most on purpose only.
const MAX_PATH: usize = 512;
/// How many entries of a mapping are searched for its name.
const MAX_SEARCHED: usize = 64;

/// A step down.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Entry { mapping: usize, key: usize },
    Item { index: usize, item: usize },
}

pub(super) struct Trail<'w, 't> {
    tree: &'w Tree<'t>,
    /// The way to the scalar that the text is in, as path and key, and how many such scalars there are around it.
    within: (String, String),
    layer: usize,
    /// Whether a key on the way to that scalar is given twice.
    doubled: bool,
    document: usize,
    steps: Vec<Step>,
    /// By mapping: the keys that it gives more than once; looked up only on the way to a site.
    duplicates: HashMap<usize, HashSet<&'w str>>,
}

impl<'w, 't> Trail<'w, 't> {
    pub(super) fn new(tree: &'w Tree<'t>) -> Self {
        Self {
            tree,
            within: (String::new(), String::new()),
            layer: 0,
            doubled: false,
            document: 0,
            steps: Vec::new(),
            duplicates: HashMap::new(),
        }
    }

    /// Tells that the text is the value of the scalar at the end of another trail.
    pub(super) fn lie_within(&mut self, outer: &mut Trail<'_, '_>) {
        self.doubled = outer.has_duplicate_key();
        self.within = (outer.path() + "|", outer.key() + "|");
        self.layer = outer.layer + 1;
    }

    /// Returns how many texts the trail's own is within.
    pub(super) fn layer(&self) -> usize {
        self.layer
    }

    pub(super) fn enter_document(&mut self, index: usize) {
        self.document = index;
        self.steps.clear();
    }

    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(super) fn pop(&mut self) {
        self.steps.pop();
    }

    /// Returns the key of the innermost entry, through lists.
    pub(super) fn nearest_key(&self) -> Option<&'w str> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Entry { key, .. } => Some(self.tree.text_of(*key)),
            Step::Item { .. } => None,
        })?
    }

    /// Returns the keys of the innermost entry and of the one around it, through lists.
    pub(super) fn last_keys(&self) -> [Option<&'w str>; 2] {
        let mut keys = self.steps.iter().rev().filter_map(|step| match step {
            Step::Entry { key, .. } => Some(self.tree.text_of(*key)),
            Step::Item { .. } => None,
        });
        [keys.next().flatten(), keys.next().flatten()]
    }

    /// Says whether this is an item of the list under a key.
    pub(super) fn is_item_of(&self, list: &str) -> bool {
        matches!(self.steps.as_slice(), [.., Step::Entry { key, .. }, Step::Item { .. }] if self.tree.text_of(*key) == Some(list))
    }

    /// Says whether this is the value of `image.reference`, as in a Kubernetes volume.
    pub(super) fn is_image_volume(&self) -> bool {
        let is = |key: usize, name: &str| self.tree.text_of(key) == Some(name);
        matches!(self.steps.as_slice(), [.., Step::Entry { key: image, .. }, Step::Entry { key: reference, .. }]
            if is(*reference, "reference") && is(*image, "image"))
    }

    /// Returns the kind of the document's object.
    pub(super) fn kind(&self) -> Option<&'w str> {
        self.entry(self.tree.documents[self.document].root, "kind")
    }

    /// Returns the namespace of the document's object.
    pub(super) fn namespace(&self) -> Option<&'w str> {
        self.entry(self.value(self.root(), "metadata")?, "namespace")
    }

    /// Returns the root of the document.
    pub(super) fn root(&self) -> usize {
        self.tree.documents[self.document].root
    }

    /// Says whether a key on the way is given twice in its mapping.
    pub(super) fn has_duplicate_key(&mut self) -> bool {
        let tree = self.tree;
        self.doubled
            || self.steps.iter().any(|step| match step {
                Step::Entry { mapping, key } => {
                    let duplicates = self.duplicates.entry(*mapping).or_insert_with(|| duplicates(tree, *mapping));
                    !duplicates.is_empty() && tree.text_of(*key).is_some_and(|key| duplicates.contains(key))
                }
                Step::Item { .. } => false,
            })
    }

    /// Returns the path for people.
    pub(super) fn path(&self) -> String {
        let steps = self.steps(false);
        let own = if self.document == 0 { steps } else { self.numbered(&steps) };
        format!("{}{own}", self.within.0)
    }

    /// Returns the path that holds still when lists are reordered.
    pub(super) fn key(&self) -> String {
        let steps = self.steps(true);
        let own = match self.identity().filter(|_| self.tree.documents.len() > 1) {
            Some(identity) => format!("{identity}:{steps}"),
            None if self.tree.documents.len() > 1 => self.numbered(&steps),
            None => steps,
        };
        format!("{}{own}", self.within.1)
    }

    fn numbered(&self, steps: &str) -> String {
        let dot = if steps.is_empty() || steps.starts_with('[') { "" } else { "." };
        format!("document[{}]{dot}{steps}", self.document)
    }

    fn steps(&self, by_name: bool) -> String {
        let mut path = String::new();
        for step in &self.steps {
            match step {
                Step::Entry { key, .. } => match self.tree.text_of(*key) {
                    Some(word) if is_simple(word) => {
                        if !path.is_empty() {
                            path.push('.');
                        }
                        path.push_str(word);
                    }
                    Some(word) => {
                        path.push_str("[\"");
                        write_word(&mut path, word);
                        path.push_str("\"]");
                    }
                    None => path.push_str("[?]"),
                },
                Step::Item { index, item } => match self.entry(*item, "name").filter(|_| by_name) {
                    Some(name) => {
                        path.push_str("[name=");
                        write_word(&mut path, without_tag(name));
                        path.push(']');
                    }
                    None => {
                        // Writing to a string does not fail.
                        let _ = write!(path, "[{index}]");
                    }
                },
            }
        }
        if path.len() > MAX_PATH {
            let cut = path.ceil_char_boundary(path.len() - MAX_PATH);
            path.replace_range(..cut, "…");
        }
        path
    }

    /// Returns kind, namespace and name of the document's object: `Deployment/shop/api`.
    fn identity(&self) -> Option<String> {
        let root = self.tree.documents[self.document].root;
        let kind = self.kind()?;
        let metadata = self.value(root, "metadata")?;
        let name = self.entry(metadata, "name")?;
        let mut identity = String::new();
        for word in [Some(kind), self.entry(metadata, "namespace"), Some(name)].into_iter().flatten() {
            if !identity.is_empty() {
                identity.push('/');
            }
            write_word(&mut identity, word);
        }
        Some(identity)
    }

    fn value(&self, mapping: usize, name: &str) -> Option<usize> {
        if !self.tree.is_mapping(mapping) {
            return None;
        }
        let found = self.tree.entries(mapping).take(MAX_SEARCHED).find(|&(key, _)| self.tree.text_of(key) == Some(name));
        found.map(|(_, value)| self.tree.resolve(value))
    }

    fn entry(&self, mapping: usize, name: &str) -> Option<&'w str> {
        self.tree.text_of(self.value(mapping, name)?).filter(|text| !text.is_empty())
    }
}

/// Says whether a key can stand in a path as it is.
fn is_simple(word: &str) -> bool {
    !word.is_empty() && word.len() <= MAX_WORD && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-/$@".contains(&byte))
}

/// Returns the part of a name that stays when it is a reference that moves, as that of a build's step.
fn without_tag(name: &str) -> &str {
    let reference = Some(name).filter(|name| name.contains([':', '@'])).and_then(|name| Reference::parse_spans(name).ok());
    reference.map_or(name, |(_, spans)| &name[spans.repository])
}

/// Writes a word without white space, control characters and what delimits it.
fn write_word(path: &mut String, word: &str) {
    for character in word.chars().take(MAX_WORD) {
        if character.is_control() || character.is_whitespace() || "\"\\]".contains(character) {
            path.extend(character.escape_unicode());
        } else {
            path.push(character);
        }
    }
    if word.chars().nth(MAX_WORD).is_some() {
        path.push('…');
    }
}

/// Finds the keys that a mapping gives more than once; merges (`<<`) may stand there as often as they like.
fn duplicates<'w>(tree: &'w Tree<'_>, mapping: usize) -> HashSet<&'w str> {
    let mut seen = HashSet::new();
    let keys = tree.entries(mapping).filter_map(|(key, _)| tree.text_of(key));
    keys.filter(|key| *key != "<<" && !seen.insert(*key)).collect()
}
