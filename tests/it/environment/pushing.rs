//! Pushes: only the server's word counts, nobody's commit is dropped, and a refusal is told in the server's words.

use std::sync::Arc;

use tagboat::environment::{Error, Fault, Push};
use tagboat::error::{Classified as _, Verdict};
use tagboat::shutdown::CancellationToken;

use super::{Site, basic, config, content};
use crate::support::git::{Upstream, git};
use crate::support::git_http::{Answer, GitHttp};

fn upstream() -> Upstream {
    Upstream::new(&[("a", "1\n"), ("b", "1\n")])
}

fn refusal(push: Push) -> String {
    match push {
        Push::Refused { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_branch_that_moved_before_the_push_is_a_race_and_nothing_is_lost() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    let foreign = upstream.foreign_commit("b", "2\n");
    assert_eq!(site.push(&snapshot, "a", "2\n").unwrap(), Push::Raced);
    assert_eq!(upstream.tip("main"), foreign);
    let snapshot = site.fetch();
    assert_eq!(site.push(&snapshot, "a", "2\n").unwrap(), Push::Pushed);
    assert_eq!((upstream.show("a"), upstream.show("b")), ("2".to_owned(), "2".to_owned()));
}

#[test]
fn a_branch_that_moves_during_the_push_is_a_race_and_nothing_is_lost() {
    let upstream = Arc::new(upstream());
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    let others = Arc::clone(&upstream);
    // They come in between the server's advertisement and our pack.
    server.intercept(move |seen| {
        if seen.method == "POST" {
            others.foreign_commit("b", "2\n");
        }
        Answer::Pass
    });
    assert_eq!(site.push(&snapshot, "a", "2\n").unwrap(), Push::Raced);
    assert_eq!((upstream.show("a"), upstream.show("b")), ("1".to_owned(), "2".to_owned()));
}

#[test]
fn a_branch_that_went_back_is_a_race_even_where_the_server_would_take_it() {
    let upstream = upstream();
    let first = upstream.tip("main");
    upstream.foreign_commit("b", "wrong\n");
    git(&upstream.bare(), &["config", "receive.denyNonFastForwards", "false"]);
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    // Our commit is still a descendant of the branch, so a plain push would bring the reverted commit back.
    git(&upstream.bare(), &["update-ref", "refs/heads/main", &first]);
    assert_eq!(site.push(&snapshot, "a", "2\n").unwrap(), Push::Raced);
    assert_eq!(upstream.tip("main"), first);
}

#[test]
fn a_branch_that_was_deleted_is_not_made_again() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    git(&upstream.bare(), &["branch", "-m", "main", "kept"]);
    assert_eq!(site.push(&snapshot, "a", "2\n").unwrap(), Push::Raced);
    assert_eq!(git(&upstream.bare(), &["for-each-ref", "--format=%(refname)"]), "refs/heads/kept");
}

#[test]
fn a_hook_that_declines_is_told_in_its_own_words() {
    for (hook, status) in [("pre-receive", "pre-receive hook declined"), ("update", "hook declined")] {
        let upstream = upstream();
        upstream.hook(hook, "echo 'Policy: no bots on Fridays, Straße, planted-secret' >&2; exit 1");
        let server = GitHttp::start(upstream.root());
        let mut config = config(&server.url());
        config.auth = basic("bot", "planted-secret");
        let mut site = Site::open(config);
        let snapshot = site.fetch();
        let reason = refusal(site.push(&snapshot, "a", "2\n").unwrap());
        assert!(reason.starts_with(&format!("{status}: Policy: no bots on Fridays, Straße, ***")), "{reason}");
        assert!(!reason.contains("planted-secret"), "{reason}");
        assert_eq!(upstream.tip("main"), snapshot.commit());
    }
}

#[test]
fn words_that_are_no_utf8_do_not_harm() {
    let upstream = upstream();
    upstream.hook("update", r"printf '\377\376 nein \033[31m\n' >&2; exit 1");
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    let reason = refusal(site.push(&snapshot, "a", "2\n").unwrap());
    assert!(reason.starts_with("hook declined: ") && reason.contains("nein") && !reason.contains('\u{1b}'), "{reason:?}");
}

#[test]
fn a_server_that_cannot_store_the_objects_is_a_refusal() {
    let upstream = upstream();
    git(&upstream.bare(), &["config", "receive.maxInputSize", "10"]);
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    let reason = refusal(site.push(&snapshot, "a", "2\n").unwrap());
    assert!(reason.starts_with("the objects could not be stored"), "{reason}");
}

#[test]
fn a_read_only_credential_is_a_clear_error() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let mut config = config(&server.url());
    config.auth = basic("bot", "hunter2");
    let mut site = Site::open(config);
    let snapshot = site.fetch();
    server.intercept(|seen| if seen.target.contains("receive-pack") { Answer::Status(403, vec![], vec![]) } else { Answer::Pass });
    let error = site.push(&snapshot, "a", "2\n").unwrap_err();
    assert!(matches!(error, Error::Push { cause: Fault::LoginRefused { .. }, .. }), "{error:?}");
    assert_eq!(error.verdict(), Verdict::Stalled);
}

#[test]
fn a_refusal_of_the_request_itself_leaves_nothing_open() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    for (status, open) in [(403, false), (413, false), (500, true), (504, true)] {
        server.intercept(move |seen| if seen.method == "POST" { Answer::Status(status, vec![], vec![]) } else { Answer::Pass });
        let error = site.push(&snapshot, "a", "2\n").unwrap_err();
        assert_eq!(matches!(error, Error::OutcomeUnknown { .. }), open, "{status}: {error:?}");
        assert_eq!(error.verdict() == Verdict::RETRY, open, "{status}");
    }
}

#[test]
fn an_answer_that_never_came_is_an_unknown_outcome_and_the_next_fetch_tells_it() {
    let upstream = Arc::new(upstream());
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    // The server takes the push, and its answer is lost.
    let answer =
        |body: &[u8]| Answer::Status(200, vec![("content-type", "application/x-git-receive-pack-result".to_owned())], body.to_vec());
    for body in [&b""[..], b"0000", b"000eunpack ok\n0000", b"zzzz", b"000eunpack ok\n0016ok refs/heads/x\n0000"] {
        server.intercept(move |seen| if seen.method == "POST" { answer(body) } else { Answer::Pass });
        let error = site.push(&snapshot, "a", "2\n").unwrap_err();
        assert!(matches!(error, Error::OutcomeUnknown { .. }), "{body:?}: {error:?}");
        assert_eq!(error.verdict(), Verdict::RETRY);
    }
    server.intercept(|_| Answer::Pass);
    assert_eq!(content(&site.fetch(), "a"), "1\n");
}

#[test]
fn a_shutdown_does_not_tear_a_push() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let stop = CancellationToken::new();
    let Site { dir: _kept, environment } = Site::open(config(&server.url()));
    let mut environment = environment.interrupted_by(stop.clone());
    let snapshot = environment.fetch().unwrap();
    let mut change = snapshot.change();
    change.write("a", b"2\n").unwrap();
    let commit = change.commit("last words").unwrap();
    stop.cancel();
    assert_eq!(environment.push(&commit).unwrap(), Push::Pushed);
    assert_eq!(upstream.show("a"), "2");
}

#[test]
fn racing_writers_lose_no_commit_and_write_none_twice() {
    const WRITERS: usize = 4;
    let files: Vec<_> = (0..WRITERS).map(|n| (format!("file-{n}"), "0\n")).collect();
    let files: Vec<_> = files.iter().map(|(path, content)| (path.as_str(), *content)).collect();
    let upstream = Upstream::new(&files);
    let server = GitHttp::start(upstream.root());
    std::thread::scope(|scope| {
        for (path, _) in &files {
            let mut site = Site::open(config(&server.url()));
            scope.spawn(move || {
                for n in 1..=3 {
                    loop {
                        let snapshot = site.fetch();
                        match site.push(&snapshot, path, &format!("{n}\n")).unwrap() {
                            Push::Pushed => break,
                            Push::Raced => {}
                            Push::Refused { reason } => panic!("{reason}"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(git(&upstream.bare(), &["rev-list", "--count", "main"]), (1 + 3 * WRITERS).to_string());
    for (path, _) in &files {
        assert_eq!(upstream.show(path), "3");
    }
}
