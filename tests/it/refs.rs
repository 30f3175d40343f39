//! `tagboat refs` over trees as people have them, and over what a folder can hold beside files.
//!
//! The goldens in `tests/fixtures/refs` are what it prints for `tree`; `TAGBOAT_BLESS=1` writes them anew, to be read before they
//! are committed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::world::{API, Run, World, tagboat};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/refs")
}

/// Runs `refs` in a directory without a policy file.
fn refs(dir: &Path, arguments: &[&str]) -> Run {
    let mut command = tagboat(Path::new("tagboat.toml"));
    Run::of(command.env_remove("TAGBOAT_CONFIG").current_dir(dir).arg("refs").args(arguments))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Compares with a golden, or writes it.
fn is_golden(name: &str, printed: &str) {
    let file = fixtures().join(name);
    if std::env::var_os("TAGBOAT_BLESS").is_some() {
        fs::write(&file, printed).unwrap();
    }
    assert_eq!(printed, fs::read_to_string(&file).unwrap(), "{name}");
}

#[test]
fn a_tree_is_told_as_its_goldens_have_it() {
    let tree = fixtures().join("tree");
    let run = refs(&tree, &["."]).done();
    is_golden("refs.txt", &format!("{}{}", run.stdout, run.stderr));
    is_golden("missed.txt", &refs(&tree, &[".", "--missed"]).done().stdout);
    is_golden("skipped.txt", &refs(&tree, &[".", "--skipped"]).done().stdout);
    is_golden("refs.jsonl", &refs(&tree, &[".", "--format", "json"]).done().stdout);
    is_golden("missed-and-skipped.jsonl", &refs(&tree, &[".", "--missed", "--skipped", "--format", "json"]).done().stdout);
}

#[test]
fn a_tree_with_a_policy_file_is_told_with_what_is_watched_by_which_rule() {
    let mut command = tagboat(&fixtures().join("tagboat.toml"));
    let run = Run::of(command.current_dir(fixtures().join("tree")).args(["refs", "."])).done();
    is_golden("watched.txt", &format!("{}{}", run.stdout, run.stderr));
}

#[test]
fn no_site_is_told_as_missed_and_no_place_twice() {
    let tree = fixtures().join("tree");
    let of = |arguments: &[&str]| -> Vec<String> {
        let place = |line: &Value| format!("{}:{}:{}", line["file"], line["line"], line["column"]);
        lines(&refs(&tree, arguments).done().stdout).iter().map(place).collect()
    };
    let (sites, mut missed) = (of(&[".", "--format", "json"]), of(&[".", "--format", "json", "--missed"]));
    assert!(sites.len() > 10 && missed.len() > 20, "{} and {}", sites.len(), missed.len());
    assert!(missed.iter().all(|place| !sites.contains(place)), "{missed:?}");
    let all = missed.len();
    missed.sort();
    missed.dedup();
    assert_eq!(missed.len(), all);
}

#[test]
#[cfg(unix)]
fn what_is_no_file_of_the_tree_is_left_alone_with_its_reason() {
    use std::os::unix::ffi::OsStrExt as _;

    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &[u8]| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("a.yaml", b"image: ghcr.io/acme/api:1.0\n");
    put("large.yaml", &vec![b'#'; (24 << 20) + 1]);
    put("lfs.yaml", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n");
    put("latin.yaml", b"image: a:1 # \xe4\n");
    put("sops.yaml", b"image: ghcr.io/acme/api:1.0\nsops: {mac: x}\n");
    put(".git/config.yaml", b"image: hidden/away:1.0\n");
    put("module/.git", b"gitdir: ../.git/modules/module\n");
    put("module/a.yaml", b"image: other/repository:1.0\n");
    put("worktree/.git", b"gitdir: /somewhere/.git/worktrees/worktree\n");
    put("worktree/a.yaml", b"image: ghcr.io/acme/api:1.1\n");
    std::os::unix::fs::symlink("a.yaml", dir.path().join("link.yaml")).unwrap();
    std::os::unix::fs::symlink("worktree", dir.path().join("folder")).unwrap();
    std::os::unix::fs::symlink("a.yaml", dir.path().join("no-manifest")).unwrap();
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"\xff.yaml")), "").unwrap();
    // Would block whoever opened it.
    assert!(Command::new("mkfifo").arg(dir.path().join("pipe.yaml")).status().unwrap().success());

    let run = refs(dir.path(), &[".", "--skipped", "--format", "json"]).done();
    let skipped: Vec<String> =
        lines(&run.stdout).iter().map(|line| format!("{} {}", line["file"].as_str().unwrap(), line["why"].as_str().unwrap())).collect();
    assert_eq!(
        skipped,
        [
            "folder link",
            "large.yaml too-large",
            "latin.yaml unreadable",
            "lfs.yaml lfs-pointer",
            "link.yaml link",
            "module submodule",
            "pipe.yaml not-regular",
            "sops.yaml encrypted",
            "\u{fffd}.yaml odd",
        ]
    );
    let found = lines(&refs(dir.path(), &[".", "--format", "json"]).done().stdout);
    let files: Vec<&str> = found.iter().map(|line| line["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["a.yaml", "sops.yaml", "worktree/a.yaml"]);
    assert!(found[1]["locked"].as_str().unwrap().contains("sops"), "{}", found[1]);
}

#[test]
fn a_single_file_can_be_named_and_what_cannot_be_read_ends_with_one() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), "image: nginx:1.27\n").unwrap();
    fs::write(dir.path().join("notes.odd"), "image: nginx:1.27\n").unwrap();
    let found = lines(&refs(dir.path(), &["a.yaml", "--format", "json"]).done().stdout);
    assert_eq!((found.len(), &found[0]["file"]), (1, &"a.yaml".into()));
    refs(dir.path(), &["nowhere"]).ended(1).says("reading nowhere: ").says("No such file");
    refs(dir.path(), &["notes.odd"]).ended(1).says("reading notes.odd: its name is none of a file that Tagboat reads");
}

#[test]
#[cfg(unix)]
fn a_folder_that_may_not_be_read_is_left_alone_and_the_others_are_told() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("closed")).unwrap();
    for file in ["a.yaml", "b.yaml"] {
        fs::write(dir.path().join(file), "image: nginx:1.27\n").unwrap();
    }
    let close = |path: &str, mode| fs::set_permissions(dir.path().join(path), fs::Permissions::from_mode(mode)).unwrap();
    close("closed", 0o000);
    close("b.yaml", 0o000);
    // The administrator may read everything.
    let is_closed = fs::read(dir.path().join("b.yaml")).is_err();
    let run = refs(dir.path(), &[".", "--skipped"]).done();
    let found = refs(dir.path(), &[".", "--format", "json"]).done();
    close("closed", 0o700);
    if is_closed {
        assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
        assert!(run.stdout.lines().all(|line| line.contains(": it cannot be opened: ")), "{}", run.stdout);
    }
    assert_eq!(lines(&found.stdout).len(), if is_closed { 1 } else { 2 });
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.yaml"), "- image: nginx:1.27\n".repeat(10_000)).unwrap();
    let mut command = tagboat(Path::new("tagboat.toml"));
    let mut child =
        command.env_remove("TAGBOAT_CONFIG").current_dir(dir.path()).args(["refs", "."]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_broken_file_that_is_read_for_its_markers_is_told_as_left_alone_and_its_marked_values_as_found() {
    let broken = "image: REGISTRY/shop/api:1.0.0 # {\"$imagepolicy\": \"a:api\"}\n---\nimage: REGISTRY/shop/api:1.0.0\nx: [\n";
    let world = World::new(&[("broken.yaml", broken)]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\nmarker = \"a:api\"\npolicy = { semver = \"^1.4\" }\n");
    let all = || {
        let sites = lines(&world.tagboat(&policy, &["refs", "--format", "json"]).done().stdout);
        let others = lines(&world.tagboat(&policy, &["refs", "--missed", "--skipped", "--format", "json"]).done().stdout);
        let told = sites.into_iter().chain(others);
        told.map(|line| format!("{} {} {}", line["kind"], line["line"], line["why"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(all(), ["site 1 null", "skipped null partly-read"]);
    let run = world.tagboat(&policy, &["refs", "--skipped"]).done();
    assert!(run.stdout.contains("broken.yaml: only values at markers and what `[[file]]` finds in it are read, as "), "{}", run.stdout);
    world.registry.publish_many("shop/api", ["1.0.0", "1.4.2"]);
    // In the end, what was kept of the scans is read.
    for _ in 0..3 {
        let run = world.tagboat(&policy, &["run", "--once"]).done();
        assert_eq!(run.stderr.matches("only values at markers").count(), 1, "{}", run.stderr);
        assert_eq!(world.read("broken.yaml"), world.fill(&broken.replacen("1.0.0", "1.4.2", 1)));
    }
}

#[test]
fn an_environment_is_told_with_its_rules_and_what_git_keeps_beside_files() {
    let world = World::new(&[
        (API, "image: REGISTRY/shop/api:1.0.0\n"),
        ("web.yaml", "image: REGISTRY/shop/web:1.0.0\nsidecar: {image: '${SIDECAR}'}\n"),
        ("broken.yaml", "image: nginx:1.0\n  x: [\n"),
        ("lfs.yaml", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"),
    ]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\npolicy = { semver = \"^1.4\" }\n");
    let sites = lines(&world.tagboat(&policy, &["refs", "--format", "json"]).done().stdout);
    let told: Vec<_> = sites.iter().map(|line| (line["kind"].as_str(), line["covered"].as_bool(), line["policy"].as_str())).collect();
    assert_eq!(told, [(Some("site"), Some(true), Some("semver ^1.4")), (Some("site"), Some(false), None)]);
    assert!(sites.iter().all(|line| line["environment"] == "prod"), "{sites:?}");
    let others = lines(&world.tagboat(&policy, &["refs", "--missed", "--skipped", "--format", "json"]).done().stdout);
    let told: Vec<_> = others.iter().map(|line| format!("{} {} {}", line["kind"], line["file"], line["why"]).replace('"', "")).collect();
    assert_eq!(told, ["missed web.yaml template", "skipped broken.yaml unreadable", "skipped lfs.yaml lfs-pointer"]);
    let run = world
        .tagboat(&policy, &["refs"])
        .done()
        .says("2 references to 2 repositories found, 1 of them watched; 1 not taken, 2 files left alone");
    assert!(run.stdout.starts_with("environment prod\n"), "{}", run.stdout);
}

#[test]
fn a_chart_whose_source_stands_in_another_file_is_told_and_one_without_a_clear_source_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let source = |name: &str, url: &str| {
        format!("kind: HelmRepository\nmetadata: {{name: {name}, namespace: flux-system}}\nspec: {{url: '{url}'}}\n")
    };
    let release = |name: &str| {
        format!(
            "kind: HelmRelease\nmetadata: {{name: {name}, namespace: shop}}\nspec:\n  chart:\n    spec:\n      chart: api\n      version: 1.4.1\n      \
             sourceRef: {{kind: HelmRepository, name: {name}, namespace: flux-system}}\n"
        )
    };
    for name in ["acme", "twice", "http", "none", "capital"] {
        put(&format!("apps/{name}.yaml"), &release(name));
    }
    put("sources/acme.yaml", &source("acme", "oci://ghcr.io/acme/charts"));
    put("sources/twice.yaml", &source("twice", "oci://ghcr.io/acme/charts"));
    put("sources/again.yaml", &source("twice", "oci://ghcr.io/acme/other"));
    put("sources/http.yaml", &source("http", "https://charts.example.com"));
    put("sources/capital.yaml", &source("capital", "oci://ghcr.io/Acme/charts"));

    let found = lines(&refs(dir.path(), &[".", "--format", "json"]).done().stdout);
    let found: Vec<_> = found.iter().map(|line| (line["file"].as_str().unwrap(), line["reference"].as_str().unwrap())).collect();
    assert_eq!(found, [("apps/acme.yaml", "ghcr.io/acme/charts/api:1.4.1")]);
    let missed = lines(&refs(dir.path(), &[".", "--missed", "--format", "json"]).done().stdout);
    let missed: Vec<_> = missed.iter().map(|line| (line["file"].as_str().unwrap(), line["why"].as_str().unwrap())).collect();
    assert_eq!(
        missed,
        [
            ("apps/capital.yaml", "malformed"),
            ("apps/http.yaml", "http-chart"),
            ("apps/none.yaml", "source-elsewhere"),
            ("apps/twice.yaml", "source-unclear"),
        ]
    );
    let reasons = refs(dir.path(), &[".", "--missed"]).done().stdout;
    assert!(reasons.contains("the chart's HelmRepository is in no file that is looked at"), "{reasons}");
    assert!(reasons.contains("have different URLs, or one that is a template"), "{reasons}");

    // A file by itself knows no other.
    let alone = lines(&refs(dir.path(), &["apps/acme.yaml", "--missed", "--format", "json"]).done().stdout);
    assert_eq!(alone[0]["why"], "source-elsewhere");
}
