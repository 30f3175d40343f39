//! Deciding among very many tags, beside what parsing them as semantic versions alone takes. The goal is 100 ns a tag for
//! `semver` with a range (10 ms a run), and no allocation per tag: a run that makes more than a few fails.
#![allow(clippy::unwrap_used, missing_docs)]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use divan::{AllocProfiler, Bencher};
use tagboat::image::{Tag, TagList, TagRef};
use tagboat::policy::{Config, Direction, Fact, Facts, Known, Moment, Order, Policy, Question, Step};

const TAGS: usize = 100_000;

/// The most allocations of a decision, however many tags there are: the choice, what `extract` needs, the facts to ask for.
const FEW: usize = 16;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting(AllocProfiler::system());

/// Counts allocations; `divan` shows its own count, but does not tell it.
struct Counting(AllocProfiler);

#[allow(unsafe_code)] // An allocator is unsafe by its trait; this one only counts and passes everything on.
// SAFETY: each call is passed on as it is to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { self.0.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { self.0.dealloc(old, layout) }
    }
}

/// Measures a decision, once it is known to make few allocations.
fn measure(bencher: Bencher<'_, '_>, policy: &Policy, question: &Question<'_>) {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let decision = policy.decide(question);
    let made = ALLOCATIONS.load(Ordering::Relaxed) - before;
    assert!(made <= FEW, "{made} allocations for {decision}");
    bencher.bench_local(|| policy.decide(question));
}

fn main() {
    divan::main();
}

/// Plain versions, as a list and as text.
fn plain() -> (Vec<String>, TagList) {
    list((0..TAGS).map(|i| format!("{}.{}.{}", i / 10_000, i / 100 % 100, i % 100)).collect())
}

/// What busy repositories hold: versions with and without variants, builds, prereleases, commits, dates and names.
fn mixed() -> (Vec<String>, TagList) {
    list(
        (0..TAGS)
            .map(|i| {
                let version = format!("{}.{}.{}", i / 10_000, i / 100 % 100, i % 100);
                match i % 8 {
                    0 | 1 => version,
                    2 => format!("{version}-alpine3.{}", i % 20),
                    3 => format!("{version}-debian-11-r{}", i % 50),
                    4 => format!("{version}-rc.{}", i % 9),
                    5 => format!("main-{i:07x}-17000{i:05}"),
                    6 => format!("sha256-{i:064x}.sig"),
                    _ => format!("{i:07x}"),
                }
            })
            .collect(),
    )
}

fn list(texts: Vec<String>) -> (Vec<String>, TagList) {
    let tags = texts.iter().map(|text| TagRef::parse(text).unwrap()).collect();
    (texts, tags)
}

fn decide(bencher: Bencher<'_, '_>, config: Config, tags: &TagList, current: &str) {
    let policy = Policy::new(config).unwrap();
    let current = Tag::parse(current).unwrap();
    measure(bencher, &policy, &Question { current: Some(&current), ..Question::of(tags) });
}

fn order(order: Order) -> Config {
    Config { order: Some(order), ..Config::default() }
}

/// The baseline: parse with `semver`, take the greatest.
#[divan::bench]
fn baseline_semver_max_plain(bencher: Bencher<'_, '_>) {
    let (texts, _) = plain();
    bencher.bench_local(|| texts.iter().filter_map(|text| semver::Version::parse(text).ok()).max());
}

#[divan::bench]
fn baseline_semver_max_mixed(bencher: Bencher<'_, '_>) {
    let (texts, _) = mixed();
    bencher.bench_local(|| texts.iter().filter_map(|text| semver::Version::parse(text).ok()).max());
}

#[divan::bench]
fn update_major_plain(bencher: Bencher<'_, '_>) {
    decide(bencher, order(Order::Update(Step::Major)), &plain().1, "1.2.3");
}

#[divan::bench]
fn update_major_mixed(bencher: Bencher<'_, '_>) {
    decide(bencher, order(Order::Update(Step::Major)), &mixed().1, "1.2.3");
}

#[divan::bench]
fn update_minor_of_a_variant_mixed(bencher: Bencher<'_, '_>) {
    decide(bencher, Config::default(), &mixed().1, "1.2.3-debian-11-r3");
}

/// Of a `-dev` it has to be found out whether it is one of a pair, and of a `22.10` whether it is a month.
#[divan::bench]
fn update_minor_of_a_dev_mixed(bencher: Bencher<'_, '_>) {
    decide(bencher, Config::default(), &mixed().1, "1.2.6-dev");
}

#[divan::bench]
fn update_minor_of_a_month_mixed(bencher: Bencher<'_, '_>) {
    decide(bencher, Config::default(), &mixed().1, "22.10");
}

#[divan::bench]
fn semver_plain(bencher: Bencher<'_, '_>) {
    decide(bencher, order(Order::Semver(">=1.2 <9 || 12.x".into())), &plain().1, "1.2.3");
}

#[divan::bench]
fn semver_mixed(bencher: Bencher<'_, '_>) {
    decide(bencher, order(Order::Semver(">=1.2 <9 || 12.x".into())), &mixed().1, "1.2.3");
}

#[divan::bench]
fn semver_strict_mixed(bencher: Bencher<'_, '_>) {
    decide(bencher, Config { strict: true, ..order(Order::Semver(">=1.2 <9 || 12.x".into())) }, &mixed().1, "1.2.3");
}

#[divan::bench]
fn numeric(bencher: Bencher<'_, '_>) {
    let (_, tags) = list((0..TAGS).map(|i| format!("{}", i * 7919)).collect());
    decide(bencher, order(Order::Numeric(Direction::Ascending)), &tags, "5");
}

#[divan::bench]
fn numeric_with_extract_mixed(bencher: Bencher<'_, '_>) {
    let config = Config {
        filter: Some("^main-[0-9a-f]+-(?<stamp>[0-9]+)$".into()),
        extract: Some("$stamp".into()),
        ..order(Order::Numeric(Direction::Ascending))
    };
    decide(bencher, config, &mixed().1, "main-0000005-1700000005");
}

#[divan::bench]
fn alphabetical_mixed(bencher: Bencher<'_, '_>) {
    decide(bencher, order(Order::Alphabetical(Direction::Ascending)), &mixed().1, "1.2.3");
}

#[divan::bench]
fn calver(bencher: Bencher<'_, '_>) {
    let (_, tags) = list((0..TAGS).map(|i| format!("{}.{:02}.{:02}", 1990 + i / 1000, i / 50 % 14, i % 33)).collect());
    decide(bencher, order(Order::Calver("YYYY.0M.0D".into())), &tags, "1990.01.01");
}

/// The last round of the dialogue, with all times known.
#[divan::bench]
fn newest_mixed(bencher: Bencher<'_, '_>) {
    let (texts, tags) = mixed();
    let fact = |i: usize| Fact { pushed: Some(Known::Is(i as i64 * 7919 % 65_537)), ..Fact::default() };
    let facts: Facts = texts.iter().enumerate().map(|(i, text)| (Tag::parse(text).unwrap(), fact(i))).collect();
    let policy = Policy::new(order(Order::Newest(Moment::Pushed))).unwrap();
    measure(bencher, &policy, &Question { facts: &facts, ..Question::of(&tags) });
}

#[divan::bench]
fn digest_mixed(bencher: Bencher<'_, '_>) {
    decide(bencher, order(Order::Digest("1.2.3".into())), &mixed().1, "1.2.3");
}

/// The first round of the dialogue about ages, with nothing known.
#[divan::bench]
fn semver_with_min_age_mixed(bencher: Bencher<'_, '_>) {
    let config = Config { min_age: Some(Duration::from_secs(1)), ..order(Order::Semver(">=1.2 <9 || 12.x".into())) };
    decide(bencher, config, &mixed().1, "1.2.3");
}

/// What a trace costs when it is asked for.
#[divan::bench]
fn explain_update_major_mixed(bencher: Bencher<'_, '_>) {
    let (_, tags) = mixed();
    let policy = Policy::new(order(Order::Update(Step::Major))).unwrap();
    let current = Tag::parse("1.2.3").unwrap();
    let question = Question { current: Some(&current), ..Question::of(&tags) };
    bencher.bench_local(|| policy.explain(&question));
}
