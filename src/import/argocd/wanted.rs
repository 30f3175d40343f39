//! An image as Argo CD Image Updater is told of it.

use std::collections::BTreeSet;

use super::settings::{ANNOTATIONS, Names, Settings, WriteBack};
use super::{GROUP, Plan};
use crate::import::common::{Teller, split_image};
use crate::import::{Object, Remark};

/// An image that is to be kept up to date.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Where it is named: `image-list` or `images[0]`.
    pub(super) field: String,
    /// What stands in front of the names of its settings.
    pub(super) prefix: String,
    /// Without tag and constraint.
    pub(super) name: String,
    pub(super) constraint: Option<String>,
    pub(super) settings: Settings,
    pub(super) targets: Targets,
}

/// Which places in the manifests hold the image.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    pub(super) helm_name: Option<String>,
    pub(super) helm_tag: Option<String>,
    pub(super) helm_spec: Option<String>,
    pub(super) kustomize: Option<String>,
    pub(super) plugin: bool,
}

impl Targets {
    fn has_helm(&self) -> bool {
        self.helm_name.is_some() || self.helm_tag.is_some() || self.helm_spec.is_some()
    }
}

impl Wanted {
    /// Names a setting of this image.
    pub(super) fn of(&self, setting: &str) -> String {
        format!("{}{setting}", self.prefix)
    }

    /// Tells of places that Tagboat finds by itself, or not at all.
    pub(super) fn tell_of_targets(&self, names: &Names, tell: &mut Teller<'_>) {
        let Targets { helm_name, helm_tag, helm_spec, kustomize, plugin } = &self.targets;
        if *plugin {
            tell.lost(
                &self.of("manifestTargets.plugin"),
                "variables of a plugin are set in the Application, not in a file that is known",
                "keep the reference in a file of the repository, as a whole or as `repository` and `tag`",
            );
        }
        if kustomize.is_some() {
            tell.note(&self.of(names.kustomize), "entries of `images:` in a kustomization are found by their `name` and `newName`", "");
        }
        if !self.targets.has_helm() {
            return;
        }
        if let (None, Some(tag)) = (helm_spec, helm_tag)
            && !is_found(helm_name.as_deref().unwrap_or("image.name"), tag)
        {
            let reason =
                format!("`{tag}` does not look like the tag of `{}`, so it is not found", helm_name.as_deref().unwrap_or("image.name"));
            return tell.lost(&self.of(names.helm), reason, "call the two keys `repository` and `tag` in one mapping");
        }
        tell.note(&self.of(names.helm), "values are found by the repository that they name, wherever it stands", "");
    }
}

/// Says whether two paths of Helm values are a split reference in the eyes of Tagboat: in one mapping, called alike.
fn is_found(name: &str, tag: &str) -> bool {
    let split = |path: &str| path.rsplit_once('.').map_or((String::new(), path.to_owned()), |(up, key)| (up.to_owned(), key.to_owned()));
    let ((above_name, name), (above_tag, tag)) = (split(name), split(tag));
    let stem = |key: &str, words: &[&str]| {
        let key = key.to_ascii_lowercase();
        words.iter().find_map(|word| key.strip_suffix(word).map(|stem| stem.trim_end_matches('_').to_owned()))
    };
    let (name, tag) = (stem(&name, &["repository", "repo", "name", "image"]), stem(&tag, &["tag"]));
    above_name == above_tag && tag.is_some() && name.is_some()
}

/// Reads `[alias=]name[:constraint]`.
pub(super) fn parse(text: &str) -> Option<(Option<&str>, &str, Option<&str>)> {
    let is_alias = |alias: &str| alias.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
    let (alias, image) = match text.split_once('=') {
        Some((alias, image)) if is_alias(alias.trim()) => (Some(alias.trim()).filter(|alias| !alias.is_empty()), image.trim()),
        _ => (None, text.trim()),
    };
    let (name, constraint) = split_image(image);
    (!name.is_empty()).then_some((alias, name, constraint))
}

/// Reads the annotations of an Application; none if it has no images.
pub(super) fn annotated<'a>(application: &'a Object, said_by: &'a Object, remarks: &mut Vec<Remark>) -> Option<Plan<'a>> {
    let all = application.annotations();
    let prefix = format!("{GROUP}/");
    let ours = |key: &str| all.get(format!("{prefix}{key}").as_str()).map(|value| value.trim().to_owned());
    let mut used: BTreeSet<String> =
        ["image-list", "write-back-method", "write-back-target", "git-branch", "git-repository"].map(str::to_owned).into();
    let mut get = |key: String| {
        let value = ours(&key);
        used.insert(key);
        value
    };
    let mut tell = Teller::new(application, remarks);
    let Some(images) = ours("image-list") else {
        if all.keys().any(|key| key.starts_with(&prefix)) {
            tell.lost("image-list", "there are settings for images, but no images", "");
        }
        return None;
    };
    let wide = settings("", &mut get, &mut tell);
    let mut wanted = Vec::new();
    for text in images.split(',').map(str::trim).filter(|text| !text.is_empty()) {
        let Some((alias, name, constraint)) = parse(text) else {
            tell.broken("image-list", format!("`{text}` names no image"));
            continue;
        };
        let key = alias.unwrap_or(name).replace('/', "_");
        let prefix = format!("{key}.");
        let own = settings(&prefix, &mut get, &mut tell);
        let targets = Targets {
            helm_name: get(format!("{prefix}helm.image-name")),
            helm_tag: get(format!("{prefix}helm.image-tag")),
            helm_spec: get(format!("{prefix}helm.image-spec")),
            kustomize: get(format!("{prefix}kustomize.image-name")),
            plugin: false,
        };
        wanted.push(Wanted {
            field: "image-list".to_owned(),
            prefix,
            name: name.to_owned(),
            constraint: constraint.map(str::to_owned),
            settings: own.over(&Settings { platforms: None, ..wide.clone() }),
            targets,
        });
    }
    let wanted: Vec<Wanted> = wanted.into_iter().filter(|image| image.is_sound(&ANNOTATIONS, &mut tell)).collect();
    for key in all.keys().filter_map(|key| key.strip_prefix(&prefix)).filter(|key| !used.contains(*key)) {
        tell.lost(key, "this annotation is not known, or is for an alias that is not in `image-list`", "");
    }
    Some(Plan {
        application,
        said_by,
        names: &ANNOTATIONS,
        images: wanted,
        write_back: WriteBack {
            method: ours("write-back-method"),
            target: ours("write-back-target"),
            branch: ours("git-branch"),
            repository: ours("git-repository"),
        },
    })
}

/// Reads the settings behind a prefix, older names included.
fn settings(prefix: &str, get: &mut impl FnMut(String) -> Option<String>, tell: &mut Teller<'_>) -> Settings {
    let list = |text: String| text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let mut renamed = |key: &str, old: &str, get: &mut dyn FnMut(String) -> Option<String>| {
        let value = get(format!("{prefix}{key}"));
        let before = get(format!("{prefix}{old}"));
        if before.is_some() {
            tell.note(&format!("{prefix}{old}"), format!("this is the old name of `{key}`"), "");
        }
        value.or(before)
    };
    let strategy = renamed("update-strategy", "sort-mode", get);
    let allow = renamed("allow-tags", "tag-match", get);
    Settings {
        strategy,
        allow,
        ignore: get(format!("{prefix}ignore-tags")).map(list),
        force: get(format!("{prefix}force-update")),
        pull_secret: get(format!("{prefix}pull-secret")),
        platforms: get(format!("{prefix}platforms")).map(list),
    }
}

impl Wanted {
    /// Says whether the tool itself would take it; what it would not is told.
    pub(super) fn is_sound(&self, names: &Names, tell: &mut Teller<'_>) -> bool {
        let before_target = self.targets.has_helm() && self.targets.kustomize.is_some();
        if before_target {
            tell.broken(&self.of(names.kustomize), "an image is written to Helm values or to a kustomization, not to both");
        }
        !before_target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_told_from_a_constraint_that_holds_an_equals_sign() {
        for (text, wanted) in [
            ("classic-web=registry:5000/classic-web", Some((Some("classic-web"), "registry:5000/classic-web", None))),
            ("nginx:>=1.0.1", Some((None, "nginx", Some(">=1.0.1")))),
            ("a=nginx:>=1.0.1", Some((Some("a"), "nginx", Some(">=1.0.1")))),
            ("=nginx", Some((None, "nginx", None))),
            ("a=", None),
            ("", None),
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn values_that_tagboat_finds_by_itself_are_known() {
        for (name, tag, found) in [
            ("image.name", "image.tag", true),
            ("image.repository", "image.tag", true),
            ("worker.imageName", "worker.imageTag", true),
            ("image.repository", "deploy.tag", false),
            ("image.repository", "image.version", false),
            ("image", "tag", true),
        ] {
            assert_eq!(is_found(name, tag), found, "{name} {tag}");
        }
    }
}
