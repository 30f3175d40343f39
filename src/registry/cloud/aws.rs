//! AWS: from a role or access keys to ECR's password (`GetAuthorizationToken`, which is good for 12 hours).

mod credentials;
mod metadata;
mod place;
mod profile;
mod sigv4;
mod sts;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value as Json;

use crate::image::Registry;
use crate::redact::Secret;

use super::call::{Call, Caller};
use super::error::Problem;
use super::surroundings::{self, Surroundings};
use super::{Aws, Login};

use place::Place;
use sts::Sts;

/// Access keys, and where they came from.
struct Credentials {
    access_key: String,
    secret_key: Secret,
    session_token: Option<Secret>,
    source: String,
}

/// Says whether a registry is one of AWS's, by its host.
pub(super) fn is_own(registry: &Registry) -> bool {
    Place::of_host(registry.as_str()).is_some()
}

impl Aws {
    pub(super) async fn login(&self, registry: &Registry, http: &reqwest::Client) -> Result<Login, Problem> {
        let caller = &Caller::new(http, &self.surroundings)?;
        let place = Place::find(registry, self.region.as_deref())?;
        let sts = Sts::new(&self.surroundings, &place.region)?;
        let mut credentials = credentials::find(&self.surroundings, &sts, caller).await?;
        if let Some(role) = &self.role_arn {
            credentials = sts.assume(&credentials, role, None, None, caller).await?;
        }
        password(&self.surroundings, &place, credentials, caller).await
    }
}

async fn password(surroundings: &Surroundings, place: &Place, credentials: Credentials, caller: &Caller<'_>) -> Result<Login, Problem> {
    let step = format!("asking {} in {} for a password (GetAuthorizationToken)", place.name(), place.region);
    let endpoint = place.endpoint(surroundings)?;
    let call = Call::post(endpoint, "application/x-amz-json-1.1", "{}".to_owned()).header("x-amz-target", place.target());
    let call = sigv4::signed(call, &credentials, &place.region, place.service(), Timestamp::now());
    let answer: Json = caller.send(call, &step).await?.json("password").map_err(|_| Problem::without("password", &step))?;
    let (username, password, end) = read(&answer).ok_or_else(|| Problem::without("password", &step))?;
    Ok(Login { username, password, until: surroundings::until(end, "ECR's password")?, source: credentials.source })
}

/// Takes user, password and their end out of the answer: ECR's is a list of one, ECR Public's the one itself.
fn read(answer: &Json) -> Option<(String, Secret, Timestamp)> {
    let data = answer.pointer("/authorizationData/0").or_else(|| answer.get("authorizationData"))?;
    let token = STANDARD.decode(data.get("authorizationToken")?.as_str()?).ok()?;
    let (username, password) = std::str::from_utf8(&token).ok()?.split_once(':')?;
    // Seconds since 1970, with a fraction that does not matter.
    let end = Timestamp::from_second(data.get("expiresAt")?.as_f64()? as i64).ok()?;
    (!username.is_empty() && !password.is_empty()).then(|| (username.to_owned(), Secret::new(password), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_comes_in_a_list_or_alone() {
        let one = r#"{"authorizationToken":"QVdTOnBhc3M6d29yZA==","expiresAt":1.7e9,"proxyEndpoint":"https://x"}"#;
        for json in [format!(r#"{{"authorizationData":[{one}]}}"#), format!(r#"{{"authorizationData":{one}}}"#)] {
            let (username, password, end) = read(&serde_json::from_str(&json).unwrap()).unwrap();
            assert_eq!((username.as_str(), password.expose(), end.as_second()), ("AWS", "pass:word", 1_700_000_000), "{json}");
        }
        for json in [
            "{}".to_owned(),
            r#"{"authorizationData":[]}"#.to_owned(),
            format!(r#"{{"authorizationData":[{}]}}"#, one.replace("QVdT", "!!!!")),
            format!(r#"{{"authorizationData":[{}]}}"#, one.replace("QVdTOnBhc3M6d29yZA==", "QVdTOg==")),
            format!(r#"{{"authorizationData":[{}]}}"#, one.replace("1.7e9", "1e300")),
            format!(r#"{{"authorizationData":[{}]}}"#, one.replace("1.7e9", "\"soon\"")),
        ] {
            assert!(read(&serde_json::from_str(&json).unwrap()).is_none(), "{json}");
        }
    }
}
