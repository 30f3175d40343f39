//! What a pass commits, and what it leaves alone.

use crate::support::world::{API, World};

const DEPLOYMENT: &str = "# kept by hand\r\nkind: Deployment\r\nspec:\r\n  containers:\r\n  - name: api\r\n    image:   REGISTRY/shop/api:1.4.1   # the release train\r\n    args: [\"--sidecar-image=REGISTRY/shop/api:1.4.1\", x ]";
const KUSTOMIZATION: &str = "images:\n- {name: worker, newName: REGISTRY/shop/worker, newTag: '1.9'}  # flow\n";
const SHOP: &str = "[[image]]\nrepository = \"REGISTRY/shop/*\"\n";

fn world() -> World {
    let world = World::new(&[
        (API, DEPLOYMENT),
        ("clusters/prod/worker/kustomization.yaml", KUSTOMIZATION),
        ("README.md", "REGISTRY/shop/api:1.4.1\n"),
    ]);
    world.registry.publish_many("shop/api", ["1.4.0", "1.4.1"]);
    world.registry.publish_many("shop/worker", ["1.8", "1.9"]);
    world
}

#[test]
fn a_pushed_tag_becomes_one_commit_and_a_second_run_makes_none() {
    let world = world();
    let policy = world.policy(SHOP);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits(), [], "nothing is due");

    world.registry.publish("shop/api", "1.4.2");
    world.registry.publish("shop/worker", "1.10");
    world.tagboat(&policy, &["run", "--once"]).done();

    let commits = world.commits();
    assert_eq!(commits.len(), 1);
    assert_eq!(world.read(API), world.fill(&DEPLOYMENT.replace("1.4.1", "1.4.2")));
    assert_eq!(world.read("clusters/prod/worker/kustomization.yaml"), world.fill(&KUSTOMIZATION.replace("1.9", "1.10")));
    assert_eq!(world.read("README.md"), world.fill("REGISTRY/shop/api:1.4.1\n"), "no manifest");
    let host = world.registry.host();
    assert_eq!(
        commits[0].message,
        format!(
            "bump api 1.4.2, worker 1.10\n\n\
             {API}: {host}/shop/api 1.4.1 -> 1.4.2 (update minor)\n\
             {API}: {host}/shop/api 1.4.1 -> 1.4.2 (update minor)\n\
             clusters/prod/worker/kustomization.yaml: {host}/shop/worker 1.9 -> 1.10 (update minor)\n\n\
             Tagboat-Bump: {host}/shop/api 1.4.1 -> 1.4.2 {API} spec.containers[name=api].image\n\
             Tagboat-Bump: {host}/shop/api 1.4.1 -> 1.4.2 {API} spec.containers[name=api].args[0]\n\
             Tagboat-Bump: {host}/shop/worker 1.9 -> 1.10 clusters/prod/worker/kustomization.yaml images[name=worker].newTag\n"
        )
    );

    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1, "a second run finds nothing to do");
}

#[test]
fn a_plan_shows_the_diff_and_changes_nothing() {
    let world = world();
    let policy = world.policy(SHOP);
    world.registry.publish("shop/api", "1.4.2");
    let run = world.tagboat(&policy, &["plan", "--exit-code"]).ended(2);
    let host = world.registry.host();
    assert!(run.stdout.contains(&format!("-    image:   {host}/shop/api:1.4.1   # the release train")), "{}", run.stdout);
    assert!(run.stdout.contains(&format!("+    image:   {host}/shop/api:1.4.2   # the release train")), "{}", run.stdout);
    assert!(run.stderr.contains("2 changes in 1 file are due"), "{}", run.stderr);

    let run = world.tagboat(&policy, &["plan", "--format", "json"]).done();
    let plan: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(plan["environments"][0]["changes"].as_array().unwrap().len(), 2);
    assert_eq!(plan["environments"][0]["changes"][0]["to"], "1.4.2");
    assert_eq!(world.commits(), [], "a plan commits nothing");
    assert!(!world.state_dir().exists(), "a plan keeps nothing");

    world.tagboat(&policy, &["run", "--once"]).done();
    world.tagboat(&policy, &["plan", "--exit-code"]).done();
}

#[test]
fn one_listing_serves_all_images_and_environments() {
    let world = World::new(&[("a.yaml", "image: REGISTRY/shop/api:1.0.0\n"), ("b.yaml", "image: REGISTRY/shop/api:1.0.0\n")]);
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    let url = world.upstream.path().display().to_string();
    let policy = world.policy_for(&format!(
        "[environment.one]\nurl = \"{url}\"\nbranch = \"main\"\npaths = [\"a.yaml\"]\n\
         [environment.two]\nurl = \"{url}\"\nbranch = \"main\"\npaths = [\"b.yaml\"]\n\
         [[image]]\nrepository = \"REGISTRY/shop/api\"\n"
    ));
    let run = world.tagboat(&policy, &["run", "--once"]);
    // Two environments on one branch race; both bumps land all the same.
    let run = run.done();
    assert!(world.read("a.yaml").contains("1.1.0") && world.read("b.yaml").contains("1.1.0"), "{}\n{:#?}", run.stderr, world.commits());
    assert_eq!(world.commits().len(), 2);
    assert_eq!(world.registry.request_count(), 1, "{:?}", world.registry.requests());
}

#[test]
fn a_site_ahead_of_its_policy_is_left_alone_and_reported() {
    let world = World::new(&[(API, "image: REGISTRY/shop/api:1.9.0\n")]);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.2"]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\npolicy = { semver = \"^1.4\" }\n");
    world.tagboat(&policy, &["run", "--once"]).done().says("ahead of the policy");
    assert_eq!(world.commits(), []);
}

#[test]
fn a_pinned_digest_moves_in_step_with_its_tag() {
    let world = World::new(&[]);
    let old = world.registry.publish("shop/api", "1.0.0");
    let new = world.registry.publish("shop/api", "1.1.0");
    world.upstream.commit("add", &[(API, world.fill(&format!("image: REGISTRY/shop/api:1.0.0@{old} # pinned\n")))]).unwrap();
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\n");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read(API), world.fill(&format!("image: REGISTRY/shop/api:1.1.0@{new} # pinned\n")));
}

#[test]
fn a_rule_that_names_a_repository_goes_before_one_whose_pattern_covers_it() {
    let world = World::new(&[("a.yaml", "image: REGISTRY/shop/api:1.0.0\n"), ("b.yaml", "image: REGISTRY/shop/web:1.0.0\n")]);
    world.registry.publish_many("shop/api", ["1.0.0", "1.0.1", "1.1.0"]);
    world.registry.publish_many("shop/web", ["1.0.0", "1.0.1", "1.1.0"]);
    let policy = world.policy(
        "[[image]]\nrepository = \"REGISTRY/**\"\n[[image]]\nrepository = \"REGISTRY/shop/api\"\npolicy = { update = \"patch\" }\n",
    );
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read("a.yaml"), world.fill("image: REGISTRY/shop/api:1.0.1\n"));
    assert_eq!(world.read("b.yaml"), world.fill("image: REGISTRY/shop/web:1.1.0\n"));
}

#[test]
fn the_paths_of_a_rule_replace_those_of_the_environment() {
    let world = World::new(&[
        ("a/x.yaml", "image: REGISTRY/shop/api:1.0.0\n"),
        ("b/x.yaml", "image: REGISTRY/shop/api:1.0.0\n"),
        ("c/x.yaml", "image: REGISTRY/shop/api:1.0.0\n"),
    ]);
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    let policy = world.policy("paths = [\"a/**\"]\n[[image]]\nrepository = \"REGISTRY/shop/api\"\npaths = [\"b/**\"]\n");
    world.tagboat(&policy, &["run", "--once"]).done();
    let moved = |path: &str| world.read(path).contains("1.1.0");
    assert_eq!([moved("a/x.yaml"), moved("b/x.yaml"), moved("c/x.yaml")], [false, true, false]);
}

#[test]
fn a_dockerfile_and_an_environment_file_are_bumped_byte_for_byte() {
    let dockerfile = "ARG VERSION=1.4.1\r\nFROM --platform=linux/amd64 REGISTRY/shop/api:${VERSION} AS api\r\nCOPY --from=REGISTRY/shop/worker:1.9 /a /b";
    let env = "# IMAGE: see below\nIMAGE=REGISTRY/shop/api:1.4.1\nWORKER_TAG=1.9 # by hand\n";
    let other = "IMAGE=REGISTRY/shop/api:1.4.1\n";
    let world = World::new(&[("build/Dockerfile", dockerfile), ("deploy/app.env", env), ("notes/app.txt", other)]);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.2"]);
    world.registry.publish_many("shop/worker", ["1.9", "1.10"]);
    let policy = world.policy(&format!(
        "{SHOP}[[file]]\npaths = [\"**/*.env\"]\nregex = ['^IMAGE=(?<repository>\\S+):(?<tag>\\S+)$']\n\
         [[file]]\npaths = [\"deploy/**\"]\nregex = ['WORKER_TAG=(?<tag>\\S+)']\nrepository = \"REGISTRY/shop/worker\"\n"
    ));
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1);
    assert_eq!(world.read("build/Dockerfile"), world.fill(&dockerfile.replace("1.4.1", "1.4.2").replace("1.9", "1.10")));
    assert_eq!(world.read("deploy/app.env"), world.fill(&env.replace("1.4.1", "1.4.2").replace("1.9", "1.10")));
    assert_eq!(world.read("notes/app.txt"), world.fill(other), "no expression is for it");
    let host = world.registry.host();
    let trailers = [
        format!("Tagboat-Bump: {host}/shop/api 1.4.1 -> 1.4.2 build/Dockerfile FROM_as_api:{host}/shop/api"),
        format!("Tagboat-Bump: {host}/shop/worker 1.9 -> 1.10 deploy/app.env WORKER_TAG:{host}/shop/worker"),
    ];
    for trailer in trailers {
        assert!(world.commits()[0].message.contains(&trailer), "{}", world.commits()[0].message);
    }
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1, "a second run finds nothing to do");
    // This process knows the sites from the file that the last one left, and scans the texts again before it edits them.
    world.registry.publish_many("shop/api", ["1.4.3"]);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 2);
    assert_eq!(world.read("deploy/app.env"), world.fill(&env.replace("1.4.1", "1.4.3").replace("1.9", "1.10")));
}

#[test]
fn a_charts_dependency_moves_unless_a_lock_would_no_longer_fit() {
    let chart = "name: x\ndependencies:\n- name: api\n  version: 1.4.1 # pinned\n  repository: oci://REGISTRY/charts\n";
    let world = World::new(&[("a/Chart.yaml", chart), ("a/Chart.lock", "dependencies: []\n"), ("b/Chart.yaml", chart)]);
    world.registry.publish_many("charts/api", ["1.4.1", "1.5.0"]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/charts/api\"\n");
    let run = world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read("b/Chart.yaml"), world.fill(&chart.replace("1.4.1", "1.5.0")));
    assert_eq!(world.read("a/Chart.yaml"), world.fill(chart));
    run.says("1.5.0 is due, but the Chart.lock beside it would no longer fit");
}
