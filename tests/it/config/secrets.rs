//! Secrets that are not there: a mistake for those who will need them, none for those who may not.

use std::fs;
use std::path::Path;

use tagboat::config::{load, load_without_secrets};
use tagboat::redact::SecretSource;
use tagboat::{environment, registry};

use crate::support::world::tagboat;

const POLICY: &str = r#"
[watch]
docker_config = "no/config.json"

[registry."ghcr.io"]
ca_file = "no/ca.pem"
auth = { username = "bot", password = { file = "no/password" } }

[registry."quay.io"]
auth = { token = { env = "EMPTY" } }

[environment.http]
url = "https://git.example.com/e.git"
ca_file = "no/ca.pem"
auth = { username = "bot", password = { env = "NOT_SET" } }

[environment.ssh]
url = "git@git.example.com:e.git"
auth = { ssh_key = { file = "no/key" }, known_hosts = "no/hosts" }

[[image]]
repository = "nginx"
"#;

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    fs::write(file.path(), text).unwrap();
    file
}

#[test]
fn a_policy_file_can_be_read_where_its_secrets_are_not() {
    let file = file(POLICY);
    let report = load(file.path(), &super::variables()).unwrap_err();
    assert_eq!(report.mistakes().len(), 8, "{report}");

    let settings = load_without_secrets(file.path(), &super::variables()).unwrap();
    let passwords = settings.engine.environments.iter().filter_map(|environment| match &environment.git.auth {
        Some(environment::Auth::Basic { password, .. }) => Some(password),
        _ => None,
    });
    let tokens = settings.registry.hosts.values().filter_map(|host| match &host.auth {
        Some(registry::Auth::Basic { password: secret, .. } | registry::Auth::Bearer(secret)) => Some(secret),
        _ => None,
    });
    let told: Vec<String> = passwords.chain(tokens).map(|secret| secret.read().unwrap_err().to_string()).collect();
    let missing = file.path().parent().unwrap().join("no/password");
    assert_eq!(
        told,
        [
            "the environment variable NOT_SET, which is to hold the secret, is not set".to_owned(),
            format!("reading the secret file {}", missing.display()),
            "the environment variable EMPTY, which is to hold the secret, is not set".to_owned(),
        ]
    );
}

/// A checkout on a developer's machine, or a list of tags, needs no secret.
#[test]
fn commands_that_need_no_secret_ask_for_none() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), "image: nginx:1.27.0\n").unwrap();
    fs::write(folder.path().join("tags.txt"), "1.27.0\n1.27.1\n").unwrap();
    let policy = file(POLICY);
    let run = |arguments: &[&str]| {
        let output = tagboat(policy.path()).current_dir(folder.path()).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let (code, text) = run(&["refs", "."]);
    assert!(code == Some(0) && text.contains("a.yaml:1"), "{code:?} {text}");
    let (code, text) = run(&["explain", "nginx:1.27.0", "--tags", "tags.txt"]);
    assert!(code == Some(0) && text.contains("move to 1.27.1"), "{code:?} {text}");
    // Those that will need them say what is missing, all at once.
    let (code, text) = run(&["check"]);
    assert!(code == Some(64) && text.contains("the environment variable is not set"), "{code:?} {text}");
}

#[test]
fn a_secret_that_is_there_is_read_all_the_same() {
    let settings = load_without_secrets(Path::new("config/minimal.toml"), &super::variables()).unwrap();
    let Some(environment::Auth::Basic { password, .. }) = &settings.engine.environments[0].git.auth else { panic!() };
    assert!(matches!(password, SecretSource::Env { value, .. } if value.expose() == "planted-git-token"));
}

#[test]
fn other_mistakes_are_told_without_secrets_as_well() {
    let file = file(&POLICY.replace("file = \"no/password\"", "fil = \"no/password\"").replace("{ env = \"EMPTY\" }", "\"planted-token\""));
    let report = load_without_secrets(file.path(), &super::variables()).unwrap_err();
    assert_eq!(report.mistakes().len(), 3, "{report}");
    assert!(!report.to_string().contains("planted-"), "{report}");
}
