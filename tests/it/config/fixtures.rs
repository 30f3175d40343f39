//! Policy files with a mistake, named after it, and the report that each must give.
//!
//! `invalid/x.toml` names in its first line where its mistakes stand (`# expect: line:column …`, `-` for a
//! mistake about the whole file), worked out by hand; `invalid/x.err` holds the whole report.

use std::fs;
use std::path::{Path, PathBuf};

use tagboat::config::{Position, load};

const INVALID: &str = "tests/fixtures/config/invalid";

fn cases(extension: Option<&str>) -> Vec<PathBuf> {
    let entries = fs::read_dir(INVALID).unwrap().map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = match extension {
        Some(extension) => entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect(),
        None => entries.filter(|path| path.is_dir() || path.extension().is_some_and(|e| e == "toml")).collect(),
    };
    cases.sort();
    cases
}

fn expected_places(case: &Path) -> Vec<Option<(usize, usize)>> {
    let files = if case.is_dir() { fs::read_dir(case).unwrap().map(|e| e.unwrap().path()).collect() } else { vec![case.to_owned()] };
    let place = |word: &str| word.split_once(':').map(|(line, column)| (line.parse::<usize>().unwrap(), column.parse::<usize>().unwrap()));
    let mut places = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let first = text.lines().next().unwrap();
        let words = first.strip_prefix("# expect:").unwrap_or_else(|| panic!("{} says what it expects", file.display()));
        places.extend(words.split_whitespace().map(place));
    }
    places.sort_unstable();
    places
}

#[test]
fn every_mistake_is_reported_in_its_place_and_words() {
    let mut wrong = Vec::new();
    for case in cases(None) {
        let Err(report) = load(&case, &super::variables()) else {
            wrong.push(format!("{}: no mistake was found", case.display()));
            continue;
        };
        let at = |position: Position| (position.line, position.column);
        let mut places: Vec<_> = report.mistakes().iter().map(|mistake| mistake.at.map(at)).collect();
        places.sort_unstable();
        if places != expected_places(&case) {
            wrong.push(format!("{}: mistakes at {places:?}", case.display()));
        }
        let text = format!("{report}\n");
        let expectation = case.with_extension("err");
        if std::env::var_os("TAGBOAT_BLESS").is_some() {
            fs::write(&expectation, &text).unwrap();
        }
        if fs::read_to_string(&expectation).unwrap_or_default() != text {
            wrong.push(format!("{}:\n{text}", expectation.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn no_expectation_is_left_without_its_case() {
    for expectation in cases(Some("err")) {
        let case = expectation.with_extension("");
        assert!(case.is_dir() || expectation.with_extension("toml").is_file(), "{}", expectation.display());
    }
}

#[test]
fn no_report_shows_a_secret() {
    for case in cases(None) {
        let report = load(&case, &super::variables()).unwrap_err();
        for text in [report.to_string(), report.render(true), format!("{report:?}")] {
            assert!(!text.contains("hunter2"), "{}:\n{text}", case.display());
            assert!(!text.contains("planted-"), "{}:\n{text}", case.display());
        }
    }
}
