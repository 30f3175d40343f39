use super::*;
use crate::image::RepositoryPattern;
use crate::manifest::{Format, Formats, scan};

fn missed(text: &[u8], format: Format, watch: &Watch, sites: &[Site]) -> Vec<Missed> {
    Formats::default().missed(text, format, watch, sites)
}

/// Describes the near misses of a text, `line:column why shown`, as they are without a policy file.
fn near(text: &str) -> Vec<String> {
    near_watching(text, &[])
}

fn near_watching(text: &str, patterns: &[&str]) -> Vec<String> {
    let watch = Watch::new(&patterns.iter().map(|pattern| RepositoryPattern::parse(pattern).unwrap()).collect::<Vec<_>>());
    let mut sites = scan(text.as_bytes(), Format::Yaml, &Watch::everything()).unwrap();
    sites.extend(scan(text.as_bytes(), Format::Yaml, &watch).unwrap());
    let missed = missed(text.as_bytes(), Format::Yaml, &watch, &sites);
    missed.iter().map(|missed| format!("{}:{} {} {}", missed.line, missed.column, missed.why.as_str(), missed.shown)).collect()
}

#[test]
fn each_reason_is_given_with_its_place() {
    let cases: [(&str, &[&str]); 54] = [
        ("image: \"{{ .Values.image }}\"", &["1:9 template {{ .Values.image }}"]),
        ("image: {{ .Values.image }}", &["1:8 template {{ .Values.image }}"]),
        ("a: {image: '${IMAGE}'}", &["1:13 template ${IMAGE}"]),
        ("image: $(IMAGE)", &["1:8 template $(IMAGE)"]),
        ("image: $CI_REGISTRY/x:1", &["1:8 template $CI_REGISTRY/x:1"]),
        ("args: ['--image=$(IMAGE)']", &["1:9 template --image=$(IMAGE)"]),
        ("env: [{name: PROXY_IMAGE, value: '${P}'}]", &["1:35 template ${P}"]),
        ("image: {tag: '{{ .tag }}'}", &["1:15 template {{ .tag }}"]),
        ("repository: ${R}/api\ntag: '1'", &["1:13 template ${R}/api"]),
        ("image: Nginx:1.2", &["1:8 malformed Nginx:1.2"]),
        ("image: 'nginx:'", &["1:9 malformed nginx:"]),
        ("image: nginx@sha256:12", &["1:8 malformed nginx@sha256:12"]),
        ("image: image:nginx:1", &["1:8 malformed image:nginx:1"]),
        ("repository: Acme/api\ntag: '1'", &["1:13 malformed Acme/api"]),
        ("image: https://example.com/a.png", &["1:8 url https://example.com/a.png"]),
        ("x: redis:7.2", &["1:4 unsure redis:7.2"]),
        ("env: [{name: PROXY_IMAGE, value: envoy:1}]", &["1:34 unsure envoy:1"]),
        ("x: docker run ghcr.io/acme/api:1.2 sh", &["1:15 among-words ghcr.io/acme/api:1.2"]),
        ("x: '{\"image\":\"ghcr.io/a/b:1.0\",\"password\":\"p\"}'", &["1:5 json ghcr.io/a/b:1.0"]),
        ("image: '[\"x\"]'", &["1:9 json {…}"]),
        ("x: |\n  #!/bin/sh\n  docker run ghcr.io/acme/api:1.2 sh\n", &["3:14 block ghcr.io/acme/api:1.2"]),
        ("x: |\n  image: {{ .Values.image }}\n  {{ end }}\n", &["2:10 template {{ .Values.image }}"]),
        ("x: |\n  a:\n    image: ${I}\n", &["3:12 template ${I}"]),
        (
            "x: |\n  {\"image\" : \"acme/a:v1\",\n   \"b\": [\"ghcr.io/acme/b:13\"], \"password\": \"p\"}\n",
            &["2:15 json acme/a:v1", "3:11 json ghcr.io/acme/b:13"],
        ),
        ("features:\n  ghcr.io/acme/features/x:1: {}", &["2:3 key ghcr.io/acme/features/x:1"]),
        ("vmImage: ubuntu-latest", &["1:10 unsure ubuntu-latest"]),
        ("image_version: v2", &["1:16 no-repository v2"]),
        (
            "image: sha256:0000000000000000000000000000000000000000000000000000000000000000",
            &["1:8 no-repository sha256:0000000000000000000000000000000000000000000000000000000000000000"],
        ),
        (
            "kubernetes_version: [v1.2.3@sha256:0000000000000000000000000000000000000000000000000000000000000000]",
            &["1:22 no-repository v1.2.3@sha256:0000000000000000000000000000000000000000000000000000000000000000"],
        ),
        ("image: {tag: '1.2'}", &["1:15 no-repository 1.2"]),
        (
            "image: {digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'}",
            &["1:18 no-repository sha256:0000000000000000000000000000000000000000000000000000000000000000"],
        ),
        ("apiImageTag: v1", &["1:14 no-repository v1"]),
        ("parameters:\n- {name: image.tag, value: v1}", &["2:28 no-repository v1"]),
        ("image: {repository: acme/api}", &["1:21 no-tag acme/api"]),
        ("imageRepository: acme/api", &["1:18 no-tag acme/api"]),
        ("kind: Kustomization\nimages: [{name: acme/api}]", &["2:17 no-tag acme/api"]),
        ("images: [{name: a, newName: acme/api}]", &["1:29 no-tag acme/api"]),
        ("args: [--sidecar-image=busybox]", &["1:8 no-tag --sidecar-image=busybox"]),
        ("url: oci://ghcr.io/acme/app", &["1:6 no-tag oci://ghcr.io/acme/app"]),
        ("image: {repository: acme/api, tag: ''}", &[]),
        ("repository: acme/api\ntag:\ndigest: ~", &[]),
        ("repoURL: ghcr.io/acme\nchart: api\ntargetRevision: 1.x", &["3:17 range api 1.x"]),
        ("dependencies: [{name: a, version: ^1.0.0, repository: 'oci://ghcr.io/acme'}]", &["1:35 range a ^1.0.0"]),
        ("url: oci://ghcr.io/acme/app\nref: {semver: '1.x'}", &["1:6 range oci://ghcr.io/acme/app"]),
        ("repoURL: https://charts.example.com\nchart: api\ntargetRevision: 1.0.0", &["3:17 http-chart api 1.0.0"]),
        ("chart: a\nversion: 1.0.0\nsourceRef: {kind: HelmRepository, name: x}", &["2:10 source-elsewhere a 1.0.0"]),
        ("kind: ImageRepository\nspec: {image: acme/api}", &["2:15 listed acme/api"]),
        ("x: &i redis:7\nimage: *i", &["2:8 alias *i"]),
        ("v: 1 # {\"$imagepolicy\": \"a:b:tag\"}", &["1:6 marker # {\"$imagepolicy\": \"a:b:tag\"}"]),
        ("image: {tag: v1} # {\"$imagepolicy\": \"a:b:tag\"}", &["1:18 marker # {\"$imagepolicy\": \"a:b:tag\"}"]),
        (
            "- repository: acme/api\n  tag: v1 # {\"$imagepolicy\": \"a:b:tag\"}\n- digest: '' # {\"$imagepolicy\": \"a:b:digest\"}",
            &["3:14 marker # {\"$imagepolicy\": \"a:b:digest\"}"],
        ),
        (
            "repository: acme/api\ntag: v1 # {\"$imagepolicy\": \"a:b:tag\"}\ndigest: '' # {\"$imagepolicy\": \"a:c:digest\"}",
            &["3:12 marker # {\"$imagepolicy\": \"a:c:digest\"}"],
        ),
        ("image: \"{{ a }}\"\n--- \nimage: $(B)", &["1:9 template {{ a }}", "3:8 template $(B)"]),
        ("ä: {image: '${I}'}", &["1:13 template ${I}"]),
    ];
    let wrong: Vec<_> =
        cases.iter().map(|(text, wanted)| (text, near(text), wanted)).filter(|(_, found, wanted)| found != *wanted).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_was_taken_or_is_nothing_of_the_kind_is_not_told() {
    for text in [
        "name: x\nversion: 1.0.0\nrepository: https://example.com/x",
        "image: nginx:1.25",
        "image: nginx",
        "repository: acme/api\ntag: '{{ .tag }}'",
        "image: {repository: acme/api, tag: v1}",
        "image: acme/api\ntag: v1",
        "images: [{name: acme/api, newTag: 2.5}]",
        "x: &i ghcr.io/acme/api:1\nimage: *i",
        "image: ghcr.io/acme/api:1 # {\"$imagepolicy\": \"a:b\"}",
        "# {\"$imagepolicy\": \"a:b\"}\nimage: ghcr.io/acme/api:1",
        "args: ['--image=ghcr.io/acme/api:1']",
        // Name, tag and digest are one site, wherever else in their mapping they stand.
        "- repository: acme/api # {\"$imagepolicy\": \"a:b:name\"}\n  pull: {a: 1}\n  tag: v1 # {\"$imagepolicy\": \"a:b:tag\"}\n  x:\n    y: 1\n  digest: '' # {\"$imagepolicy\": \"a:b:digest\"}",
        "# image: nginx:Bad:1",
        "image: true",
        // Versions, ranges, paths, pictures, disks.
        "image: 1.0.0",
        "image: ^1.0.0",
        "image: /assets/logo.png",
        "image: ./logo.svg",
        "image: assets/logo.png",
        "image: ubuntu-22.04.qcow2",
        "image: ''",
        "image:",
        "image: {}",
        "images: [Photo.png, 'a b']",
        "a: host:8080\nb: '12:30'\nc: system:node\nd: sha256:0ab1\ne: http://a.b/c:1\nf: v1:ConfigMap\ng: default/mysql:3306",
        "command: sleep 10.5",
        "url: https://git.example.com/acme/api\nref: {tag: v1.0}",
        "repository: https://git.example.com/x\ntag: ''",
        "chart: ./charts/api\nversion: 1.0.0\nsourceRef: {kind: GitRepository, name: x}",
        "dependencies: [{name: a, version: 1.0.0, repository: 'file://../a'}]",
        "sops: {mac: x}\nimage: ENC[AES256_GCM]",
        "x: |\n  some text, with 12:30 and host:80\n",
        "",
    ] {
        assert_eq!(near(text), [""; 0], "{text}");
    }
}

#[test]
fn a_watched_name_makes_more_of_a_text_look_like_a_reference() {
    let near = |text| near_watching(text, &["acme/api", "ghcr.io/acme/api"]);
    assert_eq!(near("x: run acme/api:latest now"), ["1:8 among-words acme/api:latest"]);
    assert_eq!(near("x: ghcr.io/acme/api"), ["1:4 no-tag ghcr.io/acme/api"]);
    assert_eq!(near("x: ${R}/acme/api:1"), ["1:4 template ${R}/acme/api:1"]);
    assert_eq!(near("x: acme/api:latest"), [""; 0], "a site");
    assert_eq!(near("x: |\n  run acme/api:latest now\n"), ["2:7 block acme/api:latest"]);
}

#[test]
fn what_is_shown_is_bounded_and_clean() {
    let text = format!("image: \"${{A}}\\u001b[31m\\n{}\"", "x".repeat(500));
    let missed = missed(text.as_bytes(), Format::Yaml, &Watch::new(&[]), &[]);
    let shown = &missed[0].shown;
    assert!(shown.starts_with("${A} [31m x") && shown.ends_with('…'), "{shown}");
    assert_eq!(shown.chars().count(), MAX_SHOWN + 1);
}

#[test]
fn no_more_are_listed_than_people_read() {
    let text = "- image: $(A)\n".repeat(MOST + 10);
    assert_eq!(missed(text.as_bytes(), Format::Yaml, &Watch::new(&[]), &[]).len(), MOST);
    let block = format!("x: |\n  {{{{ a }}}}\n{}", "  image: $(A)\n".repeat(MOST + 10));
    assert_eq!(missed(block.as_bytes(), Format::Yaml, &Watch::new(&[]), &[]).len(), MOST);
}

#[test]
fn a_text_that_cannot_be_read_has_none() {
    for text in [&b"image: $(A)\n  x: ["[..], b"\xff\xfe", b"\xff", b"image: $(A)\0"] {
        assert_eq!(missed(text, Format::Yaml, &Watch::new(&[]), &[]), []);
    }
}
