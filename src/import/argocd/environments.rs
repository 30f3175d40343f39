//! The environments that Applications are written to: one a repository and branch, whoever shares it.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use super::application::is_branch;
use crate::import::common::{Teller, full_name, secret_file};
use crate::import::gather::named;
use crate::import::{Draft, EnvironmentDraft, Line, quoted};

/// Where updates go that the tool would give a branch each.
const UPDATES: &str = "tagboat-updates";

#[derive(Default)]
pub(super) struct Environments {
    /// By URL and branch: the name, and the Applications that it is for.
    names: BTreeMap<(String, Option<String>), (String, BTreeSet<String>)>,
    drafts: Vec<EnvironmentDraft>,
}

impl Environments {
    /// Names the environment of a repository and branch, which is made if there is none.
    pub(super) fn name(&mut self, plan: &Plan<'_>, url: &str, branch: Option<String>) -> String {
        let key = (url.trim_end_matches('/').trim_end_matches(".git").to_owned(), branch);
        let application = plan.application.title();
        if let Some((name, from)) = self.names.get_mut(&key) {
            from.insert(application);
            return name.clone();
        }
        let name = self.free_name(&key.0, key.1.as_deref());
        let mut lines = vec![Line::text("url", url)];
        lines.extend(key.1.as_deref().map(|branch| Line::text("branch", branch)));
        lines.extend(auth(plan, url));
        self.drafts.push(EnvironmentDraft { name: name.clone(), lines, comments: Vec::new() });
        self.names.insert(key, (name.clone(), BTreeSet::from([application])));
        name
    }

    pub(super) fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Gives the environments to the draft.
    pub(super) fn finish(self, draft: &mut Draft) {
        let from: BTreeMap<String, BTreeSet<String>> = self.names.into_values().collect();
        draft.environments.extend(self.drafts.into_iter().map(|environment| {
            let from: Vec<String> = from.get(&environment.name).into_iter().flatten().cloned().collect();
            EnvironmentDraft { comments: vec![format!("from {}", named(&from))], ..environment }
        }));
    }

    /// Makes a name of the last part of the URL, with the branch and a number if it is taken.
    fn free_name(&self, url: &str, branch: Option<&str>) -> String {
        let last = url.rsplit(['/', ':']).next().unwrap_or_default();
        let short = cleaned(last);
        let long = cleaned(&format!("{last}-{}", branch.unwrap_or("default")));
        let numbered = (2..).map(|number: usize| format!("{short}-{number}"));
        let mut names = [short.clone(), long].into_iter().chain(numbered);
        names.find(|name| self.drafts.iter().all(|draft| draft.name != *name)).unwrap_or_default()
    }
}

/// Makes a text a name of an environment.
fn cleaned(text: &str) -> String {
    let name: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).take(50).collect();
    let name = name.trim_start_matches(['-', '_', '.']);
    if name.is_empty() { "environment".to_owned() } else { name.to_owned() }
}

/// Names the credential of the repository, by the form of its URL.
fn auth(plan: &Plan<'_>, url: &str) -> Option<Line> {
    let method = plan.write_back.method.as_deref().unwrap_or_default().trim();
    let secret = method.strip_prefix("git:secret:").filter(|name| !name.is_empty());
    let (namespace, name) = match secret {
        Some(secret) => secret.split_once('/').unwrap_or((plan.said_by.namespace(), secret)),
        None => ("", "git"),
    };
    let comment = match secret {
        Some(_) => format!("mount the secret {} there; it needs leave to push", full_name(namespace, name)),
        None => "fill in; it needs leave to push".to_owned(),
    };
    let value = if url.starts_with("http://") || url.starts_with("https://") {
        format!("{{ username = \"tagboat\", password = {{ file = {} }} }}", quoted(&secret_file(namespace, name, "password")))
    } else {
        format!("{{ ssh_key = {{ file = {} }} }}", quoted(&secret_file(namespace, name, "sshPrivateKey")))
    };
    Some(Line::new("auth", value).because(comment))
}

/// Reads `base`, `base:target` or `:target`: the branch that is written to, which must never be the base of a target.
pub(super) fn branch(text: &str, field: &str, tell: &mut Teller<'_>) -> Option<String> {
    let (base, target) = text.split_once(':').map_or((text, None), |(base, target)| (base.trim(), Some(target.trim())));
    let Some(target) = target.filter(|target| !target.is_empty()) else {
        if is_branch(base) {
            return Some(base.to_owned());
        }
        tell.broken(field, format!("`{base}` is no name of a branch"));
        return None;
    };
    let from = if base.is_empty() { "the default branch" } else { base };
    if target.contains("{{") || !is_branch(target) {
        let reason = format!("`{target}` is a branch for every update; Tagboat writes to one branch and never forces it");
        tell.lost(field, reason, &format!("make the branch {UPDATES} from {from}, and merge it by pull request"));
        return Some(UPDATES.to_owned());
    }
    let reason = format!("`{target}` is written to as it is, and not made anew from {from} for each update");
    tell.note(field, reason, &format!("make the branch from {from}, and merge the two by pull request"));
    Some(target.to_owned())
}
