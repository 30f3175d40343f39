//! From Argo CD Image Updater: annotations of Applications, ImageUpdaters, and `registries.conf`.
//!
//! Owns what its settings mean in a policy file. Three things are different on purpose, for all images: what is current is read from
//! Git and not from the cluster; a site is never lowered; and a site keeps the form of its tag, its variant and its number of parts.

mod application;
mod choice;
mod environments;
mod registries;
mod settings;
mod updater;
mod wanted;

use super::common::{Rule, Teller, cloud, docker_config, full_name, register, repository, secret_file, settle};
use super::gather::gathered;
use super::{Draft, Line, Object, foreign, quoted};
use application::Place;
use environments::Environments;
use settings::{Names, WriteBack};
use wanted::Wanted;

/// The API group of an ImageUpdater, and of the annotations.
const GROUP: &str = "argocd-image-updater.argoproj.io";

/// What is to be done for one Application.
struct Plan<'a> {
    application: &'a Object,
    /// The object that says so: the Application itself or an ImageUpdater.
    said_by: &'a Object,
    names: &'static Names,
    images: Vec<Wanted>,
    write_back: WriteBack,
}

/// Brings the settings of Argo CD Image Updater along.
#[must_use]
pub fn import(objects: &[Object]) -> Draft {
    let mut draft = Draft::default();
    let (mut applications, mut updaters) = (Vec::new(), Vec::new());
    for object in objects {
        match (object.api_group(), object.kind()) {
            ("argoproj.io", "Application") => applications.push(object),
            (GROUP, "ImageUpdater") => updaters.push(object),
            ("argoproj.io", "ApplicationSet") => Teller::new(object, &mut draft.remarks).lost(
                "spec.template",
                "the Applications that it makes are known in the cluster only",
                "import those: kubectl get applications -A -o yaml",
            ),
            ("argoproj.io", "AppProject") => {}
            ("", "ConfigMap") => registries::import(object, &mut draft),
            _ => foreign::skip(object, &mut draft.foreign),
        }
    }
    let mut plans = updater::plans(&updaters, &applications, &mut draft.remarks);
    for application in applications {
        if !plans.iter().any(|plan| std::ptr::eq(plan.application, application)) {
            plans.extend(wanted::annotated(application, application, &mut draft.remarks));
        }
    }
    let mut environments = Environments::default();
    let mut rules = Vec::new();
    for plan in &plans {
        carry_over(plan, &mut environments, &mut rules, &mut draft);
    }
    rules.extend(updater::homeless(&updaters, &plans).into_iter().filter_map(|(object, image)| {
        let policy = image.choice(&settings::UPDATER, &mut Teller::new(object, &mut draft.remarks))?;
        Some(rule(object, &image, policy, None, Vec::new()))
    }));
    if !environments.is_empty() {
        // A rule without an environment would be one for those of others.
        for rule in rules.extract_if(.., |rule| rule.environment.is_none()) {
            let reason = format!("it is not known where {} is written, so there is no rule for it", rule.repository);
            Teller::new(rule.object, &mut draft.remarks).lost(&rule.field, reason, "an [[image]] with its environment");
        }
    }
    settle(rules, &mut draft);
    environments.finish(&mut draft);
    Draft { remarks: gathered(draft.remarks), ..draft }
}

/// Turns what is wanted for one Application into an environment and rules.
fn carry_over<'a>(plan: &'a Plan<'a>, environments: &mut Environments, rules: &mut Vec<Rule<'a>>, draft: &mut Draft) {
    let mut wanted = Vec::new();
    for image in &plan.images {
        let mut tell = Teller::new(plan.said_by, &mut draft.remarks);
        let Some(policy) = image.choice(plan.names, &mut tell) else { continue };
        image.tell_of_targets(plan.names, &mut tell);
        wanted.push((image, policy));
        if let Some(secret) = &image.settings.pull_secret {
            log_in(plan, image, secret, draft);
        }
    }
    if wanted.is_empty() {
        return;
    }
    let places = plan.write_back.places(plan, draft);
    if places.is_empty() {
        rules.extend(wanted.into_iter().map(|(image, policy)| rule(plan.said_by, image, policy, None, Vec::new())));
        return;
    }
    for Place { url, branch, paths, .. } in places {
        let name = environments.name(plan, &url, branch);
        let rule = |(image, policy): &(&'a Wanted, Vec<Line>)| rule(plan.said_by, image, policy.clone(), Some(name.clone()), paths.clone());
        rules.extend(wanted.iter().map(rule).map(|mut rule| {
            if !std::ptr::eq(plan.application, plan.said_by) {
                rule.from = vec![format!("{} for {}", plan.said_by.title(), plan.application.title())];
            }
            rule
        }));
    }
}

fn rule<'a>(object: &'a Object, image: &Wanted, policy: Vec<Line>, environment: Option<String>, paths: Vec<String>) -> Rule<'a> {
    Rule {
        object,
        field: image.field.clone(),
        repository: image.name.clone(),
        policy,
        environment,
        paths,
        interval: None,
        from: vec![object.title()],
    }
}

/// Gives the registry of an image the credential that the image was given.
fn log_in(plan: &Plan<'_>, image: &Wanted, secret: &str, draft: &mut Draft) {
    let field = image.of(plan.names.pull_secret);
    let Some(host) = repository(&image.name).map(|repository| repository.registry().to_string()) else { return };
    let line = credential(secret, &host, plan.said_by, &field, draft);
    if let Some(line) = line
        && !register(draft, &host, line)
    {
        let reason = format!("{host} has another credential already, and a registry has one");
        Teller::new(plan.said_by, &mut draft.remarks).lost(&field, reason, "one account that may read all repositories");
    }
}

/// Turns a source of credentials into `auth` of a registry; what cannot be one is told.
fn credential(source: &str, host: &str, object: &Object, field: &str, draft: &mut Draft) -> Option<Line> {
    let mut tell = Teller::new(object, &mut draft.remarks);
    let (kind, rest) = source.trim().split_once(':').unwrap_or((source.trim(), ""));
    let (namespace, name) = rest.split_once('/').unwrap_or((object.namespace(), rest));
    match kind.to_ascii_lowercase().as_str() {
        "pullsecret" if !name.is_empty() => {
            tell.note(field, format!("the secret {} is read as a file", full_name(namespace, name)), "mount it where `docker_config` says");
            Some(docker_config(namespace, name))
        }
        "secret" if !name.is_empty() => {
            let (name, key) = name.split_once('#').unwrap_or((name, "creds"));
            let file = secret_file(namespace, name, key);
            tell.note(
                field,
                format!("`{key}` of the secret {} holds `user:password` in one", full_name(namespace, name)),
                "put the user into `username`, and the password alone into the file",
            );
            Some(basic(&format!("file = {}", quoted(&file)), "the password alone; fill in the user"))
        }
        "env" if !rest.is_empty() => {
            tell.note(
                field,
                format!("the variable {rest} holds `user:password` in one"),
                "put the user into `username`, and the password alone into the variable",
            );
            Some(basic(&format!("env = {}", quoted(rest)), "the password alone; fill in the user"))
        }
        "ext" => {
            let Some(provider) = cloud(host) else {
                tell.lost(field, "scripts are not run", "`auth` with a password that is kept in a file, or with the `helper` of Docker's");
                return None;
            };
            tell.note(field, "scripts are not run", &format!("the login of {provider} is built in; see `auth.provider`"));
            let line = Line::new("auth", format!("{{ provider = {} }}", quoted(provider)));
            Some(line.because("with the identity of the workload"))
        }
        _ => {
            tell.broken(field, format!("`{source}` is no source of credentials: pullsecret:, secret:, env: or ext:"));
            None
        }
    }
}

fn basic(password: &str, comment: &str) -> Line {
    Line::new("auth", format!("{{ username = \"fill-in\", password = {{ {password} }} }}")).because(comment)
}
