//! What is a site and what is none, shape by shape.

use tagboat::image::Tag;
use tagboat::manifest::{Shape, Watch, scan};

use super::{api_sites, describe, watch};

/// Scans for `ghcr.io/acme/api` and compares the sites' descriptions, repository left out.
fn finds(text: &str, expected: &[&str]) {
    let found: Vec<String> = api_sites(text).iter().map(|site| describe(site).replacen(" ghcr.io/acme/api", "", 1)).collect();
    assert_eq!(found, expected, "in:\n{text}");
}

/// Scans for every reference and compares what was written.
fn lists(text: &str, expected: &[&str]) {
    let found: Vec<String> = scan(text.as_bytes(), &Watch::everything()).unwrap().into_iter().map(|site| site.written).collect();
    assert_eq!(found, expected, "in:\n{text}");
}

#[test]
fn a_scalar_is_found_under_any_key() {
    finds("image: ghcr.io/acme/api:1.4.1\n", &["1:8 scalar image 1.4.1"]);
    finds("env:\n- name: SIDECAR\n  value: ghcr.io/acme/api:1.4.1\n", &["3:10 scalar env[0].value 1.4.1"]);
    finds("- ghcr.io/acme/api:1.4.1\n- [a, 'ghcr.io/acme/api:1']\n", &["1:3 scalar [0] 1.4.1", "2:8 scalar [1][1] 1"]);
    finds("ghcr.io/acme/api:1.4.1", &["1:1 scalar  1.4.1"]);
    finds("a.b/c d: {x y: \"ghcr.io/acme/api:1.4.1\"}", &["1:17 scalar [\"a.b/c\\u{20}d\"][\"x\\u{20}y\"] 1.4.1"]);
}

#[test]
fn a_digest_belongs_to_the_site() {
    let digest = super::digest('a');
    finds(&format!("image: ghcr.io/acme/api:1.4.1@{digest}"), &["1:8 scalar image 1.4.1@sha256:aaaaaaa"]);
    finds(&format!("image: ghcr.io/acme/api@{digest}"), &["1:8 scalar image -@sha256:aaaaaaa"]);
}

#[test]
fn what_is_no_site() {
    for text in [
        "image: ghcr.io/acme/api\n",
        "image: ghcr.io/acme/api-server:1\n",
        "image: acme/api:1\n",
        "image: ghcr.io/acme/api:{{ .Values.tag }}\n",
        "image: ghcr.io/acme/api:${TAG}\n",
        "ghcr.io/acme/api:1: key\n",
        "? ghcr.io/acme/api:1\n: key\n",
        "# ghcr.io/acme/api:1\na: b\n",
        "data: |\n  image: ghcr.io/acme/api:1\n",
        "image: >-\n  ghcr.io/acme/api:1\n",
        "url: https://ghcr.io/acme/api:1\n",
        "command: docker run ghcr.io/acme/api:1\n",
        "repository: ghcr.io/acme/api\n",
        "repository: ghcr.io/acme/api\ntag:\n",
        "repository: ghcr.io/acme/api\ntag: \"\"\n",
        "repository: ghcr.io/acme/api\ntag: null # default of the chart\n",
        "repository: ghcr.io/acme/api\nother: {tag: 1.4.1}\n",
        "repository: ghcr.io/acme/api\nversion: 1.4.1\n",
        "repository: oci://ghcr.io/acme/api\ntag: 1.4.1\n",
        "images:\n- name: ghcr.io/acme/api:1\n  newTag: \"\"\n",
        "images:\n- name: ghcr.io/acme/api\n  newName: ghcr.io/acme/other\n  newTag: 1.4.1\n",
    ] {
        finds(text, &[]);
    }
}

#[test]
fn arguments_behind_an_equals_sign() {
    finds(
        "args:\n- --sidecar-image=ghcr.io/acme/api:1.4.1\n- \"--a=x:1,ghcr.io/acme/api:1.4.0\"\n",
        &["2:19 argument args[0] 1.4.1", "3:12 argument args[1] 1.4.0"],
    );
    finds("kustomize: {images: [old=ghcr.io/acme/api:1.4.1]}", &["1:26 argument kustomize.images[0] 1.4.1"]);
    finds("a: 'ü=1 A=ghcr.io/acme/api:2 B=ghcr.io/acme/api:3'", &["1:11 argument a 2", "1:32 argument a 3"]);
    finds(r#"a: "{\"img\"=\"ghcr.io/acme/api:2\"}""#, &["1:16 argument a 2"]);
}

#[test]
fn split_mappings_in_any_order_and_style() {
    finds("image:\n  tag: 1.4.1\n  repository: ghcr.io/acme/api\n", &["2:8 split image.tag 1.4.1"]);
    finds("image: {repository: acme/api, registry: ghcr.io, tag: '1.4.1'}", &["1:56 split image.tag 1.4.1"]);
    finds("image: {repository: api, registry: ghcr.io/acme/, tag: 1.4.1}", &["1:56 split image.tag 1.4.1"]);
    finds("image: {repository: ghcr.io/acme/api, registry: \"\", tag: 1.10}", &["1:58 split image.tag 1.10"]);
    finds("image: ghcr.io/acme/api\ntag: 1.4.1\n", &["2:6 split tag 1.4.1"]);
    finds("image: ghcr.io/acme/api\nimageTag: 1.4.1\n", &["2:11 split imageTag 1.4.1"]);
    finds("apiImage: ghcr.io/acme/api\napiImageTag: 1.4.1\n", &["2:14 split apiImageTag 1.4.1"]);
    finds("imageRepository: ghcr.io/acme/api\nimageTag: 1.4.1\n", &["2:11 split imageTag 1.4.1"]);
    finds("name: ghcr.io/acme/api\ntag: 1.4.1\n", &["2:6 split tag 1.4.1"]);
    finds("image.repository: ghcr.io/acme/api\nimage.tag: 1.4.1\n", &["2:12 split [\"image.tag\"] 1.4.1"]);
    finds("coreImage:\n  repository: ghcr.io/acme/api\n  version: 1.4.1\n", &["3:12 split coreImage.version 1.4.1"]);
}

#[test]
fn split_digests() {
    let digest = super::digest('a');
    finds(&format!("repository: ghcr.io/acme/api\ntag: 1.4.1\ndigest: {digest}\n"), &["2:6 split tag 1.4.1@sha256:aaaaaaa"]);
    finds(&format!("digest: {digest}\nrepository: ghcr.io/acme/api\ntag: ''\n"), &["1:9 split digest -@sha256:aaaaaaa"]);
    finds(&format!("repository: ghcr.io/acme/api\ntag: 1.4.1@{digest}\n"), &["2:6 split tag 1.4.1@sha256:aaaaaaa"]);
    finds("repository: ghcr.io/acme/api\ntag: 1.4.1\ndigest: ''\n", &["2:6 split tag 1.4.1"]);
}

#[test]
fn a_short_name_needs_more_than_a_name_key() {
    let sites = |text: &str| scan(text.as_bytes(), &watch(&["nginx"])).unwrap().len();
    assert_eq!(sites("- {name: nginx, tag: 1.25}"), 0, "it may be anything that is called nginx");
    assert_eq!(sites("image: {name: nginx, tag: 1.25}"), 1);
    assert_eq!(sites("image: {repository: nginx, tag: 1.25}"), 1);
    assert_eq!(sites("image: docker.io/library/nginx:1.25"), 1);
    assert_eq!(sites("image: index.docker.io/nginx:1.25"), 1);
}

#[test]
fn kustomize_entries() {
    let digest = super::digest('a');
    finds("images:\n- name: ghcr.io/acme/api\n  newTag: 1.4.1\n", &["3:11 kustomize images[0].newTag 1.4.1"]);
    finds("spec: {images: [{newTag: '11', newName: ghcr.io/acme/api, name: api}]}", &["1:27 kustomize spec.images[0].newTag 11"]);
    finds(&format!("images:\n- digest: {digest}\n  name: ghcr.io/acme/api\n"), &["2:11 kustomize images[0].digest -@sha256:aaaaaaa"]);
    finds(
        &format!("images:\n- newTag: 1.4.1\n  digest: {digest}\n  name: ghcr.io/acme/api\n"),
        &["2:11 kustomize images[0].newTag 1.4.1@sha256:aaaaaaa"],
    );
    finds(&format!("images:\n- name: ghcr.io/acme/api\n  newTag: 11@{digest}\n"), &["3:11 kustomize images[0].newTag 11@sha256:aaaaaaa"]);
    finds(&format!("images:\n- name: ghcr.io/acme/api\n  newTag: {digest}\n"), &["3:11 kustomize images[0].newTag - Malformed"]);
    finds("images:\n- name: api\n  newName: ghcr.io/acme/api:1.4.1\n", &["3:12 scalar images[0].newName 1.4.1"]);
}

#[test]
fn helm_parameters() {
    let text = "helm:\n  parameters:\n  - name: image.tag\n    value: '1.4.1'\n  - {name: image.repository, value: ghcr.io/acme/api}\n  - {name: replicas, value: '3'}\n";
    finds(text, &["4:13 parameters helm.parameters[0].value 1.4.1"]);
    assert_eq!(api_sites(text)[0].key, "helm.parameters[name=image.tag].value");
    finds(
        "parameters: [{name: image.name, value: ghcr.io/acme/api}, {name: image.tag, value: 1.4.1}]",
        &["1:84 parameters parameters[1].value 1.4.1"],
    );
    finds(
        "parameters: [{name: image, value: ghcr.io/acme/api}, {name: image.tag, value: 1.4.1}]",
        &["1:79 parameters parameters[1].value 1.4.1"],
    );
    finds("parameters: [{name: a.repository, value: ghcr.io/acme/api}, {name: b.tag, value: 1.4.1}]", &[]);
}

#[test]
fn an_alias_is_its_anchor() {
    finds("a: &img ghcr.io/acme/api:1.4.1\nb: *img\n", &["1:9 scalar a 1.4.1"]);
    finds("v: &v 1.4.1\nimage: {repository: ghcr.io/acme/api, tag: *v}\n", &["1:7 split image.tag 1.4.1"]);
    finds("r: &r ghcr.io/acme/api\nimage: {repository: *r, tag: 1.4.1}\n", &["2:30 split image.tag 1.4.1"]);
    finds("base: &b {repository: ghcr.io/acme/api}\nimage: {<<: *b, tag: 1.4.1}\n", &["2:22 split image.tag 1.4.1"]);
    finds("base: &b {repository: ghcr.io/acme/api, tag: 1}\nimage: {<<: [*b], pullPolicy: Always}\n", &["1:46 split base.tag 1"]);
    finds("a: &a {b: *a}\nimage: ghcr.io/acme/api:1\n", &["2:8 scalar image 1"]);
}

#[test]
fn documents_are_counted_in_paths_and_named_in_keys() {
    let text = "kind: Deployment\nmetadata: {name: a}\nimage: ghcr.io/acme/api:1\n---\nkind: Job\nmetadata: {namespace: n s, name: b}\nimage: ghcr.io/acme/api:2\n---\nimage: ghcr.io/acme/api:3\n";
    let sites = api_sites(text);
    assert_eq!(sites.iter().map(|s| s.path.as_str()).collect::<Vec<_>>(), ["image", "document[1].image", "document[2].image"]);
    assert_eq!(
        sites.iter().map(|s| s.key.as_str()).collect::<Vec<_>>(),
        ["Deployment/a:image", "Job/n\\u{20}s/b:image", "document[2].image"]
    );
    assert_eq!(sites.iter().map(|s| s.line).collect::<Vec<_>>(), [3, 7, 9]);
}

#[test]
fn keys_hold_still_when_lists_are_reordered_and_are_unique() {
    let keys = |text: &str| api_sites(text).into_iter().map(|site| site.key).collect::<Vec<_>>();
    assert_eq!(
        keys("containers: [{name: a, image: ghcr.io/acme/api:1}, {image: ghcr.io/acme/api:2, name: b}, {image: ghcr.io/acme/api:3}]"),
        ["containers[name=a].image", "containers[name=b].image", "containers[2].image"]
    );
    assert_eq!(keys("[{name: a, i: ghcr.io/acme/api:1}, {name: a, i: ghcr.io/acme/api:2}]"), ["[name=a].i", "[name=a].i#2"]);
    assert_eq!(keys("a: X=ghcr.io/acme/api:1 Y=ghcr.io/acme/api:2"), ["a", "a#2"]);
}

#[test]
fn what_must_not_be_edited_is_reported_locked() {
    finds("image: ghcr.io/acme/api:1\nsops: {mac: x}\n", &["1:8 scalar image 1 Sops"]);
    finds(
        "a: ghcr.io/acme/api:1\n---\nb: ghcr.io/acme/api:1\nsops:\n  mac: x\n",
        &["1:4 scalar a 1 Sops", "3:4 scalar document[1].b 1 Sops"],
    );
    finds("image: ghcr.io/acme/api:1\nsops: text\n", &["1:8 scalar image 1"]);
    finds(
        "image: ghcr.io/acme/api:1\nimage: ghcr.io/acme/api:2\n",
        &["1:8 scalar image 1 DuplicateKey", "2:8 scalar image 2 DuplicateKey"],
    );
    finds("a: {x: [ghcr.io/acme/api:1]}\n'a': {}\n", &["1:9 scalar a.x[0] 1 DuplicateKey"]);
    finds("i: {repository: x/y, repository: ghcr.io/acme/api, tag: 1}", &["1:57 split i.tag 1 DuplicateKey"]);
    finds("i: {repository: ghcr.io/acme/api, tag: 1, tag: 2}", &["1:40 split i.tag 1 DuplicateKey", "1:48 split i.tag 2 DuplicateKey"]);
    finds("<<: {}\n<<: {}\nimage: ghcr.io/acme/api:1\n", &["3:8 scalar image 1"]);
    finds("i: \"ghcr.io/acme/api:\\\n  1\"\n", &["1:4 scalar i 1 NotVerbatim"]);
    finds("i: \"ghcr.io\\x2facme/api:1\"\nother: api\n", &["1:4 scalar i 1 NotVerbatim"]);
    finds("i: \"ghcr.io/acme/\\x61pi:1\"\nother: api\n", &["1:4 scalar i 1 NotVerbatim"]);
    finds("{repository: ghcr.io/acme/api, tag: '${TAG}'}", &["1:38 split tag - Malformed"]);
    finds("{repository: ghcr.io/acme/api, tag: !!float 1.10}", &["1:45 split tag 1.10 Typed"]);
    finds("{repository: ghcr.io/acme/api, tag: !!str 1.10}", &["1:43 split tag 1.10"]);
    finds("{repository: ghcr.io/acme/api, tag: 1, digest: 'sha256:0'}", &["1:37 split tag 1 Malformed"]);
}

#[test]
fn positions_count_characters_and_leave_the_byte_order_mark_out() {
    finds("\u{feff}image: ghcr.io/acme/api:1\r\n'ä😀': 'ghcr.io/acme/api:2'\r\n", &["1:8 scalar image 1", "2:8 scalar [\"ä😀\"] 2"]);
    finds("a: b\rimage: ghcr.io/acme/api:1\r", &["2:8 scalar image 1"]);
}

#[test]
fn the_whole_site() {
    let site = api_sites("image: {repository: acme/api, registry: GHCR.io, tag: 1.4.1}").remove(0);
    assert_eq!(site.written, "GHCR.io/acme/api:1.4.1");
    assert_eq!(site.repository.to_string(), "ghcr.io/acme/api");
    assert_eq!(site.shape, Shape::Split);
    assert_eq!(site.tag, Some(Tag::parse("1.4.1").unwrap()));
    let json = serde_json::to_value(&site).unwrap();
    assert_eq!(json["reference"], "GHCR.io/acme/api:1.4.1");
    assert_eq!(json["shape"], "split");
    assert_eq!(json["locked"], serde_json::Value::Null);
}

#[test]
fn patterns_find_all_that_they_cover() {
    let text = "[ghcr.io/acme/api:1, ghcr.io/acme/web:2, ghcr.io/acme/team/x:3, ghcr.io/other/api:4]";
    let found = |patterns: &[&str]| {
        scan(text.as_bytes(), &watch(patterns)).unwrap().iter().map(|site| site.line + site.column).collect::<Vec<_>>().len()
    };
    assert_eq!(found(&["ghcr.io/acme/*"]), 2);
    assert_eq!(found(&["ghcr.io/acme/**"]), 3);
    assert_eq!(found(&["**"]), 4);
    assert_eq!(found(&["ghcr.io/acme/api", "ghcr.io/acme/api", "ghcr.io/*/api"]), 2);
    assert_eq!(found(&[]), 0);
}

#[test]
fn all_references_are_those_for_sure() {
    let digest = super::digest('a');
    lists("a: foo:bar\nurl: http://x/y:80\ntime: '12:30'\nports: ['8080:80']\nref: acme/api:1\n", &[]);
    lists("image: nginx:1\nsidecarImage: acme/x:2\nimages: [y:3]\nMY_IMAGE: z:4\n", &["nginx:1", "acme/x:2", "y:3", "z:4"]);
    lists(
        "a: ghcr.io/acme/api:1\nb: localhost:5000/x:2\nc: localhost/x:3\n",
        &["ghcr.io/acme/api:1", "localhost:5000/x:2", "localhost/x:3"],
    );
    lists(&format!("a: x@{digest}"), &[&format!("x@{digest}")]);
    lists("args: [--image=x:1, --flag=a:1, --other=ghcr.io/a/b:1]", &["x:1", "ghcr.io/a/b:1"]);
    lists("i: {repository: acme/api, tag: 1}\nj: {name: acme/api, tag: 1}\nimage: {name: api, tag: 1}\n", &["acme/api:1", "api:1"]);
    lists("images: [{name: x, newTag: v1}]", &["x:v1"]);
}
