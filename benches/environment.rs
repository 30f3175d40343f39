//! The environment repository at size: 10,000 files of 4 KiB in 500 folders.
//!
//! Each measurement has its yardstick in the same run: `git` doing the same, or the plain files.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use divan::Bencher;
use tagboat::environment::{Author, Config, Environment, File, RemoteUrl, Snapshot};
use tempfile::TempDir;

const FOLDERS: usize = 500;
const FILES: usize = 20;

fn main() {
    divan::main();
}

/// The content of a file: a manifest with nothing in common with its neighbours but its form.
fn manifest(folder: usize, file: usize, version: usize) -> String {
    let mut text = format!("apiVersion: apps/v1\nkind: Deployment\nspec:\n  image: ghcr.io/acme/api-{folder}-{file}:1.{version}.0\n");
    let mut state = (folder * 1000 + file) as u64;
    while text.len() < 4096 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push_str(&format!("    - name: VAR_{:x}\n      value: \"{}\"\n", state >> 40, state >> 20));
    }
    text
}

fn paths() -> impl Iterator<Item = (String, usize, usize)> {
    (0..FOLDERS).flat_map(|folder| (0..FILES).map(move |file| (format!("clusters/team-{folder:03}/app-{file:02}.yaml"), folder, file)))
}

fn git(dir: &Path, args: &[&str], input: Option<&[u8]>) -> Vec<u8> {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.unwrap_or_default()));
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {args:?}");
        output.stdout
    })
}

/// A commit of all files at a version, as `git fast-import` takes it.
fn import(version: usize) -> Vec<u8> {
    let mut stream = b"commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 5\nfirst\n".to_vec();
    for (path, folder, file) in paths() {
        let content = manifest(folder, file, version);
        write!(stream, "M 100644 inline {path}\ndata {}\n{content}\n", content.len()).unwrap();
    }
    stream
}

/// The upstream, and a snapshot of it.
struct Fixture {
    root: TempDir,
    snapshot: Snapshot,
    files: Vec<File>,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let root = tempfile::tempdir().unwrap();
    git(root.path(), &["init", "-q", "--bare", "-b", "main", "env.git"], None);
    git(&root.path().join("env.git"), &["fast-import", "--quiet"], Some(&import(0)));
    let snapshot = open(root.path(), "clone").fetch().unwrap();
    let files = snapshot.files(&|_| true).unwrap();
    assert_eq!(files.len(), FOLDERS * FILES);
    Fixture { root, snapshot, files }
});

fn open(root: &Path, clone: &str) -> Environment {
    let config = Config {
        url: RemoteUrl::parse(root.join("env.git").to_str().unwrap()).unwrap(),
        branch: Some("main".to_owned()),
        auth: None,
        ca_file: None,
        author: Author { name: "Tagboat".to_owned(), email: "tagboat@example.com".to_owned() },
        history: 200,
        timeout: Duration::from_secs(60),
    };
    Environment::open(config, &root.join(clone)).unwrap()
}

fn upstream() -> PathBuf {
    FIXTURE.root.path().join("env.git")
}

/// Lists and reads everything, on one thread and on two.
#[divan::bench(args = [1, 2], sample_count = 10, sample_size = 1)]
fn list_and_read(bencher: Bencher<'_, '_>, threads: usize) {
    let snapshot = &FIXTURE.snapshot;
    bencher.bench(|| {
        let files = snapshot.files(&|path| path.ends_with(".yaml")).unwrap();
        let read = |files: &[File]| files.iter().map(|file| snapshot.read(file.blob, 1 << 20).unwrap().unwrap().len()).sum::<usize>();
        std::thread::scope(|scope| {
            let workers: Vec<_> = files.chunks(files.len().div_ceil(threads)).map(|part| scope.spawn(move || read(part))).collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum::<usize>()
        })
    });
}

/// Lists everything.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn list() -> usize {
    FIXTURE.snapshot.files(&|_| true).unwrap().len()
}

/// The yardstick of `list_and_read`: `git cat-file --batch` of the same blobs.
#[divan::bench(sample_count = 5, sample_size = 1)]
fn list_and_read_by_git(bencher: Bencher<'_, '_>) {
    let ids: String = FIXTURE.files.iter().map(|file| format!("{}\n", file.blob)).collect();
    bencher.bench(|| git(&upstream(), &["cat-file", "--batch"], Some(ids.as_bytes())).len());
}

/// Commits a change of every file.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn commit(bencher: Bencher<'_, '_>) {
    let fixture = &*FIXTURE;
    let contents: Vec<_> = paths().map(|(path, folder, file)| (path, manifest(folder, file, 1))).collect();
    bencher.bench(|| {
        let mut change = fixture.snapshot.change();
        for (path, content) in &contents {
            change.write(path.as_str(), content.as_bytes()).unwrap();
        }
        change.commit("bump everything").unwrap()
    });
}

/// A yardstick of `commit`: `git fast-import` of the same commit, the fastest way that `git` has.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn commit_by_git(bencher: Bencher<'_, '_>) {
    let stream = import(1);
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "--bare"], None);
    bencher.bench(|| git(dir.path(), &["fast-import", "--quiet", "--force"], Some(&stream)));
}

/// Another yardstick of `commit`: the same contents as plain files.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn commit_as_plain_files(bencher: Bencher<'_, '_>) {
    let contents: Vec<_> = paths().map(|(path, folder, file)| (path, manifest(folder, file, 1))).collect();
    bencher.with_inputs(|| tempfile::tempdir().unwrap()).bench_values(|dir| {
        for (path, content) in &contents {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    });
}

/// Fetches a branch that has not moved.
#[divan::bench(sample_count = 20, sample_size = 1)]
fn fetch_unmoved(bencher: Bencher<'_, '_>) {
    let mut environment = open(FIXTURE.root.path(), "unmoved");
    environment.fetch().unwrap();
    bencher.bench_local(|| environment.fetch().unwrap());
}

/// Clones everything.
#[divan::bench(sample_count = 3, sample_size = 1)]
fn clone(bencher: Bencher<'_, '_>) {
    LazyLock::force(&FIXTURE);
    bencher.with_inputs(|| tempfile::tempdir().unwrap()).bench_values(|dir| {
        let clone = dir.path().join("clone");
        (open(FIXTURE.root.path(), clone.to_str().unwrap()).fetch().unwrap(), dir)
    });
}
