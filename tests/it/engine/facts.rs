//! Decisions that want more than names: times, ages, platforms and digests, learned on the way.

use std::collections::HashMap;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::request::Parts;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json as value};
use sha2::{Digest as _, Sha256};
use tagboat::image::Digest;

use crate::support::registry::{json, status, unauthorized};
use crate::support::world::{World, tagboat};

const FILE: &str = "api.yaml";
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const LONGEST: Duration = Duration::from_secs(15);

/// A registry's content of one repository, `shop/api`: what stands behind its hook.
#[derive(Clone, Default)]
struct Images(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// By digest or tag: the kind and the bytes.
    content: HashMap<String, (&'static str, String)>,
    tags: Vec<String>,
}

impl Images {
    fn put(&self, kind: &'static str, body: &Value) -> Value {
        let body = body.to_string();
        let digest = Digest::sha256(&Sha256::digest(&body).into()).to_string();
        let descriptor = value!({ "mediaType": kind, "digest": digest, "size": body.len() });
        self.0.lock().unwrap().content.insert(digest, (kind, body));
        descriptor
    }

    /// Makes an index for some platforms, each of an image built at a time; returns its digest. `build` tells images apart.
    fn index(&self, platforms: &[(&str, &str)], created: &str) -> String {
        let mut children = Vec::new();
        for (platform, build) in platforms {
            let (os, architecture) = platform.split_once('/').unwrap();
            let config = value!({ "os": os, "architecture": architecture, "created": created, "build": build });
            let config = self.put("application/vnd.oci.image.config.v1+json", &config);
            let kind = "application/vnd.oci.image.manifest.v1+json";
            let mut child = self.put(kind, &value!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [] }));
            child["platform"] = value!({ "os": os, "architecture": architecture });
            children.push(child);
        }
        let kind = "application/vnd.oci.image.index.v1+json";
        let index = self.put(kind, &value!({ "schemaVersion": 2, "mediaType": kind, "manifests": children }));
        index["digest"].as_str().unwrap().to_owned()
    }

    fn tag(&self, tag: &str, digest: &str) {
        let mut inner = self.0.lock().unwrap();
        let entry = inner.content[digest].clone();
        inner.content.insert(tag.to_owned(), entry);
        if !inner.tags.iter().any(|known| known == tag) {
            inner.tags.push(tag.to_owned());
        }
    }

    fn answer(&self, request: &Parts) -> Response {
        let inner = self.0.lock().unwrap();
        let path = request.uri.path();
        if path.ends_with("/tags/list") {
            return json(value!({ "name": "shop/api", "tags": inner.tags }).to_string());
        }
        match inner.content.get(path.rsplit('/').next().unwrap()) {
            Some((kind, body)) => {
                let digest = Digest::sha256(&Sha256::digest(body).into()).to_string();
                ([(header::CONTENT_TYPE, (*kind).to_owned()), (CONTENT_DIGEST, digest)], body.clone()).into_response()
            }
            None => status(404, ""),
        }
    }

    /// Has a world's registry serve these images.
    fn serve(&self, world: &World) {
        let images = self.clone();
        world.registry.on_request(move |request| Some(images.answer(request)));
    }
}

/// A world with one site, and the policy file of one rule.
fn world(site: &str, policy: &str) -> (World, std::path::PathBuf) {
    let world = World::new(&[(FILE, &format!("image: REGISTRY/shop/api{site}\n"))]);
    let policy = world.policy(&format!("[[image]]\nrepository = \"REGISTRY/shop/api\"\npolicy = {{ {policy} }}\n"));
    (world, policy)
}

fn site(world: &World) -> String {
    let text = world.read(FILE);
    text.strip_prefix(&world.fill("image: REGISTRY/shop/api")).unwrap().trim_end().to_owned()
}

fn asked(world: &World, text: &str) -> usize {
    world.registry.requests().iter().filter(|request| request.contains(text)).count()
}

const CREATED: &str = "2024-03-01T12:00:00Z";
const BOTH: &[(&str, &str)] = &[("linux/amd64", "1"), ("linux/arm64", "1")];

#[test]
fn newest_by_creation_takes_the_image_that_was_built_last_whatever_its_tag() {
    let (world, policy) = world(":main-b", "newest = \"created\", filter = \"^main-\"");
    let images = Images::default();
    for (tag, created) in [("main-a", "2024-03-03T00:00:00Z"), ("main-b", "2024-03-02T00:00:00Z"), ("main-z", "2024-03-01T00:00:00Z")] {
        images.tag(tag, &images.index(BOTH, created));
    }
    images.tag("other", &images.index(BOTH, "2025-01-01T00:00:00Z"));
    images.serve(&world);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), ":main-a");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1, "a second run finds nothing to do");
    assert_eq!(asked(&world, "manifests/other"), 0, "what the filter leaves out is not asked for");
}

/// A stand-in for Harbor, which says when each tag was pushed.
fn harbor(world: &World, pushed: &'static [(&'static str, &'static str)], fails: bool) {
    world.registry.publish_many("shop/api", pushed.iter().map(|(tag, _)| tag));
    world.registry.on_request(move |request| {
        let path = request.uri.path();
        let challenge =
            format!(r#"Bearer realm="http://{}/service/token",service="harbor-registry""#, request.headers["host"].to_str().unwrap());
        match request.headers.get(header::AUTHORIZATION).map(|sent| sent.to_str().unwrap().to_owned()) {
            _ if path == "/service/token" => Some(json(r#"{"token":"t0ken"}"#)),
            _ if path.starts_with("/api/") && fails => Some(status(403, "")),
            _ if path.starts_with("/api/") => {
                let tags: Vec<_> = pushed.iter().map(|(tag, at)| value!({ "name": tag, "push_time": at })).collect();
                Some(json(value!([{ "digest": "x", "tags": tags }]).to_string()))
            }
            Some(sent) if sent == "Bearer t0ken" => None,
            _ => Some(unauthorized(&challenge)),
        }
    });
}

const PUSHED: &[(&str, &str)] = &[("1.0.0", "2024-01-01T00:00:00Z"), ("0.9.0", "2024-02-01T00:00:00Z"), ("1.1.0", "2023-01-01T00:00:00Z")];

#[test]
fn newest_by_push_takes_the_tag_that_the_registry_took_last() {
    let (world, policy) = world(":1.0.0", "newest = \"pushed\"");
    harbor(&world, PUSHED, false);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), ":0.9.0");
}

#[test]
fn without_push_times_newest_decides_nothing_and_says_why() {
    let (world, policy) = world(":1.0.0", "newest = \"pushed\"");
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    world.tagboat(&policy, &["plan"]).done().says("cannot be ordered");
    harbor(&world, PUSHED, true);
    let failed = world.tagboat(&policy, &["plan"]).ended(1).says("could not be learned").says("answered 403");
    assert!(!failed.stdout.contains("+"), "{}", failed.stdout);
}

#[test]
fn an_image_that_lacks_a_platform_is_passed_over_for_the_next_best() {
    let (world, policy) = world(":1.0.0", "platforms = [\"linux/amd64\", \"linux/arm64\"]");
    let images = Images::default();
    images.tag("1.0.0", &images.index(BOTH, CREATED));
    images.tag("1.1.0", &images.index(&[("linux/amd64", "2"), ("linux/arm64", "2")], CREATED));
    images.tag("1.2.0", &images.index(&[("linux/amd64", "3")], CREATED));
    images.tag("1.3.0", &images.index(&[("linux/amd64", "4")], CREATED));
    images.serve(&world);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), ":1.1.0");
    assert_eq!(asked(&world, "manifests/1.0.0"), 0, "of the tag that is there nothing is asked");
}

#[test]
fn platforms_that_cannot_be_read_decide_nothing_and_say_why() {
    let (world, policy) = world(":1.0.0", "platforms = [\"linux/amd64\"]");
    let images = Images::default();
    for tag in ["1.0.0", "1.1.0", "1.2.0"] {
        images.tag(tag, &images.index(&[("linux/amd64", tag)], CREATED));
    }
    let blobs = images.clone();
    world.registry.on_request(move |request| {
        Some(if request.uri.path().contains("/manifests/1.2.0") { status(403, "") } else { blobs.answer(request) })
    });
    let run = world.tagboat(&policy, &["run", "--once"]).ended(1);
    run.says("not decided, as the platforms of 1.2.0").says("could not be learned").says("1 could not be decided");
    assert_eq!(world.commits(), [], "the next best is not taken in place of one that could not be read");
    images.serve(&world);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), ":1.2.0");
}

#[test]
fn one_request_serves_all_sites_and_rounds_of_a_pass() {
    let (world, policy) = world(":1.0.0", "platforms = [\"linux/amd64\"], pin_digest = true");
    let many: Vec<_> = (0..30).map(|n| (format!("{n}.yaml"), world.fill(&format!("image: REGISTRY/shop/api:1.0.{}\n", n % 3)))).collect();
    world.upstream.commit("more", &many.iter().map(|(path, text)| (path.as_str(), text.clone())).collect::<Vec<_>>()).unwrap();
    let images = Images::default();
    for tag in ["1.0.0", "1.1.0", "1.2.0"] {
        images.tag(tag, &images.index(&[("linux/amd64", tag)], CREATED));
    }
    images.serve(&world);
    world.tagboat(&policy, &["plan"]).done();
    assert_eq!(asked(&world, "tags/list"), 1);
    let requests = world.registry.requests();
    // Of each tag its digest, and of the best two their index, their first image and its configuration.
    let each = requests.iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(each.len(), requests.len(), "nothing is asked twice: {requests:#?}");
    assert_eq!(requests.len(), 1 + 2 + 2 * 3, "{requests:#?}");
}

#[test]
fn a_young_tag_waits_and_the_note_says_until_when() {
    let (world, policy) = world(":1.0.0", "min_age = \"1h\"");
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    world.tagboat(&policy, &["run", "--once"]).done().says("1.1.0 is not old enough yet; it is due at 20");
    assert_eq!(world.commits(), []);
}

#[test]
fn a_tag_that_the_registry_says_is_old_enough_does_not_wait() {
    let (world, policy) = world(":1.0.0", "min_age = \"365d\"");
    harbor(&world, PUSHED, false);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), ":1.1.0");
}

#[test]
fn ages_survive_a_restart_and_begin_anew_without_the_database() {
    let (world, policy) = world(":1.0.0", "min_age = \"2s\"");
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    world.tagboat(&policy, &["run", "--once"]).done().says("not old enough");
    let kept = std::fs::read(world.state_dir().join("ages.redb")).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    std::fs::write(world.state_dir().join("ages.redb"), "damaged").unwrap();
    world.tagboat(&policy, &["run", "--once"]).done().says("set aside").says("not old enough");
    std::fs::write(world.state_dir().join("ages.redb"), kept).unwrap();
    let planned = world.tagboat(&policy, &["plan"]).done();
    assert!(planned.stdout.contains("+image") && planned.stdout.contains("1.1.0"), "a plan knows the ages, too: {planned:?}");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), ":1.1.0");
}

struct Daemon(Child);

impl Daemon {
    fn start(policy: &std::path::Path) -> Self {
        Self(tagboat(policy).arg("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + LONGEST;
    while !done() {
        assert!(Instant::now() < deadline, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The policy file with listings and fetches an hour apart.
fn rarely(policy: &std::path::Path) {
    let text = std::fs::read_to_string(policy).unwrap();
    std::fs::write(policy, text.replace("interval = \"1s\"", "interval = \"1h\"")).unwrap();
}

#[test]
fn a_daemon_takes_a_tag_when_it_is_old_enough_without_a_new_listing() {
    let (world, policy) = world(":1.0.0", "min_age = \"2s\"");
    rarely(&policy);
    world.registry.publish_many("shop/api", ["1.0.0", "1.1.0"]);
    let begun = Instant::now();
    let _daemon = Daemon::start(&policy);
    wait_until("the tag to be old enough", || site(&world) == ":1.1.0");
    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(asked(&world, "tags/list"), 1);
}

#[test]
fn a_daemon_sees_that_a_followed_tag_has_moved_though_the_listing_is_the_same() {
    let (world, policy) = world(":stable", "digest = \"stable\"");
    let images = Images::default();
    let first = images.index(BOTH, CREATED);
    images.tag("stable", &first);
    images.serve(&world);
    let _daemon = Daemon::start(&policy);
    wait_until("the first digest", || site(&world) == format!(":stable@{first}"));
    let second = images.index(BOTH, "2024-04-01T00:00:00Z");
    images.tag("stable", &second);
    wait_until("the second digest", || site(&world) == format!(":stable@{second}"));
}

/// A world whose site follows `stable` and has its first digest; returns that, too.
fn following(form: impl Fn(&str) -> String, policy: &str) -> (World, std::path::PathBuf, Images, String) {
    let images = Images::default();
    let first = images.index(BOTH, CREATED);
    images.tag("stable", &first);
    let (world, policy) = world(&form(&first), policy);
    images.serve(&world);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits(), [], "the tag points where it did");
    (world, policy, images, first)
}

#[test]
fn a_moved_tag_is_a_commit_that_tells_the_digests_and_a_revert_of_it_is_held() {
    let (world, policy, images, first) = following(|digest| format!(":stable@{digest}"), "digest = \"stable\"");
    let second = images.index(BOTH, "2024-04-01T00:00:00Z");
    images.tag("stable", &second);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), format!(":stable@{second}"));
    let message = world.commits()[0].message.clone();
    assert!(
        message.contains(&world.fill(&format!("Tagboat-Bump: REGISTRY/shop/api stable@{first} -> stable@{second} {FILE} image"))),
        "{message}"
    );

    world.replace(FILE, &second, &first);
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert_eq!(site(&world), format!(":stable@{first}"));

    let third = images.index(BOTH, "2024-05-01T00:00:00Z");
    images.tag("stable", &third);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), format!(":stable@{third}"));
}

#[test]
fn a_site_that_is_a_bare_digest_moves_with_the_tag_that_it_follows_and_is_held_alike() {
    let (world, policy, images, first) = following(|digest| format!("@{digest}"), "digest = \"stable\"");
    let second = images.index(BOTH, "2024-04-01T00:00:00Z");
    images.tag("stable", &second);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), format!("@{second}"));
    world.replace(FILE, &second, &first);
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert_eq!(site(&world), format!("@{first}"));
}

#[test]
fn a_new_digest_counts_only_if_a_platform_that_matters_has_changed() {
    let (world, policy, images, _) = following(|digest| format!(":stable@{digest}"), "digest = \"stable\", platforms = [\"linux/amd64\"]");
    images.tag("stable", &images.index(&[("linux/amd64", "1"), ("linux/arm64", "2")], CREATED));
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits(), [], "only the image for arm64 was built anew");
    let third = images.index(&[("linux/amd64", "2"), ("linux/arm64", "2")], CREATED);
    images.tag("stable", &third);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), format!(":stable@{third}"));
}

#[test]
fn an_old_image_that_is_gone_counts_as_changed_and_one_that_cannot_be_read_decides_nothing() {
    let (world, policy, images, first) =
        following(|digest| format!(":stable@{digest}"), "digest = \"stable\", platforms = [\"linux/amd64\"]");
    let second = images.index(&[("linux/amd64", "1"), ("linux/arm64", "2")], CREATED);
    images.tag("stable", &second);
    for (code, expected) in [(403, &first), (404, &second)] {
        let (images, first) = (images.clone(), first.clone());
        world
            .registry
            .on_request(move |request| Some(if request.uri.path().ends_with(&first) { status(code, "") } else { images.answer(request) }));
        let run = world.tagboat(&policy, &["run", "--once"]);
        assert_eq!(run.code, Some(i32::from(code == 403)), "{run:?}");
        assert_eq!(site(&world), format!(":stable@{expected}"));
    }
}

#[test]
fn a_moved_tag_is_as_young_as_its_digest() {
    let (world, policy, images, first) = following(|digest| format!(":stable@{digest}"), "digest = \"stable\", min_age = \"1h\"");
    images.tag("stable", &images.index(BOTH, "2024-04-01T00:00:00Z"));
    world.tagboat(&policy, &["run", "--once"]).done().says("stable is not old enough yet");
    assert_eq!(site(&world), format!(":stable@{first}"));
}

#[test]
fn a_pinning_policy_pins_the_tag_that_is_there_once() {
    let (world, policy) = world(":1.0.0", "pin_digest = true");
    let digest = world.registry.publish("shop/api", "1.0.0");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), format!(":1.0.0@{digest}"));
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1);
    world.replace(FILE, &format!("@{digest}"), "");
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert_eq!(site(&world), ":1.0.0", "who takes the digest out wants it so");
    let newer = world.registry.publish("shop/api", "1.1.0");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(site(&world), format!(":1.1.0@{newer}"));
}

#[test]
fn a_pinning_policy_writes_the_digest_with_the_tag_where_the_shape_holds_it() {
    let pair = "parameters:\n- {name: i.repository, value: REGISTRY/shop/api}\n- {name: i.tag, value: 1.0.0}\n";
    let split = "values:\n  repository: REGISTRY/shop/api\n  tag: 1.0.0 # the tag\n";
    let argument = "args: [--image=REGISTRY/shop/api:1.0.0]\n";
    let world =
        World::new(&[(FILE, "image: REGISTRY/shop/api:1.0.0\n"), ("split.yaml", split), ("pair.yaml", pair), ("argument.yaml", argument)]);
    world.registry.publish("shop/api", "1.0.0");
    let new = world.registry.publish("shop/api", "1.1.0");
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\npolicy = { pin_digest = true }\n");
    world.tagboat(&policy, &["run", "--once"]).done().says("only the chart knows a parameter for it");
    assert_eq!(site(&world), format!(":1.1.0@{new}"));
    assert_eq!(world.read("argument.yaml"), world.fill(&format!("args: [--image=REGISTRY/shop/api:1.1.0@{new}]\n")));
    assert_eq!(world.read("pair.yaml"), world.fill(pair), "a new tag beside no digest is not what the policy wants");
    let pinned = format!("values:\n  repository: REGISTRY/shop/api\n  tag: 1.1.0 # the tag\n  digest: {new}\n");
    assert_eq!(world.read("split.yaml"), world.fill(&pinned));
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1, "the second time there is nothing to do");

    let newer = world.registry.publish("shop/api", "1.2.0");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read("split.yaml"), world.fill(&pinned.replace("1.1.0", "1.2.0").replace(&new, &newer)), "both move together");
}

#[test]
fn a_digest_beside_a_tag_that_somebody_took_out_is_held() {
    let kustomization = "images:\n- name: api\n  newName: REGISTRY/shop/api\n  newTag: 1.0.0\n";
    let world = World::new(&[(FILE, kustomization)]);
    let digest = world.registry.publish("shop/api", "1.0.0");
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\npolicy = { pin_digest = true }\n");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read(FILE), world.fill(&format!("{kustomization}  digest: {digest}\n")));
    world.replace(FILE, &format!("  digest: {digest}\n"), "");
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert_eq!(world.read(FILE), world.fill(kustomization), "who takes the digest out wants it so");
}

#[test]
fn an_empty_tag_is_filled_where_the_policy_says_so_and_held_when_it_is_emptied_again() {
    let values = "image:\n  repository: REGISTRY/shop/api\n  tag: \"\" # the chart's\n";
    let world = World::new(&[(FILE, values)]);
    let digest = world.registry.publish("shop/api", "1.1.0");
    let policy = world.policy("[[image]]\nrepository = \"REGISTRY/shop/api\"\npolicy = { semver = \"^1\" }\n");
    world.tagboat(&policy, &["run", "--once"]).done().says("its policy has no `fill = true`");
    assert_eq!(world.read(FILE), world.fill(values));

    let image = "[[image]]\nrepository = \"REGISTRY/shop/api\"\n";
    let policy = world.policy(&format!("{image}policy = {{ semver = \"^1\", fill = true, pin_digest = true }}\n"));
    world.tagboat(&policy, &["run", "--once"]).done();
    let filled = format!("image:\n  repository: REGISTRY/shop/api\n  tag: \"1.1.0\" # the chart's\n  digest: {digest}\n");
    assert_eq!(world.read(FILE), world.fill(&filled));
    let message = world.commits().remove(0).message;
    assert!(message.contains(&world.fill("REGISTRY/shop/api (none) -> 1.1.0")), "{message}");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.commits().len(), 1, "the second time there is nothing to do");

    world.replace(FILE, &format!("\"1.1.0\" # the chart's\n  digest: {digest}"), "\"\" # the chart's");
    world.tagboat(&policy, &["run", "--once"]).done().says("held");
    assert_eq!(world.read(FILE), world.fill(values), "who empties it wants it so");
    world.registry.publish("shop/api", "1.2.0");
    world.tagboat(&policy, &["run", "--once"]).done();
    assert!(world.read(FILE).contains("tag: \"1.2.0\""), "until something newer comes");
}

#[test]
fn a_registry_that_a_values_file_states_for_all_its_images_counts_where_the_user_says_so() {
    let values = "global: {imageRegistry: REGISTRY}\nimage: {registry: docker.io, repository: shop/api, tag: 1.0.0}\n";
    let world = World::new(&[(FILE, values)]);
    world.registry.publish("shop/api", "1.0.0");
    world.registry.publish("shop/api", "1.1.0");
    let image = "[[image]]\nrepository = \"REGISTRY/shop/api\"\n";
    let policy = world.policy(image);
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read(FILE), world.fill(values), "never guessed");
    let policy = world.policy(&format!("registry_keys = [\"global.imageRegistry\"]\n{image}"));
    world.tagboat(&policy, &["run", "--once"]).done();
    assert_eq!(world.read(FILE), world.fill(&values.replace("1.0.0", "1.1.0")));
}
