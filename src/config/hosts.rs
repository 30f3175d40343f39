//! `[registry."host"]`: how a registry is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::clouds;
use super::read::{Context, Keys, Located, Read, ReadTable};
use super::source::{Node, Value};
use super::values::{ExistingFile, Rate, Timeout, Whole, parsed};
use crate::image::Registry;
use crate::redact::{SafeUrl, SecretSource};
use crate::registry;
use crate::registry::proxy::BadProxy;

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
        let client_cert = keys.optional::<ExistingFile>(
            "client_cert",
            "A PEM file of the certificate that is shown to the registry, read again when it changes.",
            r#""/etc/tagboat/client.pem""#,
        );
        let client_key =
            keys.optional::<KeyFile>("client_key", "A PEM file of the private key of `client_cert`.", r#""/run/secrets/client-key.pem""#);
        let proxy = keys.optional::<Proxy>(
            "proxy",
            "The proxy through which the registry is reached, or \"none\". Default: what the environment says (HTTPS_PROXY, NO_PROXY).",
            r#""http://proxy.example.com:3128""#,
        );
        let proxy_auth = keys.optional::<registry::ProxyAuth>(
            "proxy_auth",
            "The credential of the proxy.",
            r#"{ username = "bot", password = { env = "PROXY_PASSWORD" } }"#,
        );
        let mirror = keys.optional::<registry::Mirror>(
            "mirror",
            "Another registry that is asked instead, with a prefix of names if it has one. It has a table of its own.",
            r#""mirror.example.com/dockerhub""#,
        );
        let timeout = keys.defaulted::<Timeout>("timeout", "The deadline of one request.", r#""30s""#, r#""1m""#);
        let token_hosts = keys.optional::<Vec<Host>>(
            "token_hosts",
            "Further hosts that may be sent the credential in exchange for a token.",
            r#"["auth.example.com"]"#,
        );
        let sound = [encrypted(keys, plain_http == Some(true)), paired(keys), proxied(keys, proxy.as_ref()), mirrored(keys)];
        if sound.contains(&None) {
            return None;
        }
        Some(Self {
            auth,
            plain_http: plain_http.unwrap_or(default.plain_http),
            ca_file: ca_file.map(|file| file.0),
            client_cert: client_cert.zip(client_key).map(|(cert, key)| registry::ClientCert { cert: cert.0, key: key.0 }),
            proxy: match proxy {
                Some(Proxy(Some(url))) => registry::Proxy::Through { url, auth: proxy_auth },
                Some(Proxy(None)) => registry::Proxy::Direct,
                None => registry::Proxy::Environment,
            },
            mirror,
            concurrency: concurrency.map_or(default.concurrency, |number| number.0 as usize),
            rate: rate.map(|rate| rate.0),
            timeout: timeout.map_or(default.timeout, |timeout| timeout.0),
            token_hosts: token_hosts.into_iter().flatten().map(|host| host.0).collect(),
        })
    }
}

/// What is about TLS means nothing without it.
fn encrypted(keys: &mut Keys<'_, '_, '_>, plain: bool) -> Option<()> {
    let idle: Vec<&str> = ["ca_file", "client_cert", "client_key"].into_iter().filter(|key| plain && keys.has(key)).collect();
    all(idle, |key| keys.mistake(key, format!("`{key}` is of no use with `plain_http = true`"), None))
}

/// A certificate is nothing without its key.
fn paired(keys: &mut Keys<'_, '_, '_>) -> Option<()> {
    match (keys.has("client_cert"), keys.has("client_key")) {
        (true, false) => {
            keys.mistake("client_cert", "`client_key` is missing", Some("a certificate is shown with its private key".to_owned()))
        }
        (false, true) => keys.mistake("client_key", "`client_cert` is missing", Some("a private key goes with its certificate".to_owned())),
        _ => Some(()),
    }
}

fn proxied(keys: &mut Keys<'_, '_, '_>, proxy: Option<&Proxy>) -> Option<()> {
    if keys.has("proxy_auth") && !keys.has("proxy") {
        let help = "that of a proxy of the environment belongs in the variable".to_owned();
        return keys.mistake("proxy_auth", "`proxy_auth` is of use with `proxy` only", Some(help));
    }
    match proxy {
        Some(Proxy(None)) if keys.has("proxy_auth") => {
            keys.mistake("proxy_auth", "`proxy_auth` is of no use with `proxy = \"none\"`", None)
        }
        _ => Some(()),
    }
}

/// Nothing is sent to a registry that has a mirror, so nothing else need be said of it.
fn mirrored(keys: &mut Keys<'_, '_, '_>) -> Option<()> {
    if !keys.has("mirror") {
        return Some(());
    }
    let idle: Vec<&str> = keys.known.iter().map(|key| key.name).filter(|name| *name != "mirror" && keys.has(name)).collect();
    let help = || Some("all requests go to the mirror: say it in the mirror's own table".to_owned());
    all(idle, |key| keys.mistake(key, format!("`{key}` is of no use beside `mirror`"), help()))
}

/// Notes a mistake at each of these keys.
fn all(keys: Vec<&str>, mistake: impl FnMut(&str) -> Option<()>) -> Option<()> {
    // Each is noted before the first spoils the whole.
    keys.into_iter().map(mistake).collect::<Vec<_>>().into_iter().collect()
}

/// The path of a private key; a key in its place is kept from being shown.
struct KeyFile(PathBuf);

impl Read for KeyFile {
    fn schema() -> Json {
        ExistingFile::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        if matches!(&node.value, Value::Text(text) if text.contains("-----")) {
            context.conceal(node.at);
            let help = "name the file where it is kept".to_owned();
            return context.mistake(node.at, "a secret is never written in the policy file", Some(help));
        }
        ExistingFile::read(node, context).map(|file| Self(file.0))
    }
}

/// A proxy's URL, or none for `"none"`.
struct Proxy(Option<SafeUrl>);

impl Read for Proxy {
    fn schema() -> Json {
        String::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let text = Located::<String>::read(node, context)?;
        if text.value == "none" {
            return Some(Self(None));
        }
        if text.value.contains('@') {
            context.conceal(text.at);
        }
        match registry::proxy::parse(&text.value) {
            Ok(url) => Some(Self(Some(url))),
            Err(reason) => {
                let help = match reason {
                    BadProxy::Credential => Some("give it as `proxy_auth`"),
                    BadProxy::Url => Some("or \"none\", for no proxy at all"),
                    BadProxy::Path => None,
                };
                context.mistake(text.at, reason.to_string(), help.map(str::to_owned))
            }
        }
    }
}

impl ReadTable for registry::ProxyAuth {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let username = keys.required::<String>("username", "The user.", r#""bot""#);
        let password = keys.required::<SecretSource>("password", "The password of the user.", r#"{ env = "PROXY_PASSWORD" }"#);
        Some(Self { username: username?, password: password? })
    }
}

impl Read for registry::Mirror {
    fn schema() -> Json {
        String::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let text = Located::<String>::read(node, context)?;
        if text.value.contains("://") {
            let help = "its own table says how it is reached: \"mirror.example.com/dockerhub\"".to_owned();
            return context.mistake(text.at, "a mirror is named by its host, with a prefix of names if it has one", Some(help));
        }
        parsed(&text, Self::parse, context)
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
            clouds::check(&name, &key, &host, context);
            hosts.insert(key.clone(), host);
        }
        places.insert(key, name);
    }
    let has_mirror = |registry: &Registry| hosts.get(registry).is_some_and(|host: &registry::Host| host.mirror.is_some());
    for (registry, host) in &hosts {
        if let (Some(mirror), Some(place)) = (&host.mirror, places.get(registry))
            && has_mirror(&mirror.registry)
        {
            let (message, help) = if mirror.registry == *registry {
                ("this registry is its own mirror".to_owned(), None)
            } else {
                let help = format!("name the registry that is to be asked in the end as `mirror` of {registry}, too");
                (format!("the mirror {} has a mirror itself", mirror.registry), Some(help))
            };
            context.mistake::<()>(place.at, message, help);
        }
    }
    hosts
}
