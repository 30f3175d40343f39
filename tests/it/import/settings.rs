//! Whatever stands in settings of Argo CD Image Updater and of Keel, the policy file is sound, and nothing panics.

use proptest::prelude::*;
use tagboat::config::{self, Variables};
use tagboat::import::{self, Draft, Object};

use super::golden::{fixtures, sorted};

/// Imports a text as the command does, and checks the result.
fn imported(text: &str, function: fn(&[Object]) -> Draft) -> Draft {
    let (objects, _) = import::read(text, "objects.yaml");
    let draft = import::sound(function(&objects));
    let written = import::write(&draft, "test");
    if !draft.images.is_empty() {
        config::load_str_without_secrets("tagboat.toml", &written, &Variables::default())
            .unwrap_or_else(|report| panic!("{report}\n{written}"));
    }
    draft
}

/// Texts of the kind that settings have, and any others.
fn value() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "semver",
        "latest",
        "digest",
        "name",
        "true",
        "any",
        "regexp:(?P<compare>.+)$",
        "glob:a*",
        "minor",
        "force",
        "never",
        "poll",
        "@every 1h",
        "git",
        "git:secret:a/b",
        "pullsecret:a/b",
        "secret:a/b#c",
        "env:X",
        "ext:/x",
        "kustomization:../..",
        "helmvalues:/v.yaml",
        "main:x{{.Name}}",
        "https://git.example.com/a/b.git",
        "git@git.example.com:a/b",
        "a=ghcr.io/acme/a:^1,b=nginx:latest",
        "linux/amd64",
        "ghcr.io/acme/a:1.2.3",
        "image.repository",
        "images[0].tag",
        "*",
        "apps/web",
    ]);
    prop_oneof![known.prop_map(str::to_owned), "[a-z:/=,*\\[\\]{}().@#$ \\\\~^-]{0,24}", any::<String>()]
}

/// Any JSON over the keys that the tools know.
fn tree() -> impl Strategy<Value = serde_json::Value> {
    let key = prop::sample::select(vec![
        "source",
        "sources",
        "repoURL",
        "path",
        "targetRevision",
        "helm",
        "valueFiles",
        "ref",
        "chart",
        "applicationRefs",
        "namePattern",
        "labelSelectors",
        "matchLabels",
        "matchExpressions",
        "images",
        "imageName",
        "commonUpdateSettings",
        "ignoreTags",
        "platforms",
        "manifestTargets",
        "writeBackConfig",
        "gitConfig",
        "branch",
        "useAnnotations",
        "template",
        "spec",
        "containers",
        "image",
        "name",
        "imagePullSecrets",
        "jobTemplate",
        "keel",
        "policy",
        "repository",
        "tag",
        "registries",
        "prefix",
        "api_url",
    ]);
    let leaf = prop_oneof![
        value().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
        Just(serde_json::Value::Null),
    ];
    leaf.prop_recursive(6, 48, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn object(kind: &str, annotations: &serde_json::Value, spec: &serde_json::Value) -> String {
    let group = match kind {
        "Application" => "argoproj.io/v1alpha1",
        "ImageUpdater" => "argocd-image-updater.argoproj.io/v1alpha1",
        "ConfigMap" => "v1",
        _ => "apps/v1",
    };
    let metadata = serde_json::json!({ "name": "web", "namespace": "shop", "annotations": annotations, "labels": annotations });
    serde_json::json!({ "apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec, "data": { "registries.conf": spec.to_string() } })
        .to_string()
}

fn annotations(prefix: &'static str, keys: &'static [&'static str]) -> impl Strategy<Value = serde_json::Value> {
    let key = prop_oneof![4 => prop::sample::select(keys).prop_map(str::to_owned), 1 => any::<String>()];
    prop::collection::btree_map(key.prop_map(move |key| format!("{prefix}{key}")), value(), 0..8)
        .prop_map(|map| map.into_iter().map(|(key, value)| (key, serde_json::Value::from(value))).collect::<serde_json::Map<_, _>>().into())
}

const ARGOCD: &[&str] = &[
    "image-list",
    "image-list",
    "image-list",
    "update-strategy",
    "a.update-strategy",
    "a.allow-tags",
    "a.ignore-tags",
    "a.force-update",
    "a.pull-secret",
    "a.platforms",
    "a.helm.image-name",
    "a.helm.image-tag",
    "a.kustomize.image-name",
    "write-back-method",
    "write-back-target",
    "git-branch",
    "git-repository",
];
const KEEL: &[&str] = &[
    "policy",
    "policy",
    "matchTag",
    "matchPreRelease",
    "pollSchedule",
    "approvals",
    "imagePullSecret",
    "monitorContainers",
    "initContainers",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_annotations_of_an_application_give_a_sound_policy_file(
        annotations in annotations("argocd-image-updater.argoproj.io/", ARGOCD),
        path in value(), url in value(), revision in value(),
    ) {
        let spec = serde_json::json!({ "source": { "repoURL": url, "path": path, "targetRevision": revision } });
        imported(&object("Application", &annotations, &spec), import::argocd::import);
    }

    #[test]
    fn any_fields_of_an_image_updater_give_a_sound_policy_file(spec in tree(), application in tree()) {
        let application = object("Application", &serde_json::Value::Null, &application);
        let objects = ["ImageUpdater", "ConfigMap"].map(|kind| object(kind, &serde_json::Value::Null, &spec)).join("\n---\n");
        imported(&format!("{application}\n---\n{objects}"), import::argocd::import);
    }

    #[test]
    fn any_settings_of_keel_give_a_sound_policy_file(annotations in annotations("keel.sh/", KEEL), image in value(), spec in tree()) {
        let pod = serde_json::json!({ "template": { "spec": { "containers": [{ "name": "main", "image": image }] } } });
        let workload = object("Deployment", &annotations, &pod);
        let wild = object("CronJob", &annotations, &spec);
        let values = serde_json::json!({ "keel": spec, "image": { "repository": image } });
        imported(&format!("{workload}\n---\n{wild}\n---\n{values}"), import::keel::import);
    }
}

/// What the tools can be told: tables 2.1 to 2.4 of their inventory, a text for each row that stands in an input.
const ROWS: [(&str, &[&str]); 2] = [
    (
        "argocd",
        &[
            "image-list:",
            ".update-strategy:",
            "/update-strategy:",
            ".allow-tags:",
            "/allow-tags:",
            ".ignore-tags:",
            "/ignore-tags:",
            ".force-update:",
            "/force-update:",
            ".pull-secret:",
            "/pull-secret:",
            ".platforms:",
            ".helm.image-name:",
            ".helm.image-tag:",
            ".helm.image-spec:",
            ".kustomize.image-name:",
            "write-back-method:",
            "write-back-target:",
            "git-branch:",
            "git-repository:",
            ".tag-match:",
            ".sort-mode:",
            "newest-build",
            "'latest'",
            "alphabetical",
            "'name'",
            "'digest'",
            "pullsecret:",
            "secret:argocd",
            "env:",
            "ext:",
            "git:repocreds",
            "git:secret:",
            "kustomization:",
            "helmvalues:",
            "plugin:",
            "pullRequest:",
            "imagesVerification:",
            "useAnnotations:",
            "namePattern:",
            "labelSelectors:",
            "matchExpressions:",
            "commonUpdateSettings:",
            "writeBackConfig:",
            "gitConfig:",
            "manifestTargets:",
            "namespace: argocd\n  surprise",
            "api_url:",
            "prefix:",
            "ping:",
            "credentials:",
            "credsexpire:",
            "tagsortmode:",
            "insecure:",
            "ca_file:",
            "ca_data:",
            "defaultns:",
            "limit:",
            "default:",
            "=docker.io/",
            "=localhost:5000/",
            "spec: {",
            "gitlab:",
            "github:",
            "labels: [images",
            "cosignKey:",
            "writeBackTarget:",
            "platforms: [",
            "pullSecret:",
            "forceUpdate:",
            "ignoreTags: [",
            "helm: {spec:",
            "C_IMAGE",
            "kustomize: {name:",
            "sourceHydrator:",
            "sources:",
        ],
    ),
    (
        "keel",
        &[
            "keel.sh/policy:",
            "keel.observer/policy:",
            "'all'",
            "'major'",
            "'minor'",
            "'patch'",
            "'force'",
            "'glob:",
            "'regexp:",
            "'never'",
            "keel.sh/policy: ''",
            "keel.observer/trigger:",
            "kubernetes.io/change-cause:",
            "  matchTag: true",
            "  matchPreRelease: true",
            "  trigger: poll",
            "  pollSchedule:",
            "  approvals:",
            "  approvalDeadline:",
            "  - repository:",
            "    tag:",
            "    digest:",
            "    releaseNotes:",
            "    imagePullSecret:",
            "keel.sh/matchTag:",
            "keel.sh/match-tag:",
            "keel.sh/matchPreRelease:",
            "keel.sh/trigger:",
            "keel.sh/pollSchedule:",
            "@every",
            "keel.sh/approvals:",
            "keel.sh/approvalDeadline:",
            "keel.sh/notify:",
            "keel.sh/releaseNotes:",
            "keel.sh/imagePullSecret:",
            "keel.sh/monitorContainers:",
            "keel.sh/initContainers:",
            "keel.sh/imageVolumes:",
            "keel.sh/digest:",
            "keel.sh/update-time:",
            "keel:",
            "notificationChannels:",
            "images:",
            "digest: workers",
            "kind: CronJob",
            "kind: StatefulSet",
            "kind: DaemonSet",
        ],
    ),
];

#[test]
fn every_row_of_the_tables_stands_in_a_golden_case() {
    for (tool, rows) in ROWS {
        let files = sorted(&fixtures().join(tool)).into_iter().flat_map(|case| sorted(&case.join("in")));
        let inputs: String = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let missing: Vec<&&str> = rows.iter().filter(|row| !inputs.contains(**row)).collect();
        assert!(missing.is_empty(), "{tool}: {missing:?}");
    }
}
