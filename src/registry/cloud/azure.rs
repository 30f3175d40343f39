//! Azure: from a managed or federated identity to ACR's refresh token, which stands for a password
//! (<https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md>).
//!
//! Looked for as Azure's tools do: workload identity, App Service and Container Apps, the instance's metadata service.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use crate::image::Registry;
use crate::redact::Secret;

use super::call::{Call, Caller, Reply};
use super::error::{CallError, Problem};
use super::surroundings::{after, file, until, web_address};
use super::{Azure, Login};

/// What the token is for; the same in all of Azure's clouds.
const RESOURCE: &str = "https://containerregistry.azure.net";
/// The user that goes with a refresh token.
const USER: &str = "00000000-0000-0000-0000-000000000000";
/// What a refresh token lives if it does not say.
const LIFE: Duration = Duration::from_secs(3 * 3600);
const METADATA: &str = "http://169.254.169.254";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Azure {
    pub(super) async fn login(&self, registry: &Registry, http: &reqwest::Client) -> Result<Login, Problem> {
        let caller = &Caller::new(http, &self.surroundings)?;
        let (token, source) = self.entra_token(registry, caller).await?;
        let refresh = self.exchange(registry, &token, caller).await?;
        let until = match claim(&refresh, "exp").and_then(|exp| Timestamp::from_second(exp.as_i64()?).ok()) {
            Some(end) => until(end, "ACR's refresh token")?,
            None => after(LIFE),
        };
        Ok(Login { username: USER.to_owned(), password: refresh, until, source: source.to_owned() })
    }

    fn variable<'a>(&'a self, own: &'a Option<String>, name: &str) -> Option<&'a str> {
        own.as_deref().or_else(|| self.surroundings.get(name))
    }

    /// Gets a token of Entra ID for registries.
    async fn entra_token(&self, registry: &Registry, caller: &Caller<'_>) -> Result<(Secret, &'static str), Problem> {
        if let Some(token_file) = self.surroundings.get("AZURE_FEDERATED_TOKEN_FILE") {
            return Ok((self.federated(Path::new(token_file), registry, caller).await?, "Azure workload identity"));
        }
        let service = self.surroundings.url("IDENTITY_ENDPOINT")?;
        if let (Some(url), Some(header)) = (service, self.surroundings.get("IDENTITY_HEADER")) {
            let step = format!("asking {} for a token of the managed identity", url.authority());
            let call = Call::get(self.identity_query(url, "2019-08-01")).header("x-identity-header", header);
            let reply = caller.send(call, &step).await?;
            return Ok((access_token(&reply, &step)?, "Azure managed identity"));
        }
        let base = self.surroundings.get("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or(METADATA);
        let mut url = web_address(base, "AZURE_POD_IDENTITY_AUTHORITY_HOST")?;
        url.set_path("/metadata/identity/oauth2/token");
        let step = format!("asking the metadata service at {} for a token of the managed identity", url.authority());
        let call = Call::get(self.identity_query(url, "2018-02-01")).header("metadata", "true");
        match caller.try_send(call).await {
            Ok(reply) => Ok((access_token(&reply, &step)?, "the Azure metadata service")),
            Err(cause @ (CallError::Timeout(_) | CallError::Network(_))) => {
                let looked_for = ["AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "the Azure metadata service"];
                Err(Problem::Nowhere { looked_for: looked_for.map(str::to_owned).to_vec(), last: Some(cause) })
            }
            Err(cause) => Err(Problem::Call { step, cause }),
        }
    }

    fn identity_query(&self, mut url: Url, version: &str) -> Url {
        let mut query = url.query_pairs_mut();
        query.clear().append_pair("api-version", version).append_pair("resource", RESOURCE);
        if let Some(client) = self.variable(&self.client_id, "AZURE_CLIENT_ID") {
            query.append_pair("client_id", client);
        }
        drop(query);
        url
    }

    /// Trades the token that Kubernetes mounts for one of Entra ID's (RFC 7523, as
    /// <https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-client-creds-grant-flow> has it).
    async fn federated(&self, token_file: &Path, registry: &Registry, caller: &Caller<'_>) -> Result<Secret, Problem> {
        let missing = |name: &str| Problem::setting(name, "it is not set, but AZURE_FEDERATED_TOKEN_FILE is");
        let client = self.variable(&self.client_id, "AZURE_CLIENT_ID").ok_or_else(|| missing("AZURE_CLIENT_ID"))?;
        let tenant = self.variable(&self.tenant_id, "AZURE_TENANT_ID").ok_or_else(|| missing("AZURE_TENANT_ID"))?;
        let host = self.surroundings.get("AZURE_AUTHORITY_HOST").unwrap_or_else(|| authority(registry.as_str()));
        let mut url = web_address(host, "AZURE_AUTHORITY_HOST")?;
        if url.scheme() != "https" {
            return Err(Problem::setting("AZURE_AUTHORITY_HOST", "it is without TLS"));
        }
        url.set_path(&format!("/{tenant}/oauth2/v2.0/token"));
        let step = format!("asking {} for a token for the workload's client {client}", url.authority());
        let assertion = file(token_file)?;
        let scope = format!("{RESOURCE}/.default");
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client),
            ("scope", &scope),
            ("client_assertion_type", ASSERTION),
            ("client_assertion", assertion.expose().trim()),
        ];
        let reply = caller.send(Call::form(url, fields), &step).await?;
        access_token(&reply, &step)
    }

    /// Trades a token of Entra ID for ACR's refresh token.
    async fn exchange(&self, registry: &Registry, token: &Secret, caller: &Caller<'_>) -> Result<Secret, Problem> {
        let step = format!("trading the identity's token at {registry}");
        let url = web_address(&format!("https://{registry}/oauth2/exchange"), registry.as_str())?;
        // The tenant may be left out where the token has it, too; naming it saves the registry a look-up.
        let own = claim(token, "tid").and_then(|tenant| tenant.as_str().map(str::to_owned));
        let tenant = self.variable(&self.tenant_id, "AZURE_TENANT_ID").map(str::to_owned).or(own);
        let mut fields = vec![("grant_type", "access_token"), ("service", registry.as_str())];
        fields.extend(tenant.as_deref().map(|tenant| ("tenant", tenant)));
        fields.push(("access_token", token.expose()));
        let reply = caller.send(Call::form(url, fields), &step).await?;
        let answer: Exchanged = reply.json("refresh token").map_err(|cause| Problem::Call { step: step.clone(), cause })?;
        if answer.refresh_token.is_empty() { Err(Problem::without("refresh token", step)) } else { Ok(Secret::new(answer.refresh_token)) }
    }
}

#[derive(Deserialize)]
struct Exchanged {
    refresh_token: String,
}

#[derive(Deserialize)]
struct Entra {
    access_token: String,
}

fn access_token(reply: &Reply, step: &str) -> Result<Secret, Problem> {
    let answer: Entra = reply.json("access token").map_err(|cause| Problem::Call { step: step.to_owned(), cause })?;
    if answer.access_token.is_empty() { Err(Problem::without("access token", step)) } else { Ok(Secret::new(answer.access_token)) }
}

/// Returns where the tokens of a registry's cloud are given.
fn authority(registry: &str) -> &'static str {
    match registry {
        host if host.ends_with(".azurecr.cn") => "https://login.chinacloudapi.cn/",
        host if host.ends_with(".azurecr.us") => "https://login.microsoftonline.us/",
        _ => "https://login.microsoftonline.com/",
    }
}

/// Reads a claim of a JWT that its own issuer just gave us; nothing is decided on it but when to ask again.
fn claim(token: &Secret, name: &str) -> Option<Json> {
    let payload = token.expose().split('.').nth(1)?;
    let mut claims: Json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()?;
    claims.get_mut(name).map(Json::take)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn jwt(payload: &str) -> Secret {
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn claims_are_read_from_tokens_that_have_them() {
        assert_eq!(claim(&jwt(r#"{"exp":1700000000,"tid":"t"}"#), "exp"), Some(Json::from(1_700_000_000)));
        for token in [jwt("{}"), jwt("[]"), jwt("x"), Secret::new("opaque"), Secret::new("a.b.c"), Secret::new("")] {
            assert_eq!(claim(&token, "exp"), None, "{}", token.expose());
        }
    }

    #[test]
    fn each_cloud_has_its_own_authority() {
        assert_eq!(authority("acme.azurecr.io"), "https://login.microsoftonline.com/");
        assert_eq!(authority("acme.azurecr.cn"), "https://login.chinacloudapi.cn/");
        assert_eq!(authority("acme.azurecr.us"), "https://login.microsoftonline.us/");
    }

    proptest! {
        #[test]
        fn any_text_may_stand_for_a_token(text in "(.|\\.){0,60}") {
            claim(&Secret::new(text), "exp");
        }
    }
}
