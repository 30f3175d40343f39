//! Identity tokens that Google signs (OpenID Connect): pure, with the keys and the time given.
//!
//! Exactly one form is accepted: a JWT signed with RS256. A signature by Google alone says nothing, since anybody can have
//! one; what counts is for whom it was made (`aud`) and whom it is about (`email`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::Value;

/// Two clocks may differ by this much, in seconds.
const LEEWAY: i64 = 60;
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
/// More keys than these are no key set of Google's, which has two or three.
const MOST_KEYS: usize = 100;

/// What a token must be for and about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The audience that the subscription is set up with.
    pub audience: String,
    /// The service account that the subscription pushes as.
    pub email: String,
}

/// A public key that tokens are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    id: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// Not three parts of base64, the first two of them JSON.
    #[error("it is no JWT")]
    Malformed,
    /// Another algorithm than RS256, `none` included, or an extension that must be understood.
    #[error("it is not signed with RS256")]
    Algorithm,
    /// Signed with a key that Google does not publish.
    #[error("its key is not known")]
    UnknownKey,
    /// The signature does not fit.
    #[error("its signature is wrong")]
    Signature,
    /// A claim does not hold.
    #[error("its claim `{0}` is missing or does not hold")]
    Claim(&'static str),
}

impl Key {
    /// Reads a set of keys (RFC 7517); those that are not for RS256 are left out.
    #[must_use]
    pub fn read_set(json: &[u8]) -> Option<Vec<Self>> {
        let set: Value = serde_json::from_slice(json).ok()?;
        let keys = set.get("keys")?.as_array()?;
        Some(keys.iter().take(MOST_KEYS).filter_map(Self::read).collect())
    }

    fn read(key: &Value) -> Option<Self> {
        let field = |name: &str| key.get(name).and_then(Value::as_str);
        let fits = |name: &str, wanted: &str| field(name).is_none_or(|found| found == wanted);
        if field("kty") != Some("RSA") || !fits("alg", "RS256") || !fits("use", "sig") {
            return None;
        }
        let number = |name: &str| URL_SAFE_NO_PAD.decode(field(name)?).ok();
        Some(Self { id: field("kid")?.to_owned(), modulus: number("n")?, exponent: number("e")? })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

/// Returns the id of the key that a token says it is signed with.
pub(super) fn key_id(token: &str) -> Result<String, JwtError> {
    let (head, _) = token.split_once('.').ok_or(JwtError::Malformed)?;
    let head = part(head)?;
    let field = |name: &str| head.get(name).and_then(Value::as_str);
    // `crit` lists extensions that change what the token means (RFC 7515, 4.1.11).
    if field("alg") != Some("RS256") || head.get("crit").is_some() {
        return Err(JwtError::Algorithm);
    }
    field("kid").map(str::to_owned).ok_or(JwtError::UnknownKey)
}

/// Checks a token against the keys that Google publishes.
///
/// # Errors
/// If it is not a token that Google signed with one of `keys`, valid at `now`, for the expected audience, about the expected
/// account.
pub fn verify(token: &str, keys: &[Key], expected: &Expected, now: Timestamp) -> Result<(), JwtError> {
    let id = key_id(token)?;
    let key = keys.iter().find(|key| key.id == id).ok_or(JwtError::UnknownKey)?;
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let (_, claims) = signed.split_once('.').ok_or(JwtError::Malformed)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| JwtError::Malformed)?;
    let public = RsaPublicKeyComponents { n: &key.modulus, e: &key.exponent };
    public.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature).map_err(|_| JwtError::Signature)?;
    check(&part(claims)?, expected, now.as_second())
}

pub(super) fn check(claims: &Value, expected: &Expected, now: i64) -> Result<(), JwtError> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    // A time of another type is as good as none.
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    let must = |holds: bool, name| if holds { Ok(()) } else { Err(JwtError::Claim(name)) };
    must(text("iss").is_some_and(|issuer| ISSUERS.contains(&issuer)), "iss")?;
    must(text("aud") == Some(&expected.audience), "aud")?;
    must(text("email") == Some(&expected.email), "email")?;
    must(claims.get("email_verified") == Some(&Value::Bool(true)), "email_verified")?;
    must(time("exp").is_some_and(|expires| now < expires.saturating_add(LEEWAY)), "exp")?;
    let begun = |name| claims.get(name).is_none() || time(name).is_some_and(|begins| begins <= now.saturating_add(LEEWAY));
    must(begun("nbf"), "nbf")?;
    must(begun("iat"), "iat")
}

/// Reads a part of a token.
fn part(text: &str) -> Result<Value, JwtError> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| JwtError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| JwtError::Malformed)
}
