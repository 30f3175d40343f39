//! Receiver and Alert: who tells Flux of a push, and whom Flux tells of a commit. Neither is carried over.

use serde_yaml::Value;

use super::fields::{Fields, secret_file};
use crate::import::{Object, Remark, quoted};

/// The types of Receivers that are kinds of a `[webhook]`, too.
const SHARED: [&str; 7] = ["github", "gitlab", "harbor", "dockerhub", "quay", "nexus", "acr"];

/// Tells what a Receiver or an Alert does for images; what it does for others stays with Flux.
pub(super) fn tell(object: &Object, remarks: &mut Vec<Remark>) {
    let names = |list: &str, kinds: &[&str]| {
        let items = object.at(list).and_then(Value::as_sequence);
        items.into_iter().flatten().any(|item| item.get("kind").and_then(Value::as_str).is_some_and(|kind| kinds.contains(&kind)))
    };
    let mut fields = Fields::new(object, remarks);
    if object.kind() == "Receiver" && names("/spec/resources", &["ImageRepository"]) {
        let kind = match object.text("/spec/type") {
            Some("gcr") => "gar",
            Some(kind) if SHARED.contains(&kind) => kind,
            _ => "generic",
        };
        let secret = secret_file(object.namespace(), object.text("/spec/secretRef/name").unwrap_or("webhook"), "token");
        let instead = format!("[webhook.NAME] with kind = {}, secret = {{ file = {} }}", quoted(kind), quoted(&secret));
        fields.lost("spec.resources", "the registry tells Flux of a push, and not Tagboat; until it does, listings find it", &instead);
    }
    if object.kind() == "Alert" && names("/spec/eventSources", &["ImageRepository", "ImagePolicy", "ImageUpdateAutomation"]) {
        fields.lost("spec.eventSources", "no messages are sent", "the forge's notifications of commits, or alerts on the metrics");
    }
}
