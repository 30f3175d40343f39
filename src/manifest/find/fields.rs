//! The named values of a mapping, or of a list of Helm parameters, by name.

use std::collections::{HashMap, HashSet};

use super::super::tree::{Kind, Tree};
use super::trail::Step;

/// How many entries of merged mappings (`<<: *base`) are looked at for a mapping.
const MAX_MERGED: usize = 256;
/// How many merges of merges are followed.
const MAX_MERGES: usize = 8;

/// A named value.
pub(super) struct Field<'w> {
    pub(super) name: &'w str,
    pub(super) value: usize,
    /// The way to it from where the walk is.
    pub(super) steps: Vec<Step>,
}

/// Named values in the order of the text. Those of merged mappings can be looked up only.
pub(super) struct Fields<'w> {
    own: Vec<Field<'w>>,
    /// The last of each name, which is the one that counts wherever doubles are let pass.
    by_name: HashMap<&'w str, usize>,
    repeated: HashSet<&'w str>,
    merged: HashMap<&'w str, usize>,
}

impl<'w> Fields<'w> {
    /// Takes a mapping's entries.
    pub(super) fn of_mapping(tree: &'w Tree<'_>, mapping: usize) -> Self {
        let own = tree.entries(mapping).filter_map(|(key, value)| {
            let name = tree.text_of(key)?;
            Some(Field { name, value, steps: vec![Step::Entry { mapping, key }] })
        });
        let mut fields = Self::new(own.collect());
        for (name, value) in merged(tree, mapping) {
            fields.merged.entry(name).or_insert(value);
        }
        fields
    }

    /// Takes a list of mappings with `name` and `value`.
    pub(super) fn of_parameters(tree: &'w Tree<'_>, sequence: usize) -> Self {
        let own = tree.children(sequence).enumerate().filter_map(|(index, item)| {
            if !matches!(tree.nodes[item].kind, Kind::Mapping { .. }) {
                return None;
            }
            let (mut name, mut value) = (None, None);
            for (key, node) in tree.entries(item) {
                match tree.text_of(key) {
                    Some("name") => name = tree.text_of(node),
                    Some("value") => value = Some((key, node)),
                    _ => {}
                }
            }
            let (key, value) = value?;
            Some(Field { name: name?, value, steps: vec![Step::Item { index, item }, Step::Entry { mapping: item, key }] })
        });
        Self::new(own.collect())
    }

    fn new(own: Vec<Field<'w>>) -> Self {
        let (mut by_name, mut repeated) = (HashMap::with_capacity(own.len()), HashSet::new());
        for (index, field) in own.iter().enumerate() {
            if by_name.insert(field.name, index).is_some() {
                repeated.insert(field.name);
            }
        }
        Self { own, by_name, repeated, merged: HashMap::new() }
    }

    /// Visits the values that stand here themselves.
    pub(super) fn all_own(&self) -> impl Iterator<Item = &Field<'w>> {
        self.own.iter()
    }

    /// Returns the value of a name that stands here itself.
    pub(super) fn own(&self, name: &str) -> Option<&Field<'w>> {
        self.by_name.get(name).map(|&index| &self.own[index])
    }

    /// Returns the value of a name, merged in or not.
    pub(super) fn get(&self, name: &str) -> Option<usize> {
        self.own(name).map(|field| field.value).or_else(|| self.merged.get(name).copied())
    }

    /// Says whether a name is given more than once.
    pub(super) fn is_repeated(&self, name: &str) -> bool {
        self.repeated.contains(name)
    }
}

/// Collects the entries that a mapping merges in with `<<`, nearest first.
fn merged<'w>(tree: &'w Tree<'_>, mapping: usize) -> Vec<(&'w str, usize)> {
    let mut entries = Vec::new();
    let mut queue = bases(tree, mapping);
    let mut next = 0;
    while let Some(&base) = queue.get(next).filter(|_| next < MAX_MERGES) {
        next += 1;
        let room = MAX_MERGED.saturating_sub(entries.len());
        entries.extend(tree.entries(base).take(room).filter_map(|(key, value)| Some((tree.text_of(key)?, value))));
        queue.extend(bases(tree, base));
    }
    entries
}

/// Returns the mappings that a mapping names under `<<`, some at most.
fn bases(tree: &Tree<'_>, mapping: usize) -> Vec<usize> {
    let is_mapping = |&node: &usize| matches!(tree.nodes[node].kind, Kind::Mapping { .. });
    let Some((_, value)) = tree.entries(mapping).take(MAX_MERGED).find(|&(key, _)| tree.text_of(key) == Some("<<")) else {
        return Vec::new();
    };
    let value = tree.resolve(value);
    match tree.nodes[value].kind {
        Kind::Mapping { .. } => vec![value],
        Kind::Sequence { .. } => tree.children(value).take(MAX_MERGES).map(|item| tree.resolve(item)).filter(is_mapping).collect(),
        _ => Vec::new(),
    }
}
