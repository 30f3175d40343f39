//! `tagboat import` as it is used.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::golden::fixtures;
use crate::support::world::{Run, tagboat};

fn import(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = tagboat(Path::new("tagboat.toml"));
    command.env_remove("TAGBOAT_CONFIG").current_dir(dir).args(["import", "flux"]).args(arguments);
    command
}

fn case(name: &str) -> String {
    fixtures().join("flux").join(name).join("in").to_str().unwrap().to_owned()
}

#[test]
fn the_result_passes_check_and_is_never_written_over_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::of(&mut import(dir.path(), &[&case("typical"), "--output", "tagboat.toml"])).done();
    assert!(run.stdout.is_empty(), "{}", run.stdout);
    let run = run.says("5 objects read: 1 image, 1 environment, 0 registries").says("lost: ").says("spec.git.commit.messageTemplate");
    assert!(!run.stderr.contains("broken"), "{}", run.stderr);
    let written = std::fs::read_to_string(dir.path().join("tagboat.toml")).unwrap();
    assert_eq!(written, std::fs::read_to_string(fixtures().join("flux/typical/out/tagboat.toml")).unwrap());

    // `check` wants the secrets at their place.
    for secret in ["identity", "known_hosts"] {
        std::fs::write(dir.path().join(secret), "x").unwrap();
    }
    let here = written.replace("/run/secrets/flux-system/flux-system/", "");
    std::fs::write(dir.path().join("tagboat.toml"), &here).unwrap();
    let mut check = tagboat(Path::new("tagboat.toml"));
    Run::of(check.env_remove("TAGBOAT_CONFIG").current_dir(dir.path()).arg("check")).done();

    let again = [&case("typical"), "--output", "tagboat.toml"];
    Run::of(&mut import(dir.path(), &again)).ended(1).says("tagboat.toml is there already; --force overwrites it");
    assert_eq!(std::fs::read_to_string(dir.path().join("tagboat.toml")).unwrap(), here);
    Run::of(import(dir.path(), &again).arg("--force")).done();
    assert_eq!(std::fs::read_to_string(dir.path().join("tagboat.toml")).unwrap(), written);
}

#[test]
fn what_is_broken_is_named_and_the_rest_is_imported() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::of(&mut import(dir.path(), &[&case("broken")])).ended(1);
    assert!(run.stdout.contains("ghcr.io/acme/good"), "{}", run.stdout);
    let run = run.says("broken: ").says("all.yaml (document 3): it cannot be read").says("ImagePolicy apps/bad-range");
    let forced = Run::of(&mut import(dir.path(), &[&case("broken"), "--force"])).done();
    assert_eq!(forced.stdout, run.stdout);
}

#[test]
fn standard_input_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = import(dir.path(), &["-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let text = std::fs::read(fixtures().join("flux/kubectl-lists/in/all.json")).unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("repository = \"ghcr.io/acme/api\""));
}

#[test]
fn where_there_is_nothing_to_import_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.yaml"), "kind: Deployment\nspec: {}\n").unwrap();
    std::fs::write(dir.path().join("notes.txt"), "kind: [\n").unwrap();
    let run = Run::of(&mut import(dir.path(), &[".", "--output", "out.toml"])).ended(1).says("nothing to import: in 1 object");
    assert!(run.stdout.is_empty() && !dir.path().join("out.toml").exists());
    Run::of(&mut import(dir.path(), &["not-there"])).ended(1).says("opening not-there");
    Run::of(&mut import(dir.path(), &[])).ended(64);
}

#[test]
fn foreign_objects_are_named_and_skipped_and_fail_unless_forced() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::of(&mut import(dir.path(), &[&case("foreign-objects")])).ended(1);
    assert!(run.stdout.contains("ghcr.io/acme/api") && run.stdout.contains("# - Service (2): apps/web, apps/api\n"), "{}", run.stdout);
    let run = run.says("foreign: Service (2): apps/web, apps/api: skipped").says("foreign: ImagePolicy.config.openshift.io (1): signed");
    let run = run.says("foreign: Deployment.apps (1): apps/api").says("1 image, 1 environment, 0 registries; 6 skipped").says("--force");
    assert_eq!(run.stderr.matches("foreign: ").count(), 5, "{}", run.stderr);

    let each = Run::of(&mut import(dir.path(), &[&case("foreign-objects"), "--verbose"])).ended(1);
    assert_eq!(each.stderr.matches("foreign: ").count(), 6, "{}", each.stderr);
    assert_eq!(each.says("all.yaml (document 5): Service apps/api: skipped").stdout, run.stdout);
    let forced = Run::of(&mut import(dir.path(), &[&case("foreign-objects"), "--force"])).done();
    assert_eq!(forced.says("foreign: Service (2)").stdout, run.stdout);
}

/// For each tool, what counts as foreign and what only has nothing to import.
#[test]
fn what_only_has_nothing_to_import_is_not_foreign() {
    let flux = std::fs::read_to_string(Path::new(&case("typical")).join("podinfo.yaml")).unwrap();
    let application = "kind: Application\napiVersion: argoproj.io/v1alpha1\nmetadata:\n  name: web\n  annotations:\n    \
        argocd-image-updater.argoproj.io/image-list: ghcr.io/acme/web\nspec: {source: {repoURL: 'https://git.example.com/a.git'}}\n";
    let workload = "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: web, labels: {keel.sh/policy: minor}}\n\
        spec: {template: {spec: {containers: [{name: web, image: 'acme/web:1.0.0'}]}}}\n";
    for (tool, base, other, is_foreign) in [
        ("flux", flux.as_str(), "kind: HelmRelease\napiVersion: helm.toolkit.fluxcd.io/v2", false),
        ("flux", &flux, "kind: Secret\napiVersion: v1\nmetadata: {name: x}", false),
        ("flux", &flux, "kind: Kustomization\napiVersion: kustomize.config.k8s.io/v1beta1", false),
        ("flux", &flux, "kind: Deployment\napiVersion: apps/v1", true),
        ("flux", &flux, "a: 1", true),
        ("argocd", application, "kind: Application\napiVersion: argoproj.io/v1alpha1\nmetadata: {name: y}", false),
        ("argocd", application, "kind: AppProject\napiVersion: argoproj.io/v1alpha1", false),
        ("argocd", application, "kind: ConfigMap\napiVersion: v1", false),
        ("argocd", application, "kind: Service\napiVersion: v1", true),
        ("argocd", application, "kind: Application\napiVersion: app.k8s.io/v1", true),
        ("keel", workload, "kind: StatefulSet\napiVersion: apps/v1", false),
        ("keel", workload, "kind: HelmRelease\napiVersion: helm.toolkit.fluxcd.io/v2", false),
        ("keel", workload, "replicas: 1", false),
        ("keel", workload, "kind: ConfigMap\napiVersion: v1", true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("all.yaml"), format!("{base}---\n{other}\n")).unwrap();
        let mut command = tagboat(Path::new("tagboat.toml"));
        let run = Run::of(command.env_remove("TAGBOAT_CONFIG").current_dir(dir.path()).args(["import", tool, "."]));
        assert_eq!(run.code, Some(i32::from(is_foreign)), "{tool}, {other}: {}", run.stderr);
        assert_eq!(run.stderr.contains("foreign: "), is_foreign, "{tool}, {other}: {}", run.stderr);
    }
}

#[test]
fn a_file_that_is_no_utf8_is_named_and_the_others_are_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(Path::new(&case("typical")).join("podinfo.yaml"), dir.path().join("b.yaml")).unwrap();
    let utf16: Vec<u8> = "\u{feff}kind: A\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(dir.path().join("a.yaml"), utf16).unwrap();
    let run = Run::of(&mut import(dir.path(), &["."])).ended(1).says("a.yaml (document 1): it cannot be read: byte 1 is no UTF-8");
    assert!(run.stdout.contains("ghcr.io/stefanprodan/podinfo"), "{}", run.stdout);
}

/// As a ConfigMap is mounted: files are links into a hidden folder.
#[cfg(unix)]
#[test]
fn links_to_files_are_followed_and_links_to_folders_are_not() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("..data")).unwrap();
    std::fs::copy(Path::new(&case("typical")).join("podinfo.yaml"), dir.path().join("..data/a.yaml")).unwrap();
    std::os::unix::fs::symlink("..data/a.yaml", dir.path().join("a.yaml")).unwrap();
    std::os::unix::fs::symlink(".", dir.path().join("ring")).unwrap();
    std::os::unix::fs::symlink("nowhere", dir.path().join("lost.yaml")).unwrap();
    Run::of(&mut import(dir.path(), &["."])).done().says("3 objects read: 1 image");
}
