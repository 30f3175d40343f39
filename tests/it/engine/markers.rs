//! Flux's markers, from the objects in the cluster to the commit.

use crate::support::world::{Run, World, tagboat};

const APP: &str = r#"# kept by hand
spec:
  containers:
  - name: api
    image:   REGISTRY/shop/api:1.4.1   # {"$imagepolicy": "flux-system:api"}
  - name: canary
    image: REGISTRY/shop/api:1.4.1 # {"$imagepolicy": "flux-system:api-next"}
  - name: by-hand
    image: REGISTRY/shop/api:1.4.1
  - name: gone
    image: REGISTRY/shop/api:1.4.1 # {"$imagepolicy": "flux-system:no-such"}
"#;
const KUSTOMIZATION: &str = r#"images:
- name: api
  newName: REGISTRY/old/api # {"$imagepolicy": "flux-system:api:name"}
  newTag: 1.4.1 # {"$imagepolicy": "flux-system:api:tag"}
"#;
const FILES: [(&str, &str); 3] =
    [("clusters/a/app.yaml", APP), ("clusters/a/kustomization.yaml", KUSTOMIZATION), ("elsewhere/app.yaml", APP)];
const OBJECTS: &str = r#"apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec: {url: "https://git.example.com/fleet.git", ref: {branch: main}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageRepository
metadata: {name: api, namespace: flux-system}
spec: {image: REGISTRY/shop/api, interval: 1m, insecure: true}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: api, namespace: flux-system}
spec: {imageRepositoryRef: {name: api}, policy: {semver: {range: 1.x}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImagePolicy
metadata: {name: api-next, namespace: flux-system}
spec: {imageRepositoryRef: {name: api}, policy: {semver: {range: 2.x}}}
---
apiVersion: image.toolkit.fluxcd.io/v1
kind: ImageUpdateAutomation
metadata: {name: fleet, namespace: flux-system}
spec:
  sourceRef: {kind: GitRepository, name: fleet}
  interval: 30m
  git: {checkout: {ref: {branch: main}}, commit: {author: {name: flux, email: flux@example.com}}, push: {branch: main}}
  update: {path: ./clusters/a, strategy: Setters}
"#;

fn world(files: &[(&str, &str)]) -> World {
    let world = World::new(files);
    world.registry.publish_many("shop/api", ["1.4.1", "1.4.2", "2.0.0"]);
    world
}

#[test]
fn an_imported_flux_repository_works_unchanged() {
    let world = world(&FILES);
    let objects = world.dir.path().join("objects.yaml");
    std::fs::write(&objects, world.fill(OBJECTS)).unwrap();
    let run =
        Run::of(tagboat(&world.dir.path().join("none.toml")).env_remove("TAGBOAT_CONFIG").args(["import", "flux"]).arg(&objects)).done();

    let url = world.upstream.path().display().to_string();
    let imported = run.stdout.replace("https://git.example.com/fleet.git", &url);
    let policy = world.dir.path().join("imported.toml");
    std::fs::write(&policy, format!("[watch]\nstate_dir = \"{}\"\n{imported}", world.state_dir().display())).unwrap();
    world.tagboat(&policy, &["check"]).done();
    world.tagboat(&policy, &["run", "--once"]).done();

    let app = APP.replace("1.4.1   #", "1.4.2   #").replacen(
        "1.4.1 # {\"$imagepolicy\": \"flux-system:api-next",
        "2.0.0 # {\"$imagepolicy\": \"flux-system:api-next",
        1,
    );
    assert_eq!(world.read("clusters/a/app.yaml"), world.fill(&app));
    let kustomization = KUSTOMIZATION.replace("old/api", "shop/api").replace("1.4.1", "1.4.2");
    assert_eq!(world.read("clusters/a/kustomization.yaml"), world.fill(&kustomization));
    assert_eq!(world.read("elsewhere/app.yaml"), world.fill(APP), "outside of the automation's path");
    assert_eq!(world.commits().len(), 1);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1, "S16: nothing to change, no commit");
}

#[test]
fn rules_with_and_without_a_marker_share_a_repository() {
    let world = world(&[("app.yaml", APP)]);
    let marked = "[[image]]\nrepository = \"REGISTRY/shop/api\"\nmarker = \"flux-system:api\"\npolicy = { semver = \"1.4.1\" }\n";
    let policy = world.policy(&format!("{marked}[[image]]\nrepository = \"REGISTRY/shop/api\"\n"));
    let found = world.tagboat(&policy, &["refs", "--format", "json"]).done().stdout;
    assert_eq!(found.matches("\"covered\":true").count(), 4, "{found}");
    world.tagboat(&policy, &["run", "--once"]).done();
    // The marked one is kept by its own rule; markers that are bound to no rule mean nothing.
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let moved = lines(&world.read("app.yaml")).iter().filter(|line| line.contains("1.4.2")).count();
    assert_eq!((moved, world.read("app.yaml").contains("1.4.1   # ")), (3, true), "{}", world.read("app.yaml"));
}

#[test]
fn name_tag_and_digest_change_together_and_a_revert_holds() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let file = format!(
        "images:\n- name: api\n  newName: REGISTRY/old/api # {{\"$imagepolicy\": \"a:b:name\"}}\n  newTag: 1.4.1 # {{\"$imagepolicy\": \"a:b:tag\"}}\n  digest: {digest} # {{\"$imagepolicy\": \"a:b:digest\"}}\n"
    );
    let alone = format!("sha: {digest} # {{\"$imagepolicy\": \"a:b:digest\"}}\n");
    let world = world(&[("kustomization.yaml", &file), ("alone.yaml", &alone)]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\nmarker = \"a:b\"\npolicy = { semver = \"1.x\" }\n");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1);
    let new = world.read("alone.yaml").split(' ').nth(1).unwrap().to_owned();
    assert_ne!(new, digest);
    assert_eq!(world.read("alone.yaml"), alone.replace(&digest, &new));
    let bumped = world.fill(&file).replace("old/api", "shop/api").replace("1.4.1", "1.4.2").replace(&digest, &new);
    assert_eq!(world.read("kustomization.yaml"), bumped);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1, "nothing is left to do");

    // The name alone is taken out again.
    world.replace("kustomization.yaml", "shop/api", "old/api");
    world.replace("alone.yaml", &new, &digest);
    let run = world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 3, "{}", run.stderr);
    world.registry.publish("shop/api", "1.4.3");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 4, "something newer comes");
    assert!(world.read("kustomization.yaml").contains("shop/api"));
}

#[test]
fn a_marker_that_may_mean_several_values_is_told_and_left() {
    let world = world(&[("app.yaml", "a: [REGISTRY/shop/api:1.4.0, REGISTRY/shop/api:1.4.1] # {\"$imagepolicy\": \"a:b\"}\n")]);
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\nmarker = \"a:b\"\n");
    let run = world.tagboat(&policy, &["plan"]).done();
    assert!(
        format!("{}{}", run.stdout, run.stderr).contains("it is not clear which value its marker is for"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    assert_eq!(world.commits(), []);
}
