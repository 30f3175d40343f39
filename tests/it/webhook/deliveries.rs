//! Deliveries over real connections: what is answered, what is counted, and who is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus_client::registry::Registry as MetricRegistry;
use tagboat::http::webhook::{Auth, Config, Kind, Sender};
use tagboat::http::{self, Server, Sources};
use tagboat::image::Registry;
use tagboat::shutdown::CancellationToken;
use tagboat::telemetry::metrics::Metrics;

use super::{fixture, sender};
use crate::support::registry::secret;

const SECRET: &str = "s3cret-of-webhooks";
const MIB: usize = 1024 * 1024;

/// A server with webhooks; it stops when dropped. Repositories whose name holds `unwatched` are not watched.
pub(super) struct Receiver {
    address: SocketAddr,
    due: Arc<Mutex<Vec<String>>>,
    families: Arc<MetricRegistry>,
    _runtime: tokio::runtime::Runtime,
}

impl Receiver {
    pub(super) fn start(webhooks: Vec<Config>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (metrics, mut families, due) = (Arc::new(Metrics::default()), MetricRegistry::default(), Arc::new(Mutex::new(Vec::new())));
        metrics.register(&mut families);
        let (families, told) = (Arc::new(families), Arc::clone(&due));
        let sources = Sources {
            metrics: Arc::clone(&families),
            live: Arc::new(|| Ok(())),
            ready: Arc::new(|| Ok(())),
            due_now: Arc::new(move |repository| {
                told.lock().unwrap().push(repository.to_string());
                !repository.name().contains("unwatched")
            }),
            counts: metrics,
            status: Arc::new(|_| Ok(Vec::new())),
        };
        let config = http::Config { listen: Some("127.0.0.1:0".parse().unwrap()), webhooks };
        let server = runtime.block_on(Server::bind(&config, sources)).unwrap().unwrap();
        let address = server.address();
        runtime.spawn(server.serve(CancellationToken::new()));
        Self { address, due, families, _runtime: runtime }
    }

    /// The repositories that were said to be due, in that order.
    pub(super) fn due(&self) -> Vec<String> {
        self.due.lock().unwrap().clone()
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    pub(super) fn send(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The server may answer and close before it has read all of it.
        let _ = stream.write_all(request);
        Answer::read(&mut stream)
    }

    /// The count of deliveries of a webhook with a result.
    #[track_caller]
    fn assert_counted(&self, webhook: &str, result: &str, count: u64) {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.families).unwrap();
        let line = format!("tagboat_webhook_deliveries_total{{webhook=\"{webhook}\",result=\"{result}\"}} {count}\n");
        assert!(text.contains(&line), "no {line} in {text}");
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        // A connection that is reset after the answer still has given it.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }
}

pub(super) fn hook(name: &str, kind: Kind, auth: Auth) -> Config {
    Config { name: name.to_owned(), sender: sender(kind), auth }
}

fn with_secret(name: &str, kind: Kind) -> Config {
    let host = kind.needs_host().then(|| Registry::parse("reg.example").unwrap());
    Config { sender: Sender { host, ..sender(kind) }, ..hook(name, kind, Auth::Secret(secret(SECRET))) }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(super) fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    request("POST", path, headers, body)
}

const AUTHORIZATION: (&str, &str) = ("Authorization", SECRET);

fn hmac(algorithm: ring::hmac::Algorithm, body: &[u8]) -> String {
    let tag = ring::hmac::sign(&ring::hmac::Key::new(algorithm, SECRET.as_bytes()), body);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A delivery as its sender makes it: the webhook, its kind, the payload, the headers that prove it, and the repository meant.
type Delivery = (&'static str, Kind, &'static str, Vec<(&'static str, String)>, &'static str);

/// A delivery of each kind.
fn deliveries() -> Vec<Delivery> {
    let sign = |name: &str| hmac(ring::hmac::HMAC_SHA256, &fixture(name));
    let token = || vec![("Authorization", SECRET.to_owned())];
    let signed = |header, text: String, event: (&'static str, &str)| vec![(header, text), (event.0, event.1.to_owned())];
    let github = signed("X-Hub-Signature-256", format!("sha256={}", sign("github/package")), ("X-GitHub-Event", "package"));
    let gitea = signed("X-Gitea-Signature", sign("gitea/created"), ("X-Gitea-Event", "package"));
    let nexus = hmac(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &fixture("nexus/created"));
    let nexus = signed("X-Nexus-Webhook-Signature", nexus, ("X-Nexus-Webhook-ID", "rm:repository:component"));
    let zot = [token(), vec![("Ce-Type", "zotregistry.image.updated".to_owned())]].concat();
    vec![
        ("dockerhub", Kind::DockerHub, "dockerhub/push", token(), "docker.io/acme/web"),
        ("github", Kind::GitHub, "github/package", github, "ghcr.io/acme/web"),
        ("distribution", Kind::Distribution, "distribution/v1", token(), "reg.example:5000/acme/web"),
        ("harbor", Kind::Harbor, "harbor/default", token(), "harbor.example/acme/web"),
        ("quay", Kind::Quay, "quay/push", token(), "quay.io/acme/web"),
        ("acr", Kind::Acr, "acr/webhook", token(), "acme.azurecr.io/acme/web"),
        ("ecr", Kind::Ecr, "ecr/eventbridge", token(), "123456789012.dkr.ecr.us-west-2.amazonaws.com/acme/web"),
        ("nexus", Kind::Nexus, "nexus/created", nexus, "reg.example/acme/web"),
        (
            "artifactory",
            Kind::Artifactory,
            "artifactory/pushed",
            vec![("X-JFrog-Event-Auth", sign("artifactory/pushed"))],
            "acme.jfrog.io/docker-local/acme/web",
        ),
        ("gitea", Kind::Gitea, "gitea/created", gitea, "reg.example/acme/web"),
        ("zot", Kind::Zot, "zot/updated", zot, "reg.example/acme/web"),
        ("aliyun", Kind::Aliyun, "aliyun/push", token(), "registry.cn-hangzhou.aliyuncs.com/acme/web"),
    ]
}

fn all() -> Receiver {
    Receiver::start(deliveries().into_iter().map(|(name, kind, ..)| with_secret(name, kind)).collect())
}

fn refs<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[test]
fn w1_each_senders_delivery_makes_its_repository_due() {
    let receiver = all();
    for (name, _, payload, headers, repository) in deliveries() {
        let answer = receiver.send(&post(&format!("/webhook/{name}"), &refs(&headers), &fixture(payload)));
        assert_eq!((answer.status, answer.body.as_str()), (200, "the repository is due now\n"), "{name}");
        assert_eq!(receiver.due().last().map(String::as_str), Some(repository), "{name}");
        receiver.assert_counted(name, "accepted", 1);
    }
}

#[test]
fn w2_w3_a_delivery_without_its_proof_or_with_one_more_byte_is_answered_401_and_nobody_is_told() {
    let receiver = all();
    for (name, kind, payload, headers, _) in deliveries() {
        let path = format!("/webhook/{name}");
        let body = fixture(payload);
        let wrong: Vec<(&str, String)> = headers.iter().map(|(name, value)| (*name, value.replace(['e', '3'], "4"))).collect();
        let mut attempts = vec![("without", post(&path, &[], &body)), ("wrong", post(&path, &refs(&wrong), &body))];
        if matches!(kind, Kind::GitHub | Kind::Gitea | Kind::Nexus | Kind::Artifactory) {
            attempts.push(("longer", post(&path, &refs(&headers), &[&body[..], b" "].concat())));
        }
        for (what, attempt) in attempts {
            let answer = receiver.send(&attempt);
            assert_eq!((answer.status, answer.body.as_str()), (401, "not authorized\n"), "{name} {what}");
        }
    }
    assert!(receiver.due().is_empty());
}

#[test]
fn a_secret_in_the_url_does_for_senders_that_can_send_nothing_else() {
    let receiver = all();
    for path in [format!("/webhook/dockerhub/{SECRET}"), format!("/webhook/dockerhub?secret={SECRET}")] {
        assert_eq!(receiver.send(&post(&path, &[], &fixture("dockerhub/push"))).status, 200);
    }
    for path in ["/webhook/dockerhub/wrong", "/webhook/dockerhub?secret=", "/webhook/dockerhub/"] {
        assert_ne!(receiver.send(&post(path, &[], &fixture("dockerhub/push"))).status, 200, "{path}");
    }
    assert_eq!(receiver.due().len(), 2);
}

#[test]
fn w4_a_body_over_a_mebibyte_is_answered_413_and_a_strangers_is_not_even_read() {
    let receiver = all();
    let answer = receiver.send(&post("/webhook/harbor", &[AUTHORIZATION], &vec![b' '; MIB + 1]));
    assert_eq!((answer.status, answer.body.as_str()), (413, "the body is larger than 1 MiB\n"));
    // In pieces, without a length.
    let head = format!("POST /webhook/harbor HTTP/1.1\r\nHost: x\r\nAuthorization: {SECRET}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let piece = format!("{:x}\r\n{}\r\n", 64 * 1024, " ".repeat(64 * 1024));
    assert_eq!(receiver.send((head + &piece.repeat(17) + "0\r\n\r\n").as_bytes()).status, 413);
    receiver.assert_counted("harbor", "too_large", 2);
    let mut fits = fixture("harbor/default");
    fits.resize(MIB, b' ');
    assert_eq!(receiver.send(&post("/webhook/harbor", &[AUTHORIZATION], &fits)).status, 200);
    // The body never comes; the answer does.
    let begun = Instant::now();
    let stranger = "POST /webhook/harbor HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n";
    assert_eq!(receiver.send(stranger.as_bytes()).status, 401);
    assert!(begun.elapsed() < Duration::from_secs(5));
    // distribution would send it again for ever, and nothing else.
    assert_eq!(receiver.send(&post("/webhook/distribution", &[AUTHORIZATION], &vec![b' '; MIB + 1])).status, 200);
}

#[test]
fn w5_w6_w13_w17_what_leads_to_nothing_is_answered_200() {
    let receiver = all();
    for (name, payload) in [
        ("harbor", "harbor/by_digest"),
        ("harbor", "harbor/pulled"),
        ("harbor", "harbor/test"),
        ("acr", "acr/ping"),
        ("acr", "acr/delete"),
        ("ecr", "ecr/untagged"),
        ("distribution", "distribution/blob"),
        ("quay", "quay/vulnerability"),
    ] {
        let answer = receiver.send(&post(&format!("/webhook/{name}"), &[AUTHORIZATION], &fixture(payload)));
        assert_eq!((answer.status, answer.body.as_str()), (200, "nothing to do\n"), "{payload}");
    }
    assert!(receiver.due().is_empty());
    let body = String::from_utf8(fixture("quay/push")).unwrap().replace("acme/web", "acme/unwatched");
    let answer = receiver.send(&post("/webhook/quay", &[AUTHORIZATION], body.as_bytes()));
    assert_eq!((answer.status, answer.body.as_str()), (200, "nothing to do\n"));
    receiver.assert_counted("quay", "ignored", 2);
}

#[test]
fn w7_any_other_method_is_answered_405_and_an_unknown_name_404() {
    let receiver = all();
    for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        let answer = receiver.send(&request(method, "/webhook/harbor", &[AUTHORIZATION], b""));
        assert!(answer.status == 405 && answer.head.contains("allow: post"), "{method}: {answer:?}");
    }
    for path in
        ["/webhook/nobody", "/webhook/", "/webhook", "/webhook/Harbor", "/webhook/%68arbor", "/webhook/harbor/a/b", "//webhook/harbor"]
    {
        let answer = receiver.send(&post(path, &[AUTHORIZATION], &fixture("harbor/default")));
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
    assert!(receiver.due().is_empty());
}

#[test]
fn w8_garbage_is_answered_400_but_distribution_gets_200_for_anything_so_that_its_queue_goes_on() {
    let receiver = all();
    for garbage in ["", "not json", "{", "[]", "null", "5", "\"x\"", "{\"type\":5}", "\u{0}\u{ff}"] {
        let answer = receiver.send(&post("/webhook/harbor", &[AUTHORIZATION], garbage.as_bytes()));
        assert_eq!((answer.status, answer.body.as_str()), (400, "this is no event of the expected kind\n"), "{garbage}");
        assert_eq!(receiver.send(&post("/webhook/distribution", &[AUTHORIZATION], garbage.as_bytes())).status, 200, "{garbage}");
    }
    receiver.assert_counted("harbor", "invalid", 9);
    // Of these, so many are no JSON; the others are, of a shape without a push.
    receiver.assert_counted("distribution", "invalid", 4);
    receiver.assert_counted("distribution", "ignored", 5);
    let upper = String::from_utf8(fixture("distribution/v1")).unwrap().replace("acme/web", "../Web");
    assert_eq!(receiver.send(&post("/webhook/distribution", &[AUTHORIZATION], upper.as_bytes())).status, 200);
    receiver.assert_counted("distribution", "invalid", 5);
}

#[test]
fn w10_deliveries_beyond_the_places_are_answered_503_with_a_time_to_come_back() {
    let receiver = all();
    let head =
        format!("POST /webhook/harbor HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {SECRET}\r\nContent-Length: 9\r\n\r\n");
    // Each takes a place and lets the others wait for its body.
    let mut slow: Vec<TcpStream> = (0..32).map(|_| receiver.connect()).collect();
    slow.iter_mut().for_each(|stream| stream.write_all(head.as_bytes()).unwrap());
    let deadline = Instant::now() + Duration::from_secs(8);
    let busy = loop {
        let answer = receiver.send(&post("/webhook/quay", &[AUTHORIZATION], &fixture("quay/push")));
        if answer.status == 503 || Instant::now() > deadline {
            break answer;
        }
    };
    assert!(busy.status == 503 && busy.head.contains("retry-after: 10") && busy.body == "too many events at once\n", "{busy:?}");
    receiver.assert_counted("quay", "busy", 1);
    slow.iter_mut().for_each(|stream| stream.write_all(b"123456789").unwrap());
    for stream in &mut slow {
        assert_eq!(Answer::read(stream).status, 400);
    }
    assert_eq!(receiver.send(&post("/webhook/quay", &[AUTHORIZATION], &fixture("quay/push"))).status, 200);
}

#[test]
fn a_body_that_does_not_come_is_given_up_after_ten_seconds() {
    let receiver = all();
    let begun = Instant::now();
    let head =
        format!("POST /webhook/harbor HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {SECRET}\r\nContent-Length: 9\r\n\r\n1");
    let answer = receiver.send(head.as_bytes());
    assert_eq!((answer.status, answer.body.as_str()), (408, "the body did not arrive in time\n"));
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    receiver.assert_counted("harbor", "timeout", 1);
}

#[test]
fn w17_event_grid_gets_its_code_back_and_its_permission_asked_for() {
    let receiver = all();
    let answer = receiver.send(&post("/webhook/acr", &[AUTHORIZATION], &fixture("acr/validation")));
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}"#));
    assert_eq!(receiver.send(&post("/webhook/acr", &[], &fixture("acr/validation"))).status, 401, "not for everybody");
    let ask = |origin: &str, path: &str| receiver.send(&request("OPTIONS", path, &[("WebHook-Request-Origin", origin)], b""));
    let answer = ask("eventgrid.azure.net", &format!("/webhook/acr?secret={SECRET}"));
    assert!(answer.status == 200 && answer.head.contains("webhook-allowed-origin: eventgrid.azure.net"), "{answer:?}");
    assert_eq!(ask("evil.example", &format!("/webhook/acr?secret={SECRET}")).status, 400);
    assert_eq!(ask("eventgrid.azure.net", "/webhook/acr").status, 401);
    assert!(receiver.due().is_empty());
}

#[test]
fn a_delivery_that_names_a_repository_twice_tells_it_once() {
    let receiver = all();
    let event = r#"{"action":"push","target":{"repository":"acme/web","tag":"1"},"request":{"host":"reg.example"}}"#;
    let body = format!(r#"{{"events":[{event},{event},{event}]}}"#);
    assert_eq!(receiver.send(&post("/webhook/distribution", &[AUTHORIZATION], body.as_bytes())).status, 200);
    assert_eq!(receiver.due(), ["reg.example/acme/web"]);
}
