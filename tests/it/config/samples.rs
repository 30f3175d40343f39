//! The policy files that people start from: each must load as it stands, once its secrets are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tagboat::config::{Settings, load, load_str};
use tagboat::http::webhook::{Auth, Expected, GOOGLE_KEYS, Kind, Pointers};
use tagboat::image::{Registry, Repository};
use tagboat::redact::SecretSource;
use tagboat::registry::Cloud;
use tagboat::telemetry::Format;
use tagboat::{environment, registry};

/// A folder with the files that samples expect under `/run/secrets` and `/etc/tagboat`.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = ["ghcr-password", "registry-password", "git-password", "proxy-password", "webhook-secret", "gcp.json", "deploy-key"];
        let others = ["identity", "client-key.pem", "known_hosts", "ca.pem", "client.pem", "config.json", "quay/.dockerconfigjson"];
        for name in secrets.into_iter().chain(others) {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), "planted\n").unwrap();
        }
        for registry in
            ["docker-hub-token", "quay-robot", "harbor-robot", "gitlab-token", "artifactory-token", "nexus-password", "gitea-token"]
        {
            fs::write(folder.path().join(registry), "planted\n").unwrap();
        }
        Self(folder)
    }

    fn load(&self, sample: &Path) -> Settings {
        let folder = format!("{}/", self.0.path().display());
        let text = fs::read_to_string(sample).unwrap().replace("/run/secrets/", &folder).replace("/etc/tagboat/", &folder);
        load_str(&sample.display().to_string(), &text, &super::variables()).unwrap_or_else(|report| panic!("{report}"))
    }
}

pub(super) fn samples() -> Vec<PathBuf> {
    let mut samples = vec![PathBuf::from("config/minimal.toml"), PathBuf::from("config/tagboat.toml")];
    samples.extend(fs::read_dir("config/examples").unwrap().map(|entry| entry.unwrap().path()));
    samples.sort();
    samples
}

#[test]
fn every_sample_loads_and_names_its_schema() {
    let files = Files::new();
    for sample in samples() {
        let settings = files.load(&sample);
        assert!(!settings.engine.images.is_empty(), "{}", sample.display());
        // The least file leaves the author at its default; the others are to be copied as they are.
        let hints = settings.hints();
        assert!(hints.is_empty() || sample.ends_with("minimal.toml"), "{}: {hints:?}", sample.display());
        let text = fs::read_to_string(&sample).unwrap();
        let schema = text.lines().next().unwrap().strip_prefix("#:schema ").unwrap();
        assert!(sample.parent().unwrap().join(schema).is_file(), "{}", sample.display());
    }
}

#[test]
fn every_valid_fixture_loads() {
    let files: Vec<PathBuf> = fs::read_dir("tests/fixtures/config/valid").unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    for file in files {
        load(&file, &super::variables()).unwrap_or_else(|report| panic!("{report}"));
    }
}

#[test]
fn the_minimal_file_leaves_everything_else_at_its_default() {
    let settings = Files::new().load(Path::new("config/minimal.toml"));
    assert_eq!(settings.summary(), "1 image, 1 environment, 1 registry");
    assert_eq!(settings.engine.interval, Duration::from_secs(300));
    assert_eq!(settings.engine.state_dir, Path::new("/var/lib/tagboat"));
    assert_eq!(settings.http.listen, None);
    assert_eq!((settings.telemetry.format, settings.telemetry.filter.as_str()), (Format::Text, "info"));
    assert!(settings.registry.hosts.is_empty() && settings.registry.docker_config.is_none());
    let git = &settings.engine.environments[0].git;
    assert_eq!((git.branch.as_deref(), git.history, git.timeout), (None, 200, Duration::from_secs(120)));
    assert_eq!((git.author.name.as_str(), git.author.email.as_str()), ("Tagboat", "tagboat@localhost"));
    let image = &settings.engine.images[0];
    assert!(image.environments.is_empty() && image.paths.is_none() && image.interval.is_none());
}

#[test]
fn every_key_of_the_full_file_arrives_where_it_belongs() {
    let files = Files::new();
    let settings = files.load(Path::new("config/tagboat.toml"));
    let file = |name: &str| files.0.path().join(name);
    assert_eq!(settings.summary(), "9 images, 2 environments, 10 registries, 5 webhooks");
    assert_eq!(settings.http.listen, Some("0.0.0.0:8080".parse().unwrap()));
    assert_eq!(settings.registry.docker_config, Some(file("config.json")));
    assert_eq!((settings.telemetry.format, settings.telemetry.filter.as_str()), (Format::Json, "info,tagboat::registry=debug"));

    let host = |name: &str| settings.registry.hosts[&Registry::parse(name).unwrap()].clone();
    let ghcr = host("ghcr.io");
    let password = SecretSource::File(file("ghcr-password"));
    assert_eq!(ghcr.auth, Some(registry::Auth::Basic { username: "acme-bot".to_owned(), password }));
    assert_eq!((ghcr.concurrency, ghcr.rate, ghcr.timeout), (8, Some(20), Duration::from_secs(30)));
    let private = host("registry.example.com");
    assert!(
        matches!(&private.auth, Some(registry::Auth::Bearer(SecretSource::Env { name, value })) if name == "REGISTRY_TOKEN" && value.expose() == "planted-registry-token")
    );
    assert_eq!((private.ca_file, private.token_hosts), (Some(file("ca.pem")), vec!["auth.example.com".to_owned()]));
    let Some(registry::Auth::Cloud(Cloud::Aws(aws))) = host("123456789012.dkr.ecr.eu-west-1.amazonaws.com").auth else { panic!() };
    let role = "arn:aws:iam::123456789012:role/ecr-reader".to_owned();
    assert_eq!((aws.region, aws.role_arn), (Some("eu-west-1".to_owned()), Some(role)));
    let Some(registry::Auth::Cloud(Cloud::Gcp(gcp))) = host("europe-docker.pkg.dev").auth else { panic!() };
    assert_eq!(gcp.key_file, Some(file("gcp.json")));
    let Some(registry::Auth::Cloud(Cloud::Azure(azure))) = host("acme.azurecr.io").auth else { panic!() };
    assert!(azure.client_id.unwrap().starts_with("1111") && azure.tenant_id.unwrap().starts_with("6666"));
    assert_eq!(host("quay.io").auth, Some(registry::Auth::DockerConfig(file("quay/.dockerconfigjson"))));
    let helper = registry::Helper::parse("ecr-login").unwrap();
    assert_eq!(host("210987654321.dkr.ecr.us-east-1.amazonaws.com").auth, Some(registry::Auth::Helper(helper)));
    let internal = host("registry.internal.example.com");
    assert_eq!(internal.client_cert, Some(registry::ClientCert { cert: file("client.pem"), key: file("client-key.pem") }));
    let auth = registry::ProxyAuth { username: "tagboat".to_owned(), password: SecretSource::File(file("proxy-password")) };
    let url = registry::proxy::parse("http://proxy.example.com:3128").unwrap();
    assert_eq!(internal.proxy, registry::Proxy::Through { url, auth: Some(auth) });
    assert_eq!(host("docker.io").mirror.unwrap().to_string(), "registry.example.com/dockerhub");
    assert!(host("localhost:5000").plain_http && !private.plain_http);

    let webhook = |name: &str| settings.http.webhooks.iter().find(|webhook| webhook.name == name).unwrap().clone();
    let secret = Auth::Secret(SecretSource::File(file("webhook-secret")));
    let harbor = webhook("harbor");
    assert_eq!((harbor.sender.kind, &harbor.auth), (Kind::Harbor, &secret));
    assert_eq!(harbor.sender.host, Some(Registry::parse("harbor.example.com").unwrap()));
    assert_eq!((webhook("mirror").sender.kind, webhook("mirror").auth), (Kind::Distribution, Auth::Unauthenticated));
    assert_eq!(webhook("artifactory").sender.virtual_repository.as_deref(), Some("docker"));
    let expected = Expected {
        audience: "https://tagboat.example.com/webhook/gar".to_owned(),
        email: "pubsub@acme.iam.gserviceaccount.com".to_owned(),
    };
    assert_eq!(webhook("gar").auth, Auth::Google { expected, keys: GOOGLE_KEYS.parse().unwrap() });
    let pointers = Pointers { repository: "/image/name".to_owned(), tag: Some("/image/tag".to_owned()) };
    assert_eq!((webhook("ci").sender.kind, webhook("ci").sender.pointers), (Kind::Generic, Some(pointers)));

    let environments = &settings.engine.environments;
    let names: Vec<&str> = environments.iter().map(|environment| environment.name.as_str()).collect();
    assert_eq!(names, ["prod", "staging"]);
    let prod = &environments[0];
    assert!(prod.paths.accept("clusters/prod/a.yaml") && !prod.paths.accept("clusters/prod/vendor/a.yaml"));
    assert_eq!((prod.git.branch.as_deref(), prod.git.ca_file.clone(), prod.git.history), (Some("main"), Some(file("ca.pem")), 200));
    assert_eq!((prod.git.author.name.as_str(), prod.git.author.email.as_str()), ("Tagboat", "tagboat@example.com"));
    assert!(matches!(&prod.git.auth, Some(environment::Auth::Basic { username, .. }) if username == "tagboat"));
    let ssh = environment::Auth::Ssh { key: file("deploy-key"), known_hosts: Some(file("known_hosts")) };
    assert_eq!(environments[1].git.auth, Some(ssh));

    let api = &settings.engine.images[0];
    assert!(api.repository.matches(&Repository::parse("ghcr.io/acme/api").unwrap()));
    assert_eq!((api.environments.as_slice(), api.interval), (&["prod".to_owned()][..], Some(Duration::from_secs(60))));
    let paths = api.paths.as_ref().unwrap();
    assert!(paths.accept("clusters/prod/api/a.yaml") && !paths.accept("clusters/prod/b.yaml"));
    let policies: Vec<String> = settings.engine.images.iter().map(|image| image.policy.to_string()).collect();
    assert_eq!(
        policies,
        [
            "semver ^1.4",
            "update minor",
            "update minor",
            "numeric ascending",
            "alphabetical ascending",
            "calver YYYY.0M.0D",
            "newest pushed",
            "digest stable",
            "semver >=6.0.0 <7.0.0 strict"
        ]
    );
    let pins: Vec<bool> = settings.engine.images.iter().map(|image| image.policy.pins()).collect();
    assert_eq!(pins, [false, false, true, false, false, false, false, true, false]);
    let bound = settings.engine.images[1].marker.as_ref().map(|marker| (&*marker.policy, marker.written.as_str()));
    assert_eq!(bound, Some(("flux-system:web", "ghcr.io/acme/web")));
}

#[test]
fn no_debug_output_shows_a_secret() {
    let settings = Files::new().load(Path::new("config/tagboat.toml"));
    let shown = format!("{settings:?} {:?}", super::variables());
    assert!(shown.contains("GIT_TOKEN") && !shown.contains("planted-"), "{shown}");
}
