//! Registries that people run themselves: distribution, Harbor, Nexus, Artifactory and zot.

use std::sync::Arc;

use axum::http::HeaderMap;
use serde_json::Value;

use super::{NO_PUSH, Push, Said, Unreadable, header, items, needed, text};
use crate::image::Registry;

/// distribution 2.8, 3 and GitLab's registry: an envelope of events. It repeats what is refused for ever and sends nothing
/// else meanwhile, so any JSON will do.
pub(super) fn distribution(payload: &Value) -> Said {
    let pushed = items(payload, "/events").iter().filter(|event| text(event, "/action") == Some("push"));
    // A push of a blob or of a manifest by its digest has no tag.
    let push = |event: &Value| {
        Some(Push {
            host: text(event, "/request/host").map(Arc::from),
            repository: text(event, "/target/repository")?.into(),
            tag: Some(text(event, "/target/tag")?).into(),
        })
    };
    match pushed.filter_map(push).collect::<Vec<_>>() {
        pushes if pushes.is_empty() => NO_PUSH,
        pushes => Said::Pushes(pushes),
    }
}

/// Harbor, in its default form and as CloudEvents.
pub(super) fn harbor(payload: &Value) -> Result<Said, Unreadable> {
    let data = match needed(payload, "/type", "`type`")? {
        "PUSH_ARTIFACT" => payload.get("event_data").ok_or(Unreadable::Missing("`event_data`"))?,
        "harbor.artifact.pushed" => payload.get("data").ok_or(Unreadable::Missing("`data`"))?,
        _ => return Ok(NO_PUSH),
    };
    let name: Arc<str> = needed(data, "/repository/repo_full_name", "`repository.repo_full_name`")?.into();
    let push = |resource: &Value| Push {
        host: text(resource, "/resource_url").and_then(|url| url.split('/').next()).map(Arc::from),
        repository: Arc::clone(&name),
        tag: text(resource, "/tag").into(),
    };
    Ok(Said::Pushes(items(data, "/resources").iter().map(push).collect()))
}

/// Nexus: components that were created or updated. Nothing names a host.
pub(super) fn nexus(headers: &HeaderMap, payload: &Value) -> Result<Said, Unreadable> {
    let event = header(headers, "x-nexus-webhook-id").ok_or(Unreadable::Missing("`X-Nexus-Webhook-ID` header"))?;
    let pushed = event == "rm:repository:component" && matches!(text(payload, "/action"), Some("CREATED" | "UPDATED"));
    if !pushed || text(payload, "/component/format") != Some("docker") {
        return Ok(NO_PUSH);
    }
    let name = needed(payload, "/component/name", "`component.name`")?;
    Ok(Said::one(None, name, text(payload, "/component/version")))
}

/// Artifactory: the path is the image's name, its tag and the manifest's file. The origin is the platform's address, which
/// the registry may not share; what is configured goes before it.
pub(super) fn artifactory(payload: &Value, host: Option<&Registry>, virtual_repository: Option<&str>) -> Result<Said, Unreadable> {
    let domain = needed(payload, "/domain", "`domain`")?;
    if domain != "docker" || text(payload, "/event_type") != Some("pushed") {
        return Ok(NO_PUSH);
    }
    let host = match host {
        Some(host) => host.as_str(),
        None => host_of(needed(payload, "/jpd_origin", "`jpd_origin`")?),
    };
    let path = needed(payload, "/data/path", "`data.path`")?;
    let mut parts = path.rsplitn(3, '/').skip(2);
    let image = parts.next().ok_or(Unreadable::Missing("image's name in `data.path`"))?;
    let repository = match virtual_repository {
        Some(name) => name,
        None => needed(payload, "/data/repo_key", "`data.repo_key`")?,
    };
    Ok(Said::one(host.to_owned(), format!("{repository}/{image}"), text(payload, "/data/tag")))
}

fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// zot: CloudEvents whose type is in a header. The reference is a tag or a digest.
pub(super) fn zot(headers: &HeaderMap, payload: &Value) -> Result<Said, Unreadable> {
    match header(headers, "ce-type").ok_or(Unreadable::Missing("`Ce-Type` header"))? {
        "zotregistry.image.updated" => {}
        _ => return Ok(NO_PUSH),
    }
    Ok(Said::one(None, needed(payload, "/name", "`name`")?, text(payload, "/reference")))
}
