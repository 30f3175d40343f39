//! From choices to `[[image]]`s: Flux tells places apart by markers, Tagboat by environment, so one repository has one rule in each.

use super::automation::{Places, Targets};
use super::fields::{Fields, full_name, in_a_line};
use super::policy::Choice;
use crate::image::Repository;
use crate::import::{ImageDraft, Line, Remark, quoted};

/// The rules so far.
pub(super) struct Rules<'t, 'a> {
    targets: &'t Targets<'a>,
    /// Whether the input has no automation at all, so that rules hold everywhere.
    is_everywhere: bool,
    rules: Vec<Rule>,
}

struct Rule {
    repository: Repository,
    /// The repository as the objects write it.
    written: String,
    policy: Vec<Line>,
    interval: Option<Line>,
    /// The names of its environments.
    environments: Vec<String>,
    comments: Vec<String>,
}

impl<'t, 'a> Rules<'t, 'a> {
    pub(super) fn new(targets: &'t Targets<'a>, is_everywhere: bool) -> Self {
        Self { targets, is_everywhere, rules: Vec::new() }
    }

    /// Adds a rule for an ImagePolicy, or brings it to the one that says the same; where that is not possible, tells why.
    pub(super) fn add(&mut self, choice: Choice<'_, '_>, remarks: &mut Vec<Remark>) {
        let Choice { object, scan, policy, is_suspended } = choice;
        let mut fields = Fields::new(object, remarks);
        let alike = format!("[[image]] with repository = {}, policy = {{ {} }}", quoted(scan.written), in_a_line(&policy));
        if is_suspended {
            return fields.lost("spec.suspend", "it is suspended, so it is left out", &alike);
        }
        if scan.is_suspended {
            let reason = format!("the {} is suspended, so the policy is left out", scan.object.title());
            return fields.lost("spec.imageRepositoryRef", &reason, &alike);
        }
        let environments = match self.targets.places(object) {
            _ if self.is_everywhere => Vec::new(),
            Places::In(names) => names,
            Places::Suspended => return fields.lost("", "its ImageUpdateAutomation is suspended, so it is left out", &alike),
            Places::Nowhere => {
                return fields.lost("", "no ImageUpdateAutomation of the input selects it, so Flux writes it nowhere", &alike);
            }
        };
        let marker = full_name(object.namespace(), object.name()).replacen('/', ":", 1);
        let comments =
            vec![object.title(), format!("marker = \"{marker}\"   (what Flux's markers say; here the image is found by its value)")];
        let interval = scan.interval.as_ref().map(|interval| Line::text("interval", interval));
        let is_shared = |rule: &&mut Rule| {
            rule.repository == scan.repository
                && (environments.is_empty() || rule.environments.iter().any(|name| environments.contains(name)))
        };
        if let Some(rule) = self.rules.iter_mut().filter(is_shared).find(|rule| rule.policy != policy) {
            let first = rule.comments.first().map_or("", String::as_str);
            let reason = format!("{first} chooses otherwise for the same image in the same environment; only markers tell them apart");
            let instead = format!("both rules with `paths` of their own: {alike}");
            return fields.lost("", &reason, &instead);
        }
        let reason = "markers are not read: within the environment's paths, every reference to the image is found, marked or not";
        fields.note("", reason, "give the [[image]] `paths` where that is too much");
        let known = self.rules.iter_mut().find(|rule| rule.repository == scan.repository && rule.policy == policy);
        if let Some(first) = known.as_ref().filter(|rule| rule.interval != interval).and_then(|rule| rule.comments.first()) {
            let reason = format!("{first} is the same rule, so its `interval` is taken");
            fields.lost("spec.imageRepositoryRef", &reason, "one interval for both");
        }
        match known {
            Some(rule) => {
                rule.comments.extend(comments);
                let new = environments.into_iter().filter(|name| !rule.environments.contains(name)).collect::<Vec<_>>();
                rule.environments.extend(new);
            }
            None => {
                let (repository, written) = (scan.repository.clone(), scan.written.to_owned());
                self.rules.push(Rule { repository, written, policy, interval, environments, comments });
            }
        }
    }

    pub(super) fn into_images(self) -> Vec<ImageDraft> {
        let all = self.targets.count();
        let image = |rule: Rule| {
            let Rule { written, policy, interval, environments, comments, .. } = rule;
            let names = (environments.len() < all).then(|| Line::texts("environments", &environments));
            ImageDraft { repository: written, policy, lines: names.into_iter().chain(interval).collect(), comments }
        };
        self.rules.into_iter().map(image).collect()
    }
}
