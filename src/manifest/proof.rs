//! The proof of an edit: the new text is read again by two parsers, which must find nothing changed but what was meant.
//!
//! 1. The span finder reads all of the new text. Its nodes (structure, styles, anchors, tags, values) must be those of the old
//!    text, but for the edited scalars, which must have the expected values, and for new entries, which must stand just where
//!    they were meant to. The old text is not read again for that: the scan kept an [`Outline`] of it.
//! 2. The second reader, an independent parser, reads each document that holds an edit, and must find there just what the span
//!    finder found, with the edited scalars as strings. If it does not, it may be that the two parsers never agreed on this text; then
//!    its own readings of the old and the new text are compared, unless it cannot read the old one at all.
//!
//!    A document of over 1 MiB is too large to be kept by it, and is read event by event where it is plain enough.
//!
//! Other documents need no second reading: documents share nothing (anchors and directives end with their document), and
//! those bytes did not change.

mod outline;
mod second;
mod shift;
mod stream;

pub(super) use outline::Outline;

use super::edit::Change;
use super::tree::{Tree, Unreadable};
use shift::Shift;

/// What the proof found wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    /// The span finder cannot read the text.
    #[error("the text can no longer be read: {0}")]
    Unreadable(Unreadable),
    /// Something else changed, or the structure did.
    #[error("more than the value would change")]
    MoreChanged,
    /// An edited scalar has not the expected value.
    #[error("the value would not become `{expected}`")]
    NotExpected {
        /// The value that was meant.
        expected: String,
    },
    /// The second reader reads the new text differently.
    #[error("a second YAML reader finds more changed than the value, or reads it as no string")]
    SecondReader,
}

/// Proves that `new` is `old` but for the changes.
pub(super) fn prove(outline: &Outline, old: &str, new: &str, changes: &[Change]) -> Result<(), Why> {
    let tree = Tree::parse(new.as_bytes()).map_err(Why::Unreadable)?;
    let shift = Shift::of(changes);
    outline.compare(&tree, changes, &shift)?;
    let meant = meant(changes, &shift);
    let mut rest = meant.as_slice();
    while let [first, ..] = rest {
        let index = tree.documents.partition_point(|document| document.root <= first.node).saturating_sub(1);
        let next = tree.documents.get(index + 1).map_or(tree.len(), |next| next.root);
        let (here, others) = rest.split_at(rest.partition_point(|meant| meant.node < next));
        if here.is_empty() {
            return Err(Why::MoreChanged);
        }
        rest = others;
        let is_large = tree.documents.get(index).is_some_and(|document| document.bytes.len() > stream::LARGE);
        let agrees = || second::reads_as(&tree, index, here) || second_reader_agrees(old, &tree, index, here);
        if !(is_large && stream::reads_as(&tree, index, here) || agrees()) {
            return Err(Why::SecondReader);
        }
    }
    Ok(())
}

/// A string that the second reader must find.
struct Meant<'c> {
    /// The node in the new text.
    node: usize,
    change: &'c Change,
}

/// Tells where in the new text the changed values are, those of new entries included.
fn meant<'c>(changes: &'c [Change], shift: &Shift) -> Vec<Meant<'c>> {
    let mut keys = shift.keys().iter();
    let place = |change: &Change| match change.entry {
        Some(_) => keys.next().map_or(0, |key| key + 1),
        None => shift.to_new(change.node),
    };
    let nodes: Vec<usize> = changes.iter().map(place).collect();
    nodes.into_iter().zip(changes).map(|(node, change)| Meant { node, change }).collect()
}

/// Lets the second reader compare a document of the new text with the same one of the old text.
fn second_reader_agrees(old: &str, new: &Tree<'_>, index: usize, meant: &[Meant<'_>]) -> bool {
    let Ok(old) = Tree::parse(old.as_bytes()) else { return false };
    let text = |tree: &Tree<'_>| tree.documents.get(index).and_then(|document| tree.text.get(document.bytes.clone())).map(str::to_owned);
    match (text(&old), text(new)) {
        (Some(old), Some(new)) => second::differs_only(&old, &new, meant),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use granit_parser::ScalarStyle;

    use super::*;
    use crate::image::RepositoryPattern;
    use crate::manifest::site::NewEntry;
    use crate::manifest::{Format, Watch, scan};

    const OLD: &str = "a: &x {b: [1, 'two'], c: *x}\nimage: ghcr.io/acme/api:1 # c\n---\ntag: 1.0\nrepository: ghcr.io/acme/api\n";

    /// Proves a text that some broken edit might have made of [`OLD`], where the image was to get the tag 2.
    fn proves(new: &str) -> Result<(), Why> {
        prove_changes(new, &[change("ghcr.io/acme/api:1", "ghcr.io/acme/api:2", ScalarStyle::Plain)])
    }

    fn prove_changes(new: &str, changes: &[Change]) -> Result<(), Why> {
        let watch = Watch::new(&[RepositoryPattern::parse("ghcr.io/acme/api").unwrap()]);
        let sites = scan(OLD.as_bytes(), Format::Yaml, &watch).unwrap();
        sites[0].bound.as_ref().unwrap().layer.evidence.prove(OLD, new, changes)
    }

    fn change(old: &str, value: &str, style: ScalarStyle) -> Change {
        let tree = Tree::parse(OLD.as_bytes()).unwrap();
        let node = (0..tree.len()).find(|&node| tree.text_of(node) == Some(old)).unwrap();
        Change { node, entry: None, splices: Vec::new(), old: old.to_owned(), value: value.to_owned(), style }
    }

    #[test]
    fn the_meant_change_is_proved() {
        assert_eq!(proves(&OLD.replace("api:1", "api:2")), Ok(()));
        let quoted = change("1.0", "1.1", ScalarStyle::DoubleQuoted);
        assert_eq!(prove_changes(&OLD.replace("1.0", "\"1.1\""), &[quoted]), Ok(()));
    }

    #[test]
    fn a_new_entry_is_proved_in_its_place_only() {
        let root = Tree::parse(OLD.as_bytes()).unwrap().documents[1].root;
        let change = |value: &str| {
            let (key, style) = ("digest".to_owned(), ScalarStyle::Plain);
            let (lead, tail) = (String::new(), String::new());
            let entry = NewEntry { mapping: root, node: root + 3, span: 0..0, lead, tail, key, style };
            Change { node: root + 3, entry: Some(entry.into()), splices: Vec::new(), old: String::new(), value: value.to_owned(), style }
        };
        let proves = |from: &str, to: &str| prove_changes(&OLD.replacen(from, to, 1), &[change("x")]);
        assert_eq!(proves("tag: 1.0\n", "tag: 1.0\ndigest: x\n"), Ok(()));
        for (from, to) in [
            ("tag: 1.0\n", "tag: 1.0\n"),
            ("tag: 1.0\n", "tag: 1.0\ndigest: y\n"),
            ("tag: 1.0\n", "tag: 1.0\n'digest': x\n"),
            ("tag: 1.0\n", "tag: 1.0\ndigest: 'x'\n"),
            ("tag: 1.0\n", "tag: 1.0\ndigest: &z x\n"),
            ("tag: 1.0\n", "tag: 1.0\ndigest: !!str x\n"),
            ("tag: 1.0\n", "tag: 1.0\ndigests: x\n"),
            ("tag: 1.0\n", "tag: 1.0\ndigest: [x]\n"),
            ("tag: 1.0\n", "tag: 1.0\ndigest: x\nmore: x\n"),
            ("tag: 1.0\n", "tag: 1.1\ndigest: x\n"),
            ("tag: 1.0\n", "digest: x\ntag: 1.0\n"),
            ("tag: 1.0\nrepository: ghcr.io/acme/api\n", "tag: 1.0\nrepository: ghcr.io/acme/api\ndigest: x\n"),
            ("c: *x}\n", "c: *x, digest: x}\n"),
            ("c: *x}\n", "c: *x}\ndigest: x\n"),
        ] {
            assert!(proves(from, to).is_err(), "{to}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let good = OLD.replace("api:1", "api:2");
        for (from, to) in [
            ("[1, ", "[2, "),
            ("[1, ", "['1', "),
            ("'two'", "\"two\""),
            ("'two'", "two"),
            ("[1, 'two']", "[1, 'two', 3]"),
            ("[1, 'two']", "{1: 'two'}"),
            ("b: [1, 'two']", "b: \n - 1\n - 'two'\n"),
            ("c: *x", "c: &y x"),
            ("&x {", "&x !t {"),
            ("a: ", "a : &y "),
            ("image:", "imagе:"),
            ("---\n", "---\n---\n"),
            ("---\n", "--- {}\n---\n"),
            ("---\n", ""),
            ("1.0", "1.1"),
            ("1.0", "'1.0'"),
            ("api:2", "api:3"),
            ("api:2 # c", "api:2# c"),
            ("ghcr.io/acme/api:2", "'ghcr.io/acme/api:2'"),
            ("api:2", "api:1"),
            ("acme/api\n", "acme/api\nmore: x\n"),
            ("repository: ghcr.io/acme/api\n", ""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            assert!(proves(&bad).is_err(), "{from} -> {to}");
        }
        assert!(matches!(proves(&format!("{good}]")), Err(Why::Unreadable(_))));
        assert_eq!(proves(OLD), Err(Why::NotExpected { expected: "ghcr.io/acme/api:2".into() }));
        assert_eq!(proves(""), Err(Why::MoreChanged));
    }

    #[test]
    fn a_value_that_is_no_string_to_the_second_reader_is_refused() {
        let retyped = change("1.0", "1.1", ScalarStyle::Plain);
        assert_eq!(prove_changes(&OLD.replace("1.0", "1.1"), &[retyped]), Err(Why::SecondReader));
    }

    #[test]
    fn a_large_document_is_proved_as_well() {
        let old = format!("{}tag: 1.0\nrepository: ghcr.io/acme/api\n", "# kept\n".repeat(stream::LARGE / 7 + 1));
        let tree = Tree::parse(old.as_bytes()).unwrap();
        assert!(tree.is_quick() && old.len() > stream::LARGE);
        let outline = Outline::of(&tree, [2].into_iter());
        let proves = |new: &str, value: &str, style| {
            let change = Change { node: 2, entry: None, splices: Vec::new(), old: "1.0".into(), value: value.into(), style };
            prove(&outline, &old, &old.replace("tag: 1.0", new), &[change])
        };
        assert_eq!(proves("tag: 1.2.3", "1.2.3", ScalarStyle::Plain), Ok(()));
        assert_eq!(proves("tag: \"1.1\"", "1.1", ScalarStyle::DoubleQuoted), Ok(()));
        assert_eq!(proves("tag: 1.1", "1.1", ScalarStyle::Plain), Err(Why::SecondReader), "it would be a number");
        assert_eq!(proves("tag: 1.2.3\nmore: x", "1.2.3", ScalarStyle::Plain), Err(Why::MoreChanged));
    }

    #[test]
    fn a_change_of_a_scalar_that_is_no_site_is_refused() {
        let other = change("two", "three", ScalarStyle::SingleQuoted);
        assert_eq!(prove_changes(&OLD.replace("two", "three"), &[other]), Err(Why::MoreChanged));
    }

    #[test]
    fn readings_of_the_second_reader_alone() {
        let one = change("1.0", "1.1", ScalarStyle::DoubleQuoted);
        let one = [Meant { node: one.node, change: &one }];
        assert!(second::differs_only("a: 1.0\nb: 2", "a: '1.1'\nb: 2", &one));
        assert!(second::differs_only("a: &x 1.0\nb: *x", "a: &x '1.1'\nb: *x", &one), "seen twice through the alias");
        assert!(!second::differs_only("a: 1.0\nb: 2", "a: '1.1'\nb: 3", &one));
        assert!(!second::differs_only("a: 1.0\nb: 2", "a: 1.1\nb: 2", &one), "a number");
        assert!(!second::differs_only("a: 1.0\nb: 2", "a: '1.1'", &one));
        assert!(!second::differs_only("a: 1.0\nb: 2", "a: 1.0\nb: 2", &one), "nothing changed");
        assert!(!second::differs_only("a: 1.0", "a: [", &one), "no longer readable");
        assert!(second::differs_only("a: [", "a: [", &one), "never readable: it has no say");
        assert!(!second::differs_only("a: 1.0", "a: '1.1'\n--- b", &one), "one document more");
    }
}
