//! Upstream repositories, made and changed with the real `git`, without anybody's configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Runs `git` in `dir` and returns what it prints.
pub fn git(dir: &Path, args: &[&str]) -> String {
    let output = command(dir).args(args).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).stdin(Stdio::null()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for name in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{name}_NAME"), "Somebody").env(format!("GIT_{name}_EMAIL"), "somebody@example.com");
    }
    command
}

/// A bare repository `env.git` with branch `main`, and a work tree in which others change it.
pub struct Upstream {
    root: TempDir,
}

impl Upstream {
    /// Makes one without any commit.
    pub fn empty() -> Self {
        let upstream = Self { root: tempfile::tempdir().unwrap() };
        git(upstream.root.path(), &["init", "-q", "--bare", "-b", "main", "env.git"]);
        git(upstream.root.path(), &["init", "-q", "-b", "main", "work"]);
        git(&upstream.work(), &["remote", "add", "origin", "../env.git"]);
        upstream
    }

    /// Makes one with a first commit of these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let upstream = Self::empty();
        for (path, content) in files {
            upstream.put(path, content);
        }
        upstream.commit("first");
        upstream
    }

    /// The directory with the bare repository in it.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The bare repository.
    pub fn bare(&self) -> PathBuf {
        self.root.path().join("env.git")
    }

    /// The work tree of the others.
    pub fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Writes a file of the work tree.
    pub fn put(&self, path: &str, content: &str) {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits all of the work tree and pushes it; returns the commit.
    pub fn commit(&self, message: &str) -> String {
        git(&self.work(), &["add", "-A"]);
        git(&self.work(), &["commit", "-q", "--allow-empty", "-m", message]);
        git(&self.work(), &["push", "-q", "origin", "HEAD"]);
        git(&self.work(), &["rev-parse", "HEAD"])
    }

    /// Somebody else changes a file on top of whatever is there; returns the commit.
    pub fn foreign_commit(&self, path: &str, content: &str) -> String {
        git(&self.work(), &["fetch", "-q", "origin"]);
        git(&self.work(), &["reset", "-q", "--hard", "origin/main"]);
        self.put(path, content);
        self.commit("foreign")
    }

    /// The commit that a branch stands at.
    pub fn tip(&self, branch: &str) -> String {
        git(&self.bare(), &["rev-parse", &format!("refs/heads/{branch}")])
    }

    /// A file of `main`, without the line break at its end.
    pub fn show(&self, path: &str) -> String {
        git(&self.bare(), &["show", &format!("main:{path}")])
    }

    /// Installs a hook, a shell script.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.bare().join("hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}
