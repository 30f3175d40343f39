//! ImageUpdaters: which Applications they are about, and what is said on which level.

use serde_yaml::Value;

use super::settings::{Settings, UPDATER, WriteBack, unknown};
use super::wanted::{Targets, Wanted, annotated, parse};
use super::{GROUP, Plan};
use crate::import::common::{Glob, Teller, at, glob, items, scalar, text, texts};
use crate::import::{Object, Remark};

/// What an ImageUpdater says about some Applications, with what it says for all laid below.
struct Group<'a> {
    updater: &'a Object,
    pattern: String,
    /// What the pattern means; none if it is one name.
    names: Option<regex::Regex>,
    selector: Option<Value>,
    by_annotations: bool,
    images: Vec<Wanted>,
    write_back: WriteBack,
}

/// Finds what is wanted for each Application that an ImageUpdater is about: of several groups the most specific counts.
pub(super) fn plans<'a>(updaters: &[&'a Object], applications: &[&'a Object], remarks: &mut Vec<Remark>) -> Vec<Plan<'a>> {
    let groups: Vec<Group<'a>> = updaters.iter().flat_map(|updater| groups(updater, remarks)).collect();
    let mut plans = Vec::new();
    for &application in applications {
        let matching = groups.iter().filter_map(|group| Some((group.weight(application)?, group)));
        let Some((_, group)) = matching.clone().fold(None, |best: Option<(u64, &Group<'a>)>, (weight, group)| match best {
            Some((most, first)) if most >= weight => Some((most, first)),
            _ => Some((weight, group)),
        }) else {
            continue;
        };
        if let Some((_, other)) = matching.clone().find(|(_, other)| !std::ptr::eq(other.updater, group.updater)) {
            let reason = format!("{} is about {} too; {} was taken", other.updater.title(), application.title(), group.updater.title());
            Teller::new(other.updater, remarks).lost("spec.applicationRefs", reason, "one rule for each image and its paths");
        }
        if group.by_annotations {
            plans.extend(annotated(application, application, remarks));
            continue;
        }
        if application.annotations().keys().any(|key| key.starts_with(GROUP)) {
            let reason = format!("{} does not set useAnnotations, so the annotations do not count", group.updater.title());
            Teller::new(application, remarks).note("metadata.annotations", reason, "");
        }
        plans.push(Plan {
            application,
            said_by: group.updater,
            names: &UPDATER,
            images: group.images.clone(),
            write_back: group.write_back.clone(),
        });
    }
    for group in &groups {
        let is_used = applications.iter().any(|application| group.weight(application).is_some());
        if !is_used {
            let reason =
                format!("no Application of the input is called `{}` and has the labels; its repository is not known", group.pattern);
            let instead = "import the Applications with it: kubectl get applications,imageupdaters -A -o yaml";
            Teller::new(group.updater, remarks).lost("spec.applicationRefs", reason, instead);
        }
    }
    plans
}

/// Gives the images of groups that no Application of the input belongs to.
pub(super) fn homeless<'a>(updaters: &[&'a Object], plans: &[Plan<'a>]) -> Vec<(&'a Object, Wanted)> {
    // What is to be told of these groups was told when the plans were made.
    let groups = updaters.iter().flat_map(|updater| groups(updater, &mut Vec::new()));
    let is_used = |group: &Group<'a>| plans.iter().any(|plan| group.weight(plan.application).is_some());
    groups
        .filter(|group| !is_used(group) && !group.by_annotations)
        .flat_map(|group| group.images.into_iter().map(move |image| (group.updater, image)))
        .collect()
}

/// Reads what an ImageUpdater says.
fn groups<'a>(updater: &'a Object, remarks: &mut Vec<Remark>) -> Vec<Group<'a>> {
    let mut tell = Teller::new(updater, remarks);
    let Some(spec) = at(&updater.value, &["spec"]).filter(|spec| spec.is_mapping()) else {
        tell.broken("spec", "the ImageUpdater says nothing");
        return Vec::new();
    };
    const KNOWN: [&str; 5] = ["namespace", "commonUpdateSettings", "writeBackConfig", "imagesVerification", "applicationRefs"];
    unknown(spec, &KNOWN, "spec", &mut tell);
    if at(spec, &["namespace"]).is_some() {
        tell.note("spec.namespace", "it is ignored since v1.1.1; Applications are those of the ImageUpdater's own namespace", "");
    }
    verification(spec, "spec", &mut tell);
    let settings = Settings::read(at(spec, &["commonUpdateSettings"]), "spec.commonUpdateSettings", &mut tell);
    let write_back = WriteBack::read(at(spec, &["writeBackConfig"]), "spec.writeBackConfig", &mut tell);
    let refs = items(spec, &["applicationRefs"]);
    if refs.is_empty() {
        tell.broken("spec.applicationRefs", "the ImageUpdater names no Applications");
    }
    refs.iter()
        .enumerate()
        .filter_map(|(index, value)| group(updater, value, &format!("spec.applicationRefs[{index}]"), &settings, &write_back, &mut tell))
        .collect()
}

fn group<'a>(
    updater: &'a Object,
    value: &Value,
    field: &str,
    settings: &Settings,
    write_back: &WriteBack,
    tell: &mut Teller<'_>,
) -> Option<Group<'a>> {
    const KNOWN: [&str; 7] =
        ["namePattern", "labelSelectors", "useAnnotations", "commonUpdateSettings", "writeBackConfig", "imagesVerification", "images"];
    unknown(value, &KNOWN, field, tell);
    let Some(pattern) = text(value, &["namePattern"]) else {
        tell.broken(&format!("{field}.namePattern"), "it names no Applications");
        return None;
    };
    let is_one = !pattern.contains(['*', '?', '[', '\\']);
    let names = if is_one { None } else { glob(&pattern, Glob::Path).and_then(|pattern| regex::Regex::new(&pattern).ok()) };
    if !is_one && names.is_none() {
        tell.broken(&format!("{field}.namePattern"), format!("`{pattern}` is no pattern"));
        return None;
    }
    verification(value, field, tell);
    let at_field = |key: &str| format!("{field}.{key}");
    let settings = Settings::read(at(value, &["commonUpdateSettings"]), &at_field("commonUpdateSettings"), tell).over(settings);
    let write_back = WriteBack::read(at(value, &["writeBackConfig"]), &at_field("writeBackConfig"), tell).over(write_back);
    let by_annotations = at(value, &["useAnnotations"]).and_then(Value::as_bool) == Some(true);
    let images = items(value, &["images"]);
    if images.is_empty() && !by_annotations {
        tell.broken(&at_field("images"), "there are no images");
        return None;
    }
    let images = images.iter().enumerate().filter_map(|(index, value)| image(value, &format!("{field}.images[{index}]"), &settings, tell));
    let images = if by_annotations { Vec::new() } else { images.collect() };
    let selector = at(value, &["labelSelectors"]).cloned();
    Some(Group { updater, pattern, names, selector, by_annotations, images, write_back })
}

fn image(value: &Value, field: &str, settings: &Settings, tell: &mut Teller<'_>) -> Option<Wanted> {
    unknown(value, &["alias", "imageName", "commonUpdateSettings", "manifestTargets", "imagesVerification"], field, tell);
    verification(value, field, tell);
    let written = text(value, &["imageName"]).unwrap_or_default();
    let Some((_, name, constraint)) = parse(&written) else {
        tell.broken(&format!("{field}.imageName"), "it names no image");
        return None;
    };
    let targets = |path: &[&str]| text(value, &[&["manifestTargets"], path].concat());
    let image = Wanted {
        field: format!("{field}.imageName"),
        prefix: format!("{field}."),
        name: name.to_owned(),
        constraint: constraint.map(str::to_owned),
        settings: Settings::read(at(value, &["commonUpdateSettings"]), &format!("{field}.commonUpdateSettings"), tell).over(settings),
        targets: Targets {
            helm_name: targets(&["helm", "name"]),
            helm_tag: targets(&["helm", "tag"]),
            helm_spec: targets(&["helm", "spec"]),
            kustomize: targets(&["kustomize", "name"]),
            plugin: at(value, &["manifestTargets", "plugin"]).is_some(),
        },
    };
    image.is_sound(&UPDATER, tell).then_some(image)
}

fn verification(value: &Value, field: &str, tell: &mut Teller<'_>) {
    if at(value, &["imagesVerification"]).is_some() {
        tell.lost(
            &format!("{field}.imagesVerification"),
            "signatures are not checked before a tag is chosen",
            "`pin_digest = true`, and a policy of the cluster that admits signed images only",
        );
    }
}

impl Group<'_> {
    /// Says how specific the group is about an Application, if it is about it at all.
    fn weight(&self, application: &Object) -> Option<u64> {
        let (ours, theirs) = (self.updater.namespace(), application.namespace());
        if ours != theirs && !ours.is_empty() && !theirs.is_empty() {
            return None;
        }
        let matches = match &self.names {
            Some(names) => names.is_match(application.name()),
            None => self.pattern == application.name(),
        };
        if !matches {
            return None;
        }
        let mut weight = if self.names.is_none() { 1_000_000 } else { 0 };
        weight += self.pattern.chars().filter(|c| !"*?[]\\".contains(*c)).count() as u64;
        if let Some(selector) = &self.selector {
            weight += 10_000 + 100 * selects(selector, application)?;
        }
        Some(weight)
    }
}

/// Counts the conditions of a selector of labels, if all of them hold.
fn selects(selector: &Value, application: &Object) -> Option<u64> {
    let labels = application.labels();
    let wanted = texts(selector, &["matchLabels"]);
    let expressions = items(selector, &["matchExpressions"]);
    let has = |key: &str, value: &str| labels.get(key).is_some_and(|label| *label == value);
    let labelled = wanted.iter().all(|(key, value)| has(key, value));
    let expressed = expressions.iter().all(|expression| {
        let key = text(expression, &["key"]).unwrap_or_default();
        let is_one = || items(expression, &["values"]).iter().filter_map(scalar).any(|value| has(&key, &value));
        match text(expression, &["operator"]).as_deref() {
            Some("In") => is_one(),
            Some("NotIn") => !is_one(),
            Some("Exists") => labels.contains_key(key.as_str()),
            Some("DoesNotExist") => !labels.contains_key(key.as_str()),
            _ => false,
        }
    });
    (labelled && expressed).then_some((wanted.len() + expressions.len()) as u64)
}
