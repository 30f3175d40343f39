//! The architecture, held by tests: who may know whom, who may start processes or read the clock, and that no file is forgotten.
//!
//! It reads the sources as text, without comments and without their test modules. That is enough for code that
//! `cargo fmt` has laid out, and needs no parser.

mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::Source;

/// The tools of layer 0, which everything but the pure modules may use.
const TOOLS: [&str; 5] = ["error", "retry", "redact", "shutdown", "telemetry"];

/// Which modules a module may use besides itself; a new one needs a line here, and one in `src/lib.rs` and CONTRIBUTING.md.
fn may_use(module: &str) -> Option<Vec<&'static str>> {
    let (own, tools): (&[&str], bool) = match module {
        // words
        "image" => (&[], false),
        // tools
        "error" | "retry" | "redact" | "shutdown" | "telemetry" => (&[], true),
        // pure
        "policy" | "manifest" => (&["image", "error"], false),
        // edges
        "registry" => (&["image"], true),
        "environment" => (&[], true),
        // core
        "engine" => (&["image", "policy", "manifest", "registry", "environment"], true),
        // faces
        "http" => (&["image", "engine"], true),
        "config" => (&["image", "policy", "manifest", "registry", "environment", "engine", "http"], true),
        "import" => (&["image", "policy", "environment", "config"], true),
        // wiring
        "app" => (&["image", "registry", "environment", "engine", "http", "config"], true),
        "demo" => (&["image", "policy", "manifest", "registry", "environment", "engine", "http", "config", "app"], true),
        // commands
        "cli" => (&["image", "policy", "manifest", "registry", "environment", "engine", "http", "config", "import", "app", "demo"], true),
        "main" => (&["cli", "error"], false),
        _ => return None,
    };
    Some(own.iter().chain(if tools { TOOLS.as_slice() } else { &[] }).copied().collect())
}

/// Names the rule that a module breaks by using another, if it does.
fn forbidden(module: &str, used: &str) -> Option<String> {
    if module == used {
        return None;
    }
    match may_use(module) {
        None => Some(format!("module `{module}` is not in the table of layers")),
        Some(allowed) if allowed.contains(&used) => None,
        Some(_) => Some(format!("`{module}` may not know `{used}`")),
    }
}

/// A text that only some may hold: everywhere else, it is a break.
struct Ban {
    texts: &'static [&'static str],
    /// The modules or files (`src/…`) where it may stand.
    allowed: &'static [&'static str],
    /// The modules it is about; empty means all.
    only: &'static [&'static str],
    why: &'static str,
}

const BANS: [Ban; 6] = [
    Ban {
        texts: &["env::var"],
        allowed: &["cli", "main"],
        only: &[],
        why: "the environment is read at the edge and handed down, so that tests can give another",
    },
    Ban {
        texts: &["process::Command", "Command::new("],
        allowed: &["environment", "src/registry/helper.rs"],
        only: &[],
        why: "processes are started in two places, with a deadline and nothing left of them",
    },
    Ban {
        texts: &["reqwest::"],
        allowed: &["registry", "environment", "src/http/webhook/keys.rs"],
        only: &[],
        why: "who speaks HTTP to others keeps the rules on credentials, redirects and sizes",
    },
    Ban {
        texts: &["Instant::now", "SystemTime", "Timestamp::now", "Zoned::now", "tokio::", "std::fs", "net::Tcp", "fastrand::"],
        allowed: &[],
        only: &["image", "policy", "manifest", "import"],
        why: "what decides and edits is pure: no clock, no chance, no input or output",
    },
    Ban {
        texts: &["println!", "eprintln!", "print!(", "eprint!("],
        allowed: &["cli", "main"],
        only: &[],
        why: "results are written by the commands, everything else goes to the log",
    },
    Ban {
        texts: &[".unwrap()", ".expect(\"", "panic!(", "todo!(", "unimplemented!("],
        allowed: &[],
        only: &[],
        why: "a daemon that serves many environments does not fall over one surprise",
    },
];

/// Returns the banned texts that a source holds.
fn banned(source: &Source) -> Vec<String> {
    let is = |names: &[&str]| names.iter().any(|&name| name == source.module || name == source.path);
    let about = |ban: &&Ban| !is(ban.allowed) && (ban.only.is_empty() || is(ban.only));
    let mut found = Vec::new();
    for ban in BANS.iter().filter(about) {
        for text in ban.texts.iter().filter(|text| source.holds(text)) {
            found.push(format!("{}: `{text}`: {}", source.path, ban.why));
        }
    }
    found
}

#[test]
fn arrows_only_go_down() {
    let mut broken = Vec::new();
    let mut arrows = BTreeMap::<String, BTreeSet<String>>::new();
    for source in source::all().into_iter().filter(|source| source.module != "lib") {
        for used in source.uses() {
            broken.extend(forbidden(&source.module, &used).map(|rule| format!("{}: {rule}", source.path)));
            arrows.entry(source.module.clone()).or_default().insert(used);
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    // The tools may use each other, but not in a ring; a real arrow shows that the reader of `use` lines is awake.
    assert!(arrows["policy"].contains("image") && arrows["telemetry"].contains("error"), "{arrows:?}");
    for module in arrows.keys() {
        assert!(!reaches(&arrows, module, module, &mut BTreeSet::new()), "`{module}` uses itself through others: {arrows:?}");
    }
}

/// Tells whether `from` comes to `to` by at least one arrow to another module.
fn reaches(arrows: &BTreeMap<String, BTreeSet<String>>, from: &str, to: &str, seen: &mut BTreeSet<String>) -> bool {
    let next = arrows.get(from).into_iter().flatten().filter(|used| *used != from);
    next.into_iter().any(|used| used == to || (seen.insert(used.clone()) && reaches(arrows, used, to, seen)))
}

#[test]
fn banned_calls_stand_only_where_they_may() {
    let broken: Vec<_> = source::all().iter().flat_map(banned).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_file_starts_by_saying_what_it_is() {
    let silent: Vec<_> = source::all().into_iter().filter(|source| !source.text.starts_with("//! ")).map(|source| source.path).collect();
    assert!(silent.is_empty(), "no `//!` at the start of {silent:?}");
}

#[test]
fn modules_are_files_beside_their_folder() {
    let old: Vec<_> = source::all().into_iter().map(|source| source.path).filter(|path| path.ends_with("/mod.rs")).collect();
    assert!(old.is_empty(), "`x.rs` and `x/`, not `x/mod.rs`: {old:?}");
}

#[test]
fn no_test_file_is_forgotten() {
    let listed = std::fs::read_to_string(source::root().join("tests/it/main.rs")).unwrap();
    let forgotten: Vec<_> = std::fs::read_dir(source::root().join("tests/it"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".rs").map(str::to_owned))
        .filter(|name| name != "main" && !listed.lines().any(|line| line == format!("mod {name};")))
        .collect();
    assert!(forgotten.is_empty(), "no `mod` line in tests/it/main.rs for {forgotten:?}");
}

#[test]
fn the_top_level_holds_nothing_unexpected() {
    const KNOWN: [&str; 13] = [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "config",
        "tests",
        "docker",
        "Dockerfile",
        "README.md",
        "benches",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "target",
    ];
    let names = std::fs::read_dir(source::root()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unexpected: Vec<_> =
        names.filter(|name| !KNOWN.contains(&name.as_str()) && !name.starts_with('.') && !name.starts_with("target")).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

/// The rules, shown to bite: each of these sources breaks one.
#[test]
fn a_broken_rule_is_seen() {
    let uses = |path: &str, text: &str| {
        let source = Source::new(path, text);
        source.uses().iter().filter_map(|used| forbidden(&source.module, used)).collect::<Vec<_>>()
    };
    assert_eq!(uses("src/policy/range.rs", "use crate::registry::Client;"), ["`policy` may not know `registry`"]);
    assert_eq!(uses("src/manifest.rs", "fn f() { crate::environment::open() }"), ["`manifest` may not know `environment`"]);
    assert_eq!(uses("src/engine.rs", "use crate::{\n    http,\n    image::{Tag, tag::Form},\n};"), ["`engine` may not know `http`"]);
    assert_eq!(uses("src/registry/page.rs", "use super::super::policy::Policy;"), ["`registry` may not know `policy`"]);
    assert_eq!(uses("src/main.rs", "use tagboat::registry;"), ["`main` may not know `registry`"]);
    assert_eq!(uses("src/magic.rs", "use crate::image::Tag;"), ["module `magic` is not in the table of layers"]);
    assert!(uses("src/policy.rs", "use crate::image::Tag;\nuse self::range::Range;\nuse super::policy::decide;").is_empty());
    assert!(
        uses("src/policy.rs", "/// See [`crate::registry`].\n// crate::registry\n#[cfg(test)]\nmod tests {\n    use crate::http;\n}")
            .is_empty()
    );

    let ban = |path: &str, text: &str| banned(&Source::new(path, text)).len();
    assert_eq!(ban("src/registry.rs", "let x = std::env::var(\"X\");"), 1);
    assert_eq!(ban("src/registry.rs", "let x = tokio::process::Command::new(helper);"), 2);
    assert_eq!(ban("src/cli/demo.rs", "use std::process::Command;"), 1);
    assert_eq!(ban("src/engine.rs", "let client = reqwest::Client::builder();"), 1);
    assert_eq!(ban("src/policy.rs", "let now = Timestamp::now();"), 1);
    assert_eq!(ban("src/manifest/find.rs", "std::fs::read(path)"), 1);
    assert_eq!(ban("src/app.rs", "println!(\"x\");"), 1);
    assert_eq!(ban("src/engine.rs", "x.unwrap();\ny.expect(\"y\");"), 2);
    assert_eq!(
        ban("src/engine.rs", "// x.unwrap();\n#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap() }\n}\nfn g() { h.expect(token) }"),
        0
    );
    assert_eq!(ban("src/engine.rs", "#[cfg(test)]\nmod tests {\n    fn f() {}\n}\nfn g() { x.unwrap() }"), 1);
}

#[test]
fn a_ring_is_seen() {
    let arrow = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let ring = BTreeMap::from([arrow("error", "redact"), arrow("redact", "retry"), arrow("retry", "error")]);
    assert!(reaches(&ring, "error", "error", &mut BTreeSet::new()));
    let line = BTreeMap::from([arrow("error", "redact"), arrow("redact", "redact")]);
    assert!(!reaches(&line, "error", "error", &mut BTreeSet::new()) && !reaches(&line, "redact", "redact", &mut BTreeSet::new()));
}
