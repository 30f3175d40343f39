//! Flux's markers: where they count, which value they are for, and what an edit writes there.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tagboat::image::{Repository, RepositoryPattern, Tag};
use tagboat::manifest::{Edit, EditError, Format, Formats, Locked, Named, Search, Shape, Site, Watch, apply, scan};

use super::{describe, digest};

/// Binds `flux-system:api` and `flux-system:web`, and watches `ghcr.io/acme/db` without a marker.
fn marked() -> Watch {
    let named = |name: &str| Named { repository: Repository::parse(name).unwrap(), written: name.to_owned() };
    let bound = [("flux-system:api", "ghcr.io/acme/api"), ("flux-system:web", "ghcr.io/acme/web"), ("flux-system:hub", "nginx")];
    let bound: BTreeMap<Arc<str>, Named> = bound.into_iter().map(|(policy, name)| (policy.into(), named(name))).collect();
    Watch::new(&[RepositoryPattern::parse("ghcr.io/acme/db").unwrap()]).with_markers(bound)
}

/// Writes markers out: `<api:tag>` stands for `{"$imagepolicy": "flux-system:api:tag"}`.
fn spell(text: &str) -> String {
    let mut spelt = text.to_owned();
    for policy in ["api", "web", "hub", "other"] {
        for field in ["", ":tag", ":name", ":digest"] {
            spelt = spelt.replace(&format!("<{policy}{field}>"), &format!("{{\"$imagepolicy\": \"flux-system:{policy}{field}\"}}"));
        }
    }
    spelt
}

fn sites(text: &str) -> Vec<Site> {
    scan(spell(text).as_bytes(), Format::Yaml, &marked()).unwrap()
}

/// Moves the sites with a marker to `2.0.0`, and those with a digest to another one.
fn bump(text: &str) -> String {
    let text = spell(text);
    let sites = scan(text.as_bytes(), Format::Yaml, &marked()).unwrap();
    let edits: Vec<Edit<'_>> = sites
        .iter()
        .filter(|site| site.locked.is_none() && site.marker.is_some())
        .map(|site| Edit { site, tag: Tag::parse("2.0.0").unwrap(), digest: site.digest.as_ref().map(|_| digest('b')) })
        .collect();
    String::from_utf8(apply(text.as_bytes(), &edits).unwrap()).unwrap()
}

/// Each row: a text, and what its marked sites become.
#[track_caller]
fn writes(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        let new = bump(text);
        assert_eq!(new, spell(expected), "of:\n{text}\nsites: {:#?}", sites(text).iter().map(describe).collect::<Vec<_>>());
        assert_eq!(bump(&new), new, "a second time there is nothing to do");
    }
}

/// Each row: a text that stays as it is, and why its sites with markers do.
#[track_caller]
fn leaves(rows: &[(&str, &[&str])]) {
    for (text, expected) in rows {
        let reason = |site: &Site| site.locked.as_ref().map_or_else(|| "free".to_owned(), |locked| format!("{locked:?}"));
        let found: Vec<String> = sites(text).iter().filter(|site| site.marker.is_some()).map(reason).collect();
        assert_eq!(found, *expected, "{text}");
        assert_eq!(bump(text), spell(text));
    }
}

#[test]
fn a_marker_counts_wherever_flux_honours_it() {
    writes(&[
        // A value of a mapping, an item of a list, nested, in any style.
        ("image: ghcr.io/acme/api:1 # <api>\n", "image: ghcr.io/acme/api:2.0.0 # <api>\n"),
        ("a:\n- - b: 'ghcr.io/acme/api:1' # <api>\n", "a:\n- - b: 'ghcr.io/acme/api:2.0.0' # <api>\n"),
        ("- ghcr.io/acme/api:1 # <api>\n- x\n", "- ghcr.io/acme/api:2.0.0 # <api>\n- x\n"),
        ("tag: 1 # <api:tag>\n", "tag: 2.0.0 # <api:tag>\n"),
        ("tag: \"1\" # <api:tag>\r\n", "tag: \"2.0.0\" # <api:tag>\r\n"),
        // With an anchor, which aliases follow.
        ("a: &a ghcr.io/acme/api:1 # <api>\nb: *a\n", "a: &a ghcr.io/acme/api:2.0.0 # <api>\nb: *a\n"),
        // A flow mapping with an entry a line.
        (
            "i: {\n  name: ghcr.io/acme/api, # <api:name>\n  tag: 1 # <api:tag>\n}\n",
            "i: {\n  name: ghcr.io/acme/api, # <api:name>\n  tag: 2.0.0 # <api:tag>\n}\n",
        ),
        // Above an item of a list.
        (
            "args:\n# <api>\n- ghcr.io/acme/api:1\n- ghcr.io/acme/api:1\n",
            "args:\n# <api>\n- ghcr.io/acme/api:2.0.0\n- ghcr.io/acme/api:1\n",
        ),
        // S3: a name without a tag.
        ("image: ghcr.io/acme/api # <api>\n", "image: ghcr.io/acme/api:2.0.0 # <api>\n"),
        ("image: image # <api>\n", "image: ghcr.io/acme/api:2.0.0 # <api>\n"),
        // A value that YAML reads as a number.
        ("tag: 1.20 # <api:tag>\n", "tag: 2.0.0 # <api:tag>\n"),
        // Extra keys in the marker; several `#`.
        (
            "tag: 1 ## {\"$imagepolicy\": \"flux-system:api:tag\", \"x\": \"y\"}\n",
            "tag: 2.0.0 ## {\"$imagepolicy\": \"flux-system:api:tag\", \"x\": \"y\"}\n",
        ),
    ]);
}

#[test]
fn a_marker_counts_where_flux_silently_does_nothing() {
    writes(&[
        // Behind a flow mapping or sequence on one line.
        ("i: {repository: ghcr.io/acme/api, tag: 1} # <api:tag>\n", "i: {repository: ghcr.io/acme/api, tag: 2.0.0} # <api:tag>\n"),
        ("- {name: a, image: ghcr.io/acme/api:1} # <api>\n", "- {name: a, image: ghcr.io/acme/api:2.0.0} # <api>\n"),
        ("a: [x, ghcr.io/acme/api:1, --y] # <api>\n", "a: [x, ghcr.io/acme/api:2.0.0, --y] # <api>\n"),
        ("a: [x, --image=ghcr.io/acme/api:1, --y] # <api>\n", "a: [x, --image=ghcr.io/acme/api:2.0.0, --y] # <api>\n"),
        ("{name: image.tag, value: '1'} # <api:tag>\n", "{name: image.tag, value: '2.0.0'} # <api:tag>\n"),
        // Above an entry.
        ("# <api>\nimage: ghcr.io/acme/api:1\n", "# <api>\nimage: ghcr.io/acme/api:2.0.0\n"),
        ("a:\n  # why\n  # <api:tag>\n  # more\n  tag: 1\n", "a:\n  # why\n  # <api:tag>\n  # more\n  tag: 2.0.0\n"),
        ("c:\n# <api>\n- name: x\n  image: ghcr.io/acme/api:1\n", "c:\n# <api>\n- name: x\n  image: ghcr.io/acme/api:2.0.0\n"),
        // On the line of a key whose value is on the next.
        ("image: # <api>\n  ghcr.io/acme/api:1\n", "image: # <api>\n  ghcr.io/acme/api:2.0.0\n"),
        (
            "image: # <api:tag>\n  repository: ghcr.io/acme/api\n  tag: 1\n",
            "image: # <api:tag>\n  repository: ghcr.io/acme/api\n  tag: 2.0.0\n",
        ),
        // At an alias.
        (
            "a: &a 1\nb: {repository: ghcr.io/acme/api}\nc:\n  tag: *a # <api:tag>\n",
            "a: &a 2.0.0\nb: {repository: ghcr.io/acme/api}\nc:\n  tag: *a # <api:tag>\n",
        ),
        // With other text, in single quotes, and several at once.
        ("image: ghcr.io/acme/api:1 # keep: <api> thanks\n", "image: ghcr.io/acme/api:2.0.0 # keep: <api> thanks\n"),
        (
            "image: ghcr.io/acme/api:1 # {'$imagepolicy': 'flux-system:api'}\n",
            "image: ghcr.io/acme/api:2.0.0 # {'$imagepolicy': 'flux-system:api'}\n",
        ),
        (
            "{name: nginx, newName: old/api, newTag: 1} # <api:name> <api:tag>\n",
            "{name: nginx, newName: ghcr.io/acme/api, newTag: 2.0.0} # <api:name> <api:tag>\n",
        ),
        ("image: ghcr.io/acme/api:1 # <other> <api>\n", "image: ghcr.io/acme/api:2.0.0 # <other> <api>\n"),
        // In a file with a directive.
        ("%YAML 1.2\n---\ntag: 1 # <api:tag>\n", "%YAML 1.2\n---\ntag: 2.0.0 # <api:tag>\n"),
    ]);
}

#[test]
fn parts_in_one_mapping_are_one_site() {
    let (old, new) = (digest('a'), digest('b'));
    let entry = |name: &str, tag: &str, digest: &str| {
        format!("images:\n- name: x\n  newName: {name} # <api:name>\n  newTag: {tag} # <api:tag>\n  digest: {digest} # <api:digest>\n")
    };
    for name in ["ghcr.io/acme/api", "ghcr.io/old/api", "ghcr.io/acme/db"] {
        let text = entry(name, "1.0.0", old.as_str());
        assert_eq!(sites(&text).len(), 1, "{name}");
        assert_eq!(bump(&text), spell(&entry("ghcr.io/acme/api", "2.0.0", new.as_str())));
    }
    // A digest under a name of its own is kept in step.
    let split = |tag: &str, digest: &str| format!("repository: ghcr.io/acme/api\ntag: {tag} # <api:tag>\nsha: {digest} # <api:digest>\n");
    assert_eq!(sites(&split("1", old.as_str())).len(), 1);
    assert_eq!(bump(&split("1", old.as_str())), spell(&split("2.0.0", new.as_str())));
    // Alone, a digest is a site without a tag.
    let alone = |digest: &str| format!("sha: {digest} # <api:digest>\n");
    assert_eq!(bump(&alone(old.as_str())), spell(&alone(new.as_str())));
    // Two tags in one mapping are two sites.
    writes(&[("initTag: 1 # <api:tag>\ntag: 1 # <api:tag>\n", "initTag: 2.0.0 # <api:tag>\ntag: 2.0.0 # <api:tag>\n")]);
}

#[test]
fn the_name_of_another_repository_is_replaced_and_that_of_its_own_stays_as_written() {
    writes(&[
        ("image: ghcr.io/old/api:1 # <api>\n", "image: ghcr.io/acme/api:2.0.0 # <api>\n"),
        ("image: ghcr.io/acme/db:1 # <api>\n", "image: ghcr.io/acme/api:2.0.0 # <api>\n"),
        ("image: docker.io/library/nginx:1 # <hub>\n", "image: docker.io/library/nginx:2.0.0 # <hub>\n"),
        ("image: docker.io/library/nginx # <hub>\n", "image: docker.io/library/nginx:2.0.0 # <hub>\n"),
        ("image: ghcr.io/nginx:1 # <hub>\n", "image: nginx:2.0.0 # <hub>\n"),
        ("repository: docker.io/library/nginx # <hub:name>\n", "repository: docker.io/library/nginx # <hub:name>\n"),
        ("repository: old # <api:name>\n", "repository: ghcr.io/acme/api # <api:name>\n"),
        // Beside the name of a mirror the marked tag follows its policy, as in Flux.
        ("repository: mirror.local/api\ntag: 1 # <api:tag>\n", "repository: mirror.local/api\ntag: 2.0.0 # <api:tag>\n"),
        ("repository: ghcr.io/acme/db\ntag: 1 # <api:tag>\n", "repository: ghcr.io/acme/db\ntag: 2.0.0 # <api:tag>\n"),
    ]);
    let named = |text: &str| sites(text)[0].marker.as_ref().map(|marker| marker.misnamed);
    assert_eq!(named("image: ghcr.io/old/api:1 # <api>\n"), Some(true));
    assert_eq!(named("image: ghcr.io/acme/api:1 # <api>\n"), Some(false));
    assert_eq!(named("image: ghcr.io/acme/db:1\n"), None);
}

#[test]
fn a_digest_beside_a_tag_moves_along() {
    let (old, new) = (digest('a'), digest('b'));
    for (text, expected) in [
        (format!("image: ghcr.io/old/api:1@{old} # <api>\n"), format!("image: ghcr.io/acme/api:2.0.0@{new} # <api>\n")),
        (format!("image: ghcr.io/acme/api@{old} # <api>\n"), format!("image: ghcr.io/acme/api:2.0.0@{new} # <api>\n")),
        (format!("tag: 1@{old} # <api:tag>\n"), format!("tag: 2.0.0@{new} # <api:tag>\n")),
    ] {
        writes(&[(&text, &expected)]);
    }
}

#[test]
fn what_a_marker_may_not_be_for_is_left_with_a_reason() {
    leaves(&[
        // Two values fit, or none.
        ("a: [ghcr.io/acme/api:1, ghcr.io/acme/api:2] # <api>\n", &["Unclear"]),
        ("a: [x, y] # <api>\n", &["Unclear"]),
        ("{tag: 1, initTag: 2} # <api:tag>\n", &["Unclear"]),
        ("a: {\n  b: c\n} # <api>\n", &["Unclear"]),
        ("image: # <api>\n  repository: ghcr.io/acme/api\n  tag: 1\n", &["Unclear"]),
        // Above nothing, or above what it is not as far indented as.
        ("a: 1\n# <api>\n", &["Unclear"]),
        ("a:\n  b: 1\n  # <api>\nimage: ghcr.io/acme/api:1\n", &["Unclear"]),
        ("# <api>\n\nimage: ghcr.io/acme/api:1\n", &["Unclear"]),
        ("# <api>\n---\nimage: ghcr.io/acme/api:1\n", &["Unclear"]),
        ("# <api>\nname: web\nimage: ghcr.io/acme/api:1\n", &["Unclear"]),
        // Not what it says.
        ("tag: 1.2.3 # <api>\n", &["Mismarked"]),
        ("image: not an image # <api>\n", &["Mismarked"]),
        ("tag: ${TAG} # <api:tag>\n", &["Malformed"]),
        ("name: ghcr.io/acme/api:1 # <api:name>\n", &["Mismarked"]),
        ("digest: abc # <api:digest>\n", &["Malformed"]),
        // Markers that contradict each other.
        ("image: ghcr.io/acme/api:1 # <api> <web>\n", &["Contested"]),
        ("tag: 1 # <api:tag> <api:digest>\n", &["Contested"]),
        // Where no value may be changed.
        ("image: ghcr.io/acme/api:1 # <api>\nsops: {}\n", &["Sops"]),
        ("tag: 1 # <api:tag>\ntag: 2\n", &["DuplicateKey"]),
        ("tag: !!float 1.0 # <api:tag>\n", &["Typed"]),
    ]);
}

#[test]
fn a_marker_behind_a_value_counts_for_more_than_one_above() {
    writes(&[("# <web>\n- ghcr.io/acme/api:1 # <api>\n", "# <web>\n- ghcr.io/acme/api:2.0.0 # <api>\n")]);
}

#[test]
fn what_is_no_marker_makes_no_site() {
    leaves(&[
        // A line that was commented out stays out.
        ("c:\n#- image: ghcr.io/acme/api:1 # <api>\n- image: ghcr.io/acme/web:1\n", &[]),
        ("# markers look like <api> here\nimage: ghcr.io/acme/db:1\n", &[]),
        // No comment.
        ("a: 'x # <api>'\n", &[]),
        ("a: 'x\n  # <api>\n  y'\n", &[]),
        // No policy that is bound; S6 of another namespace, S7 without a marker.
        ("image: ghcr.io/acme/api:1 # <other>\n", &[]),
        ("image: ghcr.io/acme/api:1 # {\"$imagepolicy\": \"other:api\"} flux-system:api\n", &[]),
        ("image: ghcr.io/acme/api:1\nb: 1 # <other:tag> flux-system:api\n", &[]),
    ]);
}

#[test]
fn sites_name_their_policy_and_the_place_of_the_value() {
    let found: Vec<String> =
        sites("a:\n- tag: '1' # <api:tag>\n- ghcr.io/acme/api:1 # <api>\n- ghcr.io/acme/db:1\n").iter().map(describe).collect();
    assert_eq!(
        found,
        ["2:9 marker a[0].tag ghcr.io/acme/api 1", "3:3 scalar a[1] ghcr.io/acme/api 1", "4:3 scalar a[2] ghcr.io/acme/db 1"]
    );
    let unclear = sites("a: [x, y] # <api>\n");
    assert_eq!(describe(&unclear[0]), "1:11 marker marker(flux-system:api) ghcr.io/acme/api - Unclear");
}

/// Makes a text that is no YAML, as templates are.
fn templated(text: &str) -> String {
    spell(&format!("{{{{- if .Values.on }}}}\n{text}{{{{- end }}}}\n"))
}

/// Moves the marked sites of a template to a tag, and those with a digest to another one.
fn bump_template(text: &str, tag: &str) -> Result<String, EditError> {
    let sites = scan(text.as_bytes(), Format::Template, &marked()).unwrap_or_default();
    let edit = |site| Edit { site, tag: Tag::parse(tag).unwrap(), digest: site.digest.as_ref().map(|_| digest('b')) };
    let edits: Vec<Edit<'_>> = sites.iter().filter(|site| site.locked.is_none() && site.marker.is_some()).map(edit).collect();
    Ok(String::from_utf8(apply(text.as_bytes(), &edits)?).unwrap())
}

#[test]
fn a_template_that_is_no_yaml_is_read_line_by_line_for_markers() {
    let (old, new) = (digest('a'), digest('b'));
    let pinned = [format!("tag: 1@{old} # <api:tag>\n"), format!("tag: 2.0.0@{new} # <api:tag>\n")];
    let parts = |tag: &str, digest: &str| format!("  tag: {tag} # <api:tag>\n  # why\n  digest: \"{digest}\" # <api:digest>\n");
    let turned = |tag: &str, digest: &str| format!("- digest: {digest} # <api:digest>\n- tag: {tag} # <api:tag>\n");
    let sha = |digest: &str| format!("sha: {digest} # <api:digest>\n");
    let whole = |name: &str| format!("image: ghcr.io/acme/api:{name} # <api>\n");
    for (text, expected) in [
        ("image: ghcr.io/acme/api:1 # <api>\n", "image: ghcr.io/acme/api:2.0.0 # <api>\n"),
        ("  - image: 'ghcr.io/acme/api:1'\t# <api>\n", "  - image: 'ghcr.io/acme/api:2.0.0'\t# <api>\n"),
        ("- - \"ghcr.io/acme/api:1\" # <api>\r\n", "- - \"ghcr.io/acme/api:2.0.0\" # <api>\r\n"),
        ("- --image=ghcr.io/acme/api:1 # <api>\n", "- --image=ghcr.io/acme/api:2.0.0 # <api>\n"),
        ("- \"--image=ghcr.io/acme/api:1\" # <api>\n", "- \"--image=ghcr.io/acme/api:2.0.0\" # <api>\n"),
        ("a: [x, ghcr.io/acme/api:1] # <api>\n", "a: [x, ghcr.io/acme/api:2.0.0] # <api>\n"),
        ("{name: {{ .x }}, image: ghcr.io/acme/api:1} # keep: <api>\n", "{name: {{ .x }}, image: ghcr.io/acme/api:2.0.0} # keep: <api>\n"),
        ("image: docker.io/library/nginx:1 # <hub>\n", "image: docker.io/library/nginx:2.0.0 # <hub>\n"),
        ("tag: \"1\" # <api:tag>\n", "tag: \"2.0.0\" # <api:tag>\n"),
        ("\"tag\": 1.20 # <api:tag>\n", "\"tag\": 2.0.0 # <api:tag>\n"),
        ("x: {repository: ghcr.io/acme/api, tag: 1} # <api:tag>\n", "x: {repository: ghcr.io/acme/api, tag: 2.0.0} # <api:tag>\n"),
        ("  tag: 1, # <api:tag>\n", "  tag: 2.0.0, # <api:tag>\n"),
        // Above the value, as far indented.
        ("  # <api:tag>\n  tag: 1\n", "  # <api:tag>\n  tag: 2.0.0\n"),
        ("# <api>\r\n- ghcr.io/acme/api:1 # why\r\n", "# <api>\r\n- ghcr.io/acme/api:2.0.0 # why\r\n"),
        ("# <web>\n- ghcr.io/acme/api:1 # <api>\n", "# <web>\n- ghcr.io/acme/api:2.0.0 # <api>\n"),
        // A `#` that starts no comment.
        ("- '# x' # y\n- a#b: 'ghcr.io/acme/api:1' # <api>\n", "- '# x' # y\n- a#b: 'ghcr.io/acme/api:2.0.0' # <api>\n"),
        // Behind what the engine leaves out.
        ("{{/* x */}}\ntag: 1 # <api:tag>\n", "{{/* x */}}\ntag: 2.0.0 # <api:tag>\n"),
        ("{{#if x}}\n${#y}\ntag: 1 # <api:tag>\n", "{{#if x}}\n${#y}\ntag: 2.0.0 # <api:tag>\n"),
        (&pinned[0], &pinned[1]),
        (&parts("1", old.as_str()), &parts("2.0.0", new.as_str())),
        (&turned("1", old.as_str()), &turned("2.0.0", new.as_str())),
        (&sha(old.as_str()), &sha(new.as_str())),
        // Empty values, with nothing below that could be one.
        ("tag: \"\" # <api:tag>\n", "tag: \"2.0.0\" # <api:tag>\n"),
        ("  tag: ''\t# <api:tag>\nb: 1\n", "  tag: '2.0.0'\t# <api:tag>\nb: 1\n"),
        ("a:\r\n  - tag: # <api:tag>\r\n\r\n  # x\r\n  - b: 1\r\n", "a:\r\n  - tag: 2.0.0 # <api:tag>\r\n\r\n  # x\r\n  - b: 1\r\n"),
        ("tag: ~ # <api:tag>\n", "tag: 2.0.0 # <api:tag>\n"),
        ("tag: null # <api:tag>\n", "tag: 2.0.0 # <api:tag>\n"),
        ("# <api:tag>\ntag: \"\"\n", "# <api:tag>\ntag: \"2.0.0\"\n"),
        ("image: \"\" # <api>\n", "image: \"ghcr.io/acme/api:2.0.0\" # <api>\n"),
        ("image: # <api>\nb: 1\n", "image: ghcr.io/acme/api:2.0.0 # <api>\nb: 1\n"),
        // The name of another repository, as Flux writes it, and its own as it stands.
        ("image: ghcr.io/acme/web:1 # <api>\n", "image: ghcr.io/acme/api:2.0.0 # <api>\n"),
        ("image: ghcr.io/acme/api # <api>\n", "image: ghcr.io/acme/api:2.0.0 # <api>\n"),
        ("image: docker.io/library/nginx # <hub>\n", "image: docker.io/library/nginx:2.0.0 # <hub>\n"),
        ("- 'ghcr.io/acme/web:1' # <api>\n", "- 'ghcr.io/acme/api:2.0.0' # <api>\n"),
        ("name: ghcr.io/acme/api # <api:name>\n", "name: ghcr.io/acme/api # <api:name>\n"),
        ("name: \"ghcr.io/acme/web\" # <api:name>\n", "name: \"ghcr.io/acme/api\" # <api:name>\n"),
        ("- name: acme/web # <api:name>\n  tag: 1 # <api:tag>\n", "- name: ghcr.io/acme/api # <api:name>\n  tag: 2.0.0 # <api:tag>\n"),
        ("tag: \"\" # <api:tag>\nname: acme/web # <api:name>\n", "tag: \"2.0.0\" # <api:tag>\nname: ghcr.io/acme/api # <api:name>\n"),
        (&whole(&format!("1@{old}")), &whole(&format!("2.0.0@{new}"))),
    ] {
        let text = templated(text);
        let found = scan(text.as_bytes(), Format::Template, &marked()).unwrap();
        assert_eq!(found.len(), 1, "{text}{found:#?}");
        let is_part = text.contains(":tag\"") || text.contains(":name\"");
        assert_eq!(found[0].marker.as_ref().unwrap().digest, !is_part || text.contains(":digest\""), "{text}");
        let moved = bump_template(&text, "2.0.0").unwrap();
        assert_eq!(moved, templated(expected));
        assert_eq!(bump_template(&moved, "2.0.0").unwrap(), moved, "a second time there is nothing to do");
    }
}

#[test]
fn what_is_not_beyond_doubt_in_a_template_is_left_alone_and_shown() {
    for text in [
        // A template in the value.
        "image: ghcr.io/acme/api:{{ .Values.tag }} # <api>\n",
        "image: {{ .Values.registry }}/acme/api:1 # <api>\n",
        "image: {{ .x | default \"ghcr.io/acme/api:1\" }} # <api>\n",
        "image: \"{{ .x }}ghcr.io/acme/api:1\" # <api>\n",
        "tag: {{ .Values.tag }} # <api:tag>\n",
        "tag: {{ .Values.tag }}-1 # <api:tag>\n",
        "tag: {% if x == 1 %} # <api:tag>\n",
        "tag: ${TAG:-1} # <api:tag>\n",
        // Several values that fit, or one among other words.
        "a: [ghcr.io/acme/api:1, ghcr.io/acme/api:2] # <api>\n",
        "{a: 1, tag: 2} # <api:tag>\n",
        "tag: x! 1 # <api:tag>\n",
        "tag: a,1.4! # <api:tag>\n",
        "image: x ghcr.io/acme/api:1 # <api>\n",
        "image: ghcr.io/acme/api:1 x # <api>\n",
        "image: 'ghcr.io/acme/api:1'x # <api>\n",
        "image: ghcr.io/acme/api:1[0] # <api>\n",
        // Several markers.
        "image: ghcr.io/acme/api:1 # <api> <web>\n",
        "{newName: ghcr.io/acme/api, newTag: 1} # <api:name> <api:tag>\n",
        // Nothing that fits.
        "image: not an image # <api>\n",
        "tag: ghcr.io/acme/web:1 # <api>\n",
        "tag: \"\" # <api>\n",
        "name: ghcr.io/acme/web:1 # <api:name>\n",
        "name: # <api:name>\n",
        "digest: abc # <api:digest>\n",
        "image: [ghcr.io/acme/web:1, ghcr.io/acme/db:1] # <api>\n",
        "# <api>\nimage: ghcr.io/acme/web:1\n",
        // An empty value that what is below may be.
        "tag: # <api:tag>\n  1\n",
        "tag: # <api:tag>\n- 1\n",
        "tag: # <api:tag>\n\n# x\n  {{ .x }}\n",
        "tag: # <api:tag>\n",
        "{a: 1, tag: # <api:tag>\n}\n",
        "- \"--tag=\" # <api:tag>\n",
        // Of no policy that is bound.
        "image: ghcr.io/acme/api:1 # <other>\n",
        // Above something else.
        "# <api:tag>\n  tag: 1\n",
        "# <api:tag>\n\ntag: 1\n",
        "# why <api:tag>\ntag: 1\n",
    ] {
        let text = templated(text);
        assert!(scan(text.as_bytes(), Format::Template, &marked()).is_err(), "{text}");
        let missed = Formats::default().missed(text.as_bytes(), Format::Template, &marked(), &[]);
        assert!(missed.iter().any(|missed| missed.why.as_str() == "marker"), "{text}{missed:?}");
    }
    // What was commented out, for YAML or for the template engine.
    for text in [
        "# image: ghcr.io/acme/api:1 # <api>\n",
        "{{- /*\nimage: ghcr.io/acme/api:1 # <api>\n*/}}\n",
        "{#\nimage: ghcr.io/acme/api:1 # <api>\n#}\n",
        "a: '<api>'\n",
    ] {
        assert!(scan(templated(text).as_bytes(), Format::Template, &marked()).is_err(), "{text}");
    }
    let sops = templated("tag: 1 # <api:tag>\nsops:\n  mac: x\n");
    assert_eq!(scan(sops.as_bytes(), Format::Yaml, &marked()).unwrap()[0].locked, Some(Locked::Sops));
    // JSON has no comments.
    assert!(scan(templated("tag: 1 # <api:tag>\n").as_bytes(), Format::Json, &marked()).is_err());
}

#[test]
fn a_tag_that_yaml_would_retype_gets_quotes_in_a_template() {
    for tag in ["1.10", "20240131", "1e3", "true"] {
        for text in ["tag: v1 # <api:tag>\n", "- v1 # <api:tag>\n", "{tag: v1} # <api:tag>\n"] {
            let text = templated(text);
            assert_eq!(bump_template(&text, tag).unwrap(), text.replace("v1", &format!("\"{tag}\"")));
        }
        for text in ["tag: 'v1' # <api:tag>\n", "- --tag=v1 # <api:tag>\n", "image: ghcr.io/acme/api:v1 # <api>\n"] {
            let text = templated(text);
            assert_eq!(bump_template(&text, tag).unwrap(), text.replace("v1", tag));
        }
    }
    // What nobody changes may stay as it is.
    let text = templated("tag: 1.10 # <api:tag>\nx: 'v1' # <api:tag>\n");
    let sites = scan(text.as_bytes(), Format::Template, &marked()).unwrap();
    let edit = Edit { site: &sites[1], tag: Tag::parse("2.0").unwrap(), digest: None };
    assert_eq!(apply(text.as_bytes(), &[edit]).unwrap(), text.replace("v1", "2.0").into_bytes());
}

#[test]
fn an_expression_and_a_marker_at_one_value_of_a_template_are_one_site() {
    let search = Search::new(&["image: (?<repository>[^:\\s]+):(?<tag>[\\w.]+)".to_owned()], None, |_| true).unwrap();
    let formats = Formats::new([search]);
    let text = templated("image: ghcr.io/acme/api:1 # <api>\nimage: ghcr.io/acme/db:1\ntag: 1 # <api:tag>\n");
    let format = formats.of("a.yaml").unwrap();
    let sites = formats.scan(text.as_bytes(), format, &marked()).unwrap();
    let found: Vec<_> = sites.iter().map(|site| (site.line, site.shape, site.marker.is_some(), &*site.key)).collect();
    assert_eq!(
        found,
        [
            (2, Shape::Regex, true, "image:ghcr.io/acme/api"),
            (3, Shape::Regex, false, "image:ghcr.io/acme/db"),
            (4, Shape::Marker, true, "tag:ghcr.io/acme/api"),
        ]
    );
}

#[test]
fn a_template_of_many_markers_costs_no_more_than_its_length() {
    let started = std::time::Instant::now();
    let marker = spell("<api:tag>");
    let long = |text: &str| format!("a: {} 1 # {marker}\n", text.repeat((1 << 20) / text.len()));
    for text in ["x", "x ", "x, ", "'", "' \"", "[", "{{", "{{ }}", "${", "# ", "a: ", "=", "ä", "{%"] {
        let _ = scan(templated(&long(text)).as_bytes(), Format::Template, &marked());
    }
    for line in
        [format!("tag: 1 # {marker}\n"), format!("# {marker}\n"), format!("{{{{ # {marker}\n"), format!("{{{{/* tag: {{# 1 # {marker}\n")]
    {
        assert!(scan(templated(&line.repeat(100_000)).as_bytes(), Format::Template, &marked()).is_err());
    }
    assert_eq!(scan(templated(&format!("tag: 1 # {marker}\n").repeat(10_000)).as_bytes(), Format::Yaml, &marked()).unwrap().len(), 10_000);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

proptest! {
    #[test]
    fn whatever_stands_in_a_template_only_the_marked_values_change(
        parts in proptest::collection::vec(proptest::sample::select(&PARTS[..]), 1..30), tag in "2\\.0\\.0|1\\.10|v3"
    ) {
        let text = templated(&parts.concat());
        if let Ok(moved) = bump_template(&text, &tag) {
            prop_assert_eq!(text.matches('\n').count(), moved.matches('\n').count());
            let mut is_below = false;
            for (old, new) in text.split(['\r', '\n']).zip(moved.split(['\r', '\n'])) {
                let is_marked = old.contains("$imagepolicy");
                prop_assert!(old == new || is_marked || is_below, "{:?} became {:?}", old, new);
                is_below = is_marked || is_below && old.is_empty();
                let lead = old.bytes().zip(new.bytes()).take_while(|(old, new)| old == new).count();
                let shorter = old.len().min(new.len()) - lead;
                let tail = old.bytes().rev().zip(new.bytes().rev()).take_while(|(old, new)| old == new).count().min(shorter);
                let (gone, written) = (&old[lead..old.len() - tail], &new[lead..new.len() - tail]);
                // One value for another, with a space before it or quotes around it at most.
                prop_assert!(!gone.contains([' ', ',', '#', '[', '{', '\'', '"']), "{:?} became {:?}", old, new);
                prop_assert!(!written.trim_matches([' ', '"']).contains([' ', ',', '#', '[', '{', '\'', '"']), "{:?} became {:?}", old, new);
            }
            prop_assert_eq!(bump_template(&moved, &tag).unwrap(), moved);
        }
    }
}

/// Parts that templates are made of.
const PARTS: [&str; 33] = [
    "image: ",
    "name: ",
    "docker.io/acme/old:1",
    "docker.io/acme/old",
    "~",
    " # <api:name>\n",
    "tag: ",
    "- ",
    "ghcr.io/acme/api:1",
    "ghcr.io/acme/api",
    "1",
    "'1'",
    "\"",
    "'",
    " # <api>\n",
    " # <api:tag>\n",
    " # <api:digest>\n",
    "# <api:tag>\n",
    "\n",
    "\r\n",
    "\r",
    "  ",
    "{{ .x }}",
    "{{",
    "}}",
    "{{/*",
    "*/}}",
    "${",
    ", ",
    "[",
    "=",
    "ä",
    "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

#[test]
fn a_text_of_many_markers_costs_no_more_than_its_length() {
    let started = std::time::Instant::now();
    let marker = spell("<api:tag>");
    let line = format!("a: [{}] # {}\n", "x, ".repeat(100_000), format!("{marker} ").repeat(10_000));
    let scalar = format!("a: '{}' # {marker}\n", format!("# {marker} ").repeat(50_000));
    let above = format!("{}tag: 1\n", format!("# {marker}\n").repeat(50_000));
    let comment = format!("# {}{}\na: 1\n", marker, "{".repeat(1 << 20));
    for text in [line, scalar, above, comment] {
        let _ = scan(text.as_bytes(), Format::Yaml, &marked());
    }
    let many: String = (0..100_000).map(|index| format!("t{index}: 1 # {marker}\n")).collect();
    assert!(scan(many.as_bytes(), Format::Yaml, &marked()).is_err(), "more sites than anyone writes");
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
