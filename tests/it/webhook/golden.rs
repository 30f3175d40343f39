//! What each sender's payload is read as, from the payloads that the products document (`tests/fixtures/webhook/`).

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tagboat::http::webhook::{Event, Kind, Pointers, Reading, Sender, parse};
use tagboat::image::Registry;

use super::{fixture, sender};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PACKAGE: (&str, &str) = ("x-github-event", "package");
/// Gitea sends the headers of three families.
const GITEA: &[(&str, &str)] = &[("x-gogs-event", "package"), PACKAGE, ("x-gitea-event", "package")];
const FORGEJO: &[(&str, &str)] = &[("x-forgejo-event", "package"), ("x-gitea-event", "package"), PACKAGE];
const ZOT: &[(&str, &str)] = &[("ce-specversion", "1.0"), ("ce-type", "zotregistry.image.updated"), ("ce-source", "zotregistry.dev")];
const NEXUS: &[(&str, &str)] = &[("x-nexus-webhook-id", "rm:repository:component")];

fn headers(list: &[(&str, &str)]) -> HeaderMap {
    let one = |(name, value): &(&str, &str)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap());
    list.iter().map(one).collect()
}

/// Reads and shows: `host|name|tag` for each event, `nothing: why`, `validation: code` or `unreadable: why`.
fn shown(sender: &Sender, list: &[(&str, &str)], body: &[u8]) -> String {
    let event = |Event { repository, tag }: &Event| {
        format!("{}|{}|{}", repository.registry(), repository.name(), tag.as_ref().map_or("-", |tag| tag.as_str()))
    };
    match parse(sender, &headers(list), body) {
        Ok(Reading::Events(events)) => events.iter().map(event).collect::<Vec<_>>().join(" "),
        Ok(Reading::Nothing(why)) => format!("nothing: {why}"),
        Ok(Reading::Validation(code)) => format!("validation: {code}"),
        Err(error) => format!("unreadable: {error}"),
    }
}

fn at(kind: Kind, host: &str) -> Sender {
    Sender { host: Some(Registry::parse(host).unwrap()), ..sender(kind) }
}

fn generic(repository: &str, tag: Option<&str>) -> Sender {
    let pointers = Pointers { repository: repository.to_owned(), tag: tag.map(str::to_owned) };
    Sender { pointers: Some(pointers), ..sender(Kind::Generic) }
}

/// The sender, its payload, the headers beside it, and what must be read.
type Row<'a> = (Sender, &'a str, &'a [(&'a str, &'a str)], &'a str);

#[track_caller]
fn assert_all(rows: &[Row<'_>]) {
    let mut wrong = Vec::new();
    for (sender, name, headers, expected) in rows {
        let found = shown(sender, headers, &fixture(name));
        if found != *expected {
            wrong.push(format!("{name}: {found}\n  instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn w1_each_senders_golden_payload_gives_exactly_host_repository_and_tag() {
    let virtual_docker = Sender { virtual_repository: Some("docker".to_owned()), ..sender(Kind::Artifactory) };
    assert_all(&[
        (sender(Kind::DockerHub), "dockerhub/push", &[], "docker.io|acme/web|1.4.2"),
        (sender(Kind::GitHub), "github/package", &[PACKAGE], "ghcr.io|acme/web|1.4.2"),
        (sender(Kind::GitHub), "github/registry_package", &[("x-github-event", "registry_package")], "ghcr.io|acme/web|1.4.2"),
        (sender(Kind::GitHub), "github/no_url", &[PACKAGE], "ghcr.io|acme/web|1.4.2"),
        (sender(Kind::Distribution), "distribution/v1", &[], "reg.example:5000|acme/web|1.4.2"),
        (sender(Kind::Distribution), "distribution/v2", &[], "reg.example:5000|acme/web|1.4.2"),
        (sender(Kind::Distribution), "distribution/gitlab", &[], "registry.gitlab.example|group/project/web|1.4.2"),
        (sender(Kind::Distribution), "distribution/batch", &[], "reg.example:5000|acme/web|1.4.2 reg.example:5000|acme/api|2.0.0"),
        (sender(Kind::Harbor), "harbor/default", &[], "harbor.example|acme/web|1.4.2"),
        (sender(Kind::Harbor), "harbor/cloudevents", &[], "harbor.example|acme/web|1.4.2"),
        (sender(Kind::Quay), "quay/push", &[], "quay.io|acme/web|1.4.2"),
        (sender(Kind::Quay), "quay/old", &[], "quay.io|acme/web|1.4.2"),
        (sender(Kind::Acr), "acr/webhook", &[], "acme.azurecr.io|acme/web|1.4.2"),
        (sender(Kind::Acr), "acr/eventgrid", &[], "acme.azurecr.io|acme/web|1.4.2"),
        (sender(Kind::Acr), "acr/cloudevent", &[], "acme.azurecr.io|acme/web|1.4.2"),
        (sender(Kind::Ecr), "ecr/eventbridge", &[], "123456789012.dkr.ecr.us-west-2.amazonaws.com|acme/web|1.4.2"),
        (sender(Kind::Ecr), "ecr/china", &[], "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn|acme/web|1.4.2"),
        (sender(Kind::Ecr), "ecr/cloudevent", &[], "123456789012.dkr.ecr.us-west-2.amazonaws.com|acme/web|1.4.2"),
        (sender(Kind::Gar), "gar/push", &[], "us-east1-docker.pkg.dev|p/r/web|1.4.2"),
        (at(Kind::Nexus, "nexus.example:8082"), "nexus/created", NEXUS, "nexus.example:8082|acme/web|1.4.2"),
        (at(Kind::Nexus, "nexus.example:8082"), "nexus/updated", NEXUS, "nexus.example:8082|acme/web|1.4.2"),
        (sender(Kind::Artifactory), "artifactory/pushed", &[], "acme.jfrog.io|docker-local/acme/web|1.4.2"),
        (virtual_docker, "artifactory/pushed", &[], "acme.jfrog.io|docker/acme/web|1.4.2"),
        (at(Kind::Gitea, "git.example.com"), "gitea/created", GITEA, "git.example.com|acme/web|1.4.2"),
        (at(Kind::Gitea, "git.example.com"), "gitea/created", FORGEJO, "git.example.com|acme/web|1.4.2"),
        (at(Kind::Zot, "zot.example"), "zot/updated", ZOT, "zot.example|acme/web|1.4.2"),
        (sender(Kind::Aliyun), "aliyun/push", &[], "registry.cn-hangzhou.aliyuncs.com|acme/web|1.4.2"),
        (
            at(Kind::Aliyun, "acme-registry.cn-hangzhou.cr.aliyuncs.com"),
            "aliyun/push",
            &[],
            "acme-registry.cn-hangzhou.cr.aliyuncs.com|acme/web|1.4.2",
        ),
        (generic("/image/name", Some("/image/tag")), "generic/push", &[], "registry.example.com|acme/web|1.4.2"),
        (generic("/image/name", None), "generic/push", &[], "registry.example.com|acme/web|-"),
        (generic("/image/short", None), "generic/push", &[], "docker.io|acme/web|-"),
    ]);
}

#[test]
fn w5_without_a_tag_or_with_a_digest_for_one_nothing_is_due() {
    const NO_TAG: &str = "nothing: what was pushed has no tag";
    assert_all(&[
        (sender(Kind::GitHub), "github/no_tag", &[PACKAGE], NO_TAG),
        (sender(Kind::Distribution), "distribution/blob", &[], "nothing: it is about something else than a push"),
        (sender(Kind::Harbor), "harbor/by_digest", &[], NO_TAG),
        (sender(Kind::Ecr), "ecr/untagged", &[], NO_TAG),
        (sender(Kind::Gar), "gar/digest_only", &[], NO_TAG),
        (at(Kind::Gitea, "git.example.com"), "gitea/by_digest", GITEA, NO_TAG),
        (at(Kind::Zot, "zot.example"), "zot/by_digest", ZOT, NO_TAG),
        (generic("/image/name", Some("/no/tag")), "generic/push", &[], NO_TAG),
    ]);
}

#[test]
fn w6_w17_other_actions_and_tests_and_pings_lead_to_nothing() {
    const OTHER: &str = "nothing: it is about something else than a push";
    assert_all(&[
        (sender(Kind::GitHub), "github/ping", &[("x-github-event", "ping")], OTHER),
        (sender(Kind::GitHub), "github/npm", &[PACKAGE], "nothing: it is about a package that is no container image"),
        (sender(Kind::Distribution), "distribution/pull", &[], OTHER),
        (sender(Kind::Harbor), "harbor/pulled", &[], OTHER),
        (sender(Kind::Harbor), "harbor/test", &[], OTHER),
        (sender(Kind::Quay), "quay/vulnerability", &[], OTHER),
        (sender(Kind::Acr), "acr/ping", &[], OTHER),
        (sender(Kind::Acr), "acr/delete", &[], OTHER),
        (sender(Kind::Acr), "acr/validation", &[], "validation: 512d38b6-c7b8-40c8-89fe-f46f9e9622b6"),
        (sender(Kind::Ecr), "ecr/delete", &[], OTHER),
        (sender(Kind::Ecr), "ecr/failure", &[], OTHER),
        (sender(Kind::Gar), "gar/delete", &[], OTHER),
        (at(Kind::Nexus, "nexus.example"), "nexus/purged", NEXUS, OTHER),
        (at(Kind::Nexus, "nexus.example"), "nexus/maven", NEXUS, OTHER),
        (at(Kind::Nexus, "nexus.example"), "nexus/created", &[("x-nexus-webhook-id", "rm:repository:asset")], OTHER),
        (sender(Kind::Artifactory), "artifactory/deleted", &[], OTHER),
        (at(Kind::Gitea, "git.example.com"), "gitea/deleted", GITEA, OTHER),
        (at(Kind::Gitea, "git.example.com"), "gitea/npm", GITEA, OTHER),
        (at(Kind::Gitea, "git.example.com"), "gitea/created", &[("x-gitea-event", "push")], OTHER),
        (at(Kind::Zot, "zot.example"), "zot/updated", &[("ce-type", "zotregistry.image.deleted")], OTHER),
    ]);
}

#[test]
fn w11_a_delivery_with_the_headers_of_gitea_is_never_taken_for_githubs() {
    let expected = "nothing: it comes from Gitea; its webhook has kind = \"gitea\"";
    assert_all(&[
        (sender(Kind::GitHub), "gitea/created", GITEA, expected),
        (sender(Kind::GitHub), "gitea/created", FORGEJO, expected),
        (sender(Kind::GitHub), "github/package", GITEA, expected),
    ]);
}

#[test]
fn w12_a_name_that_no_repository_can_have_is_refused() {
    let hub = |name: &str| {
        let body = serde_json::json!({ "push_data": { "tag": "1" }, "repository": { "repo_name": name } });
        shown(&sender(Kind::DockerHub), &[], body.to_string().as_bytes())
    };
    assert_eq!(hub("acme/web"), "docker.io|acme/web|1");
    for name in ["Acme/web", "../../etc/passwd", "acme/web\n", "acme//web", "acme/web?x=1", "/acme", "acme/\u{202e}web", &"a".repeat(300)] {
        let found = hub(name);
        assert!(found.starts_with("unreadable: ") && found.contains("is not a repository"), "{name:?}: {found}");
        assert!(!found.contains(['\n', '\u{202e}']) && found.len() < 300, "{found:?}");
    }
    for host in ["reg.example/x", "reg example", "a@b", "http://x", "[::1", "x:99999"] {
        let body = serde_json::json!({ "repository": "acme/web", "docker_url": host, "updated_tags": ["1"] });
        let found = shown(&sender(Kind::Quay), &[], body.to_string().as_bytes());
        assert!(found.starts_with("unreadable: ") || found == "reg.example|acme/web|1" || found == "http:|", "{host}: {found}");
    }
    let short = shown(&sender(Kind::Artifactory), &[], &fixture("artifactory/short_path"));
    assert_eq!(short, "unreadable: the payload has no image's name in `data.path`");
}

#[test]
fn w15_events_of_another_registry_than_the_configured_one_are_ignored() {
    const OTHER: &str = "nothing: it is about another registry than the one configured";
    assert_all(&[
        (at(Kind::Harbor, "harbor.example"), "harbor/default", &[], "harbor.example|acme/web|1.4.2"),
        (at(Kind::Harbor, "HARBOR.example"), "harbor/default", &[], "harbor.example|acme/web|1.4.2"),
        (at(Kind::Harbor, "harbor.example:443"), "harbor/default", &[], OTHER),
        (at(Kind::GitHub, "containers.github.example"), "github/package", &[PACKAGE], OTHER),
        (at(Kind::Distribution, "reg.example"), "distribution/v1", &[], OTHER),
        (at(Kind::Quay, "quay.example"), "quay/push", &[], OTHER),
        (at(Kind::Acr, "other.azurecr.io"), "acr/webhook", &[], OTHER),
        (at(Kind::Acr, "other.azurecr.io"), "acr/eventgrid", &[], OTHER),
        (at(Kind::Ecr, "1.dkr.ecr.us-west-2.amazonaws.com"), "ecr/eventbridge", &[], OTHER),
        (at(Kind::Gar, "gcr.io"), "gar/push", &[], OTHER),
    ]);
    let body = fixture("generic/push");
    let other = Sender { host: Some(Registry::parse("x.example").unwrap()), ..generic("/image/name", None) };
    assert_eq!(shown(&other, &[], &body), OTHER);
    let hostless = Sender { pointers: generic("/image/short", None).pointers, ..other };
    assert_eq!(shown(&hostless, &[], &body), "x.example|acme/web|-");
}

#[test]
fn w18_a_payload_in_a_form_is_read_for_those_that_send_forms() {
    let json = String::from_utf8(fixture("github/package")).unwrap();
    let form: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
    assert_eq!(shown(&sender(Kind::GitHub), &[PACKAGE, FORM], form.as_bytes()), "ghcr.io|acme/web|1.4.2");
    let with_charset = ("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8");
    assert_eq!(shown(&sender(Kind::GitHub), &[PACKAGE, with_charset], form.as_bytes()), "ghcr.io|acme/web|1.4.2");
    let gitea = String::from_utf8(fixture("gitea/created")).unwrap();
    let gitea: String = url::form_urlencoded::Serializer::new("a=b&".to_owned()).append_pair("payload", &gitea).finish();
    let headers = [GITEA, &[FORM]].concat();
    assert_eq!(shown(&at(Kind::Gitea, "git.example.com"), &headers, gitea.as_bytes()), "git.example.com|acme/web|1.4.2");
    assert_eq!(shown(&sender(Kind::GitHub), &[PACKAGE, FORM], json.as_bytes()), "unreadable: the payload has no `payload`");
}

#[test]
fn a_delivery_of_very_many_events_is_cut_short() {
    let event = |number: usize| serde_json::json!({ "action": "push", "target": { "repository": format!("a/r{number}"), "tag": "1" } });
    let body = serde_json::json!({ "events": (0..1500).map(event).collect::<Vec<_>>() }).to_string();
    let Ok(Reading::Events(events)) = parse(&at(Kind::Distribution, "reg.example"), &HeaderMap::new(), body.as_bytes()) else { panic!() };
    assert_eq!(events.len(), 1000);
}
