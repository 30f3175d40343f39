//! Secrets: always a file or an environment variable, never the secret itself.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::Presence;
use super::clouds::Clouds;
use super::read::{Context, Keys, Located, Read, ReadTable, conceal_all};
use super::source::{Node, Value};
use super::values::{ExistingFile, FilePath, file_error, parsed};
use crate::redact::{Secret, SecretError, SecretSource};
use crate::{environment, registry};

/// Refuses anything but a table where a secret's source belongs, and keeps it from being shown.
fn literal<T>(node: &Node, help: &str, context: &mut Context<'_>) -> Option<T> {
    conceal_all(context, node);
    context.mistake(node.at, "a secret is never written in the policy file", Some(help.to_owned()))
}

impl Read for SecretSource {
    fn schema() -> Json {
        Kept::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match node.value {
            Value::Table(_) => <Kept as Read>::read(node, context).map(|kept| kept.0),
            _ => literal(node, "name the place where it is kept: { file = \"…\" } or { env = \"…\" }", context),
        }
    }
}

/// The table that says where a secret is kept.
struct Kept(SecretSource);

impl ReadTable for Kept {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let file =
            keys.optional::<Located<FilePath>>("file", "A file that holds the secret, read again at each use.", r#""/run/secrets/token""#);
        let variable =
            keys.optional::<Located<String>>("env", "An environment variable that holds the secret, read at start.", r#""TOKEN""#);
        keys.one_of(&[&["file"], &["env"]])?;
        if let Some(file) = file {
            return kept_in_file(file, keys.context).map(Self);
        }
        kept_in_variable(variable?, keys.context).map(Self)
    }
}

fn kept_in_file(file: Located<FilePath>, context: &mut Context<'_>) -> Option<SecretSource> {
    let source = SecretSource::File(file.value.0);
    if context.presence == Presence::Deferred {
        return Some(source);
    }
    match source.read() {
        Ok(_) => Some(source),
        Err(SecretError::File { cause, .. }) => context.mistake(file.at, format!("the secret is not there: {}", file_error(&cause)), None),
        Err(error @ SecretError::Unset { .. }) => context.mistake(file.at, error.to_string(), None),
    }
}

fn kept_in_variable(name: Located<String>, context: &mut Context<'_>) -> Option<SecretSource> {
    let Located { value: name, at } = name;
    match context.variables.get(&name) {
        Some(value) if !value.is_empty() => Some(SecretSource::Env { value: Secret::new(value), name }),
        _ if context.presence == Presence::Deferred => Some(SecretSource::Unset { name }),
        Some(_) => context.mistake(at, "the environment variable is empty", None),
        None => context.mistake(at, "the environment variable is not set", None),
    }
}

/// The table that says where a private key is kept; OpenSSH reads it, so it is always a file.
struct KeyFile(PathBuf);

struct KeyTable(PathBuf);

impl Read for KeyFile {
    fn schema() -> Json {
        KeyTable::schema()
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        match node.value {
            Value::Table(_) => <KeyTable as Read>::read(node, context).map(|table| Self(table.0)),
            _ => literal(node, "name the file where it is kept: { file = \"…\" }", context),
        }
    }
}

impl ReadTable for KeyTable {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let file = keys.required::<ExistingFile>("file", "The file of the private key, in OpenSSH's form.", r#""/run/secrets/deploy-key""#);
        file.map(|file| Self(file.0))
    }
}

impl ReadTable for registry::Auth {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let username = keys.optional::<String>("username", "The user.", r#""bot""#);
        let password =
            keys.optional::<SecretSource>("password", "The password or access token of the user.", r#"{ file = "/run/secrets/ghcr" }"#);
        let token = keys.optional::<SecretSource>("token", "A bearer token that is sent as it is.", r#"{ env = "REGISTRY_TOKEN" }"#);
        let docker_config = keys.optional::<ExistingFile>(
            "docker_config",
            "A file of the form of Docker's config.json, such as a mounted secret of type kubernetes.io/dockerconfigjson; read again \
             when it changes.",
            r#""/run/secrets/registry/.dockerconfigjson""#,
        );
        let helper = keys.optional::<registry::Helper>(
            "helper",
            "A credential helper program: \"ecr-login\" runs docker-credential-ecr-login.",
            r#""ecr-login""#,
        );
        let clouds = Clouds::read(keys);
        match keys.one_of(&[&["username", "password"], &["token"], &["docker_config"], &["helper"], &["provider"]])? {
            0 => Some(Self::Basic { username: username?, password: password? }),
            1 => token.map(Self::Bearer),
            2 => docker_config.map(|file| Self::DockerConfig(file.0)),
            3 => helper.map(Self::Helper),
            _ => clouds.cloud(keys).map(Self::Cloud),
        }
    }
}

impl Read for registry::Helper {
    fn schema() -> Json {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+$" })
    }

    fn read(node: &Node, context: &mut Context<'_>) -> Option<Self> {
        let name = Located::<String>::read(node, context)?;
        parsed(&name, Self::parse, context)
    }
}

impl ReadTable for environment::Auth {
    const GUARDED: bool = true;

    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let username = keys.optional::<String>("username", "The user, for https.", r#""bot""#);
        let password = keys.optional::<SecretSource>("password", "The password or access token, for https.", r#"{ env = "GIT_TOKEN" }"#);
        let key = keys.optional::<KeyFile>("ssh_key", "The private key, for ssh.", r#"{ file = "/run/secrets/deploy-key" }"#);
        let known_hosts = keys.optional::<ExistingFile>(
            "known_hosts",
            "The host keys to trust for ssh, as OpenSSH keeps them. Default: OpenSSH's own files.",
            r#""/etc/tagboat/known_hosts""#,
        );
        match keys.one_of(&[&["username", "password"], &["ssh_key"]])? {
            0 if keys.has("known_hosts") => keys.mistake("known_hosts", "`known_hosts` is of use with `ssh_key` only", None),
            0 => Some(Self::Basic { username: username?, password: password? }),
            _ => Some(Self::Ssh { key: key?.0, known_hosts: known_hosts.map(|file| file.0) }),
        }
    }
}
