//! Reverts win: a version that Tagboat wrote and someone took out again does not come back.

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

#[test]
fn a_reverted_version_is_held_until_something_newer_comes() {
    let (world, policy) = reverted();
    world.tagboat(&policy, &["run", "--once"]).done().says("held: 1.4.2 was taken out again");
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
