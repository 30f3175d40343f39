//! The real registry: `docker-registry` of Debian, which is CNCF distribution 2.8.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode, header};
use sha2::{Digest, Sha256};

const MEDIA_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A running `docker-registry` with an empty store of its own; it stops when dropped.
pub struct DockerRegistry {
    host: String,
    login: Option<(String, String)>,
    process: Child,
    directory: tempfile::TempDir,
    http: Client,
}

impl DockerRegistry {
    /// Starts one that is open to all.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts one that wants this user and password.
    pub async fn start_with_login(user: &str, password: &str) -> Self {
        Self::start_with(Some((user.to_owned(), password.to_owned()))).await
    }

    async fn start_with(login: Option<(String, String)>) -> Self {
        tagboat::registry::install_crypto_provider();
        let directory = tempfile::tempdir().unwrap();
        // The port could be taken before the registry takes it; then it exits and another is tried.
        for _ in 0..5 {
            let host = free_address();
            let mut process = spawn(directory.path(), &host, login.as_ref());
            if listens(&host, &mut process).await {
                return Self { host, login, process, directory, http: Client::builder().timeout(Duration::from_secs(30)).build().unwrap() };
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
        let config =
            format!(r#"{{"architecture":"amd64","os":"linux","config":{{"Labels":{{"tag":"{tag}"}}}},"rootfs":{{"type":"layers"}}}}"#);
        let layer = format!("layer of {repository}:{tag}");
        self.push_blob(repository, config.as_bytes()).await;
        self.push_blob(repository, layer.as_bytes()).await;
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": MEDIA_TYPE,
            "config": { "mediaType": "application/vnd.docker.container.image.v1+json", "size": config.len(), "digest": digest(config.as_bytes()) },
            "layers": [{ "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": layer.len(), "digest": digest(layer.as_bytes()) }],
        })
        .to_string();
        let digest = digest(manifest.as_bytes());
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", self.host);
        let answer = self.login(self.http.put(url)).header(header::CONTENT_TYPE, MEDIA_TYPE).body(manifest).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::CREATED, "{}", answer.text().await.unwrap());
        digest
    }

    async fn push_blob(&self, repository: &str, content: &[u8]) {
        let url = format!("http://{}/v2/{repository}/blobs/uploads/", self.host);
        let begun = self.login(self.http.post(url)).send().await.unwrap();
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        let mut url: url::Url = begun.headers()[header::LOCATION].to_str().unwrap().parse().unwrap();
        url.query_pairs_mut().append_pair("digest", &digest(content));
        let done = self.login(self.http.put(url)).body(content.to_vec()).send().await.unwrap();
        assert_eq!(done.status(), StatusCode::CREATED);
    }

    fn login(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
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

fn spawn(directory: &std::path::Path, host: &str, login: Option<&(String, String)>) -> Child {
    let path = |name: &str| directory.join(name).display().to_string();
    let mut config = format!(
        "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n\
         storage: {{filesystem: {{rootdirectory: {}}}, delete: {{enabled: true}}}}\nhttp: {{addr: '{host}', secret: test}}\n",
        path("data"),
    );
    if let Some((user, password)) = login {
        let made = Command::new("htpasswd").args(["-Bbn", user, password]).output();
        std::fs::write(path("htpasswd"), made.expect("htpasswd is missing: tests/run.sh installs it").stdout).unwrap();
        config += &format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", path("htpasswd"));
    }
    std::fs::write(path("config.yml"), config).unwrap();
    let log = std::fs::File::create(path("log")).unwrap();
    Command::new("docker-registry")
        .args(["serve", &path("config.yml")])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("docker-registry is missing: tests/run.sh installs it")
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
