//! Listing registries, beside what curl takes for the same pages in the same run.
//!
//! `cargo bench --bench registry` prints one table. The registry is a process of its own on loopback that gives prepared
//! answers, so that the figures are the client's. `cargo bench --bench registry -- WORD` runs the parts whose name holds the
//! word: `list`, `rate`, `memory`. The limit is watched for 200 s, or for as long as `TAGBOAT_BENCH_SECONDS` says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

#[path = "support/measure.rs"]
mod measure;
#[path = "registry/server.rs"]
mod server;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tagboat::demo::repository::Upstream;
use tagboat::image::{Registry, Repository, TagList};
use tagboat::registry::{self, Client, Host};

use measure::{cpu_time, line, memory, mib, seconds};
use server::{REPOSITORIES, Server, TAGS};

/// Requests in flight at once, ours and curl's.
const CONCURRENCY: usize = 8;
/// Requests a second in the part about the limit.
const RATE: u32 = 50;
/// The name by which this program runs as the client that is measured.
const CLIENT: &str = "client";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some(server::COMMAND) => return server::serve(),
        Some(CLIENT) => return client(&arguments[1..]),
        _ => {}
    }
    // `cargo test --benches` only asks whether this starts.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let filters: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    measure::head();
    for (part, measure) in [("list", list as fn(&Server)), ("rate", rate), ("memory", million_tags)] {
        if filters.is_empty() || filters.iter().any(|filter| part.contains(filter.as_str())) {
            measure(&Server::start());
        }
    }
}

/// One pass of the client over all repositories.
struct Pass {
    wall: Duration,
    cpu: Duration,
}

/// Runs the client in a process of its own; returns its passes, and its peak memory in bytes.
fn run_client(server: &Server, folder: &str, repositories: usize, rate: u32, passes: usize) -> (Vec<Pass>, u64) {
    let arguments = [CLIENT, &server.host, folder, &repositories.to_string(), &rate.to_string(), &passes.to_string()];
    let output = Command::new(std::env::current_exe().unwrap()).args(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers = |line: &str| line.split(' ').map(|number| number.parse::<u64>().unwrap()).collect::<Vec<_>>();
    let mut lines: Vec<_> = text.lines().map(numbers).collect();
    let peak = lines.pop().unwrap()[0];
    let pass = |line: Vec<u64>| Pass { wall: Duration::from_micros(line[0]), cpu: Duration::from_micros(line[1]) };
    (lines.into_iter().map(pass).collect(), peak)
}

/// The measured client: lists `FOLDER/app-0` and so on; prints a line for each pass, and last its peak memory.
fn client(arguments: &[String]) {
    let [host, folder, repositories, rate, passes] = arguments else { panic!("{arguments:?}") };
    let registry = Registry::parse(host).unwrap();
    let rate = rate.parse().ok().filter(|rate| *rate > 0);
    let config = Host { plain_http: true, concurrency: CONCURRENCY, rate, ..Host::default() };
    registry::install_crypto_provider();
    let client = Client::new(registry::Config { hosts: [(registry.clone(), config)].into(), ..registry::Config::default() }).unwrap();
    let repository = |i: usize| Repository::new(registry.clone(), &format!("{folder}/app-{i}")).unwrap();
    let repositories: Arc<Vec<Repository>> = Arc::new((0..repositories.parse().unwrap()).map(repository).collect());
    let own = std::process::id();
    let mut kept: Option<Vec<(usize, TagList)>> = None;
    for _ in 0..passes.parse().unwrap() {
        let (started, cpu) = (Instant::now(), cpu_time(own));
        let lists = tokio::runtime::Runtime::new().unwrap().block_on(all(&client, &repositories));
        println!("{} {}", started.elapsed().as_micros(), (cpu_time(own) - cpu).as_micros());
        // The engine compares with what it knows, too.
        assert!(kept.as_ref().is_none_or(|kept| *kept == lists), "nothing changed at the registry");
        kept = Some(lists);
    }
    println!("{}", memory(own, "VmHWM"));
}

/// Lists all repositories, as many at once as the engine has workers for one host.
async fn all(client: &Client, repositories: &Arc<Vec<Repository>>) -> Vec<(usize, TagList)> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (client, repositories, next) = (client.clone(), Arc::clone(repositories), Arc::clone(&next));
        workers.spawn(async move {
            let mut lists = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(repository) = repositories.get(index) else { return lists };
                lists.push((index, client.tags(repository).await.unwrap()));
            }
        });
    }
    let mut lists = workers.join_all().await.concat();
    lists.sort_unstable_by_key(|(index, _)| *index);
    lists
}

fn list(server: &Server) {
    let (curl_wall, curl_cpu) = curl(server);
    assert_eq!(server.times().len(), REPOSITORIES, "curl asked for all of them");
    let (passes, peak) = run_client(server, "many", REPOSITORIES, 0, 2);
    let requests = server.times().len();
    for (pass, what) in passes.iter().zip(["1,000 repositories of 1,000 tags: listed, against curl", "  again, nothing new, against curl"])
    {
        line(what, &seconds(pass.wall), "-", Some((pass.wall, curl_wall)));
        line("    processor time, all cores together", &seconds(pass.cpu), "-", Some((pass.cpu, curl_cpu)));
    }
    line("  requests of both passes", &requests.to_string(), "2000", None);
    line("  peak memory", &mib(peak), "-", None);
}

/// Gets the same pages with curl; returns the time by the clock and on the processor.
fn curl(server: &Server) -> (Duration, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let mut config = String::new();
    for i in 0..REPOSITORIES {
        let _ = writeln!(config, "url = \"http://{}/v2/many/app-{i}/tags/list?n=1000\"\noutput = \"/dev/null\"", server.host);
    }
    let file = dir.path().join("curl");
    std::fs::write(&file, config).unwrap();
    let script = format!("TIMEFORMAT='%R %U %S'; time curl --silent --fail --parallel --parallel-max {CONCURRENCY} --config {file:?} 2>&1");
    let output = Command::new("bash").args(["-ec", &script]).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let times = String::from_utf8(output.stderr).unwrap();
    assert_eq!(times.split_whitespace().count(), 3, "{times}");
    let times: Vec<Duration> = times.split_whitespace().map(|time| Duration::from_secs_f64(time.parse().unwrap())).collect();
    (times[0], times[1] + times[2])
}

fn rate(server: &Server) {
    let wanted = std::env::var("TAGBOAT_BENCH_SECONDS").map_or(200, |seconds| seconds.parse().unwrap());
    let repositories = RATE as usize * wanted;
    run_client(server, "few", repositories, RATE, 1);
    let times = server.times();
    assert_eq!(times.len(), repositories);
    let all = *times.last().unwrap() - times[0];
    // The most that began within any second; the window is shorter by what two requests differ in on their way through loopback.
    let window = Duration::from_millis(998);
    let most = times.iter().enumerate().map(|(i, start)| times[i..].partition_point(|time| *time < *start + window)).max().unwrap();
    let used = (repositories - 1) as f64 / all.as_secs_f64() / f64::from(RATE) * 100.0;
    line(&format!("{repositories} repositories on one host, 50 requests a second"), &seconds(all), "-", None);
    line("  of the limit used", &format!("{used:.1} %"), "100 %", None);
    line("  most requests within a second", &most.to_string(), &RATE.to_string(), None);
}

/// What the daemon takes for a million tags, beside the same daemon with one repository of three.
fn million_tags(server: &Server) {
    let [idle, ..] = daemon(server, &["few/app-0".to_owned()]);
    let names: Vec<String> = (0..REPOSITORIES).map(|i| format!("many/app-{i}")).collect();
    let [listed, saved, restarted, peak] = daemon(server, &names);
    let million = REPOSITORIES * TAGS;
    line("daemon, one repository: resident memory", &mib(idle), "-", None);
    line(&format!("  {million} tags in 1,000 repositories: above that"), &mib(listed.saturating_sub(idle)), "40 MiB", None);
    line("    after more listings and a saved state", &mib(saved.saturating_sub(idle)), "40 MiB", None);
    line("    after a restart with that state", &mib(restarted.saturating_sub(idle)), "40 MiB", None);
    line("    peak of both runs", &mib(peak.saturating_sub(idle)), "-", None);
}

/// Watches repositories; returns the resident memory once all are listed, once the state is saved, the same of a second run, and the peak.
fn daemon(server: &Server, names: &[String]) -> [u64; 4] {
    let dir = tempfile::tempdir().unwrap();
    let files: Vec<(String, String)> = names
        .iter()
        .map(|name| {
            (
                format!("{}.yaml", name.replace('/', "-")),
                format!("kind: Pod\nspec:\n  containers:\n    - image: {}/{name}:1.4.49\n", server.host),
            )
        })
        .collect();
    let borrowed: Vec<(&str, String)> = files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let upstream = Upstream::create(&dir.path().join("environment.git"), &borrowed).unwrap();
    let policy = dir.path().join("tagboat.toml");
    let state = dir.path().join("state");
    let text = format!(
        "[watch]\ninterval = \"10s\"\nstate_dir = {state:?}\nlisten = \"127.0.0.1:0\"\n[registry.\"{host}\"]\nplain_http = true\n[environment.prod]\nurl = {:?}\n[[image]]\nrepository = \"{host}/*/*\"\n",
        upstream.path(),
        host = server.host,
    );
    std::fs::write(&policy, text).unwrap();
    server.times();
    let mut first = start(&policy);
    let mut requests = 0;
    let mut listings = |passes: usize| {
        let deadline = Instant::now() + Duration::from_secs(120);
        while requests < passes * names.len() {
            assert!(Instant::now() < deadline, "{requests} listings so far");
            std::thread::sleep(Duration::from_millis(500));
            requests += server.times().len();
        }
        // The pass that decides on them.
        std::thread::sleep(Duration::from_secs(2));
    };
    listings(1);
    let listed = memory(first.id(), "VmRSS");
    let saved = state.join("state.json");
    while !saved.exists() {
        std::thread::sleep(Duration::from_millis(500));
    }
    listings(4);
    let steady = memory(first.id(), "VmRSS");
    let peak = memory(first.id(), "VmHWM");
    first.kill().unwrap();
    first.wait().unwrap();
    let mut second = start(&policy);
    listings(5);
    let restarted = memory(second.id(), "VmRSS");
    let peak = peak.max(memory(second.id(), "VmHWM"));
    second.kill().unwrap();
    second.wait().unwrap();
    [listed, steady, restarted, peak]
}

fn start(policy: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagboat"));
    command.arg("run").arg("--config").arg(policy).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}
