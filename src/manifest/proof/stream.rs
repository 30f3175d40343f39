//! The second reading of large documents, which keeps nothing of them.
//!
//! The serde reader keeps all of a document before it gives any of it, several times its size. A large document that the quick
//! reader could read is compared with the events of the full reader instead, one by one: that is another engine, too. Whether
//! the changed values are strings, which its events do not tell, the serde reader is asked of each value alone.

use granit_parser::ScalarStyle;

use super::super::tree::{Document, Met, Tree, visit};
use super::{Meant, second};

/// Documents longer than this are read event by event, in bytes.
pub(super) const LARGE: usize = 1 << 20;

/// Says whether the full reader finds in a document just the nodes that the tree has, and the serde reader the changes as strings.
///
/// False for a tree that the full reader itself has read: that would be no second opinion.
pub(super) fn reads_as(tree: &Tree<'_>, document: usize, meant: &[Meant<'_>]) -> bool {
    let Document { root, bytes, .. } = &tree.documents[document];
    let is_same = tree.is_quick() && tree.text.get(bytes.clone()).is_some_and(|text| reads(text, tree, *root));
    is_same && meant.iter().all(|meant| is_string(tree, meant))
}

fn reads(text: &str, tree: &Tree<'_>, root: usize) -> bool {
    let (mut next, mut open, mut documents) = (root, Vec::new(), 0);
    let is_same = |met: Met<'_>| match met {
        Met::Document => {
            documents += 1;
            documents == 1
        }
        Met::Node(kind) => {
            let is_same = next < tree.len() && tree.kind(next) == kind;
            if is_same && tree.is_collection(next) {
                open.push(next);
            }
            next += 1;
            is_same
        }
        Met::End => open.pop().is_some_and(|node| tree.end(node) == next),
        // The quick reader knows no anchors, tags and aliases.
        Met::Odd => false,
    };
    visit(text, is_same) && documents == 1 && next == tree.end(root)
}

fn is_string(tree: &Tree<'_>, Meant { node, change }: &Meant<'_>) -> bool {
    match tree.any_scalar(*node) {
        Some((_, ScalarStyle::Literal | ScalarStyle::Folded)) => true,
        Some(_) => tree.text.get(tree.span(*node)).is_some_and(|written| second::is_string(written, &change.value)),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::edit::Change;
    use super::*;

    const TEXT: &str = "# c\na: [x, {b: 'c'}]\nd:\n- e: \"f\"\n  g:\n- |\n  h\nimage: a/b:1\n";

    #[test]
    fn any_other_node_is_seen() {
        let tree = Tree::parse(TEXT.as_bytes()).unwrap();
        assert!(tree.is_quick() && reads(TEXT, &tree, 0));
        assert!(reads(&TEXT.replace("# c", "# d"), &tree, 0), "a comment is no node");
        for (from, to) in [
            ("x, ", ""),
            ("x, ", "y, "),
            ("x, ", "'x', "),
            ("x, ", "&z x, "),
            ("x, ", "!z x, "),
            ("{b: 'c'}", "[b, 'c']"),
            ("[x, {b: 'c'}]", "\n  - x\n  - {b: 'c'}"),
            ("  g:", "  g: ~"),
            ("  g:", "g:"),
            ("  h", "  h\n  i"),
            ("- |", "- >"),
            ("a/b:1\n", "a/b:2\n"),
            ("a/b:1\n", "a/b:1\nmore: x\n"),
            ("a/b:1\n", "a/b:1\n---\n"),
            ("image: a/b:1\n", ""),
            ("image: a/b:1\n", "image: ]\n"),
            (TEXT, ""),
        ] {
            assert!(!reads(&TEXT.replacen(from, to, 1), &tree, 0), "{from} -> {to}");
        }
    }

    #[test]
    fn changes_must_be_strings_and_the_tree_the_quick_readers() {
        let reads_value = |text: &str, value: &str| {
            let tree = Tree::parse(text.as_bytes()).unwrap();
            let change = Change {
                node: 2,
                entry: None,
                splices: Vec::new(),
                old: String::new(),
                value: value.to_owned(),
                style: ScalarStyle::Plain,
            };
            reads_as(&tree, 0, &[Meant { node: 2, change: &change }])
        };
        assert!(reads_value("a: 1.2.3\n", "1.2.3"));
        assert!(reads_value("a: '1.10'\n", "1.10"));
        assert!(reads_value("a: a/b:1\n", "a/b:1"));
        assert!(!reads_value("a: 1.10\n", "1.10"));
        assert!(!reads_value("a: on\n", "off"));
        assert!(!reads_value("a: [b]\n", "b"), "no scalar");
        assert!(!reads_value("a: 1.2.3\n? b\n", "1.2.3"), "the full reader's own tree");
    }
}
