//! Texts that nobody means well with: each is read in bounded time and memory, or refused with a reason.

use tagboat::error::{Classified, Verdict};
use tagboat::image::Tag;
use tagboat::manifest::{Edit, EditError, Format, MAX_BYTES, Unreadable, Watch, apply, scan};

use super::{api_sites, bump, watch};

const IMAGE: &str = "image: ghcr.io/acme/api:1.4.1\n";

fn refused(text: impl AsRef<[u8]>) -> Unreadable {
    let error = scan(text.as_ref(), Format::Yaml, &watch(&["ghcr.io/acme/api"])).unwrap_err();
    assert_eq!(error.verdict(), Verdict::Stalled);
    assert!(error.hint().is_some());
    error
}

#[test]
fn what_is_no_utf8_text_is_refused() {
    assert_eq!(refused(format!("{IMAGE}a: \0")), Unreadable::Binary { offset: 33 });
    assert_eq!(refused([IMAGE.as_bytes(), b"\xff"].concat()), Unreadable::NotUtf8 { offset: 30 });
    let utf16: Vec<u8> = "\u{feff}image: ghcr.io/acme/api:1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(refused(utf16), Unreadable::Utf16);
}

#[test]
fn a_text_that_is_too_large_is_refused_and_a_large_one_is_read() {
    let fill = |length: usize| format!("{IMAGE}#{}", "x".repeat(length - IMAGE.len() - 1));
    assert_eq!(refused(fill(MAX_BYTES + 1)), Unreadable::TooLarge { bytes: MAX_BYTES + 1 });
    assert_eq!(api_sites(&fill(MAX_BYTES / 4)).len(), 1);
}

#[test]
fn a_broken_text_is_told_with_its_line_and_without_control_characters() {
    match refused(format!("{IMAGE}a: b\nc: [d\ne: \u{1b}[31m\n")) {
        Unreadable::NotYaml { line, message, .. } => {
            assert!((3..=5).contains(&line), "{line}");
            assert!(!message.is_empty() && !message.contains(char::is_control), "{message:?}");
        }
        other => panic!("{other}"),
    }
    assert!(
        matches!(refused(format!("{IMAGE}---\n{{ broken\n---\n{IMAGE}")), Unreadable::NotYaml { line: 3.., .. }),
        "one broken document spoils the file"
    );
    assert!(matches!(refused(format!("{IMAGE}a: *nowhere\n")), Unreadable::NotYaml { line: 2, .. }));
}

#[test]
fn a_broken_text_without_a_watched_name_is_nobodys_business() {
    assert!(scan(b"a: [\0\xff", Format::Yaml, &watch(&["ghcr.io/acme/api"])).unwrap().is_empty());
}

#[test]
fn deep_nesting_is_refused() {
    let deep = |open: &str, close: &str, levels: usize| format!("{}ghcr.io/acme/api:1{}", open.repeat(levels), close.repeat(levels));
    assert!(matches!(refused(deep("[", "]", 1000)), Unreadable::TooDeep { line: 1 }));
    assert!(matches!(refused(deep("- ", "", 1000)), Unreadable::TooDeep { line: 1 }));
    assert!(matches!(refused(deep("{a: ", "}", 100_000)), Unreadable::TooDeep { line: 1 }));
    assert!(scan(deep("[", "", 100_000).as_bytes(), Format::Yaml, &Watch::everything()).is_err());
    assert_eq!(api_sites(&deep("[", "]", 100)).len(), 1);
    // Deeper than the second reader goes, which then has no say.
    let text = format!("{}a: {}", "- ".repeat(100), deep("[", "]", 100));
    assert!(bump(&text, &watch(&["ghcr.io/acme/api"]), "2").contains("api:2"));
}

#[test]
fn aliases_that_would_expand_without_end_are_never_expanded() {
    let mut text = format!("{IMAGE}l0: &l0 [ghcr.io/acme/api:1.4.1]\n");
    for level in 1..60 {
        let below = level - 1;
        text += &format!("l{level}: &l{level} [*l{below}, *l{below}, *l{below}, *l{below}, *l{below}, *l{below}, *l{below}, *l{below}]\n");
    }
    assert_eq!(api_sites(&text).len(), 2);
    assert_eq!(bump(&text, &watch(&["ghcr.io/acme/api"]), "2"), text.replace("1.4.1", "2"));
    // The same where the first proof fails over to a reading that does expand: `!!int` comes as another type.
    let text = text + "x: !!set {a, b}\n\u{85}y: z\n";
    assert_eq!(bump(&text, &watch(&["ghcr.io/acme/api"]), "2"), text.replace("1.4.1", "2"));
}

#[test]
fn merges_that_would_expand_without_end_are_cut_short() {
    let mut text = "b0: &b0 {x: y}\n".to_owned();
    for level in 1..200 {
        let below = level - 1;
        text += &format!("b{level}: &b{level} {{<<: [*b{below}, *b{below}, *b{below}, *b{below}], tag: ghcr.io/acme/api:{level}}}\n");
    }
    assert_eq!(api_sites(&text).len(), 199);
}

#[test]
fn a_large_mapping_merged_into_many_is_refused_in_time() {
    let keys: String = (0..256).map(|key| format!("k{key}Tag: v{key}, ")).collect();
    let text = |count: usize| format!("{IMAGE}b: &b {{{keys}}}\nc: [{}]\n", "{<<: *b, tag: 1}, ".repeat(count));
    assert_eq!(api_sites(&text(100)).len(), 1);
    assert!(matches!(refused(text(500)), Unreadable::TooManyMerges { limit: 100_000 }));
}

#[test]
fn many_shared_anchors_cost_no_more_than_their_length() {
    let texts = (0..2_000).map(|n| format!("- {{repository: ghcr.io/acme/api, tag: &t{n} v{n}}}\n- {{repository: r{n}, tag: *t{n}}}\n"));
    let sites = api_sites(&texts.collect::<String>());
    assert_eq!(sites.iter().filter(|site| site.locked.is_some()).count(), 2_000);
    let one = format!("- &t v1\n{}", "- {repository: ghcr.io/acme/api, tag: *t}\n".repeat(2_000));
    assert_eq!(api_sites(&one).iter().filter(|site| site.locked.is_none()).count(), 2_000);
    let pairs = format!("v: &v 1\napi: {{repository: ghcr.io/acme/api, tag: *v}}\nx: [{}]\n", "a:1, ".repeat(20_001));
    assert_eq!(api_sites(&pairs).len(), 1, "what else looks like a reference does not count");
}

#[test]
fn many_documents_keys_and_sites_cost_no_more_than_their_length() {
    let documents = format!("---\n{IMAGE}").repeat(2000);
    assert_eq!(api_sites(&documents).len(), 2000);
    let keys: String = (0..5000).map(|key| format!("k{key}Tag: v{key}\n")).collect();
    assert_eq!(api_sites(&format!("k7: ghcr.io/acme/api\n{keys}")).len(), 1);
    let doubled = format!("a: ghcr.io/acme/api:1\n{}", "k: ghcr.io/acme/api:1\n".repeat(3000));
    assert_eq!(api_sites(&doubled).iter().filter(|site| site.locked.is_some()).count(), 3000);
    let one = format!("a: x=ghcr.io/acme/api:1{}", ",ghcr.io/acme/api:1".repeat(2_999));
    assert_eq!(api_sites(&one).len(), 3000);
    let folded = format!("a: \"\\x41 x=ghcr.io/acme/api:1{}\"", " y=ghcr.io/acme/api:1".repeat(2_999));
    assert_eq!(api_sites(&folded).iter().filter(|site| site.locked.is_none()).count(), 3000);
}

#[test]
fn more_sites_than_anyone_writes_are_refused() {
    assert!(matches!(refused(format!("a: x=y{}", ",ghcr.io/acme/api:1".repeat(20_001))), Unreadable::TooManySites { .. }));
}

#[test]
fn long_keys_make_no_long_paths() {
    let key = "k".repeat(100_000);
    let text = format!("? {key}\n: ? {key}\n  : ghcr.io/acme/api:1\n");
    let site = &api_sites(&text)[0];
    assert!(site.path.len() < 1000 && site.key.len() < 1000);
    let nested = (0..100).fold(String::new(), |text, level| format!("{text}{}{}:\n", " ".repeat(level), "n".repeat(90)));
    let text = format!("{nested}{}image: ghcr.io/acme/api:1\n", " ".repeat(100));
    let site = &api_sites(&text)[0];
    assert!(site.path.len() < 1000 && site.path.ends_with("n.image"), "{}", site.path);
}

#[test]
fn keys_hold_no_white_space_whatever_the_names_say() {
    let text = "\"a\\nTagboat-Bump: x\": [{name: \"b\\n c\\u2028\", image: ghcr.io/acme/api:1}]\n---\nkind: \"K\\n\"\nmetadata: {name: ' x'}\ni: ghcr.io/acme/api:1\n";
    for site in api_sites(text) {
        assert!(!site.key.contains(char::is_whitespace), "{:?}", site.key);
        assert!(!site.path.contains(char::is_control), "{:?}", site.path);
    }
}

#[test]
fn an_edit_that_the_second_reader_takes_for_something_else_is_refused() {
    // YAML 1.1 ends lines at U+2028 and 1.2 does not: what is part of the value to one reader is a comment to the other.
    let text = "i: A=b,\u{2028}#=ghcr.io/acme/api:1\n";
    let site = &api_sites(text)[0];
    let error = apply(text.as_bytes(), &[Edit { site, tag: Tag::parse("2").unwrap(), digest: None }]).unwrap_err();
    assert!(matches!(&error, EditError::Unproved { path, .. } if path == "i"), "{error}");
    assert!(error.to_string().contains("second YAML reader"), "{error}");
    assert_eq!(error.verdict(), Verdict::Stalled);
}
