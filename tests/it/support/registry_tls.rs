//! A registry behind TLS, with a certificate of an authority that nobody knows.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tagboat::registry::ClientCert;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Whether a server asks for client certificates; those it takes are signed by its own authority.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clients {
    NotAsked,
    Asked,
    Demanded,
}

/// A running server that lists the tags `1.0` and `2.0` of any repository; it stops when dropped.
pub struct TlsServer {
    host: String,
    directory: tempfile::TempDir,
    authority: Authority,
    shown: Arc<Mutex<Vec<bool>>>,
    task: JoinHandle<()>,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

impl TlsServer {
    /// Starts a server whose certificate is for `name`, `127.0.0.1` to be found there.
    pub async fn start(name: &str) -> Self {
        Self::start_with(name, Clients::NotAsked, super::registry_raw::response("200 OK", &[], r#"{"tags":["1.0","2.0"]}"#)).await
    }

    /// Starts a server that always gives this answer.
    pub async fn start_with(name: &str, clients: Clients, answer: Vec<u8>) -> Self {
        tagboat::registry::install_crypto_provider();
        let authority = authority();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(name, &authority, clients)));
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let shown = Arc::<Mutex<Vec<bool>>>::default();
        let noted = Arc::clone(&shown);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                noted.lock().unwrap().push(stream.get_ref().1.peer_certificates().is_some());
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { break };
                    head.push(byte);
                }
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { host, directory, authority, shown, task }
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// The authority's certificate, as a PEM file.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Whether each connection so far showed a client certificate.
    pub fn shown(&self) -> Vec<bool> {
        self.shown.lock().unwrap().clone()
    }

    /// Writes a client certificate that this server takes.
    pub fn issue(&self, pair: &ClientCert) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["tagboat".to_owned()]).unwrap().signed_by(&key, &self.authority).unwrap();
        std::fs::write(&pair.cert, certificate.pem()).unwrap();
        std::fs::write(&pair.key, key.serialize_pem()).unwrap();
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn authority() -> Authority {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap()
}

fn server_config(name: &str, authority: &Authority, clients: Clients) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
    let builder = match clients {
        Clients::NotAsked => ServerConfig::builder().with_no_client_auth(),
        Clients::Asked => ServerConfig::builder().with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap()),
        Clients::Demanded => ServerConfig::builder().with_client_cert_verifier(verifier.build().unwrap()),
    };
    builder.with_single_cert(vec![leaf.der().clone()], key).unwrap()
}
