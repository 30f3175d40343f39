//! What an edit writes, and when it refuses.

use tagboat::error::{Classified, Verdict};
use tagboat::image::{Digest, Tag};
use tagboat::manifest::{Edit, EditError, Format, Locked, Site, apply};

use super::{api_sites, bump, digest, watch};

/// Moves the sites of `ghcr.io/acme/api` to a tag and compares the text.
fn writes(text: &str, tag: &str, expected: &str) {
    let watch = watch(&["ghcr.io/acme/api"]);
    let new = bump(text, &watch, tag);
    assert_eq!(new, expected);
    assert_eq!(bump(&new, &watch, tag), new, "a second time there is nothing to do");
}

fn edit<'a>(site: &'a Site, tag: &str, digest: Option<Digest>) -> Edit<'a> {
    Edit { site, tag: Tag::parse(tag).unwrap(), digest }
}

fn refuses(text: &str, tag: &str, digest: Option<Digest>) -> EditError {
    apply(text.as_bytes(), &[edit(&api_sites(text)[0], tag, digest)]).unwrap_err()
}

#[test]
fn only_the_tag_changes() {
    writes(
        "a:   'x'   \nimage:  ghcr.io/acme/api:1.4.1   # why\n\n\n",
        "1.5.0",
        "a:   'x'   \nimage:  ghcr.io/acme/api:1.5.0   # why\n\n\n",
    );
    writes("{\"image\":\"ghcr.io/acme/api:1\"}", "2-rc.1", "{\"image\":\"ghcr.io/acme/api:2-rc.1\"}");
    writes("[--x=ghcr.io/acme/api:1,'--y=ghcr.io/acme/api:1 --z']", "12", "[--x=ghcr.io/acme/api:12,'--y=ghcr.io/acme/api:12 --z']");
    writes("\u{feff}i: ghcr.io/acme/api:1\r\nj: ''\r\n", "2", "\u{feff}i: ghcr.io/acme/api:2\r\nj: ''\r\n");
}

#[test]
fn a_new_tag_that_is_no_string_gets_quotes() {
    let split = |tag: &str| format!("repository: ghcr.io/acme/api\ntag: {tag} # c\n");
    for retyped in ["1.10", "20240131", "1e3", "on", "0755", "0x1F", "1_000", "2024-01-31", "null", "Yes", "n"] {
        writes(&split("v1"), retyped, &split(&format!("\"{retyped}\"")));
        writes(&split("'v1'"), retyped, &split(&format!("'{retyped}'")));
        writes(&split("\"v1\""), retyped, &split(&format!("\"{retyped}\"")));
        writes(&split("&anchor v1"), retyped, &split(&format!("&anchor \"{retyped}\"")));
        writes(&split("!!str v1"), retyped, &split(&format!("!!str \"{retyped}\"")));
    }
    writes(&split("1.10"), "1.11", &split("\"1.11\""));
    writes(&split("1.10"), "1.4.2", &split("1.4.2"));
    writes("images: [{name: ghcr.io/acme/api, newTag: v1}]", "16", "images: [{name: ghcr.io/acme/api, newTag: \"16\"}]");
    writes("image: ghcr.io/acme/api:v1", "1.10", "image: ghcr.io/acme/api:1.10");
}

#[test]
fn quotes_follow_the_habit_of_the_file() {
    writes("a: 'x'\nrepository: ghcr.io/acme/api\ntag: v1\n", "1.10", "a: 'x'\nrepository: ghcr.io/acme/api\ntag: '1.10'\n");
    writes(
        "a: 'x'\nb: \"\"\nrepository: ghcr.io/acme/api\ntag: v1\n",
        "1.10",
        "a: 'x'\nb: \"\"\nrepository: ghcr.io/acme/api\ntag: \"1.10\"\n",
    );
}

#[test]
fn tag_and_digest_move_in_step() {
    let (old, new) = (digest('a'), digest('b'));
    writes(&format!("i: ghcr.io/acme/api:1@{old} # c"), "2", &format!("i: ghcr.io/acme/api:2@{new} # c"));
    let split = |tag: &str, digest: &Digest| format!("digest: '{digest}'\nrepository: ghcr.io/acme/api\ntag: {tag}\n");
    writes(&split("v1", &old), "v2", &split("v2", &new));
    let error = refuses(&split("v1", &old), "v2", None);
    assert_eq!(error, EditError::NeedsDigest { path: "tag".into() });
    assert_eq!(error.verdict(), Verdict::Bug);
}

#[test]
fn a_bare_digest_is_replaced_alone() {
    let text = |digest: &Digest| format!("i: ghcr.io/acme/api@{digest}\n");
    let site = &api_sites(&text(&digest('a')))[0];
    let new = apply(text(&digest('a')).as_bytes(), &[edit(site, "1.2.3", Some(digest('b')))]).unwrap();
    assert_eq!(String::from_utf8(new).unwrap(), text(&digest('b')));
}

#[test]
fn a_digest_can_be_pinned_behind_a_tag() {
    let pinned = |text: &str| {
        let new = apply(text.as_bytes(), &[edit(&api_sites(text)[0], "1.10", Some(digest('b')))]).unwrap();
        let new = String::from_utf8(new).unwrap();
        let site = &api_sites(&new)[0];
        assert_eq!((site.tag.as_ref().unwrap().as_str(), site.digest.as_ref()), ("1.10", Some(&digest('b'))), "{new}");
        new
    };
    let digest = digest('b');
    assert_eq!(pinned("i: ghcr.io/acme/api:1\n"), format!("i: ghcr.io/acme/api:1.10@{digest}\n"));
    assert_eq!(pinned("- x=ghcr.io/acme/api:1,y"), format!("- x=ghcr.io/acme/api:1.10@{digest},y"));
}

#[test]
fn sites_that_share_an_anchor_move_together_or_not_at_all() {
    let text = "v: &v 1.4.1\na: {repository: ghcr.io/acme/api, tag: *v}\nb: {repository: ghcr.io/acme/api, tag: *v}\n";
    writes(text, "1.4.2", &text.replace("1.4.1", "1.4.2"));
    let sites = api_sites(text);
    let error = apply(text.as_bytes(), &[edit(&sites[0], "2", None), edit(&sites[1], "3", None)]).unwrap_err();
    assert_eq!(error, EditError::Conflict { path: "a.tag".into(), other: "b.tag".into() });
    let one = apply(text.as_bytes(), &[edit(&sites[0], "v2", None)]).unwrap();
    assert_eq!(String::from_utf8(one).unwrap(), text.replace("1.4.1", "v2"));
}

#[test]
fn a_site_fits_no_other_text() {
    let text = "image: ghcr.io/acme/api:1\n";
    let site = &api_sites(text)[0];
    for other in ["image: ghcr.io/acme/api:2\n", "image: ghcr.io/acme/api:1\n\n", ""] {
        let error = apply(other.as_bytes(), &[edit(site, "3", None)]).unwrap_err();
        assert_eq!(error, EditError::Stale { path: "image".into() });
    }
}

#[test]
fn a_locked_site_is_refused() {
    let error = refuses("image: ghcr.io/acme/api:1\nsops: {}\n", "2", None);
    assert_eq!(error, EditError::Locked { path: "image".into(), reason: Locked::Sops });
    assert_eq!(error.verdict(), Verdict::Stalled);
    assert!(error.to_string().contains("sops"), "{error}");
}

#[test]
fn a_site_without_tag_and_digest_has_nothing_to_edit() {
    let error = refuses("image: ghcr.io/acme/api\n", "2", Some(digest('b')));
    assert_eq!(error, EditError::Untagged { path: "image".into() });
    assert_eq!(error.verdict(), Verdict::Bug);
}

#[test]
fn an_edit_never_moves_another_repository() {
    let text = "v: &v 1\na: {repository: ghcr.io/acme/api, tag: *v}\nb: {repository: ghcr.io/acme/web, tag: *v}\n";
    let error = refuses(text, "2", None);
    assert!(matches!(&error, EditError::Locked { reason: Locked::Shared { with }, .. } if with.to_string() == "ghcr.io/acme/web"));
    assert_eq!(error.hint().unwrap(), "give each image a tag of its own instead of the shared anchor");
}

#[test]
fn sites_of_two_scans_are_not_mixed() {
    let text = "a: ghcr.io/acme/api:1\nb: ghcr.io/acme/web:1\n";
    let api = &api_sites(text)[0];
    let web = &tagboat::manifest::scan(text.as_bytes(), Format::Yaml, &watch(&["ghcr.io/acme/web"])).unwrap()[0];
    let error = apply(text.as_bytes(), &[edit(web, "3", None), edit(api, "2", None)]).unwrap_err();
    assert_eq!(error, EditError::Stale { path: "a".into() });
}

#[test]
fn nothing_to_do_changes_nothing() {
    let text = "image: ghcr.io/acme/api:1\n";
    assert_eq!(apply(text.as_bytes(), &[]).unwrap(), text.as_bytes());
    writes(text, "1", text);
    writes("{repository: ghcr.io/acme/api, tag: 1.10}", "1.10", "{repository: ghcr.io/acme/api, tag: 1.10}");
}

#[test]
fn what_the_two_readers_read_differently_is_proved_by_each_against_itself() {
    // Doubled keys, merges, application tags, an anchor given twice, a document that the second reader cannot read (tab).
    for rest in [
        "a: 1\na: 2\n",
        "base: &b {x: y}\nc: {<<: *b}\n",
        "c: !Ref [a, !Sub b]\n",
        "c: &x 1\nd: &y 2\ne: &x 3\nf: &z 4\ng: [*x, *y, *z]\n",
        "c: \u{85}x\n",
        "c: 'a\u{2028}b'\n",
        "c: !local ghcr.io/acme/api:1.4.1\n",
    ] {
        let text = format!("image: ghcr.io/acme/api:1.4.1\n{rest}");
        writes(&text, "1.4.2", &text.replace("1.4.1", "1.4.2"));
    }
}
