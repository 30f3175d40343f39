//! Logins by a cloud's identity: the requests that each cloud's documentation gives, against a stand-in for all its hosts.

mod aws;
mod azure;
mod gcp;
mod signature;

use std::fs;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tagboat::error::{Classified, chain};
use tagboat::registry::cloud::Surroundings;
use tagboat::registry::{Auth, Cloud, Error};
use tempfile::TempDir;
use url::Url;

use crate::support::registry::{client_of, repository_at, unauthorized};

/// A part of every secret in these tests; nothing that people see may hold it.
const SECRET: &str = "s3cret";

/// A request that a cloud was sent.
#[derive(Clone, Debug)]
struct Asked {
    /// `POST sts.eu-west-1.amazonaws.com/`.
    line: String,
    method: String,
    path: String,
    headers: HeaderMap,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The fields of a form, as they came.
    fn form(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("content-type"), Some("application/x-www-form-urlencoded"));
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// A server that stands for every host of a cloud, and for the registry.
struct StandIn {
    /// The registry's host.
    host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    files: TempDir,
}

impl StandIn {
    /// Starts it; `answer` speaks for the cloud, and none of it is an answer that never comes.
    async fn start(answer: impl Fn(&Asked) -> Option<Response> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        let router = Router::new().fallback(move |request: Request| {
            let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let host = parts.headers[header::HOST].to_str().unwrap().to_owned();
                let path = parts.uri.path_and_query().unwrap().to_string();
                if path.starts_with("/v2/app/tags/list") {
                    return registry(&parts.headers);
                }
                let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
                let line = format!("{} {host}{path}", parts.method);
                let asked = Asked { line, method: parts.method.to_string(), path, headers: parts.headers, body };
                seen.lock().unwrap().push(asked.clone());
                match answer(&asked) {
                    Some(response) => response,
                    None => std::future::pending().await,
                }
            }
        });
        // It ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, asked, files: tempfile::tempdir().unwrap() }
    }

    /// Surroundings with nothing but these variables, whose calls all come here.
    fn surroundings(&self, variables: &[(&str, &str)]) -> Surroundings {
        let home = self.files.path().to_str().unwrap();
        let variables = variables.iter().copied().chain([("HOME", home)]);
        variables.collect::<Surroundings>().with_stand_in(Url::parse(&format!("http://{}/", self.host)).unwrap())
    }

    /// Writes a file, and returns its path.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.files.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Lists a repository's tags with a login from the cloud.
    async fn login(&self, cloud: Cloud) -> Result<(), Error> {
        let client = client_of(&self.host, |host| host.auth = Some(Auth::Cloud(cloud)));
        client.tags(&repository_at(&self.host, "app")).await.map(drop)
    }

    /// The one line of the error of a login that must fail.
    async fn refusal(&self, cloud: Cloud) -> (String, Error) {
        let error = self.login(cloud).await.unwrap_err();
        let line = chain(&error).to_string();
        for text in [&line, &format!("{error:?}"), &error.hint().unwrap_or_default()] {
            assert!(!text.contains(SECRET) && !text.contains('\n'), "{text}");
        }
        assert!(error.is_of_the_host(), "{line}");
        let start = format!("listing tags of {}/app: getting a login from ", self.host);
        (line.strip_prefix(&start).unwrap_or_else(|| panic!("{line}")).replace(&self.host, "HOST"), error)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).display().to_string()
    }
}

/// Wants a password, and takes each that stands for a cloud's in these tests.
fn registry(headers: &HeaderMap) -> Response {
    let sent = headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap());
    let Some(basic) = sent.and_then(|text| text.strip_prefix("Basic ")) else {
        return unauthorized("Basic realm=\"cloud\"");
    };
    let login = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
    let known = [
        format!("AWS:{SECRET}-ecr-password"),
        format!("oauth2accesstoken:{SECRET}-google-token"),
        format!("00000000-0000-0000-0000-000000000000:{}", azure::refresh_token()),
    ];
    if known.contains(&login) { r#"{"tags":["1.0"]}"#.into_response() } else { unauthorized("Basic realm=\"cloud\"") }
}

fn json(text: impl Into<String>) -> Option<Response> {
    Some(([(header::CONTENT_TYPE, "application/json")], text.into()).into_response())
}

fn status(code: u16, text: impl Into<String>) -> Option<Response> {
    Some((StatusCode::from_u16(code).unwrap(), text.into()).into_response())
}

/// 10 MB of an answer that would be right if it were shorter.
fn endless() -> Option<Response> {
    json(format!("{{\"access_token\":\"{SECRET}\"{}}}", " ".repeat(10_000_000)))
}

fn seconds_from_now(seconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds)
}
