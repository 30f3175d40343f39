//! Tests of the environment module as its users see it: against the real `git`, `git http-backend` and `sshd`.

mod clone;
mod http;
mod local;
mod pushing;
mod ssh;

use std::path::PathBuf;
use std::time::Duration;

use tagboat::environment::{Auth, Author, Config, Environment, Error, Fault, Push, RemoteUrl, Snapshot};
use tagboat::error::{Classified, Verdict, chain};
use tagboat::redact::{Secret, SecretSource};
use tempfile::TempDir;

/// Settings for a remote, with a deadline that no healthy test reaches.
fn config(url: &str) -> Config {
    Config {
        url: RemoteUrl::parse(url).unwrap(),
        branch: Some("main".to_owned()),
        auth: None,
        ca_file: None,
        author: Author { name: "Tagboat".to_owned(), email: "tagboat@example.com".to_owned() },
        history: 200,
        timeout: Duration::from_secs(60),
    }
}

fn basic(username: &str, password: &str) -> Option<Auth> {
    let password = SecretSource::Env { name: "GIT_TOKEN".to_owned(), value: Secret::new(password) };
    Some(Auth::Basic { username: username.to_owned(), password })
}

/// An environment in a directory of its own.
struct Site {
    dir: TempDir,
    environment: Environment,
}

impl Site {
    fn open(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::open(config, &dir.path().join("clone")).unwrap();
        Self { dir, environment }
    }

    fn clone_dir(&self) -> PathBuf {
        self.dir.path().join("clone")
    }

    fn fetch(&mut self) -> Snapshot {
        self.environment.fetch().unwrap_or_else(|e| panic!("{}", chain(&e)))
    }

    /// Changes one file on top of a snapshot and pushes that.
    fn push(&mut self, snapshot: &Snapshot, path: &str, content: &str) -> Result<Push, Error> {
        let mut change = snapshot.change();
        change.write(path, content.as_bytes()).unwrap();
        let commit = change.commit(&format!("change {path}")).unwrap();
        self.environment.push(&commit)
    }
}

/// Reads a file of a snapshot.
fn content(snapshot: &Snapshot, path: &str) -> String {
    let files = snapshot.files(&|candidate| candidate == path).unwrap();
    let bytes = snapshot.read(files[0].blob, usize::MAX).unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

fn paths(snapshot: &Snapshot) -> Vec<String> {
    snapshot.files(&|_| true).unwrap().into_iter().map(|file| file.path).collect()
}

/// Fetches and returns the fault, which must have that verdict.
#[track_caller]
fn fault(config: Config, verdict: Verdict) -> (Fault, String) {
    let error = Site::open(config).environment.fetch().expect_err("the fetch succeeds");
    assert_eq!(error.verdict(), verdict, "{}", chain(&error));
    let text = chain(&error).to_string();
    match error {
        Error::Fetch { cause, .. } => (cause, text),
        other => panic!("{other:?}"),
    }
}

/// The whole round over one transport: fetch, read, commit, push, fetch what others did.
fn round_trip(config: Config, upstream: &crate::support::git::Upstream) {
    let mut site = Site::open(config);
    let snapshot = site.fetch();
    assert_eq!(snapshot.commit(), upstream.tip("main"));
    assert_eq!(content(&snapshot, "apps/a.yaml"), "image: a:1\n");
    assert_eq!(site.push(&snapshot, "apps/a.yaml", "image: a:2\n").unwrap(), Push::Pushed);
    assert_eq!(upstream.show("apps/a.yaml"), "image: a:2");
    let foreign = upstream.foreign_commit("b.yaml", "b\n");
    let snapshot = site.fetch();
    assert_eq!(snapshot.commit(), foreign);
    assert_eq!(paths(&snapshot), ["apps/a.yaml", "b.yaml"]);
    let messages: Vec<_> = snapshot.history().unwrap().into_iter().map(|entry| entry.message).collect();
    assert_eq!(messages, ["foreign\n", "change apps/a.yaml", "first\n"]);
    assert_eq!(site.push(&snapshot, "apps/a.yaml", "image: a:3\n").unwrap(), Push::Pushed);
    assert_eq!(upstream.show("apps/a.yaml"), "image: a:3");
    assert_eq!(upstream.show("b.yaml"), "b");
}
