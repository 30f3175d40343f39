//! Whole passes against the goals, each beside a plain baseline measured in the same run.
//!
//! `cargo bench --bench pass` prints one table. The timings are of the release binary as users run it, with the
//! embedded registry on loopback and a bare repository on disk; memory is the peak of that process. Steps are timed by
//! the program itself, in its debug log. `cargo bench --bench pass -- WORD` runs the parts whose name holds the word:
//! `size`, `all`, `large`, `one`, `plan`, `idle`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

#[path = "support/measure.rs"]
mod measure;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tagboat::demo::registry::Registry;
use tagboat::demo::repository::Upstream;
use tagboat::engine::tree::Cache;
use tagboat::engine::{EnvironmentConfig, ImageRule, Rules};
use tagboat::environment::{self, Author, Environment, Paths, RemoteUrl};
use tagboat::image::RepositoryPattern;
use tagboat::manifest::Formats;
use tagboat::policy::{self, Policy};

use measure::{cpu_time, line, memory, mib, seconds};

const FILES: usize = 10_000;
const DEPLOYMENTS: usize = 1_000;
const TAGS: usize = 100;

/// Measures one thing and prints its lines.
type Part = fn(&Registry);

fn main() {
    // `cargo test --benches` only asks whether this starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let filters: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let chosen = |part: &str| filters.is_empty() || filters.iter().any(|filter| part.contains(filter.as_str()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(Registry::start()).unwrap();
    measure::head();
    let parts: [(&str, Part); 6] = [
        ("size", |_| size()),
        ("all", |registry| all_files_change(registry, FILES)),
        ("large", |registry| all_files_change(registry, 10 * FILES)),
        ("one", one_file_of_many),
        ("plan", thousand_deployments),
        ("idle", idle),
    ];
    for (_, measure) in parts.into_iter().filter(|(part, _)| chosen(part)) {
        measure(&registry);
    }
}

fn size() {
    let bytes = std::fs::metadata(env!("CARGO_BIN_EXE_tagboat")).unwrap().len();
    line("binary, not stripped in this profile", &mib(bytes), "20 MiB", None);
}

/// A Deployment of 4 KiB.
fn deployment(name: &str, image: &str) -> String {
    let mut text = format!(
        "# {name}: kept by hand\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  labels: {{app: {name}}}\nspec:\n  replicas: 3\n  template:\n    metadata:\n      labels: {{app: {name}}}\n    spec:\n      containers:\n        - name: main\n          image: {image}   # the release train\n          env:\n"
    );
    for i in 0.. {
        let _ = writeln!(text, "            - name: SETTING_{i}\n              value: \"value {i} of {name}\"");
        if text.len() >= 4096 {
            break;
        }
    }
    text
}

struct World {
    dir: tempfile::TempDir,
    upstream: Upstream,
}

impl World {
    fn new(files: &[(String, String)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("environment.git");
        let borrowed: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
        let upstream = Upstream::create(&path, &borrowed).unwrap();
        // As a server would hold it: packed.
        assert!(Command::new("git").args(["-C", path.to_str().unwrap(), "gc", "-q"]).status().unwrap().success());
        Self { dir, upstream }
    }

    fn policy(&self, registry: &Registry, images: &str) -> PathBuf {
        let file = self.dir.path().join("tagboat.toml");
        let text = format!(
            "[watch]\ninterval = \"1h\"\nstate_dir = {:?}\nlisten = \"127.0.0.1:0\"\n[registry.\"{}\"]\nplain_http = true\n[environment.prod]\nurl = {:?}\nbranch = \"main\"\n{images}",
            self.dir.path().join("state"),
            registry.host(),
            self.upstream.path(),
        );
        std::fs::write(&file, text).unwrap();
        file
    }
}

/// What a run of the program took.
struct Run {
    all: Duration,
    /// The time on all cores together, which other programs on the machine do not stretch; from Linux's `/proc`.
    cpu: Duration,
    /// By name: the time that the steps of this name took together.
    steps: BTreeMap<String, Duration>,
    /// Bytes.
    peak: u64,
}

impl Run {
    fn steps(&self, names: &[&str]) -> Duration {
        names.iter().filter_map(|name| self.steps.get(*name)).sum()
    }
}

/// Runs the program to its end.
fn tagboat(policy: &Path, arguments: &[&str]) -> Run {
    let log = policy.with_file_name("log");
    let started = Instant::now();
    let mut child = start(policy, arguments, &log);
    let (mut peak, mut cpu) = (0, Duration::ZERO);
    let all = loop {
        peak = peak.max(memory(child.id(), "VmHWM"));
        cpu = cpu.max(cpu_time(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{arguments:?}: {status}");
            break started.elapsed();
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut steps = BTreeMap::new();
    for line in std::fs::read_to_string(log).unwrap().lines() {
        let field = |name: &str| line.split_once(name).and_then(|(_, rest)| rest.split_whitespace().next());
        if let (Some(step), Some(took)) = (field(" step="), field(" duration_ms=")) {
            *steps.entry(step.to_owned()).or_default() += Duration::from_secs_f64(took.parse::<f64>().unwrap() / 1e3);
        }
    }
    Run { all, cpu, steps, peak }
}

fn start(policy: &Path, arguments: &[&str], log: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tagboat"))
        .args(arguments)
        .arg("--config")
        .arg(policy)
        .env("TAGBOAT_LOG", "tagboat::engine=debug")
        .stdout(Stdio::null())
        .stderr(File::create(log).unwrap())
        .spawn()
        .unwrap()
}

fn many_files(registry: &Registry, files: usize, image: impl Fn(usize) -> String) -> Vec<(String, String)> {
    let file = |i: usize| {
        (format!("apps/{:03}/{i:05}.yaml", i / 20), deployment(&format!("app-{i}"), &format!("{}/{}", registry.host(), image(i))))
    };
    (0..files).map(file).collect()
}

fn all_files_change(registry: &Registry, files: usize) {
    registry.publish_many("bench/all", ["1.0.0", "1.1.0"]);
    let world = World::new(&many_files(registry, files, |_| "bench/all:1.0.0".to_owned()));
    let plain = plain_sed(&world, "bench/all:1.0.0", "bench/all:1.1.0");
    let policy = world.policy(registry, &format!("[[image]]\nrepository = \"{}/bench/all\"\n", registry.host()));
    let run = tagboat(&policy, &["run", "--once"]);
    let last = format!("apps/{:03}/{:05}.yaml", (files - 1) / 20, files - 1);
    assert!(world.upstream.read(&last).unwrap().contains("bench/all:1.1.0"), "the pass committed");
    let [clone, edit, push] = &plain;
    let pass = run.steps(&["scan", "decide", "edit", "commit"]);
    line(
        &format!("{files} files of 4 KiB, all change: clone"),
        &seconds(run.steps(&["fetch"])),
        "-",
        Some((run.steps(&["fetch"]), *clone)),
    );
    line("  from the clone to the finished commit", &seconds(pass), "2 s", Some((pass, *edit)));
    for step in ["scan", "decide", "edit", "commit"] {
        line(&format!("    of it: {step}"), &seconds(run.steps(&[step])), "-", None);
    }
    line("  push", &seconds(run.steps(&["push"])), "-", Some((run.steps(&["push"]), *push)));
    line("  all of the program's run", &seconds(run.all), "-", Some((run.all, plain.iter().sum())));
    line("  its processor time, all cores together", &seconds(run.cpu), "-", None);
    line("  its peak memory", &mib(run.peak), "128 MiB", None);
}

/// The same by hand: clone; `git grep`, `sed` and commit; push (to another branch).
fn plain_sed(world: &World, from: &str, to: &str) -> [Duration; 3] {
    let tree = world.dir.path().join("plain");
    let clone = format!("git clone -q {:?} {tree:?}", world.upstream.path());
    let edit = format!(
        "cd {tree:?}; git grep -lz {from} | xargs -0 sed -i s,{from},{to},; git -c user.name=x -c user.email=x@example.com commit -qam bump"
    );
    let push = format!("cd {tree:?}; git push -q origin HEAD:plain");
    [clone, edit, push].map(|script| {
        let started = Instant::now();
        assert!(Command::new("bash").args(["-ec", &script]).status().unwrap().success());
        started.elapsed()
    })
}

fn one_file_of_many(registry: &Registry) {
    let world =
        World::new(&many_files(
            registry,
            FILES,
            |i| if i == 5_000 { "bench/one:1.0.0".to_owned() } else { format!("bench/other-{i}:1.0.0") },
        ));
    let repository = RepositoryPattern::parse(&format!("{}/bench/one", registry.host())).unwrap();
    let policy = Policy::new(policy::Config::default()).unwrap();
    let rules = Rules::new(
        vec![ImageRule { repository, policy, environments: vec![], paths: None, marker: None, interval: None }],
        Duration::from_secs(300),
    );
    let git = environment::Config {
        url: RemoteUrl::parse(world.upstream.path().to_str().unwrap()).unwrap(),
        branch: Some("main".to_owned()),
        auth: None,
        ca_file: None,
        author: Author { name: "bench".to_owned(), email: "bench@example.com".to_owned() },
        history: 200,
        timeout: Duration::from_secs(60),
    };
    let config =
        EnvironmentConfig { name: "prod".to_owned(), paths: Paths::default(), formats: Formats::default(), registry_keys: Vec::new(), git };
    let mut clone = Environment::open(config.git.clone(), &world.dir.path().join("clone")).unwrap();
    let snapshot = clone.fetch().unwrap();

    let plain = {
        let started = Instant::now();
        let script = "git grep -l bench/one: main -- '*.yaml'";
        assert!(
            Command::new("bash").args(["-c", script]).current_dir(world.upstream.path()).stdout(Stdio::null()).status().unwrap().success()
        );
        started.elapsed()
    };
    let mut cache = Cache::new(rules.watch(&config));
    let started = Instant::now();
    assert_eq!(cache.sites(&snapshot, &config, &rules).unwrap().files().count(), 1);
    let cold = started.elapsed();
    line("10,000 files, one watched reference: found, cold", &format!("{:.4} s", cold.as_secs_f64()), "0.25 s", Some((cold, plain)));
    let started = Instant::now();
    let snapshot = clone.fetch().unwrap();
    assert_eq!(cache.sites(&snapshot, &config, &rules).unwrap().files().count(), 1);
    let warm = started.elapsed();
    line("  the same again, warm, fetch included", &format!("{:.4} s", warm.as_secs_f64()), "0.002 s", Some((warm, plain)));
}

fn thousand_deployments(registry: &Registry) {
    for i in 0..DEPLOYMENTS {
        registry.publish_many(&format!("bench/app-{i}"), (0..TAGS).map(|tag| format!("1.{}.{}", tag / 10, tag % 10)));
    }
    let files: Vec<_> = (0..DEPLOYMENTS)
        .map(|i| (format!("apps/{i:04}.yaml"), deployment(&format!("app-{i}"), &format!("{}/bench/app-{i}:1.0.0", registry.host()))))
        .collect();
    let world = World::new(&files);
    let policy = world.policy(registry, &format!("[[image]]\nrepository = \"{}/bench/*\"\n", registry.host()));
    let before = registry.request_count();
    let run = tagboat(&policy, &["plan"]);
    let requests = registry.request_count() - before;
    line("1,000 Deployments, 100 tags each: plan from a cold start", &seconds(run.all), "1 s", None);
    line("  requests to the registry", &requests.to_string(), "1000", None);
    line("  its peak memory", &mib(run.peak), "40 MiB", None);
}

fn idle(registry: &Registry) {
    registry.publish("bench/idle", "1.0.0");
    let files = [("app.yaml".to_owned(), deployment("idle", &format!("{}/bench/idle:1.0.0", registry.host())))];
    let world = World::new(&files);
    let policy = world.policy(registry, &format!("[[image]]\nrepository = \"{}/bench/idle\"\n", registry.host()));
    let mut child = start(&policy, &["run"], &policy.with_file_name("log"));
    // Idle is when the memory has not moved for a second.
    let (mut last, mut still) = (0, Instant::now());
    while still.elapsed() < Duration::from_secs(1) {
        let now = memory(child.id(), "VmRSS");
        if now != last {
            (last, still) = (now, Instant::now());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    line("idle daemon, resident memory", &mib(last), "20 MiB", None);
}
