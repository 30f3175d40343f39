//! `auth = { provider = … }`: a cloud's identity instead of a stored password.

use serde_json::{Value as Json, json};

use super::read::{Context, Keys, Located, Read};
use super::source::Node;
use super::values::{Choice, ExistingFile, OneOf};
use crate::image::Registry;
use crate::registry;
use crate::registry::cloud::{Aws, Azure, Cloud, Gcp, Surroundings};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    Aws,
    Gcp,
    Azure,
}

impl Choice for Provider {
    const CHOICES: &'static [(&'static str, Self)] = &[("aws", Self::Aws), ("gcp", Self::Gcp), ("azure", Self::Azure)];
}

/// The keys that are of use with one provider each.
const OWN: [(&str, Provider); 5] = [
    ("region", Provider::Aws),
    ("role_arn", Provider::Aws),
    ("key_file", Provider::Gcp),
    ("client_id", Provider::Azure),
    ("tenant_id", Provider::Azure),
];

/// What `auth` says about a cloud.
pub(super) struct Clouds {
    provider: Option<Provider>,
    region: Option<Region>,
    role_arn: Option<RoleArn>,
    key_file: Option<ExistingFile>,
    client_id: Option<Plain>,
    tenant_id: Option<Plain>,
}

impl Clouds {
    /// Asks for the keys.
    pub(super) fn read(keys: &mut Keys<'_, '_, '_>) -> Self {
        let read = Self {
            provider: keys
                .optional::<OneOf<Provider>>("provider", "The cloud whose identity of this workload gives the login.", r#""aws""#)
                .map(|provider| provider.0),
            region: keys.optional("region", "With \"aws\": the registry's region, where its host does not tell.", r#""eu-west-1""#),
            role_arn: keys.optional(
                "role_arn",
                "With \"aws\": a role to go on to, as for a registry of another account.",
                r#""arn:aws:iam::123456789012:role/ecr-reader""#,
            ),
            key_file: keys.optional(
                "key_file",
                "With \"gcp\": the key file of a service account, or the configuration of a workload identity federation.",
                r#""/run/secrets/gcp.json""#,
            ),
            client_id: keys.optional(
                "client_id",
                "With \"azure\": the identity, where the workload has several.",
                r#""11111111-2222-3333-4444-555555555555""#,
            ),
            tenant_id: keys.optional(
                "tenant_id",
                "With \"azure\": the tenant, where the workload does not tell.",
                r#""66666666-7777-8888-9999-000000000000""#,
            ),
        };
        for (key, provider) in OWN.into_iter().filter(|(key, _)| keys.has(key)).collect::<Vec<_>>() {
            if read.provider.is_some_and(|chosen| chosen != provider) || !keys.has("provider") {
                let message = format!("`{key}` is of use with `provider = \"{}\"` only", name(provider));
                keys.mistake::<()>(key, message, None);
            }
        }
        read
    }

    /// Returns what the keys say, if this build knows the cloud.
    pub(super) fn cloud(self, keys: &mut Keys<'_, '_, '_>) -> Option<Cloud> {
        if self.region.is_none() && keys.has("region") {
            // It was a mistake; that none was given would be another one.
            return None;
        }
        let surroundings: Surroundings = keys.context.variables.iter().collect();
        let plain = |plain: Plain| plain.0;
        let cloud = match self.provider? {
            Provider::Aws => {
                Cloud::Aws(Aws { region: self.region.map(|region| region.0), role_arn: self.role_arn.map(|role| role.0), surroundings })
            }
            Provider::Gcp => Cloud::Gcp(Gcp { key_file: self.key_file.map(|file| file.0), surroundings }),
            Provider::Azure => {
                Cloud::Azure(Azure { client_id: self.client_id.map(plain), tenant_id: self.tenant_id.map(plain), surroundings })
            }
        };
        match cloud.missing_feature() {
            None => Some(cloud),
            Some(feature) => {
                let message = format!("this tagboat is built without {}", cloud.name());
                keys.mistake("provider", message, Some(format!("take a build with the cargo feature `{feature}`")))
            }
        }
    }
}

fn name(provider: Provider) -> &'static str {
    Provider::CHOICES.iter().find(|(_, choice)| *choice == provider).map_or("", |(name, _)| name)
}

/// Notes a cloud's identity that cannot serve the registry it is given for.
pub(super) fn check(name: &Located<String>, registry: &Registry, host: &registry::Host, context: &mut Context<'_>) {
    if let Some(registry::Auth::Cloud(cloud)) = &host.auth
        && !cloud.knows(registry)
    {
        let message = "this is no host of ECR, so its region is not known";
        context.mistake::<()>(name.at, message, Some("add `region` to `auth`".to_owned()));
    }
}

/// A region of AWS.
struct Region(String);

impl Read for Region {
    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$" })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let text = String::read(node, context)?;
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if text.split('-').all(is_part) {
            return Some(Self(text));
        }
        context.mistake(node.at, "expected a region, such as eu-west-1", None)
    }
}

/// A name of a cloud's that becomes a part of addresses.
struct Plain(String);

impl Read for Plain {
    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9.-]*$" })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let text = String::read(node, context)?;
        if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-') && !text.starts_with(['.', '-']) {
            return Some(Self(text));
        }
        context.mistake(node.at, "expected letters, digits, `-` and `.` only", None)
    }
}

/// The name of a role.
struct RoleArn(String);

impl Read for RoleArn {
    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^arn:[^:]+:iam::[0-9]{12}:role/.+$" })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let text = String::read(node, context)?;
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        match parts.as_slice() {
            ["arn", partition, "iam", "", account, role]
                if !partition.is_empty() && is_account(account) && role.strip_prefix("role/").is_some_and(|name| !name.is_empty()) =>
            {
                Some(Self(text))
            }
            _ => context.mistake(node.at, "expected the ARN of a role, such as arn:aws:iam::123456789012:role/ecr-reader", None),
        }
    }
}
