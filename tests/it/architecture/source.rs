//! The source files as text: what they use, without comments and test modules.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file under `src`.
pub struct Source {
    /// The path from the repository's root.
    pub path: String,
    /// The top-level module it belongs to: `policy` for `src/policy/range.rs`.
    pub module: String,
    /// All of it.
    pub text: String,
    /// Without comments and test modules.
    code: String,
}

/// Returns the repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads all files under `src` but those that are only compiled for tests.
pub fn all() -> Vec<Source> {
    let mut files = Vec::new();
    collect(&root().join("src"), &mut files);
    files.sort();
    let sources = files.iter().map(|file| {
        let path = file.strip_prefix(root()).unwrap().to_str().unwrap();
        Source::new(path, &std::fs::read_to_string(file).unwrap())
    });
    let sources: Vec<_> = sources.collect();
    assert!(sources.len() > 20, "only {} files found", sources.len());
    let for_tests: BTreeSet<_> = sources.iter().flat_map(Source::test_files).collect();
    sources.into_iter().filter(|source| !for_tests.iter().any(|stem| belongs_to(&source.path, stem))).collect()
}

/// Tells whether a path is the file or in the folder of a module: `src/x/tests` has `src/x/tests.rs` and `src/x/tests/…`.
fn belongs_to(path: &str, stem: &str) -> bool {
    path.strip_prefix(stem).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

impl Source {
    /// Takes a text as the file at a path.
    pub fn new(path: &str, text: &str) -> Self {
        // What is compiled for the fuzzer is for tests, too.
        let text = &text.replace("#[cfg(any(test, fuzzing))]", "#[cfg(test)]");
        let module = path.trim_start_matches("src/").trim_end_matches(".rs").split('/').next().unwrap_or_default();
        Self { path: path.to_owned(), module: module.to_owned(), text: text.clone(), code: without_tests(&without_comments(text)) }
    }

    /// Tells whether a text stands in the code as a path or call of its own: not as the end of a longer name.
    pub fn holds(&self, text: &str) -> bool {
        let longer = |at: usize| self.code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let named = text.starts_with(char::is_alphabetic);
        self.code.match_indices(text).any(|(at, _)| !(named && longer(at)))
    }

    /// Returns the top-level modules that the code names: behind `crate::`, `tagboat::` or enough `super::`.
    pub fn uses(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for root in ["crate::", "tagboat::"] {
            used.extend(self.after(root).flat_map(first_names));
        }
        // Only a chain of `super::` that leads to the root: not a shorter one, and not the end of a longer one.
        let chain = "super::".repeat(self.depth());
        let to_root = self.after(&chain).filter(|path| !path.starts_with("super::"));
        used.extend(to_root.flat_map(first_names));
        used
    }

    /// Returns what follows each occurrence of a prefix that is not itself the end of a longer path.
    fn after<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        let found = self.code.match_indices(prefix);
        let own = found.filter(|(at, _)| !self.code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'));
        own.map(|(at, _)| &self.code[at + prefix.len()..])
    }

    /// Returns how many `super::` lead from this file's module to the crate's root.
    fn depth(&self) -> usize {
        self.path.matches('/').count()
    }

    /// Returns the modules that this file declares for tests only, as paths without `.rs`.
    fn test_files(&self) -> Vec<String> {
        let folder = match self.path.as_str() {
            "src/lib.rs" | "src/main.rs" => "src",
            path => path.trim_end_matches(".rs"),
        };
        let item = |after: &str| after.trim_start().split_once(';').map(|(item, _)| item.to_owned());
        let items = self.text.split("#[cfg(test)]").skip(1).filter_map(item);
        items.filter_map(|item| item.split_once("mod ").map(|(_, name)| format!("{folder}/{name}"))).collect()
    }
}

/// Returns the first names of a path, or of each path in a group: `a::b` is `a`, `{a, b::{c, d}}` are `a` and `b`.
fn first_names(path: &str) -> BTreeSet<String> {
    let Some(group) = path.strip_prefix('{') else {
        let name: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // A name of the crate's root that is no module: a macro or a re-export.
        return if name.starts_with(char::is_lowercase) { BTreeSet::from([name]) } else { BTreeSet::new() };
    };
    let mut names = BTreeSet::new();
    let (mut depth, mut start) = (0, true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if c.is_alphabetic() && start => {
                start = false;
                names.extend(first_names(&group[at..]));
            }
            _ => {}
        }
    }
    names
}

/// Cuts off line comments; a `//` in a string literal is taken for one too unless it is part of a URL.
fn without_comments(text: &str) -> String {
    let code = |line: &str| {
        let comment = line.match_indices("//").map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'));
        comment.unwrap_or(line.len())
    };
    text.lines().map(|line| format!("{}\n", &line[..code(line)])).collect()
}

/// Cuts out what stands behind `#[cfg(test)]`: a module's block up to the `}` in its column, or one line.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
        if item.ends_with('{') {
            let end = format!("{}}}", " ".repeat(indent));
            let _ = lines.by_ref().find(|line| **line == end);
        }
    }
    kept
}
