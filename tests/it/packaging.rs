//! What is shipped around the binary: images, the try-out and the Kubernetes base say the same and load.

use std::path::Path;

use serde_yaml::Value;
use tagboat::config::{self, Variables};
use tagboat::image::Reference;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the value at a path of keys and indices; a missing one is an error that names it.
fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('/').fold(value, |value, key| {
        let next = key.parse::<usize>().map_or_else(|_| value.get(key), |index| value.get(index));
        next.unwrap_or_else(|| panic!("no {key} of {path}"))
    })
}

/// Loads a policy as the container would, with a stand-in for the secret that is mounted there.
fn load(path: &str) -> config::Settings {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("git-token");
    std::fs::write(&secret, "a token").unwrap();
    let policy = dir.path().join("tagboat.toml");
    std::fs::write(&policy, read(path).replace("/run/secrets/tagboat/git-token", secret.to_str().unwrap())).unwrap();
    let variables = Variables::from_iter(Vec::<(String, String)>::new());
    config::load(&policy, &variables).unwrap_or_else(|report| panic!("{path}: {}", report.render(false)))
}

/// Returns the words behind an instruction of the Dockerfile's last stage.
fn instruction(name: &str) -> String {
    let file = read("Dockerfile");
    let stage = file.rsplit("\nFROM ").next().unwrap();
    stage.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}")).trim().to_owned()
}

#[test]
fn the_image_runs_as_a_numeric_user_that_kubernetes_agrees_on() {
    let user = instruction("USER ");
    assert_eq!(user, "65532:65532");
    let set = yaml("docker/kubernetes/stateful-set.yaml");
    let pod = at(&set, "spec/template/spec/securityContext");
    for key in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(at(pod, key).as_u64().unwrap().to_string(), user.split(':').next().unwrap(), "{key}");
    }
    assert!(read("Dockerfile").contains("useradd --system --uid 65532 "), "ssh wants its user in /etc/passwd");
}

#[test]
fn the_pod_may_do_nothing_that_it_does_not_need() {
    let set = yaml("docker/kubernetes/stateful-set.yaml");
    let pod = at(&set, "spec/template/spec");
    let container = at(pod, "containers/0/securityContext");
    assert_eq!(at(pod, "securityContext/runAsNonRoot"), &Value::Bool(true));
    assert_eq!(at(pod, "securityContext/seccompProfile/type"), "RuntimeDefault");
    assert_eq!(at(pod, "automountServiceAccountToken"), &Value::Bool(false));
    assert_eq!(at(container, "allowPrivilegeEscalation"), &Value::Bool(false));
    assert_eq!(at(container, "readOnlyRootFilesystem"), &Value::Bool(true));
    assert_eq!(at(container, "capabilities/drop/0"), "ALL");
    let compose = yaml("docker/compose.yaml");
    assert_eq!(at(&compose, "services/tagboat/read_only"), &Value::Bool(true));
}

#[test]
fn every_volume_that_is_mounted_is_there_and_the_state_directory_is_one() {
    let set = yaml("docker/kubernetes/stateful-set.yaml");
    let names = |list: &Value, key: &str| -> Vec<String> {
        list.as_sequence().unwrap().iter().map(|entry| at(entry, key).as_str().unwrap().to_owned()).collect()
    };
    let mut there = names(at(&set, "spec/template/spec/volumes"), "name");
    there.extend(names(at(&set, "spec/volumeClaimTemplates"), "metadata/name"));
    let mounts = at(&set, "spec/template/spec/containers/0/volumeMounts");
    for mounted in names(mounts, "name") {
        assert!(there.contains(&mounted), "{mounted} is not among {there:?}");
    }
    let state_dir = load("docker/kubernetes/tagboat.toml").engine.state_dir;
    assert!(names(mounts, "mountPath").contains(&state_dir.to_str().unwrap().to_owned()), "{state_dir:?}");
    assert_eq!(instruction("VOLUME "), format!("[{state_dir:?}]"));
}

#[test]
fn the_sample_policies_load_and_listen_where_probes_ask() {
    for policy in ["docker/tagboat.toml", "docker/kubernetes/tagboat.toml"] {
        let settings = load(policy);
        let port = settings.http.listen.unwrap().port().to_string();
        assert_eq!(port, instruction("EXPOSE "), "{policy}");
        assert_eq!(settings.engine.environments.len(), 1, "{policy}");
    }
    let set = yaml("docker/kubernetes/stateful-set.yaml");
    let container = at(&set, "spec/template/spec/containers/0");
    assert_eq!(at(container, "ports/0/containerPort").as_u64().unwrap().to_string(), instruction("EXPOSE "));
    assert_eq!(at(container, "livenessProbe/httpGet/path"), "/healthz");
    assert_eq!(at(container, "readinessProbe/httpGet/path"), "/readyz");
}

#[test]
fn the_try_outs_policy_finds_the_image_of_its_seed_repository() {
    let settings = load("docker/tagboat.toml");
    let rule = &settings.engine.images[0];
    let seed = read("docker/git/seed/web.yaml");
    let reference = seed.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap().split("  #").next().unwrap();
    let reference = Reference::parse(reference).unwrap();
    assert!(rule.repository.matches(reference.repository()), "{reference:?}");
    assert!(settings.registry.hosts.get(reference.repository().registry()).is_some_and(|host| host.plain_http));
}

#[test]
fn the_build_context_holds_what_the_dockerfile_copies_and_its_toolchain_is_ours() {
    let file = read("Dockerfile");
    let kept: Vec<_> = read(".dockerignore").lines().filter_map(|line| line.strip_prefix('!')).map(str::to_owned).collect();
    for line in file.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.starts_with("--from")) {
        let words: Vec<_> = line.split(' ').collect();
        for source in &words[..words.len() - 1] {
            assert!(kept.iter().any(|kept| kept == source), "{source} is not in .dockerignore");
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(source).exists(), "{source}");
        }
    }
    let wanted = format!("rust-version = \"{}\"", file.lines().find_map(|line| line.strip_prefix("ARG RUST_VERSION=")).unwrap());
    assert!(read("Cargo.toml").lines().any(|line| line == wanted), "{wanted}");
}

#[test]
fn the_changelog_tells_about_this_version() {
    let changelog = read("CHANGELOG.md");
    let version = concat!("## [", env!("CARGO_PKG_VERSION"), "]");
    assert!(changelog.contains(version) || changelog.contains("## [Unreleased]"), "no {version}");
}
