//! What the importers of Argo CD Image Updater and of Keel share: how images, patterns and credentials are written there, and
//! how rules that say the same become one.

use std::collections::BTreeMap;

use serde_yaml::Value;

use super::gather::named;
use super::{Draft, ImageDraft, Line, Object, RegistryDraft, Remark, Severity, quoted, shown};
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
        self.remarks.push(remark);
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
            '\\' if form == Glob::Path => push_literal(&mut regex, rest.next()?),
            '[' if form == Glob::Path => regex.push_str(&class(&mut rest)?),
            c => push_literal(&mut regex, c),
        }
    }
    regex.push('$');
    is_regex(&regex).is_ok().then_some(regex)
}

/// Adds a character that stands for itself; outside of classes, those that do not are few.
fn push_literal(regex: &mut String, c: char) {
    if r".+*?()|[]{}^$\".contains(c) {
        regex.push('\\');
    }
    regex.push(c);
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

/// Returns where a key of a Secret is to be put: `/run/secrets/flux-system/ghcr/password`.
pub(super) fn secret_file(namespace: &str, name: &str, key: &str) -> String {
    let clean = |part: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        part.chars().map(|c| if good(c) { c } else { '-' }).collect::<String>()
    };
    // Keys may start with a dot, but who wrote an annotation is not to choose a file elsewhere.
    let key = Some(clean(key)).filter(|key| key.chars().any(|c| c != '.')).unwrap_or_default();
    let parts = [namespace, name].map(|part| clean(part).trim_start_matches('.').to_owned());
    let parts = [&parts[..], &[key]].concat();
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    format!("/run/secrets/{}", parts.join("/"))
}

/// Names an object: `flux-system/ghcr`, or without a namespace by the name alone.
pub(super) fn full_name(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { shown(name) } else { shown(&format!("{namespace}/{name}")) }
}

/// The credential of a registry that is a secret of type kubernetes.io/dockerconfigjson.
pub(super) fn docker_config(namespace: &str, name: &str) -> Line {
    let file = secret_file(namespace, name, ".dockerconfigjson");
    Line::new("auth", format!("{{ docker_config = {} }}", quoted(&file)))
        .because(format!("mount the secret {} there", full_name(namespace, name)))
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
    /// The objects that it comes from.
    pub(super) from: Vec<String>,
}

/// What makes two rules say the same.
type Same = (String, Vec<(String, String)>, Option<String>, Option<String>, bool);

/// A repository in an environment and a path; without a path, in all its files.
type Place = (String, Option<String>, Option<String>);

/// Joins the rules that say the same, and reports those that would contradict an earlier one.
///
/// Rules for all files go last, since of several that cover a reference the first decides.
pub(super) fn settle(rules: Vec<Rule<'_>>, draft: &mut Draft) {
    let mut joined: Vec<Rule<'_>> = Vec::new();
    let mut known: BTreeMap<Same, usize> = BTreeMap::new();
    let mut said: BTreeMap<Place, (Same, String)> = BTreeMap::new();
    for mut rule in rules {
        let same = rule.same();
        let title = rule.object.title();
        let mut first = None;
        let mut is_new = |path: Option<&String>| {
            let place = (same.0.clone(), rule.environment.clone(), path.cloned());
            let (other, by) = said.entry(place).or_insert_with(|| (same.clone(), title.clone()));
            let fits = *other == same;
            if !fits {
                first = Some(by.clone());
            }
            fits
        };
        let stays = if rule.paths.is_empty() {
            is_new(None)
        } else {
            rule.paths.retain(|path| is_new(Some(path)));
            !rule.paths.is_empty()
        };
        if let Some(first) = first {
            let reason = format!("{first} has another policy for {} in the same files already", rule.repository);
            Teller::new(rule.object, &mut draft.remarks).lost(&rule.field, reason, "give each an [[image]] with `paths` of its own");
        }
        if !stays {
            continue;
        }
        match known.get(&same).and_then(|index| joined.get_mut(*index)) {
            Some(first) => first.take_in(rule),
            None => {
                known.insert(same, joined.len());
                joined.push(rule);
            }
        }
    }
    joined.sort_by_key(|rule| rule.paths.is_empty());
    draft.images.extend(joined.into_iter().map(Rule::draft));
}

fn canonical(name: &str) -> String {
    repository(name).map_or_else(|| name.to_owned(), |repository| repository.to_string())
}

impl Rule<'_> {
    fn same(&self) -> Same {
        let policy = self.policy.iter().map(|line| (line.key.clone(), line.value.clone())).collect();
        (canonical(&self.repository), policy, self.environment.clone(), self.interval.clone(), self.paths.is_empty())
    }

    fn take_in(&mut self, other: Self) {
        self.paths.extend(other.paths);
        self.paths.sort();
        self.paths.dedup();
        for object in other.from {
            if !self.from.contains(&object) {
                self.from.push(object);
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
        ImageDraft { repository: self.repository, policy: self.policy, lines, comments: vec![format!("from {}", named(&self.from))] }
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

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn images_are_split_at_the_tag_and_not_at_the_port() {
        for (image, name, tag) in [
            ("nginx", "nginx", None),
            ("nginx:~1.26", "nginx", Some("~1.26")),
            ("registry:5000/classic-web", "registry:5000/classic-web", None),
            ("registry:5000/classic-web:1.x", "registry:5000/classic-web", Some("1.x")),
            ("ghcr.io/a/b:1@sha256:00", "ghcr.io/a/b", Some("1")),
            ("ghcr.io/a/b@sha256:00", "ghcr.io/a/b", None),
            ("a:", "a", None),
            ("", "", None),
        ] {
            assert_eq!(split_image(image), (name, tag), "{image}");
        }
    }

    #[test]
    fn globs_match_whole_tags_as_the_tools_do() {
        for (pattern, form, yes, no) in [
            ("tag?", Glob::Path, "tag1", "tag10"),
            ("foo", Glob::Path, "foo", "foobar"),
            ("*-rc*", Glob::Path, "1.0-rc1", "1.0"),
            ("[a-c]x", Glob::Path, "bx", "dx"),
            ("[^a-c]x", Glob::Path, "dx", "bx"),
            (r"a\*", Glob::Path, "a*", "ab"),
            ("1.0", Glob::Path, "1.0", "1x0"),
            ("build-*", Glob::Stars, "build-1", "a-build-1"),
            ("a?", Glob::Stars, "a?", "ab"),
        ] {
            let regex = Regex::new(&glob(pattern, form).unwrap()).unwrap();
            assert!(regex.is_match(yes) && !regex.is_match(no), "{pattern}: {regex}");
        }
        for broken in ["[", "[]", "[^]", "a\\", "[z-a]"] {
            assert_eq!(glob(broken, Glob::Path), None, "{broken}");
        }
    }
}
