//! The real registry: `docker-registry` of Debian, which is CNCF distribution 2.8, in the set-ups that people run.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode, header};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::authority::{Authority, Identity};
use super::token_server::Issuer;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// How a registry is set up; by default it is open to all and speaks plain HTTP.
#[derive(Default)]
pub struct Setup {
    /// The user and password that it wants.
    pub login: Option<(String, String)>,
    /// Whose tokens it takes, and where it sends people for them.
    pub tokens: Option<(Arc<Issuer>, String)>,
    /// Who signed its certificate, for TLS.
    pub tls: Option<Arc<Authority>>,
    /// Whether it wants a certificate of its clients, signed by the same authority.
    pub client_certificates: bool,
    /// Who is told of each push.
    pub notify: Option<Endpoint>,
}

/// A receiver of a registry's notifications.
pub struct Endpoint {
    /// Where events are posted to.
    pub url: String,
    /// The `Authorization` that they carry.
    pub authorization: String,
}

/// A running `docker-registry` with an empty store of its own; it stops when dropped.
pub struct DockerRegistry {
    host: String,
    setup: Setup,
    process: Child,
    directory: tempfile::TempDir,
    http: Client,
}

impl DockerRegistry {
    /// Starts one that is open to all.
    pub async fn start() -> Self {
        Self::set_up(Setup::default()).await
    }

    /// Starts one that wants this user and password.
    pub async fn start_with_login(user: &str, password: &str) -> Self {
        Self::set_up(Setup { login: Some((user.to_owned(), password.to_owned())), ..Setup::default() }).await
    }

    /// Starts one with this set-up.
    pub async fn set_up(setup: Setup) -> Self {
        tagboat::registry::install_crypto_provider();
        let directory = tempfile::tempdir().unwrap();
        let http = client(&setup);
        // The port could be taken before the registry takes it; then it exits and another is tried.
        for _ in 0..5 {
            let host = free_address();
            let mut process = spawn(directory.path(), &host, &setup);
            if listens(&host, &mut process).await {
                return Self { host, setup, process, directory, http };
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("docker-registry does not start: {}", std::fs::read_to_string(directory.path().join("log")).unwrap_or_default());
    }

    /// Its host as it stands in image references.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Pushes an image (config, layer, manifest) and returns its digest.
    pub async fn push(&self, repository: &str, tag: &str) -> String {
        let manifest = self.push_parts(repository, tag, "amd64").await;
        self.push_manifest(repository, tag, MANIFEST, &manifest).await
    }

    /// Pushes an image for several architectures: a manifest for each, and the index that has the tag; returns the index's digest.
    pub async fn push_index(&self, repository: &str, tag: &str, architectures: &[&str]) -> String {
        let mut manifests = Vec::new();
        for architecture in architectures {
            let manifest = self.push_parts(repository, tag, architecture).await;
            self.push_manifest(repository, &digest(manifest.as_bytes()), MANIFEST, &manifest).await;
            let platform = json!({ "architecture": architecture, "os": "linux" });
            manifests.push(json!({
                "mediaType": MANIFEST, "size": manifest.len(), "digest": digest(manifest.as_bytes()), "platform": platform
            }));
        }
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }).to_string();
        self.push_manifest(repository, tag, INDEX, &index).await
    }

    /// Pushes the blobs of an image and returns its manifest.
    async fn push_parts(&self, repository: &str, tag: &str, architecture: &str) -> String {
        let config = json!({
            "architecture": architecture, "os": "linux", "config": { "Labels": { "tag": tag } }, "rootfs": { "type": "layers", "diff_ids": [] }
        })
        .to_string();
        let layer = format!("layer of {repository}:{tag} for {architecture}");
        self.push_blob(repository, config.as_bytes()).await;
        self.push_blob(repository, layer.as_bytes()).await;
        let part = |media_type: &str, content: &str| json!({ "mediaType": media_type, "size": content.len(), "digest": digest(content.as_bytes()) });
        json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": part(CONFIG, &config), "layers": [part(LAYER, &layer)] }).to_string()
    }

    /// Puts a manifest or index under a tag or its digest; returns its digest.
    pub async fn push_manifest(&self, repository: &str, reference: &str, media_type: &'static str, manifest: &str) -> String {
        let url = self.url(&format!("{repository}/manifests/{reference}"));
        let request = self.http.put(url).header(header::CONTENT_TYPE, media_type).body(manifest.to_owned());
        let answer = self.allowed(repository, request).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap());
        digest(manifest.as_bytes())
    }

    async fn push_blob(&self, repository: &str, content: &[u8]) {
        let url = self.url(&format!("{repository}/blobs/uploads/"));
        let begun = self.allowed(repository, self.http.post(url)).send().await.unwrap();
        assert_eq!(begun.status(), StatusCode::ACCEPTED, "{}", self.log());
        let mut url: url::Url = begun.headers()[header::LOCATION].to_str().unwrap().parse().unwrap();
        url.query_pairs_mut().append_pair("digest", &digest(content));
        let done = self.allowed(repository, self.http.put(url)).body(content.to_vec()).send().await.unwrap();
        assert_eq!(done.status(), StatusCode::CREATED);
    }

    /// The URL of something below `/v2/`.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.setup.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/v2/{path}", self.host)
    }

    /// Lets a request do everything with a repository.
    fn allowed(&self, repository: &str, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.setup {
            Setup { login: Some((user, password)), .. } => request.basic_auth(user, Some(password)),
            Setup { tokens: Some((issuer, _)), .. } => {
                let access = [json!({ "type": "repository", "name": repository, "actions": ["pull", "push"] })];
                request.bearer_auth(issuer.token("pusher", &access, 60))
            }
            _ => request,
        }
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn free_address() -> String {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().to_string()
}

/// What pushes.
fn client(setup: &Setup) -> Client {
    let mut client = Client::builder().timeout(Duration::from_secs(30)).no_proxy();
    if let Some(authority) = &setup.tls {
        let Identity { certificate, key } = authority.sign_client("pusher");
        client = client
            .tls_certs_merge([reqwest::Certificate::from_pem(authority.pem().as_bytes()).unwrap()])
            .identity(reqwest::Identity::from_pem(format!("{certificate}{key}").as_bytes()).unwrap());
    }
    client.build().unwrap()
}

fn spawn(directory: &Path, host: &str, setup: &Setup) -> Child {
    let path = |name: &str| directory.join(name).display().to_string();
    std::fs::write(path("config.yml"), configuration(directory, host, setup).to_string()).unwrap();
    let log = std::fs::File::create(path("log")).unwrap();
    Command::new("docker-registry")
        .args(["serve", &path("config.yml")])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("docker-registry is missing: tests/run.sh installs it")
}

/// Writes the files that the configuration names and returns it: JSON, which is YAML, too.
fn configuration(directory: &Path, host: &str, setup: &Setup) -> serde_json::Value {
    let file = |name: &str, content: &[u8]| {
        let path = directory.join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let mut config = json!({
        "version": "0.1",
        "log": { "level": "warn", "accesslog": { "disabled": true } },
        "storage": { "filesystem": { "rootdirectory": directory.join("data") }, "delete": { "enabled": true } },
        "http": { "addr": host, "secret": "test" },
    });
    if let Some((user, password)) = &setup.login {
        let made = Command::new("htpasswd").args(["-Bbn", user, password]).output();
        let made = file("htpasswd", &made.expect("htpasswd is missing: tests/run.sh installs it").stdout);
        config["auth"] = json!({ "htpasswd": { "realm": "test", "path": made } });
    }
    if let Some((issuer, realm)) = &setup.tokens {
        let bundle = file("issuer.pem", issuer.pem().as_bytes());
        config["auth"] =
            json!({ "token": { "realm": realm, "service": issuer.service(), "issuer": issuer.name(), "rootcertbundle": bundle } });
    }
    if let Some(authority) = &setup.tls {
        let Identity { certificate, key } = authority.sign_server("127.0.0.1");
        let tls = json!({ "certificate": file("cert.pem", certificate.as_bytes()), "key": file("key.pem", key.as_bytes()) });
        config["http"]["tls"] = tls;
        if setup.client_certificates {
            config["http"]["tls"]["clientcas"] = json!([file("clients.pem", authority.pem().as_bytes())]);
        }
    }
    if let Some(Endpoint { url, authorization }) = &setup.notify {
        let headers = json!({ "Authorization": [authorization] });
        config["notifications"]["endpoints"] =
            json!([{ "name": "tagboat", "url": url, "headers": headers, "timeout": "500ms", "threshold": 3, "backoff": "100ms" }]);
    }
    config
}

/// Waits until the registry takes connections; says no if it ended instead.
async fn listens(host: &str, process: &mut Child) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(30) {
        if tokio::net::TcpStream::connect(host).await.is_ok() {
            return process.try_wait().unwrap().is_none();
        }
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}
