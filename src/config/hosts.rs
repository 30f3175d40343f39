//! `[registry."host"]`: how a registry is reached.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::read::{Context, Keys, Located, Read, ReadTable};
use super::source::Node;
use super::values::{ExistingFile, Rate, Timeout, Whole, parsed};
use crate::image::Registry;
use crate::registry;

impl ReadTable for registry::Host {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let default = Self::default();
        let auth = keys.optional("auth", "The credential.", r#"{ username = "bot", password = { file = "/run/secrets/ghcr" } }"#);
        let concurrency = keys.defaulted::<Whole<1, 256>>("concurrency", "Requests in flight at once.", "8", "2");
        let rate = keys.optional::<Rate>("rate", "How many requests may be sent in a time. Default: no limit of ours.", r#""20/s""#);
        let plain_http = keys.defaulted("plain_http", "Speak HTTP without TLS; credentials travel in the clear.", "false", "true");
        let ca_file = keys.optional::<ExistingFile>(
            "ca_file",
            "A PEM file of certificate authorities that are trusted beside the system's.",
            r#""/etc/tagboat/ca.pem""#,
        );
        let timeout = keys.defaulted::<Timeout>("timeout", "The deadline of one request.", r#""30s""#, r#""1m""#);
        let token_hosts = keys.optional::<Vec<Host>>(
            "token_hosts",
            "Further hosts that may be sent the credential in exchange for a token.",
            r#"["auth.example.com"]"#,
        );
        if plain_http == Some(true) && ca_file.is_some() {
            return keys.mistake("ca_file", "`ca_file` is of no use with `plain_http = true`", None);
        }
        Some(Self {
            auth,
            plain_http: plain_http.unwrap_or(default.plain_http),
            ca_file: ca_file.map(|file| file.0),
            concurrency: concurrency.map_or(default.concurrency, |number| number.0 as usize),
            rate: rate.map(|rate| rate.0),
            timeout: timeout.map_or(default.timeout, |timeout| timeout.0),
            token_hosts: token_hosts.into_iter().flatten().map(|host| host.0).collect(),
        })
    }
}

/// A host with an optional port, in lower case.
struct Host(String);

impl Read for Host {
    fn schema() -> Json {
        String::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let text = Located::<String>::read(node, context)?;
        registry_host(&text, context).map(|_| Self(text.value.to_ascii_lowercase()))
    }
}

/// Reads a registry.
pub(super) fn registry_host(text: &Located<String>, context: &mut Context<'_>) -> Option<Registry> {
    if text.value.contains('/') {
        return context.mistake(text.at, "a registry is named by its host alone, with a port if it needs one", None);
    }
    parsed(text, Registry::parse, context)
}

/// Brings the registries under their canonical hosts.
pub(super) fn registries(
    named: Vec<(Located<String>, Option<registry::Host>)>,
    context: &mut Context<'_>,
) -> BTreeMap<Registry, registry::Host> {
    let mut hosts = BTreeMap::new();
    let mut places: BTreeMap<Registry, Located<String>> = BTreeMap::new();
    for (name, host) in named {
        let Some(key) = registry_host(&name, context) else { continue };
        if let Some(first) = places.get(&key) {
            let message = format!("this is the same registry as `{}`", first.value);
            context.mistake::<()>(name.at, message, None);
        }
        if let Some(host) = host {
            hosts.insert(key.clone(), host);
        }
        places.insert(key, name);
    }
    hosts
}
