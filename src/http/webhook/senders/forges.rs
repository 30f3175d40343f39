//! GitHub, and Gitea with its relative Forgejo.

use axum::http::HeaderMap;
use serde_json::Value;

use super::{NO_PUSH, Said, Unreadable, header, needed, split_reference, text};

const GITHUB_REGISTRY: &str = "ghcr.io";
/// Gitea sends GitHub's header as well, so its own ones are looked at first.
const GITEA_EVENTS: [&str; 2] = ["x-forgejo-event", "x-gitea-event"];

/// GitHub: the events `package` and `registry_package`, which differ by the name of one key.
pub(super) fn github(headers: &HeaderMap, payload: &Value) -> Result<Said, Unreadable> {
    if GITEA_EVENTS.iter().any(|name| headers.contains_key(*name)) {
        return Ok(Said::Nothing("it comes from Gitea; its webhook has kind = \"gitea\""));
    }
    let package = match header(headers, "x-github-event") {
        Some(event @ ("package" | "registry_package")) => payload.get(event).ok_or(Unreadable::Missing("package"))?,
        Some(_) => return Ok(NO_PUSH),
        None => return Err(Unreadable::Missing("`X-GitHub-Event` header")),
    };
    if !matches!(text(payload, "/action"), Some("published" | "updated")) {
        return Ok(NO_PUSH);
    }
    // Real payloads have one of the two keys wrong at times.
    let is_container = |kind: &str| kind.eq_ignore_ascii_case("container") || kind.eq_ignore_ascii_case("docker");
    if ![text(package, "/package_type"), text(package, "/ecosystem")].into_iter().flatten().any(is_container) {
        return Ok(Said::Nothing("it is about a package that is no container image"));
    }
    let metadata = text(package, "/package_version/container_metadata/tag/name");
    // `ghcr.io/acme/web:1.4.2`; without a tag it ends in the colon.
    if let Some((host, name, tag)) = text(package, "/package_version/package_url").and_then(split_reference) {
        return Ok(Said::one(host.to_owned(), name, metadata.or(tag)));
    }
    let owner = text(package, "/owner/login").or_else(|| text(package, "/namespace")).ok_or(Unreadable::Missing("owner"))?;
    let name = format!("{}/{}", owner.to_ascii_lowercase(), needed(package, "/name", "name of its package")?);
    Ok(Said::one(GITHUB_REGISTRY.to_owned(), name, metadata))
}

/// Gitea and Forgejo: the event `package`.
pub(super) fn gitea(headers: &HeaderMap, payload: &Value) -> Result<Said, Unreadable> {
    let event = GITEA_EVENTS.iter().find_map(|name| header(headers, name)).ok_or(Unreadable::Missing("`X-Gitea-Event` header"))?;
    if event != "package" || text(payload, "/action") != Some("created") || text(payload, "/package/type") != Some("container") {
        return Ok(NO_PUSH);
    }
    let owner = needed(payload, "/package/owner/login", "`package.owner.login`")?;
    let name = needed(payload, "/package/name", "`package.name`")?;
    Ok(Said::one(None, format!("{}/{name}", owner.to_ascii_lowercase()), text(payload, "/package/version")))
}
