//! From a push at the real registry to the commit, by its notification alone: polling is as good as off.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::support::docker_registry::{DockerRegistry, Endpoint, Setup};
use crate::support::git::Upstream;
use crate::support::world::{Run, tagboat};

const SECRET: &str = "Bearer 5h4red-s3cret";
const LONGEST: Duration = Duration::from_secs(15);

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until something is true.
#[track_caller]
fn wait_until(what: &str, is: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < LONGEST, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_push_at_the_real_registry_is_a_commit_within_a_second() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listen = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string();
    let notify = Endpoint { url: format!("http://{listen}/webhook/local"), authorization: SECRET.to_owned() };
    let registry = runtime.block_on(DockerRegistry::set_up(Setup { notify: Some(notify), ..Setup::default() }));
    let host = registry.host().to_owned();
    runtime.block_on(registry.push("shop/api", "1.4.1"));
    let upstream = Upstream::empty();
    upstream.put("api.yaml", &format!("image: {host}/shop/api:1.4.1\n"));
    upstream.commit("first");

    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("tagboat.toml");
    let text = format!(
        "[watch]\ninterval = \"1h\"\nstate_dir = \"state\"\nlisten = \"{listen}\"\n\
         [registry.\"{host}\"]\nplain_http = true\n\
         [webhook.local]\nkind = \"distribution\"\nsecret = {{ env = \"WEBHOOK_SECRET\" }}\n\
         [environment.prod]\nurl = \"{}\"\nbranch = \"main\"\n\
         [[image]]\nrepository = \"{host}/shop/api\"\n",
        upstream.bare().display()
    );
    std::fs::write(&policy, text).unwrap();
    let daemon = tagboat(&policy).arg("run").env("WEBHOOK_SECRET", SECRET).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _daemon = Daemon(daemon);
    wait_until("the first pass", || Run::of(tagboat(&policy).args(["health", "--ready"]).env("WEBHOOK_SECRET", SECRET)).code == Some(0));

    let mut took = Vec::new();
    for tag in ["1.4.2", "1.4.3", "1.4.4"] {
        // Listings that events ask for are a second apart, and the first push was told to nobody: it is posted again as the daemon starts.
        std::thread::sleep(Duration::from_millis(1500));
        let before = upstream.tip("main");
        let begun = Instant::now();
        runtime.block_on(registry.push("shop/api", tag)); // the upload of its blobs is counted, too
        wait_until("the commit", || upstream.tip("main") != before);
        took.push(begun.elapsed());
        assert_eq!(upstream.show("api.yaml"), format!("image: {host}/shop/api:{tag}"), "{}", registry.log());
    }
    println!("from the push to the commit: {took:?}");
    // Not each of them: the registry may tell of a push before it lists the tag, which then is listed at the second look.
    assert!(took.iter().any(|took| *took < Duration::from_secs(1)), "{took:?}");
}
