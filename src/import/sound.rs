//! The last look at a draft: what the policy file cannot say is left out, with the reason.

use std::collections::BTreeMap;

use super::{Draft, EnvironmentDraft, ImageDraft, Line, Remark, Severity, quoted, write};
use crate::config::{self, Mistake, Variables};

/// The name of the environment that stands in where the input tells of no Git repository.
const PLACEHOLDER: &str = "main";

/// Makes a draft sound, so that what is written passes `tagboat check` once the secrets are in place.
///
/// An entry that the policy file would refuse is left out, and the mistake becomes a [`Severity::Broken`] remark. Where there are images
/// but no environment, one is added to be filled in.
#[must_use]
pub fn sound(mut draft: Draft) -> Draft {
    if draft.environments.is_empty() && !draft.images.is_empty() {
        draft.environments.push(placeholder());
        draft.remarks.push(Remark {
            origin: None,
            object: format!("[environment.{PLACEHOLDER}]"),
            field: "url".to_owned(),
            reason: "the input names no Git repository".to_owned(),
            instead: Some("put yours in place of the sample, with `auth` and `author`".to_owned()),
            severity: Severity::Note,
        });
    }
    if mistakes(&draft).is_empty() {
        return draft;
    }
    let Draft { registries, environments, images, mut remarks, foreign } = draft;
    let base = Draft { environments: vec![placeholder()], images: vec![anything()], ..Draft::default() };
    let mut kept = Draft::default();
    for registry in registries {
        let alone = Draft { registries: vec![registry.clone()], ..base.clone() };
        if tell(&mistakes(&alone), &format!("[registry.{}]", quoted(&registry.host)), &mut remarks) {
            kept.registries.push(registry);
        }
    }
    for environment in environments {
        let alone = Draft { environments: vec![environment.clone()], ..base.clone() };
        let title = environment.comments.first().map_or_else(|| format!("[environment.{}]", environment.name), String::clone);
        if tell(&mistakes(&alone), &title, &mut remarks) {
            kept.environments.push(environment);
        }
    }
    // Images are tried among environments that have nothing but a name.
    let names: Vec<EnvironmentDraft> = kept.environments.iter().enumerate().map(|(index, one)| named(&one.name, index)).collect();
    for mut image in images {
        keep_environments(&mut image, &kept.environments);
        let alone = Draft { environments: names.clone(), images: vec![image.clone()], ..Draft::default() };
        let title = image.comments.first().map_or_else(|| format!("[[image]] {}", image.repository), String::clone);
        if tell(&mistakes(&alone), &title, &mut remarks) {
            kept.images.push(image);
        }
    }
    Draft { remarks, foreign, ..kept }
}

/// Takes the environments that were left out from those of an image; where none remains, that is its mistake.
fn keep_environments(image: &mut ImageDraft, kept: &[EnvironmentDraft]) {
    for line in image.lines.iter_mut().filter(|line| line.key == "environments") {
        let Ok(mut read) = toml::from_str::<BTreeMap<String, Vec<String>>>(&format!("names = {}", line.value)) else { continue };
        let names = read.entry("names".to_owned()).or_default();
        let known = |name: &String| kept.iter().any(|environment| environment.name == *name);
        if names.iter().any(known) {
            names.retain(known);
            line.value = Line::texts("", names).value;
        }
    }
}

/// Reads what would be written.
fn mistakes(draft: &Draft) -> Vec<Mistake> {
    let text = write(&Draft { remarks: Vec::new(), foreign: Vec::new(), ..draft.clone() }, "");
    match config::load_str_without_secrets("", &text, &Variables::default()) {
        Ok(_) => Vec::new(),
        Err(report) => report.mistakes().to_vec(),
    }
}

/// Tells the mistakes of an entry; says whether there are none.
fn tell(mistakes: &[Mistake], object: &str, remarks: &mut Vec<Remark>) -> bool {
    remarks.extend(mistakes.iter().map(|mistake| Remark {
        origin: None,
        object: object.to_owned(),
        field: String::new(),
        reason: mistake.message.clone(),
        instead: mistake.help.clone(),
        severity: Severity::Broken,
    }));
    mistakes.is_empty()
}

fn placeholder() -> EnvironmentDraft {
    EnvironmentDraft {
        name: PLACEHOLDER.to_owned(),
        lines: vec![Line::text("url", "https://git.example.com/acme/environments.git").because("put yours here")],
        comments: vec!["The input names no Git repository: say where your manifests are.".to_owned()],
    }
}

fn named(name: &str, index: usize) -> EnvironmentDraft {
    EnvironmentDraft { name: name.to_owned(), lines: vec![Line::text("url", &format!("/{index}"))], comments: Vec::new() }
}

fn anything() -> ImageDraft {
    ImageDraft { repository: "**".to_owned(), policy: Vec::new(), lines: Vec::new(), comments: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::super::RegistryDraft;
    use super::*;

    fn image(repository: &str, policy: &str) -> ImageDraft {
        let policy = vec![Line::text("semver", policy)];
        ImageDraft { repository: repository.to_owned(), policy, lines: Vec::new(), comments: Vec::new() }
    }

    #[test]
    fn what_the_policy_file_refuses_is_left_out_and_told() {
        let registry = |host: &str| RegistryDraft { host: host.to_owned(), lines: Vec::new() };
        let draft = sound(Draft {
            registries: vec![registry("ghcr.io"), registry("a/b")],
            environments: vec![named("prod", 0), named("pr od", 1)],
            images: vec![image("acme/api", "^1"), image("acme/web", ">=1 ||"), image("ACME", "^1")],
            ..Draft::default()
        });
        let kept = (draft.registries.len(), draft.environments.len(), draft.images.len());
        assert_eq!(kept, (1, 1, 1), "{:?}", draft.remarks);
        let objects: Vec<&str> = draft.remarks.iter().map(|remark| remark.object.as_str()).collect();
        assert_eq!(objects, ["[registry.\"a/b\"]", "[environment.pr od]", "[[image]] acme/web", "[[image]] ACME"]);
        assert!(draft.remarks.iter().all(|remark| remark.severity == Severity::Broken));
        assert!(mistakes(&draft).is_empty());
    }

    #[test]
    fn an_image_stays_in_the_environments_that_are_left() {
        let somewhere = |names: &[&str]| ImageDraft { lines: vec![Line::texts("environments", names)], ..image("acme/api", "^1") };
        let draft = sound(Draft {
            environments: vec![named("prod", 0), EnvironmentDraft { lines: vec![Line::text("url", "ftp://x")], ..named("bad", 1) }],
            images: vec![somewhere(&["bad", "prod"]), somewhere(&["bad"])],
            ..Draft::default()
        });
        assert_eq!(draft.images, [somewhere(&["prod"])]);
        assert_eq!(draft.remarks.len(), 2, "{:?}", draft.remarks);
    }

    #[test]
    fn where_no_environment_is_known_one_stands_in() {
        let draft = sound(Draft { images: vec![image("acme/api", "^1")], ..Draft::default() });
        assert!(write(&draft, "keel").contains("[environment.main]"));
        assert!(mistakes(&draft).is_empty());
        assert!(sound(Draft::default()).environments.is_empty(), "without images there is nothing to write");
    }
}
