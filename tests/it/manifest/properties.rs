//! Documents made at random around known references, and texts made at random without any sense.

use proptest::prelude::*;
use tagboat::image::Tag;
use tagboat::manifest::{Edit, Format, Site, Watch, apply, scan};

use super::generator::{self, API, CHART, Case, Expected, NEW_VERSION};
use super::{api_sites, bump, watch};

/// Stands for the tag in a reference, or in quotes.
const IN_PLACE: &str = "⟦tag⟧";
/// Stands for a plain scalar that is the tag alone.
const ALONE: &str = "⟦whole⟧";

/// New tags, each with whether YAML would read it as no string.
const TAGS: [(&str, bool); 10] = [
    ("1.5.0", false),
    ("v2", false),
    ("1.10", true),
    ("20240131", true),
    ("on", true),
    ("1e3", true),
    ("2024-01-31", true),
    ("rc.1_x", false),
    ("0x1F", true),
    ("_", false),
];

/// Makes the text with a tag in all its places.
fn fill(template: &str, tag: &str, retyped: bool) -> String {
    let alone = if retyped { format!("\"{tag}\"") } else { tag.to_owned() };
    template.replace(IN_PLACE, tag).replace(ALONE, &alone)
}

fn reference() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("ghcr.io/acme/api:{IN_PLACE}")),
        Just(format!("'ghcr.io/acme/api:{IN_PLACE}'")),
        Just(format!("\"ghcr.io/acme/api:{IN_PLACE}\"")),
        Just(format!("--image=ghcr.io/acme/api:{IN_PLACE}")),
        Just(format!("\"A=\\\"x\\\" \\u0042=ghcr.io/acme/api:{IN_PLACE},z\"")),
        Just(format!("'it''s=ghcr.io/acme/api:{IN_PLACE} --more'")),
        Just(format!("!!str ghcr.io/acme/api:{IN_PLACE}")),
        Just(format!("!local 'ghcr.io/acme/api:{IN_PLACE}'")),
    ]
}

fn tag_value() -> impl Strategy<Value = String> {
    prop_oneof![Just(ALONE.to_owned()), Just(format!("'{IN_PLACE}'")), Just(format!("\"{IN_PLACE}\"")), Just(format!("!!str {ALONE}"))]
}

/// The entries of a mapping that together are a site, in any order.
fn group() -> impl Strategy<Value = Vec<String>> {
    let split = prop_oneof![
        Just(vec!["repository: ghcr.io/acme/api".to_owned()]),
        Just(vec!["repository: 'acme/api'".to_owned(), "registry: ghcr.io".to_owned()]),
        Just(vec!["name: \"ghcr.io/acme/api\"".to_owned(), "pullPolicy: Always".to_owned()]),
        Just(vec!["image: ghcr.io/acme/api".to_owned()]),
    ];
    let joined = prop_oneof![Just(("image_name: ghcr.io/acme/api", "image_tag")), Just(("IMAGE: 'ghcr.io/acme/api'", "IMAGE_TAG"))];
    let split = split.prop_map(|entries| (entries, "tag"));
    let joined = joined.prop_map(|(repository, tag)| (vec![repository.to_owned()], tag));
    (prop_oneof![3 => split, 1 => joined], tag_value())
        .prop_map(|((mut entries, key), tag)| {
            entries.push(format!("{key}: {tag}"));
            entries
        })
        .prop_shuffle()
}

/// Something else that stands in a file, with a name of its own.
fn noise() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("a: ghcr.io/acme/web:1.4.1"),
        Just("b: |\n  image: ghcr.io/acme/api:1.4.1  \n\n   deeper"),
        Just("c: >-\n  {\"image\": \"ghcr.io/acme/api:1.4.1\"}"),
        Just("d: plain text\n  over two lines"),
        Just("e: \"é😀 \\t \\\n  x\" # ghcr.io/acme/api:1.4.1"),
        Just("f: {g: [ a,b ,c ], h : ~}   "),
        Just("i:\n\n# ghcr.io/acme/api:1.4.1"),
        Just("? [j, k]\n: yes"),
        Just("ghcr.io/acme/api:1.4.1: l"),
        Just("m: ghcr.io/acme/api"),
        Just("image: {repository: ghcr.io/acme/api, tag: ''}"),
        Just("image: {image: ghcr.io/acme/api, tag: }"),
        Just("v: &shared v1.4.1\nw: {repository: ghcr.io/acme/web, tag: *shared}"),
        Just("n: {o: 012, p: 1.10}\nn: doubled"),
    ]
}

/// An entry of a mapping at an indentation of two; `NAME` stands for a name of its own.
fn entry() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (reference(), comment()).prop_map(|(reference, comment)| format!("NAME: {reference}{comment}")),
        1 => reference().prop_map(|reference| format!("NAME: &NAME {reference}\n  NAMEalias: *NAME")),
        1 => reference().prop_map(|reference| format!("NAME:\n  - x\n  -   {reference}\n  - {{name: n, image: {reference}}}")),
        1 => (reference(), reference()).prop_map(|(a, b)| format!("NAME: [{a}, {b}, z]")),
        1 => reference().prop_map(|reference| format!("? NAME\n  : {reference}")),
        2 => (group(), 3..7usize).prop_map(|(entries, indent)| {
            let line = format!("\n{}", " ".repeat(indent));
            format!("NAME:{line}{}", entries.join(&line))
        }),
        2 => group().prop_map(|entries| format!("NAME: {{ {} }}", entries.join(" , "))),
        1 => (tag_value(), any::<bool>()).prop_map(|(tag, first)| {
            let (name, tag) = ("name: ghcr.io/acme/api".to_owned(), format!("newTag: {tag}"));
            let (a, b) = if first { (name, tag) } else { (tag, name) };
            format!("NAME:\n    images:\n    - {a} # c\n\n      {b}")
        }),
        4 => noise().prop_map(|noise| format!("NAME:\n   {}", noise.replace('\n', "\n   "))),
    ]
}

fn comment() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(""), Just("   "), Just(" # ghcr.io/acme/api:1.4.1 'ü\""), Just("\t# tab"), Just("\n\n  # below")]
}

/// A text of some documents, as a template.
fn text() -> impl Strategy<Value = String> {
    let document = prop::collection::vec(entry(), 1..7);
    let separator = prop_oneof![Just("---\n"), Just("...\n---\n"), Just("# between\n--- # c\n"), Just("...\n%YAML 1.2\n---\n")];
    (prop::collection::vec((document, separator), 1..4), any::<[bool; 4]>()).prop_map(|(documents, [crlf, bom, last, header])| {
        let mut text = String::new();
        if header {
            text += "# ghcr.io/acme/api:1.4.1\n\n---\n";
        }
        for (index, (entries, separator)) in documents.iter().enumerate() {
            if index > 0 {
                text += separator;
            }
            // The quotes make double ones the habit of the file.
            text += "habit: \"x\"\nroot:\n";
            for (number, entry) in entries.iter().enumerate() {
                text += &format!("  {}\n", entry.replace("NAME", &format!("key{number}")));
            }
        }
        if last {
            text.pop();
        }
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        if bom {
            text.insert(0, '\u{feff}');
        }
        text
    })
}

/// As many cases as the test can do in some seconds, or as many as are asked for.
fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(cases), ..ProptestConfig::default() }
}

/// A text with known references in random presentations.
pub(super) fn case() -> impl Strategy<Value = Case> {
    prop::collection::vec(any::<u16>(), 0..250).prop_map(|draws| generator::case(&draws))
}

/// What is found in a text, in its order.
fn found(sites: &[Site]) -> Vec<Expected> {
    let found = sites.iter().map(|site| Expected {
        line: site.line,
        column: site.column,
        shape: site.shape.to_string(),
        repository: site.repository.to_string(),
        tag: site.tag.as_ref().map(ToString::to_string),
        digest: site.digest.as_ref().map(ToString::to_string),
        locked: site.locked.as_ref().map(ToString::to_string),
    });
    let mut found: Vec<Expected> = found.collect();
    found.sort();
    found
}

/// Moves all sites that can be edited.
fn moved(text: &str, sites: &[Site], tag: &str) -> String {
    let wanted = |site: &Site| if site.repository.to_string() == CHART { NEW_VERSION.to_owned() } else { tag.to_owned() };
    let edits: Vec<Edit<'_>> = sites.iter().filter(|site| site.locked.is_none()).map(|site| edit(site, &wanted(site))).collect();
    String::from_utf8(apply(text.as_bytes(), &edits).unwrap_or_else(|error| panic!("{error} in:\n{text}"))).unwrap()
}

proptest! {
    #![proptest_config(config(600))]

    #[test]
    fn references_in_every_presentation_are_found_and_moved_exactly(case in case()) {
        let watch = watch(&[API, CHART]);
        let sites = scan(case.old.as_bytes(), Format::Yaml, &watch).map_err(|error| TestCaseError::fail(format!("{error} in:\n{}", case.old)))?;
        prop_assert_eq!(found(&sites), case.before.clone(), "in:\n{}", case.old);
        let new = moved(&case.old, &sites, case.tag);
        prop_assert_eq!(&new, &case.new);
        let after = scan(new.as_bytes(), Format::Yaml, &watch).unwrap();
        prop_assert_eq!(found(&after), case.after.clone(), "in:\n{}", new);
        prop_assert_eq!(&moved(&new, &after, case.tag), &new, "a second time there is nothing to do");
    }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn sites_are_found_exactly_and_nothing_else_changes(template in text(), (new, retyped) in prop::sample::select(TAGS.as_slice())) {
        let watch = watch(&["ghcr.io/acme/api"]);
        let old = fill(&template, "v1.4.1", false);
        let sites: Vec<_> = scan(old.as_bytes(), Format::Yaml, &watch).unwrap().into_iter().filter(|site| !site.blank).collect();
        let places = template.matches(IN_PLACE).count() + template.matches(ALONE).count();
        prop_assert_eq!(sites.len(), places, "in:\n{}", old);
        prop_assert!(sites.iter().all(|site| site.locked.is_none() && site.tag.as_ref().is_some_and(|tag| tag.as_str() == "v1.4.1")));
        let mut keys: Vec<_> = sites.iter().map(|site| &site.key).collect();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), places, "keys are unique");

        let expected = fill(&template, new, retyped);
        let edited = bump(&old, &watch, new);
        prop_assert_eq!(&edited, &expected);
        prop_assert_eq!(bump(&edited, &watch, new), expected, "a second time there is nothing to do");
    }

    #[test]
    fn one_site_moves_without_the_others(template in text(), chosen in any::<prop::sample::Index>()) {
        let old = fill(&template, "v1.4.1", false);
        let sites = tagged(&old);
        prop_assume!(!sites.is_empty());
        let site = chosen.get(&sites);
        let new = apply(old.as_bytes(), &[edit(site, "v1.4.2")]).unwrap();
        let new = String::from_utf8(new).unwrap();
        prop_assert_eq!(new.len(), old.len());
        prop_assert_eq!(new.bytes().zip(old.bytes()).filter(|(new, old)| new != old).count(), 1);
        let moved = tagged(&new);
        for (before, after) in sites.iter().zip(&moved) {
            let tag = if before.key == site.key { "v1.4.2" } else { "v1.4.1" };
            prop_assert_eq!(after.tag.as_ref().unwrap().as_str(), tag);
        }
    }

    #[test]
    fn a_spoiled_text_is_read_or_refused_and_never_spoiled_further(
        template in text(),
        spoils in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(SPOILS), any::<bool>()), 1..6),
    ) {
        let mut text: Vec<char> = fill(&template, "v1.4.1", false).chars().collect();
        for (at, spoil, replace) in spoils {
            let at = at.index(text.len());
            text.splice(at..at + usize::from(replace), spoil.chars());
        }
        check(text.into_iter().collect::<String>().as_bytes())?;
    }

    /// Every way to share a tag, in any mix and order: what an edit may move is just what is of one repository.
    #[test]
    fn an_edit_moves_no_other_repository(uses in prop::collection::vec((0..3usize, 0..3usize, 0..4usize), 1..8)) {
        const NAMES: [&str; 3] = ["ghcr.io/acme/api", "ghcr.io/acme/web", "nginx"];
        let mut text: String = (0..3).map(|anchor| format!("b{anchor}: &b{anchor} {{tag: &v{anchor} v1.{anchor}}}\n")).collect();
        for (number, &(name, anchor, form)) in uses.iter().enumerate() {
            let name = NAMES[name];
            text += &match form {
                0 => format!("u{number}: {{repository: {name}, tag: *v{anchor}}}\n"),
                1 => format!("u{number}: {{<<: *b{anchor}, repository: {name}}}\n"),
                2 => format!("u{number}: {{images: [{{newTag: *v{anchor}, name: {name}}}]}}\n"),
                _ => format!("u{number}: {{parameters: [{{name: i.tag, value: *v{anchor}}}, {{name: i.name, value: {name}}}]}}\n"),
            };
        }
        // Helm parameters tell a repository by a vague name only if it has a slash.
        let counts = |&&(name, _, form): &&(usize, usize, usize)| form != 3 || NAMES[name].contains('/');
        let sites = scan(text.as_bytes(), Format::Yaml, &watch(&["ghcr.io/acme/*"])).unwrap();
        prop_assert_eq!(sites.len(), uses.iter().filter(|&&(name, ..)| name < 2).count(), "in:\n{}", text);
        for site in &sites {
            let anchor = site.tag.as_ref().unwrap().as_str().trim_start_matches("v1.").parse::<usize>().unwrap();
            let mut names: Vec<_> = uses.iter().filter(counts).filter(|(_, a, _)| *a == anchor).map(|(name, ..)| name).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(site.locked.is_some(), names.len() > 1, "{} in:\n{}", site.path, text);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        check(text.concat().as_bytes())?;
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes)?;
    }
}

const SPOILS: &[&str] = &[
    "",
    "\n",
    " ",
    "  ",
    "\t",
    ":",
    ": ",
    "-",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    " #",
    "&a ",
    "*a",
    "!",
    "!!int ",
    "|",
    ">",
    "'",
    "\"",
    "\\",
    "%",
    "@",
    "`",
    "?",
    "? ",
    "---\n",
    "...\n",
    "\r",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "<<: ",
    "~",
    "ghcr.io/acme/api:v1.4.1",
    "sops: {}",
    "tag: ",
    "é",
];

const WORDS: &[&str] = &[
    "\n",
    "\n  ",
    "\n    ",
    " ",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "# ",
    "&a ",
    "*a ",
    "!!str ",
    "!x ",
    "|\n  ",
    ">-\n ",
    "'",
    "\"",
    "\\",
    "\\x41",
    "%YAML 1.2\n",
    "? ",
    "---\n",
    "...\n",
    "\r\n",
    "\u{feff}",
    "<<: ",
    "image: ",
    "image_tag: ",
    "repository: ",
    "registry: ",
    "tag: ",
    "digest: ",
    "images: ",
    "name: ",
    "newTag: ",
    "newName: ",
    "parameters: ",
    "ghcr.io/acme/api",
    ":v1",
    "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "=",
    "ghcr.io/acme/api:v1.4.1",
    "1.10",
    "sops: ",
    "x",
];

/// Finds the sites whose tag is not a place to fill.
fn tagged(text: &str) -> Vec<Site> {
    api_sites(text).into_iter().filter(|site| !site.blank).collect()
}

fn edit<'a>(site: &'a Site, tag: &str) -> Edit<'a> {
    Edit { site, tag: Tag::parse(tag).unwrap(), digest: site.digest.as_ref().map(|_| super::digest('b')) }
}

/// Whatever the text is: its sites can be moved one by one, or the edit is refused; and a moved site has moved, alone.
fn check(text: &[u8]) -> Result<(), TestCaseError> {
    let _ = scan(text, Format::Yaml, &Watch::everything());
    let Ok(sites) = scan(text, Format::Yaml, &watch(&["ghcr.io/acme/api"])) else { return Ok(()) };
    for site in sites.iter().filter(|site| site.tag.is_none() && site.digest.is_none() && !site.blank).take(5) {
        prop_assert!(apply(text, &[edit(site, "1.10")]).is_err(), "{}", site.path);
    }
    for (index, site) in sites.iter().enumerate().filter(|(_, site)| site.tag.is_some()).take(5) {
        let Ok(new) = apply(text, &[edit(site, "1.10")]) else { continue };
        let moved = api_sites(std::str::from_utf8(&new).unwrap());
        // By its turn: the key may hold the value itself, where that is the name of a list's item.
        let after = &moved[index];
        prop_assert_eq!(after.tag.as_ref().unwrap().as_str(), "1.10");
        if let (Ok(old), Ok(new)) = (serde_yaml::from_slice::<serde_yaml::Value>(text), serde_yaml::from_slice::<serde_yaml::Value>(&new)) {
            prop_assert_eq!(shape(&old), shape(&new), "the second reader sees the same structure");
        }
    }
    Ok(())
}

/// Counts the values of a document.
fn shape(value: &serde_yaml::Value) -> usize {
    match value {
        serde_yaml::Value::Sequence(items) => 1 + items.iter().map(shape).sum::<usize>(),
        serde_yaml::Value::Mapping(entries) => 1 + entries.iter().map(|(key, value)| shape(key) + shape(value)).sum::<usize>(),
        serde_yaml::Value::Tagged(tagged) => 1 + shape(&tagged.value),
        _ => 1,
    }
}
