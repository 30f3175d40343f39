//! From Keel: labels and annotations of workloads, and the `keel` block of Helm values.
//!
//! Owns what its settings mean in a policy file. Keel changes the cluster and knows no Git, so the environment is to be filled in. Two
//! things are different on purpose: what is current is read from Git, and a prerelease's suffix that names a base system is a variant.

mod policy;
mod schedule;
mod settings;
mod values;

use std::collections::BTreeSet;

use serde_yaml::Value;

use super::common::{Rule, Teller, at, docker_config, full_name, items, register, repository, scalar, settle, split_image, text};
use super::gather::gathered;
use super::{Draft, Object, foreign};
use settings::Settings;

/// An image that Keel keeps up to date.
struct Image {
    /// Where it is named, for remarks.
    field: String,
    /// With its tag, as written.
    written: String,
    /// The secret for its registry.
    pull_secret: Option<String>,
}

/// Brings the settings of Keel along.
#[must_use]
pub fn import(objects: &[Object]) -> Draft {
    let mut draft = Draft::default();
    let mut rules = Vec::new();
    for object in objects {
        match object.kind() {
            "Deployment" | "StatefulSet" | "DaemonSet" | "CronJob" => workload(object, &mut rules, &mut draft),
            "HelmRelease" => match object.at("/spec/values") {
                Some(block) if at(block, &["keel"]).is_some() => values::import(object, block, "spec.values.", &mut rules, &mut draft),
                _ => {}
            },
            // What has no kind is taken for values of a chart, most of which have no such block.
            "" if at(&object.value, &["keel"]).is_some() => values::import(object, &object.value, "", &mut rules, &mut draft),
            "" => {}
            _ => foreign::skip(object, &mut draft.foreign),
        }
    }
    settle(rules, &mut draft);
    Draft { remarks: gathered(draft.remarks), ..draft }
}

/// Takes the images of a workload that has a policy.
fn workload<'a>(object: &'a Object, rules: &mut Vec<Rule<'a>>, draft: &mut Draft) {
    let mut tell = Teller::new(object, &mut draft.remarks);
    let Some(settings) = Settings::of_workload(object, &mut tell) else { return };
    let pod = ["/spec/jobTemplate/spec/template/spec", "/spec/template/spec"].into_iter().find_map(|path| object.at(path));
    let Some(pod) = pod.filter(|pod| pod.is_mapping()) else {
        return tell.broken("spec.template.spec", "the workload has no containers");
    };
    let only = settings.text("monitorContainers").and_then(|pattern| match regex::Regex::new(&pattern) {
        Ok(regex) => Some(regex),
        Err(_) => {
            tell.broken("keel.sh/monitorContainers", format!("`{pattern}` is no regular expression; all containers were taken"));
            None
        }
    });
    let pull_secret = settings.text("imagePullSecret");
    let pull_secret = pull_secret.or_else(|| items(pod, &["imagePullSecrets"]).first().and_then(|secret| text(secret, &["name"])));
    let mut images = Vec::new();
    let mut take = |list: &str, path: &[&str]| {
        for container in items(pod, &[list]) {
            let name = text(container, &["name"]).unwrap_or_default();
            let is_meant = list == "volumes" || only.as_ref().is_none_or(|only| only.is_match(&name));
            if let Some(written) = text(container, path).filter(|_| is_meant) {
                images.push(Image { field: format!("{list}[{name}]"), written, pull_secret: pull_secret.clone() });
            }
        }
    };
    take("containers", &["image"]);
    if settings.is("initContainers") {
        take("initContainers", &["image"]);
    }
    if settings.is("imageVolumes") {
        take("volumes", &["image", "reference"]);
    }
    if images.is_empty() {
        tell.broken("spec.template.spec.containers", "there is a policy, but no container that it is for");
    }
    carry_over(object, &settings, images, rules, draft);
}

/// Turns the images of an object into rules.
fn carry_over<'a>(object: &'a Object, settings: &Settings, images: Vec<Image>, rules: &mut Vec<Rule<'a>>, draft: &mut Draft) {
    let mut tell = Teller::new(object, &mut draft.remarks);
    let Some(policy_text) = settings.policy(&mut tell) else { return };
    let interval = settings.interval(&mut tell);
    settings.tell_of_the_rest(&mut tell);
    let mut logins = BTreeSet::new();
    for image in images {
        let (name, tag) = split_image(&image.written);
        let Some(known) = repository(name) else {
            tell.broken(&image.field, format!("`{}` is no name of an image", image.written));
            continue;
        };
        let Some(policy) = policy::policy(&policy_text, tag, &image.field, settings, &mut tell) else { continue };
        if let Some(secret) = image.pull_secret {
            logins.insert((known.registry().to_string(), secret));
        }
        rules.push(Rule {
            object,
            field: image.field,
            repository: name.to_owned(),
            policy,
            environment: None,
            paths: Vec::new(),
            interval: interval.clone(),
            from: vec![origin(object)],
        });
    }
    for (host, secret) in logins {
        let mut tell = Teller::new(object, &mut draft.remarks);
        let namespace = object.namespace();
        tell.note(
            "imagePullSecret",
            format!("the secret {} is read as a file", full_name(namespace, &secret)),
            "mount it where `docker_config` says",
        );
        if !register(draft, &host, docker_config(namespace, &secret)) {
            let reason = format!("{host} has another credential already, and a registry has one");
            Teller::new(object, &mut draft.remarks).lost("imagePullSecret", reason, "one account that may read all repositories");
        }
    }
}

/// Names what an image comes from; values have no name of their own.
fn origin(object: &Object) -> String {
    if object.kind().is_empty() { object.origin.file.clone() } else { object.title() }
}

/// Reads a scalar behind a dotted path, such as `images[0].tag` or `image.tag`.
fn dotted(value: &Value, path: &str) -> Option<String> {
    let mut value = value;
    for part in path.split('.') {
        let (key, indexes) = part.split_once('[').map_or((part, None), |(key, rest)| (key, Some(rest)));
        value = value.get(key)?;
        for index in indexes.into_iter().flat_map(|rest| rest.split('[')) {
            value = value.get(index.strip_suffix(']')?.parse::<usize>().ok()?)?;
        }
    }
    scalar(value)
}
