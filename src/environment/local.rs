//! Fetching from and pushing into a directory of this machine.
//!
//! libgit2's own local push takes no lock over the check and the update, so it could drop a commit that came in between. Here
//! the reference's lock file decides, as it does for `git` itself. Hooks are not run: libgit2 has none.

use std::io::Write as _;

use git2::{ErrorCode, Oid, Repository};

use super::Push;
use super::changeset::Commit;
use super::error::{Error, Fault, Foreign};

/// Puts the commit's objects there, and moves the branch if it still stands at the commit's base.
pub(super) fn push(commit: &Commit, remote: &str, path: &str) -> Result<Push, Error> {
    let fail = |cause| Error::Push { remote: remote.to_owned(), branch: commit.branch.clone(), cause };
    let git = |e: git2::Error| fail(Fault::Git(e.into()));
    let target = Repository::open(path).map_err(git)?;
    let reference = format!("refs/heads/{}", commit.branch);
    let checked_out = || {
        let head = target.find_reference("HEAD").ok()?;
        (head.symbolic_target_bytes()? == reference.as_bytes()).then_some(())
    };
    if !target.is_bare() && checked_out().is_some() {
        return Err(fail(Fault::CheckedOut));
    }
    copy(&commit.repository, commit.id, Some(commit.base), &target, &|| false).map_err(fail)?;
    match target.reference_matching(&reference, commit.id, true, commit.base, "push") {
        Ok(_) => Ok(Push::Pushed),
        Err(e) if matches!(e.code(), ErrorCode::Modified | ErrorCode::Locked | ErrorCode::NotFound) => Ok(Push::Raced),
        Err(e) => Err(git(e)),
    }
}

/// Copies a commit and all behind it into another repository, as one pack; `known` and all behind it are there already.
///
/// Not by libgit2's local transport: that looks for deltas between everything, which takes ten times as long.
pub(super) fn copy(from: &Repository, tip: Oid, known: Option<Oid>, to: &Repository, stop: &dyn Fn() -> bool) -> Result<(), Fault> {
    let git = |e: git2::Error| Fault::Git(e.into());
    let mut walk = from.revwalk().map_err(git)?;
    walk.push(tip).map_err(git)?;
    if let Some(known) = known {
        walk.hide(known).map_err(git)?;
    }
    let mut builder = from.packbuilder().map_err(git)?;
    builder.insert_walk(&mut walk).map_err(git)?;
    let odb = to.odb().map_err(git)?;
    let mut writer = odb.packwriter().map_err(git)?;
    let mut written = Ok(());
    let finished = builder.foreach(|bytes| {
        written = writer.write_all(bytes);
        written.is_ok() && !stop()
    });
    if stop() {
        return Err(Fault::Interrupted);
    }
    written.map_err(|e| Fault::Broken(Foreign::new(&e.to_string())))?;
    finished.map_err(git)?;
    writer.commit().map_err(git)?;
    Ok(())
}
