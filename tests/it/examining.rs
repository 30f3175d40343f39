//! `tagboat registry test`: what a person sees of a registry, and what nobody may see.

use serde_json::Value;

use crate::support::registry::{BASIC, PASSWORD, USER, authorization, json, status, unauthorized};
use crate::support::world::{API, Run, World, tagboat};

const TOKEN: &str = "a-token-that-nobody-may-see";

/// A registry that gives tokens to [`USER`] and lists three tags.
fn guarded() -> (World, std::path::PathBuf) {
    let world = World::new(&[(API, "x: 1\n")]);
    world.registry.publish_many("shop/api", ["1.0", "1.1", "1.2"]);
    let host = world.registry.host();
    world.registry.on_request(move |parts| {
        let sent = authorization(parts).unwrap_or_default();
        match parts.uri.path() {
            "/token" if sent == BASIC => Some(json(format!(r#"{{"token":"{TOKEN}","expires_in":300}}"#))),
            "/token" => Some(status(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}"#)),
            _ if sent == format!("Bearer {TOKEN}") => None,
            _ => Some(unauthorized(&format!(r#"Bearer realm="http://{host}/token",service="test""#))),
        }
    });
    let password = world.dir.path().join("password");
    std::fs::write(&password, PASSWORD).unwrap();
    let policy = world.policy("");
    let text = std::fs::read_to_string(&policy).unwrap();
    let auth = format!("plain_http = true\nauth = {{ username = \"{USER}\", password = {{ file = \"password\" }} }}\n");
    std::fs::write(&policy, text.replace("plain_http = true\n", &auth) + "[[image]]\nrepository = \"nginx\"\n").unwrap();
    (world, policy)
}

fn shows_no_secret(run: &Run) {
    for secret in [PASSWORD, TOKEN, BASIC.trim_start_matches("Basic ")] {
        assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn every_step_is_shown_with_its_requests_and_without_secrets() {
    let (world, policy) = guarded();
    let run = world.tagboat(&policy, &["registry", "test", &world.fill("REGISTRY/shop/api")]).done();
    shows_no_secret(&run);
    let host = world.registry.host();
    for text in [
        &format!("http, 8 requests at once, user {USER}\n"),
        "credential: the policy file",
        &format!("GET http://{host}/v2/ with nothing: 401"),
        &format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"test\""),
        &format!("GET http://{host}/token?service=test with Basic: 200"),
        &format!("GET http://{host}/token?service=test&scope=repository%3Ashop%2Fapi%3Apull with Basic: 200"),
        &format!("GET http://{host}/v2/shop/api/tags/list?n=1000 with Bearer: 200"),
        "3 tags\n",
        "1.2 is sha256:",
        &format!("HEAD http://{host}/v2/shop/api/manifests/1.2 with Bearer: 200"),
        "requests, the registry says nothing of limits",
    ] {
        assert!(run.stdout.contains(text), "`{text}` is missing in:\n{}", run.stdout);
    }
    assert!(!run.stdout.contains("failed"), "{}", run.stdout);
}

#[test]
fn a_wrong_password_is_told_once_with_what_to_do() {
    let (world, policy) = guarded();
    std::fs::write(world.dir.path().join("password"), "another").unwrap();
    let run = world.tagboat(&policy, &["registry", "test", &world.fill("REGISTRY/shop/api:1.0")]).ended(1);
    shows_no_secret(&run);
    assert!(!run.stdout.contains("another"), "{}", run.stdout);
    assert_eq!(run.stdout.matches("failed").count(), 1, "what would fail alike is not tried: {}", run.stdout);
    assert!(run.stdout.contains("answered 401 Unauthorized: wrong password"), "{}", run.stdout);
    assert!(run.stdout.contains("hint") && run.stdout.contains("is wrong or has expired"), "{}", run.stdout);
}

#[test]
fn machines_get_the_same_as_json() {
    let (world, policy) = guarded();
    let run = world.tagboat(&policy, &["registry", "test", &world.fill("REGISTRY/shop/api:1.0"), "--format", "json"]).done();
    shows_no_secret(&run);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let steps: Vec<&str> = report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["settings", "greeting", "tags", "digest", "limits"], "an address needs no resolution");
    let tags = &report["steps"][2];
    assert_eq!((&tags["result"], &tags["error"], &tags["credential"]), (&"3 tags".into(), &Value::Null, &"the policy file".into()));
    assert_eq!(tags["requests"].as_array().unwrap().last().unwrap()["status"], 200);
    assert_eq!(report["registry"]["registry"].as_str().unwrap(), world.registry.host());
    assert_eq!(report["registry"]["circuit"]["state"], "closed");
}

#[test]
fn the_image_is_looked_into_on_request() {
    let (world, policy) = guarded();
    let run = world.tagboat(&policy, &["registry", "test", &world.fill("REGISTRY/shop/api:1.0"), "--image"]);
    for step in ["manifest", "pushed"] {
        assert!(run.stdout.lines().any(|line| line.starts_with("ok") && line.contains(step)), "{step}: {}", run.stdout);
    }
}

#[test]
fn a_name_that_nobody_knows_ends_it_and_no_policy_file_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = tagboat(&dir.path().join("none.toml"));
    command.env_remove("TAGBOAT_CONFIG").current_dir(dir.path()).args(["registry", "test", "registry.invalid/acme/api"]);
    let run = Run::of(&mut command).ended(1);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!(lines[0], "registry.invalid/acme/api");
    assert!(lines[1].contains("settings") && lines[1].contains("the policy file does not name it"), "{}", run.stdout);
    assert!(lines[2].starts_with("failed") && lines[2].contains("registry.invalid"), "{}", run.stdout);
    assert!(lines[3].contains("hint") && lines.len() == 4, "{}", run.stdout);
    let mut command = tagboat(&dir.path().join("none.toml"));
    command.env_remove("TAGBOAT_CONFIG").current_dir(dir.path()).args(["registry", "test", "Not A Reference"]);
    Run::of(&mut command).ended(1).says("error");
}
