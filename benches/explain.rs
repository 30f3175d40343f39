//! `tagboat explain` of 10,000 tags, offline: the whole process as users run it. The goal is 50 ms.
//!
//! Beside it stand two floors of the same run: the process alone, which says its version, and the list read, sorted as text
//! and printed, which judges nothing. `cargo bench --bench explain`
#![allow(clippy::unwrap_used, missing_docs)]

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use divan::Bencher;
use tempfile::TempDir;

const TAGS: usize = 10_000;

fn main() {
    divan::main();
}

/// What a busy repository holds: versions with and without variants, builds and prereleases, branches, commits and dates.
static LIST: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let mut text = String::new();
    for i in 0..TAGS {
        let version = format!("{}.{}.{}", i / 2_500, i / 50 % 50, i % 50);
        let tag = match i % 8 {
            0 | 1 => version,
            2 => format!("{version}-alpine3.{}", i % 20),
            3 => format!("{version}-debian-11-r{}", i % 50),
            4 => format!("{version}-rc.{}", i % 9),
            5 => format!("main-{i:07x}-17000{i:05}"),
            6 => format!("v{version}_{}-jre-alpine", i % 10),
            _ => format!("{:07x}", i.wrapping_mul(2_654_435_761) % (1 << 28)),
        };
        writeln!(text, "{tag}").unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tags");
    std::fs::write(&file, text).unwrap();
    (dir, file)
});

/// Runs the program on the list, in a directory without a policy file.
fn tagboat(arguments: &[&str]) {
    let (dir, _) = &*LIST;
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagboat"));
    command.env_remove("TAGBOAT_CONFIG").current_dir(dir).args(arguments);
    assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
}

fn explain(bencher: Bencher<'_, '_>, arguments: &[&str]) {
    let arguments = [&["explain", "ghcr.io/acme/api:2.25.10", "--tags", LIST.1.to_str().unwrap()], arguments].concat();
    bencher.bench_local(|| tagboat(&arguments));
}

#[divan::bench]
fn explain_as_text(bencher: Bencher<'_, '_>) {
    explain(bencher, &[]);
}

#[divan::bench]
fn explain_with_parts(bencher: Bencher<'_, '_>) {
    explain(bencher, &["--parts"]);
}

#[divan::bench]
fn explain_as_json(bencher: Bencher<'_, '_>) {
    explain(bencher, &["--format", "json"]);
}

#[divan::bench]
fn floor_process_alone(bencher: Bencher<'_, '_>) {
    LazyLock::force(&LIST);
    bencher.bench_local(|| tagboat(&["--version"]));
}

#[divan::bench]
fn floor_sort_and_print(bencher: Bencher<'_, '_>) {
    let file = &LIST.1;
    bencher.bench_local(|| {
        let text = std::fs::read_to_string(file).unwrap();
        let mut tags: Vec<&str> = text.lines().collect();
        tags.sort_unstable();
        let printed: String = tags.iter().map(|tag| format!("    {tag:<48}  judged\n")).collect();
        File::create("/dev/null").unwrap().write_all(printed.as_bytes()).unwrap();
    });
}
