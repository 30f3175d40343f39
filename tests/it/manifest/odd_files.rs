//! Files that are read for their name alone: what nobody wrote by hand, and JSON that is none.

use std::time::{Duration, Instant};

use tagboat::manifest::{Format, Formats, Unreadable, Watch, scan};

use super::watch;

/// Reads a file as `refs` does, whatever it names; it is to hold nothing, nor anything that looks like a reference.
fn holds_nothing(name: &str, text: &str) {
    let (formats, started) = (Formats::default(), Instant::now());
    let format = formats.of(name).unwrap();
    let sites = |watch: &Watch| formats.scan(text.as_bytes(), format, watch).unwrap_or_else(|error| panic!("{name}: {error}"));
    let all = sites(&Watch::everything());
    assert!(all.is_empty(), "{name}: {all:#?}");
    for watch in [Watch::new(&[]), watch(&["ghcr.io/acme/api"])] {
        assert!(sites(&watch).is_empty(), "{name}");
        let missed = formats.missed(text.as_bytes(), format, &watch, &[]);
        assert!(missed.is_empty(), "{name}: {:#?}", &missed[..missed.len().min(5)]);
    }
    // A debug build on a busy machine takes some seconds for a megabyte; what grows with the square would take hours.
    assert!(started.elapsed() < Duration::from_secs(60), "{name}: {:?}", started.elapsed());
}

#[test]
fn json_that_cannot_be_read_is_told_with_its_place() {
    for (text, place) in [
        // Of a bracket, where it opens.
        ("{\"image\": \"ghcr.io/acme/api:1.4\",\n \"a\": [1, 2}\n", (2, 7)),
        ("{\"image\": \"ghcr.io/acme/api:1.4\"\n", (1, 1)),
        ("{\n  \"image\": \"ghcr.io/acme/api:1.4\",\n  \"b\": \"\\q\"\n}\n", (3, 8)),
    ] {
        let error = scan(text.as_bytes(), Format::Json, &watch(&["ghcr.io/acme/api"])).unwrap_err();
        let Unreadable::NotYaml { line, column, .. } = &error else { panic!("{text}: {error}") };
        assert_eq!((*line, *column), place, "{text}: {error}");
        assert!(error.to_string().contains(&format!("line {line}")), "{error}");
        // What names nothing that is looked for is not even parsed.
        assert!(scan(text.as_bytes(), Format::Json, &watch(&["ghcr.io/acme/web"])).unwrap().is_empty());
        assert_eq!(Formats::default().missed(text.as_bytes(), Format::Json, &Watch::everything(), &[]), []);
    }
}

#[test]
fn locks_of_package_managers_hold_no_images() {
    let npm: String = (0..2_000)
        .map(|index| {
            format!(
                "    \"node_modules/@acme/pkg-{index}\": {{\n      \"version\": \"4.{index}.1\",\n      \"resolved\": \
                 \"https://packages.example.com/@acme/pkg-{index}/-/pkg-{index}-4.{index}.1.tgz\",\n      \"integrity\": \
                 \"sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg==\",\n      \
                 \"dependencies\": {{\"lodash\": \"^4.17.21\", \"alias\": \"npm:lodash@4.17.20\", \"image\": \"1.0.0\"}},\n      \
                 \"engines\": {{\"node\": \">=14\"}}\n    }},\n"
            )
        })
        .collect();
    let npm = format!("{{\n  \"name\": \"app\",\n  \"lockfileVersion\": 3,\n  \"packages\": {{\n{npm}    \"\": {{}}\n  }}\n}}\n");
    let composer: String = (0..2_000)
        .map(|index| {
            format!(
                "        {{\n            \"name\": \"acme/pkg-{index}\",\n            \"version\": \"v2.{index}.0\",\n            \"source\": \
                 {{\"type\": \"git\", \"url\": \"https://github.com/acme/pkg-{index}.git\", \"reference\": \
                 \"0123456789abcdef0123456789abcdef01234567\"}},\n            \"require\": {{\"php\": \">=7.2\", \"acme/api\": \"^1.4\"}},\n            \
                 \"time\": \"2021-05-03T11:20:27+00:00\"\n        }},\n"
            )
        })
        .collect();
    let composer = format!("{{\n    \"packages\": [\n{composer}        {{}}\n    ]\n}}\n");
    let pnpm: String = (0..2_000)
        .map(|index| {
            format!(
                "  /@acme/pkg-{index}@4.{index}.1:\n    resolution: {{integrity: sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHQ==}}\n    \
                 dependencies:\n      lodash: 4.17.21\n      '@acme/api': link:../api\n      react: 18.2.0(acme@1.0.0)\n"
            )
        })
        .collect();
    holds_nothing("package-lock.json", &npm);
    holds_nothing("vendor/composer.lock.json", &composer);
    holds_nothing("pnpm-lock.yaml", &format!("lockfileVersion: '6.0'\npackages:\n{pnpm}"));
    assert_eq!(Formats::default().of("composer.lock"), None, "it is not read for its name");
}

#[test]
fn definitions_of_resources_hold_no_images() {
    let field = |index: usize| {
        format!(
            "                  image{index}:\n                    description: 'Container image name, such as nginx:1.27 or acme/api. More info: \
             https://kubernetes.io/docs/concepts/containers/images'\n                    type: string\n                  image:\n                    \
             description: |-\n                      Image is the reference, e.g. a tag or a digest.\n                      Defaults to latest: see \
             imagePullPolicy.\n                    type: string\n                  tag{index}:\n                    pattern: ^[a-z0-9]+:[0-9]+$\n                    \
             type: string\n"
        )
        .replacen("                  image:\n", &format!("                  imageOf{index}:\n"), 1)
    };
    let fields: String = (0..2_200).map(field).collect();
    assert!(fields.len() > 1 << 20);
    let definition = format!(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: apps.acme.example.com\nspec:\n  group: \
         acme.example.com\n  versions:\n  - name: v1\n    schema:\n      openAPIV3Schema:\n        properties:\n          spec:\n            \
         properties:\n              image:\n                properties:\n{fields}"
    );
    holds_nothing("crds/apps.yaml", &definition);
}

#[test]
fn dashboards_and_generated_data_hold_no_images() {
    let panel = |index: usize| {
        format!(
            "{{\"id\": {index}, \"datasource\": {{\"type\": \"prometheus\", \"uid\": \"${{datasource}}\"}}, \"targets\": [{{\"expr\": \
             \"sum(rate(container_cpu_usage_seconds_total{{image!=\\\"\\\", cluster=\\\"$cluster\\\"}}[5m])) by (image)\", \"legendFormat\": \
             \"{{{{image}}}}:{{{{tag}}}}\", \"refId\": \"A\"}}], \"title\": \"CPU by image, 10:30\", \"tags\": [\"a:1\"], \"gridPos\": {{\"h\": 8, \
             \"w\": 12}}}}"
        )
    };
    let panels: Vec<String> = (0..1_000).map(panel).collect();
    let dashboard = format!("{{\"panels\": [{}], \"templating\": {{\"list\": []}}, \"version\": 12}}", panels.join(",\n"));
    holds_nothing("dashboards/cluster.json", &dashboard);
    // As a ConfigMap carries it, in a block and in one long string.
    let block = dashboard.lines().map(|line| format!("    {line}\n")).collect::<String>();
    holds_nothing("dashboards.yaml", &format!("kind: ConfigMap\ndata:\n  cluster.json: |-\n{block}"));
    let string = serde_json::to_string(&dashboard.replace('\n', " ")).unwrap();
    holds_nothing("dashboards.yaml", &format!("kind: ConfigMap\ndata:\n  cluster.json: {string}\n"));
    let rows: Vec<String> =
        (0..20_000).map(|index| format!("[{index}, \"k{index}:{index}\", \"10.0.0.{}:8080\", null, 1.5e3]", index % 256)).collect();
    holds_nothing("data.json", &format!("[{}]", rows.join(",\n")));
}
