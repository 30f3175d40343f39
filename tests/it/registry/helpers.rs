//! Credential helper programs, as the client uses them.

use std::os::unix::fs::PermissionsExt;

use tagboat::demo::registry::Registry as Server;
use tagboat::error::Classified;
use tagboat::image::Registry;
use tagboat::registry::{Auth, Client, Config, Helper, Host};

use crate::support::registry::*;

/// A registry with images and a folder of helper programs.
struct World {
    server: Server,
    folder: tempfile::TempDir,
}

impl World {
    /// Starts a registry that takes the password in the file `valid`, by Basic authentication, and says `denied` to another.
    async fn new(denied: u16) -> Self {
        let (server, folder) = (Server::start().await.unwrap(), tempfile::tempdir().unwrap());
        server.publish("acme/api", "1.0");
        server.publish("acme/web", "2.0");
        let valid = folder.path().join("valid");
        server.on_request(move |parts| {
            let password = std::fs::read_to_string(&valid).unwrap_or_default();
            let basic = reqwest::Client::builder().build().unwrap().get("http://x/").basic_auth("AWS", Some(password)).build().unwrap();
            match authorization(parts) {
                None => Some(unauthorized(r#"Basic realm="x",service="ecr.amazonaws.com""#)),
                Some(sent) if sent == basic.headers()["authorization"].to_str().unwrap() => None,
                Some(_) if denied == 401 => Some(unauthorized("Basic")),
                Some(_) => Some(status(
                    denied,
                    r#"{"errors":[{"code":"DENIED","message":"Your authorization token has expired. Reauthenticate and try again."}]}"#,
                )),
            }
        });
        Self { server, folder }
    }

    fn set(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    fn helper(&self, name: &str, script: &str) {
        let program = self.folder.path().join(format!("docker-credential-{name}"));
        std::fs::write(&program, format!("#!/bin/sh\ncd \"${{0%/*}}\"; echo \"$(cat)\" >> calls\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Gives `docker-credential-ecr` that answers with the password in the file `given`.
    fn ecr(&self) {
        self.helper("ecr", r#"echo "{\"Username\":\"AWS\",\"Secret\":\"$(cat given)\"}""#);
    }

    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn client(&self, auth: Option<Auth>, docker_config: Option<&str>) -> Client {
        let mut path = self.folder.path().as_os_str().to_owned();
        path.push(":/usr/bin:/bin");
        let docker_config = docker_config.map(|text| {
            self.set("config.json", &text.replace("HOST", &self.server.host()));
            self.folder.path().join("config.json")
        });
        let mut config = Config { docker_config, path: Some(path), ..quick() };
        config.hosts.insert(Registry::parse(&self.server.host()).unwrap(), Host { auth, plain_http: true, ..Host::default() });
        Client::new(config).unwrap()
    }

    fn client_with_helper(&self, name: &str) -> Client {
        self.client(Some(Auth::Helper(Helper::parse(name).unwrap())), None)
    }
}

#[tokio::test]
async fn a13_a_login_that_is_refused_is_fetched_once_more_and_then_no_more() {
    for denied in [403, 401] {
        let world = World::new(denied).await;
        world.ecr();
        world.set("valid", "one");
        world.set("given", "one");
        let client = world.client_with_helper("ecr");
        let (api, web) = (repository(&world.server, "acme/api"), repository(&world.server, "acme/web"));
        for repository in [&api, &web, &api] {
            client.tags(repository).await.unwrap();
        }
        assert_eq!(world.calls(), [world.server.host()], "kept");

        world.set("valid", "two");
        world.set("given", "two");
        assert_eq!(words(&client.tags(&api).await.unwrap()), ["1.0"]);
        assert_eq!(words(&client.tags(&web).await.unwrap()), ["2.0"]);
        assert_eq!(world.calls().len(), 2);

        world.set("valid", "three");
        let before = world.server.request_count();
        let error = client.tags(&api).await.unwrap_err();
        assert_stalled(&error);
        assert!(error.hint().unwrap().contains("from the helper program docker-credential-ecr"), "{:?}", error.hint());
        assert_eq!(world.calls().len(), 2, "a registry that means its no does not make us ask again and again");
        assert_eq!(world.server.request_count() - before, 1);
    }
}

#[tokio::test]
async fn many_who_need_a_helper_run_it_once() {
    let world = World::new(403).await;
    world.ecr();
    world.set("valid", "one");
    world.set("given", "one");
    let client = world.client_with_helper("ecr");
    let api = repository(&world.server, "acme/api");
    let all = (0..20).map(|_| (client.clone(), api.clone())).map(|(client, api)| tokio::spawn(async move { client.tags(&api).await }));
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    assert_eq!(world.calls().len(), 1);
}

#[tokio::test]
async fn a_helper_that_fails_is_an_error_and_not_anonymous_access_and_is_left_alone_for_a_while() {
    let world = World::new(403).await;
    world.helper("ecr", "echo s3cret-passw0rd; echo s3cret-passw0rd >&2; exit 1");
    let client = world.client_with_helper("ecr");
    let api = repository(&world.server, "acme/api");
    for _ in 0..3 {
        let error = client.tags(&api).await.unwrap_err();
        assert_retry(&error);
        let host = world.server.host();
        let expected = format!("asking the helper program docker-credential-ecr for the credential of {host}: it failed (exit status: 1)");
        assert!(line(&error).ends_with(&expected), "{}", line(&error));
        assert!(error.is_of_the_host());
    }
    assert_eq!((world.calls().len(), world.server.request_count()), (1, 0));
}

#[tokio::test]
async fn a_helper_without_a_login_leaves_us_anonymous() {
    let world = World::new(403).await;
    world.helper("ecr", "echo credentials not found in native keychain; exit 1");
    let client = world.client_with_helper("ecr");
    let api = repository(&world.server, "acme/api");
    for _ in 0..2 {
        let error = client.tags(&api).await.unwrap_err();
        assert!(error.hint().unwrap().starts_with("give a credential as `auth`"), "{:?}", error.hint());
    }
    assert_eq!((world.calls().len(), world.server.request_count()), (1, 2));
}

#[tokio::test]
async fn dockers_config_file_sends_to_the_helper_that_it_names() {
    for (config, server) in [
        (r#"{"credHelpers": {"HOST": "ecr"}}"#, "HOST"),
        (r#"{"credHelpers": {"HOST": "ecr"}, "credsStore": "none"}"#, "HOST"),
        (r#"{"auths": {"https://HOST/v2/": {}}, "credsStore": "ecr"}"#, "https://HOST/v2/"),
        (r#"{"credsStore": "ecr"}"#, "HOST"),
    ] {
        let world = World::new(403).await;
        world.ecr();
        world.set("valid", "one");
        world.set("given", "one");
        let client = world.client(None, Some(config));
        assert_eq!(words(&client.tags(&repository(&world.server, "acme/api")).await.unwrap()), ["1.0"]);
        assert_eq!(world.calls(), [server.replace("HOST", &world.server.host())], "{config}");
    }
}

#[tokio::test]
async fn a_missing_helper_is_an_error_only_where_the_file_says_that_it_has_the_login() {
    let world = World::new(403).await;
    for (config, has) in [
        (r#"{"credHelpers": {"HOST": "none"}}"#, true),
        (r#"{"auths": {"HOST": {}}, "credsStore": "none"}"#, true),
        (r#"{"credsStore": "none"}"#, false),
    ] {
        let error = world.client(None, Some(config)).tags(&repository(&world.server, "acme/api")).await.unwrap_err();
        assert_stalled(&error);
        assert_eq!(line(&error).contains("docker-credential-none"), has, "{config}: {}", line(&error));
        assert_eq!(error.hint().unwrap().starts_with("install docker-credential-none"), has, "{config}: {:?}", error.hint());
    }
    assert_eq!(world.server.request_count(), 1);
}

#[tokio::test]
async fn a_config_file_cannot_name_a_program_elsewhere() {
    let world = World::new(403).await;
    world.helper("ecr", "");
    for name in ["x/../docker-credential-ecr", "/bin/sh", "ecr; id", ""] {
        let config = format!(r#"{{"credHelpers": {{"HOST": "{name}"}}}}"#);
        let error = world.client(None, Some(&config)).tags(&repository(&world.server, "acme/api")).await.unwrap_err();
        assert_stalled(&error);
        assert!(line(&error).contains("the name of a credential helper holds nothing but"), "{name}: {}", line(&error));
    }
    assert_eq!((world.calls().len(), world.server.request_count()), (0, 0));
}
