//! The demo's environment repository: a bare repository on disk, and the colleague who commits to it.

use std::path::{Path, PathBuf};

use git2::{BranchType, DiffFormat, Repository, Signature, build::TreeUpdateBuilder};

const BRANCH: &str = "main";

/// A bare repository with a branch `main`.
pub struct Upstream {
    path: PathBuf,
}

/// A commit as the demo shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its id in hexadecimal digits.
    pub id: String,
    /// Its author's name.
    pub author: String,
    /// Its message.
    pub message: String,
    /// What it changed, as a unified diff.
    pub diff: String,
}

impl Upstream {
    /// Makes the repository with a first commit of `files`.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn create(path: &Path, files: &[(&str, String)]) -> Result<Self, git2::Error> {
        let mut options = git2::RepositoryInitOptions::new();
        Repository::init_opts(path, options.bare(true).initial_head(BRANCH).external_template(false))?;
        let upstream = Self { path: path.to_owned() };
        upstream.commit("add the shop", files)?;
        Ok(upstream)
    }

    /// Names a repository that was made before.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Commits new contents, as a colleague would.
    ///
    /// # Errors
    /// If the repository cannot be written, or the branch moved meanwhile.
    pub fn commit(&self, message: &str, files: &[(&str, String)]) -> Result<(), git2::Error> {
        let repository = Repository::open_bare(&self.path)?;
        let parent = match repository.find_branch(BRANCH, BranchType::Local) {
            Ok(branch) => Some(branch.get().peel_to_commit()?),
            Err(_) => None,
        };
        let base = match &parent {
            Some(parent) => parent.tree()?,
            None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
        };
        let mut update = TreeUpdateBuilder::new();
        for (path, content) in files {
            update.upsert(*path, repository.blob(content.as_bytes())?, git2::FileMode::Blob);
        }
        let tree = repository.find_tree(update.create_updated(&repository, &base)?)?;
        let colleague = Signature::now("A Colleague", "colleague@shop.example.com")?;
        repository.commit(
            Some(&format!("refs/heads/{BRANCH}")),
            &colleague,
            &colleague,
            message,
            &tree,
            &parent.iter().collect::<Vec<_>>(),
        )?;
        Ok(())
    }

    /// Reads a file of the branch's tip.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn read(&self, path: &str) -> Result<String, git2::Error> {
        let repository = Repository::open_bare(&self.path)?;
        let tree = repository.find_branch(BRANCH, BranchType::Local)?.get().peel_to_tree()?;
        let blob = tree.get_path(Path::new(path))?.to_object(&repository)?.peel_to_blob()?;
        Ok(String::from_utf8_lossy(blob.content()).into_owned())
    }

    /// Returns the commits after `seen`, oldest first; all of them if `seen` is none.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn commits_after(&self, seen: Option<&str>) -> Result<Vec<Shown>, git2::Error> {
        let repository = Repository::open_bare(&self.path)?;
        let mut walk = repository.revwalk()?;
        walk.push_ref(&format!("refs/heads/{BRANCH}"))?;
        if let Some(seen) = seen {
            walk.hide(git2::Oid::from_str(seen)?)?;
        }
        let mut commits = walk.map(|id| show(&repository, id?)).collect::<Result<Vec<_>, _>>()?;
        commits.reverse();
        Ok(commits)
    }
}

fn show(repository: &Repository, id: git2::Oid) -> Result<Shown, git2::Error> {
    let commit = repository.find_commit(id)?;
    let before = commit.parents().next().map(|parent| parent.tree()).transpose()?;
    let diff = repository.diff_tree_to_tree(before.as_ref(), Some(&commit.tree()?), None)?;
    let mut text = String::new();
    diff.print(DiffFormat::Patch, |_, _, line| {
        if matches!(line.origin(), '+' | '-' | ' ') {
            text.push(line.origin());
        }
        text.push_str(&String::from_utf8_lossy(line.content()));
        true
    })?;
    Ok(Shown {
        id: id.to_string(),
        author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
        message: String::from_utf8_lossy(commit.message_bytes()).into_owned(),
        diff: text,
    })
}
