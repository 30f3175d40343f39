//! Values where none stands: empty tags, and digests beside tags, in mappings written at random.

use proptest::prelude::*;
use tagboat::image::Tag;
use tagboat::manifest::{Edit, EditError, Format, NoDigest, Site, Watch, apply, scan};

use super::{api_sites, describe, digest, watch};

/// Stands for the new digest's entry: in its place nothing stands before the edit.
const ENTRY: &str = "⟦entry⟧";
/// Stands for the tag.
const TAG: &str = "⟦tag⟧";

/// Writes tag and digest at all sites that can have them.
fn pin(text: &str) -> String {
    let sites = api_sites(text);
    let edit = |site| Edit { site, tag: Tag::parse("1.4.2").unwrap(), digest: Some(digest('b')) };
    String::from_utf8(apply(text.as_bytes(), &sites.iter().map(edit).collect::<Vec<_>>()).unwrap()).unwrap()
}

/// Values before and after, each with what it is to be beside a plain key.
fn tag() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop_oneof![
        Just((" 1.4.1", " 1.4.2")),
        Just((" 'v1'", " '1.4.2'")),
        Just((" \"1\"", " \"1.4.2\"")),
        Just(("", " 1.4.2")),
        Just((" ~", " 1.4.2")),
        Just((" ''", " '1.4.2'")),
        Just((" &NAME 1.4.1", " &NAME 1.4.2")),
        Just((" !!str 1.4.1", " !!str 1.4.2")),
    ]
}

fn comment() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just(""), 1 => Just("  "), 1 => Just(" # ü: {x}"), 1 => Just("\t# tab")]
}

/// The lines of a block mapping: the tag, and behind it the place of the digest, between others in any order.
fn block() -> impl Strategy<Value = Vec<String>> {
    let others = prop::sample::subsequence(
        vec!["pullPolicy: Always", "a: |\n  x\n\n", "b: >-\n  y\n  z", "c: {d: [e]}", "f:\n- g", "h: 'i\n\n  j' # k"],
        0..4,
    );
    (others, comment()).prop_map(|(others, comment)| {
        let mut lines: Vec<String> = others.into_iter().map(str::to_owned).collect();
        lines.push("repository: ghcr.io/acme/api".to_owned());
        lines.push(format!("tag:{TAG}{comment}{ENTRY}"));
        lines
    })
}

/// A mapping under a key, as a template.
fn mapping() -> impl Strategy<Value = String> {
    let blocks = (block().prop_shuffle(), 0..3usize, 1..5usize).prop_map(|(lines, kind, indent)| {
        let pad = " ".repeat(indent);
        let own = |pad: &str| lines.join("\n").replace('\n', &format!("\n{pad}")).replace(ENTRY, &format!("{ENTRY}{pad}⟦end⟧"));
        match kind {
            0 => format!("NAME:\n{pad}{}", own(&pad)),
            1 => format!("NAME:\n-{pad}{}", own(&" ".repeat(indent + 1))),
            _ => format!("NAME:\n{pad}- - {}", own(&" ".repeat(indent + 4))),
        }
    });
    let flow = (any::<bool>(), any::<bool>()).prop_map(|(first, spaced)| {
        let (tag, repository) = (format!("tag:{TAG}⟦flow⟧"), "repository: ghcr.io/acme/api");
        let comma = if spaced { " , " } else { ", " };
        if first { format!("NAME: {{{tag}, {repository}}}") } else { format!("NAME: {{ {repository}{comma}{tag} }}") }
    });
    prop_oneof![3 => blocks, 1 => flow]
}

/// Fills a template with what was before, or is to be after.
fn fill(template: &str, tag: &str, after: bool, line: &str) -> String {
    let mut text = String::new();
    for (number, part) in template.split(ENTRY).enumerate() {
        match part.split_once("⟦end⟧").filter(|_| number > 0) {
            Some((pad, rest)) if after => text += &format!("{line}{pad}digest: {}{rest}", digest('b')),
            Some((_, rest)) => text += rest,
            None => text += part,
        }
    }
    let flow = if after { format!(", digest: {}", digest('b')) } else { String::new() };
    text.replace("⟦flow⟧", &flow).replace(TAG, tag)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_value_that_is_new_is_all_that_is_new(
        mappings in prop::collection::vec((mapping(), tag()), 1..6),
        [crlf, last, aliases] in any::<[bool; 3]>(),
    ) {
        let (mut before, mut after) = (String::new(), String::new());
        for (number, (template, (old, new))) in mappings.iter().enumerate() {
            let name = |text: String| text.replace("NAME", &format!("key{number}")) + "\n";
            before += &name(fill(template, old, false, "\n"));
            after += &name(fill(template, new, true, "\n"));
            if aliases {
                let between = format!("x{number}: &x{number} [a, &y{number} b]\ny{number}: [*x{number}, *y{number}]\n");
                before += &between;
                after += &between;
            }
        }
        for text in [&mut before, &mut after] {
            if last {
                text.pop();
            }
            if crlf {
                *text = text.replace('\n', "\r\n");
            }
        }
        let sites = api_sites(&before);
        prop_assert_eq!(sites.len(), mappings.len(), "in:\n{}", before);
        prop_assert!(sites.iter().all(|site| site.locked.is_none() && site.no_digest.is_none()), "in:\n{}", before);
        prop_assert_eq!(pin(&before), after.clone());
        prop_assert_eq!(pin(&after), after, "a second time there is nothing to do");
    }
}

#[test]
fn a_digest_has_no_place_where_others_would_get_it_or_the_text_does_not_tell() {
    let why = |text: &str| api_sites(text)[0].no_digest;
    let shared = Some(NoDigest::Shared);
    assert_eq!(why("a: &a {repository: ghcr.io/acme/api, tag: '1'}\nb: {<<: *a, repository: x, tag: '2'}\n"), shared);
    assert_eq!(why("a: &a {repository: ghcr.io/acme/api, tag: '1'}\nb: {<<: [{c: d}, *a], repository: x, tag: '2'}\n"), shared);
    assert_eq!(why("a: &a {tag: '1'}\nb: {<<: *a, repository: ghcr.io/acme/api}\n"), shared);
    let empty = "e: &e ''\na: {repository: ghcr.io/acme/api, tag: '1', digest: *e}\nb: {repository: x/y, tag: '2', digest: *e}\n";
    assert_eq!((why(empty), api_sites(empty)[0].locked.clone()), (shared, None), "its tag can be edited all the same");
    assert_eq!(why("parameters: [{name: i, value: ghcr.io/acme/api}, {name: i.tag, value: '1'}]"), Some(NoDigest::Parameters));
    assert_eq!(why("{repository: ghcr.io/acme/api, tag: '1', digest}"), Some(NoDigest::NoPlace));
    assert_eq!(why("repository: ghcr.io/acme/api\ntag: '1'\ndigest: []\n"), Some(NoDigest::NoPlace));
    assert_eq!(why("a: &a {repository: ghcr.io/acme/api, tag: '1'}\nb: *a\n"), None, "an alias to the whole is the same image");

    let text = "parameters: [{name: i, value: ghcr.io/acme/api}, {name: i.tag, value: '1'}]";
    let site = &api_sites(text)[0];
    let edit = Edit { site, tag: Tag::parse("2").unwrap(), digest: Some(digest('b')) };
    let error = apply(text.as_bytes(), &[edit]).unwrap_err();
    assert_eq!(error, EditError::NoDigest { path: site.path.to_string(), reason: NoDigest::Parameters });
}

#[test]
fn two_edits_that_disagree_about_a_new_value_are_refused() {
    let text = "e: &e ''\na: {repository: ghcr.io/acme/api, tag: *e}\nb: {repository: ghcr.io/acme/api, tag: *e}\n";
    let sites = api_sites(text);
    let edit = |site, tag| Edit { site, tag: Tag::parse(tag).unwrap(), digest: None };
    let error = apply(text.as_bytes(), &[edit(&sites[0], "2"), edit(&sites[1], "3")]).unwrap_err();
    assert_eq!(error, EditError::Conflict { path: "a.tag".into(), other: "b.tag".into() });
    let one = apply(text.as_bytes(), &[edit(&sites[0], "2.0.0"), edit(&sites[1], "2.0.0")]).unwrap();
    assert_eq!(String::from_utf8(one).unwrap(), text.replace("''", "'2.0.0'"));
}

#[test]
fn a_digest_without_its_algorithm_takes_no_other_one() {
    let digits = "a".repeat(64);
    let text = format!("repository: ghcr.io/acme/api\ntag: v1\ndigest: {digits}\n");
    let sites = api_sites(&text);
    assert_eq!(describe(&sites[0]), "2:6 split tag ghcr.io/acme/api v1@sha256:aaaaaaa");
    let other = tagboat::image::Digest::parse(&format!("sha512:{}", "b".repeat(128))).unwrap();
    let edit = Edit { site: &sites[0], tag: Tag::parse("v2").unwrap(), digest: Some(other.clone()) };
    assert_eq!(apply(text.as_bytes(), &[edit]), Err(EditError::Algorithm { path: "tag".into(), digest: other }));
    let kustomize = format!("images: [{{name: ghcr.io/acme/api, newTag: v1, digest: {digits}}}]");
    assert!(api_sites(&kustomize)[0].locked.is_some(), "kustomize puts no algorithm in front");
}

/// Renovate's helm-values and kustomize rows (renovate-kargo.md 1.4), and AIU 37 to 48 where they are about finding.
#[test]
fn split_references_of_the_field() {
    let any = watch(&["acme/api", "q.io/acme/api", "bitnami/nginx"]);
    let d = "a".repeat(64);
    for (row, text, found) in [
        ("api.image.image", "api: {image: {image: {repository: acme/api, tag: 1.1.0}}}".to_owned(), "acme/api:1.1.0"),
        ("version", "coreImage: {registry: q.io, repository: acme/api, version: 1.1.0}".to_owned(), "q.io/acme/api:1.1.0"),
        ("tag with digest", format!("image: {{repository: acme/api, tag: 11.5.0@sha256:{d}}}"), &format!("acme/api:11.5.0@sha256:{d}")),
        ("#26719 digest of its own", format!("image: {{repository: acme/api, digest: sha256:{d}}}"), &format!("acme/api@sha256:{d}")),
        ("name and tag", "image: {name: acme/api, tag: v1}".to_owned(), "acme/api:v1"),
        ("no image parent", "controller: {repository: acme/api, tag: v1}".to_owned(), "acme/api:v1"),
        ("any file's name: registry in the repository", "x: {repository: q.io/acme/api, tag: v1}".to_owned(), "q.io/acme/api:v1"),
        ("registry empty", "x: {registry: null, repository: acme/api, tag: v1}".to_owned(), "acme/api:v1"),
        ("numeric newTag, which kustomize takes as text", "images: [{name: acme/api, newTag: 2.5}]".to_owned(), "acme/api:2.5"),
        ("quoted newTag", "images: [{newTag: \"11\", name: acme/api}]".to_owned(), "acme/api:11"),
        ("newTag and digest", format!("images: [{{name: acme/api, newTag: v1, digest: sha256:{d}}}]"), &format!("acme/api:v1@sha256:{d}")),
        ("AIU 37", "images: [{attributes: {repository: acme/api, tag: v1}}]".to_owned(), "acme/api:v1"),
        ("AIU 39 literal dots", "image.repository: acme/api\nimage.tag: v1".to_owned(), "acme/api:v1"),
        ("AIU 45 short form", "image: {repository: bitnami/nginx, tag: v1}".to_owned(), "bitnami/nginx:v1"),
    ] {
        let sites = scan(text.as_bytes(), Format::Yaml, &any).unwrap();
        assert_eq!(sites.iter().map(|site| &*site.written).collect::<Vec<_>>(), [found], "{row}: {text}");
        assert_eq!(sites[0].locked, None, "{row}");
    }
    // Neither tag nor digest is in a newTag that is a digest; Renovate says "invalid value" as well.
    let sites = scan(format!("images: [{{name: acme/api, newTag: 'sha256:{d}'}}]").as_bytes(), Format::Yaml, &any).unwrap();
    assert!(sites.iter().all(|site: &Site| site.locked.is_some()));
}

#[test]
fn a_registry_stated_for_a_file_is_that_of_its_split_references() {
    let watch = |keys: &[&str]| watch(&["mirror.example.com/*/*"]).with_registry_keys(keys.iter().map(|&key| key.to_owned()).collect());
    let stated = watch(&["x.registry", "global.imageRegistry"]);
    let found = |text: &str, watch: &Watch| -> Vec<String> {
        scan(text.as_bytes(), Format::Yaml, watch).unwrap().iter().map(|site| site.written.to_string()).collect()
    };
    let values = "global: {imageRegistry: mirror.example.com}\nimage: {registry: docker.io, repository: bitnami/nginx, tag: v1}\n\
                  other: docker.io/bitnami/redis:v1\nsub: {image: {repository: bitnami/os, tag: ''}}\n";
    assert_eq!(found(values, &stated), ["mirror.example.com/bitnami/nginx:v1", "mirror.example.com/bitnami/os"]);
    assert!(found(values, &watch(&[])).is_empty(), "never guessed");
    assert!(found(&values.replace("mirror.example.com", "\"\""), &stated).is_empty(), "an empty one counts for nothing");
    let pair = "parameters:\n- {name: global.imageRegistry, value: mirror.example.com}\n- {name: image.repository, value: a/b}\n\
                - {name: image.tag, value: v1}\n";
    assert_eq!(found(pair, &stated), ["mirror.example.com/a/b:v1"]);
    assert_ne!(stated.fingerprint(), watch(&[]).fingerprint());
    assert_ne!(stated.fingerprint(), watch(&["global.imageRegistry"]).fingerprint());
}
