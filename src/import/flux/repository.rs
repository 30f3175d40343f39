//! ImageRepository: what is listed, how often, and how its host is reached.

use std::collections::HashMap;

use super::fields::{Fields, full_name, secret_file};
use super::hosts::Hosts;
use super::input::Input;
use crate::image::{Reference, Repository};
use crate::import::{Line, Object, Remark, quoted, shown};

/// What an ImageRepository says of each policy that uses it.
pub(super) struct Scan<'a> {
    pub(super) object: &'a Object,
    /// The image as it is written, which the file keeps.
    pub(super) written: &'a str,
    pub(super) repository: Repository,
    pub(super) interval: Option<String>,
    /// None if it is left to Flux's default.
    pub(super) exclude: Option<Vec<&'a str>>,
    pub(super) is_suspended: bool,
}

/// The ImageRepositories that can be used, by where they stand.
pub(super) struct Scans<'a>(HashMap<*const Object, Scan<'a>>);

impl<'a> Scans<'a> {
    pub(super) fn of(&self, object: &'a Object) -> Option<&Scan<'a>> {
        self.0.get(&std::ptr::from_ref(object))
    }
}

const KNOWN: &[&str] = &[
    "image",
    "interval",
    "timeout",
    "exclusionList",
    "secretRef",
    "serviceAccountName",
    "provider",
    "certSecretRef",
    "proxySecretRef",
    "insecure",
    "accessFrom",
    "suspend",
];

/// Reads all ImageRepositories.
pub(super) fn scans<'a>(input: &Input<'a>, hosts: &mut Hosts, remarks: &mut Vec<Remark>) -> Scans<'a> {
    let read = |object| Some((std::ptr::from_ref(object), scan(Fields::new(object, &mut *remarks), input, hosts)?));
    Scans(input.repositories.iter().filter_map(read).collect())
}

fn scan<'a>(mut fields: Fields<'a, '_>, input: &Input<'a>, hosts: &mut Hosts) -> Option<Scan<'a>> {
    fields.only(KNOWN);
    let written = fields.needed("spec.image", "it names no image, so it is left out with its policies")?;
    let repository = match Repository::parse(written) {
        Ok(repository) => repository,
        Err(_) if written.contains("://") => {
            return fields.broken("spec.image", format!("Flux takes no scheme here: `{}`", shown(written)));
        }
        Err(_) if Reference::parse(written).is_ok() => {
            return fields.broken("spec.image", format!("Flux takes no tag or digest here: `{}`", shown(written)));
        }
        Err(error) => return fields.broken("spec.image", error.to_string()),
    };
    fields.lost_if_there(
        "spec.accessFrom",
        "a policy file has one owner, who may use every repository in it",
        "a Tagboat for each team, with its own credentials",
    );
    let is_suspended = fields.is_on("spec.suspend");
    let (interval, exclude) = (fields.duration("spec.interval"), fields.texts("spec.exclusionList"));
    if !is_suspended && !fields.is_broken {
        host(&mut fields, repository.registry().to_string().as_str(), input, hosts);
    }
    let object = fields.object;
    (!fields.is_broken).then_some(Scan { object, written, repository, interval, exclude, is_suspended })
}

/// Brings what concerns the host to its table.
fn host(fields: &mut Fields<'_, '_>, host: &str, input: &Input<'_>, hosts: &mut Hosts) {
    credential(fields, host, hosts);
    let is_plain = fields.is_on("spec.insecure");
    if is_plain {
        hosts.set(host, Line::new("plain_http", "true"), fields, "spec.insecure");
    }
    if is_plain {
        fields.lost_if_there("spec.certSecretRef", "there is no TLS with `plain_http = true`", "leave out one of the two");
    } else {
        certificates(fields, host, input, hosts);
    }
    proxy(fields, host, input, hosts);
    if let Some(timeout) = fields.duration("spec.timeout") {
        let line = Line::text("timeout", &timeout).because("of one request; in Flux, of a whole scan");
        hosts.set(host, line, fields, "spec.timeout");
    }
}

fn credential(fields: &mut Fields<'_, '_>, host: &str, hosts: &mut Hosts) {
    let provider = fields.text("spec.provider").filter(|provider| *provider != "generic");
    let secret = fields.text("spec.secretRef.name");
    match provider {
        Some(provider @ ("aws" | "gcp" | "azure")) => {
            let line = Line::new("auth", format!("{{ provider = {} }}", quoted(provider)));
            hosts.set(host, line.because("the identity of the workload that Tagboat runs as"), fields, "spec.provider");
            if secret.is_some() {
                fields.note("spec.secretRef", "with a `provider` Flux does not use it either", "");
            }
            fields.lost_if_there(
                "spec.serviceAccountName",
                "Tagboat has one identity a cloud, that of its own workload",
                "give Tagboat's own service account the right to pull; of AWS, `role_arn` in `auth` names a further role",
            );
            return;
        }
        Some(other) => {
            fields.broken::<()>("spec.provider", format!("`{}` is none of generic, aws, azure and gcp", shown(other)));
        }
        None => {}
    }
    if let Some(name) = secret {
        let namespace = fields.object.namespace();
        let file = secret_file(namespace, name, "password");
        let table = format!("{{ username = \"put-the-username-here\", password = {{ file = {} }} }}", quoted(&file));
        let line = Line::new("auth", table).because(format!("the Secret {}", full_name(namespace, name)));
        hosts.set(host, line, fields, "spec.secretRef");
        let reason = format!("secrets are not carried over; that of {host} is in the Secret {}", full_name(namespace, name));
        let instead = format!("put the password of its .dockerconfigjson in {file}, and the username in `auth`");
        fields.note("spec.secretRef", &reason, &instead);
    }
    fields.lost_if_there(
        "spec.serviceAccountName",
        "Tagboat does not read the pull secrets of a service account",
        "`auth` of the registry, or Docker's config file by `docker_config` in [watch]",
    );
}

fn certificates(fields: &mut Fields<'_, '_>, host: &str, input: &Input<'_>, hosts: &mut Hosts) {
    let Some(name) = fields.text("spec.certSecretRef.name") else { return };
    let namespace = fields.object.namespace();
    let has = |keys: [&str; 2]| {
        let known: Vec<bool> = keys.iter().filter_map(|key| input.secret_has(namespace, name, key)).collect();
        if known.is_empty() { None } else { Some(known.contains(&true)) }
    };
    let file = |key| quoted(&secret_file(namespace, name, key));
    let (authority, certificate) = (has(["ca.crt", "caFile"]), has(["tls.crt", "certFile"]));
    if authority != Some(false) {
        hosts.set(host, Line::new("ca_file", file("ca.crt")), fields, "spec.certSecretRef");
    }
    if certificate == Some(true) {
        hosts.set(host, Line::new("client_cert", file("tls.crt")), fields, "spec.certSecretRef");
        hosts.set(host, Line::new("client_key", file("tls.key")), fields, "spec.certSecretRef");
    }
    let reason = format!("secrets are not carried over; the certificates of {host} are in the Secret {}", full_name(namespace, name));
    let folder = secret_file(namespace, name, "");
    let instead = match certificate {
        None => format!("put its ca.crt in {folder}; if it has tls.crt and tls.key, those too, as `client_cert` and `client_key`"),
        Some(_) => format!("put its files in {folder}"),
    };
    fields.note("spec.certSecretRef", &reason, &instead);
}

fn proxy(fields: &mut Fields<'_, '_>, host: &str, input: &Input<'_>, hosts: &mut Hosts) {
    let Some(name) = fields.text("spec.proxySecretRef.name") else { return };
    let namespace = fields.object.namespace();
    let line = Line::text("proxy", "http://proxy.example.com:3128").because("put the Secret's `address` here");
    hosts.set(host, line, fields, "spec.proxySecretRef");
    let password = secret_file(namespace, name, "password");
    if input.secret_has(namespace, name, "username") == Some(true) {
        let table = format!("{{ username = \"put-the-username-here\", password = {{ file = {} }} }}", quoted(&password));
        hosts.set(host, Line::new("proxy_auth", table), fields, "spec.proxySecretRef");
    }
    let reason = format!("secrets are not carried over; the proxy of {host} is in the Secret {}", full_name(namespace, name));
    let instead =
        format!("put its `address` into `proxy`; if it has a username and a password, give `proxy_auth`, with the password in {password}");
    fields.note("spec.proxySecretRef", &reason, &instead);
}
