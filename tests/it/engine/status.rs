//! What `/api/v1/status` tells of a running daemon.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use axum::http::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::support::registry::{PASSWORD, USER};
use crate::support::world::{API, World, tagboat};

const LONGEST: Duration = Duration::from_secs(15);

/// A daemon that listens; it is killed when the test ends.
struct Daemon {
    process: Child,
    address: String,
}

impl Daemon {
    fn start(policy: &Path) -> Self {
        let mut command = tagboat(policy);
        command.arg("run").env("TAGBOAT_WATCH__LISTEN", "127.0.0.1:0").env("SECRET", PASSWORD);
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut logs = BufReader::new(process.stderr.take().unwrap()).lines().map(Result::unwrap);
        let started = logs.find(|line| line.contains("started")).unwrap();
        let address = started.split("listen=").nth(1).unwrap().split_whitespace().next().unwrap().trim_matches('"').to_owned();
        std::thread::spawn(move || logs.for_each(drop)); // so that nothing waits for a full pipe
        Self { process, address }
    }

    /// Asks and returns the whole answer, head included.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn status(&self, query: &str) -> Value {
        let answer = self.get(&format!("/api/v1/status{query}"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("200 OK") && head.contains("application/json"), "{head}");
        for secret in [PASSWORD, "Ym90OnMzY3JldC1wYXNzdzByZA"] {
            assert!(!answer.contains(secret), "{answer}");
        }
        serde_json::from_str(body).unwrap()
    }

    /// Waits for a status.
    fn status_when(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + LONGEST;
        loop {
            let status = self.status("");
            if is(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "waited too long for: {what}\n{status:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn of<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|one| one[key] == name).unwrap_or_else(|| panic!("no {name} in {list:#}"))
}

/// Two environments, of which one cannot be reached, and two repositories, of which one is forbidden; all with a secret.
fn world() -> (World, Daemon) {
    let files = [
        (API, "image: REGISTRY/shop/api:1.0.0\n"),
        ("held.yaml", "image: REGISTRY/shop/api:latest\n"),
        ("web.yaml", "image: REGISTRY/shop/web:1.0.0\n"),
    ];
    let world = World::new(&files);
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    world.registry.on_request(|request| {
        let refuse = |status, message: &str| {
            let body = json!({ "errors": [{ "code": "NO", "message": message }] }).to_string();
            Some(Response::builder().status(status).header(header::WWW_AUTHENTICATE, "Basic realm=\"x\"").body(body.into()).unwrap())
        };
        match request.headers.get(header::AUTHORIZATION) {
            None => refuse(StatusCode::UNAUTHORIZED, "who are you?"),
            // A careless registry: it repeats what it was sent.
            Some(sent) if request.uri.path().contains("shop/web") => {
                refuse(StatusCode::FORBIDDEN, &format!("not with {sent:?} {}", sent.to_str().unwrap()))
            }
            Some(_) => None,
        }
    });
    let url = world.upstream.path().display().to_string();
    let auth = format!("auth = {{ username = \"{USER}\", password = {{ env = \"SECRET\" }} }}\n");
    let policy = world.policy_for(&format!(
        "{auth}[environment.prod]\nurl = \"{url}\"\nbranch = \"main\"\n\
         [environment.away]\nurl = \"http://127.0.0.1:1/env.git\"\n{auth}\
         [[image]]\nrepository = \"REGISTRY/shop/*\"\n"
    ));
    let daemon = Daemon::start(&policy);
    (world, daemon)
}

#[test]
fn the_status_tells_what_is_watched_what_was_pushed_and_what_fails() {
    let (world, daemon) = world();
    let settled = |status: &Value| {
        let prod = of(&status["environments"], "environment", "prod");
        prod["last_pass"]["result"] == "unchanged"
            && !prod["last_push"].is_null()
            && status["failing"] == json!({ "environments": 1, "registries": 1, "repositories": 1 })
    };
    let status = daemon.status_when("a push, and a pass after it", settled);
    let host = world.registry.host();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    let time =
        |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).unwrap_or_else(|| panic!("no time: {value}"));
    assert!(time(&status["started_at"]) <= time(&status["at"]));

    let prod = of(&status["environments"], "environment", "prod");
    let commit = world.commits().last().unwrap().id.clone();
    assert_eq!((&prod["commit"], &prod["last_push"]["commit"]), (&json!(commit), &json!(commit)));
    assert_eq!((&prod["last_push"]["changes"], &prod["sites"], &prod["failing"]), (&json!(1), &json!(3), &Value::Null));
    assert_eq!((&prod["branch"], prod["url"].as_str().unwrap()), (&json!("main"), world.upstream.path().to_str().unwrap()));
    assert!(prod["last_pass"]["duration_ms"].is_u64() && time(&prod["last_pass"]["at"]) >= time(&prod["last_push"]["at"]));
    assert_eq!(prod["notes_total"], 2, "{prod:#}");
    assert_eq!(of(&prod["notes"], "file", "held.yaml")["kind"], "unordered");
    assert_eq!(of(&prod["notes"], "file", "web.yaml")["kind"], "unlisted");

    let away = of(&status["environments"], "environment", "away");
    assert_eq!((&away["commit"], &away["last_push"], &away["branch"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&away["failing"]["verdict"], &away["last_pass"]["result"]), (&json!("retry"), &json!("retry")));
    assert!(
        away["failing"]["reason"].is_string()
            && away["failing"]["count"].as_u64() >= Some(1)
            && time(&away["failing"]["since"]) <= time(&status["at"])
    );

    let api = of(&status["repositories"], "repository", &format!("{host}/shop/api"));
    assert_eq!(
        (&api["registry"], &api["tags"], &api["failing"], &api["environments"]),
        (&json!(host), &json!(2), &Value::Null, &json!(["prod"]))
    );
    assert!(time(&api["listed_at"]) <= time(&status["at"]));
    let web = of(&status["repositories"], "repository", &format!("{host}/shop/web"));
    assert_eq!((&web["tags"], &web["listed_at"], &web["failing"]["verdict"]), (&Value::Null, &Value::Null, &json!("stalled")));
    assert!(web["failing"]["reason"].as_str().unwrap().contains("403"), "{web:#}");
    assert!(web["failing"]["hint"].as_str().unwrap().contains("pull"), "{web:#}");
    let registry = of(&status["registries"], "registry", &host);
    assert_eq!((&registry["repositories"], &registry["repositories_failing"]), (&json!(2), &json!(1)));
    assert!(registry["requests"].as_u64() >= Some(4), "{registry:#}");

    let metrics = daemon.get("/metrics");
    for sample in ["tagboat_repositories", "tagboat_repositories_failing"] {
        assert!(metrics.contains(&format!("\n{sample}{{registry=\"{host}\"}} ")), "{metrics}");
    }
}

#[test]
fn a_part_of_the_status_can_be_asked_for_and_a_failure_that_ends_is_gone() {
    let (world, daemon) = world();
    daemon.status_when("the failures", |status| status["failing"]["repositories"] == 1 && status["failing"]["environments"] == 1);
    let none = daemon.status("?registry=ghcr.io");
    assert_eq!((&none["repositories"], &none["registries"]), (&json!([]), &json!([])));
    assert_eq!(none["failing"]["repositories"], 1, "the counts are of everything");
    let away = daemon.status("?environment=away");
    assert_eq!((away["environments"].as_array().unwrap().len(), &away["repositories"]), (1, &json!([])));
    let prod = daemon.status(&format!("?environment=prod&registry={}", world.registry.host()));
    assert_eq!((prod["repositories"].as_array().unwrap().len(), prod["registries"].as_array().unwrap().len()), (2, 1));

    world.registry.publish("shop/web", "1.0.0");
    world.registry.on_request(|_| None);
    let status = daemon.status_when("the end of the failure", |status| status["failing"]["repositories"] == 0);
    let web = of(&status["repositories"], "repository", &format!("{}/shop/web", world.registry.host())).clone();
    assert_eq!((&web["tags"], &web["failing"]), (&json!(1), &Value::Null));
}
