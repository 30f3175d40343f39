//! The top of the policy file, and `[watch]`, the daemon's own settings.

use std::path::PathBuf;
use std::time::Duration;

use super::environments::Environment;
use super::files::File;
use super::images::Image;
use super::read::{Keys, Located, Named, ReadTable};
use super::values::{Choice, ExistingFile, FilePath, Interval, Listen, LogLevel, OneOf};
use super::webhooks::Webhook;
use crate::{http, registry, telemetry};

/// The whole file.
pub(super) struct Root {
    pub(super) watch: Option<Watch>,
    pub(super) registries: Vec<(Located<String>, Option<registry::Host>)>,
    pub(super) environments: Vec<(Located<String>, Option<Environment>)>,
    pub(super) webhooks: Vec<(Located<String>, Option<Webhook>)>,
    pub(super) images: Option<Vec<Located<Image>>>,
    pub(super) files: Option<Vec<Located<File>>>,
    /// Whether the file speaks of images and environments at all.
    pub(super) speaks_of: (bool, bool),
}

impl ReadTable for Root {
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let watch = keys.optional("watch", "The daemon itself.", r#"{ interval = "5m" }"#);
        let registries = keys.optional::<Named<registry::Host>>(
            "registry",
            "How registries are reached, by host. A host that is not named is used anonymously or through Docker's config file.",
            r#"{ "ghcr.io" = { rate = "20/s" } }"#,
        );
        let environments = keys.optional::<Named<Environment>>(
            "environment",
            "The Git environment repositories, by a name of yours.",
            r#"{ prod = { url = "https://git.example.com/acme/environments.git" } }"#,
        );
        let webhooks = keys.optional::<Named<Webhook>>(
            "webhook",
            "Who may send push events, by a name of yours that is the last part of the path: POST /webhook/NAME.",
            r#"{ harbor = { secret = { file = "/run/secrets/harbor-webhook" } } }"#,
        );
        let images = keys.optional(
            "image",
            "Which repositories are watched, and how their tags are chosen. A rule that names a repository goes before one with a pattern, else the first in the file decides.",
            r#"[{ repository = "ghcr.io/acme/api", policy = { semver = "^1.4" } }]"#,
        );
        let files = keys.optional(
            "file",
            "Regular expressions that find references in files of any kind, beside what is found in manifests, Dockerfiles and Terraform.",
            r#"[{ paths = ["**/*.env"], regex = ['IMAGE=(?<repository>[^:\s]+):(?<tag>\S+)'] }]"#,
        );
        Some(Self {
            watch,
            registries: registries.map(|named| named.0).unwrap_or_default(),
            environments: environments.map(|named| named.0).unwrap_or_default(),
            webhooks: webhooks.map(|named| named.0).unwrap_or_default(),
            images,
            files,
            speaks_of: (keys.has("image"), keys.has("environment")),
        })
    }
}

/// The daemon's own settings; the defaults layer sees to it that those without a question mark are there.
pub(super) struct Watch {
    pub(super) interval: Duration,
    pub(super) state_dir: PathBuf,
    pub(super) http: http::Config,
    pub(super) docker_config: Option<PathBuf>,
    pub(super) telemetry: telemetry::Config,
}

impl ReadTable for Watch {
    fn read(keys: &mut Keys<'_, '_, '_>) -> Option<Self> {
        let interval =
            keys.defaulted::<Interval>("interval", "How often each repository is listed, give or take some jitter.", r#""5m""#, r#""15m""#);
        let state_dir = keys.defaulted::<FilePath>(
            "state_dir",
            "Where bare clones and the state file are kept; caches, safe to delete.",
            r#""/var/lib/tagboat""#,
            r#""state""#,
        );
        let listen =
            keys.defaulted::<Listen>("listen", "The address and port for health, metrics and webhooks.", r#""off""#, r#""0.0.0.0:8080""#);
        let docker_config = keys.optional::<ExistingFile>(
            "docker_config",
            "Docker's config file, for the credentials of registries without `auth`. \
             Default: config.json in $DOCKER_CONFIG or ~/.docker, if it is there.",
            r#""/run/secrets/docker/config.json""#,
        );
        let log = keys.defaulted::<OneOf<telemetry::Format>>(
            "log",
            "The form of log lines: \"text\" for people or \"json\" for machines.",
            r#""text""#,
            r#""json""#,
        );
        let log_level = keys.defaulted::<LogLevel>(
            "log_level",
            "Which log lines are written: a level, or levels by module.",
            r#""info""#,
            r#""info,tagboat::registry=debug""#,
        );
        Some(Self {
            interval: interval?.0,
            state_dir: state_dir?.0,
            http: http::Config { listen: listen?.0, webhooks: Vec::new() },
            docker_config: docker_config.map(|file| file.0),
            telemetry: telemetry::Config { format: log?.0, filter: log_level?.0 },
        })
    }
}

impl Choice for telemetry::Format {
    const CHOICES: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}
