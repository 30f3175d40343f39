//! `tagboat explain` of what stands in the environments, and as a person reads it.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use crate::support::world::{API, Run, World, tagboat};

const WEB: &str = "clusters/prod/web/deployment.yaml";
const RULE: &str = "[[image]]\nrepository = \"REGISTRY/shop/api\"\n";

/// A world in which 1.4.2 was bumped at two places and taken out again at one; and the commit that did so, shortened.
fn reverted(rule: &str) -> (World, std::path::PathBuf, String) {
    let world = World::new(&[(API, "image: REGISTRY/shop/api:1.4.0\n"), (WEB, "a: 1\nimage: REGISTRY/shop/api:1.4.0\n")]);
    world.registry.publish_many("shop/api", ["1.4.0", "1.4.1", "1.4.2"]);
    let policy = world.policy(rule);
    world.tagboat(&policy, &["run", "--once"]).done();
    world.replace(API, "1.4.2", "1.4.0");
    let revert = world.commits().last().unwrap().id[..10].to_owned();
    (world, policy, revert)
}

/// The rows of a table, with single blanks.
fn rows(run: &Run) -> Vec<String> {
    run.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn each_case_in_the_environments_is_a_section_with_what_is_held_there() {
    let (world, policy, revert) = reverted(RULE);
    let run = world.tagboat(&policy, &["explain", &world.fill("REGISTRY/shop/api")]).done();
    let [held, moved] = ["1.4.0", "1.4.2"].map(|tag| world.fill(&format!("REGISTRY/shop/api:{tag}")));
    assert_eq!(
        rows(&run),
        [
            &format!("{held} at prod {API}:1"),
            &format!("1.4.2 held: reverted in {revert}"),
            &format!("1.4.1 held: not newer than 1.4.2, which was reverted in {revert}"),
            "* 1.4.0 the current tag",
            "",
            &format!("{moved} at prod {WEB}:2"),
            "->* 1.4.2 chosen",
            "1.4.1 older than 1.4.2",
            "1.4.0 older than 1.4.2",
        ]
    );
    let run = run.says(&format!("1.4.2 is held: reverted in {revert}\n")).says("up to date\n");
    run.says("hint: it moves on once there is something newer than 1.4.2, or when 1.4.2 is put back\n");
}

#[test]
fn a_tag_narrows_it_to_the_places_that_have_it() {
    let (world, policy, revert) = reverted(RULE);
    let explain = |tag: &str| world.tagboat(&policy, &["explain", &world.fill(&format!("REGISTRY/shop/api:{tag}"))]).done();
    let run = explain("1.4.0");
    assert_eq!(rows(&run)[0], format!("1.4.2 held: reverted in {revert}"), "one case needs no head");
    run.says(&format!("current tag 1.4.0 at prod {API}:1: "));
    assert_eq!(rows(&explain("1.4.1"))[0], "-> 1.4.2 chosen");
    explain("1.4.1").says("no reference in the environments has the tag 1.4.1; explained as if one had\n");
}

#[test]
fn a_pattern_explains_all_that_it_covers_and_json_gives_an_object_a_case() {
    let (world, policy, revert) = reverted("[[image]]\nrepository = \"REGISTRY/shop/*\"\n");
    let run = world.tagboat(&policy, &["explain", &world.fill("REGISTRY/shop/*"), "--format", "json"]).done();
    let cases: Vec<Value> = serde_json::Deserializer::from_str(&run.stdout).into_iter().map(Result::unwrap).collect();
    assert_eq!(cases.len(), 2, "{}", run.stdout);
    assert_eq!((&cases[0]["held"]["tag"], &cases[0]["held"]["reverted_in"]), (&"1.4.2".into(), &revert.into()));
    assert_eq!((&cases[0]["current"], &cases[0]["decision"]["code"]), (&"1.4.0".into(), &"held".into()));
    assert_eq!((&cases[0]["places"][0]["file"], &cases[0]["places"][0]["environment"]), (&API.into(), &"prod".into()));
    assert_eq!((&cases[1]["held"], &cases[1]["places"][0]["line"]), (&Value::Null, &2.into()));
    assert_eq!(cases[0]["rule"], world.fill("REGISTRY/shop/*"));
    let none = world.tagboat(&policy, &["explain", &world.fill("REGISTRY/far/*")]).ended(1);
    none.says("is a pattern, and no reference in the environments is known to match it");
}

#[test]
fn an_environment_that_cannot_be_read_is_told_and_the_others_are_explained() {
    let (world, policy, revert) = reverted(RULE);
    let text = std::fs::read_to_string(&policy).unwrap() + "[environment.lost]\nurl = \"/there/is/nothing\"\n";
    std::fs::write(&policy, text).unwrap();
    let reference = world.fill("REGISTRY/shop/api:1.4.0");
    let run = world.tagboat(&policy, &["explain", &reference]).done();
    assert_eq!(rows(&run)[0], format!("1.4.2 held: reverted in {revert}"));
    run.says("environment lost: what stands and is held there is not known");
    let run = world.tagboat(&policy, &["explain", &reference, "--environment", "lost"]).done();
    assert_eq!(rows(&run)[0], "-> 1.4.2 chosen");
    let run = world.tagboat(&policy, &["explain", &reference, "--environment", "prod"]).done();
    assert!(!run.stderr.contains("lost"), "{}", run.stderr);
    world.tagboat(&policy, &["explain", &reference, "--environment", "pro"]).ended(1).says("no environment pro, but lost, prod");
}

#[test]
fn a_plain_list_contacts_no_environment() {
    let world = World::new(&[(API, "x: 1\n")]);
    let policy = world.policy_for(&format!("[environment.lost]\nurl = \"/there/is/nothing\"\n{RULE}"));
    let list = world.dir.path().join("list");
    std::fs::write(&list, "1.4.1\n1.4.2\n").unwrap();
    let reference = world.fill("REGISTRY/shop/api:1.4.1");
    let run = world.tagboat(&policy, &["explain", &reference, "--tags", list.to_str().unwrap()]).done();
    assert!(!run.stderr.contains("lost") && run.stdout.starts_with("->  1.4.2  chosen\n"), "{}{}", run.stdout, run.stderr);
    run.says("what is held in the environments is not looked at");
}

#[test]
fn what_an_answer_lacks_is_said() {
    let world = World::new(&[(API, "x: 1\n")]);
    let policy = world.policy("[[image]]\nrepository = \"shop/api\"\npolicy = { newest = \"pushed\" }\n");
    let list = world.dir.path().join("list");
    std::fs::write(&list, "1.4.1\n1.4.2\n").unwrap();
    let explain = |image: &str| world.tagboat(&policy, &["explain", image, "--tags", list.to_str().unwrap()]).done();
    explain("shop/api:1.4.1").says("hint: a plain list says no more than names; without --tags the registry is asked\n");
    explain("shop/web").says("hint: name the tag to start from, as in docker.io/shop/web:TAG\n");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_wherever_that_is() {
    let world = World::new(&[(API, "x: 1\n")]);
    let policy = world.policy(RULE);
    for name in ["REGISTRY/shop/apis", "REGISTRY/other/api"] {
        let run = world.tagboat(&policy, &["explain", &world.fill(name)]).ended(1);
        run.says(&world.fill("the policy file has a similar name: REGISTRY/shop/api\n"));
    }
}

#[test]
fn a_very_long_tag_pushes_only_its_own_verdict_aside() {
    let dir = tempfile::tempdir().unwrap();
    let (list, long) = (dir.path().join("list"), format!("1.4.3-{}", "x".repeat(122)));
    std::fs::write(&list, format!("1.4.1\n1.4.2\n{long}\n")).unwrap();
    let policy = dir.path().join("none.toml");
    let run = |color| {
        let mut command = tagboat(&policy);
        let arguments = ["explain", "nginx:1.4.1", "--color", color, "--tags", list.to_str().unwrap()];
        Run::of(command.env_remove("TAGBOAT_CONFIG").current_dir(dir.path()).args(arguments)).done()
    };
    let plain = run("auto").stdout;
    assert!(plain.contains("->  1.4.2  chosen\n") && plain.contains(&format!("    {long}  variant")), "{plain}");
    assert!(!plain.contains('\u{1b}'), "no colours where there is no terminal: {plain}");
    assert!(run("always").stdout.contains("\u{1b}[32m->  1.4.2  chosen\u{1b}[0m\n"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let list = dir.path().join("list");
    std::fs::write(&list, (0..50_000).map(|i| format!("1.4.{i}\n")).collect::<String>()).unwrap();
    let mut command = tagboat(&dir.path().join("none.toml"));
    command.env_remove("TAGBOAT_CONFIG").current_dir(dir.path()).args(["explain", "nginx:1.4.1", "--tags", list.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    drop(reader);
    assert_eq!(first, "->  1.4.49999  chosen\n");
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success() && errors.contains("move to 1.4.49999") && !errors.contains("roken"), "{errors}");
}
