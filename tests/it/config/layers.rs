//! Several files, and environment variables above them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tagboat::config::{Report, Settings, load, load_str};

const POLICY: &str = "[environment.prod]\nurl = \"https://git.example.com/e.git\"\n[[image]]\nrepository = \"api\"\n";

fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Settings, Report> {
    load_str("policy.toml", text, &super::with(variables))
}

fn mistakes(report: &Report) -> Vec<String> {
    report.mistakes().iter().map(|m| format!("{}: {} ({})", m.file, m.message, m.help.clone().unwrap_or_default())).collect()
}

#[test]
fn a_variable_wins_over_the_file_and_the_file_over_the_default() {
    let text = format!("[watch]\ninterval = \"10m\"\nlog_level = \"debug\"\n{POLICY}");
    let settings = load_with(&text, &[("TAGBOAT_WATCH__INTERVAL", "90s"), ("TAGBOAT_WATCH__LISTEN", "127.0.0.1:0")]).unwrap();
    assert_eq!(settings.engine.interval, Duration::from_secs(90));
    assert_eq!(settings.telemetry.filter, "debug");
    assert_eq!(settings.engine.state_dir, Path::new("/var/lib/tagboat"));
    assert_eq!(settings.http.listen, Some("127.0.0.1:0".parse().unwrap()));
}

#[test]
fn a_variable_that_wins_is_still_no_excuse_for_the_file() {
    let text = format!("[watch]\nintervall = \"10m\"\n{POLICY}");
    let report = load_with(&text, &[("TAGBOAT_WATCH__INTERVAL", "90s")]).unwrap_err();
    assert_eq!(mistakes(&report), ["policy.toml: `intervall` is not known here (did you mean `interval`?)"]);
}

#[test]
fn a_wrong_variable_is_shown_like_a_line() {
    let report = load_with(POLICY, &[("TAGBOAT_WATCH__INTERVAL", "90")]).unwrap_err();
    let text = report.to_string();
    assert!(text.contains("--> TAGBOAT_WATCH__INTERVAL:1:1"), "{text}");
    assert!(text.contains("1 | 90"), "{text}");
}

#[test]
fn an_unknown_variable_of_the_form_is_a_mistake() {
    let report = load_with(
        POLICY,
        &[("TAGBOAT_WATCH__INTERVALL", "5m"), ("TAGBOAT_REGISTRY__TOKEN", "planted-secret"), ("TAGBOAT_WATCH__LOG__LEVEL", "info")],
    )
    .unwrap_err();
    let all = "these are: TAGBOAT_WATCH__INTERVAL, TAGBOAT_WATCH__STATE_DIR, TAGBOAT_WATCH__LISTEN, TAGBOAT_WATCH__DOCKER_CONFIG, \
               TAGBOAT_WATCH__LOG, TAGBOAT_WATCH__LOG_LEVEL";
    let nothing = "this environment variable sets nothing that is known";
    assert_eq!(
        mistakes(&report),
        [
            format!("TAGBOAT_REGISTRY__TOKEN: {nothing} ({all})"),
            format!("TAGBOAT_WATCH__INTERVALL: {nothing} (did you mean TAGBOAT_WATCH__INTERVAL?)"),
            format!("TAGBOAT_WATCH__LOG__LEVEL: {nothing} (did you mean TAGBOAT_WATCH__LOG_LEVEL?)"),
        ]
    );
    assert!(!report.to_string().contains("planted-secret"));
}

#[test]
fn variables_of_the_command_line_and_of_kubernetes_are_left_alone() {
    let others = [("TAGBOAT_CONFIG", "x"), ("TAGBOAT_LOG", "x"), ("TAGBOAT_SERVICE_HOST", "10.0.0.1"), ("TAGBOAT_PORT_8080_TCP", "x")];
    assert!(load_with(POLICY, &others).is_ok());
}

#[test]
fn a_file_cannot_hide_a_wrong_watch_behind_a_variable() {
    let report = load_with(&format!("watch = 5\n{POLICY}"), &[("TAGBOAT_WATCH__INTERVAL", "5m")]).unwrap_err();
    assert_eq!(mistakes(&report), ["policy.toml: expected a table, found an integer ()"]);
}

#[test]
fn a_directory_is_read_in_the_order_of_the_names() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("20-more.toml", "[[image]]\nrepository = \"second\"\n[environment.prod]\nbranch = \"main\"\n");
    write("10-base.toml", "[environment.prod]\nurl = \"https://git.example.com/e.git\"\n[[image]]\nrepository = \"first\"\n");
    write("30-last.toml", "[[image]]\nrepository = \"third\"\n[watch]\ninterval = \"1m\"\n");
    write(".hidden.toml", "not toml");
    write("notes.txt", "not toml");
    fs::create_dir(folder.path().join("40-folder.toml")).unwrap();
    let settings = load(folder.path(), &super::variables()).unwrap();
    let images: Vec<String> = settings.engine.images.iter().map(|image| image.repository.to_string()).collect();
    assert_eq!(images, ["docker.io/library/first", "docker.io/library/second", "docker.io/library/third"]);
    assert_eq!(settings.engine.environments[0].git.branch.as_deref(), Some("main"));
    assert_eq!(settings.engine.interval, Duration::from_secs(60));
}

#[test]
fn paths_in_a_file_start_from_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "planted-token\n").unwrap();
    let text = format!("[watch]\nstate_dir = \"state\"\n[registry.\"ghcr.io\"]\nauth = {{ token = {{ file = \"token\" }} }}\n{POLICY}");
    fs::write(folder.path().join("tagboat.toml"), text).unwrap();
    let settings = load(&folder.path().join("tagboat.toml"), &super::variables()).unwrap();
    assert_eq!(settings.engine.state_dir, folder.path().join("state"));
}

#[test]
fn a_relative_repository_starts_from_the_files_folder() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("policy");
    fs::create_dir(&below).unwrap();
    let remote = |url: &str| {
        fs::write(below.join("tagboat.toml"), POLICY.replace("https://git.example.com/e.git", url)).unwrap();
        load(&below.join("tagboat.toml"), &super::variables()).unwrap().engine.environments[0].git.url.to_string()
    };
    let absolute = |path: &str| folder.path().join(path).display().to_string();
    assert_eq!(remote("./env.git"), absolute("policy/env.git"));
    assert_eq!(remote("../env.git"), absolute("policy/../env.git"));
    assert_eq!(remote("."), absolute("policy"));
    assert_eq!(remote("/srv/env.git"), "/srv/env.git");
    assert_eq!(remote("file:///srv/env.git"), "file:///srv/env.git");
    assert_eq!(remote("git@git.example.com:./env.git"), "git@git.example.com:./env.git");
}

#[test]
fn a_relative_repository_stays_a_path_below_a_relative_folder() {
    let settings = load(Path::new("tests/fixtures/config/valid/repository_beside_the_file.toml"), &super::variables()).unwrap();
    assert_eq!(settings.engine.environments[0].git.url.to_string(), "./tests/fixtures/config/valid/environments.git");
    let text = load_with(&POLICY.replace("https://git.example.com/e.git", "./env.git"), &[]).unwrap();
    assert_eq!(text.engine.environments[0].git.url.to_string(), "./env.git");
}

#[test]
fn a_folder_that_no_repository_can_be_in_is_told_with_the_url() {
    let folder = tempfile::Builder::new().prefix("two words").tempdir().unwrap();
    let file = folder.path().join("tagboat.toml");
    fs::write(&file, POLICY.replace("https://git.example.com/e.git", "./env.git")).unwrap();
    let report = load(&file, &super::variables()).unwrap_err();
    assert_eq!(report.mistakes()[0].at.map(|at| (at.line, at.column)), Some((2, 7)), "{report}");
    assert!(report.mistakes()[0].message.contains("from this file's folder"), "{report}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let report = |path: &Path| load(path, &super::variables()).unwrap_err().to_string();
    assert!(report(&folder.path().join("no.toml")).contains("there is no such file"));
    assert!(report(folder.path()).contains("there is no *.toml file in this directory"));
    fs::write(folder.path().join("a.toml"), b"x = \"\xff\"").unwrap();
    let text = report(folder.path());
    assert!(text.contains("byte 6 is no UTF-8") && text.contains("a.toml"), "{text}");
}

#[test]
fn every_file_with_a_syntax_error_is_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "x = \n").unwrap();
    fs::write(folder.path().join("b.toml"), "[y\n").unwrap();
    let report = load(folder.path(), &super::variables()).unwrap_err();
    assert_eq!(report.mistakes().len(), 2, "{report}");
}

#[test]
fn a_byte_order_mark_shifts_no_column() {
    let report = load_with(&format!("\u{feff}watch.intervall = \"5m\"\n{POLICY}"), &[]).unwrap_err();
    let at = report.mistakes()[0].at.unwrap();
    assert_eq!((at.line, at.column), (1, 7));
}

#[test]
fn dockers_config_file_is_found_where_docker_looks() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().display().to_string();
    let found = |variables: &[(&str, &str)]| load_with(POLICY, variables).unwrap().registry.docker_config;
    assert_eq!(found(&[("HOME", &home)]), None);
    fs::create_dir(folder.path().join(".docker")).unwrap();
    fs::write(folder.path().join(".docker/config.json"), "{}").unwrap();
    assert_eq!(found(&[("HOME", &home)]), Some(folder.path().join(".docker/config.json")));
    assert_eq!(found(&[("HOME", &home), ("DOCKER_CONFIG", "/nowhere")]), None);
}

#[test]
fn proxies_of_the_environment_are_taken_at_the_start_and_do_not_show() {
    let proxy = ("https_proxy", "http://bot:planted-password@proxy.example.com:3128");
    let settings = load_with(POLICY, &[proxy, ("NO_PROXY", "localhost,10.0.0.0/8")]).unwrap();
    assert_ne!(settings.registry.proxies, load_with(POLICY, &[proxy]).unwrap().registry.proxies);
    assert_ne!(settings.registry.proxies, tagboat::registry::EnvironmentProxies::default());
    let shown = format!("{settings:?}");
    assert!(shown.contains("proxy.example.com") && !shown.contains("planted-password"), "{shown}");
}

#[test]
fn a_variable_that_names_no_proxy_is_a_mistake_and_not_shown() {
    let report = load_with(POLICY, &[("ALL_PROXY", "ftp://bot:planted-password@proxy.example.com")]).unwrap_err();
    let told = mistakes(&report);
    assert!(told[0].starts_with("ALL_PROXY: a proxy is written as `http://`"), "{told:?}");
    assert!(!report.to_string().contains("planted"), "{report}");
}
