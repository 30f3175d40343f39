//! The fingerprint of a text as the span finder read it.

use std::hash::{BuildHasher, Hasher, RandomState};

use granit_parser::ScalarStyle;

use super::super::edit::Change;
use super::super::tree::{Kind, Node, Tree};
use super::Why;

/// What a scan keeps of a text, so that an edit can be proved without reading the old text again: hashes of the runs of nodes
/// between the scalars that may be edited, and of those scalars.
///
/// The hashes are keyed with a random key that never leaves the process, so no text can be made to collide.
#[derive(Debug)]
pub(in super::super) struct Outline {
    keys: RandomState,
    text: u64,
    /// How a plain scalar is quoted that needs quotes, after the habit of the file.
    quote: ScalarStyle,
    /// The nodes of the scalars that may be edited, in order.
    cuts: Vec<usize>,
    hashes: Hashes,
}

#[derive(Debug, PartialEq, Eq)]
struct Hashes {
    /// The runs of nodes before, between and behind the cuts, with all of the cuts' nodes but style and value.
    runs: Vec<u64>,
    /// Styles and values of the cuts.
    values: Vec<u64>,
}

impl Outline {
    /// Takes the outline of a text with scalars that may be edited.
    pub(in super::super) fn of(tree: &Tree<'_>, scalars: impl Iterator<Item = usize>) -> Self {
        let mut cuts: Vec<usize> = scalars.collect();
        cuts.sort_unstable();
        cuts.dedup();
        let keys = RandomState::new();
        let hashes = Hashes::of(tree, &cuts, &keys);
        Self { text: hash(&keys, tree.text.as_bytes()), quote: habit(tree), cuts, hashes, keys }
    }

    /// Says whether this is the outline of a text.
    pub(in super::super) fn fits(&self, text: &[u8]) -> bool {
        hash(&self.keys, text) == self.text
    }

    pub(in super::super) fn quote(&self) -> ScalarStyle {
        self.quote
    }

    /// Checks that another text has the same nodes but for the changes, which come in its order.
    pub(super) fn compare(&self, tree: &Tree<'_>, changes: &[Change]) -> Result<(), Why> {
        let new = Hashes::of(tree, &self.cuts, &self.keys);
        if new.runs != self.hashes.runs || new.values.len() != self.hashes.values.len() {
            return Err(Why::MoreChanged);
        }
        let mut left = changes.iter().peekable();
        for (index, &cut) in self.cuts.iter().enumerate() {
            match left.next_if(|change| change.node == cut) {
                Some(change) => {
                    let expected = Some((change.value.as_str(), change.style));
                    if tree.nodes.get(cut).is_none() || tree.any_scalar(cut) != expected {
                        return Err(Why::NotExpected { expected: change.value.clone() });
                    }
                }
                None if new.values[index] == self.hashes.values[index] => {}
                None => return Err(Why::MoreChanged),
            }
        }
        if left.next().is_none() { Ok(()) } else { Err(Why::MoreChanged) }
    }
}

impl Hashes {
    fn of(tree: &Tree<'_>, cuts: &[usize], keys: &RandomState) -> Self {
        let mut hashes = Self { runs: Vec::with_capacity(cuts.len() + 1), values: Vec::with_capacity(cuts.len()) };
        let mut run = Vec::with_capacity(tree.text.len());
        let (mut cuts, mut documents) = (cuts.iter().peekable(), tree.documents.iter().peekable());
        for (index, node) in tree.nodes.iter().enumerate() {
            if let Some(document) = documents.next_if(|document| document.root == index) {
                run.extend([b'D', u8::from(document.explicit)]);
                let (major, minor) = document.version.unwrap_or_default();
                run.extend(major.to_le_bytes().into_iter().chain(minor.to_le_bytes()));
            }
            let is_cut = cuts.next_if_eq(&&index).is_some();
            write_node(&mut run, index, node, is_cut);
            if is_cut {
                hashes.runs.push(hash(keys, &run));
                run.clear();
                write_value(&mut run, node);
                hashes.values.push(hash(keys, &run));
                run.clear();
            }
        }
        hashes.runs.push(hash(keys, &run));
        hashes
    }
}

/// Writes all that a node is, so that different nodes give different bytes; its style and value unless it is a cut.
fn write_node(run: &mut Vec<u8>, index: usize, node: &Node<'_>, is_cut: bool) {
    let kind = match node.kind {
        Kind::Scalar { .. } => b's',
        Kind::Sequence { flow } => {
            if flow {
                b'['
            } else {
                b'-'
            }
        }
        Kind::Mapping { flow } => {
            if flow {
                b'{'
            } else {
                b':'
            }
        }
        Kind::Alias(_) => b'*',
    };
    run.push(kind);
    write_number(run, node.end - index);
    write_number(run, node.anchor);
    if let Kind::Alias(target) = node.kind {
        write_number(run, target);
    }
    match &node.tag {
        None => run.push(0),
        Some(tag) => {
            run.push(1);
            for part in [tag.handle(), tag.suffix(), tag.original_handle()] {
                write_number(run, part.len());
                run.extend_from_slice(part.as_bytes());
            }
        }
    }
    if !is_cut {
        write_value(run, node);
    }
}

fn write_value(run: &mut Vec<u8>, node: &Node<'_>) {
    if let Kind::Scalar { value, style } = &node.kind {
        run.push(match style {
            ScalarStyle::Plain => b'p',
            ScalarStyle::SingleQuoted => b'\'',
            ScalarStyle::DoubleQuoted => b'"',
            ScalarStyle::Literal => b'|',
            ScalarStyle::Folded => b'>',
        });
        write_number(run, value.len());
        run.extend_from_slice(value.as_bytes());
    }
}

/// Writes a number; texts are far below 4 GiB.
fn write_number(run: &mut Vec<u8>, number: usize) {
    run.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn hash(keys: &RandomState, bytes: &[u8]) -> u64 {
    let mut hasher = keys.build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

/// Returns the quotes that a text uses: single ones if it has these only.
fn habit(tree: &Tree<'_>) -> ScalarStyle {
    let mut habit = ScalarStyle::DoubleQuoted;
    for node in &tree.nodes {
        match node.kind {
            Kind::Scalar { style: ScalarStyle::DoubleQuoted, .. } => return ScalarStyle::DoubleQuoted,
            Kind::Scalar { style: ScalarStyle::SingleQuoted, .. } => habit = ScalarStyle::SingleQuoted,
            _ => {}
        }
    }
    habit
}
