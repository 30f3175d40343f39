//! The main job against real servers: Debian's docker-registry, and Git over HTTP and SSH.

use std::path::{Path, PathBuf};

use crate::support::docker_registry::DockerRegistry;
use crate::support::git::Upstream;
use crate::support::git_http::GitHttp;
use crate::support::sshd::Sshd;
use crate::support::world::{Run, tagboat};

const DEPLOYMENT: &str = "clusters/prod/api/deployment.yaml";
const VALUES: &str = "clusters/prod/api/values.yaml";

fn deployment(host: &str, tag: &str) -> String {
    format!("# by hand\r\nspec:\r\n  containers:\r\n  - name: api\r\n    image: \"{host}/shop/api:{tag}\"   # train\r\n")
}

fn values(host: &str, tag: &str) -> String {
    format!("image: {{registry: {host}, repository: shop/api, tag: '{tag}'}} # flow, no final newline")
}

/// Runs the supports' futures; a runtime of its own for each, since the servers bring theirs.
fn now<R>(future: impl Future<Output = R>) -> R {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// A registry that wants a password and holds shop/api:1.4.1, and an upstream with two manifests that use it.
fn world() -> (DockerRegistry, Upstream) {
    let registry = now(DockerRegistry::start_with_login("puller", "registry-pass"));
    now(registry.push("shop/api", "1.4.1"));
    let upstream = Upstream::empty();
    upstream.put(DEPLOYMENT, &deployment(registry.host(), "1.4.1"));
    upstream.put(VALUES, &values(registry.host(), "1.4.1"));
    upstream.commit("first");
    (registry, upstream)
}

/// Writes the policy file, with `environment` as the keys of the environment.
fn policy(dir: &Path, registry: &DockerRegistry, environment: &str) -> PathBuf {
    let host = registry.host();
    std::fs::write(dir.join("registry-password"), "registry-pass\n").unwrap();
    let file = dir.join("tagboat.toml");
    let text = format!(
        "[watch]\ninterval = \"1s\"\nstate_dir = \"state\"\n\
         [registry.\"{host}\"]\nplain_http = true\nauth = {{ username = \"puller\", password = {{ file = \"registry-password\" }} }}\n\
         [environment.prod]\n{environment}\n\
         [[image]]\nrepository = \"{host}/shop/api\"\npolicy = {{ semver = \"^1.4\" }}\n"
    );
    std::fs::write(&file, text).unwrap();
    file
}

/// Pushes a tag, runs twice, and looks for exactly one commit with exactly the expected bytes.
fn push_a_tag_and_see_one_commit(registry: &DockerRegistry, upstream: &Upstream, policy: &Path) -> Run {
    let before = upstream.tip("main");
    now(registry.push("shop/api", "1.4.2"));
    let run = || Run::of(tagboat(policy).args(["run", "--once"]).env("GIT_PASSWORD", "git-pass")).done();
    let first = run();
    let after = upstream.tip("main");
    assert_eq!(crate::support::git::git(&upstream.bare(), &["rev-list", "--count", &format!("{before}..{after}")]), "1");
    let bytes = |path: &str| {
        std::process::Command::new("git")
            .args(["-C", upstream.bare().to_str().unwrap(), "cat-file", "blob", &format!("main:{path}")])
            .output()
            .unwrap()
            .stdout
    };
    assert_eq!(bytes(DEPLOYMENT), deployment(registry.host(), "1.4.2").into_bytes());
    assert_eq!(bytes(VALUES), values(registry.host(), "1.4.2").into_bytes());
    let changed = crate::support::git::git(&upstream.bare(), &["diff", "--name-only", &before, &after]);
    assert_eq!(changed, format!("{DEPLOYMENT}\n{VALUES}"));
    run();
    assert_eq!(upstream.tip("main"), after, "run again, see none");
    first
}

#[test]
fn a_tag_pushed_to_a_real_registry_becomes_one_commit_over_http() {
    let (registry, upstream) = world();
    let server = GitHttp::with_login(upstream.root(), "bot", "git-pass");
    let dir = tempfile::tempdir().unwrap();
    let environment = format!("url = \"{}\"\nauth = {{ username = \"bot\", password = {{ env = \"GIT_PASSWORD\" }} }}", server.url());
    let policy = policy(dir.path(), &registry, &environment);
    let run = push_a_tag_and_see_one_commit(&registry, &upstream, &policy);
    assert!(run.stderr.contains("pushed environment=prod"), "{}", run.stderr);
    for secret in ["registry-pass", "git-pass"] {
        assert!(!run.stderr.contains(secret) && !run.stdout.contains(secret), "a secret shows");
    }
}

#[test]
fn a_tag_pushed_to_a_real_registry_becomes_one_commit_over_ssh() {
    let (registry, upstream) = world();
    let server = Sshd::start();
    let dir = tempfile::tempdir().unwrap();
    let environment = format!(
        "url = \"{}\"\nbranch = \"main\"\nauth = {{ ssh_key = {{ file = \"{}\" }}, known_hosts = \"{}\" }}",
        server.url(&upstream.bare()),
        server.key().display(),
        server.known_hosts().display()
    );
    let policy = policy(dir.path(), &registry, &environment);
    push_a_tag_and_see_one_commit(&registry, &upstream, &policy);
}

#[test]
fn an_unknown_host_key_stops_the_environment_and_says_what_to_do() {
    let (registry, upstream) = world();
    let server = Sshd::start();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("empty"), "").unwrap();
    let environment = format!(
        "url = \"{}\"\nauth = {{ ssh_key = {{ file = \"{}\" }}, known_hosts = \"empty\" }}",
        server.url(&upstream.bare()),
        server.key().display()
    );
    let policy = policy(dir.path(), &registry, &environment);
    let before = upstream.tip("main");
    now(registry.push("shop/api", "1.4.2"));
    Run::of(tagboat(&policy).args(["run", "--once"])).ended(1).says("the host's key is not known").says("hint").says("known_hosts");
    assert_eq!(upstream.tip("main"), before);
}

#[test]
fn check_connect_tries_every_registry_and_repository_and_changes_nothing() {
    let (registry, upstream) = world();
    let server = GitHttp::start(upstream.root());
    let dir = tempfile::tempdir().unwrap();
    let policy = policy(dir.path(), &registry, &format!("url = \"{}\"", server.url()));
    let before = upstream.tip("main");
    let run = Run::of(tagboat(&policy).args(["check", "--connect"])).done();
    for line in ["ok: registry", "as puller", "shop/api: 1 tag", "ok: environment prod: at"] {
        assert!(run.stdout.contains(line), "`{line}` is missing in:\n{}", run.stdout);
    }
    std::fs::write(dir.path().join("registry-password"), "wrong").unwrap();
    Run::of(tagboat(&policy).args(["check", "--connect"])).ended(1).says("401").says("hint");
    assert_eq!(upstream.tip("main"), before);
}
