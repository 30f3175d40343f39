//! Where AWS credentials come from, in the order of AWS's own tools: variables, shared files, web identity, a container's
//! credentials, the instance's metadata (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>).

use std::path::Path;

use crate::redact::Secret;

use super::super::call::Caller;
use super::super::error::Problem;
use super::super::surroundings::Surroundings;
use super::profile::{Profile, Profiles};
use super::sts::Sts;
use super::{Credentials, metadata};

/// Profiles that lead from one to the next, at most.
const LONGEST_CHAIN: usize = 8;

/// What is looked for, as it is told when there is none of it.
const LOOKED_FOR: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "a profile in the shared files",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI",
    "the EC2 metadata service",
];

/// Finds credentials.
pub(super) async fn find(surroundings: &Surroundings, sts: &Sts, caller: &Caller<'_>) -> Result<Credentials, Problem> {
    if let Some(found) = variables(surroundings)? {
        return Ok(found);
    }
    if let Some(found) = profile(surroundings, sts, caller).await? {
        return Ok(found);
    }
    if let Some(file) = surroundings.get("AWS_WEB_IDENTITY_TOKEN_FILE") {
        let Some(role) = surroundings.get("AWS_ROLE_ARN") else {
            return Err(Problem::setting("AWS_ROLE_ARN", "it is not set, but AWS_WEB_IDENTITY_TOKEN_FILE is"));
        };
        let session = surroundings.get("AWS_ROLE_SESSION_NAME");
        return sts.web_identity(role, Path::new(file), session, "AWS web identity", caller).await;
    }
    if let Some(found) = metadata::container(surroundings, caller).await? {
        return Ok(found);
    }
    let nowhere = |last| Problem::Nowhere { looked_for: LOOKED_FOR.map(str::to_owned).to_vec(), last };
    metadata::instance(surroundings, caller).await?.map_err(nowhere)
}

fn variables(surroundings: &Surroundings) -> Result<Option<Credentials>, Problem> {
    let Some(access_key) = surroundings.get("AWS_ACCESS_KEY_ID") else { return Ok(None) };
    let Some(secret_key) = surroundings.get("AWS_SECRET_ACCESS_KEY") else {
        return Err(Problem::setting("AWS_SECRET_ACCESS_KEY", "it is not set, but AWS_ACCESS_KEY_ID is"));
    };
    Ok(Some(Credentials {
        access_key: access_key.to_owned(),
        secret_key: Secret::new(secret_key),
        session_token: surroundings.get("AWS_SESSION_TOKEN").map(Secret::new),
        source: "AWS variables".to_owned(),
    }))
}

/// Follows profiles to the first that has credentials, then takes the roles on the way back.
async fn profile(surroundings: &Surroundings, sts: &Sts, caller: &Caller<'_>) -> Result<Option<Credentials>, Problem> {
    let profiles = Profiles::read(surroundings)?;
    let asked = surroundings.get("AWS_PROFILE");
    let mut name = asked.unwrap_or("default");
    let Some(mut profile) = profiles.get(name) else {
        return if asked.is_some() { Err(no_profile(name)) } else { Ok(None) };
    };
    let mut roles = Vec::new();
    let mut credentials = loop {
        let source = format!("AWS profile {name}");
        if let Some(role) = profile.get("role_arn") {
            let session = profile.get("role_session_name");
            if let Some(file) = profile.get("web_identity_token_file") {
                break sts.web_identity(role, Path::new(file), session, &source, caller).await?;
            }
            roles.push((role, session, profile.get("external_id")));
            let next = profile.get("source_profile");
            match (next, profile.get("credential_source")) {
                // A profile that is its own source has the keys beside the role.
                (Some(next), _) if next == name => break keys(profile, name)?.ok_or_else(|| no_keys(name))?,
                (Some(_), _) if roles.len() >= LONGEST_CHAIN => {
                    return Err(Problem::setting(format!("AWS profile {name}"), "its `source_profile` leads on without end"));
                }
                (Some(next), _) => {
                    profile = profiles.get(next).ok_or_else(|| no_profile(next))?;
                    name = next;
                }
                (None, Some(source)) => break from(source, name, surroundings, caller).await?,
                (None, None) => return Err(no_keys(name)),
            }
        } else if let Some(found) = keys(profile, name)? {
            break found;
        } else if asked.is_some() || !roles.is_empty() {
            return Err(no_keys(name));
        } else {
            return Ok(None);
        }
    };
    for (role, session, external_id) in roles.into_iter().rev() {
        credentials = sts.assume(&credentials, role, session, external_id, caller).await?;
    }
    Ok(Some(credentials))
}

/// Returns the keys that stand in a profile.
fn keys(profile: &Profile, name: &str) -> Result<Option<Credentials>, Problem> {
    let refuse = |reason: &str| Err(Problem::setting(format!("AWS profile {name}"), reason));
    if let Some(access_key) = profile.get("aws_access_key_id") {
        let Some(secret_key) = profile.get("aws_secret_access_key") else {
            return refuse("it has `aws_access_key_id` without `aws_secret_access_key`");
        };
        return Ok(Some(Credentials {
            access_key: access_key.to_owned(),
            secret_key: Secret::new(secret_key),
            session_token: profile.get("aws_session_token").map(Secret::new),
            source: format!("AWS profile {name}"),
        }));
    }
    if profile.get("credential_process").is_some() {
        return refuse("its `credential_process` is a program, which is not run");
    }
    if profile.get("sso_session").or_else(|| profile.get("sso_start_url")).is_some() {
        return refuse("its single sign-on is for people, and is not used");
    }
    Ok(None)
}

/// Returns the credentials that a profile's `credential_source` names.
async fn from(source: &str, name: &str, surroundings: &Surroundings, caller: &Caller<'_>) -> Result<Credentials, Problem> {
    let found = match source {
        "Environment" => variables(surroundings)?,
        "EcsContainer" => metadata::container(surroundings, caller).await?,
        "Ec2InstanceMetadata" => {
            let nowhere = |last| Problem::Nowhere { looked_for: vec!["the EC2 metadata service".to_owned()], last };
            Some(metadata::instance(surroundings, caller).await?.map_err(nowhere)?)
        }
        _ => None,
    };
    found.ok_or_else(|| no_keys(name))
}

fn no_profile(name: &str) -> Problem {
    Problem::setting(format!("AWS profile {name}"), "it is in none of the shared files")
}

fn no_keys(name: &str) -> Problem {
    Problem::setting(format!("AWS profile {name}"), "it leads to no credentials")
}
