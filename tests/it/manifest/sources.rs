//! Charts whose source stands in another text: what a text declares, when it asks, and what is found once others are known.

use std::sync::Arc;

use tagboat::manifest::{Format, Formats, Scan, Watch};

use super::{bump, describe, watch};

const DECLARED: &str =
    "kind: HelmRepository\nmetadata: {name: acme, namespace: flux-system}\nspec: {type: oci, url: 'oci://ghcr.io/acme/charts'}\n";

/// A watch that knows what these texts declare.
fn knowing(patterns: &[&str], texts: &[&str]) -> Watch {
    let sources: Vec<_> = texts.iter().flat_map(|text| Formats::default().sources(text.as_bytes(), Format::Yaml)).collect();
    let mut watch = watch(patterns);
    watch.know(Arc::new(sources.iter().collect()));
    watch
}

fn read(text: &str, watch: &Watch) -> Scan {
    Formats::default().read(text.as_bytes(), Format::Yaml, watch).unwrap()
}

fn found(text: &str, watch: &Watch) -> Vec<String> {
    read(text, watch).sites.iter().map(describe).collect()
}

/// Writes what a `HelmRelease` says of its chart.
fn chart(name: &str, version: &str, source: &str) -> String {
    format!("{{chart: {name}, version: {version}, sourceRef: {{kind: HelmRepository, name: {source}, namespace: flux-system}}}}")
}

#[test]
fn a_text_asks_only_for_what_it_does_not_declare_and_may_be_watched() {
    let api = chart("api", "1.4.1", "acme");
    let own = format!("a: {api}\n---\n{DECLARED}");
    for (text, patterns, asks) in [
        (format!("a: {api}"), &["ghcr.io/acme/charts/api"][..], true),
        (format!("a: {api}"), &["ghcr.io/acme/*"], true),
        (format!("a: {api}"), &["**"], true),
        (format!("a: {api}"), &["quay.io/else/where/api"], true),
        (format!("a: {api}"), &["ghcr.io/acme/charts/web"], false),
        (format!("a: {api}\nimage: ghcr.io/acme/charts/web:1"), &["ghcr.io/acme/charts/web"], false),
        (format!("a: {api}"), &[], false),
        (own, &["ghcr.io/acme/**"], false),
        (format!("a: {}", chart("api", "'>=1.0.0'", "acme")), &["ghcr.io/acme/**"], false),
        (format!("a: {}", api.replace("HelmRepository", "GitRepository")), &["ghcr.io/acme/**"], false),
        (format!("spec:\n  patch: |\n    a: {api}\n"), &["ghcr.io/acme/**"], true),
        (format!("spec:\n  patch: |\n    a: {}\n", chart("api", "1.4.1", "other")), &["ghcr.io/acme/**"], true),
        (format!("spec:\n  patch: |\n    a: {api}\n    b: ghcr.io/acme/web:1\n"), &["ghcr.io/acme/web"], false),
        ("chart: api\nversion: 1.4.1\n".to_owned(), &["ghcr.io/acme/**"], false),
        ("image: ghcr.io/acme/api:1\n".to_owned(), &["ghcr.io/acme/**"], false),
    ] {
        let scan = read(&text, &watch(patterns));
        assert_eq!(scan.asks, asks, "{patterns:?} in {text}");
        // What is known elsewhere changes nothing where nothing was asked.
        let known = knowing(patterns, &[DECLARED]);
        assert_eq!(read(&text, &known).asks, asks);
        if !asks {
            assert_eq!(found(&text, &known), scan.sites.iter().map(describe).collect::<Vec<_>>(), "{text}");
        }
    }
}

#[test]
fn objects_are_declared_in_documents_and_lists_of_any_style() {
    let api = format!("a: {}", chart("api", "1.4.1", "acme"));
    let item = "- {kind: HelmRepository, metadata: {name: acme}, spec: {url: 'oci://ghcr.io/acme/charts'}}";
    for text in [
        DECLARED.to_owned(),
        format!("a: b\n---\n{DECLARED}...\n"),
        format!("kind: List\nitems:\n{item}\n"),
        "{\"kind\": \"HelmRepository\", \"metadata\": {\"name\": \"acme\"}, \"spec\": {\"url\": \"oci://ghcr.io/acme/charts/\"}}"
            .to_owned(),
        format!("\u{feff}# a\r\n{}", DECLARED.replace('\n', "\r\n")),
        "  kind: 'HelmRepository'\n  spec:\n    url: >-\n      oci://ghcr.io/acme/charts\n  metadata: &m\n    name: acme\n".to_owned(),
    ] {
        assert_eq!(found(&api, &knowing(&["ghcr.io/acme/**"], &[&text])), ["1:26 chart a.version ghcr.io/acme/charts/api 1.4.1"], "{text}");
    }
    for text in [
        "kind: HelmRepository\nmetadata: {name: acme}\nspec: {interval: 1m}\n",
        "kind: GitRepository\nmetadata: {name: acme}\nspec: {url: 'oci://ghcr.io/acme/charts'}\n",
        "a: {kind: HelmRepository, metadata: {name: acme}, spec: {url: 'oci://ghcr.io/acme/charts'}}\n",
        "kind: HelmRepository\nmetadata: {name: ''}\nspec: {url: 'oci://ghcr.io/acme/charts'}\n",
        "kind: HelmRepository\nspec: [url]\nmetadata: acme\n",
        "kind: HelmRepository\nurl: [\n",
        "HelmRepository url",
    ] {
        assert!(Formats::default().sources(text.as_bytes(), Format::Yaml).is_empty(), "{text}");
    }
}

#[test]
fn a_text_that_only_may_declare_sources_is_never_unreadable() {
    for text in [&b"kind: HelmRepository\nurl: [\n"[..], b"kind: HelmRepository\nurl: \xff\n", b"HelmRepository url \0"] {
        let scan = Formats::default().read(text, Format::Yaml, &watch(&["ghcr.io/acme/api"])).unwrap();
        assert!(scan.sites.is_empty() && scan.sources.is_empty() && !scan.asks);
    }
}

#[test]
fn a_version_that_charts_of_two_sources_share_is_left_alone_once_both_are_known() {
    let shared = |second: &str| {
        let second = chart("web", "*v", second);
        format!("a: {}\nb: {second}\n", chart("api", "&v 1.4.1", "acme"))
    };
    let other = "kind: HelmRepository\nmetadata: {name: other}\nspec: {url: 'oci://quay.io/charts'}\n";
    let (alone, both) = (knowing(&["ghcr.io/acme/**"], &[DECLARED]), knowing(&["ghcr.io/acme/**"], &[DECLARED, other]));
    assert_eq!(bump(&shared("other"), &alone, "1.5.0"), shared("other").replace("1.4.1", "1.5.0"));
    assert_eq!(bump(&shared("other"), &both, "1.5.0"), shared("other"), "another's version would move along");
    assert!(read(&shared("other"), &watch(&["ghcr.io/acme/charts/api"])).asks);
    // The first source stands here, and the second decides whether it is edited.
    let own = format!("{}---\n{DECLARED}", shared("other"));
    let one = knowing(&["ghcr.io/acme/charts/api"], &[]);
    assert!(read(&own, &one).asks);
}
