//! Whatever the text: a report or settings, never a panic, and no secret in the report.

use std::fs;
use std::sync::LazyLock;
use std::time::Instant;

use proptest::prelude::*;
use tagboat::config::load_str;

fn survive(text: &str) {
    if let Err(report) = load_str("policy.toml", text, &super::variables()) {
        assert!(!report.mistakes().is_empty(), "{text}");
        let lines = text.split('\n').count();
        for mistake in report.mistakes() {
            assert!(mistake.at.is_none_or(|at| at.line >= 1 && at.line <= lines && at.column >= 1), "{mistake:?}");
        }
        let _ = (report.to_string(), report.render(true));
    }
}

static CORPUS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let fixtures = fs::read_dir("tests/fixtures/config/invalid").unwrap().map(|entry| entry.unwrap().path());
    let files = super::samples::samples().into_iter().chain(fixtures.filter(|path| path.extension().is_some_and(|e| e == "toml")));
    let mut files: Vec<_> = files.collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text(text in ".{0,200}") {
        survive(&text);
    }

    #[test]
    fn text_made_of_toml(words in prop::collection::vec(prop::sample::select(WORDS), 0..60)) {
        survive(&words.concat());
    }

    #[test]
    fn samples_with_a_piece_replaced(
        file in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        length in 0usize..30,
        piece in prop_oneof![prop::sample::select(WORDS).prop_map(str::to_owned), ".{0,3}"],
    ) {
        let mut text: Vec<char> = file.get(&CORPUS).chars().collect();
        let from = from.index(text.len() + 1);
        let to = (from + length).min(text.len());
        text.splice(from..to, piece.chars());
        survive(&text.into_iter().collect::<String>());
    }

    #[test]
    fn a_password_never_shows_wherever_the_file_is_broken(from in 0usize..200, length in 0usize..4, piece in "[\"'={}\\[\\], \na]{0,3}") {
        let text = "[environment.prod]\nurl = \"https://git.example.com/e.git\"\nauth = { username = \"bot\", password = \"hunter2\" }\n";
        let (start, end) = (text.find("password").unwrap(), text.find("hunter2").unwrap());
        let from = from % text.len();
        let to = (from + length).min(text.len());
        // The key and the secret stay whole; what is between and around them may break.
        prop_assume!(to <= start || (from >= start + 8 && to <= end) || from >= end + 7);
        let broken = format!("{}{piece}{}", &text[..from], &text[to..]);
        if let Err(report) = load_str("policy.toml", &broken, &super::variables()) {
            prop_assert!(!report.to_string().contains("hunter2"), "{broken}\n{report}");
        }
    }
}

const WORDS: &[&str] = &[
    "[watch]\n",
    "[registry.\"ghcr.io\"]\n",
    "[environment.prod]\n",
    "[[image]]\n",
    "[image.policy]\n",
    "[[watch]]\n",
    "[image]\n",
    "auth",
    "password",
    "token",
    "file",
    "env",
    "url",
    "repository",
    "policy",
    "semver",
    "paths",
    "interval",
    "watch.",
    "image",
    "environment",
    " = ",
    "=",
    "{ ",
    " }",
    "[",
    "]",
    ", ",
    ".",
    "\n",
    "\r\n",
    "\"",
    "'",
    "\"\"\"",
    "\\",
    "#",
    "\"5m\"",
    "\"ä\u{1F600}\"",
    "5",
    "true",
    "1979-05-27",
    "0x",
    "\u{0}",
    "\u{feff}",
    "{ file = \"x\" }",
    "[\"a\"]",
    "\"a\\u0000b\"",
];

#[test]
fn deep_and_large_files_are_refused_or_read_in_good_time() {
    let start = Instant::now();
    survive(&format!("x = {}", "[".repeat(100_000)));
    survive(&format!("x = {}", "{a=".repeat(100_000)));
    survive(&format!("{} = 1", vec!["a"; 100_000].join(".")));
    survive(&format!("[{}]", vec!["a"; 100_000].join(".")));
    survive(&"[[image]]\nrepository = 5\n".repeat(2_000));
    survive(&format!("x = \"{}\"", "y".repeat(1_000_000)));
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn a_password_below_its_key_is_not_shown() {
    let report = load_str("policy.toml", "[environment.prod]\nauth = { password\n{ = \"hunter2\" }\n", &super::variables()).unwrap_err();
    assert_eq!(report.mistakes()[0].at.map(|at| at.line), Some(3), "{report}");
    assert!(!report.to_string().contains("hunter2"), "{report}");
}

#[test]
fn of_a_line_of_megabytes_only_what_is_near_a_mistake_is_kept() {
    let long = "y".repeat(1_000_000);
    let report = load_str("policy.toml", &format!("x = \"{long}\""), &super::variables()).unwrap_err();
    assert!(report.to_string().contains("x = \"yyy"), "{report}");
    assert!(format!("{report:?}").len() < 10_000);
    let report = load_str("policy.toml", &format!("watch = {{ interval = \"{long}\", x = 5 }}"), &super::variables()).unwrap_err();
    assert!(report.to_string().contains("--> policy.toml:1:1000026\n"), "{report}");
    assert!(format!("{report:?}").len() < 10_000);
}
