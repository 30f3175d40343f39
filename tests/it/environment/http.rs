//! Fetching over HTTP and HTTPS: credentials, redirects, certificates, and servers that misbehave.

use std::time::{Duration, Instant};

use tagboat::environment::{Auth, Fault, Push};
use tagboat::error::{Verdict, chain};
use tagboat::redact::SecretSource;
use tagboat::shutdown::CancellationToken;

use super::{Site, basic, config, content, fault, round_trip};
use crate::support::git::Upstream;
use crate::support::git_http::{Answer, GitHttp, Tls};

const REFS: &str = "/info/refs?service=git-upload-pack";

fn upstream() -> Upstream {
    Upstream::new(&[("apps/a.yaml", "image: a:1\n")])
}

#[test]
fn a_round_trip_over_http() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    round_trip(config(&server.url()), &upstream);
    assert!(server.take_seen().iter().all(|seen| seen.user_agent.as_deref().is_some_and(|agent| agent.starts_with("git/tagboat-"))));
}

#[test]
fn a_round_trip_over_https_with_its_own_authority() {
    let (upstream, tls) = (upstream(), Tls::new());
    let server = GitHttp::with_tls(upstream.root(), &tls);
    let ca_file = upstream.root().join("ca.pem");
    std::fs::write(&ca_file, &tls.ca_pem).unwrap();
    let mut trusting = config(&server.url());
    trusting.ca_file = Some(ca_file.clone());
    round_trip(trusting.clone(), &upstream);

    let (cause, _) = fault(config(&server.url()), Verdict::Stalled);
    assert!(matches!(cause, Fault::Tls(_)), "{cause:?}");
    for (what, content) in [("empty", ""), ("no certificate", "hello")] {
        std::fs::write(&ca_file, content).unwrap();
        let (cause, text) = fault(trusting.clone(), Verdict::Stalled);
        assert!(matches!(cause, Fault::CaFile { .. }) && text.contains("ca.pem"), "{what}: {text}");
    }
}

#[test]
fn a_round_trip_with_a_password() {
    let upstream = upstream();
    let server = GitHttp::with_login(upstream.root(), "bot", "hunter2");
    let mut config = config(&server.url());
    config.auth = basic("bot", "hunter2");
    round_trip(config.clone(), &upstream);
    // A rotated file takes effect at the next fetch.
    let file = upstream.root().join("token");
    std::fs::write(&file, "old").unwrap();
    config.auth = Some(Auth::Basic { username: "bot".to_owned(), password: SecretSource::File(file.clone()) });
    let mut site = Site::open(config);
    site.environment.fetch().unwrap_err();
    std::fs::write(&file, "hunter2\n").unwrap();
    site.fetch();
}

#[test]
fn a_wrong_password_is_one_clear_error_after_one_request() {
    let upstream = upstream();
    let server = GitHttp::with_login(upstream.root(), "bot", "hunter2");
    let mut config = config(&server.url());
    config.auth = basic("bot", "planted-secret");
    let (cause, text) = fault(config.clone(), Verdict::Stalled);
    assert!(matches!(cause, Fault::LoginRefused { .. }) && text.contains("`bot`"), "{text}");
    assert_eq!(server.take_seen().len(), 1);
    config.auth = None;
    let (cause, _) = fault(config, Verdict::Stalled);
    assert!(matches!(cause, Fault::LoginNeeded), "{cause:?}");
}

#[test]
fn two_environments_on_one_host_keep_their_own_passwords() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let mut sites: Vec<_> = ["one", "other"]
        .map(|name| {
            let mut config = config(&server.url());
            config.auth = basic(name, &format!("password of {name}"));
            Site::open(config)
        })
        .into();
    std::thread::scope(|scope| {
        for site in &mut sites {
            scope.spawn(|| site.fetch());
        }
    });
    let mut logins: Vec<_> = server.take_seen().into_iter().map(|seen| seen.authorization.unwrap()).collect();
    logins.sort();
    logins.dedup();
    assert_eq!(logins.len(), 2);
}

#[test]
fn secrets_do_not_show_in_errors_even_if_the_server_repeats_them() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let mut config = config(&server.url());
    config.auth = basic("bot", "planted-secret");
    assert!(!format!("{config:?}").contains("planted-secret"));
    server.intercept(|seen| {
        let words = format!("ERR your {} means planted-secret", seen.authorization.as_deref().unwrap());
        let body = format!("001e# service=git-upload-pack\n0000{:04x}{words}", words.len() + 4);
        Answer::Status(200, vec![("content-type", "application/x-git-upload-pack-advertisement".to_owned())], body.into_bytes())
    });
    let (cause, text) = fault(config, Verdict::Stalled);
    assert!(matches!(cause, Fault::RemoteSays(_)), "{cause:?}");
    assert!(text.contains("your Basic *** means ***"), "{text}");
    assert!(!format!("{cause:?}").contains("planted-secret"));
}

#[test]
fn a_redirect_on_the_same_host_is_followed() {
    let upstream = upstream();
    let server = GitHttp::with_login(upstream.root(), "bot", "hunter2");
    let base = server.base();
    server.intercept(move |seen| match seen.target.strip_prefix("/old") {
        Some(rest) if rest.starts_with("/info/refs") => Answer::Status(301, vec![("location", format!("{base}/env.git{rest}"))], vec![]),
        Some(_) => Answer::Status(404, vec![], vec![]),
        None => Answer::Pass,
    });
    let mut config = config(&format!("{}/old", server.base()));
    config.auth = basic("bot", "hunter2");
    round_trip(config, &upstream);
}

#[test]
fn no_redirect_crashes_us_and_none_takes_the_password_elsewhere() {
    let (upstream, other) = (upstream(), GitHttp::start(std::path::Path::new("/nowhere")));
    let server = GitHttp::start(upstream.root());
    let elsewhere = other.base();
    let locations = [
        // libgit2's own client dies of this one.
        format!("{}/env.git/info/refs", server.base()),
        format!("{elsewhere}/env.git{REFS}"),
        format!("{elsewhere}/info/refs"),
        "/info/refs".to_owned(),
        "/login?next=/env.git".to_owned(),
        "ftp://localhost/env.git".to_owned(),
        "//".to_owned(),
        String::new(),
        "http://[".to_owned(),
        format!("http://thief:x@localhost:1{REFS}"),
        "mailto:a@b".to_owned(),
        format!("/again{REFS}"),
    ];
    for location in locations {
        let answer = location.clone();
        server.intercept(move |_| Answer::Status(302, vec![("location", answer.clone())], vec![]));
        let mut config = config(&server.url());
        config.auth = basic("bot", "planted-secret");
        let (cause, text) = fault(config, Verdict::Stalled);
        assert!(matches!(cause, Fault::Redirected { .. }), "{location}: {cause:?}");
        assert!(!text.contains("thief") && !text.contains("next="), "{text}");
        assert!(server.take_seen().len() <= 5, "{location}");
    }
    assert!(other.take_seen().is_empty());
}

#[test]
fn a_redirect_of_the_pack_is_an_error() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let location = format!("{}/elsewhere", server.base());
    server.intercept(move |seen| match seen.method.as_str() {
        "POST" => Answer::Status(307, vec![("location", location.clone())], vec![]),
        _ => Answer::Pass,
    });
    let (cause, _) = fault(config(&server.url()), Verdict::Stalled);
    assert!(matches!(&cause, Fault::Redirected { to } if to.ends_with("/elsewhere")), "{cause:?}");
}

#[test]
fn statuses_say_what_to_do_next() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let after = |seconds| Verdict::Retry { after: Some(Duration::from_secs(seconds)) };
    for (status, verdict) in
        [(404, Verdict::Stalled), (403, Verdict::Stalled), (400, Verdict::Stalled), (500, after(7)), (503, after(7)), (429, after(7))]
    {
        server.intercept(move |_| Answer::Status(status, vec![("retry-after", "7".to_owned())], b"no".to_vec()));
        fault(config(&server.url()), verdict);
    }
    server.intercept(|_| Answer::Status(502, vec![], vec![]));
    fault(config(&server.url()), Verdict::RETRY);
}

#[test]
fn what_does_not_speak_git_is_told() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    server.intercept(|_| Answer::Status(200, vec![("content-type", "text/html".to_owned())], b"<html>".to_vec()));
    let (cause, text) = fault(config(&server.url()), Verdict::Stalled);
    assert!(matches!(cause, Fault::NotGit(_)) && text.contains("text/html"), "{text}");
    for body in [&b""[..], b"0000", b"zzzz", b"001e# service=git-upload-pack\n0000", b"\0\0\0\0", b"0005\xff0000"] {
        let kind = "application/x-git-upload-pack-advertisement";
        server.intercept(move |_| Answer::Status(200, vec![("content-type", kind.to_owned())], body.to_vec()));
        let error = Site::open(config(&server.url())).environment.fetch().unwrap_err();
        assert!(!chain(&error).to_string().is_empty(), "{body:?}");
    }
}

#[test]
fn names_that_are_no_utf8_do_not_harm() {
    let upstream = upstream();
    let tip = upstream.tip("main");
    let packed = [format!("{tip} refs/heads/").as_bytes(), b"b\xffd\n"].concat();
    std::fs::write(upstream.bare().join("packed-refs"), packed).unwrap();
    let server = GitHttp::start(upstream.root());
    let mut site = Site::open(config(&server.url()));
    let snapshot = site.fetch();
    assert_eq!(content(&snapshot, "apps/a.yaml"), "image: a:1\n");
    assert_eq!(site.push(&snapshot, "apps/a.yaml", "image: a:2\n").unwrap(), Push::Pushed);
}

#[test]
fn a_silent_server_meets_the_deadline() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    for silent in ["GET", "POST"] {
        server.intercept(move |seen| if seen.method == silent { Answer::Hang } else { Answer::Pass });
        let mut config = config(&server.url());
        config.timeout = Duration::from_secs(1);
        let start = Instant::now();
        let (cause, _) = fault(config, Verdict::RETRY);
        assert!(matches!(cause, Fault::Timeout { .. }), "{cause:?}");
        let took = start.elapsed();
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
    }
}

#[test]
fn a_shutdown_interrupts_a_fetch() {
    let upstream = upstream();
    let server = GitHttp::start(upstream.root());
    let stop = CancellationToken::new();
    let asked = stop.clone();
    server.intercept(move |_| {
        asked.cancel();
        Answer::Hang
    });
    let Site { dir: _kept, environment } = Site::open(config(&server.url()));
    let error = environment.interrupted_by(stop).fetch().unwrap_err();
    assert!(matches!(error, tagboat::environment::Error::Fetch { cause: Fault::Interrupted, .. }), "{error:?}");
}

#[test]
fn a_line_that_breaks_anywhere_is_a_retry_and_leaves_a_usable_clone() {
    let upstream = Upstream::new(&[("a.yaml", &"image: a:1\n".repeat(100))]);
    let server = GitHttp::start(upstream.root());
    let directory = tempfile::tempdir().unwrap();
    let fetch = |url: &str| tagboat::environment::Environment::open(config(url), directory.path()).unwrap().fetch();
    let mut failed = 0;
    for after in (0..4000).step_by(97) {
        match fetch(&server.cut_url(after)) {
            Ok(_) => break,
            Err(error) => {
                failed += 1;
                assert_eq!(tagboat::error::Classified::verdict(&error), Verdict::RETRY, "after {after}: {}", chain(&error));
            }
        }
    }
    assert!(failed > 5, "{failed}");
    assert_eq!(content(&fetch(&server.url()).unwrap(), "a.yaml"), "image: a:1\n".repeat(100));
}

#[test]
fn an_unreachable_host_is_a_retry() {
    let (cause, text) = fault(config("http://localhost:1/env.git"), Verdict::RETRY);
    assert!(matches!(cause, Fault::Unreachable(_)), "{text}");
    let mut wrong = config("http://localhost:1/env.git");
    wrong.auth = Some(Auth::Ssh { key: "/key".into(), known_hosts: None });
    let (cause, _) = fault(wrong, Verdict::Stalled);
    assert!(matches!(cause, Fault::WrongKindOfAuth(_)), "{cause:?}");
}
