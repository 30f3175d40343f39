//! What the importers of Argo CD Image Updater and of Keel share: how images, patterns and credentials are written there, and
//! how rules that say the same become one.

use std::collections::BTreeMap;

use serde_yaml::Value;

use super::{Draft, ImageDraft, Line, Object, RegistryDraft, Remark, Severity, quoted};
use crate::image::{Reference, Registry, Repository};
use crate::policy::{Config, Direction, Order, Policy};

/// Takes remarks about one object.
pub(super) struct Teller<'a> {
    object: &'a Object,
    remarks: &'a mut Vec<Remark>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(object: &'a Object, remarks: &'a mut Vec<Remark>) -> Self {
        Self { object, remarks }
    }

    /// Says what is to be known of something that was carried over.
    pub(super) fn note(&mut self, field: &str, reason: impl Into<String>, instead: &str) {
        self.tell(Severity::Note, field, reason.into(), instead);
    }

    /// Says what was not carried over.
    pub(super) fn lost(&mut self, field: &str, reason: impl Into<String>, instead: &str) {
        self.tell(Severity::Lost, field, reason.into(), instead);
    }

    /// Says what could not be read.
    pub(super) fn broken(&mut self, field: &str, reason: impl Into<String>) {
        self.tell(Severity::Broken, field, reason.into(), "");
    }

    fn tell(&mut self, severity: Severity, field: &str, reason: String, instead: &str) {
        let remark = Remark::new(severity, self.object, field, reason);
        let remark = if instead.is_empty() { remark } else { remark.instead(instead) };
        // What holds for several images of an object is said once.
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

/// Finds what stands under a path of keys.
pub(super) fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, key| value.get(*key)).filter(|value| !value.is_null())
}

/// Reads a scalar as the text that it is.
pub(super) fn text(value: &Value, path: &[&str]) -> Option<String> {
    scalar(at(value, path)?)
}

/// Reads a scalar as the text that it is.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Reads a mapping of texts, such as labels.
pub(super) fn texts(value: &Value, path: &[&str]) -> BTreeMap<String, String> {
    let map = at(value, path).and_then(Value::as_mapping);
    map.into_iter().flatten().filter_map(|(key, value)| Some((scalar(key)?, scalar(value)?))).collect()
}

/// Reads a list; anything else is none.
pub(super) fn items<'v>(value: &'v Value, path: &[&str]) -> &'v [Value] {
    at(value, path).and_then(Value::as_sequence).map_or(&[], Vec::as_slice)
}

/// Takes an image apart into its name and what stands behind it: a tag, or a constraint of versions.
pub(super) fn split_image(image: &str) -> (&str, Option<&str>) {
    let image = image.trim();
    let image = image.split_once("@sha256").map_or(image, |(image, _)| image);
    let name = image.rfind('/').map_or(0, |slash| slash + 1);
    match image.get(name..).and_then(|rest| rest.split_once(':')) {
        Some((last, tag)) => (image.get(..name + last.len()).unwrap_or(image), Some(tag).filter(|tag| !tag.is_empty())),
        None => (image, None),
    }
}

/// Reads the name of an image.
pub(super) fn repository(name: &str) -> Option<Repository> {
    match Repository::parse(name) {
        Ok(repository) => Some(repository),
        Err(_) => Reference::parse(name).ok().map(|reference| reference.repository().clone()),
    }
}

/// Which characters of a glob stand for others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Glob {
    /// `*` alone, as Keel has it.
    Stars,
    /// `*`, `?`, `[a-z]`, `[^a]` and `\x`, as Go's `filepath.Match` has them.
    Path,
}

/// Turns a glob over whole tags into a regular expression; none if the glob is not well formed.
pub(super) fn glob(pattern: &str, form: Glob) -> Option<String> {
    let mut regex = String::from("^");
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' if form == Glob::Path => regex.push('.'),
            '\\' if form == Glob::Path => regex.push_str(&regex::escape(rest.next()?.encode_utf8(&mut [0; 4]))),
            '[' if form == Glob::Path => regex.push_str(&class(&mut rest)?),
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    is_regex(&regex).is_ok().then_some(regex)
}

/// Turns a class of a glob, of which `[` is read, into that of a regular expression.
fn class(rest: &mut std::str::Chars<'_>) -> Option<String> {
    let mut class = String::from("[");
    loop {
        match rest.next()? {
            ']' if class.len() > 1 && !class.ends_with('^') => break,
            '^' if class.len() == 1 => class.push('^'),
            '-' => class.push('-'),
            '\\' => class.push_str(&regex::escape(rest.next()?.encode_utf8(&mut [0; 4]))),
            c => class.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    class.push(']');
    Some(class)
}

/// Checks a regular expression as the policy file will.
pub(super) fn is_regex(pattern: &str) -> Result<(), String> {
    policy(Order::Alphabetical(Direction::Ascending), Some(pattern))
}

/// Checks a range of versions as the policy file will.
pub(super) fn is_range(range: &str) -> Result<(), String> {
    policy(Order::Semver(range.to_owned()), None)
}

fn policy(order: Order, filter: Option<&str>) -> Result<(), String> {
    if filter.is_some_and(|filter| filter.trim().is_empty()) {
        return Err("it is empty".to_owned());
    }
    let config = Config { order: Some(order), filter: filter.map(str::to_owned), ..Config::default() };
    Policy::new(config).map(|_| ()).map_err(|errors| errors.first().map(ToString::to_string).unwrap_or_default())
}

/// Where a secret of Kubernetes is to be mounted.
pub(super) fn mounted(namespace: &str, name: &str, key: &str) -> String {
    let parts = [namespace, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    format!("/run/secrets/{}/{key}", parts.join("-"))
}

/// The credential of a registry that is a secret of type kubernetes.io/dockerconfigjson.
pub(super) fn docker_config(namespace: &str, name: &str) -> Line {
    let file = mounted(namespace, name, ".dockerconfigjson");
    Line::new("auth", format!("{{ docker_config = {} }}", quoted(&file))).because(format!("mount the secret {namespace}/{name} there"))
}

/// The login of a cloud, for registries that are a cloud's.
pub(super) fn cloud(host: &str) -> Option<&'static str> {
    if host.ends_with(".amazonaws.com") && host.contains(".dkr.ecr.") || host == "public.ecr.aws" {
        Some("aws")
    } else if host.ends_with(".pkg.dev") || host == "gcr.io" || host.ends_with(".gcr.io") {
        Some("gcp")
    } else if host.ends_with(".azurecr.io") {
        Some("azure")
    } else {
        None
    }
}

/// A rule for a repository, before those that say the same are joined.
pub(super) struct Rule<'a> {
    pub(super) object: &'a Object,
    /// Where in the object the image is named.
    pub(super) field: String,
    /// As it was written.
    pub(super) repository: String,
    pub(super) policy: Vec<Line>,
    /// None is all.
    pub(super) environment: Option<String>,
    /// None is all that the environment looks at.
    pub(super) paths: Vec<String>,
    pub(super) interval: Option<String>,
    pub(super) comments: Vec<String>,
}

/// What makes two rules say the same.
type Same = (String, Vec<(String, String)>, Option<String>, Option<String>);
/// What the policy file allows one rule for.
type Place = (String, Option<String>, Vec<String>);

/// Joins the rules that say the same, and reports those that would contradict an earlier one.
pub(super) fn settle(rules: Vec<Rule<'_>>, draft: &mut Draft) {
    let mut joined: Vec<Rule<'_>> = Vec::new();
    let mut known: BTreeMap<Same, usize> = BTreeMap::new();
    for rule in rules {
        let policy = rule.policy.iter().map(|line| (line.key.clone(), line.value.clone())).collect();
        let same: Same = (canonical(&rule.repository), policy, rule.environment.clone(), rule.interval.clone());
        match known.get(&same).and_then(|index| joined.get_mut(*index)) {
            Some(first) => first.take_in(rule),
            None => {
                known.insert(same, joined.len());
                joined.push(rule);
            }
        }
    }
    let mut places: BTreeMap<Place, String> = BTreeMap::new();
    for rule in joined {
        let place = (canonical(&rule.repository), rule.environment.clone(), rule.paths.clone());
        if let Some(first) = places.get(&place) {
            let reason = format!("{first} has another policy for {} in the same files already", rule.repository);
            Teller::new(rule.object, &mut draft.remarks).lost(&rule.field, reason, "give each an [[image]] with `paths` of its own");
            continue;
        }
        places.insert(place, rule.object.title());
        draft.images.push(rule.draft());
    }
}

fn canonical(name: &str) -> String {
    repository(name).map_or_else(|| name.to_owned(), |repository| repository.to_string())
}

impl Rule<'_> {
    fn take_in(&mut self, other: Self) {
        if self.paths.is_empty() || other.paths.is_empty() {
            self.paths.clear();
        } else {
            self.paths.extend(other.paths);
            self.paths.sort();
            self.paths.dedup();
        }
        for comment in other.comments {
            if !self.comments.contains(&comment) {
                self.comments.push(comment);
            }
        }
    }

    fn draft(self) -> ImageDraft {
        let mut lines = Vec::new();
        lines.extend(self.environment.map(|name| Line::texts("environments", &[name])));
        if !self.paths.is_empty() {
            lines.push(Line::texts("paths", &self.paths));
        }
        lines.extend(self.interval.map(|interval| Line::text("interval", &interval)));
        ImageDraft { repository: self.repository, policy: self.policy, lines, comments: self.comments }
    }
}

/// Adds a line to the table of a registry; says whether it fits what is there.
pub(super) fn register(draft: &mut Draft, host: &str, line: Line) -> bool {
    let Ok(wanted) = Registry::parse(host) else { return false };
    let named = |registry: &RegistryDraft| Registry::parse(&registry.host).is_ok_and(|host| host == wanted);
    let index = draft.registries.iter().position(named).unwrap_or_else(|| {
        draft.registries.push(RegistryDraft { host: wanted.to_string(), lines: Vec::new() });
        draft.registries.len() - 1
    });
    let Some(registry) = draft.registries.get_mut(index) else { return false };
    match registry.lines.iter().find(|known| known.key == line.key) {
        Some(known) => known.value == line.value,
        None => {
            registry.lines.push(line);
            true
        }
    }
}
