//! Near misses of texts that nobody means well with, and their relation to sites.

use proptest::prelude::*;
use std::collections::HashSet;
use tagboat::manifest::{Format, Formats, Watch, scan};

use super::watch;

/// Parts that documents with near misses are made of.
const PARTS: [&str; 40] = [
    "image: ",
    "images:\n",
    "- ",
    "tag: ",
    "repository: ",
    "name: ",
    "value: ",
    "{{ .x }}",
    "${A}",
    "$(B)",
    "nginx:1.2",
    "Nginx:",
    "\n",
    "\n  ",
    "\n    ",
    "x: |\n",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "\"",
    "'",
    "&a ",
    "*a",
    "ghcr.io/acme/api:1.0",
    "ghcr.io/acme/api",
    "chart: ",
    "version: ",
    "^1.0",
    "repoURL: ",
    "oci://ghcr.io/acme",
    "ref: ",
    "semver: ",
    "<<: ",
    "# {\"$imagepolicy\": \"a:b\"}",
    "---\n",
    "ä",
    "\r\n",
    "newTag: ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_looked_through_without_a_panic(text in "\\PC{0,200}") {
        let _ = Formats::default().missed(text.as_bytes(), Format::Yaml, &Watch::everything(), &[]);
    }

    #[test]
    fn near_misses_stand_in_the_text_once_each_and_never_at_a_site(parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 0..40)) {
        let text = parts.concat();
        let watch = watch(&["ghcr.io/acme/api"]);
        let mut sites = scan(text.as_bytes(), Format::Yaml, &watch).unwrap_or_default();
        sites.extend(scan(text.as_bytes(), Format::Yaml, &Watch::everything()).unwrap_or_default());
        let taken: HashSet<_> = sites.iter().map(|site| (site.line, site.column)).collect();
        let mut places = HashSet::new();
        for near in Formats::default().missed(text.as_bytes(), Format::Yaml, &watch, &sites) {
            prop_assert!(near.line <= text.split(['\n', '\r']).count() && near.column > 0);
            prop_assert!(!near.shown.chars().any(char::is_control));
            prop_assert!(places.insert((near.line, near.column)), "{near:?} twice in\n{text}");
            prop_assert!(!taken.contains(&(near.line, near.column)), "{near:?} at a site in\n{text}");
        }
    }
}

#[test]
fn a_large_text_of_near_misses_takes_no_longer_than_others() {
    let text = "- {image: '${A}', tag: '', repository: 'Acme/x', args: [--image=$(B)]}\n".repeat(20_000);
    let started = std::time::Instant::now();
    assert_eq!(Formats::default().missed(text.as_bytes(), Format::Yaml, &Watch::everything(), &[]).len(), 10_000);
    let block = format!("x: |\n  {{{{ a }}}}\n{}", "  docker run ghcr.io/acme/api:1.0 and host:80\n".repeat(100_000));
    assert_eq!(Formats::default().missed(block.as_bytes(), Format::Yaml, &Watch::everything(), &[]).len(), 10_000);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
