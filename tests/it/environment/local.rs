//! Snapshots, changesets and commits, over a local path.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use tagboat::environment::{Entry, Environment, Error, Fault, Push};
use tagboat::error::{Classified as _, Verdict};

use super::{Site, config, content, fault, paths, round_trip};
use crate::support::git::{Upstream, git};

fn url(upstream: &Upstream) -> String {
    upstream.bare().display().to_string()
}

#[test]
fn a_round_trip_over_a_local_path_and_a_file_url() {
    for prefix in ["", "file://"] {
        let upstream = Upstream::new(&[("apps/a.yaml", "image: a:1\n")]);
        round_trip(config(&format!("{prefix}{}", url(&upstream))), &upstream);
    }
}

#[test]
fn without_a_branch_it_is_the_one_that_head_stands_for() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    git(&upstream.bare(), &["branch", "-m", "main", "trunk"]);
    let mut config = config(&url(&upstream));
    config.branch = None;
    let mut site = Site::open(config);
    let snapshot = site.fetch();
    assert_eq!(snapshot.branch(), "trunk");
    assert_eq!(site.push(&snapshot, "a", "2\n").unwrap(), Push::Pushed);
    assert_eq!(git(&upstream.bare(), &["show", "trunk:a"]), "2");
}

#[test]
fn a_missing_branch_and_an_empty_repository_are_told_apart() {
    let upstream = Upstream::empty();
    let error = Site::open(config(&url(&upstream))).environment.fetch().unwrap_err();
    assert!(matches!(error, Error::EmptyRepository { .. }), "{error:?}");
    assert_eq!(error.verdict(), Verdict::Stalled);

    let upstream = Upstream::new(&[("a", "1\n")]);
    for (branch, valid) in [("gone", true), ("*", false), ("main:x", false), ("", false)] {
        let mut config = config(&url(&upstream));
        config.branch = Some(branch.to_owned());
        let error = Site::open(config).environment.fetch().unwrap_err();
        assert_eq!(matches!(error, Error::BranchMissing { .. }), valid, "{error:?}");
        assert_eq!(error.verdict(), Verdict::Stalled);
        assert!(error.to_string().contains(&format!("`{branch}`")));
    }
    let (cause, _) = fault(config("/nowhere/env.git"), Verdict::Stalled);
    assert!(matches!(cause, Fault::NotFound), "{cause:?}");
}

#[test]
fn links_and_submodules_are_left_out_and_named() {
    let upstream = Upstream::new(&[("a.yaml", "1\n"), ("dir/b.yaml", "2\n")]);
    symlink("a.yaml", upstream.work().join("link.yaml")).unwrap();
    let commit = git(&upstream.work(), &["rev-parse", "HEAD"]);
    git(&upstream.work(), &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},sub")]);
    git(&upstream.work(), &["add", "link.yaml"]);
    git(&upstream.work(), &["commit", "-qm", "odd things"]);
    git(&upstream.work(), &["push", "-q", "origin", "main"]);
    let mut site = Site::open(config(&url(&upstream)));
    let snapshot = site.fetch();
    let folder = snapshot.walk(None, &|path, entry| path != "dir/b.yaml" && !matches!(entry, Entry::Submodule)).unwrap();
    let names: Vec<_> = folder.entries().iter().map(|(name, entry)| (&**name, entry)).collect();
    let [("a.yaml", Entry::File(_)), ("dir", Entry::Folder(dir)), ("link.yaml", Entry::Link)] = names[..] else { panic!("{names:?}") };
    assert!(dir.entries().is_empty(), "what is not wanted is not kept");
    let all = snapshot.walk(None, &|_, _| true).unwrap();
    assert!(all.entries().iter().any(|(name, entry)| &**name == "sub" && matches!(entry, Entry::Submodule)));
    assert_eq!(paths(&snapshot), ["a.yaml", "dir/b.yaml"]);
    // Neither can be written over.
    for path in ["link.yaml", "sub", "sub/x", "dir", "a.yaml/x", "none", "dir/none", ""] {
        let mut change = snapshot.change();
        change.write(path, b"x").unwrap();
        let error = change.commit("x").unwrap_err();
        assert!(matches!(error, Error::NotAFile { .. }), "{path}: {error:?}");
    }
}

#[test]
fn a_commit_keeps_modes_and_changes_nothing_else() {
    let files = [("a-b/x", "1\n"), ("a/run.sh", "1\n"), ("a/x", "1\n"), ("a/y/z", "1\n"), ("a0", "1\n"), ("ä/ö.yaml", "1\n")];
    let upstream = Upstream::new(&files);
    std::fs::set_permissions(upstream.work().join("a/run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let base = upstream.commit("executable");
    let mut site = Site::open(config(&url(&upstream)));
    let snapshot = site.fetch();
    let mut change = snapshot.change();
    change.write("ä/ö.yaml", b"no line break").unwrap();
    change.write("a/run.sh", b"\xff\0\r\n").unwrap();
    change.write("a/y/z", b"old").unwrap();
    change.write("a/y/z", b"new").unwrap();
    let commit = change.commit("bump a\n\nbody\n").unwrap();
    assert_eq!(site.environment.push(&commit).unwrap(), Push::Pushed);
    assert_eq!(upstream.tip("main"), commit.id());
    let changed = git(&upstream.bare(), &["-c", "core.quotePath=false", "diff", "--raw", "--no-abbrev", &base, "main"]);
    let changed: Vec<_> = changed.lines().map(|line| (&line[..15], line.split('\t').nth(1).unwrap())).collect();
    assert_eq!(changed, [(":100755 100755 ", "a/run.sh"), (":100644 100644 ", "a/y/z"), (":100644 100644 ", "ä/ö.yaml")]);
    assert_eq!(git(&upstream.bare(), &["cat-file", "-s", "main:a/run.sh"]), "4");
    let told = git(&upstream.bare(), &["log", "-1", "--format=%an|%ae|%cn|%ce|%B", "main"]);
    assert_eq!(told, "Tagboat|tagboat@example.com|Tagboat|tagboat@example.com|bump a\n\nbody");
    git(&upstream.bare(), &["fsck", "--strict"]);
}

#[test]
fn a_changeset_without_a_difference_is_no_commit() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let mut site = Site::open(config(&url(&upstream)));
    let snapshot = site.fetch();
    assert!(matches!(snapshot.change().commit("x"), Err(Error::NothingChanged)));
    let mut change = snapshot.change();
    change.write("a", b"1\n").unwrap();
    assert!(matches!(change.commit("x"), Err(Error::NothingChanged)));
}

#[test]
fn a_snapshot_stays_as_it_is_and_many_threads_read_it() {
    let upstream = Upstream::new(&[("a", "1\n"), ("big", &"x".repeat(1000))]);
    let mut site = Site::open(config(&url(&upstream)));
    let old = site.fetch();
    upstream.foreign_commit("a", "2\n");
    let new = site.fetch();
    assert_ne!(old.tree(), new.tree());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!((content(&old, "a"), content(&new, "a")), ("1\n".to_owned(), "2\n".to_owned())));
        }
    });
    let big = old.files(&|path| path == "big").unwrap()[0].blob;
    assert_eq!(old.read(big, 999).unwrap(), None);
    assert_eq!(old.read(big, 1000).unwrap().unwrap().len(), 1000);
    assert_eq!(big.to_string(), git(&upstream.bare(), &["rev-parse", "main:big"]));
}

#[test]
fn the_history_is_newest_first_and_bounded() {
    let upstream = Upstream::new(&[("a", "0\n")]);
    for n in 1..6 {
        upstream.put("a", &format!("{n}\n"));
        upstream.commit(&format!("commit {n}\n\nTagboat-Bump: {n}"));
    }
    let mut config = config(&url(&upstream));
    config.history = 3;
    let mut site = Site::open(config);
    let history = site.fetch().history().unwrap();
    assert_eq!(history[0].id, upstream.tip("main"));
    let messages: Vec<_> = history.into_iter().map(|entry| entry.message).collect();
    assert_eq!(messages, [5, 4, 3].map(|n| format!("commit {n}\n\nTagboat-Bump: {n}\n")));
}

#[test]
fn a_lost_race_on_a_local_path_drops_nothing() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let mut site = Site::open(config(&url(&upstream)));
    let snapshot = site.fetch();
    let foreign = upstream.foreign_commit("b", "2\n");
    assert_eq!(site.push(&snapshot, "a", "2\n").unwrap(), Push::Raced);
    assert_eq!(upstream.tip("main"), foreign);
    git(&upstream.bare(), &["branch", "-m", "main", "gone"]);
    assert_eq!(site.push(&snapshot, "a", "2\n").unwrap(), Push::Raced);
    assert!(git(&upstream.bare(), &["branch"]).contains("gone"));
}

#[test]
fn a_branch_that_somebody_has_checked_out_is_not_moved_under_his_feet() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let mut site = Site::open(config(&upstream.work().display().to_string()));
    let snapshot = site.fetch();
    let error = site.push(&snapshot, "a", "2\n").unwrap_err();
    assert!(matches!(error, Error::Push { cause: Fault::CheckedOut, .. }), "{error:?}");
    assert_eq!(git(&upstream.work(), &["status", "--porcelain"]), "");
}

#[test]
fn an_author_that_git_does_not_take_is_told() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let mut config = config(&url(&upstream));
    config.author.name = "<>".to_owned();
    let mut site = Site::open(config);
    let snapshot = site.fetch();
    let mut change = snapshot.change();
    change.write("a", b"2\n").unwrap();
    assert!(matches!(change.commit("x"), Err(Error::InvalidAuthor { .. })));
}

#[test]
fn handles_can_go_to_other_threads() {
    fn sent<T: Send>() {}
    sent::<Environment>();
    sent::<tagboat::environment::Changeset>();
    sent::<tagboat::environment::Commit>();
    fn shared<T: Send + Sync>() {}
    shared::<tagboat::environment::Snapshot>();
}
