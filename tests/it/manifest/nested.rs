//! Texts within values: YAML in block scalars and quotes, scripts, JSON.

use proptest::prelude::*;
use tagboat::image::Tag;
use tagboat::manifest::{Edit, EditError, Format, Locked, Unreadable, Watch, apply, scan};

use super::{api_sites, bump, describe, watch};

/// Scans for `ghcr.io/acme/api` and compares the sites' descriptions, repository left out; then moves them, which all
/// are at 1.4.1, and nothing else is.
fn finds(text: &str, expected: &[&str]) {
    let sites = api_sites(text);
    let found: Vec<String> = sites.iter().map(|site| describe(site).replacen(" ghcr.io/acme/api", "", 1)).collect();
    assert_eq!(found, expected, "in:\n{text}");
    if sites.iter().all(|site| site.locked.is_none()) {
        assert_eq!(bump(text, &watch(&["ghcr.io/acme/api"]), "1.4.2"), text.replace("1.4.1", "1.4.2"));
    }
}

/// Puts a text into a literal block under a key, so many times.
fn wrapped(text: &str, times: usize) -> String {
    (0..times).fold(text.to_owned(), |text, _| text.lines().fold("v: |\n".to_owned(), |block, line| format!("{block}  {line}\n")))
}

#[test]
fn yaml_in_a_block_is_a_text_of_its_own() {
    finds(
        "helm:\n  values: |\n    image:\n      repository: ghcr.io/acme/api # c\n\n      tag: 1.4.1\n    x: [--i=ghcr.io/acme/api:1.4.1]\n",
        &["6:12 split helm.values|image.tag 1.4.1", "7:13 argument helm.values|x[0] 1.4.1"],
    );
    finds("- |2-\n    a: ghcr.io/acme/api:1.4.1\n", &["2:8 scalar [0]|a 1.4.1"]);
    finds("--- |\na: ghcr.io/acme/api:1.4.1\nb: é ghcr.io/acme/api:1.4.0\n", &["2:4 scalar |a 1.4.1"]);
    finds("a: |+ # c\r\n\r\n  - x\r\n  - ghcr.io/acme/api:1.4.1\r\n\r\nb: c\r\n", &["4:5 scalar a|[1] 1.4.1"]);
    finds("a: >-\n  b: ghcr.io/acme/api:1.4.1\n\n  c: x\n", &["2:6 scalar a|b 1.4.1"]);
    finds("a: >\n  - ghcr.io/acme/api:1.4.1\n", &["2:5 scalar a|[0] 1.4.1"]);
    finds(
        "data:\n  all.yaml: |\n    kind: A\n    metadata: {name: x}\n    i: ghcr.io/acme/api:1.4.1\n    ---\n    i: ghcr.io/acme/api:1.4.1\n",
        &["5:8 scalar data[\"all.yaml\"]|i 1.4.1", "7:8 scalar data[\"all.yaml\"]|document[1].i 1.4.1"],
    );
    let keys = |text: &str| api_sites(text).into_iter().map(|site| site.key.to_string()).collect::<Vec<_>>();
    assert_eq!(
        keys(
            "- {name: n}\n- name: m\n  v: |\n    kind: A\n    metadata: {name: x}\n    i: ghcr.io/acme/api:1\n    ---\n    a: ghcr.io/acme/api:1\n"
        ),
        ["[name=m].v|A/x:i", "[name=m].v|document[1].a"]
    );
    assert_eq!(
        keys("v: |\n  - {name: a, i: ghcr.io/acme/api:1}\n  - {name: a, i: ghcr.io/acme/api:1}\n"),
        ["v|[name=a].i", "v|[name=a].i#2"]
    );
}

#[test]
fn yaml_in_quotes_with_line_breaks_is_a_text_of_its_own() {
    finds("a: \"b: ghcr.io/acme/api:1.4.1\\nc: d\\n\"\n", &["1:8 scalar a|b 1.4.1"]);
    finds("a: \"b: \\\"ghcr.io/acme/api:1.4.1\\\"\\n\\\n  c: d\\n\"\n", &["1:10 scalar a|b 1.4.1"]);
    finds("a: 'b: ''ghcr.io/acme/api:1.4.1''\n\n  c: d'\n", &["1:10 scalar a|b 1.4.1"]);
    finds("a: 'b: x'\nc: \"image: ghcr.io/acme/api:1.4.0\"\n", &[]);
    // What breaks in the outer text has no place to edit, though it has none to see in the inner one.
    finds("a: \"b: ghcr.io/acme/api:1.4\\x2e1\\nc: d\"\n", &["1:8 scalar a|b 1.4.1 NotVerbatim"]);
    finds("a: \"v: |\\n b: ghcr.io/acme/api:1\\\n .4.1\\n c: d\"\n", &["1:15 scalar a|v|b 1.4.1 NotVerbatim"]);
}

#[test]
fn what_needs_quotes_gets_them_in_the_style_around() {
    let writes = |text: &str, expected: &str| assert_eq!(bump(text, &watch(&["ghcr.io/acme/api"]), "1.10"), expected);
    let split = |tag: &str| format!("v: |\n  repository: ghcr.io/acme/api\n  tag: {tag} # c\n");
    writes(&split("v1"), &split("\"1.10\""));
    writes("v: \"repository: ghcr.io/acme/api\\ntag: v1\\n\"", "v: \"repository: ghcr.io/acme/api\\ntag: \\\"1.10\\\"\\n\"");
    writes(
        "v: 'repository: ghcr.io/acme/api\n\n  tag: v1\n\n  x: ''y'''",
        "v: 'repository: ghcr.io/acme/api\n\n  tag: ''1.10''\n\n  x: ''y'''",
    );
    writes(&wrapped(&split("v1"), 2), &wrapped(&split("\"1.10\""), 2));
    writes("repository: ghcr.io/acme/api\ntag: >-\n  1.9\n", "repository: ghcr.io/acme/api\ntag: >-\n  1.10\n");
}

#[test]
fn a_block_that_is_one_reference_counts_as_a_scalar() {
    finds("image: >-\n  ghcr.io/acme/api:1.4.1\n", &["2:3 scalar image 1.4.1"]);
    finds("image: |\n\n  ghcr.io/acme/api:1.4.1  \n\n", &["3:3 scalar image 1.4.1"]);
    finds("image: |\n  ghcr.io/acme/api\n", &[]);
    finds("image: >-\n  ghcr.io/acme/api:1.4.0\n  and more\n", &[]);
    finds("repository: >-\n  ghcr.io/acme/api\ntag: |-\n  1.4.1\n", &["4:3 split tag 1.4.1"]);
    finds("repository: ghcr.io/acme/api\ntag: |\n  1.4.1\n", &["3:3 split tag - Malformed"]);
}

#[test]
fn scripts_and_properties_hold_references_behind_an_equals_sign() {
    finds(
        "run.sh: |\n  #!/bin/sh\n  IMAGE=ghcr.io/acme/api:1.4.1\n  docker run ghcr.io/acme/api:1.4.0 --x='ghcr.io/acme/api:1.4.1'\n",
        &["3:9 argument [\"run.sh\"] 1.4.1", "4:42 argument [\"run.sh\"] 1.4.1"],
    );
    finds(
        "app.properties: >\n  a.image=ghcr.io/acme/api:1.4.1\n\n   b=ghcr.io/acme/api:1.4.1\n",
        &["2:11 argument [\"app.properties\"] 1.4.1", "4:6 argument [\"app.properties\"] 1.4.1"],
    );
    finds("x: \"A=ghcr.io/acme/api:1.4.1\\nB=1\\n\"", &["1:7 argument x 1.4.1"]);
    finds("t: |\n  {{- if .Values.x }}\n  image: ghcr.io/acme/api:1.4.0\n  {{- end }}\n", &[]);
}

#[test]
fn json_in_a_string_is_left_alone() {
    for text in [
        "a: '{\"image\": \"ghcr.io/acme/api:1.4.0\", \"args\": [\"--i=ghcr.io/acme/api:1.4.0\"]}'",
        "a: |\n  {\n    \"image\": \"ghcr.io/acme/api:1.4.0\"\n  }\n",
        "a: >-\n  [\"--i=ghcr.io/acme/api:1.4.0\"]\n",
        "a: \"{\\\"image\\\":\\\"ghcr.io/acme/api:1.4.0\\\",\\n\\\"x\\\": 1}\\n\"",
    ] {
        finds(text, &[]);
    }
    finds("a: |\n  # no JSON\n  {\"image\": \"ghcr.io/acme/api:1.4.1\"}\n", &["3:14 scalar a|image 1.4.1"]);
}

#[test]
fn locks_reach_inwards_and_not_outwards() {
    finds("a: |\n  i: ghcr.io/acme/api:1\n  sops: {mac: x}\nb: ghcr.io/acme/api:1\n", &["2:6 scalar a|i 1 Sops", "4:4 scalar b 1"]);
    finds("a: |\n  b: |\n    i: ghcr.io/acme/api:1\nsops: {mac: x}\n", &["3:8 scalar a|b|i 1 Sops"]);
    finds("a: |\n  b: |\n    i: ghcr.io/acme/api:1\n  sops: {mac: x}\n", &["3:8 scalar a|b|i 1 Sops"]);
    finds("a: |\n  b: |\n    i: ghcr.io/acme/api:1\na: x\n", &["3:8 scalar a|b|i 1 DuplicateKey"]);
    finds("a: |\n  i: ghcr.io/acme/api:1\n  i: x\n  j: ghcr.io/acme/api:1\n", &["2:6 scalar a|i 1 DuplicateKey", "4:6 scalar a|j 1"]);
    let shared = "Shared { with: Repository(ghcr.io/acme/web) }";
    finds(
        "a: |\n  v: &v 1\n  x: {repository: ghcr.io/acme/api, tag: *v}\n  y: {repository: ghcr.io/acme/web, tag: *v}\n",
        &[&format!("2:9 split a|x.tag 1 {shared}")],
    );
    // The same text in a second place is no other meaning: it moves along.
    finds("a: &t |\n  i: ghcr.io/acme/api:1.4.1\nb: *t\n", &["2:6 scalar a|i 1.4.1"]);
    finds(
        "v: &v >-\n  1\nx: {repository: ghcr.io/acme/api, tag: *v}\ny: {repository: ghcr.io/acme/web, tag: *v}\n",
        &[&format!("2:3 split x.tag 1 {shared}")],
    );
}

#[test]
fn sites_of_one_block_and_of_the_text_around_move_together() {
    let text = "i: ghcr.io/acme/api:1.4.1\nv: |\n  a: ghcr.io/acme/api:1.4.1\n  b: |\n    c: ghcr.io/acme/api:1.4.1\n    d: 'ghcr.io/acme/api:1.4.1'\n  e: ghcr.io/acme/api:1.4.1\nw: [ghcr.io/acme/api:1.4.1]\n";
    let watched = watch(&["ghcr.io/acme/api"]);
    assert_eq!(bump(text, &watched, "1.10.0-rc.1"), text.replace("1.4.1", "1.10.0-rc.1"));
    let sites = api_sites(text);
    assert_eq!(sites.len(), 6);
    for site in &sites {
        let one = apply(text.as_bytes(), &[Edit { site, tag: Tag::parse("1.4.2").unwrap(), digest: None }]).unwrap();
        let moved = api_sites(std::str::from_utf8(&one).unwrap());
        for (before, after) in sites.iter().zip(&moved) {
            assert_eq!(after.tag.as_ref().unwrap().as_str(), if before.key == site.key { "1.4.2" } else { "1.4.1" });
        }
    }
}

#[test]
fn what_cannot_be_written_in_the_style_around_is_refused() {
    // The tag stands in one piece; its scalar, which needs quotes, does not.
    let text = "v: \"repository: ghcr.io/acme/api\\ntag: \\x31.9\\nx: y\\n\"";
    let site = &api_sites(text)[0];
    let error = apply(text.as_bytes(), &[Edit { site, tag: Tag::parse("1.10").unwrap(), digest: None }]).unwrap_err();
    assert!(matches!(error, EditError::Locked { reason: Locked::NotVerbatim, .. }), "{error}");
}

#[test]
fn texts_lie_in_texts_to_a_sane_depth() {
    for layers in 1..=4 {
        let text = wrapped("a: ghcr.io/acme/api:1.4.1\n", layers);
        assert_eq!(api_sites(&text).len(), 1, "{layers}");
        assert_eq!(bump(&text, &watch(&["ghcr.io/acme/api"]), "2"), text.replace("1.4.1", "2"));
    }
    assert!(api_sites(&wrapped("a: ghcr.io/acme/api:1.4.1\n", 5)).is_empty());
    assert_eq!(api_sites(&wrapped("a=ghcr.io/acme/api:1.4.1\n", 5)).len(), 1, "what is no YAML needs no layer");
}

#[test]
fn deep_collections_in_deep_texts_are_read_in_bounded_space() {
    let deep = |text: &str| format!("{}k: [{}\"{text}\"{}]", "- ".repeat(120), "[".repeat(120), "]".repeat(120));
    let mut text = deep("ghcr.io/acme/api:1");
    for _ in 0..4 {
        text = deep(&format!("{}\\n", text.replace('\\', "\\\\").replace('"', "\\\"")));
    }
    assert_eq!(api_sites(&text).len(), 1);
    let _ = scan(text.as_bytes(), Format::Yaml, &Watch::everything());
}

#[test]
fn many_texts_cost_no_more_than_their_length() {
    let blocks = |count: usize| "- |\n  a: ghcr.io/acme/api:1\n".repeat(count);
    assert_eq!(api_sites(&blocks(500)).len(), 500);
    let refused = |text: &str| scan(text.as_bytes(), Format::Yaml, &watch(&["ghcr.io/acme/api"])).unwrap_err();
    let no_sites = "- |\n  a: ghcr.io/acme/api-x:1\n".repeat(20_001);
    assert_eq!(refused(&no_sites), Unreadable::TooManyTexts { limit: 20_000 });
    let many = format!("- |\n{}", "  - ghcr.io/acme/api:1\n".repeat(10_001)).repeat(2);
    assert!(matches!(refused(&many), Unreadable::TooManySites { .. }), "counted over all texts of a file");
}

/// How a text is written as a value.
#[derive(Clone, Debug)]
enum Wrap {
    /// In a literal block with this indentation, which a number tells or the first line does.
    Literal(usize, bool),
    /// In double quotes, all on one line or with each line on one of its own.
    Quoted(bool),
}

fn wrap() -> impl Strategy<Value = Wrap> {
    prop_oneof![(1..10usize, any::<bool>()).prop_map(|(indent, told)| Wrap::Literal(indent, told)), any::<bool>().prop_map(Wrap::Quoted)]
}

impl Wrap {
    /// Writes a text as a value, among other entries.
    fn around(&self, text: &str) -> String {
        let value = match self {
            Self::Literal(indent, told) => {
                let number = if *told { indent.to_string() } else { String::new() };
                let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("\n{}{line}", " ".repeat(*indent)) };
                format!("|{number}{}", text.lines().map(line).collect::<String>())
            }
            Self::Quoted(broken) => {
                let line = |line: &str| {
                    let line = line.replace('\\', "\\\\").replace('"', "\\\"");
                    // A blank at the start of a line is no part of the value unless it is escaped.
                    let guard = if *broken && line.starts_with(' ') { "\\" } else { "" };
                    format!("{guard}{line}\\n{}", if *broken { "\\\n    " } else { "" })
                };
                format!("\"{}\"", text.lines().map(line).collect::<String>())
            }
        };
        format!("before: [x]\nv: {value}\nafter: {{}} # ghcr.io/acme/api:1.4.0\n")
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn sites_are_found_and_edited_through_any_layers(wraps in prop::collection::vec(wrap(), 0..=4), crlf in any::<bool>(), retyped in any::<bool>()) {
        let fill = |tag: &str, quoted: &str| {
            let text = format!("a: \"ghcr.io/acme/api:{tag}\"\nb:\n- x=ghcr.io/acme/api:{tag} é\n\nimage:\n    repository: ghcr.io/acme/api # \"c\"\n    tag: {quoted} # c\nc: \\\n");
            let text = wraps.iter().fold(text, |text, wrap| wrap.around(&text));
            if crlf { text.replace('\n', "\r\n") } else { text }
        };
        let (old, tag) = (fill("v1.4.1", "v1.4.1"), if retyped { "1.10" } else { "v2" });
        let sites = api_sites(&old);
        prop_assert_eq!(sites.len(), 3, "in:\n{}", old);
        prop_assert!(sites.iter().all(|site| site.locked.is_none()), "in:\n{}", old);
        let expected = fill(tag, &if retyped { format!("\"{tag}\"") } else { tag.to_owned() });
        prop_assert_eq!(bump(&old, &watch(&["ghcr.io/acme/api"]), tag), expected);
    }
}
