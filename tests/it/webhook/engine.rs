//! From a delivery to the running daemon to the commit, while polling is as good as off.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::deliveries::post;
use crate::support::registry::json;
use crate::support::world::{API, World, tagboat};

const SECRET: &str = "planted-secret-of-webhooks";
const LONGEST: Duration = Duration::from_secs(20);
/// No poll falls due in a test.
const INTERVAL: &str = "6h";

/// A daemon with a webhook for the world's registry, after its first round.
struct Daemon {
    process: Child,
    address: String,
    logs: Arc<Mutex<String>>,
    _world: Arc<World>,
}

impl Daemon {
    fn start(world: &Arc<World>) -> Self {
        let policy = world.policy(
            "[[image]]\nrepository = \"REGISTRY/shop/api\"\n\
             [webhook.ci]\nkind = \"distribution\"\nhost = \"REGISTRY\"\nsecret = { env = \"WEBHOOK_SECRET\" }\n",
        );
        let mut command = tagboat(&policy);
        command.args(["run"]).env("WEBHOOK_SECRET", SECRET);
        command.env("TAGBOAT_WATCH__INTERVAL", INTERVAL).env("TAGBOAT_WATCH__LISTEN", "127.0.0.1:0");
        command.env("TAGBOAT_WATCH__LOG_LEVEL", "info,tagboat=trace");
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (logs, started) = follow(BufReader::new(process.stderr.take().unwrap()));
        let line = started.recv_timeout(LONGEST).unwrap();
        let port: String = line.split("127.0.0.1:").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
        Self { process, address: format!("127.0.0.1:{port}"), logs, _world: Arc::clone(world) }
    }

    /// Sends requests over one connection; returns the answers' status lines.
    fn send(&self, requests: &[Vec<u8>]) -> Vec<String> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(LONGEST)).unwrap();
        let whole: Vec<u8> = requests.concat();
        let mut sender = stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || sender.write_all(&whole).unwrap());
        let mut answers = String::new();
        stream.read_to_string(&mut answers).unwrap();
        writing.join().unwrap();
        answers.lines().filter(|line| line.starts_with("HTTP/1.1")).map(str::to_owned).collect()
    }

    #[track_caller]
    fn push_event(&self, world: &World, repository: &str, tag: &str) {
        assert_eq!(self.send(&[event(world, repository, tag, true)]), ["HTTP/1.1 200 OK"]);
    }

    fn logs(&self) -> String {
        self.logs.lock().unwrap().clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Collects what a daemon logs, and hands out the line that says that it has started.
fn follow(lines: impl BufRead + Send + 'static) -> (Arc<Mutex<String>>, Receiver<String>) {
    let (logs, (told, started)) = (Arc::new(Mutex::new(String::new())), channel());
    let kept = Arc::clone(&logs);
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            if line.contains("started") && line.contains("127.0.0.1:") {
                let _ = told.send(line.clone());
            }
            kept.lock().unwrap().push_str(&(line + "\n"));
        }
    });
    (logs, started)
}

/// A delivery of distribution's; `last` closes the connection.
fn event(world: &World, repository: &str, tag: &str, last: bool) -> Vec<u8> {
    let target = serde_json::json!({ "repository": repository, "tag": tag });
    let event = serde_json::json!({ "action": "push", "target": target, "request": { "host": world.registry.host() } });
    let body = serde_json::json!({ "events": [event] }).to_string();
    let request = post(&format!("/webhook/ci?secret={SECRET}"), &[], body.as_bytes());
    if last { request } else { String::from_utf8(request).unwrap().replace("Connection: close\r\n", "").into_bytes() }
}

#[track_caller]
fn wait_until(what: &str, done: impl Fn() -> bool) -> Duration {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LONGEST, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

/// A world whose daemon has done its first round, with a bump to show for it.
fn settled() -> (Arc<World>, Daemon) {
    let world = Arc::new(World::new(&[(API, "image: REGISTRY/shop/api:1.0.0\n")]));
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    let daemon = Daemon::start(&world);
    wait_until("the first bump", || world.read(API).contains("1.1.0"));
    wait_until("its end", || daemon.logs().contains("pushed"));
    (world, daemon)
}

fn listings(world: &World) -> usize {
    world.registry.requests().iter().filter(|request| request.contains("/tags/list")).count()
}

#[test]
fn a_push_event_brings_the_commit_at_once_though_polling_is_hours_away() {
    let (world, daemon) = settled();
    for tag in ["1.2.0", "1.3.0"] {
        world.registry.publish("shop/api", tag);
        let begun = Instant::now();
        daemon.push_event(&world, "shop/api", tag);
        wait_until("the bump", || world.read(API).contains(tag));
        eprintln!("from the event to the commit: {:?}", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

#[test]
fn w9_w10_a_thousand_events_in_a_second_are_few_listings_and_the_last_tag_is_not_missed() {
    let (world, daemon) = settled();
    let before = listings(&world);
    let mut burst: Vec<Vec<u8>> = (0..999).map(|_| event(&world, "shop/api", "1.1.0", false)).collect();
    burst.push(event(&world, "shop/api", "1.1.0", true));
    let begun = Instant::now();
    let answers = daemon.send(&burst);
    let took = begun.elapsed();
    assert!(
        answers.len() == 1000 && answers.iter().all(|line| line == "HTTP/1.1 200 OK"),
        "{:?}",
        answers.iter().find(|line| !line.contains("200"))
    );
    world.registry.publish("shop/api", "1.2.0");
    daemon.push_event(&world, "shop/api", "1.2.0");
    let waited = wait_until("the bump", || world.read(API).contains("1.2.0"));
    let listed = listings(&world) - before;
    let most = 2 + begun.elapsed().as_secs() as usize;
    eprintln!("1,000 events took {took:?}; the bump came {waited:?} after the next; {listed} listings");
    assert!(listed <= most, "{listed} listings in {:?}", begun.elapsed());
}

#[test]
fn an_event_during_a_listing_has_it_done_once_more() {
    let (world, daemon) = settled();
    // The next listing has been answered inside the registry before the tag is there, and travels for long.
    let ((asked, is_asked), (go, may_go)) = (channel(), channel::<()>());
    let held = Mutex::new(Some((asked, may_go)));
    world.registry.on_request(move |request| {
        let (asked, may_go) = request.uri.path().ends_with("/tags/list").then(|| held.lock().unwrap().take()).flatten()?;
        asked.send(()).unwrap();
        let _ = may_go.recv_timeout(LONGEST);
        Some(json(r#"{"name":"shop/api","tags":["1.0.0","1.1.0"]}"#))
    });
    daemon.push_event(&world, "shop/api", "1.1.0");
    is_asked.recv_timeout(LONGEST).unwrap();
    world.registry.publish("shop/api", "1.2.0");
    daemon.push_event(&world, "shop/api", "1.2.0");
    go.send(()).unwrap();
    wait_until("the bump", || world.read(API).contains("1.2.0"));
}

#[test]
fn an_event_that_comes_before_its_tag_is_listed_is_not_in_vain() {
    let (world, daemon) = settled();
    let before = listings(&world);
    daemon.push_event(&world, "shop/api", "1.2.0");
    wait_until("the listing that comes too early", || listings(&world) > before);
    world.registry.publish("shop/api", "1.2.0");
    wait_until("the bump", || world.read(API).contains("1.2.0"));
}

#[test]
fn w13_w14_w15_events_about_what_is_not_watched_or_not_there_cost_no_request_and_change_nothing() {
    let (world, daemon) = settled();
    let before = world.registry.request_count();
    for repository in ["shop/other", "shop/api/deeper", "evil/api"] {
        daemon.push_event(&world, repository, "9.9.9");
    }
    let elsewhere = String::from_utf8(event(&world, "shop/api", "9.9.9", true)).unwrap();
    let elsewhere = elsewhere.replace(&world.registry.host(), "127.0.0.1:1111").into_bytes();
    let length = elsewhere.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    let elsewhere = post(&format!("/webhook/ci?secret={SECRET}"), &[], &elsewhere[length..]);
    assert_eq!(daemon.send(&[elsewhere]), ["HTTP/1.1 200 OK"]);
    assert_eq!(world.registry.request_count(), before, "nobody was asked anything");
    // A tag that is not there: it is looked for, and that is all.
    daemon.push_event(&world, "shop/api", "9.9.9");
    wait_until("the listing", || listings(&world) >= 2);
    world.registry.publish("shop/api", "1.2.0");
    daemon.push_event(&world, "shop/api", "1.2.0");
    wait_until("the bump", || world.read(API).contains("1.2.0"));
    assert_eq!(world.commits().len(), 2, "one before the events, and this one");
}

#[test]
fn no_secret_shows_in_the_log_and_a_strangers_deliveries_do_not_fill_it() {
    let (world, daemon) = settled();
    world.registry.publish("shop/api", "1.2.0");
    daemon.push_event(&world, "shop/api", "1.2.0");
    wait_until("the bump", || world.read(API).contains("1.2.0"));
    let wrong = |number: usize| {
        post(&format!("/webhook/ci/{SECRET}{number}?secret={SECRET}x"), &[("Authorization", "Bearer planted-guess")], b"{}")
    };
    for number in 0..20 {
        assert_eq!(daemon.send(&[wrong(number)]), ["HTTP/1.1 401 Unauthorized"]);
    }
    assert_eq!(daemon.send(&[post(&format!("/webhook/ci/{SECRET}"), &[], b"planted-garbage")]), ["HTTP/1.1 200 OK"]);
    wait_until("the warning", || daemon.logs().contains("a push event was not taken"));
    let logs = daemon.logs();
    assert!(logs.contains("a push event makes a repository due"), "{logs}");
    assert_eq!(logs.matches("a push event was not taken").count(), 1, "{logs}");
    assert!(!logs.contains("planted"), "{}", logs.lines().filter(|line| line.contains("planted")).collect::<Vec<_>>().join("\n"));
}
