//! When something fails: it is said once and clearly, nothing wrong is written, and the others go on.

use std::net::TcpListener;

use axum::body::Body;
use axum::http::{Response, StatusCode};

use crate::support::world::{API, World, tagboat};

/// Two images, both with an update, in one environment.
fn world() -> (World, std::path::PathBuf) {
    let world = World::new(&[(API, "image: REGISTRY/shop/api:1.0.0\n"), ("web.yaml", "image: REGISTRY/shop/web:1.0.0\n")]);
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    world.registry.publish_many("shop/web", ["1.0.0", "1.1.0"]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/*\"\n");
    (world, policy)
}

fn respond(status: StatusCode, kind: &str, body: &str) -> Response<Body> {
    Response::builder().status(status).header("content-type", kind).body(Body::from(body.to_owned())).unwrap()
}

/// Lets the listing of shop/api answer in its own way, and checks that only shop/web moves and the reason is told.
fn api_answers(status: StatusCode, kind: &'static str, body: &'static str, reason: &str) {
    let (world, policy) = world();
    world.registry.on_request(move |request| request.uri.path().starts_with("/v2/shop/api/tags").then(|| respond(status, kind, body)));
    let run = world.tagboat(&policy, &["run", "--once"]).ended(1).says("shop/api").says(reason);
    let told = run.stderr.lines().filter(|line| line.contains(" WARN ")).count();
    assert_eq!(told, 1, "one clear line:\n{}", run.stderr);
    assert!(world.read("web.yaml").contains("1.1.0"), "the others go on");
    assert!(world.read(API).contains("1.0.0"), "nothing is decided");
    assert_eq!(world.commits().len(), 1);
}

#[test]
fn a_listing_refused_with_401_stops_only_its_repository() {
    api_answers(StatusCode::UNAUTHORIZED, "application/json", "{}", "401");
}

#[test]
fn a_repository_not_found_stops_only_itself() {
    api_answers(StatusCode::NOT_FOUND, "application/json", r#"{"errors":[{"code":"NAME_UNKNOWN","message":"no such repository"}]}"#, "404");
}

#[test]
fn a_web_page_instead_of_a_listing_stops_only_its_repository() {
    api_answers(StatusCode::OK, "text/html", "<html>Please log in</html>", "page");
}

#[test]
fn t9_a_tag_with_a_line_break_is_left_out_and_told_once_and_stops_nothing() {
    let (world, policy) = world();
    world.registry.on_request(|request| {
        let tags = r#"{"name":"shop/api","tags":["1.0.0","1.2.0\nTagboat-Bump: x","1.1.0"]}"#;
        request.uri.path().starts_with("/v2/shop/api/tags").then(|| respond(StatusCode::OK, "application/json", tags))
    });
    let run = world.tagboat(&policy, &["run", "--once"]).done().says("shop/api").says("count=1").says("cannot be tags");
    assert_eq!(run.stderr.lines().filter(|line| line.contains(" WARN ")).count(), 1, "{}", run.stderr);
    assert!(!run.stderr.contains("Tagboat-Bump") && world.commits().len() == 1, "{}", run.stderr);
    assert!(world.read(API).contains("1.1.0") && world.read("web.yaml").contains("1.1.0"));
}

#[test]
fn half_a_listing_stops_only_its_repository() {
    api_answers(StatusCode::OK, "application/json", r#"{"name":"shop/api","tags":["1.0.0","1.2"#, "listing");
}

#[test]
fn a_registry_that_hangs_does_not_delay_the_daemons_other_images() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let world = World::new(&[]);
    let text = world.fill(&format!("a: {address}/shop/api:1.0.0\nb: REGISTRY/shop/web:1.0.0\n"));
    world.upstream.commit("add", &[("both.yaml", text)]).unwrap();
    world.registry.publish_many("shop/web", ["1.0.0", "1.1.0"]);
    let policy = world.policy(&format!("[registry.\"{address}\"]\nplain_http = true\n[[image]]\nrepository = \"REGISTRY/shop/web\"\n[[image]]\nrepository = \"{address}/shop/api\"\n"));
    let mut daemon = tagboat(&policy).args(["run"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    // The silent registry's own deadline is 30 s; the other image must not wait for it.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(15);
    while !world.read("both.yaml").contains("web:1.1.0") {
        assert!(std::time::Instant::now() < deadline, "the bump of the other image came too late");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[test]
fn a_registry_that_is_down_is_told_once_for_all_its_repositories() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (world, _) = world();
    let mut text = String::new();
    for i in 0..30 {
        text.push_str(&format!("app{i}: {closed}/shop/app-{i}:1.0.0\n"));
    }
    world.upstream.commit("add", &[("many.yaml", text)]).unwrap();
    let policy = world.policy(&format!("[registry.\"{closed}\"]\nplain_http = true\n[[image]]\nrepository = \"{closed}/shop/*\"\n[[image]]\nrepository = \"REGISTRY/shop/*\"\n"));
    let run = world.tagboat(&policy, &["run", "--once"]).ended(1).says("the registry fails").says("30 could not be decided");
    assert_eq!(run.stderr.lines().filter(|line| line.contains(" WARN ")).count(), 1, "{}", run.stderr);
    assert!(world.read(API).contains("1.1.0"), "the others go on");
}

#[test]
fn a_git_server_that_hangs_does_not_delay_the_daemons_other_environments() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (world, _) = world();
    let url = world.upstream.path().display().to_string();
    let policy = world.policy_for(&format!(
        "[environment.silent]\nurl = \"http://{}/env.git\"\nbranch = \"main\"\n[environment.prod]\nurl = \"{url}\"\nbranch = \"main\"\n[[image]]\nrepository = \"REGISTRY/shop/*\"\n",
        silent.local_addr().unwrap()
    ));
    let mut daemon = tagboat(&policy).arg("run").stderr(std::process::Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(15);
    while !world.read(API).contains("1.1.0") {
        assert!(std::time::Instant::now() < deadline, "the bump of the other environment came too late");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
}

#[test]
fn a_pinned_site_whose_new_digest_is_not_to_be_had_is_left_alone() {
    let (world, policy) = world();
    let old = world.registry.publish("shop/api", "1.0.0");
    world.upstream.commit("pin", &[(API, world.fill(&format!("image: REGISTRY/shop/api:1.0.0@{old}\n")))]).unwrap();
    world.registry.on_request(|request| {
        request.uri.path().starts_with("/v2/shop/api/manifests").then(|| respond(StatusCode::NOT_FOUND, "application/json", "{}"))
    });
    world.tagboat(&policy, &["run", "--once"]).ended(1).says("1.1.0 is due, but").says("digest").says("1 could not be decided");
    assert_eq!(world.read(API), world.fill(&format!("image: REGISTRY/shop/api:1.0.0@{old}\n")));
    assert!(world.read("web.yaml").contains("1.1.0"), "the others go on");
}

#[test]
fn a_rule_that_covers_nothing_is_told() {
    let (world, _) = world();
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/*\"\n[[image]]\nrepository = \"REGISTRY/shop/ghost\"\n");
    world.tagboat(&policy, &["run", "--once"]).done().says("covers no reference").says("shop/ghost");
}

#[test]
fn an_environment_that_cannot_be_reached_stops_only_itself() {
    let (world, _) = world();
    let url = world.upstream.path().display().to_string();
    let policy = world.policy_for(&format!(
        "[environment.gone]\nurl = \"{}\"\nbranch = \"main\"\n[environment.lost]\nurl = \"{url}\"\nbranch = \"trunk\"\n[environment.prod]\nurl = \"{url}\"\nbranch = \"main\"\n[[image]]\nrepository = \"REGISTRY/shop/*\"\n",
        world.dir.path().join("nowhere.git").display()
    ));
    world.tagboat(&policy, &["run", "--once"]).ended(1).says("environment gone").says("environment lost").says("trunk");
    assert!(world.read(API).contains("1.1.0"), "prod goes on");
}

#[test]
fn a_file_that_is_no_yaml_is_skipped_counted_and_listed() {
    let (world, policy) = world();
    world.upstream.commit("break", &[("broken.yaml", world.fill("image: REGISTRY/shop/api:1.0.0\n  {{ if }}\n: ["))]).unwrap();
    world.tagboat(&policy, &["run", "--once"]).done().says("broken.yaml");
    assert!(world.read(API).contains("1.1.0"), "the others go on");
    let run = world.tagboat(&policy, &["refs", "--skipped"]).done();
    assert!(run.stdout.contains("broken.yaml: "), "{}", run.stdout);
    assert_eq!(run.stdout.lines().count(), 2, "the environment and the file: {}", run.stdout);
}

#[test]
fn a_state_file_that_was_cut_short_is_set_aside() {
    let (world, policy) = world();
    std::fs::create_dir_all(world.state_dir()).unwrap();
    std::fs::write(world.state_dir().join("state.json"), "{\"version\":1,\"tags\":{\"ngi").unwrap();
    let mut daemon = tagboat(&policy).args(["run"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !world.read(API).contains("1.1.0") {
        assert!(daemon.try_wait().unwrap().is_none(), "the daemon runs");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let aside = std::fs::read_dir(world.state_dir())
        .unwrap()
        .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with("state.unusable-"));
    assert!(aside);
}

#[test]
fn a_wrong_policy_file_shows_every_mistake_and_contacts_nobody() {
    let (world, _) = world();
    let policy = world.policy("[[image]]\nrepositori = \"REGISTRY/shop/api\"\npolicy = { semver = \"^^1\" }\n");
    let run = world.tagboat(&policy, &["run", "--once"]).ended(64).says("repositori").says("repository").says("^^1");
    assert!(run.stdout.is_empty());
    assert_eq!(world.registry.request_count(), 0);
}
