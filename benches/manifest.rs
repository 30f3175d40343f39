//! How fast texts are screened, scanned, edited and proved, and how much memory that takes: `cargo bench --bench manifest`
//!
//! `cargo bench --bench manifest -- WORD` measures the worlds whose name holds the word: `many`, `documents`, `list`.
//!
//! The texts are in memory, as blobs come from Git. Times are those of the processor, so that a busy machine does not count, and
//! each stands beside two yardsticks of the same run: a plain search of the same bytes with `memchr`, and what `yq` and its
//! like do, to read the whole text and write it anew (which loses comments and quotes, and proves nothing).
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "support/measure.rs"]
#[allow(dead_code, reason = "each bench takes what it needs")]
mod measure;

use std::hint::black_box;
use std::time::Duration;

use measure::{cpu_time, head, line, memory, mib};
use memchr::memmem::Finder;
use serde::Deserialize as _;
use tagboat::image::{RepositoryPattern, Tag};
use tagboat::manifest::{Edit, Format, Watch, apply, scan};

/// A Deployment of about 4 KiB.
const DEPLOYMENT: &str = include_str!("../tests/fixtures/manifest/deployment.yaml");
const FILES: usize = 10_000;
/// The sites of the large file.
const SITES: usize = 5_000;
/// The length of the large file, in bytes.
const LARGE: usize = 20_000_000;

fn main() {
    // `cargo test --benches` only asks whether this starts.
    if !std::env::args().any(|arg| arg == "--bench") {
        assert!(changes(DEPLOYMENT, &watch("ghcr.io/acme/api")) && reemit(DEPLOYMENT));
        return;
    }
    let filters: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |name: &str| filters.is_empty() || filters.iter().any(|filter| name.contains(filter.as_str()));
    head();
    if wants("many") {
        many_files();
    }
    if wants("documents") {
        large_file("in documents", &large(DEPLOYMENT, "---\n"));
    }
    if wants("list") {
        let item = format!("- {}", DEPLOYMENT.trim_end().replace('\n', "\n  "));
        large_file("in one list", &format!("kind: List\nitems:\n{}", large(&item, "\n")));
    }
}

fn many_files() {
    let texts: Vec<String> = (0..FILES).map(|number| format!("# {number}\n{DEPLOYMENT}")).collect();
    let bytes: usize = texts.iter().map(String::len).sum();
    let name = "ghcr.io/acme/absent";
    let needle = Finder::new("absent");
    let plain = || texts.iter().filter(|text| needle.find(black_box(text.as_bytes())).is_some()).count();
    let floor = timed(plain);
    let reading = timed(|| texts.iter().filter(|text| reemit(text)).count());

    let watch_absent = watch(name);
    let ours = timed(|| texts.iter().filter(|text| !scan(text.as_bytes(), Format::Yaml, &watch_absent).unwrap().is_empty()).count());
    tell("10,000 files, none changing, cold, beside memchr", bytes, ours.cold, floor.cold, "1.5 times");
    tell("10,000 files, none changing, warm, beside memchr", bytes, ours.warm, floor.warm, "1.5 times");

    let watch_api = watch("ghcr.io/acme/api");
    let mut one = vec![DEPLOYMENT.replace("api", "web").replace("webVersion", "apiVersion"); FILES];
    one[FILES / 2] = DEPLOYMENT.to_owned();
    let ours = timed(|| one.iter().filter(|text| changes(text, &watch_api)).count());
    let floor = timed(|| one.iter().filter(|text| needle.find(black_box(text.as_bytes())).is_some()).count());
    tell("10,000 files, one changing, cold, beside memchr", bytes, ours.cold, floor.cold, "-");
    tell("10,000 files, one changing, warm, beside memchr", bytes, ours.warm, floor.warm, "-");

    let ours = timed(|| texts.iter().filter(|text| changes(text, &watch_api)).count());
    tell("10,000 files, all changing, cold, beside re-emission", bytes, ours.cold, reading.cold, "30 MB/s");
    tell("10,000 files, all changing, warm, beside re-emission", bytes, ours.warm, reading.warm, "30 MB/s");
    line("  their memory beside the texts", &mib(ours.memory), "128 MiB", None);
}

fn large_file(form: &str, text: &str) {
    let watch = watch("ghcr.io/acme/api");
    let ours = timed(|| usize::from(changes(text, &watch)));
    let found = timed(|| scan(text.as_bytes(), Format::Yaml, &watch).unwrap().len());
    let theirs = timed(|| usize::from(reemit(text)));
    tell(&format!("20 MB {form}, scanned, warm, beside re-emission"), text.len(), found.warm, theirs.warm, "-");
    tell(&format!("20 MB {form}, edited, cold, beside re-emission"), text.len(), ours.cold, theirs.cold, "30 MB/s");
    tell(&format!("20 MB {form}, edited, warm, beside re-emission"), text.len(), ours.warm, theirs.warm, "30 MB/s");
    line("  its memory beside the text", &mib(ours.memory), "128 MiB", None);
    line("  the memory of re-emission", &mib(theirs.memory), "-", None);
}

/// Makes a text of Deployments, the sites of the first ones being watched.
fn large(unit: &str, between: &str) -> String {
    let in_one = unit.matches("ghcr.io/acme/api:").count();
    let mut text = String::with_capacity(LARGE + unit.len());
    let mut sites = 0;
    while text.len() + unit.len() < LARGE {
        if sites < SITES {
            text.push_str(unit);
            sites += in_one;
        } else {
            text.push_str(&unit.replace("acme/api", "acme/web"));
        }
        text.push_str(between);
    }
    text
}

/// Moves all sites, and says whether that changed the text.
fn changes(text: &str, watch: &Watch) -> bool {
    let sites = scan(black_box(text.as_bytes()), Format::Yaml, watch).unwrap();
    let tag = Tag::parse("1.4.2").unwrap();
    let edits: Vec<Edit<'_>> = sites.iter().map(|site| Edit { site, tag: tag.clone(), digest: None }).collect();
    !edits.is_empty() && apply(text.as_bytes(), &edits).unwrap() != text.as_bytes()
}

/// Reads a text as data and writes that anew.
fn reemit(text: &str) -> bool {
    let mut new = String::new();
    for document in serde_yaml::Deserializer::from_str(black_box(text)) {
        new.push_str(&serde_yaml::to_string(&serde_yaml::Value::deserialize(document).unwrap()).unwrap());
    }
    new != text
}

fn watch(repository: &str) -> Watch {
    Watch::new(&[RepositoryPattern::parse(repository).unwrap()])
}

/// The time of the first run and of the best of those behind it, and the most memory that the first took beyond what was there.
struct Measured {
    cold: Duration,
    warm: Duration,
    memory: u64,
}

fn timed(run: impl Fn() -> usize) -> Measured {
    let own = std::process::id();
    let once = || {
        let start = cpu_time(own);
        let mut runs = 0;
        // The kernel counts in hundredths of a second.
        while runs == 0 || cpu_time(own) - start < Duration::from_millis(200) {
            black_box(run());
            runs += 1;
        }
        (cpu_time(own) - start) / runs
    };
    // From here on, the kernel takes the peak anew.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = memory(own, "VmRSS");
    let start = std::time::Instant::now();
    black_box(run());
    let cold = start.elapsed();
    let memory = memory(own, "VmHWM").saturating_sub(before);
    Measured { cold, warm: once().min(once()), memory }
}

fn tell(what: &str, bytes: usize, ours: Duration, yardstick: Duration, goal: &str) {
    let speed = format!("{:.0} MB/s", bytes as f64 / 1e6 / ours.as_secs_f64());
    line(what, &speed, goal, Some((ours, yardstick)));
}
