//! The `keel` block of Helm values.

use std::collections::BTreeMap;

use serde_yaml::Value;

use super::settings::Settings;
use super::{Image, carry_over, dotted};
use crate::import::common::{Rule, Teller, at, items, scalar, text};
use crate::import::{Draft, Object};

/// Takes the images that the block names by their paths in the values.
pub(super) fn import<'a>(object: &'a Object, values: &Value, prefix: &str, rules: &mut Vec<Rule<'a>>, draft: &mut Draft) {
    let mut tell = Teller::new(object, &mut draft.remarks);
    let Some(block) = at(values, &["keel"]).and_then(Value::as_mapping) else {
        return tell.broken("keel", "this is no mapping");
    };
    let mut flat: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in block.iter().filter_map(|(key, value)| Some((scalar(key)?, value))) {
        let text = match value {
            Value::Sequence(items) if key != "images" => items.iter().filter_map(scalar).collect::<Vec<_>>().join(","),
            value => scalar(value).unwrap_or_default(),
        };
        flat.insert(key, text.trim().to_owned());
    }
    let block = at(values, &["keel"]).unwrap_or(values);
    let mut images = Vec::new();
    for (index, entry) in items(block, &["images"]).iter().enumerate() {
        let field = format!("{prefix}keel.images[{index}]");
        let Some(path) = text(entry, &["repository"]) else {
            tell.broken(&field, "it names no `repository`");
            continue;
        };
        let Some(name) = dotted(values, &path).filter(|name| !name.is_empty()) else {
            tell.broken(&field, format!("there is nothing at `{path}`"));
            continue;
        };
        let tag = text(entry, &["tag"]).and_then(|path| dotted(values, &path)).filter(|tag| !tag.is_empty());
        if text(entry, &["digest"]).is_some() {
            tell.note(&format!("{field}.digest"), "a digest beside the tag is kept in step with it", "");
        }
        if text(entry, &["releaseNotes"]).is_some() {
            tell.lost(&format!("{field}.releaseNotes"), "commits name versions, not their notes", "");
        }
        let known = ["repository", "tag", "digest", "releaseNotes", "imagePullSecret"];
        let keys = entry.as_mapping().into_iter().flat_map(|map| map.keys()).filter_map(scalar);
        for key in keys.filter(|key| !known.contains(&key.as_str())) {
            tell.lost(&format!("{field}.{key}"), "this setting is not known", "");
        }
        let written = tag.map_or_else(|| name.clone(), |tag| format!("{name}:{tag}"));
        let pull_secret =
            text(entry, &["imagePullSecret"]).or_else(|| flat.get("imagePullSecret").cloned()).filter(|name| !name.is_empty());
        images.push(Image { field, written, pull_secret });
    }
    if images.is_empty() {
        return tell.broken(&format!("{prefix}keel.images"), "there are no images, so Keel leaves the release alone");
    }
    carry_over(object, &Settings::of_values(flat), images, rules, draft);
}
