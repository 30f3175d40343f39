//! AWS's token service: from a token or other keys to the keys of a role
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/>).

use std::path::Path;

use jiff::Timestamp;
use url::Url;

use crate::redact::Secret;

use super::super::call::{Call, Caller, Reply, element};
use super::super::error::Problem;
use super::super::surroundings::{self, Surroundings};
use super::place::{domain_of, endpoint, is_region};
use super::{Credentials, sigv4};

/// The name of our sessions in AWS's audit log, where nothing else is set.
const SESSION: &str = "tagboat";

/// The token service of a region.
pub(super) struct Sts {
    endpoint: Url,
    region: String,
}

impl Sts {
    /// Takes the region that the workload runs in, else the registry's.
    pub(super) fn new(surroundings: &Surroundings, registry: &str) -> Result<Self, Problem> {
        let own = ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|name| Some((name, surroundings.get(name)?)));
        let region = match own {
            Some((name, region)) if !is_region(region) => return Err(Problem::setting(name, "it is no region")),
            Some((_, region)) => region,
            None => registry,
        };
        let endpoint = endpoint(surroundings, "AWS_ENDPOINT_URL_STS", &format!("sts.{region}.{}", domain_of(region)))?;
        Ok(Self { endpoint, region: region.to_owned() })
    }

    /// Trades a web identity's token, as Kubernetes mounts it, for the keys of a role (AssumeRoleWithWebIdentity).
    pub(super) async fn web_identity(
        &self,
        role: &str,
        token_file: &Path,
        session: Option<&str>,
        source: &str,
        caller: &Caller<'_>,
    ) -> Result<Credentials, Problem> {
        let step = format!("asking STS in {} for the role {role} with the web identity (AssumeRoleWithWebIdentity)", self.region);
        let token = surroundings::file(token_file)?;
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", session.unwrap_or(SESSION)),
            ("WebIdentityToken", token.expose().trim()),
        ];
        let reply = caller.send(Call::form(self.endpoint.clone(), fields), &step).await?;
        read(&reply, source.to_owned()).ok_or_else(|| Problem::without("credentials", step))
    }

    /// Goes on to another role (AssumeRole).
    pub(super) async fn assume(
        &self,
        credentials: &Credentials,
        role: &str,
        session: Option<&str>,
        external_id: Option<&str>,
        caller: &Caller<'_>,
    ) -> Result<Credentials, Problem> {
        let step = format!("asking STS in {} for the role {role} (AssumeRole)", self.region);
        let mut fields =
            vec![("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", role), ("RoleSessionName", session.unwrap_or(SESSION))];
        fields.extend(external_id.map(|id| ("ExternalId", id)));
        let call = sigv4::signed(Call::form(self.endpoint.clone(), fields), credentials, &self.region, "sts", Timestamp::now());
        let reply = caller.send(call, &step).await?;
        let source = format!("{}, then the role {role}", credentials.source);
        read(&reply, source).ok_or_else(|| Problem::without("credentials", step))
    }
}

fn read(reply: &Reply, source: String) -> Option<Credentials> {
    let xml = reply.text("credentials").ok()?;
    let xml = xml.split_once("<Credentials>")?.1;
    let text = |name| element(xml, name).filter(|text| !text.is_empty());
    Some(Credentials {
        access_key: text("AccessKeyId")?.to_owned(),
        secret_key: Secret::new(text("SecretAccessKey")?),
        session_token: Some(Secret::new(text("SessionToken")?)),
        source,
    })
}
