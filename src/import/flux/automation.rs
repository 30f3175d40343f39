//! ImageUpdateAutomation and its GitRepository: where updates are written.

use std::collections::BTreeSet;

use url::Url;

use super::fields::{Fields, full_name, in_a_line, secret_file};
use super::input::Input;
use super::selector::Selector;
use crate::import::{EnvironmentDraft, Line, Object, Remark, quoted, shown};

/// The environments, and which ImagePolicies each is for.
pub(super) struct Targets<'a> {
    environments: Vec<EnvironmentDraft>,
    targets: Vec<Target<'a>>,
}

/// An ImageUpdateAutomation that can be used.
struct Target<'a> {
    object: &'a Object,
    selector: Selector,
    /// The index of its environment; none if it is suspended.
    environment: Option<usize>,
}

/// What is known of the places that a policy's updates are written to.
pub(super) enum Places {
    /// The names of these environments.
    In(Vec<String>),
    /// Only automations that are suspended.
    Suspended,
    /// No automation selects it.
    Nowhere,
}

impl Targets<'_> {
    /// Says where the updates of an ImagePolicy are written.
    pub(super) fn places(&self, policy: &Object) -> Places {
        let labels = policy.labels();
        let is_near = |namespace: &str| namespace == policy.namespace() || namespace.is_empty() || policy.namespace().is_empty();
        let selecting: Vec<_> =
            self.targets.iter().filter(|target| is_near(target.object.namespace()) && target.selector.selects(&labels)).collect();
        let indices: BTreeSet<usize> = selecting.iter().filter_map(|target| target.environment).collect();
        match (selecting.is_empty(), indices.is_empty()) {
            (true, _) => Places::Nowhere,
            (false, true) => Places::Suspended,
            _ => Places::In(indices.iter().filter_map(|index| self.environments.get(*index)).map(|one| one.name.clone()).collect()),
        }
    }

    /// Returns how many environments there are.
    pub(super) fn count(&self) -> usize {
        self.environments.len()
    }

    pub(super) fn into_environments(self) -> Vec<EnvironmentDraft> {
        self.environments
    }
}

const KNOWN: &[&str] =
    &["sourceRef", "git", "interval", "policySelector", "update", "suspend", "gitRepositoryRef", "checkout", "commit", "push"];

/// Reads all ImageUpdateAutomations; those of one repository, branch and path are one environment.
pub(super) fn targets<'a>(input: &Input<'a>, remarks: &mut Vec<Remark>) -> Targets<'a> {
    let mut targets = Targets { environments: Vec::new(), targets: Vec::new() };
    for object in input.automations.iter() {
        let mut fields = Fields::new(object, &mut *remarks);
        let Some((selector, lines)) = target(&mut fields, input) else { continue };
        let is_suspended = fields.is_on("spec.suspend");
        if fields.is_broken {
            continue;
        }
        let environment = if is_suspended {
            let reason = "it is suspended, so nothing is written for it";
            fields.lost("spec.suspend", reason, &format!("[environment.NAME] with {}", in_a_line(&lines)));
            None
        } else {
            Some(place(lines, &mut fields, &mut targets.environments))
        };
        targets.targets.push(Target { object, selector, environment });
    }
    targets
}

/// Puts an environment into the list, or finds the one with the same repository, branch and paths there.
fn place(lines: Vec<Line>, fields: &mut Fields<'_, '_>, environments: &mut Vec<EnvironmentDraft>) -> usize {
    let value = |lines: &[Line], key: &str| lines.iter().find(|line| line.key == key).map(|line| line.value.clone());
    let same = |one: &EnvironmentDraft| ["url", "branch", "paths"].iter().all(|key| value(&one.lines, key) == value(&lines, key));
    if let Some(at) = environments.iter().position(same)
        && let Some(known) = environments.get_mut(at)
    {
        if value(&known.lines, "author") != value(&lines, "author") {
            let reason = format!("one environment has one author; that of `{}` is taken", known.name);
            fields.lost("spec.git.commit.author", &reason, "an environment with other `paths`");
        }
        known.comments.push(format!("{}, with the same repository, branch and path", fields.object.title()));
        return at;
    }
    let name = name(fields.object, environments);
    environments.push(EnvironmentDraft { name, lines, comments: vec![fields.object.title()] });
    environments.len() - 1
}

/// Finds a name for an environment: the automation's own, with its namespace if that is taken, with a number if that is, too.
fn name(object: &Object, environments: &[EnvironmentDraft]) -> String {
    let clean = |text: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let text: String = text.chars().map(|c| if good(c) { c } else { '-' }).take(56).collect();
        let text = text.trim_start_matches(['-', '_']).to_owned();
        if text.is_empty() { "flux".to_owned() } else { text }
    };
    let is_free = |name: &String| environments.iter().all(|one| one.name != *name);
    let plain = [clean(object.name()), clean(&format!("{}-{}", object.namespace(), object.name()))];
    let numbered = (2..).map(|number| format!("{}-{number}", clean(object.name())));
    plain.into_iter().chain(numbered).find(is_free).unwrap_or_default()
}

/// How the keys of an environment are ordered.
const ORDER: [&str; 7] = ["url", "branch", "paths", "auth", "author", "ca_file", "timeout"];

/// Reads an automation: which policies it selects, and its environment's keys.
fn target(fields: &mut Fields<'_, '_>, input: &Input<'_>) -> Option<(Selector, Vec<Line>)> {
    fields.only(KNOWN);
    let selector = match fields.object.at("/spec/policySelector").map(Selector::read) {
        None => Selector::default(),
        Some(Ok(selector)) => selector,
        Some(Err(reason)) => return fields.broken("spec.policySelector", format!("{reason}; the automation is left out")),
    };
    if let Some(strategy) = fields.text("spec.update.strategy").filter(|strategy| *strategy != "Setters") {
        return fields.broken("spec.update.strategy", format!("Flux knows no `{}`; the automation is left out", shown(strategy)));
    }
    let (reference, kind) = if fields.has("spec.sourceRef") {
        ("spec.sourceRef", fields.text("spec.sourceRef.kind").unwrap_or("GitRepository"))
    } else if fields.has("spec.checkout") {
        ("spec.checkout.gitRepositoryRef", "GitRepository") // v1alpha1
    } else {
        ("spec.gitRepositoryRef", "GitRepository")
    };
    if kind != "GitRepository" {
        return fields.broken(reference, format!("updates are written to a GitRepository, not to a {}", shown(kind)));
    }
    let name = fields.needed(&format!("{reference}.name"), "it names no GitRepository, so the automation is left out")?;
    let namespace = fields.namespace_of(reference);
    let source = input.sources.find(namespace, name);
    let mut lines = match source {
        Some(object) => repository(Fields::new(object, &mut *fields.remarks), input)?,
        None => {
            let reason = format!("the GitRepository {} is not among the input", full_name(namespace, name));
            fields.note(reference, &reason, "put its URL in place of the sample, with `branch` and `auth`");
            vec![Line::text("url", "https://git.example.com/acme/environments.git").because("put yours here")]
        }
    };
    lines.extend(branch(fields, source));
    lines.extend(paths(fields)?);
    lines.extend(author(fields));
    lines.sort_by_key(|line| ORDER.iter().position(|key| *key == line.key));
    manners(fields);
    (!fields.is_broken).then_some((selector, lines))
}

/// Reads what of a GitRepository concerns those who write to it.
fn repository(mut fields: Fields<'_, '_>, input: &Input<'_>) -> Option<Vec<Line>> {
    let written = fields.needed("spec.url", "it has no URL, so it is left out with its automations")?;
    let cleaned = without_user(written);
    if cleaned.is_some() {
        fields.note("spec.url", "a policy file holds no credentials, also not in URLs", "give it as `auth`");
    }
    let url = cleaned.as_deref().unwrap_or(written);
    let mut lines = vec![Line::text("url", url)];
    credential(&mut fields, url, input, &mut lines);
    lines.extend(fields.duration("spec.timeout").map(|timeout| Line::text("timeout", &timeout)));
    let in_environment = "HTTPS_PROXY in Tagboat's own environment";
    fields.lost_if_there("spec.proxySecretRef", "an environment has no proxy of its own", in_environment);
    if let Some(provider) = fields.text("spec.provider").filter(|provider| *provider != "generic") {
        let reason = format!("Git servers are not logged in to by the identity of {}", shown(provider));
        fields.lost("spec.provider", &reason, "`auth` with a token as the password, or an ssh key");
    }
    let reason = "Flux checks signatures where it deploys, which it goes on to do; Tagboat does not look at them";
    fields.lost_if_there("spec.verify", reason, "protection of the branch by the Git server");
    (!fields.is_broken).then_some(lines)
}

/// Takes user and password out of a URL of http; the user alone may be a token.
fn without_user(written: &str) -> Option<String> {
    let mut url = Url::parse(written).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let has_user = !url.username().is_empty() || url.password().is_some();
    // Both fail only for URLs that cannot have user and password.
    let _ = (url.set_username(""), url.set_password(None));
    has_user.then(|| url.to_string())
}

fn credential(fields: &mut Fields<'_, '_>, url: &str, input: &Input<'_>, lines: &mut Vec<Line>) {
    const FIELD: &str = "spec.secretRef";
    let Some(name) = fields.text("spec.secretRef.name") else { return };
    let namespace = fields.object.namespace();
    let has = |key| input.secret_has(namespace, name, key) == Some(true);
    let file = |key| secret_file(namespace, name, key);
    let reason = format!("secrets are not carried over; this is the Secret {}", full_name(namespace, name));
    let is_http = url.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
    if is_http {
        // Where the password is a token, most servers take any user.
        lines.push(Line::new("auth", format!("{{ username = \"git\", password = {{ file = {} }} }}", quoted(&file("password")))));
        let instead = format!("put its password or token in {}, and its username in `auth`", file("password"));
        fields.note(FIELD, &reason, &instead);
        if has("ca.crt") || has("caFile") {
            lines.push(Line::text("ca_file", &file("ca.crt")));
            fields.note(FIELD, "the Secret holds certificate authorities, too", &format!("put them in {}", file("ca.crt")));
        }
        if has("tls.crt") || has("certFile") {
            fields.lost(FIELD, "no certificate is shown to Git servers", "`auth` with a token as the password, or an ssh key");
        }
    } else {
        let (key, hosts) = (file("identity"), file("known_hosts"));
        lines.push(Line::new("auth", format!("{{ ssh_key = {{ file = {} }}, known_hosts = {} }}", quoted(&key), quoted(&hosts))));
        fields.note(
            FIELD,
            &reason,
            &format!("put its identity in {key} and its known_hosts beside it; a key with a passphrase cannot be used"),
        );
    }
}

/// Finds the branch, if it is known. What Flux pushes elsewhere must not come to the branch it reads.
fn branch(fields: &mut Fields<'_, '_>, source: Option<&Object>) -> Option<Line> {
    let checkout = ["spec.git.checkout.ref", "spec.checkout.branch"].into_iter().find(|field| fields.has(field));
    let read = match (checkout, source) {
        (Some("spec.checkout.branch"), _) => fields.text("spec.checkout.branch").map(str::to_owned), // v1alpha1
        (Some(field), _) => reference(fields, field),
        (None, Some(object)) if object.at("/spec/ref").is_some_and(serde_yaml::Value::is_mapping) => {
            let mut source = Fields::new(object, &mut *fields.remarks);
            let read = reference(&mut source, "spec.ref");
            fields.is_broken |= source.is_broken;
            read
        }
        (None, Some(_)) => Some("master".to_owned()),
        (None, None) => None,
    };
    let field = ["spec.git.push.branch", "spec.push.branch"].into_iter().find(|field| fields.has(field));
    match (field.and_then(|field| fields.text(field)), read) {
        (None, read) => read.map(|read| Line::text("branch", &read)),
        (Some(push), None) => Some(Line::text("branch", push)),
        (Some(push), Some(read)) if push == read => Some(Line::text("branch", push)),
        (Some(push), Some(read)) => {
            let reason = "Tagboat reads the branch that it pushes to, and does not make it";
            let instead = format!("make {} from {} and keep it up to date, or set `branch` to the latter", shown(push), shown(&read));
            fields.lost(field.unwrap_or_default(), reason, &instead);
            Some(Line::text("branch", push).because(format!("Flux reads {read} and pushes here")))
        }
    }
}

/// Reads a branch from a reference; commits, tags and version ranges are nothing to push to.
fn reference(fields: &mut Fields<'_, '_>, field: &str) -> Option<String> {
    for other in ["commit", "semver", "tag"] {
        fields.lost_if_there(&format!("{field}.{other}"), "Tagboat reads the tip of a branch and pushes to it", "`branch`");
    }
    let full = fields.text(&format!("{field}.name"));
    if let Some(branch) = full.and_then(|full| full.strip_prefix("refs/heads/")) {
        return Some(branch.to_owned());
    }
    if full.is_some() {
        fields.lost(&format!("{field}.name"), "Tagboat reads the tip of a branch and pushes to it", "`branch`");
    }
    fields.text(&format!("{field}.branch")).map(str::to_owned)
}

/// Reads the path: a directory, or one file. None if it is broken; an empty list is the whole repository.
fn paths(fields: &mut Fields<'_, '_>) -> Option<Vec<Line>> {
    let Some(path) = fields.text("spec.update.path") else { return Some(Vec::new()) };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            // As in Flux, the root is never left.
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let Some(last) = parts.last() else { return Some(Vec::new()) };
    let is_file = last.ends_with(".yaml") || last.ends_with(".yml") || *last == "Kustomization";
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!');
    let escaped: String = parts.join("/").chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect();
    Some(vec![Line::texts("paths", &[if is_file { escaped } else { format!("{escaped}/**") }])])
}

fn author(fields: &mut Fields<'_, '_>) -> Option<Line> {
    let name = fields.text("spec.git.commit.author.name").or_else(|| fields.text("spec.commit.authorName"));
    let email = fields.text("spec.git.commit.author.email").or_else(|| fields.text("spec.commit.authorEmail"));
    email.map(|email| Line::text("author", &format!("{} <{email}>", name.unwrap_or("Flux"))))
}

/// Tells what of an automation has no place in an environment.
fn manners(fields: &mut Fields<'_, '_>) {
    if fields.duration("spec.interval").is_some() {
        let reason = "environments have no interval: they are looked at whenever a listing brings news";
        fields.note("spec.interval", reason, "see `interval` of [watch] and of each [[image]]");
    }
    for commit in ["spec.git.commit", "spec.commit"] {
        let field = |name| format!("{commit}.{name}");
        let reason = "commit messages have one form, in which every change and its reason stand";
        fields.lost_if_there(&field("messageTemplate"), reason, "");
        fields.lost_if_there(&field("messageTemplateValues"), reason, "");
        fields.lost_if_there(&field("signingKey"), "commits are not signed, so a branch that asks for it refuses the push", "");
    }
    for push in ["spec.git.push", "spec.push"] {
        let to_branch = "one branch is pushed, and nothing else";
        fields.lost_if_there(&format!("{push}.refspec"), to_branch, "a job of the Git server's that goes on from the branch");
        fields.lost_if_there(&format!("{push}.options"), "a push has no options", "a job of the Git server's that goes on from the branch");
    }
}
