//! The order of readings, and what makes two variants one family.
//!
//! Numbers compare as numbers wherever they stand. Commit hashes say nothing about age, so they never decide.

use std::cmp::Ordering;

use super::number::compare_digits;
use super::reading::{Reading, is_separator};
use super::words::{self, Kind};

/// Compares the numbers of two readings; a missing number counts as zero.
pub(super) fn compare_numbers(a: &Reading<'_>, b: &Reading<'_>) -> Ordering {
    if let (Some(a), Some(b)) = (a.small_numbers(), b.small_numbers()) {
        return a.cmp(&b);
    }
    let (mut a, mut b) = (a.parts(), b.parts());
    loop {
        let (x, y) = (a.next(), b.next());
        if x.is_none() && y.is_none() {
            return Ordering::Equal;
        }
        let order = compare_digits(x.unwrap_or(""), y.unwrap_or(""));
        if order.is_ne() {
            return order;
        }
    }
}

/// Compares two prereleases as written; none is the release itself, and greater than all.
pub(super) fn compare_prereleases(a: &str, b: &str) -> Ordering {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => {
            let ((x, a), (y, b)) = (split_kind(a), split_kind(b));
            x.cmp(&y).then_with(|| compare_runs(a, b))
        }
    }
}

/// Returns the kind of a prerelease as written.
pub(super) fn kind_of(prerelease: &str) -> Option<Kind> {
    if prerelease.is_empty() {
        return None;
    }
    let (word, after) = prerelease.split_at(word_length(prerelease));
    words::prerelease(word, after.bytes().any(|b| b.is_ascii_digit()))
}

/// Splits a prerelease into its kind and what follows it; what is of no known kind comes before all of them, as in `-0`.
fn split_kind(prerelease: &str) -> (Kind, &str) {
    match kind_of(prerelease) {
        Some(kind) => (kind, &prerelease[word_length(prerelease)..]),
        None => (Kind { maturity: 0, name: "" }, prerelease),
    }
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_alphabetic).count()
}

/// Compares variants, then what follows them, then builds: the lower-order keys of a version.
pub(super) fn compare_details(a: &Reading<'_>, b: &Reading<'_>) -> Ordering {
    compare_runs(a.variant(), b.variant()).then_with(|| compare_runs(a.tail(), b.tail())).then_with(|| compare_runs(a.build(), b.build()))
}

/// Compares two texts run by run: digits as numbers, words by their letters, digits before words, the shorter before the longer.
pub(super) fn compare_runs(a: &str, b: &str) -> Ordering {
    if a.is_empty() && b.is_empty() {
        return Ordering::Equal;
    }
    let (mut a, mut b) = (runs(a), runs(b));
    loop {
        let order = match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(Run::Digits(x)), Some(Run::Digits(y))) => compare_digits(x, y),
            (Some(Run::Digits(_)), Some(Run::Word(_))) => Ordering::Less,
            (Some(Run::Word(_)), Some(Run::Digits(_))) => Ordering::Greater,
            (Some(Run::Word(x)), Some(Run::Word(y))) => {
                x.bytes().map(|b| b.to_ascii_lowercase()).cmp(y.bytes().map(|b| b.to_ascii_lowercase()))
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

enum Run<'a> {
    Digits(&'a str),
    Word(&'a str),
}

/// Returns which number is the first to differ, counted from zero.
pub(super) fn first_difference(a: &Reading<'_>, b: &Reading<'_>) -> Option<usize> {
    if let (Some(a), Some(b)) = (a.small_numbers(), b.small_numbers()) {
        return a.iter().zip(&b).position(|(a, b)| a != b);
    }
    let (mut x, mut y) = (a.parts(), b.parts());
    (0..a.precision().max(b.precision())).find(|_| compare_digits(x.next().unwrap_or(""), y.next().unwrap_or("")).is_ne())
}

/// Splits a text into runs of digits and of other characters, without separators and commit hashes.
fn runs(text: &str) -> impl Iterator<Item = Run<'_>> {
    text.split(['-', '_', '.']).filter(|segment| !words::is_commit(segment)).flat_map(|mut segment| {
        std::iter::from_fn(move || {
            let digits = segment.bytes().next()?.is_ascii_digit();
            let end = segment.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(segment.len());
            let (run, after) = segment.split_at(end);
            segment = after;
            Some(if digits { Run::Digits(run) } else { Run::Word(run) })
        })
    })
}

/// Says whether two readings are of one family: the same variant and the same form of build, up to numbers that may grow.
pub(super) fn same_family(a: &Reading<'_>, b: &Reading<'_>) -> bool {
    same_variant(a.variant(), b.variant()) && same_variant(a.tail(), b.tail()) && same_series(a.build(), b.build())
}

/// Says whether two builds are of one series. A security fix such as Grafana's `11.3.0-security-01` is none of its own: it
/// follows the plain version when there is need, and the next plain version follows it.
fn same_series(a: &str, b: &str) -> bool {
    let is_plain = |build: &str| build.is_empty() || build.starts_with("security");
    same_form(a, b) || (is_plain(a) && is_plain(b))
}

/// Says whether two variants are one, up to the numbers of base systems, days and commits.
pub(super) fn same_variant(a: &str, b: &str) -> bool {
    // Most tags have none, and comparing nothing with nothing is not free everywhere.
    if a.is_empty() || b.is_empty() {
        return a.len() == b.len();
    }
    a == b || same_segments(a, b, same_segment)
}

/// Says whether two readings of one family stand on the same release of their base system: only days, commits and builds may differ.
pub(super) fn same_base(a: &Reading<'_>, b: &Reading<'_>) -> bool {
    let same = |a: &str, b: &str| a == b || same_segments(a, b, |x, y, _| same_build(x, y));
    same(a.variant(), b.variant()) && same(a.tail(), b.tail())
}

/// Compares two variants segment by segment; `same` is asked of those that differ, with whether a base system's name stands before them.
fn same_segments(a: &str, b: &str, same: impl Fn(&str, &str, bool) -> bool) -> bool {
    let segments = |text| -> std::str::Split<'_, fn(char) -> bool> { str::split(text, |c| u8::try_from(c).is_ok_and(is_separator)) };
    let (mut a, mut b) = (segments(a), segments(b));
    let mut system = false;
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) if x == y || same(x, y, system) => {
                system = words::is_base_system(x) || (system && x.starts_with(|c: char| c.is_ascii_digit()));
            }
            _ => return false,
        }
    }
}

/// Says whether two differing segments of a variant are the same up to numbers; `system` says that a base system's name stands before them.
fn same_segment(x: &str, y: &str, system: bool) -> bool {
    if same_build(x, y) {
        return true;
    }
    let length = word_length(x);
    x.get(..length) == y.get(..length)
        && same_form(&x[length..], &y[length..])
        && if length == 0 { system } else { words::is_base_system(&x[..length]) }
}

/// Says whether two differing segments of a variant count builds of the same: commits, days and counters.
fn same_build(x: &str, y: &str) -> bool {
    if words::is_commit(x) && words::is_commit(y) {
        return true;
    }
    let length = word_length(x);
    if x.get(..length) != y.get(..length) || !same_form(&x[length..], &y[length..]) {
        return false;
    }
    // `ce.0`, `gke.1167000`: a single number behind a dot counts the builds of what is named before it.
    let counts = |after: &str| after.strip_prefix('.').is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
    let is_day = |s: &str| s.len() >= 6 && s.bytes().all(|b| b.is_ascii_digit());
    if length > 0 { counts(&x[length..]) } else { is_day(x) && is_day(y) }
}

/// Says whether two texts are the same once every run of digits in them is blanked.
pub(super) fn same_form(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let (mut i, mut j) = (0, 0);
    let skip = |text: &[u8], at: usize| at + text[at..].iter().take_while(|b| b.is_ascii_digit()).count();
    loop {
        match (a.get(i), b.get(j)) {
            (None, None) => return true,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => (i, j) = (skip(a, i), skip(b, j)),
            (Some(x), Some(y)) if x == y => (i, j) = (i + 1, j + 1),
            _ => return false,
        }
    }
}
