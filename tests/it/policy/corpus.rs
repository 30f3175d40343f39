//! Tag lists as they are in the wild, one file a repository, each with sites and the choice that a careful engineer makes.
//!
//! Made by hand from public knowledge and cut short; nothing in them says what a repository holds today. A case has the
//! site's current tag and either `choice`, the tag to write, or `leave`, the code of why the site stays as it is. Without
//! `policy` it is about the default.

use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use tagboat::config::load_str;
use tagboat::policy::{Decision, Policy, Question};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    repository: String,
    /// What is special about these tags.
    scheme: String,
    tags: String,
    case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    current: String,
    policy: Option<toml::Table>,
    choice: Option<String>,
    leave: Option<String>,
    why: String,
}

fn samples() -> Vec<(PathBuf, Sample)> {
    let files = fs::read_dir("tests/fixtures/policy/corpus").unwrap().map(|entry| entry.unwrap().path());
    let mut samples: Vec<_> = files
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let sample = toml::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
            (file, sample)
        })
        .collect();
    samples.sort_by(|(a, _), (b, _)| a.cmp(b));
    samples
}

/// Reads a policy as a policy file has it.
fn policy(repository: &str, table: Option<&toml::Table>) -> Policy {
    let image = table.map(|table| format!("policy = {}", toml::Value::Table(table.clone()))).unwrap_or_default();
    let text = format!("[environment.prod]\nurl = \"https://git.example.com/e.git\"\n[[image]]\nrepository = \"{repository}\"\n{image}\n");
    let settings = load_str("corpus.toml", &text, &std::iter::empty::<(&str, &str)>().collect());
    settings.unwrap_or_else(|report| panic!("{report}")).engine.images.remove(0).policy
}

#[test]
fn a_careful_engineer_would_choose_the_same() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for (file, sample) in samples() {
        let tags = super::tags(&sample.tags);
        for case in &sample.case {
            cases += 1;
            let current = super::tag(&case.current);
            let question = Question { current: Some(&current), ..Question::of(&tags) };
            let policy = policy(&sample.repository, case.policy.as_ref());
            let decision = policy.decide(&question);
            let found = match &decision {
                Decision::Move { to } => (Some(to.as_str()), None),
                other => (None, Some(other.code())),
            };
            if found != (case.choice.as_deref(), case.leave.as_deref()) {
                let wanted = case.choice.as_ref().or(case.leave.as_ref());
                wrong.push(format!("{} at {} ({policy}): {decision}, not {wanted:?}: {}", file.display(), case.current, case.why));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_sample_says_what_it_is_about() {
    let samples = samples();
    assert!(samples.len() >= 60, "{} samples", samples.len());
    for (file, sample) in samples {
        let tags = super::tags(&sample.tags);
        assert!((8..=30).contains(&tags.len()), "{}: {} tags", file.display(), tags.len());
        assert!(!sample.scheme.is_empty(), "{}", file.display());
        assert!(sample.case.iter().any(|case| case.policy.is_none()), "{}: no case for the default policy", file.display());
        for case in &sample.case {
            assert!(case.choice.is_some() != case.leave.is_some(), "{} at {}", file.display(), case.current);
            assert!(case.choice.as_ref().is_none_or(|choice| tags.contains(choice)), "{} at {}", file.display(), case.current);
            assert!(!case.why.is_empty(), "{} at {}", file.display(), case.current);
        }
    }
}
