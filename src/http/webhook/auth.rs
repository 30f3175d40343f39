//! Whether a delivery comes from who it says: secrets sent along, and signatures over the bytes as they came.

use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use ring::hmac;

use super::google::JwtError;
use super::keys::{Keys, KeysError};
use super::{Auth, Kind, Proof};
use crate::redact::{SecretError, SecretSource};

/// The bytes of a SHA-1 and a SHA-256.
const SHA1: usize = 20;
const SHA256: usize = 32;

/// Why a delivery is not admitted. The sender is told none of this.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("it carries no secret")]
    NoSecret,
    #[error("it carries a wrong secret")]
    WrongSecret,
    #[error("it carries no signature of the form that this kind has")]
    NoSignature,
    #[error("its signature is wrong")]
    WrongSignature,
    #[error("it carries no identity token")]
    NoIdentity,
    #[error("its identity token is refused")]
    Identity(#[from] JwtError),
    /// Not the sender's fault.
    #[error("the secret cannot be read")]
    Secret(#[from] SecretError),
    /// Not the sender's fault.
    #[error("Google's keys cannot be had")]
    Keys(#[from] KeysError),
}

/// Who holds the secrets of a webhook, and checks deliveries against them.
#[derive(Debug)]
pub(super) enum Guard {
    Open,
    Secret { proof: Proof, source: SecretSource },
    Google { expected: super::Expected, keys: Keys },
}

/// What is left to check once the head of a request has passed.
#[derive(Debug)]
pub(super) enum Check {
    /// Nothing.
    Passed,
    /// That the body has this signature.
    Body { key: hmac::Key, signature: Vec<u8> },
}

impl Guard {
    pub(super) fn new(kind: Kind, auth: Auth) -> Self {
        match auth {
            Auth::Unauthenticated => Self::Open,
            Auth::Secret(source) => Self::Secret { proof: kind.proof(), source },
            Auth::Google { expected, keys } => Self::Google { expected, keys: Keys::new(keys) },
        }
    }

    /// Checks all that the head of a request can show, so that the body of a stranger is not even read.
    pub(super) async fn admit(&self, head: &Parts, secret_in_path: Option<&str>) -> Result<Check, Refusal> {
        match self {
            Self::Open => Ok(Check::Passed),
            Self::Secret { proof, source } => signature_or_secret(*proof, source.read()?.expose(), head, secret_in_path),
            Self::Google { expected, keys } => {
                let token = one(&head.headers, "authorization").and_then(|value| after_scheme(value, "bearer"));
                keys.check(token.ok_or(Refusal::NoIdentity)?, expected).await.map(|()| Check::Passed)
            }
        }
    }
}

impl Check {
    /// Checks the body as it came.
    pub(super) fn body(&self, body: &[u8]) -> Result<(), Refusal> {
        match self {
            Self::Passed => Ok(()),
            Self::Body { key, signature } => hmac::verify(key, body, signature).map_err(|_| Refusal::WrongSignature),
        }
    }
}

fn signature_or_secret(proof: Proof, secret: &str, head: &Parts, secret_in_path: Option<&str>) -> Result<Check, Refusal> {
    let header = |name| one(&head.headers, name);
    let signed = |algorithm, signature: Option<&str>, bytes| {
        let signature = signature.and_then(|text| hex(text, bytes)).ok_or(Refusal::NoSignature)?;
        Ok(Check::Body { key: hmac::Key::new(algorithm, secret.as_bytes()), signature })
    };
    let github = || header("x-hub-signature-256").and_then(|value| value.strip_prefix("sha256="));
    match proof {
        Proof::Token => token(secret, head, secret_in_path),
        Proof::GitHub => signed(hmac::HMAC_SHA256, github(), SHA256),
        Proof::Gitea => {
            let own = header("x-forgejo-signature").or_else(|| header("x-gitea-signature"));
            signed(hmac::HMAC_SHA256, own.or_else(github), SHA256)
        }
        // SHA-1 is broken for signatures, not for HMAC; Nexus has nothing else.
        Proof::Nexus => signed(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, header("x-nexus-webhook-signature"), SHA1),
        Proof::Artifactory => {
            let given = header("x-jfrog-event-auth").ok_or(Refusal::NoSignature)?;
            // Which of the two it is says a switch in Artifactory that the delivery does not show.
            if same(given.as_bytes(), secret) { Ok(Check::Passed) } else { signed(hmac::HMAC_SHA256, Some(given), SHA256) }
        }
    }
}

/// Looks for the secret in every place where a sender can put one.
fn token(secret: &str, head: &Parts, secret_in_path: Option<&str>) -> Result<Check, Refusal> {
    let mut given: Vec<Vec<u8>> = secret_in_path.map(|text| percent_decode_str(text).collect()).into_iter().collect();
    let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    given.extend(query.filter(|(name, _)| name == "secret").map(|(_, value)| value.into_owned().into_bytes()));
    given.extend(one(&head.headers, "x-webhook-secret").map(|value| value.as_bytes().to_vec()));
    if let Some(value) = one(&head.headers, header::AUTHORIZATION.as_str()) {
        given.push(value.as_bytes().to_vec());
        given.extend(after_scheme(value, "bearer").map(|token| token.as_bytes().to_vec()));
        given.extend(after_scheme(value, "basic").and_then(password));
    }
    match given.iter().any(|given| same(given, secret)) {
        true => Ok(Check::Passed),
        false if given.is_empty() => Err(Refusal::NoSecret),
        false => Err(Refusal::WrongSecret),
    }
}

/// Compares in a time that depends on neither text: both are hashed first, which hides the length as well.
fn same(given: &[u8], secret: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"comparing secrets");
    let wanted = hmac::sign(&key, secret.as_bytes());
    hmac::verify(&key, given, wanted.as_ref()).is_ok()
}

/// Returns a header that is there exactly once.
fn one<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

fn after_scheme<'v>(value: &'v str, scheme: &str) -> Option<&'v str> {
    let (found, rest) = value.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim_start())
}

/// Takes the password out of what follows `Basic`.
fn password(credentials: &str) -> Option<Vec<u8>> {
    let decoded = STANDARD.decode(credentials).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    decoded.get(colon + 1..).map(<[u8]>::to_vec)
}

/// Reads lower-case hex of so many bytes, the one form in which signatures are sent.
fn hex(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if text.len() != 2 * bytes {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests;
