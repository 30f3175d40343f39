use proptest::prelude::*;

use super::super::both_agree;
use super::*;

#[test]
fn what_manifests_are_made_of_is_read() {
    for text in [
        "a: b\n",
        "a: b",
        "# c\n\na: b # d\n  # e\n",
        "---\na: b\n---\n# c\n---\nd:\n---\n",
        "a: b\n---\n",
        "  a: b\n  c: d\n",
        "a:\n  b:\n    c: d\n  e:\nf:\n",
        "a:\n- b\n- c: d\n  e: f\n-\n- - g\n  - h\ni: j\n",
        "a:\n  - b\n  -\n    c: d\n",
        "a:\n- # b\n  c: d\n- e\nf:\n-\n-\ng:\n-\n\n# h\ni:\n-\n---\nj:\n-\n",
        "- a\n- b: c\n",
        "-  # c\n-   \n- b\n",
        "a: 'b'\n\"c\": \"d\" # e\nf: ''\n'g': \"\"\n",
        "a: []\nb: {}\nc: [a, \"b\", 'c d', {e: f, \"g\": [h]}, -i, ]\nd: { a: b }\n",
        "a: http://b/c?d=e#f\nb: --c=d:e\nc: -1\nd: a, [b] {c}\ne: ---\n",
        "a: |\n  b\n\n   c\nd: |-\n  e\n\n\n# f\ng:\n- |+\n  h\n\n\n- i: |  # j\n     k # l\n- m\n",
        "a: |\n  b\n\n",
        "a: ü # ünï – “…”\n",
        "a: b\n   ",
        "a:\n  b: c\n\n  # d\n    # e\n  f: g\n",
        include_str!("../../../../tests/fixtures/manifest/deployment.yaml"),
    ] {
        assert!(both_agree(text), "{text:?}");
    }
}

#[test]
fn what_is_beyond_it_is_left_to_the_full_reader() {
    for text in [
        "",
        "# a\n",
        "a",
        "a: b\n c\n",
        "a:\n  b\n",
        "a: &b c\n",
        "a: *b\n",
        "a: !!str b\n",
        "? a\n: b\n",
        "a: \"b\\n\"\n",
        "a: 'b''c'\n",
        "a: \"b\n  c\"\n",
        "a: [b,\n  c]\n",
        "a: [b: c]\n",
        "a: {b}\n",
        "a: {b: }\n",
        "a: >\n  b\n",
        "a: |2\n  b\n",
        "a: |\n",
        "a: |\n  b",
        "a: |\n   b\n  c\n",
        "a: |\n  b\n     \n",
        "a:\tb\n",
        "a: b\r\n",
        "\u{feff}a: b\n",
        "a: b\u{85}c\n",
        "a: b\u{2028}c\n",
        "%YAML 1.2\n---\na: b\n",
        "--- a\n",
        "a: b\n...\n",
        "...\n",
        "a : b\n",
        "a: b: c\n",
        "a: - b\n",
        "a: b\n- c\n",
        "- a\nb: c\n",
        "a: b\n  c: d\n",
        "  a: b\nc: d\n",
        "a: 'b' c\n",
        "a: 'b'#c\n",
        "a: [b]#c\n",
        "a: {{ b }}\n",
        "a: @b\n",
        "a: ]\n",
    ] {
        assert!(!both_agree(text), "{text:?}");
    }
    let deep: String = (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(!both_agree(&deep));
    assert!(!both_agree(&format!("{}: a\n", "k".repeat(1100))));
    assert!(!both_agree(&format!("a: {}b{}\n", "[".repeat(100), "]".repeat(100))));
    assert!(read("a: [b, c]\n", 3).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_it_reads_it_reads_as_the_full_reader_does(lines in prop::collection::vec(line(), 0..9), last in "\\PC{0,2}") {
        both_agree(&(lines.concat() + &last));
    }
}

fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "\"c\"", "'d'", "e f", "-g", "h#", "<<", "i:j", "{}", "", "~", "|", "ü"]);
    let value = prop::sample::select(vec![
        "x",
        "y z",
        "\"q\"",
        "'s'",
        "''",
        "[]",
        "{}",
        "[a, 'b']",
        "{a: b, c: [d]}",
        "[a,]",
        "[,]",
        "{a: b,}",
        "[a:b]",
        "[a: b]",
        "{a}",
        "|",
        "|-",
        "|+",
        ">",
        "|2",
        "#",
        "x #",
        "x#",
        ":",
        "-",
        "- ",
        "--",
        "---",
        "...",
        "?",
        "a: ",
        ":x",
        "-x",
        "&a",
        "*a",
        "!t",
        "%",
        "@",
        "'",
        "\"",
        "\\",
        "'a''b'",
        "\"\\n\"",
        "[",
        "]",
        "{",
        "}",
        "x: y",
        "x:y",
        "[a b, -c, d#e ]",
        "[a #b]",
        "{\"a\":b}",
        "{a: }",
        "[[a], {b: c}]",
    ]);
    let value = prop_oneof![2 => Just(""), 3 => value];
    let end = prop::sample::select(vec!["", "", "", "", " ", "  ", " # c", "#c", "\t"]);
    let structured = (
        prop_oneof![3 => prop::sample::select(vec![0usize, 2, 4]), 1 => 0usize..7],
        0usize..3,
        prop::option::weighted(0.6, name),
        value,
        end,
        prop::bool::weighted(0.97),
    )
        .prop_map(|(indent, dashes, key, value, end, is_ended)| {
            let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
            let line = format!("{}{}{key}{value}{end}", " ".repeat(indent), "- ".repeat(dashes));
            let line = if value.is_empty() && end.is_empty() { line.trim_end().to_owned() } else { line };
            line + if is_ended { "\n" } else { "" }
        });
    let marker =
        prop::sample::select(vec!["---\n", "--- \n", "--- # c\n", "...\n", "---x\n", "%YAML 1.2\n", "\n", "   \n", "# c\n", "  # c\n"]);
    prop_oneof![12 => structured, 3 => marker.prop_map(str::to_owned), 1 => "[-a:# \\[\\]{},'\"|?\n]{0,12}"]
}
