//! Where the manifests of an Application are.

use serde_yaml::Value;

use crate::environment::RemoteUrl;
use crate::import::Object;
use crate::import::common::{Teller, at, items, scalar, text};

/// A part of a Git repository that an Application is made from.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) url: String,
    /// None is the remote's default.
    pub(super) branch: Option<String>,
    /// The folder, without `/` at either end; empty is the root.
    pub(super) folder: String,
    /// The patterns of the files; none is all.
    pub(super) paths: Vec<String>,
}

/// Finds the Git repositories of an Application, in the order of its sources.
pub(super) fn places(application: &Object, tell: &mut Teller<'_>) -> Vec<Place> {
    let spec = application.value.get("spec").unwrap_or(&Value::Null);
    let many = items(spec, &["sources"]);
    let one = at(spec, &["sourceHydrator", "drySource"]).map(|dry| (dry, "spec.sourceHydrator.drySource"));
    let one = one.or_else(|| at(spec, &["source"]).map(|source| (source, "spec.source")));
    let sources: Vec<(&Value, String)> = match one {
        _ if !many.is_empty() => many.iter().enumerate().map(|(index, source)| (source, format!("spec.sources[{index}]"))).collect(),
        Some((source, field)) => vec![(source, field.to_owned())],
        None => Vec::new(),
    };
    if sources.is_empty() {
        tell.broken("spec.source", "the Application has no source");
    }
    // Values of other sources' charts, by the name of the source that holds them: `$values/prod/values.yaml`.
    let values: Vec<String> = sources.iter().flat_map(|(source, _)| items(source, &["helm", "valueFiles"])).filter_map(scalar).collect();
    let mut places = Vec::new();
    for (source, field) in &sources {
        places.extend(place(source, field, &values, tell));
    }
    places
}

fn place(source: &Value, field: &str, values: &[String], tell: &mut Teller<'_>) -> Option<Place> {
    if let Some(chart) = text(source, &["chart"]) {
        tell.note(
            field,
            format!("the chart {chart} comes from a registry of charts; images are written where Git holds its values"),
            "an environment for the repository that holds the values, or this Application",
        );
        return None;
    }
    let Some(url) = text(source, &["repoURL"]) else {
        tell.broken(&format!("{field}.repoURL"), "the source has no repository");
        return None;
    };
    let url = remote(&url, &format!("{field}.repoURL"), tell)?;
    let revision = text(source, &["targetRevision"]).filter(|revision| !revision.is_empty() && revision != "HEAD");
    let branch = revision.and_then(|revision| {
        let name = revision.strip_prefix("refs/heads/").unwrap_or(&revision).to_owned();
        if is_branch(&name) && !is_commit(&name) {
            return Some(name);
        }
        tell.lost(&format!("{field}.targetRevision"), format!("`{name}` is no branch, so nothing can be written to it"), "set `branch`");
        None
    });
    let folder = text(source, &["path"]);
    let mut files: Vec<String> = Vec::new();
    if let Some(name) = text(source, &["ref"]) {
        let mark = format!("${name}/");
        files.extend(values.iter().filter_map(|file| inside("", file.strip_prefix(&mark)?)));
    }
    let folder = match folder {
        Some(folder) => match inside("", &folder) {
            Some(folder) => folder,
            None => {
                tell.broken(&format!("{field}.path"), format!("`{folder}` is outside of the repository"));
                return None;
            }
        },
        None if !files.is_empty() => return Some(Place { url, branch, folder: String::new(), paths: sorted(files) }),
        None => String::new(),
    };
    if folder.is_empty() {
        return Some(Place { url, branch, folder, paths: Vec::new() });
    }
    let own =
        items(source, &["helm", "valueFiles"]).iter().filter_map(scalar).filter(|file| !file.starts_with('$') && !file.contains("://"));
    files.extend(own.filter_map(|file| inside(&folder, &file)).filter(|file| !file.starts_with(&format!("{folder}/"))));
    files.push(format!("{}/**", literal(&folder)));
    Some(Place { url, branch, folder, paths: sorted(files) })
}

fn sorted(mut files: Vec<String>) -> Vec<String> {
    files.sort();
    files.dedup();
    files
}

/// Writes a path as a pattern that matches it alone.
fn literal(path: &str) -> String {
    path.chars().flat_map(|c| if "*?[]{}\\".contains(c) { vec!['[', c, ']'] } else { vec![c] }).collect()
}

/// Reads the URL of a repository as the policy file will; a user or password in it is left out.
pub(super) fn remote(url: &str, field: &str, tell: &mut Teller<'_>) -> Option<String> {
    let url = url.trim();
    let bare = match url.split_once("://") {
        Some((scheme, rest)) if scheme.to_ascii_lowercase().starts_with("http") => match rest.split_once('/') {
            Some((host, path)) if host.contains('@') => {
                tell.note(field, "the URL holds a credential, which was left out", "put it where `auth` of the environment says");
                format!("{scheme}://{}/{path}", host.rsplit('@').next().unwrap_or(host))
            }
            _ => url.to_owned(),
        },
        _ => url.to_owned(),
    };
    if bare.starts_with(['/', '.']) {
        tell.broken(field, "this is no URL of a Git repository");
        return None;
    }
    match RemoteUrl::parse(&bare) {
        Ok(_) => Some(bare),
        Err(error) => {
            tell.broken(field, format!("this is no URL of a Git repository: {error}"));
            None
        }
    }
}

/// Finds a path within a repository; one that starts with `/` starts at its root. None if it leads out of it.
pub(super) fn inside(folder: &str, path: &str) -> Option<String> {
    let start = if path.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Says whether Git allows the name for a branch (git-check-ref-format), as the policy file asks for.
pub(super) fn is_branch(name: &str) -> bool {
    let bad = |c: char| c.is_control() || " ~^:?*[\\".contains(c);
    let component = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let odd = name.contains("..") || name.contains("@{") || name == "@" || name.starts_with('-') || name.ends_with('.');
    !odd && !name.contains(bad) && !name.starts_with("refs/") && name.split('/').all(component)
}

fn is_commit(name: &str) -> bool {
    name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit())
}
