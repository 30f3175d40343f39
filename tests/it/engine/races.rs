//! Other writers, other Tagboats, and death at any moment: nothing is lost, nothing is doubled.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use tagboat::demo::registry::Registry;

use crate::support::git::{Upstream, git};
use crate::support::git_http::{Answer, GitHttp};
use crate::support::world::{Run, tagboat};

const APPS: usize = 12;
const LONGEST: Duration = Duration::from_secs(60);

fn app(i: usize) -> String {
    format!("apps/{i:02}.yaml")
}

/// An upstream with one manifest an app, all at 1.0.0, and a registry where 1.1.0 is out.
fn world() -> (Registry, Upstream, GitHttp) {
    let registry = tokio::runtime::Runtime::new().unwrap().block_on(Registry::start()).unwrap();
    let upstream = Upstream::empty();
    for i in 0..APPS {
        registry.publish_many(&format!("shop/app-{i}"), ["1.0.0", "1.1.0"]);
        upstream.put(&app(i), &format!("image: {}/shop/app-{i}:1.0.0 # app {i}\n", registry.host()));
    }
    upstream.commit("first");
    let server = GitHttp::start(upstream.root());
    (registry, upstream, server)
}

fn policy(dir: &Path, name: &str, registry: &Registry, url: &str) -> PathBuf {
    let file = dir.join(format!("{name}.toml"));
    let host = registry.host();
    let text = format!(
        "[watch]\ninterval = \"1s\"\nstate_dir = \"state-{name}\"\n[registry.\"{host}\"]\nplain_http = true\n\
         [environment.prod]\nurl = \"{url}\"\nbranch = \"main\"\n[[image]]\nrepository = \"{host}/shop/*\"\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// A daemon that is killed when the test ends, however it ends.
struct Daemon(Child);

impl Daemon {
    fn start(policy: &Path) -> Self {
        Self(tagboat(policy).arg("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Counts how often each bump of the whole history was written.
fn bumps(upstream: &Upstream) -> Vec<String> {
    let log = git(&upstream.bare(), &["log", "--format=%B", "main"]);
    log.lines().filter(|line| line.starts_with("Tagboat-Bump: ")).map(str::to_owned).collect()
}

/// Somebody else changes a file, and rebases for as long as others are faster; returns the commit.
fn foreign_commit(upstream: &Upstream, path: &str, content: &str) -> String {
    let work = upstream.work();
    upstream.put(path, content);
    git(&work, &["add", "-A"]);
    git(&work, &["commit", "-q", "-m", "foreign"]);
    wait_until("a foreign push", || {
        git(&work, &["pull", "-q", "--rebase", "origin", "main"]);
        std::process::Command::new("git").args(["push", "-q", "origin", "HEAD:main"]).current_dir(&work).output().unwrap().status.success()
    });
    git(&work, &["rev-parse", "HEAD"])
}

/// Every app says the new version, each bump is there exactly once, and every other byte is as it was.
#[track_caller]
fn assert_all_bumped_once(upstream: &Upstream, registry: &Registry, version: &str) {
    for i in 0..APPS {
        assert_eq!(upstream.show(&app(i)), format!("image: {}/shop/app-{i}:{version} # app {i}", registry.host()));
    }
    let bumps = bumps(upstream);
    assert_eq!(bumps.iter().collect::<BTreeSet<_>>().len(), bumps.len(), "a bump was written twice: {bumps:#?}");
}

fn all_at(upstream: &Upstream, version: &str) -> bool {
    (0..APPS).all(|i| upstream.show(&app(i)).contains(&format!(":{version} ")))
}

#[track_caller]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONGEST;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn two_daemons_and_a_foreign_committer_lose_and_double_nothing() {
    let (registry, upstream, server) = world();
    let dir = tempfile::tempdir().unwrap();
    let _one = Daemon::start(&policy(dir.path(), "one", &registry, &server.url()));
    let _two = Daemon::start(&policy(dir.path(), "two", &registry, &server.url()));
    // The foreigner commits while new versions come out: each lands on whatever is there, as with `git pull --rebase; git push`.
    let mut foreign = Vec::new();
    for round in 2..=5 {
        for i in 0..APPS {
            registry.publish(&format!("shop/app-{i}"), &format!("1.{round}.0"));
        }
        for i in 0..5 {
            foreign.push(foreign_commit(&upstream, &format!("foreign/{round}-{i}.txt"), &format!("{round} {i}")));
        }
        wait_until("the round's bumps", || all_at(&upstream, &format!("1.{round}.0")));
    }
    assert_all_bumped_once(&upstream, &registry, "1.5.0");
    let history = git(&upstream.bare(), &["rev-list", "main"]);
    for commit in foreign {
        assert!(history.contains(&commit), "a foreign commit was dropped");
    }
    for round in 2..=5 {
        for i in 0..5 {
            assert_eq!(upstream.show(&format!("foreign/{round}-{i}.txt")), format!("{round} {i}"));
        }
    }
}

#[test]
fn a_daemon_killed_at_many_moments_ends_where_an_undisturbed_one_does() {
    let (registry, upstream, server) = world();
    let dir = tempfile::tempdir().unwrap();
    let policy = policy(dir.path(), "one", &registry, &server.url());
    // How long an undisturbed pass takes here decides at which moments the killed ones die.
    let begun = Instant::now();
    Run::of(tagboat(&policy).args(["run", "--once"])).done();
    let whole = begun.elapsed();
    assert_all_bumped_once(&upstream, &registry, "1.1.0");
    const DEATHS: u32 = 20;
    for death in 0..DEATHS {
        let version = format!("1.2.{death}");
        for i in 0..APPS {
            registry.publish(&format!("shop/app-{i}"), &version);
        }
        let mut daemon = Daemon::start(&policy);
        std::thread::sleep(whole.mul_f64(1.2 * f64::from(death) / f64::from(DEATHS)));
        daemon.kill();
    }
    Run::of(tagboat(&policy).args(["run", "--once"])).done();
    assert_all_bumped_once(&upstream, &registry, &format!("1.2.{}", DEATHS - 1));
    git(&upstream.bare(), &["fsck", "--strict"]);
}

#[test]
fn sigterm_lets_a_push_in_flight_finish() {
    let (registry, upstream, server) = world();
    let dir = tempfile::tempdir().unwrap();
    let (begun, go) = (dir.path().join("begun"), dir.path().join("go"));
    upstream.hook("pre-receive", &format!("touch {begun:?}; while [ ! -e {go:?} ]; do sleep 0.02; done"));
    let mut daemon = Daemon::start(&policy(dir.path(), "one", &registry, &server.url()));
    wait_until("the push", || begun.exists());
    let id = daemon.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(300));
    assert!(daemon.0.try_wait().unwrap().is_none(), "it waits for the push in flight");
    std::fs::write(&go, "").unwrap();
    let mut ended = None;
    wait_until("the end", || {
        ended = daemon.0.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().code(), Some(0));
    assert_all_bumped_once(&upstream, &registry, "1.1.0");
}

#[test]
fn a_push_that_is_always_raced_ends_after_a_bounded_number_of_tries() {
    let (registry, upstream, server) = world();
    let dir = tempfile::tempdir().unwrap();
    // Whenever a pack is about to be received, somebody else has just pushed.
    let (bare, work) = (upstream.bare(), upstream.work());
    let mut count = 0;
    server.intercept(move |request| {
        if request.method == "POST" && request.target.contains("git-receive-pack") {
            count += 1;
            let script = format!("cd {work:?} && git pull -q --rebase {bare:?} main && echo {count} > raced.txt && git add -A && git commit -qm raced && git push -q {bare:?} HEAD:main");
            let raced = std::process::Command::new("bash").args(["-ec", &script]).status().unwrap();
            assert!(raced.success());
        }
        Answer::Pass
    });
    Run::of(tagboat(&policy(dir.path(), "one", &registry, &server.url())).args(["run", "--once"]))
        .ended(1)
        .says("the branch moved during each of 10 pushes");
    assert_eq!(bumps(&upstream), Vec::<String>::new());
    assert_eq!(upstream.show("raced.txt"), "10", "each race was run again on fresh eyes, and every foreign commit survives");
}
