//! Google's workload identity federation: a token of another issuer, traded for one of Google's
//! (<https://google.aip.dev/auth/4117>).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use url::{Host, Url};

use crate::redact::Secret;

use super::super::call::{Call, Caller};
use super::super::error::Problem;
use super::super::surroundings::{file, until, web_address};
use super::SCOPE;
use super::key_file::google;
use super::token::Token;

/// What a federated token needs to go on to a service account.
const IMPERSONATION_SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The configuration of a federation.
#[derive(Deserialize)]
pub(super) struct External {
    audience: String,
    subject_token_type: String,
    token_url: String,
    service_account_impersonation_url: Option<String>,
    credential_source: Source,
}

/// Where the other issuer's token is; the kinds that are not known here have neither.
#[derive(Deserialize)]
struct Source {
    file: Option<PathBuf>,
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Secreted>,
    format: Option<Format>,
    /// The mark of AWS's kind, whose token is a signed request.
    environment_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(from = "String")]
struct Secreted(Secret);

impl From<String> for Secreted {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
    subject_token_field_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Impersonated {
    access_token: String,
    expire_time: Timestamp,
}

impl External {
    pub(super) async fn token(&self, path: &Path, caller: &Caller<'_>) -> Result<Token, Problem> {
        let sts = google(&self.token_url, path, "token_url")?;
        let account = self.service_account_impersonation_url.as_deref();
        let account = account.map(|url| google(url, path, "service_account_impersonation_url")).transpose()?;
        let subject = self.credential_source.subject(path, caller).await?;

        let step = "asking Google's token service to trade the workload's token";
        let fields = [
            ("grant_type", EXCHANGE),
            ("audience", self.audience.as_str()),
            ("scope", if account.is_some() { IMPERSONATION_SCOPE } else { SCOPE }),
            ("requested_token_type", ACCESS_TOKEN),
            ("subject_token", subject.expose()),
            ("subject_token_type", self.subject_token_type.as_str()),
        ];
        let reply = caller.send(Call::form(sts, fields), step).await?;
        let federated = Token::read(&reply).map_err(|cause| Problem::Call { step: step.to_owned(), cause })?;
        match account {
            Some(url) => impersonate(url, &federated, caller).await,
            None => Ok(federated),
        }
    }
}

/// Goes on to a service account
/// (<https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>).
async fn impersonate(url: Url, federated: &Token, caller: &Caller<'_>) -> Result<Token, Problem> {
    let step = "asking Google for a token of the service account that the workload may use";
    let body = json!({ "scope": [SCOPE], "lifetime": "3600s" }).to_string();
    let bearer = format!("Bearer {}", federated.access_token.expose());
    let reply = caller.send(Call::post(url, "application/json", body).header("authorization", bearer), step).await?;
    let answer: Impersonated = reply.json("access token").map_err(|cause| Problem::Call { step: step.to_owned(), cause })?;
    if answer.access_token.is_empty() {
        return Err(Problem::without("access token", step));
    }
    Ok(Token { access_token: Secret::new(answer.access_token), until: until(answer.expire_time, "Google's access token")? })
}

impl Source {
    /// Gets the other issuer's token.
    async fn subject(&self, path: &Path, caller: &Caller<'_>) -> Result<Secret, Problem> {
        let place = || format!("`credential_source` in {}", path.display());
        let (text, from) = match (&self.file, &self.url) {
            _ if self.environment_id.is_some() => {
                return Err(Problem::setting(place(), "tokens of AWS are not traded; use a `file` or a `url`"));
            }
            (Some(name), _) => (file(name)?, name.display().to_string()),
            (None, Some(url)) => {
                let url = web_address(url, &place())?;
                if !may_be_asked(&url) {
                    return Err(Problem::setting(place(), "plain HTTP is for this machine and metadata services only"));
                }
                let mut call = Call::get(url);
                call.headers.extend(self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase().into(), value.0.clone())));
                let step = format!("asking {} for the workload's token", call.host());
                let reply = caller.send(call, &step).await?;
                let text = reply.text("token").map_err(|cause| Problem::Call { step: step.clone(), cause })?;
                (Secret::new(text), step)
            }
            (None, None) => return Err(Problem::setting(place(), "it has neither a `file` nor a `url`")),
        };
        match &self.format {
            Some(format) if format.kind == "json" => {
                let field = format.subject_token_field_name.as_deref().unwrap_or_default();
                let json: Option<Json> = serde_json::from_str(text.expose()).ok();
                let token = json.as_ref().and_then(|json| json.get(field)?.as_str()).filter(|token| !token.is_empty());
                token.map(Secret::new).ok_or_else(|| Problem::setting(from, "there is no token in the field that the configuration names"))
            }
            _ => Ok(text),
        }
    }
}

/// Says whether the workload's token may be asked for here: in the clear only from this machine or its link.
fn may_be_asked(url: &Url) -> bool {
    match url.host() {
        _ if url.scheme() == "https" => true,
        Some(Host::Ipv4(v4)) => v4.is_loopback() || v4.is_link_local(),
        Some(Host::Ipv6(v6)) => v6.is_loopback() || v6.is_unicast_link_local() || super::super::super::trust::is_metadata(IpAddr::V6(v6)),
        Some(Host::Domain(name)) => name == "localhost" || name == super::METADATA_HOST,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workloads_token_is_asked_for_in_the_clear_only_nearby() {
        for (url, may) in [
            ("https://tokens.example.com/", true),
            ("http://127.0.0.1:8080/token", true),
            ("http://localhost:8080/token", true),
            ("http://169.254.169.254/metadata/identity/oauth2/token", true),
            ("http://[fd00:ec2::254]/", true),
            ("http://10.0.0.1/", false),
            ("http://tokens.example.com/", false),
            ("http://localhost.example.com/", false),
        ] {
            assert_eq!(may_be_asked(&Url::parse(url).unwrap()), may, "{url}");
        }
    }
}
