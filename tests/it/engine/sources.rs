//! Flux's charts whose `HelmRepository` stands in another file of the environment.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use tagboat::demo::repository::Upstream;
use tagboat::engine::tree::{Cache, Tree};
use tagboat::engine::{EnvironmentConfig, ImageRule, Rules};
use tagboat::environment::{Author, Config, Environment, Paths, Reads, RemoteUrl};
use tagboat::image::RepositoryPattern;
use tagboat::manifest::Formats;
use tagboat::policy::{self, Policy};

use crate::support::world::World;

const RELEASE: &str = "apps/api.yaml";
const SOURCE: &str = "sources/acme.yaml";
const OTHER: &str = "sources/other.yaml";
const MOVED: &str = "apps/api.yaml ghcr.io/acme/new/api:1.4.1";
const SITE: &str = "apps/api.yaml ghcr.io/acme/charts/api:1.4.1";

/// Writes a release; an empty namespace is not given.
fn release(namespace: &str, source_namespace: &str) -> String {
    let given = |namespace: &str| if namespace.is_empty() { String::new() } else { format!(", namespace: {namespace}") };
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: api{}}}\nspec:\n  chart:\n    spec:\n      \
         chart: api\n      version: 1.4.1 # the train\n      sourceRef: {{kind: HelmRepository, name: acme{}}}\n",
        given(namespace),
        given(source_namespace)
    )
}

/// Writes a source; an empty namespace is not given.
fn source(namespace: &str, url: &str) -> String {
    let namespace = if namespace.is_empty() { String::new() } else { format!("\n  namespace: {namespace}") };
    let oci = if url.starts_with("oci:") { "\n  type: oci" } else { "" };
    format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: acme{namespace}\nspec:\n  interval: 5m{oci}\n  url: {url}\n"
    )
}

fn charts() -> String {
    source("flux-system", "oci://ghcr.io/acme/charts")
}

/// An environment repository, and what of it is looked at.
struct Place {
    dir: tempfile::TempDir,
    upstream: Upstream,
    clone: Environment,
    config: EnvironmentConfig,
    rules: Rules,
}

impl Place {
    fn watching(patterns: &[&str]) -> Self {
        Self::looking_at(patterns, Paths::default())
    }

    fn looking_at(patterns: &[&str], paths: Paths) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let upstream = Upstream::create(&dir.path().join("upstream.git"), &[("README.md", String::new())]).unwrap();
        let git = Config {
            url: RemoteUrl::parse(upstream.path().to_str().unwrap()).unwrap(),
            branch: Some("main".to_owned()),
            auth: None,
            ca_file: None,
            author: Author { name: "Tagboat".to_owned(), email: "tagboat@example.com".to_owned() },
            history: 200,
            timeout: Duration::from_secs(60),
        };
        let clone = Environment::open(git.clone(), &dir.path().join("clone")).unwrap();
        let config = EnvironmentConfig { name: "prod".to_owned(), paths, formats: Formats::default(), registry_keys: Vec::new(), git };
        let rule = |pattern: &&str| ImageRule {
            repository: RepositoryPattern::parse(pattern).unwrap(),
            policy: Policy::new(policy::Config::default()).unwrap(),
            environments: Vec::new(),
            paths: None,
            interval: None,
            marker: None,
        };
        let rules = Rules::new(patterns.iter().map(rule).collect(), Duration::from_secs(60));
        Self { dir, upstream, clone, config, rules }
    }

    fn commit(&self, files: &[(&str, String)]) {
        self.upstream.commit("a change", files).unwrap();
    }

    fn kept(&self) -> PathBuf {
        self.dir.path().join("sites")
    }

    fn cache(&self) -> Cache {
        Cache::new(self.rules.watch(&self.config))
    }

    /// Returns the sites of the tip as a cache finds them, and what was read for that.
    fn read(&mut self, cache: &mut Cache) -> (Vec<String>, Reads) {
        let snapshot = self.clone.fetch().unwrap();
        let tree = cache.sites(&snapshot, &self.config, &self.rules).unwrap();
        (shown(&tree), snapshot.reads())
    }

    fn sites(&mut self, cache: &mut Cache) -> Vec<String> {
        self.read(cache).0
    }

    /// Returns the sites of the tip as a new process finds them, which goes on with what the last one kept.
    fn after_a_restart(&mut self) -> Vec<String> {
        let mut cache = self.cache().kept_in(self.kept(), &self.config);
        self.sites(&mut cache)
    }
}

fn shown(tree: &Tree) -> Vec<String> {
    tree.files().flat_map(|file| file.sites.iter().map(|site| format!("{} {}", file.path, site.written))).collect()
}

#[test]
fn a_chart_is_found_whose_source_stands_in_another_file() {
    for pattern in ["ghcr.io/acme/charts/api", "ghcr.io/acme/**", "ghcr.io/acme/charts/*", "**/api", "ghcr.io/*/charts/*", "**"] {
        let mut place = Place::watching(&[pattern]);
        place.commit(&[(RELEASE, release("shop", "flux-system")), (SOURCE, charts())]);
        let mut cache = place.cache();
        assert_eq!(place.sites(&mut cache), [SITE], "{pattern}");
    }
    let mut other = Place::watching(&["ghcr.io/other/**", "ghcr.io/acme/charts/web"]);
    other.commit(&[(RELEASE, release("shop", "flux-system")), (SOURCE, charts())]);
    let mut cache = other.cache();
    assert!(other.sites(&mut cache).is_empty(), "not watched");
}

#[test]
fn a_site_follows_its_source_through_the_commits_with_and_without_restarts() {
    let other = |url| (OTHER, source("flux-system", url));
    let gone = |path| (path, "kind: ConfigMap\n".to_owned());
    // What is committed, and the sites then.
    type Step<'a> = (&'a str, Vec<(&'a str, String)>, &'a [&'a str]);
    let steps: Vec<Step<'_>> = vec![
        ("a release alone", vec![(RELEASE, release("shop", "flux-system"))], &[]),
        ("its source comes", vec![(SOURCE, charts())], &[SITE]),
        ("something else changes", vec![("x.yaml", "image: ghcr.io/acme/web:1.0\n".to_owned())], &[SITE, "x.yaml ghcr.io/acme/web:1.0"]),
        ("which goes again", vec![gone("x.yaml")], &[SITE]),
        ("the URL changes", vec![(SOURCE, source("flux-system", "oci://ghcr.io/acme/new"))], &[MOVED]),
        ("the source moves to another file", vec![gone(SOURCE), other("oci://ghcr.io/acme/new")], &[MOVED]),
        ("it stands twice and says the same", vec![(SOURCE, source("flux-system", "oci://ghcr.io/acme/new/"))], &[MOVED]),
        ("the two differ", vec![(SOURCE, charts())], &[]),
        ("the other is gone", vec![gone(OTHER)], &[SITE]),
        ("it becomes one over HTTP", vec![(SOURCE, source("flux-system", "https://charts.example.com"))], &[]),
        ("and comes back", vec![(SOURCE, charts())], &[SITE]),
        ("a second release", vec![("apps/b.yaml", release("b", "flux-system"))], &[SITE, "apps/b.yaml ghcr.io/acme/charts/api:1.4.1"]),
        ("which asks for one of its own namespace", vec![("apps/b.yaml", release("b", ""))], &[SITE]),
        ("the source goes", vec![gone(SOURCE)], &[]),
    ];
    let mut place = Place::watching(&["ghcr.io/acme/**"]);
    let (mut steady, mut keeping) = (place.cache(), place.cache().kept_in(place.kept(), &place.config));
    for (step, files, wanted) in steps {
        place.commit(&files);
        assert_eq!(place.sites(&mut steady), wanted, "{step}");
        assert_eq!(place.after_a_restart(), wanted, "{step}, after a restart");
        assert_eq!(place.after_a_restart(), wanted, "{step}, after another one");
        assert_eq!(place.sites(&mut keeping), wanted, "{step}, beside others that keep their scans in the same file");
        let mut fresh = place.cache();
        assert_eq!(place.sites(&mut fresh), wanted, "{step}, from scratch");
    }
}

#[test]
fn namespaces_decide_which_source_is_meant() {
    const CHARTS: &str = "oci://ghcr.io/acme/charts";
    const NEW: &str = "oci://ghcr.io/acme/new";
    const HTTP: &str = "https://charts.example.com";
    // The namespaces of the release and of its `sourceRef`; the sources; what is followed.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 15] = [
        ("a", "flux-system", &[("flux-system", CHARTS)], "charts"),
        ("a", "flux-system", &[("flux-system", CHARTS), ("a", NEW)], "charts"),
        ("a", "", &[("flux-system", CHARTS), ("a", NEW)], "new"),
        ("a", "", &[("flux-system", CHARTS)], ""),
        ("a", "b", &[("a", CHARTS)], ""),
        ("", "", &[("flux-system", CHARTS)], "charts"),
        ("", "", &[("flux-system", CHARTS), ("a", CHARTS)], "charts"),
        ("", "", &[("flux-system", CHARTS), ("a", NEW)], ""),
        ("", "", &[("flux-system", CHARTS), ("a", HTTP)], ""),
        ("a", "", &[("", CHARTS)], "charts"),
        ("a", "flux-system", &[("", CHARTS)], "charts"),
        ("a", "flux-system", &[("", CHARTS), ("b", NEW)], ""),
        ("a", "flux-system", &[("", CHARTS), ("flux-system", NEW)], ""),
        ("a", "flux-system", &[("flux-system", CHARTS), ("flux-system", NEW)], ""),
        ("a", "flux-system", &[("flux-system", "oci://${REGISTRY}/charts"), ("flux-system", CHARTS)], ""),
    ];
    let mut place = Place::watching(&["ghcr.io/acme/**"]);
    for (number, (namespace, source_namespace, sources, followed)) in cases.into_iter().enumerate() {
        let first = sources.first().map_or_else(|| "{}\n".to_owned(), |(namespace, url)| source(namespace, url));
        let second = sources.get(1).map_or_else(|| "{}\n".to_owned(), |(namespace, url)| source(namespace, url));
        place.commit(&[(RELEASE, release(namespace, source_namespace)), (SOURCE, first), (OTHER, second)]);
        let wanted = if followed.is_empty() { Vec::new() } else { vec![format!("{RELEASE} ghcr.io/acme/{followed}/api:1.4.1")] };
        let mut cache = place.cache();
        assert_eq!(place.sites(&mut cache), wanted, "case {number}");
    }
}

#[test]
fn a_source_in_the_same_file_goes_before_all_others() {
    let mut place = Place::watching(&["ghcr.io/acme/**"]);
    let both = format!("{}---\n{}", release("shop", "flux-system"), charts());
    place.commit(&[(RELEASE, both), (SOURCE, source("flux-system", "oci://ghcr.io/acme/new"))]);
    let mut cache = place.cache();
    assert_eq!(place.sites(&mut cache), [SITE]);
}

#[test]
fn files_that_are_not_looked_at_declare_nothing() {
    let mut place = Place::looking_at(&["ghcr.io/acme/**"], Paths::new(&["apps/**".to_owned()]).unwrap());
    place.commit(&[(RELEASE, release("shop", "flux-system")), (SOURCE, charts())]);
    let mut cache = place.cache();
    assert!(place.sites(&mut cache).is_empty());
}

#[test]
fn only_files_that_ask_are_read_again_and_only_when_a_source_changes() {
    let mut place = Place::watching(&["ghcr.io/acme/**"]);
    place.commit(&[
        (RELEASE, release("shop", "flux-system")),
        ("apps/b.yaml", release("b", "flux-system").replace("api", "web")),
        ("apps/own.yaml", format!("{}---\n{}", release("c", ""), source("c", "oci://ghcr.io/acme/charts"))),
        ("apps/range.yaml", release("d", "flux-system").replace("1.4.1", "1.x")),
        ("apps/image.yaml", "image: ghcr.io/acme/api:1.0\n".to_owned()),
        (SOURCE, charts()),
    ]);
    let mut cache = place.cache();
    let (sites, reads) = place.read(&mut cache);
    assert_eq!((sites.len(), reads.files), (4, 6 + 2), "{sites:?}");
    assert_eq!(place.read(&mut cache).1.files, 0, "nothing changed");
    place.commit(&[("apps/image.yaml", "image: ghcr.io/acme/api:1.1\n".to_owned())]);
    assert_eq!(place.read(&mut cache).1.files, 1, "no source changed");
    place.commit(&[(SOURCE, format!("# moved\n{}", charts()))]);
    assert_eq!(place.read(&mut cache).1.files, 1, "the source says what it said");
    place.commit(&[(SOURCE, source("flux-system", "oci://ghcr.io/acme/new"))]);
    assert_eq!(place.read(&mut cache).1.files, 1 + 2);

    let mut one = Place::watching(&["ghcr.io/acme/charts/web"]);
    one.commit(&[(RELEASE, release("shop", "flux-system")), (SOURCE, charts())]);
    let mut cache = one.cache();
    assert_eq!(one.read(&mut cache).1.files, 2, "no chart of the name is watched");
}

#[test]
fn a_restart_reads_nothing_again_but_the_sources() {
    let mut place = Place::watching(&["ghcr.io/acme/**"]);
    place.commit(&[
        (RELEASE, release("shop", "flux-system")),
        ("apps/none.yaml", release("shop", "nowhere")),
        ("apps/image.yaml", "image: ghcr.io/acme/api:1.0\n".to_owned()),
        (SOURCE, charts()),
    ]);
    let sites = place.after_a_restart();
    assert_eq!(sites.len(), 2);
    let mut restarted = place.cache().kept_in(place.kept(), &place.config);
    let (again, reads) = place.read(&mut restarted);
    assert_eq!((again, reads.files), (sites, 1));
    place.commit(&[(SOURCE, source("flux-system", "oci://ghcr.io/acme/new"))]);
    let mut restarted = place.cache().kept_in(place.kept(), &place.config);
    let (moved, reads) = place.read(&mut restarted);
    assert!(moved.contains(&"apps/api.yaml ghcr.io/acme/new/api:1.4.1".to_owned()), "{moved:?}");
    assert_eq!(reads.files, 1 + 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever comes and goes, a cache that has seen it all and one that restarts each time find what a new one does.
    #[test]
    fn no_history_changes_what_is_found(steps in proptest::collection::vec((0..6usize, 0..12usize), 1..10)) {
        let mut place = Place::watching(&["ghcr.io/acme/**"]);
        let contents = [
            "{}\n".to_owned(),
            charts(),
            source("", "oci://ghcr.io/acme/new"),
            source("a", "oci://ghcr.io/acme/new"),
            source("a", "https://charts.example.com"),
            release("a", "flux-system"),
            release("a", ""),
            release("", ""),
            format!("{}---\n{}", release("a", "flux-system"), source("a", "oci://ghcr.io/acme/new")),
            format!("{}---\n{}", release("a", ""), source("a", "oci://ghcr.io/acme/new")),
            format!("{}---\n{}", release("a", ""), release("", "")),
            "kind: HelmRepository\nurl: [\n".to_owned(),
        ];
        let mut steady = place.cache();
        for (file, content) in steps {
            let path = ["a.yaml", "b.yaml", "c/a.yaml", "c/b.yaml", "d/a.yaml", "d/e/b.yaml"][file];
            place.commit(&[(path, contents[content].clone())]);
            let mut fresh = place.cache();
            let wanted = place.sites(&mut fresh);
            prop_assert_eq!(place.sites(&mut steady), wanted.clone());
            prop_assert_eq!(place.after_a_restart(), wanted);
        }
    }
}

/// A world with a release and its source in two files, both of which a policy file watches.
fn world() -> (World, PathBuf) {
    let charts = source("flux-system", "oci://REGISTRY/charts/");
    let world = World::new(&[(RELEASE, &release("shop", "flux-system").replace("1.4.1", "1.4.1+1")), (SOURCE, &charts)]);
    world.registry.publish_many("charts/api", ["1.4.0_9", "1.4.1_1"]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/charts/*\"\n");
    (world, policy)
}

#[test]
fn every_command_follows_a_source_in_another_file() {
    let (world, policy) = world();
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits(), [], "nothing is due");
    world.registry.publish("charts/api", "1.4.2_3");

    let plan = world.tagboat(&policy, &["plan", "--exit-code"]).ended(2);
    assert!(plan.stdout.contains("+      version: 1.4.2+3 # the train"), "{}", plan.stdout);
    let host = world.registry.host();
    let explained = world.tagboat(&policy, &["explain", &format!("{host}/charts/api")]).done();
    assert!(explained.stdout.contains(RELEASE) || explained.stderr.contains(RELEASE), "{explained:?}");
    let refs = world.tagboat(&policy, &["refs", "--format", "json"]).done();
    assert!(refs.stdout.contains(&format!("\"reference\":\"{host}/charts/api:1.4.1+1\"")), "{}", refs.stdout);

    // A new process, which goes on with what the first one kept, scans the text again before the edit.
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read(RELEASE), release("shop", "flux-system").replace("1.4.1", "1.4.2+3"));
    assert_eq!(world.commits().len(), 1);
    world.tagboat(&policy, &["plan", "--exit-code"]).done();

    // Who takes it out again is found with the sources of now.
    world.replace(RELEASE, "1.4.2+3", "1.4.1+1");
    let held = world.tagboat(&policy, &["plan"]).done();
    assert!(format!("{}{}", held.stdout, held.stderr).contains("held: reverted in "), "{held:?}");
    let held = world.tagboat(&policy, &["explain", &format!("{host}/charts/api")]).done();
    assert!(format!("{}{}", held.stdout, held.stderr).contains("reverted in "), "{held:?}");
}
