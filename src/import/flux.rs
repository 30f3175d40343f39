//! Flux: ImageRepository, ImagePolicy, and ImageUpdateAutomation with its GitRepository.
//!
//! An ImageUpdateAutomation becomes an environment, an ImagePolicy an `[[image]]` in the environments whose automations select it, and
//! what an ImageRepository says of its host a `[registry]`. All versions of the API are read, `v1alpha1` to `v1`. Flux reads tags
//! strictly, so every range does. Markers are not read: references are found by their value, within the same folders.

mod automation;
mod duration;
mod fields;
mod hosts;
mod input;
mod policy;
mod repository;
mod rules;
mod selector;

use super::{Draft, Object, Remark, Severity};
use hosts::Hosts;
use input::Input;
use rules::Rules;

/// Makes a draft of Flux's objects; others are passed over.
#[must_use]
pub fn import(objects: &[Object]) -> Draft {
    let mut remarks = Vec::new();
    let input = Input::new(objects, &mut remarks);
    let mut hosts = Hosts::default();
    let scans = repository::scans(&input, &mut hosts, &mut remarks);
    let targets = automation::targets(&input, &mut remarks);
    let mut rules = Rules::new(&targets, input.automations.is_empty());
    for object in input.policies.iter() {
        if let Some(choice) = policy::choice(object, &input, &scans, &mut remarks) {
            rules.add(choice, &mut remarks);
        }
    }
    let images = rules.into_images();
    if !images.is_empty() {
        remarks.push(manners());
    }
    let environments = targets.into_environments();
    Draft { registries: hosts.into_registries(), environments, images, remarks: gathered(remarks) }
}

/// What is different for every image.
fn manners() -> Remark {
    Remark {
        origin: None,
        object: "every image".to_owned(),
        field: String::new(),
        reason: "Flux lowers a version and bumps a reverted one again, if its policy says so; Tagboat does neither".to_owned(),
        instead: Some("set `downgrade = true` in the policies that are to lower versions".to_owned()),
        severity: Severity::Note,
    }
}

/// Brings remarks that say the same of several objects together.
fn gathered(remarks: Vec<Remark>) -> Vec<Remark> {
    /// How many objects are named; more are counted.
    const NAMED: usize = 8;
    let mut groups: Vec<(Remark, Vec<String>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for remark in remarks {
        let key = (remark.severity as u8, remark.field.clone(), remark.reason.clone(), remark.instead.clone());
        match places.get(&key).and_then(|&at: &usize| groups.get_mut(at)) {
            Some((_, objects)) if objects.contains(&remark.object) => {}
            Some((_, objects)) => objects.push(remark.object),
            None => {
                places.insert(key, groups.len());
                let object = remark.object.clone();
                groups.push((remark, vec![object]));
            }
        }
    }
    let named = |(remark, objects): (Remark, Vec<String>)| {
        let mut object = objects.get(..objects.len().min(NAMED)).unwrap_or_default().join(", ");
        if let Some(more) = objects.len().checked_sub(NAMED).filter(|more| *more > 0) {
            object.push_str(&format!(" and {more} more"));
        }
        Remark { object, ..remark }
    };
    groups.into_iter().map(named).collect()
}
