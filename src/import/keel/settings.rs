//! The settings of an object: annotations or labels, or the `keel` block of Helm values.

use std::collections::{BTreeMap, BTreeSet};

use super::schedule;
use crate::import::Object;
use crate::import::common::Teller;

/// What stands in front of a key, and what did in old versions.
const PREFIXES: [&str; 2] = ["keel.sh/", "keel.observer/"];

/// The settings by their names without a prefix, each of one source: those of labels do not count where annotations have the policy.
pub(super) struct Settings {
    values: BTreeMap<String, String>,
    /// How a setting is called in the object, in front of its name.
    prefix: &'static str,
}

impl Settings {
    /// Reads those of a workload; none if it has no policy.
    pub(super) fn of_workload(object: &Object, tell: &mut Teller<'_>) -> Option<Self> {
        let read = |texts: BTreeMap<&str, &str>| {
            let mut values = BTreeMap::new();
            for prefix in PREFIXES.iter().rev() {
                let ours = texts.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, value.trim())));
                values.extend(ours.map(|(key, value)| (key.to_owned(), value.to_owned())));
            }
            values
        };
        let (annotations, labels) = (read(object.annotations()), read(object.labels()));
        let has_policy = |values: &BTreeMap<String, String>| values.get("policy").is_some_and(|policy| !policy.is_empty());
        let (values, other) = match (has_policy(&annotations), has_policy(&labels)) {
            (true, _) => (annotations, labels),
            (false, true) => (labels, annotations),
            (false, false) => {
                if !annotations.is_empty() || !labels.is_empty() {
                    tell.note("keel.sh/policy", "there is no policy, so Keel leaves the workload alone", "");
                }
                return None;
            }
        };
        let ignored: BTreeSet<&str> = other.keys().map(String::as_str).filter(|key| !WRITTEN.contains(key)).collect();
        for key in ignored {
            tell.note(&format!("keel.sh/{key}"), "annotations and labels do not mix: this does not count where the policy is not", "");
        }
        Some(Self { values, prefix: "keel.sh/" })
    }

    pub(super) fn of_values(values: BTreeMap<String, String>) -> Self {
        Self { values, prefix: "keel." }
    }

    /// Names a setting as the object does.
    pub(super) fn of(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.values.get(key).filter(|value| !value.is_empty()).cloned()
    }

    /// Reads a truth value, which Keel takes as false if it is neither.
    pub(super) fn is(&self, key: &str) -> bool {
        self.text(key).is_some_and(|value| matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
    }

    pub(super) fn policy(&self, tell: &mut Teller<'_>) -> Option<String> {
        let policy = self.text("policy");
        if policy.as_deref().is_none_or(|policy| policy == "never") {
            tell.note(&self.of("policy"), "the policy is `never`, so there is nothing to import", "");
            return None;
        }
        policy
    }

    /// Says whether only the tag that is there is followed.
    pub(super) fn matches_tag(&self) -> bool {
        self.is("matchTag") || self.is("match-tag")
    }

    /// Says whether a prerelease's suffix has to stay; it does unless that is denied.
    pub(super) fn matches_prerelease(&self) -> bool {
        self.text("matchPreRelease").is_none() || self.is("matchPreRelease")
    }

    pub(super) fn interval(&self, tell: &mut Teller<'_>) -> Option<String> {
        let written = self.text("pollSchedule")?;
        match schedule::interval(&written) {
            Some(interval) => Some(interval),
            None => {
                let reason = format!("`{written}` is a time of day or no schedule; repositories are listed at intervals");
                tell.lost(&self.of("pollSchedule"), reason, "`interval` of the image, such as \"1h\"");
                None
            }
        }
    }

    /// Tells of settings that have no equal.
    pub(super) fn tell_of_the_rest(&self, tell: &mut Teller<'_>) {
        let has = |key: &str| self.text(key).is_some();
        if self.text("trigger").is_none_or(|trigger| trigger != "poll") {
            let reason = "only webhooks started an update; Tagboat lists repositories at intervals, and webhooks make that sooner";
            tell.note(&self.of("trigger"), reason, "a [webhook.NAME] for the registry, if it should not take until the next listing");
        }
        let approvals = self.text("approvals").is_some_and(|votes| votes != "0");
        if approvals {
            tell.lost(
                &self.of("approvals"),
                "nobody is asked before a commit",
                "`branch` of its own for the environment, merged by pull request",
            );
        }
        if approvals && has("approvalDeadline") {
            tell.lost(&self.of("approvalDeadline"), "nobody is asked before a commit", "the pull request's own rules");
        }
        for key in ["notify", "notificationChannels"].into_iter().filter(|key| has(key)) {
            tell.lost(&self.of(key), "no messages are sent", "the forge's notifications of commits, or alerts on the metrics");
        }
        if has("releaseNotes") {
            tell.lost(&self.of("releaseNotes"), "commits name versions, not their notes", "");
        }
        for key in self.values.keys().map(String::as_str) {
            if WRITTEN.contains(&key) {
                tell.note(&self.of(key), "Keel wrote this itself", "remove it from the workload");
            } else if !KNOWN.contains(&key) {
                tell.lost(&self.of(key), "this setting is not known", "");
            }
        }
    }
}

/// What Keel writes and nobody sets.
const WRITTEN: [&str; 2] = ["digest", "update-time"];

const KNOWN: [&str; 16] = [
    "policy",
    "matchTag",
    "match-tag",
    "matchPreRelease",
    "trigger",
    "pollSchedule",
    "approvals",
    "approvalDeadline",
    "notify",
    "notificationChannels",
    "releaseNotes",
    "imagePullSecret",
    "monitorContainers",
    "initContainers",
    "imageVolumes",
    "images",
];
