//! The clone on the disk: a cache that may be damaged, shared by mistake, or deleted.

use std::fs;
use std::path::Path;

use tagboat::environment::{Environment, Error, Push};

use super::{Site, config, content};
use crate::support::git::{Upstream, git};
use crate::support::git_http::{Answer, GitHttp};

fn packs(clone: &Path) -> usize {
    let entries = fs::read_dir(clone.join("repository/objects/pack")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "pack")).count()
}

#[test]
fn a_second_process_is_kept_out() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let url = upstream.bare().display().to_string();
    let site = Site::open(config(&url));
    let error = Environment::open(config(&url), &site.clone_dir()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error:?}");
    let dir = site.clone_dir();
    let Site { dir: _kept, environment } = site;
    drop(environment);
    Environment::open(config(&url), &dir).unwrap();
}

#[test]
fn a_damaged_clone_is_made_anew() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 7] = [
        ("no HEAD", |clone| fs::remove_file(clone.join("HEAD")).unwrap()),
        ("a file in its place", |clone| {
            fs::remove_dir_all(clone).unwrap();
            fs::write(clone, "x").unwrap();
        }),
        ("no packs", |clone| fs::remove_dir_all(clone.join("objects/pack")).unwrap()),
        ("empty packs", |clone| {
            for entry in fs::read_dir(clone.join("objects/pack")).unwrap() {
                let path = entry.unwrap().path();
                fs::remove_file(&path).unwrap();
                fs::write(&path, "").unwrap();
            }
        }),
        ("a half-written pack", |clone| fs::write(clone.join("objects/pack/pack_git2_x"), "x").unwrap()),
        ("a lock of a dead process", |clone| fs::write(clone.join("refs/tagboat/tip.lock"), "").unwrap()),
        ("a tip of nothing", |clone| fs::write(clone.join("refs/tagboat/tip"), "1".repeat(40)).unwrap()),
    ];
    let upstream = Upstream::new(&[("dir/a", "1\n")]);
    let url = upstream.bare().display().to_string();
    for (what, damage) in damages {
        let mut site = Site::open(config(&url));
        site.fetch();
        let Site { dir, environment } = site;
        drop(environment);
        let clone = dir.path().join("clone");
        damage(&clone.join("repository"));
        let mut again = Environment::open(config(&url), &clone).unwrap_or_else(|e| panic!("{what}: {e}"));
        let snapshot = again.fetch().unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(content(&snapshot, "dir/a"), "1\n", "{what}");
    }
}

#[test]
fn a_content_that_rotted_is_an_error_and_the_next_fetch_heals_it() {
    let upstream = Upstream::new(&[("a", &"precious ".repeat(1000))]);
    let mut site = Site::open(config(&upstream.bare().display().to_string()));
    let snapshot = site.fetch();
    let blob = snapshot.files(&|_| true).unwrap()[0].blob;
    let packs = site.clone_dir().join("repository/objects/pack");
    for entry in fs::read_dir(packs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "pack") {
            let mut bytes = fs::read(&path).unwrap();
            let end = bytes.len() - 20;
            bytes[12..end].iter_mut().for_each(|byte| *byte ^= 0x55);
            fs::remove_file(&path).unwrap();
            fs::write(&path, bytes).unwrap();
        }
    }
    drop(snapshot);
    // A fresh process: nothing of the old bytes is mapped.
    let Site { dir, environment } = site;
    drop(environment);
    let mut environment = Environment::open(config(&upstream.bare().display().to_string()), &dir.path().join("clone")).unwrap();
    let snapshot = environment.fetch().unwrap();
    assert_eq!(snapshot.read(blob, usize::MAX).unwrap().unwrap(), "precious ".repeat(1000).as_bytes());
}

#[test]
fn the_clone_can_be_deleted_at_any_time() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let mut site = Site::open(config(&upstream.bare().display().to_string()));
    site.fetch();
    fs::remove_dir_all(site.clone_dir()).unwrap();
    assert_eq!(content(&site.fetch(), "a"), "1\n");
    fs::remove_dir_all(site.clone_dir().join("repository")).unwrap();
    assert_eq!(content(&site.fetch(), "a"), "1\n");
}

#[test]
fn a_clone_of_another_repository_in_the_same_place_does_no_harm() {
    let (one, other) = (Upstream::new(&[("a", "1\n")]), Upstream::new(&[("a", "2\n"), ("b", "2\n")]));
    let mut site = Site::open(config(&one.bare().display().to_string()));
    site.fetch();
    let Site { dir, environment } = site;
    drop(environment);
    let mut environment = Environment::open(config(&other.bare().display().to_string()), &dir.path().join("clone")).unwrap();
    let snapshot = environment.fetch().unwrap();
    assert_eq!((content(&snapshot, "a"), content(&snapshot, "b")), ("2\n".to_owned(), "2\n".to_owned()));
}

#[test]
fn the_clone_is_shallow_and_its_packs_are_bounded() {
    let upstream = Upstream::new(&[("a", "0\n")]);
    for n in 1..8 {
        upstream.put("a", &format!("{n}\n"));
        upstream.commit(&format!("commit {n}"));
    }
    let server = GitHttp::start(upstream.root());
    let mut config = config(&server.url());
    config.history = 5;
    let mut site = Site::open(config);
    let snapshot = site.fetch();
    let clone = site.clone_dir();
    assert_eq!(snapshot.history().unwrap().len(), 5);
    assert_eq!(git(&clone.join("repository"), &["rev-list", "--count", "refs/tagboat/tip"]), "5");
    for n in 0..3 {
        let tip = upstream.foreign_commit("a", &format!("more {n}\n"));
        let snapshot = site.fetch();
        assert_eq!((snapshot.commit(), snapshot.history().unwrap().len()), (tip.as_str(), 5));
    }
    assert_eq!(packs(&clone), 4);
    // As after months; a pack without index is one that libgit2 does not look into.
    for n in 0..100 {
        fs::write(clone.join(format!("repository/objects/pack/pack-{n}.pack")), "").unwrap();
    }
    upstream.foreign_commit("a", "last\n");
    assert_eq!(content(&site.fetch(), "a"), "last\n");
    assert_eq!(packs(&clone), 1);
}

#[test]
fn a_fresh_clone_that_cannot_be_made_leaves_the_old_one() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    site.fetch();
    let clone = site.clone_dir();
    for n in 0..100 {
        fs::write(clone.join(format!("repository/objects/pack/pack-{n}.pack")), "").unwrap();
    }
    server.intercept(|seen| if seen.method == "POST" { Answer::Status(500, vec![], vec![]) } else { Answer::Pass });
    site.environment.fetch().unwrap_err();
    // The old one still has the tip, so nothing needs to be posted.
    assert_eq!(content(&site.fetch(), "a"), "1\n");
}

#[test]
fn a_large_commit_waits_beside_the_clone_until_it_is_pushed() {
    let text = |i: usize, version: usize| format!("{i} {version}\n{}", "x".repeat(1 << 20));
    let files: Vec<_> = (0..20).map(|i| (format!("dir/{i}"), text(i, 0))).collect();
    let upstream = Upstream::new(&files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());
    let server = GitHttp::start(upstream.root());
    for url in [server.url(), upstream.bare().display().to_string()] {
        let mut site = Site::open(config(&url));
        let snapshot = site.fetch();
        let mut change = snapshot.change();
        for (i, (path, _)) in files.iter().enumerate() {
            change.write(path.as_str(), text(i, url.len()).as_bytes()).unwrap();
        }
        let commit = change.commit("change everything").unwrap();
        let beside = site.clone_dir().join("outgoing");
        assert_eq!((fs::read_dir(&beside).unwrap().count(), packs(&site.clone_dir())), (1, 1));
        assert_eq!(site.environment.push(&commit).unwrap(), Push::Pushed);
        drop(commit);
        assert_eq!(fs::read_dir(&beside).unwrap().count(), 0);
        let snapshot = site.fetch();
        assert!(files.iter().enumerate().all(|(i, (path, _))| content(&snapshot, path) == text(i, url.len())));

        // A process that was killed leaves them there until the next one begins.
        fs::create_dir(beside.join("left")).unwrap();
        let Site { dir, environment } = site;
        drop(environment);
        drop(Environment::open(config(&url), &dir.path().join("clone")).unwrap());
        assert!(!beside.exists());
    }
}

#[test]
fn an_unmoved_branch_costs_one_request() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    site.fetch();
    server.take_seen();
    site.fetch();
    let seen: Vec<_> = server.take_seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(seen, ["/env.git/info/refs?service=git-upload-pack"]);
    // Nor does a new process fetch again what an old one has left.
    let Site { dir, environment } = site;
    drop(environment);
    let mut environment = Environment::open(config(&server.url()), &dir.path().join("clone")).unwrap();
    environment.fetch().unwrap();
    assert_eq!(server.take_seen().len(), 1);
}

#[test]
fn a_branch_that_was_forced_elsewhere_is_simply_the_new_tip() {
    let upstream = Upstream::new(&[("a", "1\n")]);
    let first = upstream.tip("main");
    upstream.foreign_commit("a", "2\n");
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    site.fetch();
    git(&upstream.work(), &["reset", "-q", "--hard", &first]);
    upstream.put("a", "3\n");
    git(&upstream.work(), &["commit", "-qam", "another world"]);
    git(&upstream.work(), &["push", "-q", "--force", "origin", "main"]);
    let snapshot = site.fetch();
    assert_eq!(snapshot.commit(), upstream.tip("main"));
    assert_eq!(content(&snapshot, "a"), "3\n");
    let messages: Vec<_> = snapshot.history().unwrap().into_iter().map(|entry| entry.message).collect();
    assert_eq!(messages, ["another world\n", "first\n"]);
    // Back to a commit that the clone has seen already.
    git(&upstream.bare(), &["update-ref", "refs/heads/main", &first]);
    assert_eq!(content(&site.fetch(), "a"), "1\n");
}
