//! Git over HTTP(S): the real `git http-backend` behind a server of this process, which can be told to misbehave.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A request, as tests look at it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub authorization: Option<String>,
    pub user_agent: Option<String>,
}

impl Seen {
    fn of(request: &Request) -> Self {
        let text = |name| request.headers().get(name).map(|value: &HeaderValue| value.to_str().unwrap().to_owned());
        Self {
            method: request.method().to_string(),
            target: request.uri().path_and_query().unwrap().to_string(),
            authorization: text(header::AUTHORIZATION),
            user_agent: text(header::USER_AGENT),
        }
    }
}

/// What the server does with a request.
pub enum Answer {
    /// Let Git answer.
    Pass,
    /// Answer this.
    Status(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Say nothing for ever.
    Hang,
}

type Intercept = Box<dyn FnMut(&Seen) -> Answer + Send>;

struct State {
    root: PathBuf,
    login: Option<String>,
    intercept: Mutex<Intercept>,
    seen: Mutex<Vec<Seen>>,
}

/// A running server; it stops when this goes.
pub struct GitHttp {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// A certificate authority and a certificate of it for `localhost`.
pub struct Tls {
    pub ca_pem: String,
    acceptor: TlsAcceptor,
}

impl Tls {
    pub fn new() -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        ca.distinguished_name.push(rcgen::DnType::CommonName, "Test CA");
        let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Self { ca_pem, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }
}

impl GitHttp {
    /// Serves the repositories of a directory to everybody.
    pub fn start(root: &Path) -> Self {
        Self::serve(root, None, None)
    }

    /// Serves to those who know the password.
    pub fn with_login(root: &Path, username: &str, password: &str) -> Self {
        Self::serve(root, Some((username, password)), None)
    }

    /// Serves over TLS.
    pub fn with_tls(root: &Path, tls: &Tls) -> Self {
        Self::serve(root, None, Some(tls.acceptor.clone()))
    }

    fn serve(root: &Path, login: Option<(&str, &str)>, tls: Option<TlsAcceptor>) -> Self {
        let login =
            login.map(|(user, word)| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{word}"))));
        let intercept: Intercept = Box::new(|_| Answer::Pass);
        let state = Arc::new(State { root: root.to_owned(), login, intercept: Mutex::new(intercept), seen: Mutex::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let answering = Arc::clone(&state);
        let router = Router::new().fallback(move |request| answer(Arc::clone(&answering), request));
        runtime.spawn(async move {
            match tls {
                Some(acceptor) => axum::serve(TlsListener { listener, acceptor }, router).await.unwrap(),
                None => axum::serve(listener, router).await.unwrap(),
            }
        });
        Self { address, scheme, state, runtime: Some(runtime) }
    }

    /// The URL of `env.git`.
    pub fn url(&self) -> String {
        format!("{}/env.git", self.base())
    }

    /// The URL of the server.
    pub fn base(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// Returns the URL of `env.git` through a line that breaks after so many bytes of answers.
    pub fn cut_url(&self, after: usize) -> String {
        let (listener, server) = (std::net::TcpListener::bind("127.0.0.1:0").unwrap(), self.address);
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut server = std::net::TcpStream::connect(server).unwrap();
            let (mut requests, mut up) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut requests, &mut up));
            let _ = std::io::copy(&mut std::io::Read::take(&mut server, after as u64), &mut client);
            let _ = client.shutdown(std::net::Shutdown::Both);
            let _ = server.shutdown(std::net::Shutdown::Both);
        });
        format!("http://localhost:{port}/env.git")
    }

    /// Decides from now on what becomes of each request.
    pub fn intercept(&self, intercept: impl FnMut(&Seen) -> Answer + Send + 'static) {
        *self.state.intercept.lock().unwrap() = Box::new(intercept);
    }

    /// All requests so far; forgets them.
    pub fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.seen.lock().unwrap())
    }
}

impl Drop for GitHttp {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // A client that trusts nobody of ours goes away here.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn answer(state: Arc<State>, request: Request) -> Response<Body> {
    let seen = Seen::of(&request);
    state.seen.lock().unwrap().push(seen.clone());
    let answer = (state.intercept.lock().unwrap())(&seen);
    match answer {
        Answer::Hang => std::future::pending().await,
        Answer::Status(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Answer::Pass if state.login.is_some() && state.login != seen.authorization => {
            let response = Response::builder().status(StatusCode::UNAUTHORIZED).header(header::WWW_AUTHENTICATE, "Basic realm=\"git\"");
            response.body(Body::from("who are you?")).unwrap()
        }
        Answer::Pass => git(&state, request).await,
    }
}

/// Runs `git http-backend` as CGI (RFC 3875).
async fn git(state: &State, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let header = |name| parts.headers.get(name).map_or("", |value| value.to_str().unwrap());
    let mut child = tokio::process::Command::new("git")
        .arg("http-backend")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .env("GIT_PROJECT_ROOT", &state.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", "bot")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("PATH_INFO", parts.uri.path())
        .env("QUERY_STRING", parts.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("CONTENT_TYPE", header(header::CONTENT_TYPE))
        .env("CONTENT_LENGTH", body.len().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let write = tokio::spawn(async move {
        let _ = stdin.write_all(&body).await;
    });
    let output = child.wait_with_output().await.unwrap().stdout;
    write.await.unwrap();
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value[..3].parse::<u16>().unwrap()),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(Bytes::from(output).slice(end + 4..))).unwrap()
}
