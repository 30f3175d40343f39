//! The named values of a mapping, or of a list of Helm parameters, by name.

use std::collections::{HashMap, HashSet};

use super::super::tree::{Kind, Tree};
use super::locate::is_empty;
use super::trail::Step;

/// How many entries of merged mappings (`<<: *base`) are looked at for a mapping.
const MAX_MERGED: usize = 256;
/// How many merges of merges are followed.
const MAX_MERGES: usize = 8;

/// A named value.
#[derive(Clone)]
pub(super) struct Field<'w> {
    pub(super) name: &'w str,
    pub(super) value: usize,
    /// The way to it from where the walk is.
    pub(super) steps: Vec<Step>,
}

/// Named values in the order of the text, and behind them those of merged mappings that they do not hide.
pub(super) struct Fields<'w> {
    all: Vec<Field<'w>>,
    /// How many of them stand here themselves.
    own: usize,
    /// The last of each name, which is the one that counts wherever doubles are let pass.
    by_name: HashMap<&'w str, usize>,
    repeated: HashSet<&'w str>,
}

impl<'w> Fields<'w> {
    /// Takes a mapping's entries. What it merges in is taken off the budget, which it cannot exceed.
    pub(super) fn of_mapping(tree: &'w Tree<'_>, mapping: usize, budget: &mut usize) -> Self {
        let field = |(key, value)| Some(Field { name: tree.text_of(key)?, value, steps: vec![Step::Entry { mapping, key }] });
        let mut fields = Self::new(tree.entries(mapping).filter_map(field).collect());
        for base in merged(tree, mapping, budget) {
            fields.merge(base.into_iter().filter_map(field));
        }
        fields
    }

    /// Takes a list of mappings with `name` and `value`.
    pub(super) fn of_parameters(tree: &'w Tree<'_>, sequence: usize) -> Self {
        let own = tree.children(sequence).enumerate().filter_map(|(index, item)| {
            if !tree.is_mapping(item) {
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
        Self { own: own.len(), all: own, by_name, repeated }
    }

    /// Takes the entries of a merged mapping whose names are not given nearer.
    fn merge(&mut self, base: impl Iterator<Item = Field<'w>>) {
        let nearer = self.all.len();
        for field in base {
            match self.by_name.get(field.name) {
                Some(&index) if index < nearer => {}
                Some(&index) => {
                    self.repeated.insert(field.name);
                    self.all[index] = field;
                }
                None => {
                    self.by_name.insert(field.name, self.all.len());
                    self.all.push(field);
                }
            }
        }
    }

    /// Visits the values, merged ones last.
    pub(super) fn all(&self) -> impl Iterator<Item = &Field<'w>> {
        self.all.iter()
    }

    /// Returns the value of a name that stands here itself.
    pub(super) fn own(&self, name: &str) -> Option<&Field<'w>> {
        self.by_name.get(name).filter(|&&index| index < self.own).map(|&index| &self.all[index])
    }

    /// Returns the value of a name, merged in or not.
    pub(super) fn get(&self, name: &str) -> Option<&Field<'w>> {
        self.by_name.get(name).map(|&index| &self.all[index])
    }

    /// Says whether a name is given more than once.
    pub(super) fn is_repeated(&self, name: &str) -> bool {
        self.repeated.contains(name)
    }
}

/// Returns the value, if not empty, that the first of these dotted paths leads to in any document.
pub(super) fn stated<'w>(tree: &'w Tree<'_>, paths: &[String]) -> Option<&'w str> {
    let step = |node: usize, word: &str| {
        let mapping = Some(tree.resolve(node)).filter(|&node| tree.is_mapping(node))?;
        tree.entries(mapping).find(|&(key, _)| tree.text_of(key) == Some(word)).map(|(_, value)| value)
    };
    let value = |root: usize, path: &String| path.split('.').try_fold(root, step).and_then(|node| given(tree, node));
    paths.iter().find_map(|path| tree.documents.iter().find_map(|document| value(document.root, path)))
}

/// Returns a scalar's value if it is neither empty nor null.
pub(super) fn given<'w>(tree: &'w Tree<'_>, node: usize) -> Option<&'w str> {
    let (value, style) = tree.any_scalar(tree.resolve(node))?;
    (!is_empty(value, style)).then_some(value)
}

/// Returns the mappings that others merge in.
pub(super) fn merge_bases(tree: &Tree<'_>) -> HashSet<usize> {
    let mappings = (0..tree.len()).filter(|&node| tree.is_mapping(node));
    let merges = mappings.flat_map(|mapping| tree.entries(mapping)).filter(|&(key, _)| tree.text_of(key) == Some("<<"));
    let mut found = HashSet::new();
    for value in merges.map(|(_, value)| tree.resolve(value)) {
        match tree.kind(value) {
            Kind::Sequence { .. } => found.extend(tree.children(value).map(|item| tree.resolve(item))),
            _ => {
                found.insert(value);
            }
        }
    }
    found
}

/// Collects the entries of the mappings that a mapping merges in with `<<`, those that hide others first.
fn merged(tree: &Tree<'_>, mapping: usize, budget: &mut usize) -> Vec<Vec<(usize, usize)>> {
    let mut merged = Vec::new();
    let mut room = MAX_MERGED.min(*budget);
    let mut next: Vec<usize> = bases(tree, mapping).into_iter().rev().collect();
    while let Some(base) = next.pop().filter(|_| merged.len() < MAX_MERGES) {
        let entries: Vec<_> = tree.entries(base).take(room).collect();
        room -= entries.len();
        *budget -= entries.len();
        merged.push(entries);
        // What a base merges in itself comes before the base beside it.
        next.extend(bases(tree, base).into_iter().rev());
    }
    merged
}

/// Returns the mappings that a mapping names under `<<`, some at most.
fn bases(tree: &Tree<'_>, mapping: usize) -> Vec<usize> {
    let Some((_, value)) = tree.entries(mapping).take(MAX_MERGED).find(|&(key, _)| tree.text_of(key) == Some("<<")) else {
        return Vec::new();
    };
    let value = tree.resolve(value);
    match tree.kind(value) {
        Kind::Mapping { .. } => vec![value],
        Kind::Sequence { .. } => {
            tree.children(value).take(MAX_MERGES).map(|item| tree.resolve(item)).filter(|&item| tree.is_mapping(item)).collect()
        }
        _ => Vec::new(),
    }
}
