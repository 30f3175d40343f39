//! The program as a person or a script uses it: what it prints, where, and how it ends.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::world::{API, Run, World, tagboat};

/// The program in a directory without a policy file.
fn bare(dir: &Path) -> Command {
    let mut command = tagboat(Path::new("tagboat.toml"));
    command.env_remove("TAGBOAT_CONFIG").current_dir(dir);
    command
}

fn explain_offline(tags: &str, arguments: &[&str]) -> Run {
    let dir = tempfile::tempdir().unwrap();
    let mut command = bare(dir.path());
    command.arg("explain").args(arguments).args(["--tags", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(tags.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn explain_gives_a_reason_for_every_tag_newest_first() {
    let tags = "1.4.0\n1.4.1\n1.4.2\n1.4.2-alpine\n1.5.0-rc.1\n2.0.0\nlatest\n\n";
    let run = explain_offline(tags, &["ghcr.io/acme/api:1.4.1"]).done().says("update minor").says("move to 1.4.2");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 7, "{}", run.stdout);
    let at = |tag: &str| lines.iter().position(|line| line.split_whitespace().any(|word| word == tag)).unwrap();
    assert!(at("2.0.0") < at("1.4.2") && at("1.4.2") < at("1.4.1") && at("1.4.1") < at("1.4.0"), "{}", run.stdout);
    assert!(lines[at("1.4.2")].starts_with("->"), "the choice is marked");
    assert!(lines[at("1.4.1")].starts_with('*'), "the current tag is marked");
    for (tag, reason) in [
        ("2.0.0", "major step"),
        ("1.5.0-rc.1", "prerelease"),
        ("1.4.2-alpine", "variant"),
        ("1.4.0", "older than 1.4.1"),
        ("latest", "not a version"),
    ] {
        assert!(lines[at(tag)].contains(reason), "{tag}: {}", lines[at(tag)]);
    }
}

#[test]
fn explain_speaks_json() {
    let run = explain_offline("1.0\n1.1\nx\n", &["nginx", "--current", "1.0", "--format", "json"]).done();
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["repository"], "docker.io/library/nginx");
    assert_eq!(answer["decision"]["to"], "1.1");
    assert_eq!(answer["tags"].as_array().unwrap().len(), 3);
    assert!(answer["tags"].as_array().unwrap().iter().all(|tag| tag["text"].as_str().is_some_and(|text| !text.is_empty())));
}

#[test]
fn t21_explain_counts_generated_tags_and_does_not_list_them() {
    let tags = format!("1.0\nsha256-{0}.sig\nsha256-{0}.att\n", "0a".repeat(32));
    let run = explain_offline(&tags, &["nginx:1.0"]).done().says("left out: 2 generated tags (signatures, attestations)");
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
    let run = explain_offline(&tags, &["nginx:1.0", "--format", "json"]).done();
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(answer["omitted"]["generated"], 2);
}

#[test]
fn explain_shows_on_request_how_each_tag_is_read() {
    let run = explain_offline("v1.2.3-rc.1-alpine3.19\nlatest\n", &["nginx:v1.2.2-alpine3.19", "--parts"]).done();
    let line = |tag: &str| run.stdout.lines().find(|line| line.contains(tag)).unwrap().to_owned();
    assert!(line("rc.1").ends_with("prefix v, numbers 1.2.3, prerelease rc.1, variant alpine3.19"), "{}", run.stdout);
    assert!(line("latest").ends_with("not read"), "{}", run.stdout);
    let run = explain_offline("1.2.3-alpine\nlatest\n", &["nginx", "--parts", "--format", "json"]).done();
    let answer: Value = serde_json::from_str(&run.stdout).unwrap();
    let parts = |tag: &str| answer["tags"].as_array().unwrap().iter().find(|verdict| verdict["tag"] == tag).unwrap()["parts"].clone();
    assert_eq!((&parts("1.2.3-alpine")["numbers"], &parts("latest")), (&"1.2.3".into(), &Value::Null));
}

#[test]
fn explain_knows_a_name_like_a_misspelt_one_and_names_the_rule() {
    let world = World::new(&[(API, "x: 1\n")]);
    world.registry.publish_many("shop/api", ["1.0"]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\n");
    let run = world.tagboat(&policy, &["explain", &world.fill("REGISTRY/shop/apii")]).ended(1);
    run.says(&world.fill("the policy file has a similar name: REGISTRY/shop/api\n"));
    let run = world.tagboat(&policy, &["explain", &world.fill("REGISTRY/shop/api:1.0")]).done();
    run.says(&world.fill("by the rule for REGISTRY/shop/api)"));
    let run = world.tagboat(&policy, &["explain", &world.fill("REGISTRY/far/away")]).ended(1);
    assert!(!run.stderr.contains("similar name"), "{}", run.stderr);
}

#[test]
fn explain_names_the_line_of_a_bad_tag() {
    explain_offline("1.0\nno tag\n", &["nginx:1.0"]).ended(1).says("standard input, line 2").says("`no tag` is not a tag");
}

#[test]
fn explain_follows_the_rule_of_the_policy_file_and_asks_the_registry() {
    let world = World::new(&[(API, "x: 1\n")]);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.9", "1.5.0"]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\npolicy = { semver = \"~1.4\" }\n");
    let reference = world.fill("REGISTRY/shop/api:1.4.1");
    let run = world.tagboat(&policy, &["explain", &reference]).done().says("semver ~1.4").says("move to 1.4.9");
    assert!(run.stdout.contains("range"), "{}", run.stdout);
    world.tagboat(&policy, &["explain", &world.fill("REGISTRY/shop/none")]).ended(1).says("404").says("hint");
}

#[test]
fn refs_lists_every_reference_of_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(dir.path().join(path), text).unwrap();
    };
    put("a/deployment.yaml", "spec:\n  containers:\n  - name: web\n    image: nginx:1.25-alpine # web\n");
    put("values.yaml", "image:\n  repository: ghcr.io/acme/api\n  tag: \"1.4\"\n");
    put("broken.yaml", "image: nginx:1.0\n  x: [\n");
    put(".git/config.yaml", "image: hidden/away:1.0\n");
    put("notes.txt", "image: nginx:1.0\n");
    let run = Run::of(bare(dir.path()).args(["refs", ".", "--format", "json"])).done();
    let found: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), 2, "{}", run.stdout);
    let web = &found[0];
    assert_eq!(web["file"], "a/deployment.yaml");
    assert_eq!((&web["line"], &web["column"]), (&4.into(), &12.into()));
    assert_eq!(web["path"], "spec.containers[0].image");
    assert_eq!(web["shape"], "scalar");
    assert_eq!(web["reference"], "nginx:1.25-alpine");
    assert_eq!(web["repository"], "docker.io/library/nginx");
    assert_eq!(web["tag"], "1.25-alpine");
    assert_eq!(web["digest"], Value::Null);
    assert_eq!(web["covered"], false);
    assert_eq!(found[1]["repository"], "ghcr.io/acme/api");
    assert_eq!(found[1]["tag"], "1.4");

    let run =
        Run::of(bare(dir.path()).args(["refs", "."])).done().says("2 references to 2 repositories found; 0 not taken, 1 file left alone");
    assert!(run.stdout.starts_with("docker.io/library/nginx\n  1.25-alpine  a/deployment.yaml:4:12  "), "{}", run.stdout);
    let run = Run::of(bare(dir.path()).args(["refs", ".", "--skipped"])).done();
    assert!(run.stdout.starts_with("broken.yaml: ") && run.stdout.lines().count() == 1, "{}", run.stdout);
}

#[test]
fn refs_of_the_environments_says_what_is_covered() {
    let world = World::new(&[(API, "a: {image: REGISTRY/shop/api:1.0.0}\nb: {image: nginx:1.0}\nc: redis:7\nd: busybox:1\n")]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\n[[image]]\nrepository = \"redis\"\n");
    let run = world.tagboat(&policy, &["refs", "--format", "json"]).done();
    let covered: Vec<bool> =
        run.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["covered"].as_bool().unwrap()).collect();
    assert_eq!(covered, [true, false, true], "what is watched is found under any key: {}", run.stdout);
}

#[test]
fn schema_prints_the_file_that_editors_use() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::of(bare(dir.path()).arg("schema")).done();
    assert_eq!(run.stdout, std::fs::read_to_string("config/schema.json").unwrap());
}

#[test]
fn completions_know_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let run = Run::of(bare(dir.path()).args(["completions", shell])).done();
        for command in ["explain", "plan", "refs"] {
            assert!(run.stdout.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn usage_errors_and_missing_policy_files_end_with_64() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["fly"][..], &["plan", "--colour"], &["completions", "tcsh"], &[], &["plan"], &["run"], &["check"]] {
        let run = Run::of(bare(dir.path()).args(arguments)).ended(64);
        assert!(run.stdout.is_empty() && !run.stderr.is_empty(), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["--version"], &["explain", "--help"]] {
        assert!(!Run::of(bare(dir.path()).args(arguments)).done().stdout.is_empty());
    }
}

#[test]
fn every_command_is_told_in_the_help_and_in_the_readme() {
    let dir = tempfile::tempdir().unwrap();
    let help = Run::of(bare(dir.path()).arg("--help")).done().stdout;
    let readme = std::fs::read_to_string("README.md").unwrap();
    for command in ["run", "plan", "check", "explain", "refs", "schema", "completions", "health", "demo"] {
        assert!(help.contains(&format!("  {command} ")), "{command} in --help");
        assert!(readme.contains(&format!("tagboat {command}")), "{command} in the README");
    }
}

#[test]
fn a_running_daemon_answers_the_probes() {
    let world = World::new(&[(API, "image: REGISTRY/shop/api:1.0.0\n")]);
    world.registry.publish("shop/api", "1.0.0");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\n");
    let text = std::fs::read_to_string(&policy).unwrap().replacen("[watch]\n", &format!("[watch]\nlisten = \"127.0.0.1:{port}\"\n"), 1);
    std::fs::write(&policy, text).unwrap();
    world.tagboat(&policy, &["health"]).ended(1);
    let mut daemon = tagboat(&policy).arg("run").stderr(Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while world.tagboat(&policy, &["health", "--ready"]).code != Some(0) {
        assert!(std::time::Instant::now() < deadline, "it never became ready");
        std::thread::sleep(Duration::from_millis(50));
    }
    world.tagboat(&policy, &["health"]).done();
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[test]
fn the_demo_plays_to_its_end_and_removes_what_it_made() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::of(bare(dir.path()).args(["demo", "--end", "--pace", "0"]).env("TMPDIR", dir.path())).done();
    for text in ["image: ", "+    ", "newTag: '1.20'", "3.2.1-alpine\"      # keep the Alpine variant", "Revert", "shop/api:1.4.3"] {
        assert!(run.stdout.contains(text), "`{text}` is missing in:\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("+          image") || !run.stdout.contains("api:1.5.0-rc.1   #"), "no prerelease was written");
    assert!(run.stderr.contains("held"), "{}", run.stderr);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn ctrl_c_ends_the_demo_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = bare(dir.path()).arg("demo").env("TMPDIR", dir.path()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("pushed")), "the play has begun");
    assert!(Command::new("kill").args(["-INT", &demo.id().to_string()]).status().unwrap().success());
    // The rest is read, so that the demo never waits for a reader.
    lines.for_each(drop);
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
}
