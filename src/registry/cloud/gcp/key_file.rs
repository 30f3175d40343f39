//! Google's credential files, and how each kind becomes a token.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::redact::{Secret, one_line};

use super::super::call::{Call, Caller};
use super::super::error::Problem;
use super::super::surroundings::web_address;
use super::SCOPE;
use super::external::External;
use super::token::Token;

/// Seconds that an assertion is good for; the most that Google takes.
const ASSERTION_LIFE: i64 = 3600;
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";

/// A credential file.
pub(super) struct KeyFile {
    path: PathBuf,
    kind: Kind,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Kind {
    ServiceAccount(ServiceAccount),
    AuthorizedUser(AuthorizedUser),
    ExternalAccount(Box<External>),
}

#[derive(Deserialize)]
struct ServiceAccount {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

#[derive(Deserialize)]
struct AuthorizedUser {
    client_id: String,
    client_secret: String,
    refresh_token: String,
}

impl KeyFile {
    pub(super) fn read(path: &Path, text: &Secret) -> Result<Self, Problem> {
        // serde's message would quote the value at fault, which may be a secret.
        let kind = serde_json::from_str(text.expose()).map_err(|_| {
            let reason = "it is no key of a service account, no configuration of a workload identity federation and no login of gcloud";
            Problem::setting(path.display().to_string(), reason)
        })?;
        Ok(Self { path: path.to_owned(), kind })
    }

    /// Gets a token, and says whose.
    pub(super) async fn token(&self, caller: &Caller<'_>) -> Result<(Token, String), Problem> {
        match &self.kind {
            Kind::ServiceAccount(account) => {
                let token = account.token(&self.path, caller).await?;
                Ok((token, format!("the GCP service account {}", one_line(&account.client_email, 100))))
            }
            Kind::AuthorizedUser(user) => Ok((user.token(caller).await?, format!("the GCP login in {}", self.path.display()))),
            Kind::ExternalAccount(external) => {
                Ok((external.token(&self.path, caller).await?, "GCP workload identity federation".to_owned()))
            }
        }
    }
}

impl ServiceAccount {
    /// Trades an assertion, signed with the account's key, for a token
    /// (<https://developers.google.com/identity/protocols/oauth2/service-account#httprest>).
    async fn token(&self, path: &Path, caller: &Caller<'_>) -> Result<Token, Problem> {
        let uri = self.token_uri.as_deref().unwrap_or(TOKEN_URI);
        let url = google(uri, path, "token_uri")?;
        let assertion = self.assertion(uri, Timestamp::now().as_second());
        let assertion =
            assertion.ok_or_else(|| Problem::setting(path.display().to_string(), "its `private_key` is no RSA key in PEM form"))?;
        let fields = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.expose())];
        let step = format!("asking {} for a token for {}", url.host_str().unwrap_or_default(), one_line(&self.client_email, 100));
        let reply = caller.send(Call::form(url, fields), &step).await?;
        Token::read(&reply).map_err(|cause| Problem::Call { step, cause })
    }

    /// Makes a signed JWT (RFC 7523); none if the key cannot be used.
    fn assertion(&self, audience: &str, now: i64) -> Option<Secret> {
        let mut header = json!({ "alg": "RS256", "typ": "JWT" });
        if let Some(id) = &self.private_key_id {
            header["kid"] = json!(id);
        }
        let claims = json!({ "iss": self.client_email, "scope": SCOPE, "aud": audience, "iat": now, "exp": now + ASSERTION_LIFE });
        let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let key = rsa_key(&self.private_key)?;
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).ok()?;
        Some(Secret::new(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))))
    }
}

/// Reads a private key in PEM form, PKCS #8 as Google gives it or PKCS #1.
fn rsa_key(pem: &str) -> Option<RsaKeyPair> {
    let (_, rest) = pem.split_once("-----BEGIN ")?;
    let (label, rest) = rest.split_once("-----")?;
    let (text, _) = rest.split_once("-----END ")?;
    let der = STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok()?;
    match label {
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der).ok(),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).ok(),
        _ => None,
    }
}

impl AuthorizedUser {
    async fn token(&self, caller: &Caller<'_>) -> Result<Token, Problem> {
        let url = web_address(TOKEN_URI, TOKEN_URI)?;
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.as_str()),
            ("refresh_token", self.refresh_token.as_str()),
        ];
        let step = "asking oauth2.googleapis.com for a token for gcloud's login";
        let reply = caller.send(Call::form(url, fields), step).await?;
        Token::read(&reply).map_err(|cause| Problem::Call { step: step.to_owned(), cause })
    }
}

/// Reads an address in a credential file that is sent secrets: only Google's own are.
pub(super) fn google(text: &str, path: &Path, key: &str) -> Result<Url, Problem> {
    let place = format!("`{key}` in {}", path.display());
    let url = web_address(text, &place)?;
    let host = url.host_str().unwrap_or_default();
    if url.scheme() == "https" && url.port().is_none() && (host == "googleapis.com" || host.ends_with(".googleapis.com")) {
        Ok(url)
    } else {
        Err(Problem::setting(place, format!("{} is none of Google's hosts over TLS (*.googleapis.com)", one_line(host, 100))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_googles_hosts_are_sent_secrets() {
        let allowed = |text: &str| google(text, Path::new("key.json"), "token_uri").is_ok();
        for text in
            ["https://oauth2.googleapis.com/token", "https://sts.googleapis.com/v1/token", "https://sts.eu.rep.googleapis.com/v1/token"]
        {
            assert!(allowed(text), "{text}");
        }
        for text in [
            "http://oauth2.googleapis.com/token",
            "https://oauth2.googleapis.com:8443/token",
            "https://oauth2.googleapis.com.evil.example/token",
            "https://evilgoogleapis.com/token",
            "https://x@oauth2.googleapis.com/token",
            "https://169.254.169.254/",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!allowed(text), "{text}");
        }
    }

    #[test]
    fn a_file_of_another_kind_is_refused_without_quoting_it() {
        for text in [
            r#"{"type":"impersonated_service_account","source":"s3cret"}"#,
            r#"{"type":"service_account","private_key":5,"client_email":"s3cret"}"#,
            r#"{"type":"s3cret"}"#,
            "s3cret",
        ] {
            let problem = KeyFile::read(Path::new("key.json"), &Secret::new(text)).err().unwrap();
            assert!(problem.to_string().starts_with("key.json: it is no key of a service account"), "{problem}");
            assert!(!problem.to_string().contains("s3cret"), "{problem}");
        }
    }

    #[test]
    fn rubbish_is_no_key() {
        for pem in [
            "",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END",
        ] {
            assert!(rsa_key(pem).is_none(), "{pem}");
        }
    }
}
