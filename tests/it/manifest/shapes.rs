//! What is a site and what is none, shape by shape.

use tagboat::image::Tag;
use tagboat::manifest::{Format, Shape, Watch, scan};

use super::{api_sites, describe, digest, watch};

/// Scans for `ghcr.io/acme/api` and compares the sites' descriptions, repository left out.
fn finds(text: &str, expected: &[&str]) {
    let found: Vec<String> = api_sites(text).iter().map(|site| describe(site).replacen(" ghcr.io/acme/api", "", 1)).collect();
    assert_eq!(found, expected, "in:\n{text}");
}

/// Scans for every reference and compares what was written.
fn lists(text: &str, expected: &[&str]) {
    let found: Vec<String> =
        scan(text.as_bytes(), Format::Yaml, &Watch::everything()).unwrap().into_iter().map(|site| site.written.to_string()).collect();
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
        "image: ghcr.io/acme/api-server:1\n",
        "image: acme/api:1\n",
        "image: ghcr.io/acme/api:{{ .Values.tag }}\n",
        "image: ghcr.io/acme/api:${TAG}\n",
        "ghcr.io/acme/api:1: key\n",
        "? ghcr.io/acme/api:1\n: key\n",
        "# ghcr.io/acme/api:1\na: b\n",
        "url: https://ghcr.io/acme/api:1\n",
        "command: docker run ghcr.io/acme/api:1\n",
        "repository: ghcr.io/acme/api\n",
        "repository: ghcr.io/acme/api\nother: {tag: 1.4.1}\n",
        "repository: ghcr.io/acme/api\nversion: 1.4.1\n",
        "repository: oci://ghcr.io/acme/api\ntag: \"\"\n",
        "images:\n- name: ghcr.io/acme/api:1\n  newTag: \"\"\n",
        "images:\n- name: ghcr.io/acme/api\n  newName: ghcr.io/acme/other\n  newTag: 1.4.1\n",
    ] {
        finds(text, &[]);
    }
}

#[test]
fn a_reference_without_a_tag_is_shown_where_an_image_stands() {
    finds("image: ghcr.io/acme/api\n", &["1:8 scalar image -"]);
    finds("containers: [{name: api, sidecarImage: 'ghcr.io/acme/api'}]", &["1:41 scalar containers[0].sidecarImage -"]);
    finds("images:\n- ghcr.io/acme/api\n", &["2:3 scalar images[0] -"]);
    finds("volumes: [{image: {reference: ghcr.io/acme/api}}]", &["1:31 scalar volumes[0].image.reference -"]);
    finds("image: ghcr.io/acme/api\nversion: 1.4.1\n", &["1:8 scalar image -"]);
    finds("image: ghcr.io/acme/api\nsops: {}\n", &["1:8 scalar image - Sops"]);
    finds("image: ghcr.io/acme/api\nimage: x\n", &["1:8 scalar image - DuplicateKey"]);
    let ported = scan(b"image: localhost:5000/api", Format::Yaml, &watch(&["localhost:5000/api"])).unwrap();
    assert_eq!(&*ported[0].written, "localhost:5000/api", "a port is no tag");
    let site = api_sites("image: ghcr.io/acme/api").remove(0);
    assert_eq!((site.tag, site.digest, site.locked, site.written), (None, None, None, "ghcr.io/acme/api".into()));
}

#[test]
fn a_name_without_a_tag_is_no_site_where_no_image_stands() {
    for text in [
        "a: ghcr.io/acme/api\n",
        "image: {name: ghcr.io/acme/api}\n",
        "image: {repository: ghcr.io/acme/api}\n",
        "reference: ghcr.io/acme/api\n",
        "images: [{name: ghcr.io/acme/api}]\n",
        "imagePullSecrets: [ghcr.io/acme/api]\n",
        "args: [--image=ghcr.io/acme/api]\n",
        "image: https://ghcr.io/acme/api\n",
        "image: |\n  ghcr.io/acme/api\n",
        "image: ghcr.io/acme/api/\n",
        "kind: ImageRepository\nspec: {image: ghcr.io/acme/api}\n",
    ] {
        finds(text, &[]);
    }
    let names = "metadata: {name: api, labels: {app.kubernetes.io/name: api}}\ncontainers: [{name: api, image: other}]\n";
    assert!(scan(names.as_bytes(), Format::Yaml, &watch(&["api"])).unwrap().is_empty(), "a name is no image");
}

#[test]
fn a_tag_that_is_empty_is_one_to_fill() {
    for (text, found) in [
        ("repository: ghcr.io/acme/api\ntag:\n", "2:5 split tag -"),
        ("repository: ghcr.io/acme/api\ntag: \"\"\n", "2:7 split tag -"),
        ("repository: ghcr.io/acme/api\ntag: null # default of the chart\n", "2:6 split tag -"),
        ("image: ghcr.io/acme/api\ntag: ''\n", "2:7 split tag -"),
        ("image: ghcr.io/acme/api\nimageTag:\n", "2:10 split imageTag -"),
        ("b: &b {tag: ''}\nc: {<<: *b, image: ghcr.io/acme/api}\n", "1:14 split c.tag -"),
        ("images: [{name: ghcr.io/acme/api, newTag: ~}]", "1:43 kustomize images[0].newTag -"),
        ("parameters: [{name: i.name, value: ghcr.io/acme/api}, {name: i.tag, value: ''}]", "1:77 parameters parameters[1].value -"),
    ] {
        finds(text, &[found]);
        assert!(api_sites(text)[0].blank, "{text}");
    }
    for text in ["{repository: ghcr.io/acme/api, tag}", "? tag\nrepository: ghcr.io/acme/api\n"] {
        finds(text, &[]);
    }
}

#[test]
fn an_empty_tag_beside_a_digest_is_not_filled_as_nobody_knows_which_version_the_digest_is_of() {
    let digest = digest('a');
    for (text, found) in [
        (format!("repository: ghcr.io/acme/api\ntag: \"\"\ndigest: {digest}\n"), "3:9 split digest -@sha256:aaaaaaa"),
        (format!("image: {{repository: ghcr.io/acme/api, digest: '{digest}', tag: ~}}\n"), "1:48 split image.digest -@sha256:aaaaaaa"),
        (
            format!("images: [{{name: ghcr.io/acme/api, newTag: '', digest: {digest}}}]\n"),
            "1:55 kustomize images[0].digest -@sha256:aaaaaaa",
        ),
    ] {
        finds(&text, &[found]);
        assert!(!api_sites(&text)[0].blank, "{text}");
    }
}

#[test]
fn a_repository_beside_its_tag_is_one_site() {
    finds("image: ghcr.io/acme/api\ntag: 1.4.1\n", &["2:6 split tag 1.4.1"]);
    finds("api_image: ghcr.io/acme/api\napi_image_tag: 1.4.1\n", &["2:16 split api_image_tag 1.4.1"]);
    finds("v: &v 1.4.1\na: {image: ghcr.io/acme/api, imageTag: *v}\n", &["1:7 split a.imageTag 1.4.1"]);
    finds("b: &b {tag: 1.4.1}\nc: {<<: *b, image: ghcr.io/acme/api}\n", &["1:13 split c.tag 1.4.1"]);
    lists("image: {image: nginx, tag: 1.25}\n", &["nginx:1.25"]);
    lists("images: [{name: ghcr.io/a/image, newName: ghcr.io/a/b, newTag: v1}]", &["ghcr.io/a/b:v1"]);
}

#[test]
fn split_keys_with_underscores() {
    finds("image_repository: ghcr.io/acme/api\nimage_tag: 1.4.1\n", &["2:12 split image_tag 1.4.1"]);
    finds("image_name: acme/api\nimage_registry: ghcr.io\nimage_tag: 1.4.1\n", &["3:12 split image_tag 1.4.1"]);
    finds("image_repo: ghcr.io/acme/api\nimage_tag: 1.4.1\n", &["2:12 split image_tag 1.4.1"]);
    finds("env: {IMAGE_NAME: ghcr.io/acme/api, IMAGE_TAG: 1.4.1}", &["1:48 split env.IMAGE_TAG 1.4.1"]);
    finds("env: {IMAGE: ghcr.io/acme/api, TAG: 1.4.1}", &["1:37 split env.TAG 1.4.1"]);
    finds("image: {repo: ghcr.io/acme/api, tag: 1.4.1}", &["1:38 split image.tag 1.4.1"]);
    finds("git_repository: ghcr.io/acme/api\ngit_tag: 1.4.1\n", &[]);
    finds("image_name: ghcr.io/acme/api\nimage_version: v1.4\n", &["2:16 split image_version v1.4"]);
    finds("apiImage: ghcr.io/acme/api\napiImageVersion: v1.4\napiVersion: v1\n", &["2:18 split apiImageVersion v1.4"]);
    finds("image_name: ghcr.io/acme/api\ngo_version: v1.4\nimage_version: registry/x:1\n", &[]);
    lists("image_name: nginx\nimage_tag: 1.25\n", &["nginx:1.25"]);
    lists("- {repo: github.com/acme/api, tag: v1}\n- {repo: acme/api, tag: v1}\n- image: {repo: acme/api, tag: v1}\n", &["acme/api:v1"]);
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
    let sites = |text: &str| scan(text.as_bytes(), Format::Yaml, &watch(&["nginx"])).unwrap().len();
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
    assert_eq!(&*api_sites(text)[0].key, "helm.parameters[name=image.tag].value");
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
fn what_a_mapping_merges_in_counts_as_its_own_where_it_adds_to_it() {
    finds("b: &b {tag: 1.4.1}\nc: {<<: *b, repository: ghcr.io/acme/api}\n", &["1:13 split c.tag 1.4.1"]);
    finds(
        "b: &b {repository: acme/api, tag: 1}\nc: {<<: *b, registry: ghcr.io}\n",
        &["1:35 split c.tag 1 Shared { with: Repository(docker.io/acme/api) }"],
    );
    // The nearest counts: what stands here, then the first base with all that it merges in, then the second.
    let bases = "a: &a {tag: 1}\nb: &b {<<: *a, x: y}\nc: &c {tag: 2}\n";
    finds(&format!("{bases}d: {{<<: [*b, *c], repository: ghcr.io/acme/api}}"), &["1:13 split d.tag 1"]);
    finds(&format!("{bases}d: {{<<: [*c, *b], repository: ghcr.io/acme/api}}"), &["3:13 split d.tag 2"]);
    finds(&format!("{bases}d: {{<<: [*c, *b], repository: ghcr.io/acme/api, tag: 3}}"), &["4:54 split d.tag 3"]);
    finds("b: &b {tag: 1, tag: 2}\nc: {<<: *b, repository: ghcr.io/acme/api}\n", &["1:21 split c.tag 2 DuplicateKey"]);
    let digest = super::digest('a');
    finds(
        &format!("b: &b {{digest: '{digest}'}}\nc: {{<<: *b, repository: ghcr.io/acme/api, tag: 1}}\n"),
        &["2:48 split c.tag 1@sha256:aaaaaaa"],
    );
    finds("b: &b {repository: ghcr.io/acme/api, tag: 1}\nn: &n x\nc: {<<: *b, pullPolicy: *n}\n", &["1:43 split b.tag 1"]);
    finds("images: [&a {name: ghcr.io/acme/api, newTag: 1}, {<<: *a}]", &["1:46 kustomize images[0].newTag 1"]);
    finds("images: [&a {newTag: 1}, {<<: *a, name: ghcr.io/acme/api}]", &["1:22 kustomize images[1].newTag 1"]);
}

#[test]
fn a_tag_that_another_repository_shares_is_locked() {
    let v = "v: &v 1.4.1\n";
    let api = "api: {repository: ghcr.io/acme/api, tag: *v}\n";
    let locked = |with: &str| format!("1:7 split api.tag 1.4.1 Shared {{ with: Repository({with}) }}");
    for (other, with) in [
        ("web: {repository: ghcr.io/acme/web, tag: *v}\n", "ghcr.io/acme/web"),
        ("web: {name: acme/web, tag: *v}\n", "docker.io/acme/web"),
        ("web: {image: nginx, imageTag: *v}\n", "docker.io/library/nginx"),
        ("web: {registry: quay.io, repository: acme/api, tag: *v}\n", "quay.io/acme/api"),
        ("images: [{name: nginx, newTag: *v}]\n", "docker.io/library/nginx"),
        ("parameters: [{name: image, value: nginx}, {name: image.tag, value: *v}]\n", "docker.io/library/nginx"),
        ("base: &b {tag: *v}\nweb: {<<: *b, repository: nginx}\n", "docker.io/library/nginx"),
    ] {
        finds(&format!("{v}{api}{other}"), &[&locked(with)]);
    }
    finds(
        "web: {repository: nginx, tag: &v 1}\napi: {repository: ghcr.io/acme/api, tag: *v}\n",
        &["1:34 split api.tag 1 Shared { with: Repository(docker.io/library/nginx) }"],
    );
    finds(
        "api: &api {repository: ghcr.io/acme/api, tag: 1}\nweb: {<<: *api, repository: nginx}\n",
        &["1:47 split api.tag 1 Shared { with: Repository(docker.io/library/nginx) }"],
    );
    finds(
        "api: &api {p: &p x, repository: ghcr.io/acme/api, tag: 1}\nq: *p\nweb: {<<: *api, repository: nginx}\n",
        &["1:56 split api.tag 1 Shared { with: Repository(docker.io/library/nginx) }"],
    );
    let digest = super::digest('a');
    finds(
        &format!("api: {{repository: ghcr.io/acme/api, tag: 1, digest: &d '{digest}'}}\nweb: {{repository: nginx, digest: *d}}\n"),
        &["1:42 split api.tag 1@sha256:aaaaaaa Shared { with: Repository(docker.io/library/nginx) }"],
    );
}

#[test]
fn two_watched_repositories_that_share_a_tag_are_both_locked() {
    let text = "v: &v 1\na: {repository: ghcr.io/acme/api, tag: *v}\nb: {repository: ghcr.io/acme/web, tag: *v}\n";
    let sites = scan(text.as_bytes(), Format::Yaml, &watch(&["ghcr.io/acme/*"])).unwrap();
    let reasons: Vec<_> = sites.iter().map(|site| site.locked.as_ref().unwrap().to_string()).collect();
    let reason = |with: &str| format!("it shares its tag or digest with ghcr.io/acme/{with}, which would move along");
    assert_eq!(reasons, [reason("web"), reason("api")]);
}

#[test]
fn an_anchor_that_no_other_repository_uses_locks_nothing() {
    let v = "v: &v 1.4.1\n";
    let api = "api: {repository: ghcr.io/acme/api, tag: *v}\n";
    for other in [
        "labels: {version: *v}\n",
        "web: {repository: ghcr.io/acme/web, tag: 1.4.1}\n",
        "web: {repository: ghcr.io/acme/web, tag: ''}\nx: *v\n",
        "a: {name: api, tag: *v}\n",
        "a: {image: 'ghcr.io/acme/api:1.4.1', x: *v}\n".replace("ghcr.io/acme/api", "ghcr.io/acme/web").as_str(),
        "git: {url: 'https://example.com/x', tag: *v}\n",
    ] {
        finds(&format!("{v}{api}{other}"), &["1:7 split api.tag 1.4.1"]);
    }
    // The same place read in two ways is no second reference.
    finds("v: &v 1\na: {repository: charts, image: ghcr.io/acme/api, tag: *v}\n", &["1:7 split a.tag 1"]);
    finds("a: &a {image: {repository: ghcr.io/acme/api, tag: 1}}\nb: *a\nc: {<<: *a}\n", &["1:51 split a.image.tag 1"]);
}

#[test]
fn documents_are_counted_in_paths_and_named_in_keys() {
    let text = "kind: Deployment\nmetadata: {name: a}\nimage: ghcr.io/acme/api:1\n---\nkind: Job\nmetadata: {namespace: n s, name: b}\nimage: ghcr.io/acme/api:2\n---\nimage: ghcr.io/acme/api:3\n";
    let sites = api_sites(text);
    assert_eq!(sites.iter().map(|s| &*s.path).collect::<Vec<_>>(), ["image", "document[1].image", "document[2].image"]);
    assert_eq!(sites.iter().map(|s| &*s.key).collect::<Vec<_>>(), ["Deployment/a:image", "Job/n\\u{20}s/b:image", "document[2].image"]);
    assert_eq!(sites.iter().map(|s| s.line).collect::<Vec<_>>(), [3, 7, 9]);
}

#[test]
fn keys_hold_still_when_lists_are_reordered_and_are_unique() {
    let keys = |text: &str| api_sites(text).into_iter().map(|site| site.key.to_string()).collect::<Vec<_>>();
    assert_eq!(
        keys("containers: [{name: a, image: ghcr.io/acme/api:1}, {image: ghcr.io/acme/api:2, name: b}, {image: ghcr.io/acme/api:3}]"),
        ["containers[name=a].image", "containers[name=b].image", "containers[2].image"]
    );
    assert_eq!(keys("[{name: a, i: ghcr.io/acme/api:1}, {name: a, i: ghcr.io/acme/api:2}]"), ["[name=a].i", "[name=a].i#2"]);
    assert_eq!(keys("a: X=ghcr.io/acme/api:1 Y=ghcr.io/acme/api:2"), ["a", "a#2"]);
    // A name that moves is none to be known by.
    assert_eq!(keys("steps: [{name: 'ghcr.io/acme/api:1'}]"), ["steps[name=ghcr.io/acme/api].name"]);
    assert_eq!(keys("steps: [{name: 'x:1', args: ['ghcr.io/acme/api:1']}]"), ["steps[name=x].args[0]"]);
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
    finds("i: \"ghcr.io/acme/api:1\\\n  .4\"\n", &["1:5 scalar i 1.4 NotVerbatim"]);
    finds("i: \"ghcr.io/acme/api:\\x31\"\nother: api\n", &["1:5 scalar i 1 NotVerbatim"]);
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
    assert_eq!(&*site.written, "GHCR.io/acme/api:1.4.1");
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
        scan(text.as_bytes(), Format::Yaml, &watch(patterns)).unwrap().iter().map(|site| site.line + site.column).collect::<Vec<_>>().len()
    };
    assert_eq!(found(&["ghcr.io/acme/*"]), 2);
    assert_eq!(found(&["ghcr.io/acme/**"]), 3);
    assert_eq!(found(&["**"]), 4);
    assert_eq!(found(&["ghcr.io/acme/api", "ghcr.io/acme/api", "ghcr.io/*/api"]), 2);
    assert_eq!(found(&[]), 0);
}

#[test]
fn a_version_a_path_or_a_picture_is_no_image_without_a_tag() {
    lists("image: 1.0.0\ninitImage: v2.1\n", &[]);
    lists("image: assets/logo.png\nbaseImage: ubuntu-22.04.qcow2\nimages: [a.example.com/x.svg]\n", &[]);
    lists("image: 3proxy\nbaseImage: acme/png\nlogoImage: acme/logo.png:1.0\n", &["3proxy", "acme/png", "acme/logo.png:1.0"]);
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
    lists(&format!("image: {{repository: x/y, tag: 1.2@{digest}}}\nz: {{tag: edge@{digest}}}\n"), &[&format!("x/y:1.2@{digest}")]);
    lists(
        &format!("kube_version: [v1.2.3@{digest}]\nref: 1.2.3@{digest}\ntag: ghcr.io/x/y@{digest}\n"),
        &[&format!("ghcr.io/x/y@{digest}")],
    );
    lists(&format!("image: {digest}\nnodes: kubernetes.io/os:linux\ntaint: node.kubernetes.io/x:NoSchedule\n"), &[]);
    lists("vmImage: ubuntu-latest\npodspec-volumes-image: disabled\nkey: buf.build/acme/api:v1\n", &[]);
    lists("image: nginx\nbaseImage: acme/x\nv: {image: {reference: w}}\n", &["nginx", "acme/x", "w"]);
    lists("image: null\nuseImage: true\nimage: yes\nimage: 12\nimage:\nimage: Enabled\n", &[]);
    lists("images: [picture.png, ghcr.io/acme/x]\nname: nginx\napp.kubernetes.io/name: nginx\nx: ghcr.io/acme/y\n", &["ghcr.io/acme/x"]);
}
