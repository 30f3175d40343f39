//! What Argo CD Image Updater is told about all images or one of them, and where it writes; in annotations or in an ImageUpdater.

use serde_yaml::Value;

use super::application::{self, Place};
use super::{Plan, environments};
use crate::import::Draft;
use crate::import::common::{Teller, at, items, scalar, text};

/// How each setting is called where it is said.
pub(super) struct Names {
    pub(super) strategy: &'static str,
    pub(super) allow: &'static str,
    pub(super) ignore: &'static str,
    pub(super) force: &'static str,
    pub(super) pull_secret: &'static str,
    pub(super) platforms: &'static str,
    pub(super) helm: &'static str,
    pub(super) kustomize: &'static str,
    pub(super) method: &'static str,
    pub(super) target: &'static str,
    pub(super) branch: &'static str,
    pub(super) repository: &'static str,
}

/// As annotations.
pub(super) const ANNOTATIONS: Names = Names {
    strategy: "update-strategy",
    allow: "allow-tags",
    ignore: "ignore-tags",
    force: "force-update",
    pull_secret: "pull-secret",
    platforms: "platforms",
    helm: "helm.image-*",
    kustomize: "kustomize.image-name",
    method: "write-back-method",
    target: "write-back-target",
    branch: "git-branch",
    repository: "git-repository",
};

/// As fields of an ImageUpdater.
pub(super) const UPDATER: Names = Names {
    strategy: "commonUpdateSettings.updateStrategy",
    allow: "commonUpdateSettings.allowTags",
    ignore: "commonUpdateSettings.ignoreTags",
    force: "commonUpdateSettings.forceUpdate",
    pull_secret: "commonUpdateSettings.pullSecret",
    platforms: "commonUpdateSettings.platforms",
    helm: "manifestTargets.helm",
    kustomize: "manifestTargets.kustomize",
    method: "writeBackConfig.method",
    target: "writeBackConfig.gitConfig.writeBackTarget",
    branch: "writeBackConfig.gitConfig.branch",
    repository: "writeBackConfig.gitConfig.repository",
};

/// What is said about choosing; none is not said.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    pub(super) strategy: Option<String>,
    pub(super) allow: Option<String>,
    pub(super) ignore: Option<Vec<String>>,
    pub(super) force: Option<String>,
    pub(super) pull_secret: Option<String>,
    pub(super) platforms: Option<Vec<String>>,
}

impl Settings {
    /// Reads `commonUpdateSettings`.
    pub(super) fn read(value: Option<&Value>, field: &str, tell: &mut Teller<'_>) -> Self {
        const KNOWN: [&str; 6] = ["updateStrategy", "allowTags", "ignoreTags", "forceUpdate", "pullSecret", "platforms"];
        let Some(value) = value else { return Self::default() };
        unknown(value, &KNOWN, field, tell);
        let list = |key: &str| at(value, &[key]).map(|_| items(value, &[key]).iter().filter_map(scalar).collect());
        Self {
            strategy: text(value, &["updateStrategy"]),
            allow: text(value, &["allowTags"]),
            ignore: list("ignoreTags"),
            force: text(value, &["forceUpdate"]),
            pull_secret: text(value, &["pullSecret"]),
            platforms: list("platforms"),
        }
    }

    /// Lays these over those of a wider level, field by field.
    pub(super) fn over(self, wider: &Self) -> Self {
        Self {
            strategy: self.strategy.or_else(|| wider.strategy.clone()),
            allow: self.allow.or_else(|| wider.allow.clone()),
            ignore: self.ignore.or_else(|| wider.ignore.clone()),
            force: self.force.or_else(|| wider.force.clone()),
            pull_secret: self.pull_secret.or_else(|| wider.pull_secret.clone()),
            platforms: self.platforms.or_else(|| wider.platforms.clone()),
        }
    }
}

/// Tells of keys that no version of the tool is known to have.
pub(super) fn unknown(value: &Value, known: &[&str], field: &str, tell: &mut Teller<'_>) {
    let Some(map) = value.as_mapping() else {
        return tell.broken(field, "this is no mapping");
    };
    for key in map.keys().filter_map(scalar).filter(|key| !known.contains(&key.as_str())) {
        let dot = if field.is_empty() { "" } else { "." };
        tell.lost(&format!("{field}{dot}{key}"), "this field is not known", "");
    }
}

/// Where and how the tool writes; none is not said.
#[derive(Clone, Debug, Default)]
pub(super) struct WriteBack {
    pub(super) method: Option<String>,
    pub(super) target: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) repository: Option<String>,
}

impl WriteBack {
    /// Reads `writeBackConfig`.
    pub(super) fn read(value: Option<&Value>, field: &str, tell: &mut Teller<'_>) -> Self {
        let Some(value) = value else { return Self::default() };
        unknown(value, &["method", "gitConfig"], field, tell);
        if let Some(git) = at(value, &["gitConfig"]) {
            let field = format!("{field}.gitConfig");
            unknown(git, &["repository", "branch", "writeBackTarget", "pullRequest"], &field, tell);
            if at(git, &["pullRequest"]).is_some() {
                tell.lost(
                    &format!("{field}.pullRequest"),
                    "no pull requests are made",
                    "set `branch` to a branch of its own, and merge that",
                );
            }
        }
        Self {
            method: text(value, &["method"]),
            target: text(value, &["gitConfig", "writeBackTarget"]),
            branch: text(value, &["gitConfig", "branch"]),
            repository: text(value, &["gitConfig", "repository"]),
        }
    }

    /// Lays this over that of a wider level, field by field.
    pub(super) fn over(self, wider: &Self) -> Self {
        Self {
            method: self.method.or_else(|| wider.method.clone()),
            target: self.target.or_else(|| wider.target.clone()),
            branch: self.branch.or_else(|| wider.branch.clone()),
            repository: self.repository.or_else(|| wider.repository.clone()),
        }
    }

    /// Finds where the images of an Application are to be written.
    pub(super) fn places(&self, plan: &Plan<'_>, draft: &mut Draft) -> Vec<Place> {
        let mut places = application::places(plan.application, &mut Teller::new(plan.application, &mut draft.remarks));
        let mut tell = Teller::new(plan.said_by, &mut draft.remarks);
        if let Some(url) = self.repository.as_deref().filter(|url| !url.trim().is_empty()) {
            let Some(url) = application::remote(url, plan.names.repository, &mut tell) else { return Vec::new() };
            places.truncate(1);
            match places.first_mut() {
                Some(place) => place.url = url,
                None => places.push(Place { url, ..Place::default() }),
            }
        }
        if let Some(target) = self.target.as_deref().map(str::trim).filter(|target| !target.is_empty()) {
            self.aim(target, &mut places, plan, &mut tell);
        }
        let branch = self.branch.as_deref().map(str::trim).filter(|branch| !branch.is_empty());
        for place in &mut places {
            if let Some(text) = branch {
                // Where the branch cannot be known, no other is written to.
                let Some(branch) = environments::branch(text, plan.names.branch, &mut tell) else { return Vec::new() };
                place.branch = Some(branch);
            }
        }
        self.tell_of_method(plan, &mut tell);
        let writes_git = self.method.as_deref().is_some_and(|method| method.trim().starts_with("git"));
        if writes_git && self.target.as_deref().is_none_or(|target| target.trim().is_empty()) {
            let reason = "images were written to `.argocd-source-….yaml`, which wins over the manifests";
            tell.note(plan.names.target, reason, "bring the versions in it into the manifests, and remove it");
        }
        places
    }

    /// Narrows the place to the files that the target names.
    fn aim(&self, target: &str, places: &mut Vec<Place>, plan: &Plan<'_>, tell: &mut Teller<'_>) {
        let field = plan.names.target;
        let (kind, rest) = target.split_once(':').map_or((target, None), |(kind, rest)| (kind, Some(rest)));
        let Some(place) = places.first_mut() else { return };
        let file = match kind {
            "kustomization" => application::inside(&place.folder, rest.unwrap_or(".")).map(|folder| {
                let slash = if folder.is_empty() { "" } else { "/" };
                format!("{folder}{slash}{{kustomization.yaml,kustomization.yml,Kustomization}}")
            }),
            "helmvalues" => application::inside(&place.folder, rest.unwrap_or("values.yaml")),
            _ => {
                let reason = format!("`{target}` is an override file of the Image Updater's own; Tagboat edits the references themselves");
                return tell.note(field, reason, "remove the override file, which would win over them");
            }
        };
        match file.filter(|file| !file.is_empty()) {
            Some(file) => {
                place.paths = vec![file];
                places.truncate(1);
            }
            None => tell.lost(field, format!("`{target}` is outside of the repository"), "`paths` within the repository"),
        }
    }

    fn tell_of_method(&self, plan: &Plan<'_>, tell: &mut Teller<'_>) {
        let field = plan.names.method;
        match self.method.as_deref().map_or("argocd", str::trim) {
            "argocd" | "" => tell.note(
                field,
                "the Application in the cluster was changed, not Git; Tagboat writes the repository of its source",
                "take the images out of the Application's helm.parameters and kustomize.images, which would win",
            ),
            "git" | "git:repocreds" => tell.note(
                field,
                "Argo CD's credential for the repository was used",
                "put a credential that may push where `auth` of the environment says",
            ),
            method if method.strip_prefix("git:secret:").is_some_and(|name| !name.is_empty()) => tell.note(
                field,
                "the secret is read as a file",
                "mount it where `auth` of the environment says; host keys are checked, so give `known_hosts` for ssh",
            ),
            method => tell.broken(field, format!("`{method}` is no way of writing: argocd, git, git:repocreds or git:secret:name")),
        }
    }
}
