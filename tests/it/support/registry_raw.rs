//! A server that writes raw bytes: answers that no decent HTTP server would give.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How to answer a request; the connection is closed afterwards.
#[derive(Clone)]
pub enum Script {
    /// Writes these bytes.
    Send(Vec<u8>),
    /// Writes these bytes after a while.
    Later(Duration, Vec<u8>),
    /// Writes these bytes and then nothing, keeping the connection open.
    Hang(Vec<u8>),
    /// Writes the first bytes, then one byte for ever at this interval.
    Drip(Vec<u8>, Duration),
    /// Writes the first bytes, then the second for ever.
    Endless(Vec<u8>, Vec<u8>),
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    written: AtomicUsize,
    waiting: AtomicUsize,
    most_waiting: AtomicUsize,
}

/// A running server; it stops when dropped.
pub struct RawServer {
    addr: SocketAddr,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

impl RawServer {
    /// Starts a server that answers the n-th request (from 0) by `script`.
    pub async fn start(script: impl Fn(usize) -> Script + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1", script).await
    }

    /// Starts a server at another address of this machine.
    pub async fn start_at(ip: &str, script: impl Fn(usize) -> Script + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let counts = Arc::<Counts>::default();
        let shared = Arc::clone(&counts);
        let task = tokio::spawn(async move {
            // Dropping the set with the task ends all connections.
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let script = script(shared.connections.fetch_add(1, Ordering::SeqCst));
                let counts = Arc::clone(&shared);
                open.spawn(async move {
                    // The client hanging up early is what many tests want.
                    let _ = answer(stream, script, &counts).await;
                });
            }
        });
        Self { addr, counts, task }
    }

    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// The number of connections made so far.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// The greatest number of requests that waited for [`Script::Later`] at once.
    pub fn most_waiting(&self) -> usize {
        self.counts.most_waiting.load(Ordering::SeqCst)
    }

    /// The number of bytes written so far.
    pub fn written(&self) -> usize {
        self.counts.written.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(mut stream: TcpStream, script: Script, counts: &Counts) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let mut write = async |bytes: &[u8]| {
        counts.written.fetch_add(bytes.len(), Ordering::SeqCst);
        stream.write_all(bytes).await
    };
    match script {
        Script::Send(bytes) => write(&bytes).await?,
        Script::Later(wait, bytes) => {
            let waiting = counts.waiting.fetch_add(1, Ordering::SeqCst) + 1;
            counts.most_waiting.fetch_max(waiting, Ordering::SeqCst);
            tokio::time::sleep(wait).await;
            counts.waiting.fetch_sub(1, Ordering::SeqCst);
            write(&bytes).await?;
        }
        Script::Hang(bytes) => {
            write(&bytes).await?;
            std::future::pending::<()>().await;
        }
        Script::Drip(bytes, interval) => {
            write(&bytes).await?;
            loop {
                tokio::time::sleep(interval).await;
                write(b" ").await?;
            }
        }
        Script::Endless(bytes, again) => {
            write(&bytes).await?;
            loop {
                write(&again).await?;
            }
        }
    }
    stream.shutdown().await
}

/// A whole answer with this status line (`200 OK`), header lines and body.
pub fn response(status: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = head(status, headers, body.len());
    bytes.extend_from_slice(body);
    bytes
}

/// The head of an answer whose body is said to have `length` bytes.
pub fn head(status: &str, headers: &[&str], length: usize) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}
