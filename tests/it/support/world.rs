//! A small world for whole passes: the embedded registry, an upstream repository on disk, and the program itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tagboat::demo::registry::Registry;
use tagboat::demo::repository::{Shown, Upstream};

/// The file that most worlds have.
pub const API: &str = "clusters/prod/api/deployment.yaml";

pub struct World {
    pub dir: tempfile::TempDir,
    pub registry: Registry,
    pub upstream: Upstream,
    /// Where the registry's server runs.
    _runtime: tokio::runtime::Runtime,
}

impl World {
    /// Makes a world whose upstream holds these files; `REGISTRY` in them stands for the registry's host.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let registry = runtime.block_on(Registry::start()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.replace("REGISTRY", &registry.host()))).collect();
        let upstream = Upstream::create(&dir.path().join("upstream.git"), &files).unwrap();
        Self { dir, registry, upstream, _runtime: runtime }
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Returns a text with `REGISTRY` filled in.
    pub fn fill(&self, text: &str) -> String {
        text.replace("REGISTRY", &self.registry.host())
    }

    /// Writes a policy file: the usual head, and what the test adds (`REGISTRY` is filled in).
    pub fn policy(&self, rest: &str) -> PathBuf {
        let url = self.upstream.path().display().to_string();
        self.policy_for(&format!("[environment.prod]\nurl = \"{url}\"\nbranch = \"main\"\n{rest}"))
    }

    /// Writes a policy file without an environment in its head.
    pub fn policy_for(&self, rest: &str) -> PathBuf {
        let file = self.dir.path().join("tagboat.toml");
        let state = self.state_dir().display().to_string();
        let head = format!("[watch]\ninterval = \"1s\"\nstate_dir = \"{state}\"\n[registry.\"REGISTRY\"]\nplain_http = true\n");
        std::fs::write(&file, self.fill(&(head + rest))).unwrap();
        file
    }

    /// Runs the program to its end.
    pub fn tagboat(&self, policy: &Path, arguments: &[&str]) -> Run {
        Run::of(tagboat(policy).args(arguments))
    }

    /// Returns the commits of the branch but the first, oldest first.
    pub fn commits(&self) -> Vec<Shown> {
        self.upstream.commits_after(None).unwrap().split_off(1)
    }

    /// Reads a file of the branch's tip.
    pub fn read(&self, path: &str) -> String {
        self.upstream.read(path).unwrap()
    }

    /// Makes a commit of somebody else: one text replaced in one file.
    pub fn replace(&self, path: &str, from: &str, to: &str) {
        let before = self.read(path);
        assert!(before.contains(from), "{path} holds {from}");
        self.upstream.commit("a change by hand", &[(path, before.replace(from, to))]).unwrap();
    }
}

/// The program with a policy file, away from the settings of whoever runs the tests.
pub fn tagboat(policy: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagboat"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TAGBOAT_CONFIG", policy);
    command
}

/// What a run of the program came to.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Asserts that it did what it should.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that it ended with this code.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error holds a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is missing in:\n{}", self.stderr);
        self
    }
}
