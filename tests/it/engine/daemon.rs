//! What a daemon does beyond a single pass: it sees new commits, goes on with the last good listing, and stops cleanly.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::{Response, StatusCode};

use crate::support::world::{API, World, tagboat};

const LATE: &str = "late.yaml";
const LONGEST: Duration = Duration::from_secs(15);

/// A daemon that is killed when the test ends, however it ends.
struct Daemon(Child);

impl Daemon {
    fn start(policy: &Path) -> Self {
        Self::start_with_logs(policy, Stdio::null())
    }

    fn start_with_logs(policy: &Path, logs: Stdio) -> Self {
        Self(tagboat(policy).arg("run").stdout(Stdio::null()).stderr(logs).spawn().unwrap())
    }

    fn terminate(&self) {
        let id = self.0.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits for its end, at which it writes the state file.
    fn ended(mut self) {
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + LONGEST;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A world whose daemon has listed the repository, with a bump pushed to show for it.
fn listed() -> (World, std::path::PathBuf, Daemon) {
    let world = World::new(&[(API, "image: REGISTRY/shop/api:1.0.0\n")]);
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\n");
    let daemon = Daemon::start(&policy);
    wait_until("the first bump", || world.read(API).contains("1.1.0"));
    (world, policy, daemon)
}

/// From now on every listing fails, while the registry would have something newer.
fn break_registry(world: &World) {
    world.registry.publish("shop/api", "1.2.0");
    world.registry.on_request(|_| Some(Response::builder().status(StatusCode::FORBIDDEN).body(Body::empty()).unwrap()));
}

fn add_late_file(world: &World) {
    world.upstream.commit("a late file", &[(LATE, world.fill("image: REGISTRY/shop/api:1.0.0\n"))]).unwrap();
}

#[test]
fn a_daemon_decides_from_the_last_good_listing_when_later_ones_fail() {
    let (world, _, _daemon) = listed();
    break_registry(&world);
    let before = world.registry.request_count();
    wait_until("two failed listings", || world.registry.request_count() >= before + 2);
    add_late_file(&world);
    wait_until("the bump of the late file", || world.read(LATE) == world.fill("image: REGISTRY/shop/api:1.1.0\n"));
    assert!(world.read(API).contains("1.1.0"));
}

#[test]
fn a_restarted_daemon_decides_from_the_state_file_when_the_registry_is_down() {
    let (world, policy, daemon) = listed();
    daemon.terminate();
    daemon.ended();
    break_registry(&world);
    add_late_file(&world);
    let _daemon = Daemon::start(&policy);
    wait_until("the bump of the late file", || world.read(LATE) == world.fill("image: REGISTRY/shop/api:1.1.0\n"));
    assert!(world.read(API).contains("1.1.0"));
}

#[test]
fn a_daemon_sees_a_new_file_though_no_listing_has_changed() {
    let (world, _, _daemon) = listed();
    // Each pass lists once; after some of them the daemon has found that nothing is due.
    let before = world.registry.request_count();
    wait_until("idle passes", || world.registry.request_count() >= before + 2);
    add_late_file(&world);
    wait_until("the bump of the late file", || world.read(LATE) == world.fill("image: REGISTRY/shop/api:1.1.0\n"));
}

#[test]
fn a_daemon_asked_to_stop_before_its_push_pushes_nothing() {
    let world = World::new(&[]);
    let old = world.registry.publish("shop/api", "1.0.0");
    world.registry.publish("shop/api", "1.1.0");
    world.upstream.commit("add", &[(API, world.fill(&format!("image: REGISTRY/shop/api:1.0.0@{old}\n")))]).unwrap();
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\n");
    // The question for the new digest comes after the fetch and before the push; its answer is held back.
    let ((asked, is_asked), (go, may_go)) = (channel(), channel::<()>());
    let may_go = Mutex::new(may_go);
    world.registry.on_request(move |request| {
        if request.uri.path().starts_with("/v2/shop/api/manifests") {
            let _ = asked.send(());
            let _ = may_go.lock().unwrap().recv_timeout(LONGEST);
        }
        None
    });
    let mut daemon = Daemon::start_with_logs(&policy, Stdio::piped());
    let logs = BufReader::new(daemon.0.stderr.take().unwrap());
    is_asked.recv_timeout(LONGEST).unwrap();
    daemon.terminate();
    let mut logs = logs.lines().map(Result::unwrap);
    assert!(logs.any(|line| line.contains("stopping")));
    drop(go);
    let rest: Vec<_> = logs.collect();
    daemon.ended();
    assert_eq!(world.commits().len(), 1, "nothing but the file's own commit: {rest:?}");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert!(world.read(API).contains("1.1.0"), "the next start takes it up");
}
