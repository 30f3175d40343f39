//! Flux: ImageRepository, ImagePolicy, and ImageUpdateAutomation with its GitRepository.
//!
//! An ImageUpdateAutomation becomes an environment, an ImagePolicy an `[[image]]` in the environments whose automations select it, and
//! what an ImageRepository says of its host a `[registry]`. All versions of the API are read, `v1alpha1` to `v1`. Flux reads tags
//! strictly, so every range does. Of Receivers and Alerts it is told what they did for images. Markers go on to work, through `marker` of
//! the `[[image]]`, which makes it about marked values only, as in Flux.

mod automation;
mod duration;
mod fields;
mod hosts;
mod input;
mod notices;
mod policy;
mod repository;
mod rules;
mod selector;

use super::gather::gathered;
use super::{Draft, Object, Remark, Severity};
use hosts::Hosts;
use input::Input;
use rules::Rules;

/// Makes a draft of Flux's objects. Those of its kinds that have nothing to do with images are passed over, all others skipped.
#[must_use]
pub fn import(objects: &[Object]) -> Draft {
    let mut remarks = Vec::new();
    let mut foreign = Vec::new();
    let input = Input::new(objects, &mut remarks, &mut foreign);
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
    Draft { registries: hosts.into_registries(), environments, images, remarks: gathered(remarks), foreign }
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
