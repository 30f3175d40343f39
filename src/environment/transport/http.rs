//! Git's smart HTTP over the one HTTP stack (gitprotocol-http).
//!
//! Owns the requests of a session: `GET info/refs`, then `POST git-upload-pack` or `git-receive-pack`. The credential goes
//! only to the remote's own host. A redirect of the first request is followed on the same host, never down to plain
//! HTTP; any other redirect is an error that names the new place.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use git2::transport::Service;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, StatusCode, redirect};
use url::Url;

use super::{Pipe, Session, lock};
use crate::environment::error::{Fault, Foreign};
use crate::environment::{Auth, Config};
use crate::redact::{SafeUrl, Secret};
use crate::retry::parse_retry_after;

/// How a session reaches its HTTP remote.
pub(super) struct Http {
    client: Client,
    /// The repository's URL, as the server's redirects left it.
    base: Mutex<Url>,
    login: Option<(String, Secret)>,
}

/// A server that redirects more often goes in circles.
const MOST_REDIRECTS: usize = 5;
/// The longest delay that a server can ask for.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);
/// A larger file of certificates is a mistake.
const LARGEST_CA_FILE: u64 = 4 << 20;
/// Some hosts answer only to user agents that begin like this.
const USER_AGENT: &str = concat!("git/tagboat-", env!("CARGO_PKG_VERSION"));

impl Http {
    /// Makes ready to connect; also returns the secrets that no message may show.
    pub(super) fn new(url: &Url, config: &Config) -> Result<(Self, Vec<Secret>), Fault> {
        let login = match &config.auth {
            None => None,
            Some(Auth::Basic { username, password }) => Some((username.clone(), password.read().map_err(Fault::Secret)?)),
            Some(Auth::Ssh { .. }) => return Err(Fault::WrongKindOfAuth("an SSH key for an HTTP remote")),
        };
        let secrets = login.iter().flat_map(|(username, password)| {
            let header = STANDARD.encode(format!("{username}:{}", password.expose()));
            [password.clone(), Secret::new(header)]
        });
        // Fails if one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client =
            Client::builder().user_agent(USER_AGENT).redirect(redirect::Policy::none()).http1_only().connect_timeout(config.timeout);
        if let Some(path) = &config.ca_file {
            client = client.tls_certs_merge(read_certificates(path)?);
        }
        let client = client.build().map_err(explain)?;
        let secrets = secrets.collect();
        Ok((Self { client, base: Mutex::new(url.clone()), login }, secrets))
    }

    /// Asks for the references, following redirects.
    async fn references(&self, service: &str) -> Result<Response, Fault> {
        for _ in 0..MOST_REDIRECTS {
            let base = lock(&self.base).clone();
            let mut url = base.clone();
            url.set_path(&format!("{}/info/refs", base.path().trim_end_matches('/')));
            url.set_query(Some(&format!("service={service}")));
            let response = self.request(self.client.get(url.clone())).await?;
            if let Some(target) = redirect_of(&response, &url) {
                *lock(&self.base) = follow(&base, &target, service)?;
                continue;
            }
            self.accept(&response, &format!("application/x-{service}-advertisement"))?;
            return Ok(response);
        }
        let base = lock(&self.base).clone();
        Err(elsewhere(&base))
    }

    /// Sends a request of the conversation and returns the beginning of the answer.
    async fn exchange(&self, service: &str, body: Vec<u8>) -> Result<Response, Fault> {
        let mut url = lock(&self.base).clone();
        url.set_path(&format!("{}/{service}", url.path().trim_end_matches('/')));
        let request = self
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, format!("application/x-{service}-request"))
            .header(ACCEPT, format!("application/x-{service}-result"))
            .body(body);
        let response = self.request(request).await?;
        if let Some(to) = redirect_of(&response, &url) {
            return Err(elsewhere(&to));
        }
        self.accept(&response, &format!("application/x-{service}-result"))?;
        Ok(response)
    }

    async fn request(&self, mut request: reqwest::RequestBuilder) -> Result<Response, Fault> {
        if let Some((username, password)) = &self.login {
            request = request.basic_auth(username, Some(password.expose()));
        }
        request.send().await.map_err(explain)
    }

    /// Judges an answer by its status and content type.
    fn accept(&self, response: &Response, wanted: &str) -> Result<(), Fault> {
        let status = response.status();
        match status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(match &self.login {
                    Some((username, _)) => Fault::LoginRefused { username: username.clone() },
                    None => Fault::LoginNeeded,
                });
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Fault::NotFound),
            _ => {
                let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let retry_after = after.and_then(|value| parse_retry_after(value, Timestamp::now(), LONGEST_DELAY));
                return Err(Fault::Status { status: status.as_u16(), retry_after });
            }
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type");
        if kind == wanted { Ok(()) } else { Err(Fault::NotGit(Foreign::new(&format!("it sent {kind}")))) }
    }
}

/// Returns where an answer redirects to.
fn redirect_of(response: &Response, from: &Url) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Some(from.join(target).unwrap_or_else(|_| from.clone()))
}

fn elsewhere(to: &Url) -> Fault {
    Fault::Redirected { to: SafeUrl::new(to.clone()).to_string() }
}

/// Returns the repository's new URL after a redirect of its references, if it may be followed.
fn follow(base: &Url, target: &Url, service: &str) -> Result<Url, Fault> {
    let refuse = || elsewhere(target);
    let upward = base.scheme() == "http" && target.scheme() == "https" && base.port().is_none() && target.port().is_none();
    let same_place = base.host() == target.host() && (upward || base.origin() == target.origin());
    let query = format!("service={service}");
    let path = target.path().strip_suffix("/info/refs");
    let (true, Some(path), true) = (same_place, path, target.query() == Some(query.as_str())) else { return Err(refuse()) };
    let mut to = target.clone();
    // A location can carry a login of its own; ours is the only one.
    if to.set_username("").is_err() || to.set_password(None).is_err() {
        return Err(refuse());
    }
    to.set_path(path);
    to.set_query(None);
    to.set_fragment(None);
    Ok(to)
}

/// One request and its answer, as libgit2 sees them: it writes all of the request, then reads.
pub(super) struct Exchange {
    service: Service,
    /// Kept whole, because many servers and proxies refuse a request of unknown length.
    body: Vec<u8>,
    response: Option<Response>,
    chunk: Vec<u8>,
    at: usize,
}

impl Exchange {
    pub(super) fn new(service: Service) -> Self {
        Self { service, body: Vec::new(), response: None, chunk: Vec::new(), at: 0 }
    }
}

impl Pipe for Exchange {
    fn read(&mut self, session: &Session, buffer: &mut [u8]) -> Result<usize, Fault> {
        let super::Wire::Http(http) = &session.wire else { return Ok(0) };
        if self.response.is_none() {
            let body = std::mem::take(&mut self.body);
            self.response = Some(match self.service {
                Service::UploadPackLs => session.wait(http.references("git-upload-pack"))?,
                Service::ReceivePackLs => session.wait(http.references("git-receive-pack"))?,
                Service::UploadPack => session.wait(http.exchange("git-upload-pack", body))?,
                Service::ReceivePack => session.wait(http.exchange("git-receive-pack", body))?,
            });
        }
        let Some(response) = &mut self.response else { return Ok(0) };
        while self.at == self.chunk.len() {
            match session.wait(async { response.chunk().await.map_err(explain) })? {
                Some(chunk) => (self.chunk, self.at) = (chunk.into(), 0),
                None => return Ok(0),
            }
        }
        let n = buffer.len().min(self.chunk.len() - self.at);
        buffer[..n].copy_from_slice(&self.chunk[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }

    fn write(&mut self, _: &Session, bytes: &[u8]) -> Result<(), Fault> {
        self.body.extend_from_slice(bytes);
        Ok(())
    }
}

fn read_certificates(path: &Path) -> Result<Vec<Certificate>, Fault> {
    let fail = |cause| Fault::CaFile { path: path.to_owned(), cause };
    let invalid = |text: String| fail(io::Error::new(io::ErrorKind::InvalidData, text));
    if fs::metadata(path).map_err(fail)?.len() > LARGEST_CA_FILE {
        return Err(invalid("it is larger than 4 MiB".to_owned()));
    }
    let certificates = Certificate::from_pem_bundle(&fs::read(path).map_err(fail)?).map_err(|e| invalid(e.to_string()))?;
    if certificates.is_empty() { Err(invalid("it holds no certificate".to_owned())) } else { Ok(certificates) }
}

/// Tells what an error of the HTTP client means, by its types.
fn explain(error: reqwest::Error) -> Fault {
    let error = error.without_url();
    let words = Foreign::new(&crate::error::chain(&error).to_string());
    if is_tls(&error) {
        Fault::Tls(words)
    } else if error.is_connect() || error.is_builder() {
        Fault::Unreachable(words)
    } else {
        Fault::Broken(words)
    }
}

fn is_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(|inner| is_tls(inner)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(base: &str, target: &str) -> Option<String> {
        follow(&Url::parse(base).unwrap(), &Url::parse(target).unwrap(), "git-upload-pack").ok().map(|url| url.to_string())
    }

    #[test]
    fn a_redirect_is_followed_on_the_same_host_only() {
        const TAIL: &str = "/info/refs?service=git-upload-pack";
        let same = |target: &str| followed("https://h/a", &format!("{target}{TAIL}"));
        assert_eq!(same("https://h/b.git").as_deref(), Some("https://h/b.git"));
        assert_eq!(same("https://u:p@h/b.git").as_deref(), Some("https://h/b.git"));
        assert_eq!(followed("http://h/a", &format!("https://h/a{TAIL}")).as_deref(), Some("https://h/a"));
        for elsewhere in ["https://other/a", "http://h/a", "https://h:8443/a", "https://h.evil/a"] {
            assert_eq!(same(elsewhere), None, "{elsewhere}");
        }
        for odd in ["https://h/b/info/refs", "https://h/b/info/refs?service=git-receive-pack", "https://h/login?service=git-upload-pack"] {
            assert_eq!(followed("https://h/a", odd), None, "{odd}");
        }
    }
}
