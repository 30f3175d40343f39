//! Finding the sites of a tree at size, each time beside a plain read of the same blobs in the same run.
//!
//! `cargo bench --bench tree` prints one table: 10,000 and 100,000 files of 4 KiB, 20 in a folder, from a packed repository.
//! Each world is measured in a process of its own, whose peak memory is told. A plain read takes each blob from the object
//! database and looks through it for a byte, on as many threads. The best of some runs counts.
//! `cargo bench --bench tree -- WORD` measures the worlds whose name holds the word: `nothing`, `all`, `large`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

#[path = "support/measure.rs"]
#[allow(dead_code, reason = "each bench takes what it needs")]
mod measure;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tagboat::engine::tree::{Cache, SiteFile, Tree};
use tagboat::engine::{EnvironmentConfig, ImageRule, Rules};
use tagboat::environment::{self, Author, BlobId, Environment, Paths, RemoteUrl, Snapshot};
use tagboat::image::{RepositoryPattern, Tag};
use tagboat::manifest::{Edit, Formats, apply};
use tagboat::policy::{self, Policy};

use measure::{line, memory, mib, seconds};

const RUNS: usize = 5;
/// What the files are called that hold the watched repository.
const WATCHED: &str = "ghcr.io/bench/watched";
const OTHER: &str = "ghcr.io/bench/another";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [child, name, dir, files] = &arguments[..]
        && child == "--child"
    {
        return World { name, dir: Path::new(dir), files: files.parse().unwrap() }.measure();
    }
    // `cargo test --benches` only asks whether this starts.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    measure::head();
    for (name, files, repository) in
        [("nothing", 10_000, OTHER), ("all", 10_000, WATCHED), ("large-nothing", 100_000, OTHER), ("large-all", 100_000, WATCHED)]
    {
        if filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str())) {
            let dir = tempfile::tempdir().unwrap();
            create(dir.path(), files, repository);
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--child", name, dir.path().to_str().unwrap(), &files.to_string()])
                .status();
            assert!(child.unwrap().success());
        }
    }
}

/// A Deployment of 4 KiB.
fn deployment(index: usize, image: &str) -> String {
    let mut text = format!(
        "# app-{index}: kept by hand\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{index}\nspec:\n  template:\n    spec:\n      containers:\n        - name: main\n          image: {image}   # the release train\n          env:\n"
    );
    for i in 0.. {
        let _ = writeln!(text, "            - name: SETTING_{i}\n              value: \"value {i} of app-{index}\"");
        if text.len() >= 4096 {
            break;
        }
    }
    text
}

fn path(index: usize) -> String {
    format!("apps/{:04}/{index:06}.yaml", index / 20)
}

/// Makes the upstream with one commit, packed as a server would hold it.
fn create(dir: &Path, files: usize, repository: &str) {
    git(dir, &["init", "-q", "--bare", "-b", "main", "env.git"], |_| ());
    commit(dir, (0..files).map(|index| (path(index), deployment(index, &format!("{repository}:1.0.0")))));
}

fn commit(dir: &Path, files: impl Iterator<Item = (String, String)>) {
    git(&dir.join("env.git"), &["fast-import", "--quiet"], |stream| {
        let is_first = !dir.join("env.git/refs/heads/main").exists();
        stream.write_all(b"commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 1\nx\n").unwrap();
        if !is_first {
            stream.write_all(b"from refs/heads/main^0\n").unwrap();
        }
        for (path, content) in files {
            write!(stream, "M 100644 inline {path}\ndata {}\n{content}\n", content.len()).unwrap();
        }
    });
}

fn git(dir: &Path, args: &[&str], input: impl FnOnce(&mut dyn std::io::Write)) {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stdin = std::io::BufWriter::new(child.stdin.take().unwrap());
    input(&mut stdin);
    drop(stdin);
    assert!(child.wait().unwrap().success(), "git {args:?}");
}

struct World<'a> {
    name: &'a str,
    dir: &'a Path,
    files: usize,
}

impl World<'_> {
    fn measure(&self) {
        let config = self.config();
        let policy = Policy::new(policy::Config::default()).unwrap();
        let image = ImageRule {
            repository: RepositoryPattern::parse(WATCHED).unwrap(),
            policy,
            environments: Vec::new(),
            paths: None,
            interval: None,
            marker: None,
        };
        let rules = Rules::new(vec![image], Duration::from_secs(60));
        let mut clone = Environment::open(config.git.clone(), &self.dir.join("clone")).unwrap();
        let snapshot = clone.fetch().unwrap();
        let before = memory(std::process::id(), "VmHWM");
        let said = |what: &str| format!("{} files, {}: {what}", self.files, self.name);
        let kept = |name: &str| Cache::new(rules.watch(&config)).kept_in(self.dir.join(name), &config);

        let (mut read, mut cold) = (Duration::MAX, Duration::MAX);
        for run in 0..if self.files > 10_000 { 1 } else { RUNS } {
            // Ours comes first the first time, so that the kernel's cache is no help to it alone.
            let mut cache = Cache::new(rules.watch(&config));
            cold = cold.min(time(|| cache.sites(&snapshot, &config, &rules).unwrap()).0);
            if run == 0 {
                line(&said("peak memory of the pass alone"), &mib(memory(std::process::id(), "VmHWM")), "128 MiB", None);
                println!("  (before it, of the fetch: {})", mib(before));
            }
            read = read.min(self.plain_read(&snapshot));
        }
        line(&said("cold, beside a plain read"), &seconds(cold), "1.5", Some((cold, read)));

        let mut cache = kept("sites");
        let (took, tree) = time(|| cache.sites(&snapshot, &config, &rules).unwrap());
        line("  cold, scans kept", &seconds(took), "-", Some((took, read)));
        println!("  (kept in {})", mib(std::fs::metadata(self.dir.join("sites")).unwrap().len()));
        let mut restarted = kept("sites");
        let (took, again) = time(|| restarted.sites(&snapshot, &config, &rules).unwrap());
        line("  after a restart", &seconds(took), "-", Some((took, read)));
        assert_eq!(count(&tree), count(&again));
        let (took, _) = time(|| cache.sites(&clone.fetch().unwrap(), &config, &rules).unwrap());
        line("  warm, fetch included", &seconds(took), "0.002 s", Some((took, read)));

        commit(self.dir, std::iter::once((path(7), deployment(7, &format!("{WATCHED}:1.0.1")))));
        let snapshot = clone.fetch().unwrap();
        let (took, tree) = time(|| cache.sites(&snapshot, &config, &rules).unwrap());
        let reads = snapshot.reads();
        line("  one file changed", &seconds(took), "-", Some((took, read)));
        println!("  ({} folders and {} files read)", reads.folders, reads.files);
        if tree.files().count() == self.files && self.files <= 10_000 {
            for threads in [1, cores()] {
                self.edit(&snapshot, &tree, threads);
            }
        }
        line(&said("peak memory, all of this"), &mib(memory(std::process::id(), "VmHWM")), "-", None);
    }

    fn config(&self) -> EnvironmentConfig {
        let git = environment::Config {
            url: RemoteUrl::parse(self.dir.join("env.git").to_str().unwrap()).unwrap(),
            branch: Some("main".to_owned()),
            auth: None,
            ca_file: None,
            author: Author { name: "Tagboat".to_owned(), email: "tagboat@example.com".to_owned() },
            history: 200,
            timeout: Duration::from_secs(600),
        };
        EnvironmentConfig { name: "bench".to_owned(), paths: Paths::default(), formats: Formats::default(), registry_keys: Vec::new(), git }
    }

    /// Reads every blob, with libgit2 as Tagboat has set it up.
    fn plain_read(&self, snapshot: &Snapshot) -> Duration {
        let blobs: Vec<BlobId> = snapshot.files(&|_| true).unwrap().into_iter().map(|file| file.blob).collect();
        let ids: Vec<_> = blobs.iter().map(|blob| git2::Oid::from_str(&blob.to_string()).unwrap()).collect();
        let next = Mutex::new(ids.iter());
        let read = || {
            let repository = git2::Repository::open(self.dir.join("clone/repository")).unwrap();
            let odb = repository.odb().unwrap();
            let next = || next.lock().unwrap().next();
            // `contains` of a byte is a `memchr`.
            std::iter::from_fn(next).filter(|id| odb.read(**id).unwrap().data().contains(&0)).count()
        };
        let (took, found) = time(|| {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..cores()).map(|_| scope.spawn(read)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
            })
        });
        assert_eq!(found, 0);
        took
    }

    /// Edits every file as a pass does: read, edit, prove, write.
    fn edit(&self, snapshot: &Snapshot, tree: &Tree, threads: usize) {
        let tag = Tag::parse("1.1.0").unwrap();
        let (changeset, bytes) = (Mutex::new(snapshot.change()), Mutex::new(0));
        let queue = Mutex::new(tree.files());
        let edit = |SiteFile { path, blob, sites, .. }: &SiteFile| {
            let text = snapshot.read(*blob, usize::MAX).unwrap().unwrap();
            let edits: Vec<_> = sites.iter().map(|site| Edit { site, tag: tag.clone(), digest: None }).collect();
            let text = apply(&text, &edits).unwrap();
            changeset.lock().unwrap().write(&**path, &text).unwrap();
            *bytes.lock().unwrap() += text.len();
        };
        let work = || {
            let next = || queue.lock().unwrap().next();
            std::iter::from_fn(next).for_each(edit);
        };
        let (took, ()) = time(|| {
            std::thread::scope(|scope| {
                (0..threads).for_each(|_| drop(scope.spawn(work)));
            });
        });
        let rate = bytes.into_inner().unwrap() as f64 / 1e6 / took.as_secs_f64();
        line(&format!("  all edited, proved, written, {threads} threads"), &format!("{rate:.1} MB/s"), "30 a core", None);
        let (took, _) = time(|| changeset.into_inner().unwrap().commit("bump").unwrap());
        line("  and committed", &seconds(took), "-", None);
    }
}

fn count(tree: &Tree) -> BTreeMap<&str, usize> {
    tree.files().map(|file| (&*file.path, file.sites.len())).collect()
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

fn time<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let started = Instant::now();
    let result = run();
    (started.elapsed(), result)
}
