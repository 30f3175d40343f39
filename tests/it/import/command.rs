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
