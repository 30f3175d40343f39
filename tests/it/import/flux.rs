//! Flux: that no field is forgotten, and the readings that golden files cannot show.

use std::collections::BTreeSet;

use tagboat::import::{Object, Severity};

use super::golden::{fixtures, objects, sorted};

/// The fields of flux.md 1.1 to 1.3.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "ImageRepository",
        &[
            "/spec/image",
            "/spec/interval",
            "/spec/timeout",
            "/spec/exclusionList",
            "/spec/secretRef/name",
            "/spec/serviceAccountName",
            "/spec/provider",
            "/spec/certSecretRef/name",
            "/spec/proxySecretRef/name",
            "/spec/insecure",
            "/spec/accessFrom/namespaceSelectors",
            "/spec/suspend",
        ],
    ),
    (
        "ImagePolicy",
        &[
            "/spec/imageRepositoryRef/name",
            "/spec/imageRepositoryRef/namespace",
            "/spec/policy/semver/range",
            "/spec/policy/alphabetical/order",
            "/spec/policy/numerical/order",
            "/spec/filterTags/pattern",
            "/spec/filterTags/extract",
            "/spec/digestReflectionPolicy",
            "/spec/interval",
            "/spec/suspend",
        ],
    ),
    (
        "ImageUpdateAutomation",
        &[
            "/spec/sourceRef/kind",
            "/spec/sourceRef/name",
            "/spec/sourceRef/namespace",
            "/spec/interval",
            "/spec/git/checkout/ref/branch",
            "/spec/git/checkout/ref/tag",
            "/spec/git/checkout/ref/semver",
            "/spec/git/checkout/ref/commit",
            "/spec/git/checkout/ref/name",
            "/spec/git/commit/author/name",
            "/spec/git/commit/author/email",
            "/spec/git/commit/signingKey/type",
            "/spec/git/commit/messageTemplate",
            "/spec/git/commit/messageTemplateValues",
            "/spec/git/push/branch",
            "/spec/git/push/refspec",
            "/spec/git/push/options",
            "/spec/policySelector/matchLabels",
            "/spec/policySelector/matchExpressions",
            "/spec/update/strategy",
            "/spec/update/path",
            "/spec/suspend",
            "/spec/checkout/gitRepositoryRef/name",
            "/spec/checkout/branch",
            "/spec/commit/authorName",
            "/spec/commit/authorEmail",
            "/spec/commit/messageTemplate",
            "/spec/commit/signingKey",
            "/spec/push/branch",
        ],
    ),
    (
        "GitRepository",
        &[
            "/spec/url",
            "/spec/ref/branch",
            "/spec/ref/tag",
            "/spec/ref/semver",
            "/spec/ref/commit",
            "/spec/ref/name",
            "/spec/secretRef/name",
            "/spec/timeout",
            "/spec/proxySecretRef/name",
            "/spec/provider",
            "/spec/verify",
        ],
    ),
];

fn all_objects() -> Vec<Object> {
    sorted(&fixtures().join("flux")).iter().flat_map(|case| objects(case).0).collect()
}

#[test]
fn every_field_of_every_object_stands_in_a_golden_case() {
    let objects = all_objects();
    let missing: Vec<String> = FIELDS
        .iter()
        .flat_map(|(kind, fields)| fields.iter().map(move |field| (*kind, *field)))
        .filter(|(kind, field)| !objects.iter().any(|object| object.kind() == *kind && object.at(field).is_some()))
        .map(|(kind, field)| format!("{kind} {field}"))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    let versions: BTreeSet<&str> = objects.iter().filter(|object| object.kind() == "ImagePolicy").map(Object::api_version).collect();
    assert!(["v1alpha1", "v1alpha2", "v1beta1", "v1beta2", "v1"].iter().all(|version| versions.contains(version)), "{versions:?}");
}

/// Imports objects that belong to an otherwise whole set.
fn import(spec_of_policy: &str) -> tagboat::import::Draft {
    let text = format!(
        "kind: ImageRepository\napiVersion: image.toolkit.fluxcd.io/v1\nmetadata: {{name: a}}\nspec: {{image: acme/a}}\n---\n\
         kind: ImagePolicy\napiVersion: image.toolkit.fluxcd.io/v1\nmetadata: {{name: a}}\nspec: {{imageRepositoryRef: {{name: a}}, {spec_of_policy}}}\n"
    );
    let (objects, remarks) = tagboat::import::read(&text, "a.yaml");
    assert!(remarks.is_empty(), "{remarks:?}");
    tagboat::import::sound(tagboat::import::flux::import(&objects))
}

#[test]
fn every_range_is_read_as_flux_reads_it() {
    for range in ["1.0.x", ">=1.0.0-0 <2.0.0-0", "1.2 - 1.4 || ~3.1", "*"] {
        let draft = import(&format!("policy: {{semver: {{range: '{range}'}}}}"));
        let text = tagboat::import::write(&draft, "flux");
        assert!(text.contains(&format!("policy     = {{ semver = \"{range}\", strict = true }}")), "{text}");
    }
}

/// flux.md 3.1, rows 2, 13 and 26: what Flux refuses is named and left out.
#[test]
fn what_flux_refuses_is_broken() {
    for policy in [
        "policy: {semver: {range: 1.0.0p}}",
        "policy: {semver: {range: '*-*'}}",
        "policy: {semver: {range: ''}}",
        "policy: {alphabetical: {order: invalid}}",
        "policy: {}",
        "policy: {semver: {range: 1.x}}, filterTags: {pattern: '^test-(.*'}",
        "policy: {semver: {range: 1.x}}, filterTags: {pattern: '[='}",
    ] {
        let draft = import(policy);
        assert!(draft.images.is_empty(), "{policy}");
        assert!(draft.remarks.iter().any(|remark| remark.severity == Severity::Broken), "{policy}: {:?}", draft.remarks);
    }
}

/// A filter that is overlooked would let every tag in, a path or a branch more than was meant.
#[test]
fn what_is_broken_in_part_is_left_out_as_a_whole() {
    for policy in [
        "policy: {semver: {range: 1.x}}, filterTags: {pattern: 1}",
        "policy: {semver: {range: 1.x}}, filterTags: {pattern: '^(.*)$', extract: [a]}",
        "policy: {numerical: {order: true}}",
        "policy: {semver: {range: 1.x}}, suspend: 'yes'",
    ] {
        assert!(import(policy).images.is_empty(), "{policy}");
    }
    for automation in [
        "update: {path: 1}",
        "git: {push: {branch: [main]}}",
        "git: {checkout: {ref: {branch: 1}}}",
        "git: {commit: {author: {email: 1}}}",
        "suspend: 'no'",
        "policySelector: [a]",
    ] {
        let text = format!(
            "kind: GitRepository\napiVersion: source.toolkit.fluxcd.io/v1\nmetadata: {{name: a}}\nspec: {{url: 'https://git.example.com/a.git'}}\n---\n\
             kind: ImageUpdateAutomation\napiVersion: image.toolkit.fluxcd.io/v1\nmetadata: {{name: a}}\nspec: {{sourceRef: {{name: a}}, {automation}}}\n"
        );
        let draft = tagboat::import::flux::import(&tagboat::import::read(&text, "a.yaml").0);
        assert!(draft.environments.is_empty(), "{automation}");
        assert!(draft.remarks.iter().any(|remark| remark.severity == Severity::Broken), "{automation}");
    }
}

#[test]
fn a_user_in_a_url_is_not_carried_over() {
    for (url, expected) in [
        ("https://token@git.example.com/a.git", "https://git.example.com/a.git"),
        ("https://u:hunter2@git.example.com/a.git", "https://git.example.com/a.git"),
        ("ssh://git@git.example.com/a.git", "ssh://git@git.example.com/a.git"),
    ] {
        let text = format!(
            "kind: GitRepository\napiVersion: source.toolkit.fluxcd.io/v1\nmetadata: {{name: a}}\nspec: {{url: '{url}'}}\n---\n\
             kind: ImageUpdateAutomation\napiVersion: image.toolkit.fluxcd.io/v1\nmetadata: {{name: a}}\nspec: {{sourceRef: {{name: a}}}}\n"
        );
        let draft = tagboat::import::flux::import(&tagboat::import::read(&text, "a.yaml").0);
        assert_eq!(draft.environments[0].lines[0].value, format!("\"{expected}\""));
        let told = format!("{:?}", draft.remarks);
        assert!(!told.contains("token") && !told.contains("hunter2"), "{told}");
    }
}
