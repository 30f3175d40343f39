//! From choices to `[[image]]`s: one for each ImagePolicy, bound to the places that its markers name.

use super::automation::{Places, Targets};
use super::fields::{Fields, in_a_line};
use super::policy::Choice;
use crate::image::Repository;
use crate::import::{ImageDraft, Line, Remark, quoted, shown};

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
    /// What Flux's markers say, as `namespace:name`.
    marker: Option<Line>,
    policy: Vec<Line>,
    interval: Option<Line>,
    /// The names of its environments.
    environments: Vec<String>,
    /// The ImagePolicies; more than one only without a marker.
    titles: Vec<String>,
}

impl<'t, 'a> Rules<'t, 'a> {
    pub(super) fn new(targets: &'t Targets<'a>, is_everywhere: bool) -> Self {
        Self { targets, is_everywhere, rules: Vec::new() }
    }

    /// Adds a rule for an ImagePolicy; where there is to be none, tells why.
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
        let marker = (!object.namespace().is_empty()).then(|| Line::text("marker", &format!("{}:{}", object.namespace(), object.name())));
        let is_same = |rule: &&mut Rule| rule.marker.is_none() && rule.repository == scan.repository && rule.policy == policy;
        if marker.is_none()
            && let Some(same) = self.rules.iter_mut().find(is_same)
        {
            // Without a marker nothing tells the two apart.
            let new = environments.into_iter().filter(|name| !same.environments.contains(name)).collect::<Vec<_>>();
            same.environments.extend(new);
            same.titles.push(object.title());
            return;
        }
        let is_shared = |rule: &&Rule| {
            rule.repository == scan.repository
                && rule.policy != policy
                && (environments.is_empty() || rule.environments.iter().any(|name| environments.contains(name)))
        };
        match (self.rules.iter().find(is_shared), &marker) {
            (Some(first), None) => {
                let reason =
                    format!("{} chooses otherwise for the same image, and without a namespace no marker is known", first.titles.join(", "));
                return fields.lost("metadata.namespace", &reason, &alike);
            }
            (None, None) => {
                let instead = format!("add marker = \"NAMESPACE:{}\", with the namespace that it is applied to", shown(object.name()));
                let reason = "without a namespace it is not known what markers say; references are found by their value";
                fields.note("metadata.namespace", reason, &instead);
            }
            // As in Flux, only marked values are written.
            (_, Some(_)) => {}
        }
        let interval = scan.interval.as_ref().map(|interval| Line::text("interval", interval));
        let (repository, written) = (scan.repository.clone(), scan.written.to_owned());
        self.rules.push(Rule { repository, written, marker, policy, interval, environments, titles: vec![object.title()] });
    }

    pub(super) fn into_images(self) -> Vec<ImageDraft> {
        let all = self.targets.count();
        let image = |rule: Rule| {
            let Rule { written, marker, policy, interval, environments, titles, .. } = rule;
            let names = (environments.len() < all).then(|| Line::texts("environments", &environments));
            let lines = [marker, names, interval].into_iter().flatten().collect();
            ImageDraft { repository: written, policy, lines, comments: titles }
        };
        self.rules.into_iter().map(image).collect()
    }
}
