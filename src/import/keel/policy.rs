//! From Keel's policies to those of the policy file.

use super::settings::Settings;
use crate::import::Line;
use crate::import::common::{Glob, Teller, glob, is_regex};
use crate::policy::{Reading, Scheme};

/// Gives the policy for an image with this tag; none if Keel would never update it.
pub(super) fn policy(policy: &str, tag: Option<&str>, field: &str, settings: &Settings, tell: &mut Teller<'_>) -> Option<Vec<Line>> {
    let (kind, pattern) = policy.split_once(':').map_or((policy, None), |(kind, pattern)| (kind, Some(pattern)));
    let name = settings.of("policy");
    match (kind, pattern) {
        ("all" | "major" | "minor" | "patch", None) => Some(step(kind, tag, field, settings, tell)),
        ("force", None) => Some(force(tag, field, settings, tell)),
        ("glob", Some(pattern)) if !pattern.is_empty() && !pattern.contains(':') => {
            let filter = glob(pattern, Glob::Stars)?;
            Some(vec![Line::text("alphabetical", "ascending"), Line::text("filter", &filter)])
        }
        ("regexp", Some(pattern)) => {
            if let Err(error) = is_regex(pattern) {
                tell.broken(&name, format!("`{pattern}` cannot be used: {error}"));
                return None;
            }
            let mut policy = vec![Line::text("alphabetical", "ascending"), Line::text("filter", pattern)];
            if pattern.contains("(?P<compare>") || pattern.contains("(?<compare>") {
                policy.push(Line::text("extract", "$compare").because("compared as text; `numeric` is better for numbers"));
            }
            Some(policy)
        }
        _ => {
            tell.broken(&name, format!("`{policy}` is no policy: all, major, minor, patch, force, glob:… or regexp:…"));
            None
        }
    }
}

fn step(kind: &str, tag: Option<&str>, field: &str, settings: &Settings, tell: &mut Teller<'_>) -> Vec<Line> {
    if !is_version(tag) {
        let reason = format!("`{}` is no version, so nothing says what is newer", tag.unwrap_or("latest"));
        tell.note(field, reason, "write a version into the manifest, and Tagboat goes on from there");
    }
    let mut policy = vec![Line::text("update", if kind == "all" { "major" } else { kind })];
    if kind == "all" || !settings.matches_prerelease() {
        policy.push(Line::new("prerelease", "true"));
    }
    if kind != "all" && !settings.matches_prerelease() {
        let reason = "prereleases may be taken; a suffix that is a variant, such as `-alpine`, stays all the same";
        tell.note(&settings.of("matchPreRelease"), reason, "`variant = \"any\"`, if it need not");
    }
    policy
}

fn force(tag: Option<&str>, field: &str, settings: &Settings, tell: &mut Teller<'_>) -> Vec<Line> {
    let name = settings.of("policy");
    let tag = tag.unwrap_or("latest");
    if settings.matches_tag() {
        tell.note(field, format!("the digest of `{tag}` is written into Git, so that each change of it is a commit"), "");
        return vec![Line::text("digest", tag)];
    }
    if is_version(Some(tag)) {
        tell.note(&name, "`force` took any tag that was pushed, among versions the higher one only", "");
        return vec![Line::text("update", "major"), Line::new("prerelease", "true")];
    }
    let reason = "`force` took any tag that was pushed; the newest by the time of its push is the nearest to that";
    tell.note(&name, reason, "`digest` with one tag, or a `filter`, if not every tag is meant");
    vec![Line::text("newest", "pushed")]
}

fn is_version(tag: Option<&str>) -> bool {
    tag.is_some_and(|tag| Reading::of(tag).is_ok_and(|reading| reading.scheme() == Scheme::Version))
}
