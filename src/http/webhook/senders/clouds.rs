//! Docker Hub, Quay, AWS, Google and Aliyun.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{NO_PUSH, Push, Said, Unreadable, needed, split_reference, text};
use crate::image::Registry;

/// Docker Hub: `push_data` and `repository.repo_name`. Its `callback_url` is never called.
pub(super) fn docker_hub(payload: &Value) -> Result<Said, Unreadable> {
    let name = needed(payload, "/repository/repo_name", "`repository.repo_name`")?;
    Ok(Said::one(Registry::docker_hub().as_str().to_owned(), name, text(payload, "/push_data/tag")))
}

/// Quay: `docker_url` and `updated_tags`; its other notifications have no tags.
pub(super) fn quay(payload: &Value) -> Result<Said, Unreadable> {
    let url = needed(payload, "/docker_url", "`docker_url`")?;
    let name: Arc<str> = needed(payload, "/repository", "`repository`")?.into();
    let host: Arc<str> = url.split('/').next().unwrap_or_default().into();
    let tags: Vec<&str> = match payload.get("updated_tags") {
        Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).collect(),
        // Very old versions sent tags with their image's identity.
        Some(Value::Object(tags)) => tags.keys().map(String::as_str).collect(),
        _ => return Ok(NO_PUSH),
    };
    let push = |tag| Push { host: Some(Arc::clone(&host)), repository: Arc::clone(&name), tag: Some(tag).into() };
    Ok(Said::Pushes(tags.into_iter().map(push).collect()))
}

/// ECR by EventBridge: `ECR Image Action` as AWS sends it, or made a CloudEvent by an input transformer.
pub(super) fn ecr(payload: &Value) -> Result<Said, Unreadable> {
    if let Some(kind) = text(payload, "/type").filter(|kind| kind.starts_with("com.amazon.ecr.")) {
        return ecr_cloud_event(kind, payload);
    }
    let kind = needed(payload, "/detail-type", "`detail-type`")?;
    let detail = |key: &str| text(payload, &format!("/detail/{key}"));
    // Left out where there is only one: an image that was pushed with success.
    let (result, action) = (detail("result").unwrap_or("SUCCESS"), detail("action-type").unwrap_or("PUSH"));
    if text(payload, "/source") != Some("aws.ecr") || kind != "ECR Image Action" || result != "SUCCESS" || action != "PUSH" {
        return Ok(NO_PUSH);
    }
    let host = ecr_host(needed(payload, "/account", "`account`")?, needed(payload, "/region", "`region`")?);
    let name = needed(payload, "/detail/repository-name", "`detail.repository-name`")?;
    Ok(Said::one(host, name, detail("image-tag")))
}

fn ecr_cloud_event(kind: &str, payload: &Value) -> Result<Said, Unreadable> {
    let data = |key: &str| text(payload, &format!("/data/{key}"));
    let done = data("result").unwrap_or("SUCCESS") == "SUCCESS" && data("actionType").unwrap_or("PUSH") == "PUSH";
    if !kind.to_ascii_lowercase().ends_with("push") || !done {
        return Ok(NO_PUSH);
    }
    // `urn:aws:ecr:<region>:<account>:repository/<name>`, with or without its first part.
    let source = needed(payload, "/source", "`source`")?;
    let mut parts = source.split(':').skip_while(|part| *part != "ecr").skip(1);
    let (Some(region), Some(account)) = (parts.next(), parts.next()) else { return Err(Unreadable::Missing("region in `source`")) };
    let name = needed(payload, "/data/repositoryName", "`data.repositoryName`")?;
    Ok(Said::one(ecr_host(account, region), name, data("imageTag")))
}

fn ecr_host(account: &str, region: &str) -> String {
    let china = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("{account}.dkr.ecr.{region}.amazonaws.com{china}")
}

/// Artifact Registry by Pub/Sub push: a message whose data is JSON in base64.
pub(super) fn gar(payload: &Value) -> Result<Said, Unreadable> {
    let message = payload.get("message").ok_or(Unreadable::Missing("`message`"))?;
    let Some(data) = text(message, "/data") else { return Ok(Said::Nothing("the message is empty")) };
    let data = STANDARD.decode(data).map_err(|_| Unreadable::Missing("base64 in `message.data`"))?;
    let data: Value = serde_json::from_slice(&data).map_err(|error| Unreadable::NotJson(error.to_string()))?;
    if text(&data, "/action") != Some("INSERT") {
        return Ok(NO_PUSH);
    }
    // Two messages a push: one with the digest alone, and one with the tag as well.
    let Some(reference) = text(&data, "/tag") else { return Ok(Said::Nothing("what was pushed has no tag")) };
    let (host, name, tag) = split_reference(reference).ok_or(Unreadable::Missing("host in `tag`"))?;
    Ok(Said::one(host.to_owned(), name, tag))
}

/// Aliyun: as Docker Hub, with a region for a host; an instance of one's own has a host of its own.
pub(super) fn aliyun(payload: &Value, host: Option<&Registry>) -> Result<Said, Unreadable> {
    let name = needed(payload, "/repository/repo_full_name", "`repository.repo_full_name`")?;
    let host = match host {
        Some(host) => host.as_str().to_owned(),
        None => format!("registry.{}.aliyuncs.com", needed(payload, "/repository/region", "`repository.region`")?),
    };
    Ok(Said::one(host, name, text(payload, "/push_data/tag")))
}
