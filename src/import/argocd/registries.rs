//! `registries.conf`, as the ConfigMap of Argo CD Image Updater holds it.

use serde_yaml::Value;

use super::credential;
use super::settings::unknown;
use crate::image::Registry;
use crate::import::common::{Teller, at, items, register, text};
use crate::import::{Draft, Line, Object};

const KNOWN: [&str; 13] = [
    "name",
    "api_url",
    "prefix",
    "ping",
    "credentials",
    "credsexpire",
    "tagsortmode",
    "insecure",
    "ca_file",
    "ca_data",
    "defaultns",
    "limit",
    "default",
];

/// Brings the registries of a ConfigMap along; one without them is passed over.
pub(super) fn import(object: &Object, draft: &mut Draft) {
    let Some(written) = object.text("/data/registries.conf") else { return };
    let registries = match serde_yaml::from_str::<Value>(written) {
        Ok(value) => items(&value, &["registries"]).to_vec(),
        Err(error) => {
            return Teller::new(object, &mut draft.remarks).broken("registries.conf", format!("it cannot be read: {error}"));
        }
    };
    for (index, registry) in registries.iter().enumerate() {
        import_one(object, registry, &format!("registries[{index}]"), draft);
    }
}

fn import_one(object: &Object, registry: &Value, field: &str, draft: &mut Draft) {
    let of = |key: &str| format!("{field}.{key}");
    let mut tell = Teller::new(object, &mut draft.remarks);
    unknown(registry, &KNOWN, field, &mut tell);
    let url = text(registry, &["api_url"]).unwrap_or_default();
    let (plain, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme.eq_ignore_ascii_case("http"), rest),
        None => (false, url.as_str()),
    };
    let (api, path) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = text(registry, &["prefix"]).filter(|prefix| !prefix.is_empty()).unwrap_or_else(|| api.to_owned());
    let Ok(host) = Registry::parse(&prefix) else {
        return tell.broken(&of("prefix"), format!("`{prefix}` is no registry"));
    };
    let same = Registry::parse(api).is_ok_and(|api| api == host) || host.is_docker_hub() && api.ends_with("docker.io");
    if !path.trim_matches('/').is_empty() {
        tell.lost(&of("api_url"), "registries are reached at the root of their host", "a `mirror` with a prefix of names, if it is one");
    }
    if !same && !api.is_empty() {
        match Registry::parse(api) {
            // The rest is said of the mirror, which is what requests go to.
            Ok(mirror) => {
                let name = text(registry, &["name"]).unwrap_or_else(|| host.to_string());
                register(draft, host.as_str(), Line::text("mirror", mirror.as_str()).because(name));
                return details(object, registry, field, mirror.as_str(), plain, draft);
            }
            Err(error) => tell.broken(&of("api_url"), format!("{error}")),
        }
    }
    details(object, registry, field, host.as_str(), plain, draft);
}

/// Brings along what is said about the host that requests go to.
fn details(object: &Object, registry: &Value, field: &str, host: &str, plain: bool, draft: &mut Draft) {
    let of = |key: &str| format!("{field}.{key}");
    let has = |key: &str| at(registry, &[key]).is_some();
    let is = |key: &str| at(registry, &[key]).and_then(Value::as_bool) == Some(true);
    let mut lines = Vec::new();
    if plain {
        lines.push(Line::new("plain_http", "true"));
    }
    if let Some(source) = text(registry, &["credentials"]).filter(|source| !source.is_empty()) {
        lines.extend(credential(&source, host, object, &of("credentials"), draft));
    }
    let mut tell = Teller::new(object, &mut draft.remarks);
    match text(registry, &["limit"]).map(|limit| limit.parse::<u32>()) {
        None | Some(Ok(0)) => {}
        Some(Ok(limit)) => lines.push(Line::text("rate", &format!("{limit}/s"))),
        Some(Err(_)) => tell.broken(&of("limit"), "this is no number of requests a second"),
    }
    if let Some(file) = text(registry, &["ca_file"]).filter(|_| !plain) {
        tell.note(&of("ca_file"), format!("{file} is a file of the Image Updater's container"), "mount it for Tagboat too");
        lines.push(Line::text("ca_file", &file));
    } else if has("ca_data") && !plain {
        let file = format!("/etc/tagboat/{}.pem", host.replace(':', "-"));
        tell.note(&of("ca_data"), "certificates are read from a file", &format!("write them to {file}"));
        lines.push(Line::text("ca_file", &file));
    }
    if is("insecure") && !plain {
        tell.lost(&of("insecure"), "certificates are always checked", "`ca_file` with the authority that signed the registry's own");
    }
    if has("ping") {
        tell.note(&of("ping"), "it has no effect, there or here", "");
    }
    if has("credsexpire") {
        tell.note(&of("credsexpire"), "credentials in files are read again at each use, and tokens as they expire", "");
    }
    if text(registry, &["tagsortmode"]).is_some_and(|mode| mode != "none") {
        tell.lost(
            &of("tagsortmode"),
            "the order of a registry's listing is not trusted",
            "`newest = \"pushed\"` or `newest = \"created\"`",
        );
    }
    if text(registry, &["defaultns"])
        .is_some_and(|name| !(Registry::parse(host).is_ok_and(|host| host.is_docker_hub()) && name == "library"))
    {
        tell.lost(&of("defaultns"), "only Docker Hub has a default, `library`", "write the whole name where it is used");
    }
    if is("default") && !Registry::parse(host).is_ok_and(|host| host.is_docker_hub()) {
        tell.lost(&of("default"), "a name without a host is on Docker Hub, as in Docker and Kubernetes", "write the host where it is used");
    }
    for line in lines {
        if !register(draft, host, line) {
            let reason = format!("something else is said about {host} already");
            Teller::new(object, &mut draft.remarks).lost(field, reason, "one table for each registry");
        }
    }
}
