//! Small proxies: HTTP with CONNECT, and SOCKS5. Each remembers what it was asked and stops when dropped.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running proxy. Whatever host it is asked for, it connects to this machine at the port that was named.
pub struct Proxy {
    addr: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// An HTTP proxy: tunnels, and requests passed on.
    pub async fn http() -> Self {
        Self::start(|stream, asked| async move { http(stream, &asked).await }).await
    }

    /// An HTTP proxy that lets nobody through.
    pub async fn refusing() -> Self {
        Self::start(|mut stream, asked| async move {
            let head = head(&mut stream).await?;
            asked.lock().unwrap().push(head);
            stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await
        })
        .await
    }

    /// A SOCKS5 proxy; with a password, it wants that of `bot`.
    pub async fn socks5(password: Option<&'static str>) -> Self {
        Self::start(move |stream, asked| async move { socks5(stream, password, &asked).await }).await
    }

    async fn start<F>(serve: impl Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> F + Send + 'static) -> Self
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let shared = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { addr, asked, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.addr
    }

    /// What was asked for so far: the heads of HTTP requests, the targets of SOCKS.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head).unwrap())
}

async fn connect(target: &str) -> std::io::Result<TcpStream> {
    let port: u16 = target.rsplit(':').next().unwrap().parse().unwrap();
    TcpStream::connect(("127.0.0.1", port)).await
}

async fn http(mut stream: TcpStream, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let head = head(&mut stream).await?;
    asked.lock().unwrap().push(head.clone());
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    if method == "CONNECT" {
        let mut server = connect(target).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        copy_bidirectional(&mut stream, &mut server).await?;
        return Ok(());
    }
    let url = url::Url::parse(target).unwrap();
    let mut server = connect(&format!(":{}", url.port().unwrap())).await?;
    let mut passed = head.replacen(&url[..url::Position::BeforePath], "", 1);
    passed.insert_str(passed.len() - 2, "connection: close\r\n");
    server.write_all(passed.as_bytes()).await?;
    tokio::io::copy(&mut server, &mut stream).await?;
    stream.shutdown().await
}

/// RFC 1928 and 1929, as far as a client needs them.
async fn socks5(mut stream: TcpStream, password: Option<&str>, asked: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let bytes = async |stream: &mut TcpStream, count: usize| {
        let mut bytes = vec![0; count];
        stream.read_exact(&mut bytes).await.map(|_| bytes)
    };
    let methods = bytes(&mut stream, 2).await?[1];
    let methods = bytes(&mut stream, methods.into()).await?;
    let wanted = if password.is_some() { 2 } else { 0 };
    if !methods.contains(&wanted) {
        return stream.write_all(&[5, 0xff]).await;
    }
    stream.write_all(&[5, wanted]).await?;
    if let Some(password) = password {
        let user = bytes(&mut stream, 2).await?[1];
        let user = bytes(&mut stream, user.into()).await?;
        let given = stream.read_u8().await?;
        let given = bytes(&mut stream, given.into()).await?;
        let right = user == b"bot" && given == password.as_bytes();
        stream.write_all(&[1, u8::from(!right)]).await?;
        if !right {
            return Ok(());
        }
    }
    let host = match bytes(&mut stream, 4).await?[3] {
        1 => std::net::IpAddr::from(<[u8; 4]>::try_from(bytes(&mut stream, 4).await?).unwrap()).to_string(),
        4 => std::net::IpAddr::from(<[u8; 16]>::try_from(bytes(&mut stream, 16).await?).unwrap()).to_string(),
        _ => {
            let length = stream.read_u8().await?;
            String::from_utf8(bytes(&mut stream, length.into()).await?).unwrap()
        }
    };
    let target = format!("{host}:{}", stream.read_u16().await?);
    asked.lock().unwrap().push(target.clone());
    let mut server = connect(&target).await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}
