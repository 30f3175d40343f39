//! Git over SSH, against a real `sshd`.

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tagboat::environment::{Auth, Config, Error, Fault, Push};
use tagboat::error::Verdict;

use super::{Site, basic, config, fault, round_trip};
use crate::support::git::Upstream;
use crate::support::sshd::Sshd;

fn upstream() -> Upstream {
    Upstream::new(&[("apps/a.yaml", "image: a:1\n")])
}

fn with(url: &str, key: PathBuf, known_hosts: PathBuf) -> Config {
    Config { auth: Some(Auth::Ssh { key, known_hosts: Some(known_hosts) }), ..config(url) }
}

#[test]
fn a_round_trip_over_ssh() {
    let (upstream, sshd) = (upstream(), Sshd::start());
    round_trip(with(&sshd.url(&upstream.bare()), sshd.key(), sshd.known_hosts()), &upstream);
}

#[test]
fn a_host_whose_key_is_unknown_or_another_is_not_trusted() {
    let (upstream, sshd) = (upstream(), Sshd::start());
    let url = sshd.url(&upstream.bare());
    let empty = upstream.root().join("empty");
    std::fs::write(&empty, "").unwrap();
    let (cause, text) = fault(with(&url, sshd.key(), empty.clone()), Verdict::Stalled);
    assert!(matches!(cause, Fault::HostKeyUnknown), "{text}");
    assert_eq!(std::fs::read_to_string(empty).unwrap(), "", "the key was taken on trust");
    let (cause, text) = fault(with(&url, sshd.key(), sshd.other_known_hosts()), Verdict::Stalled);
    assert!(matches!(cause, Fault::HostKeyChanged), "{text}");
}

#[test]
fn a_key_that_is_refused_or_unusable_is_told() {
    let (upstream, sshd) = (upstream(), Sshd::start());
    let url = sshd.url(&upstream.bare());
    let (cause, text) = fault(with(&url, sshd.other_key(), sshd.known_hosts()), Verdict::Stalled);
    assert!(matches!(cause, Fault::KeyRefused), "{text}");
    let (cause, text) = fault(with(&url, "/nowhere/key".into(), sshd.known_hosts()), Verdict::Stalled);
    assert!(matches!(cause, Fault::KeyUnusable(_)) && text.contains("/nowhere/key"), "{text}");
    let garbage = upstream.root().join("garbage");
    std::fs::write(&garbage, "no key\n").unwrap();
    std::fs::set_permissions(&garbage, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    let (cause, text) = fault(with(&url, garbage.clone(), sshd.known_hosts()), Verdict::Stalled);
    assert!(matches!(cause, Fault::KeyUnusable(_)), "{text}");
    std::fs::copy(sshd.key(), upstream.root().join("open")).unwrap();
    let open = upstream.root().join("open");
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let (cause, text) = fault(with(&url, open, sshd.known_hosts()), Verdict::Stalled);
    assert!(matches!(cause, Fault::KeyUnusable(_)), "{text}");
    let mut password = config(&url);
    password.auth = basic("bot", "hunter2");
    let (cause, _) = fault(password, Verdict::Stalled);
    assert!(matches!(cause, Fault::WrongKindOfAuth(_)), "{cause:?}");
}

#[test]
fn a_repository_that_is_not_there_is_told() {
    let (upstream, sshd) = (upstream(), Sshd::start());
    let (cause, text) = fault(with(&sshd.url(&upstream.root().join("no'such%20$(id)")), sshd.key(), sshd.known_hosts()), Verdict::Stalled);
    assert!(matches!(cause, Fault::NotFound), "{text}");
}

#[test]
fn races_and_refusals_over_ssh() {
    let (upstream, sshd) = (upstream(), Sshd::start());
    let mut site = Site::open(with(&sshd.url(&upstream.bare()), sshd.key(), sshd.known_hosts()));
    let snapshot = site.fetch();
    let foreign = upstream.foreign_commit("b", "2\n");
    assert_eq!(site.push(&snapshot, "apps/a.yaml", "2\n").unwrap(), Push::Raced);
    assert_eq!(upstream.tip("main"), foreign);
    upstream.hook("pre-receive", "echo 'not today' >&2; exit 1");
    let snapshot = site.fetch();
    let push = site.push(&snapshot, "apps/a.yaml", "2\n").unwrap();
    assert_eq!(push, Push::Refused { reason: "pre-receive hook declined: not today".to_owned() });
}

#[test]
fn a_silent_host_meets_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sshd = Sshd::start();
    let port = listener.local_addr().unwrap().port();
    let url = format!("ssh://git@127.0.0.1:{port}/a");
    let mut config = with(&url, sshd.key(), sshd.known_hosts());
    config.timeout = Duration::from_secs(1);
    let start = Instant::now();
    let (cause, text) = fault(config, Verdict::RETRY);
    assert!(matches!(cause, Fault::Timeout { .. } | Fault::Unreachable(_)), "{text}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_push_past_its_deadline_is_an_unknown_outcome_and_leaves_no_process() {
    let (upstream, sshd) = (upstream(), Sshd::start());
    let url = sshd.url(&upstream.bare());
    let mut config = with(&url, sshd.key(), sshd.known_hosts());
    config.timeout = Duration::from_secs(6);
    let mut site = Site::open(config);
    let snapshot = site.fetch();
    upstream.hook("pre-receive", "sleep 20");
    let error = site.push(&snapshot, "apps/a.yaml", "2\n").unwrap_err();
    assert!(matches!(error, Error::OutcomeUnknown { cause: Fault::Timeout { .. }, .. }), "{error:?}");
    let port = format!("Port={}", url.split([':', '/']).find(|part| part.parse::<u16>().is_ok()).unwrap());
    let start = Instant::now();
    while is_running(&port) {
        assert!(start.elapsed() < Duration::from_secs(8), "ssh outlives its session");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Says whether there is a process with that argument.
fn is_running(argument: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok()).any(|line| {
        let mut arguments = line.split(|&b| b == 0);
        arguments.any(|candidate| candidate == argument.as_bytes())
    })
}

#[test]
fn a_host_that_refuses_connections_is_a_retry() {
    let sshd = Sshd::start();
    let (cause, text) = fault(with("ssh://git@127.0.0.1:1/a", sshd.key(), sshd.known_hosts()), Verdict::RETRY);
    assert!(matches!(cause, Fault::Unreachable(_)), "{text}");
}
