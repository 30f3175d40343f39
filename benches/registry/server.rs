//! A registry that costs next to nothing: prepared answers, one thread, a process of its own.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Repositories below `many/`, each with this many tags.
pub(crate) const REPOSITORIES: usize = 1_000;
pub(crate) const TAGS: usize = 1_000;

/// The name by which this program runs as the server.
pub(crate) const COMMAND: &str = "serve";

/// The server's process; it is killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) host: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap()).arg(COMMAND).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, host: format!("127.0.0.1:{}", port.trim()) }
    }

    /// Returns when listings were asked for since the last call, from the server's own clock, in order.
    pub(crate) fn times(&self) -> Vec<Duration> {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        stream.write_all(b"GET /times HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        body.lines().map(|micros| Duration::from_micros(micros.parse().unwrap())).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The name of a tag as busy repositories have them: versions, with and without a build, branches with commits, dates.
fn tag(repository: usize, number: usize) -> String {
    let (k, commit) = (number / 4, (repository * TAGS + number).wrapping_mul(2_654_435_761) % 0x0fff_ffff);
    match number % 4 {
        0 => format!("1.{}.{}", k / 50, k % 50),
        1 => format!("v1.{}.{}-eks-{commit:07x}", k / 50, k % 50),
        2 => format!("main-{commit:07x}-{}", 1_700_000_000 + 977 * k),
        _ => format!("{}-{:02}-{:02}", 2021 + k / 336, k / 28 % 12 + 1, k % 28 + 1),
    }
}

fn page(name: &str, tags: impl Iterator<Item = String>) -> Vec<u8> {
    let tags: Vec<String> = tags.map(|tag| format!("\"{tag}\"")).collect();
    let body = format!("{{\"name\":\"{name}\",\"tags\":[{}]}}", tags.join(","));
    answer("200 OK", &format!("ETag: \"{name}\"\r\n"), &body)
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

struct Pages {
    many: HashMap<String, Vec<u8>>,
    /// Of every other repository.
    few: Vec<u8>,
    times: Mutex<Vec<Duration>>,
    start: Instant,
}

/// Runs the server until it is killed.
pub(crate) fn serve() {
    let many = (0..REPOSITORIES).map(|repository| {
        let name = format!("many/app-{repository}");
        let page = page(&name, (0..TAGS).map(|number| tag(repository, number)));
        (name, page)
    });
    let few = page("few", ["1.0.0", "1.1.0", "latest"].map(str::to_owned).into_iter());
    let pages = Arc::new(Pages { many: many.collect(), few, times: Mutex::default(), start: Instant::now() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap().port());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(connection(stream, Arc::clone(&pages)));
        }
    });
}

/// Answers requests without bodies, one after the other.
async fn connection(mut stream: tokio::net::TcpStream, pages: Arc<Pages>) {
    let mut read = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let request: Vec<u8> = read.drain(..end).collect();
        let request = String::from_utf8_lossy(&request);
        let path = request.split(' ').nth(1).unwrap_or_default();
        let Some((name, _)) = path.strip_prefix("/v2/").and_then(|path| path.split_once("/tags/list")) else {
            let mut body = String::new();
            if path == "/times" {
                for time in std::mem::take(&mut *pages.times.lock().unwrap()) {
                    let _ = writeln!(body, "{}", time.as_micros());
                }
            }
            let _ = stream.write_all(&answer("200 OK", "", &body)).await;
            if path == "/times" {
                return;
            }
            continue;
        };
        pages.times.lock().unwrap().push(pages.start.elapsed());
        let known = request.lines().any(|line| line.to_ascii_lowercase().starts_with("if-none-match:"));
        let answered = if known {
            // Nothing changes here, so whoever has a page has the right one.
            stream.write_all(b"HTTP/1.1 304 Not Modified\r\n\r\n").await
        } else {
            stream.write_all(pages.many.get(name).unwrap_or(&pages.few)).await
        };
        if answered.is_err() {
            return;
        }
    }
}
