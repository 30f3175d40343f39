use proptest::prelude::*;

use super::*;
use crate::manifest::tree::Kind;

/// Finds the first scalar with a value of this style, with its layout.
fn layout<'t>(tree: &'t Tree<'_>, style: ScalarStyle) -> Option<(&'t str, Option<Layout>)> {
    let node = (0..tree.len()).find(|&node| matches!(tree.kind(node), Kind::Scalar { style: s, .. } if s == style))?;
    Some((tree.any_scalar(node)?.0, Layout::of(tree, node)))
}

/// Shows the runs of a text's scalar of a style: `|` stands where one ends and the next one starts.
fn runs(text: &str, style: ScalarStyle) -> String {
    let tree = Tree::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error} in {text:?}"));
    let (value, layout) = layout(&tree, style).unwrap();
    let layout = layout.unwrap_or_else(|| panic!("no layout in {text:?}"));
    check(&tree, value, &layout);
    let shown = |run: &Run| text[run.in_text as usize..][..run.len as usize].to_owned();
    layout.runs.iter().map(shown).collect::<Vec<_>>().join("|")
}

/// Each run has the value's bytes, and all lie in order.
fn check(tree: &Tree<'_>, value: &str, layout: &Layout) {
    let (mut value_end, mut text_end) = (0, 0);
    for run in &layout.runs {
        let (in_value, in_text, len) = (run.in_value as usize, run.in_text as usize, run.len as usize);
        assert!(in_value >= value_end && in_text >= text_end, "in order in {:?}", tree.text);
        assert_eq!(&value[in_value..][..len], &tree.text[in_text..][..len], "the same bytes in {:?}", tree.text);
        (value_end, text_end) = (in_value + len, in_text + len);
    }
    assert!(value_end <= value.len());
}

#[test]
fn plain_scalars() {
    let plain = |text: &str| runs(&format!("- {text}"), ScalarStyle::Plain);
    assert_eq!(plain("a b"), "a b");
    assert_eq!(plain("a b  \n  c\n\n \t \n  d e # f"), "a b|c|d e");
    assert_eq!(plain("a\r\n  b\r\n\r\n  c\r  d"), "a|b|c|d");
    assert_eq!(plain("it's \"so\" \\n\n  \t b"), "it's \"so\" \\n|b");
    assert_eq!(plain("ä😀\n  é"), "ä😀|é");
    assert_eq!(runs("[a\n b\n, c]", ScalarStyle::Plain), "a|b");
}

#[test]
fn quoted_scalars() {
    let single = |text: &str| runs(&format!("- '{text}'"), ScalarStyle::SingleQuoted);
    assert_eq!(single("a  b "), "a  b ");
    assert_eq!(single("it''s  \n\n  so''  "), "it|s|so|  ");
    assert_eq!(single("''''a"), "a", "two quotes for one, twice");
    assert_eq!(single(" a\n "), " a");
    assert_eq!(single("\n a \\x41"), "a \\x41");
    assert_eq!(single("''"), "");
    let double = |text: &str| runs(&format!("- \"{text}\""), ScalarStyle::DoubleQuoted);
    assert_eq!(double(""), "");
    assert_eq!(double("a\\x41b\\u00e9c\\U0001F600d\\ud83d\\ude00e"), "a|b|c|d|e");
    assert_eq!(double("a\\0\\a\\b\\t\\\t\\n\\v\\f\\r\\e\\ \\\"\\/\\\\\\N\\_\\L\\Pb"), "a|b");
    assert_eq!(double("a \\\n   b\\\r\n \\ c"), "a |b|c", "joined without a space");
    assert_eq!(double("a\\\n\n\n  b  \n  c  \n\n d"), "a|b|c|d", "blank lines behind an escaped line end");
    assert_eq!(double("a\\ \n  b \\t \n c"), "a|b |c");
    assert_eq!(double("\\\\\\\\"), "");
}

#[test]
fn literal_blocks() {
    let literal = |text: &str| runs(text, ScalarStyle::Literal);
    assert_eq!(literal("a: |\n  b\n\n   c \n  d\ne: f\n"), "b| c |d");
    assert_eq!(literal("a: |2- # c\n\n\n    b\n  c\n \n\n"), "  b|c", "an indicator, a comment and blank lines");
    assert_eq!(literal("a: |-2   \n    b\n   # no comment\n  c\n# comment"), "  b| # no comment|c");
    assert_eq!(literal("a: |+\n\n  b\n     \n  c\n\n\n"), "b|   |c", "a line of spaces only");
    assert_eq!(literal("- |\n b"), "b", "no final newline");
    assert_eq!(literal("- |\n b\n "), "b");
    assert_eq!(literal("- |+\r\n b\r\n\r\n\tx\r\n".replace("\tx", " \tx").as_str()), "b|\tx");
    assert_eq!(literal("- |\r b\r\r c\r- x"), "b|c");
    assert_eq!(literal("- - |1\n    b\n   c\n"), " b|c");
    assert_eq!(literal("--- |\nb\n c\n\nd\n...\n"), "b| c|d", "at the root, without indentation");
    assert_eq!(literal("\u{feff}--- |1\n  b\n c\n---\nx"), " b|c");
    assert_eq!(literal("? |\n a\n: |\n b\n"), "a");
    assert_eq!(literal("a: !!str &x |9\n         b\n          c\n"), "b| c");
    assert_eq!(literal("a: |\n  ä😀\n  \u{feff}é\u{2028}\u{85}x\n"), "ä😀|\u{feff}é\u{2028}\u{85}x");
}

#[test]
fn folded_blocks() {
    let folded = |text: &str| runs(text, ScalarStyle::Folded);
    assert_eq!(folded("a: >-\n  b\n  c\n\n  d\n"), "b|c|d");
    assert_eq!(folded("a: >\n\n  b\n   c\n\n   d\n\n\n  e\n  f\n\n"), "b| c| d|e|f", "deeper lines are not folded");
    assert_eq!(folded("a: >+1\n   b\n c\n \td\n\n"), "  b|c|\td");
    assert_eq!(folded("--- >\r\nb\r\nc\r\n"), "b|c");
}

#[test]
fn a_block_without_a_line_has_no_layout() {
    for text in ["a: |\n", "a: |+\n\n\n", "a: >-\n   \n\nb: c", "a: |2\n"] {
        let tree = Tree::parse(text.as_bytes()).unwrap();
        let style = if text.contains('|') { ScalarStyle::Literal } else { ScalarStyle::Folded };
        assert_eq!(layout(&tree, style).unwrap().1, None, "{text:?}");
    }
}

#[test]
fn a_part_is_found_only_in_one_piece() {
    let text = "a: \"x: 1\\ny: 2\"";
    let tree = Tree::parse(text.as_bytes()).unwrap();
    let (value, layout) = layout(&tree, ScalarStyle::DoubleQuoted).unwrap();
    assert_eq!(value, "x: 1\ny: 2");
    let layout = layout.unwrap();
    assert_eq!(layout.in_text(&(3..4)), Some(7..8));
    assert_eq!(layout.in_text(&(4..4)), Some(8..8));
    assert_eq!(layout.in_text(&(3..5)), None, "the line break is an escape");
    assert_eq!(layout.in_text(&(4..6)), None);
    assert_eq!(layout.in_text(&(5..9)), Some(10..14));
    assert_eq!(layout.in_text(&(9..9)), Some(14..14));
    assert_eq!(layout.in_text(&(9..10)), None);
}

#[test]
fn what_is_written_into_a_scalar_is_spelt_in_its_style() {
    let spell = |text: &str, style, part: &str| {
        let tree = Tree::parse(text.as_bytes()).unwrap();
        layout(&tree, style).unwrap().1.unwrap().spell(part).map(Cow::into_owned)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(spell("- |\n   a\n", ScalarStyle::Literal, "b\n'c'"), some("b\n   'c'"));
    assert_eq!(spell("- |\r\n  a\r\n", ScalarStyle::Literal, "b\nc"), some("b\r\n  c"));
    assert_eq!(spell("- |\n  a\n", ScalarStyle::Literal, "b\r"), None);
    assert_eq!(spell("- >\n  a\n", ScalarStyle::Folded, "b\"c"), some("b\"c"));
    assert_eq!(spell("- >\n  a\n", ScalarStyle::Folded, "b\nc"), None);
    assert_eq!(spell("- a", ScalarStyle::Plain, "b\nc"), None);
    assert_eq!(spell("- 'a'", ScalarStyle::SingleQuoted, "b'\"c"), some("b''\"c"));
    assert_eq!(spell("- 'a'", ScalarStyle::SingleQuoted, "b\nc"), None);
    assert_eq!(spell("- \"a\"", ScalarStyle::DoubleQuoted, "\"b\\\r\nc'"), some("\\\"b\\\\\\r\\nc'"));
    assert_eq!(spell("- \"a\"", ScalarStyle::DoubleQuoted, "\0"), None);
}

#[test]
fn more_runs_than_anyone_writes_have_no_layout() {
    let text = format!("- |\n{}", " a\n".repeat(MAX_RUNS + 1));
    let tree = Tree::parse(text.as_bytes()).unwrap();
    assert_eq!(layout(&tree, ScalarStyle::Literal).unwrap().1, None);
}

/// A piece of a double-quoted scalar, with what it makes; none for what folds.
fn quoted_piece() -> impl Strategy<Value = (String, Option<&'static str>)> {
    let word = prop::sample::select(vec!["a", "b c", "é😀", "ghcr.io/acme/api:1.4.1", "'", "#", ": ", "x=y"]);
    let escape =
        prop::sample::select(vec![("\\x41", "A"), ("\\u00e9", "é"), ("\\U0001F600", "😀"), ("\\n", "\n"), ("\\\"", "\""), ("\\\\", "\\")]);
    let fold = prop::sample::select(vec!["\n  ", "\\\n  ", "\r\n\r\n ", " \\\r\n  ", " \t\n \n\t "]);
    prop_oneof![
        3 => word.prop_map(|word| (word.to_owned(), Some(word))),
        2 => escape.prop_map(|(text, makes)| (text.to_owned(), Some(makes))),
        1 => fold.prop_map(|fold| (fold.to_owned(), None)),
    ]
}

/// A line of a block, without its indentation.
fn line() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "", "a", "b: c", " deeper", "\ttab", "trailing  ", "# x", "é😀", "'\"\\n", "ghcr.io/acme/api:1.4.1"])
        .prop_map(str::to_owned)
}

proptest! {
    /// A block of any header, indentation, line end and tail: each line that is not blank is a run.
    #[test]
    fn each_line_of_a_block_is_a_run(
        lines in prop::collection::vec(line(), 1..8),
        (folded, chomp, indicator, comment) in (any::<bool>(), prop::sample::select(vec!["", "-", "+"]), any::<bool>(), prop::sample::select(vec!["", "  ", " # c"])),
        (indent, end, last, root) in (1..10usize, prop::sample::select(vec!["\n", "\r\n", "\r"]), any::<bool>(), any::<bool>()),
    ) {
        let first = lines.iter().find(|line| !line.is_empty());
        prop_assume!(first.is_some_and(|first| !first.starts_with('\t')));
        // What starts with a space needs an indicator.
        let indicated = indicator || first.is_some_and(|first| first.starts_with(' '));
        let mark = if folded { ">" } else { "|" };
        let number = if indicated { indent.to_string() } else { String::new() };
        let open = if root { "---" } else { "k:" };
        let mut text = format!("{open} {mark}{chomp}{number}{comment}");
        for line in &lines {
            text += end;
            if !line.is_empty() {
                text += &format!("{}{line}", " ".repeat(indent));
            }
        }
        if last {
            text += end;
        }
        let style = if folded { ScalarStyle::Folded } else { ScalarStyle::Literal };
        let expected: Vec<&str> = lines.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        prop_assert_eq!(runs(&text, style), expected.join("|"));
    }

    /// A double-quoted scalar of words, escapes and folds: just the words are runs.
    #[test]
    fn all_but_escapes_and_folds_is_in_runs(pieces in prop::collection::vec(quoted_piece(), 0..12)) {
        let text: String = pieces.iter().map(|(text, _)| text.as_str()).collect();
        let text = format!("- \"{text}\"");
        let tree = Tree::parse(text.as_bytes()).unwrap();
        let (value, layout) = layout(&tree, ScalarStyle::DoubleQuoted).unwrap();
        let layout = layout.unwrap();
        check(&tree, value, &layout);
        let mut at = "- \"".len();
        for (piece, makes) in &pieces {
            let covered = |at: &usize| layout.runs.iter().any(|run| (run.in_text..run.in_text + run.len).contains(&u32::try_from(*at).unwrap()));
            let blank = |at: &usize| text.as_bytes()[*at] == b' ';
            let bytes = at..at + piece.len();
            if *makes == Some(piece.as_str()) {
                // Blanks before a line's end or behind one are no part of the value.
                prop_assert!(bytes.clone().all(|at| covered(&at) || blank(&at)), "{piece} in {text:?}");
            } else {
                prop_assert!(!bytes.clone().any(|at| covered(&at) && !blank(&at)), "{piece} in {text:?}");
            }
            at = bytes.end;
        }
    }

    /// Whatever is read as a scalar: its layout, if it has one, has the value's bytes.
    #[test]
    fn whatever_is_read_adds_up(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        let text = words.concat();
        let Ok(tree) = Tree::parse(text.as_bytes()) else { return Ok(()) };
        for node in 0..tree.len() {
            let Some((value, style)) = tree.any_scalar(node) else { continue };
            let layout = Layout::of(&tree, node);
            if let Some(layout) = &layout {
                check(&tree, value, layout);
            }
            let is_blank = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) && value.bytes().all(|byte| byte == b'\n');
            prop_assert!(layout.is_some() || is_blank, "{value:?} has no layout in {text:?}");
        }
    }
}

const WORDS: &[&str] = &[
    "\n", "\n ", "\n  ", "\n    ", "\r\n", "\r", " ", "  ", "\t", ": ", "- ", "[", "]", ", ", " # ", "&a ", "!!str ", "|", ">", "|-", ">+",
    "|2", ">1-", "'", "\"", "''", "\\", "\\\n", "\\x41", "\\n", "? ", "---\n", "--- ", "...\n", "\u{feff}", "a", "b", "é", "😀", "x: y",
    "\u{85}", "\u{2028}",
];
