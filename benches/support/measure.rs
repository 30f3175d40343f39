//! The table that the benches print, and what is read about a process from Linux's `/proc`.

use std::time::Duration;

/// Prints the table's head.
pub(crate) fn head() {
    println!("{:<58} {:>12} {:>10} {:>12} {:>8}", "what", "measured", "goal", "baseline", "ratio");
}

/// Prints one line of the table; a ratio below 1 means faster or smaller than the baseline.
pub(crate) fn line(what: &str, measured: &str, goal: &str, baseline: Option<(Duration, Duration)>) {
    let (baseline, ratio) = baseline.map_or_else(
        || ("-".to_owned(), "-".to_owned()),
        |(ours, theirs)| (format!("{:.3} s", theirs.as_secs_f64()), format!("{:.2}", ours.as_secs_f64() / theirs.as_secs_f64())),
    );
    println!("{what:<58} {measured:>12} {goal:>10} {baseline:>12} {ratio:>8}");
}

pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

pub(crate) fn mib(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0)
}

/// Returns a process's `VmRSS` or `VmHWM` in bytes; 0 if it has ended.
pub(crate) fn memory(process: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Returns a process's time on all cores so far, in the kernel's hundredths of a second.
pub(crate) fn cpu_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // Behind the name, which is in parentheses: the 12th and 13th field are user and system time.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Duration::from_millis(10 * fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>())
}
