//! Reverts win: a version that Tagboat wrote and someone took out again does not come back.

use crate::support::git::git;
use crate::support::world::{API, World};

const RULE: &str = "[[image]]\nrepository = \"REGISTRY/shop/api\"\n";

/// A world in which 1.4.2 was bumped and taken out again.
fn reverted() -> (World, std::path::PathBuf) {
    let world = World::new(&[(API, "image: REGISTRY/shop/api:1.4.1\n")]);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.2"]);
    let policy = world.policy(RULE);
    world.tagboat(&policy, &["run", "--once"]).done();
    world.replace(API, "1.4.2", "1.4.1");
    assert_eq!(world.commits().len(), 2);
    (world, policy)
}

/// The branch's last commit, shortened.
fn last(world: &World) -> String {
    world.commits().last().unwrap().id[..10].to_owned()
}

#[test]
fn a_reverted_version_is_held_until_something_newer_comes() {
    let (world, policy) = reverted();
    world.tagboat(&policy, &["run", "--once"]).done().says(&format!("1.4.2 is held: reverted in {}", last(&world)));
    assert_eq!(world.commits().len(), 2);
    assert!(world.read(API).contains("1.4.1"));

    world.registry.publish("shop/api", "1.4.3");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read(API), world.fill("image: REGISTRY/shop/api:1.4.3\n"));
}

#[test]
fn an_empty_state_directory_gives_the_same_holds() {
    let (world, policy) = reverted();
    std::fs::remove_dir_all(world.state_dir()).unwrap();
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert_eq!(world.commits().len(), 2);
}

#[test]
fn a_revert_of_the_revert_ends_the_hold() {
    let (world, policy) = reverted();
    world.replace(API, "1.4.1", "1.4.2");
    world.registry.publish("shop/api", "1.4.3");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert!(world.read(API).contains("1.4.3"));
}

#[test]
fn a_site_that_moved_within_its_list_stays_held() {
    let list = "containers:\n- name: api\n  image: REGISTRY/shop/api:1.4.1\n";
    let world = World::new(&[(API, list)]);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.2"]);
    let policy = world.policy(RULE);
    world.tagboat(&policy, &["run", "--once"]).done();
    let reordered = world.fill("containers:\n- name: other\n  image: nginx:1.0\n- name: api\n  image: REGISTRY/shop/api:1.4.1\n");
    world.upstream.commit("take it out", &[(API, reordered.clone())]).unwrap();
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    // Renamed as well: the site's identity is gone, and still it is not bumped again.
    world.upstream.commit("rename", &[(API, reordered.replace("name: api", "name: server"))]).unwrap();
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert_eq!(world.commits().len(), 3);
}

#[test]
fn a_copy_of_a_held_file_is_a_place_of_its_own() {
    let (world, policy) = reverted();
    world.upstream.commit("copy", &[("clusters/test/api/deployment.yaml", world.read(API))]).unwrap();
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert!(world.read("clusters/test/api/deployment.yaml").contains("1.4.2") && world.read(API).contains("1.4.1"));
}

#[test]
fn a_hold_of_one_site_does_not_hold_its_neighbour() {
    let two = "containers:\n- name: api\n  image: REGISTRY/shop/api:1.4.1\n- name: twin\n  image: REGISTRY/shop/api:1.4.1\n";
    let world = World::new(&[(API, two)]);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.2"]);
    let policy = world.policy(RULE);
    world.tagboat(&policy, &["run", "--once"]).done();
    // Only the first is taken out.
    let first = world.read(API).replacen("1.4.2", "1.4.1", 1);
    world.upstream.commit("take one out", &[(API, first.clone())]).unwrap();
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert_eq!(world.read(API), first, "the held one stays out, the other stays in");
}

#[test]
fn the_commit_that_took_a_version_out_is_told_however_much_came_after_it() {
    let (world, policy) = reverted();
    let revert = last(&world);
    world.upstream.commit("other", &[("README.md", "nothing to see".to_owned())]).unwrap();
    world.upstream.commit("comment", &[(API, world.read(API) + "# a comment\n")]).unwrap();
    let plan = |arguments: &[&str]| world.tagboat(&policy, arguments).done();
    plan(&["plan"]).says(&format!("1.4.2 is held: reverted in {revert}\n"));
    let answer: serde_json::Value = serde_json::from_str(&plan(&["plan", "--format", "json"]).stdout).unwrap();
    let note = &answer["environments"][0]["left_alone"][0];
    assert_eq!((&note["kind"], &note["reason"]), (&"held".into(), &format!("1.4.2 is held: reverted in {revert}").into()));
    // Put in and taken out once more: the later commit is the one to look at.
    world.replace(API, "1.4.1", "1.4.2");
    world.replace(API, "1.4.2", "1.4.0");
    let again = last(&world);
    plan(&["plan"]).says(&format!("1.4.2 is held: reverted in {again}\n"));
}

/// A world with a bump of 1.4.2, and a work tree with a branch `older` that began before it.
fn bumped() -> (World, std::path::PathBuf, impl Fn(&[&str]) -> String) {
    let world = World::new(&[(API, "image: REGISTRY/shop/api:1.4.1\n")]);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.2"]);
    let policy = world.policy(RULE);
    let work = world.dir.path().join("work");
    git(world.dir.path(), &["clone", "--quiet", &world.upstream.path().display().to_string(), "work"]);
    git(&work, &["checkout", "--quiet", "-b", "older"]);
    git(&work, &["commit", "--quiet", "--allow-empty", "--message", "older"]);
    world.tagboat(&policy, &["run", "--once"]).done();
    git(&work, &["checkout", "--quiet", "main"]);
    git(&work, &["pull", "--quiet"]);
    (world, policy, move |arguments: &[&str]| git(&work, arguments))
}

#[test]
fn a_merged_revert_is_told_by_the_commit_that_made_it() {
    let (world, policy, git) = bumped();
    git(&["checkout", "--quiet", "-b", "revert"]);
    git(&["revert", "--no-edit", "HEAD"]);
    let revert = git(&["rev-parse", "--short=10", "HEAD"]);
    git(&["checkout", "--quiet", "main"]);
    git(&["commit", "--quiet", "--allow-empty", "--message", "more"]);
    for branch in ["older", "revert"] {
        git(&["merge", "--quiet", "--no-ff", "--message", "merge", branch]);
    }
    git(&["push", "--quiet"]);
    world.tagboat(&policy, &["plan"]).done().says(&format!("1.4.2 is held: reverted in {revert}\n"));
}

#[test]
fn a_merge_that_took_a_side_without_the_version_is_told_itself() {
    let (world, policy, git) = bumped();
    git(&["checkout", "--quiet", "older"]);
    git(&["merge", "--quiet", "--strategy", "ours", "--message", "merge", "main"]);
    let merge = git(&["rev-parse", "--short=10", "HEAD"]);
    git(&["push", "--quiet", "origin", "HEAD:main"]);
    world.tagboat(&policy, &["plan"]).done().says(&format!("1.4.2 is held: reverted in {merge}\n"));
}

#[test]
fn a_renamed_site_and_an_unreadable_past_are_told_as_far_as_they_go() {
    let list = "containers:\n- name: api\n  image: REGISTRY/shop/api:1.4.1\n";
    let world = World::new(&[(API, list)]);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.2"]);
    let policy = world.policy(RULE);
    world.tagboat(&policy, &["run", "--once"]).done();
    let bump = last(&world);
    world.replace(API, "name: api", "name: server");
    world.replace(API, "1.4.2", "1.4.1");
    let revert = last(&world);
    world.tagboat(&policy, &["plan"]).done().says(&format!("1.4.2 is held: reverted in {revert}\n"));
    // Nobody can say what a file that cannot be read had.
    let good = world.read(API);
    world.upstream.commit("break it", &[(API, format!("{good}- [\n"))]).unwrap();
    world.upstream.commit("mend it", &[(API, good)]).unwrap();
    world.tagboat(&policy, &["plan"]).done().says(&format!("held: 1.4.2 was taken out again after commit {bump} wrote it\n"));
}
