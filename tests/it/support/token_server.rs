//! A token server that signs: what distribution's token specification asks for, with rights by repository.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, SigningKey};
use serde_json::{Value, json};

use super::registry::{BASIC, Seen, authorization, give_tokens, json as answer, status};

/// Who signs tokens; a registry that trusts its certificate takes them.
pub struct Issuer {
    key: KeyPair,
    certificate: rcgen::Certificate,
    /// The number of the next token.
    next: AtomicU64,
}

impl Issuer {
    pub fn new() -> Arc<Self> {
        // *ring* makes no RSA keys; OpenSSH does, and the tests have it anyway.
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "", "-f"]).arg(&file).status();
        assert!(made.expect("ssh-keygen is missing: tests/run.sh installs it").success());
        let key = KeyPair::from_pem_and_sign_algo(&std::fs::read_to_string(file).unwrap(), &PKCS_RSA_SHA256).unwrap();
        let certificate = CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        Arc::new(Self { key, certificate, next: AtomicU64::new(1) })
    }

    pub fn name(&self) -> &'static str {
        "tokens of tests"
    }

    /// The name of the registries that it signs for.
    pub fn service(&self) -> &'static str {
        "registry of tests"
    }

    /// Its certificate, in PEM form.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// Signs a token (RS256) that gives `subject` this access and ends in `seconds`; a negative number means that it has ended.
    ///
    /// The registry forgives a minute on either side.
    pub fn token(&self, subject: &str, access: &[Value], seconds: i64) -> String {
        let now = Timestamp::now().as_second();
        let begun = now.min(now + seconds) - 60;
        let header = json!({ "typ": "JWT", "alg": "RS256", "x5c": [STANDARD.encode(self.certificate.der())] });
        let claims = json!({
            "iss": self.name(), "sub": subject, "aud": self.service(), "exp": now + seconds, "nbf": begun, "iat": begun,
            "jti": self.next.fetch_add(1, Ordering::SeqCst).to_string(), "access": access,
        });
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// What is told of a token's life, and how long it truly is, in seconds.
#[derive(Clone, Copy)]
pub struct Life {
    pub told: Option<i64>,
    pub true_one: i64,
}

/// A running token server; it stops when dropped.
pub struct TokenServer {
    server: tagboat::demo::registry::Registry,
    issuer: Arc<Issuer>,
    exchanges: Seen,
}

impl TokenServer {
    /// Starts one that lets [`USER`](super::registry::USER) pull from `repository` alone and others from none;
    /// the n-th token (from 1) has the life that `life` says.
    pub async fn start(repository: &'static str, life: impl Fn(usize) -> Life + Send + Sync + 'static) -> Self {
        let server = tagboat::demo::registry::Registry::start().await.unwrap();
        let issuer = Issuer::new();
        let signer = Arc::clone(&issuer);
        let given = AtomicU64::new(0);
        let exchanges = give_tokens(&server, move |request| {
            let life = life(given.fetch_add(1, Ordering::SeqCst) as usize + 1);
            exchange(&signer, request, repository, life)
        });
        Self { server, issuer, exchanges }
    }

    /// Its host, as `token_hosts` names it.
    pub fn host(&self) -> String {
        self.server.host()
    }

    /// What a registry needs to send people here and to take what they bring.
    pub fn for_registry(&self) -> (Arc<Issuer>, String) {
        (Arc::clone(&self.issuer), format!("http://{}/token", self.host()))
    }

    /// The requests for tokens, with their credentials.
    pub fn exchanges(&self) -> &Seen {
        &self.exchanges
    }
}

fn exchange(issuer: &Issuer, request: &Parts, repository: &str, life: Life) -> Response {
    if request.method != Method::GET {
        return status(404, ""); // a server that does not have the newer form answers so
    }
    let (subject, rights): (&str, &[&str]) = match authorization(request).as_deref() {
        None => ("", &[]),
        Some(BASIC) => (super::registry::USER, &[repository]),
        Some(_) => return status(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong user or password"}]}"#),
    };
    let token = issuer.token(subject, &granted(&request.uri, rights), life.true_one);
    answer(life.told.map_or_else(|| json!({ "token": token }), |told| json!({ "token": token, "expires_in": told })).to_string())
}

/// The part of the requested scopes that somebody with these rights is given: possibly nothing, which is no error.
fn granted(uri: &Uri, rights: &[&str]) -> Vec<Value> {
    let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let scopes = query.filter(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned());
    let grant = |scope: String| {
        let (name, actions) = scope.strip_prefix("repository:")?.rsplit_once(':')?;
        let may = rights.contains(&name) && actions.split(',').any(|action| action == "pull");
        may.then(|| json!({ "type": "repository", "name": name, "actions": ["pull"] }))
    };
    scopes.filter_map(grant).collect()
}
