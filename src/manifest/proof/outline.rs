//! The fingerprint of a text as the span finder read it.

use std::hash::{BuildHasher, Hasher, RandomState};

use granit_parser::ScalarStyle;

use super::super::edit::Change;
use super::super::tree::{Kind, Tree};
use super::Why;
use super::shift::Shift;

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
        let hashes = Hashes::of(tree, &cuts, &Shift::default(), &keys);
        Self { text: hash(&keys, tree.text.as_bytes()), quote: habit(tree), cuts, hashes, keys }
    }

    /// Says whether this is the outline of a text.
    pub(in super::super) fn fits(&self, text: &[u8]) -> bool {
        hash(&self.keys, text) == self.text
    }

    pub(in super::super) fn quote(&self) -> ScalarStyle {
        self.quote
    }

    /// Checks that another text has the same nodes but for the changes, which come in its order: without its new entries, the
    /// counted and numbered rest must be what it was, and each of those must stand just where it was meant to.
    pub(super) fn compare(&self, tree: &Tree<'_>, changes: &[Change], shift: &Shift) -> Result<(), Why> {
        check_entries(tree, changes, shift)?;
        let new = Hashes::of(tree, &self.cuts, shift, &self.keys);
        if new.runs != self.hashes.runs || new.values.len() != self.hashes.values.len() {
            return Err(Why::MoreChanged);
        }
        let mut left = changes.iter().filter(|change| change.entry.is_none()).peekable();
        for (index, &cut) in self.cuts.iter().enumerate() {
            match left.next_if(|change| change.node == cut) {
                Some(change) => {
                    let expected = Some((change.value.as_str(), change.style));
                    let node = shift.to_new(cut);
                    if node >= tree.len() || tree.any_scalar(node) != expected {
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

/// Checks that each new entry is one of its mapping, behind whole entries of it, with the key and value that were meant.
fn check_entries(tree: &Tree<'_>, changes: &[Change], shift: &Shift) -> Result<(), Why> {
    let entries = changes.iter().filter_map(|change| Some((change, change.entry.as_deref()?)));
    let mut left = shift.keys().iter().zip(entries).peekable();
    if left.peek().is_none() {
        return Ok(());
    }
    let is_bare = |node: usize| tree.anchor(node) == 0 && tree.tag(node).is_none();
    // The collections around, each with the number of its children so far.
    let mut open: Vec<(usize, usize)> = Vec::new();
    for index in 0..tree.len() {
        while open.last().is_some_and(|&(around, _)| tree.end(around) <= index) {
            open.pop();
        }
        if let Some((_, (change, entry))) = left.next_if(|(key, _)| **key == index) {
            let is_place = open.last().is_some_and(|&(around, count)| around == shift.to_new(entry.mapping) && count % 2 == 0);
            let is_key = is_bare(index) && tree.any_scalar(index) == Some((&entry.key, entry.style));
            let value = Some(index + 1).filter(|&value| value < tree.len() && is_bare(value)).and_then(|value| tree.any_scalar(value));
            if !(is_place && is_key && value == Some((&change.value, change.style))) {
                return Err(Why::NotExpected { expected: change.value.clone() });
            }
        }
        if let Some((_, count)) = open.last_mut() {
            *count += 1;
        }
        if tree.is_collection(index) {
            open.push((index, 0));
        }
    }
    if left.next().is_none() { Ok(()) } else { Err(Why::MoreChanged) }
}

/// How much of a run is kept before it is hashed, in bytes.
const PIECE: usize = 1 << 14;

impl Hashes {
    fn of(tree: &Tree<'_>, cuts: &[usize], shift: &Shift, keys: &RandomState) -> Self {
        let mut hashes = Self { runs: Vec::with_capacity(cuts.len() + 1), values: Vec::with_capacity(cuts.len()) };
        // A run goes to its hasher in pieces, so that a large text is not there once more.
        let (mut run, mut hasher) = (Vec::with_capacity(PIECE), keys.build_hasher());
        let (mut cuts, mut documents) = (cuts.iter().peekable(), tree.documents.iter().peekable());
        for index in 0..tree.len() {
            if let Some(document) = documents.next_if(|document| document.root == index) {
                run.extend([b'D', u8::from(document.explicit)]);
                let (major, minor) = document.version.unwrap_or_default();
                run.extend(major.to_le_bytes().into_iter().chain(minor.to_le_bytes()));
            }
            if shift.is_new(index) {
                continue;
            }
            let is_cut = cuts.next_if_eq(&&shift.to_old(index)).is_some();
            write_node(&mut run, tree, index, shift, is_cut);
            if run.len() >= PIECE {
                hasher.write(&run);
                run.clear();
            }
            if is_cut {
                hasher.write(&run);
                hashes.runs.push(std::mem::replace(&mut hasher, keys.build_hasher()).finish());
                run.clear();
                write_value(&mut run, tree.kind(index));
                hashes.values.push(hash(keys, &run));
                run.clear();
            }
        }
        hasher.write(&run);
        hashes.runs.push(hasher.finish());
        hashes
    }
}

/// Writes all that a node is, so that different nodes give different bytes; its style and value unless it is a cut.
fn write_node(run: &mut Vec<u8>, tree: &Tree<'_>, index: usize, shift: &Shift, is_cut: bool) {
    let node = tree.kind(index);
    let kind = match node {
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
    write_number(run, shift.to_old(tree.end(index)) - shift.to_old(index));
    write_number(run, tree.anchor(index));
    if let Kind::Alias(target) = node {
        write_number(run, shift.to_old(target));
    }
    match tree.tag(index) {
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

fn write_value(run: &mut Vec<u8>, node: Kind<'_>) {
    if let Kind::Scalar { value, style } = node {
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
    for node in 0..tree.len() {
        match tree.kind(node) {
            Kind::Scalar { style: ScalarStyle::DoubleQuoted, .. } => return ScalarStyle::DoubleQuoted,
            Kind::Scalar { style: ScalarStyle::SingleQuoted, .. } => habit = ScalarStyle::SingleQuoted,
            _ => {}
        }
    }
    habit
}
