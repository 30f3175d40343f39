//! W16: no bytes make a reader fall over, whatever their depth, their keys or their types.

use axum::http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Map, Value};
use tagboat::http::webhook::{Kind, Pointers, Reading, Sender, parse};
use tagboat::image::Registry;

use super::{fixture, fixtures, sender};

fn kinds() -> Vec<Kind> {
    Kind::WORDS.iter().map(|(_, kind)| *kind).collect()
}

/// A sender with all that it could use.
fn full(kind: Kind) -> Sender {
    let pointers = Some(Pointers { repository: "/repository".to_owned(), tag: Some("/tag".to_owned()) });
    Sender { host: Some(Registry::parse("reg.example").unwrap()), pointers, ..sender(kind) }
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("x-gitea-event", "package"), ("ce-type", "zotregistry.image.updated"), ("x-nexus-webhook-id", "rm:repository:component")]
    {
        headers.insert(name, value.parse().unwrap());
    }
    headers
}

/// GitHub must not be shown Gitea's header.
fn headers_for(kind: Kind) -> HeaderMap {
    if kind == Kind::GitHub { [("x-github-event".parse().unwrap(), "package".parse().unwrap())].into_iter().collect() } else { headers() }
}

/// Keys that readers look for, so that what is made goes deep into them.
const KEYS: [&str; 40] = [
    "repository",
    "repo_name",
    "push_data",
    "tag",
    "package",
    "package_version",
    "package_url",
    "container_metadata",
    "name",
    "action",
    "events",
    "target",
    "request",
    "host",
    "type",
    "event_data",
    "resources",
    "resource_url",
    "repo_full_name",
    "docker_url",
    "updated_tags",
    "eventType",
    "data",
    "validationCode",
    "detail-type",
    "detail",
    "source",
    "account",
    "region",
    "message",
    "component",
    "format",
    "domain",
    "event_type",
    "path",
    "repo_key",
    "jpd_origin",
    "owner",
    "reference",
    "repositoryName",
];

const TEXTS: [&str; 14] = [
    "push",
    "published",
    "created",
    "PUSH_ARTIFACT",
    "harbor.artifact.pushed",
    "acme/web",
    "1.4.2",
    "reg.example/acme/web:1.4.2",
    "container",
    "docker",
    "",
    "/",
    ":",
    "@",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(TEXTS.as_slice()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let key = prop_oneof![9 => proptest::sample::select(KEYS.as_slice()).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..6).prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

/// Whatever is read, it is a repository in canonical form, and not too many of them.
fn read_by_all(body: &[u8]) {
    for kind in kinds() {
        for sender in [full(kind), sender(kind)] {
            if let Ok(Reading::Events(events)) = parse(&sender, &headers_for(kind), body) {
                assert!(!events.is_empty() && events.len() <= 1000);
                assert!(sender.host.is_none_or(|host| events.iter().all(|event| *event.repository.registry() == host)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 512 }))]

    #[test]
    fn w16_any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..512)) {
        read_by_all(&body);
    }

    #[test]
    fn w16_any_json_is_read_or_refused(json in json()) {
        read_by_all(json.to_string().as_bytes());
    }

    #[test]
    fn w16_any_damage_to_a_real_payload_is_read_or_refused(
        which in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let names = fixtures();
        let mut body = fixture(&names[which.index(names.len())]);
        let at = at.index(body.len());
        if cut { body.truncate(at) } else { body[at] = byte }
        read_by_all(&body);
    }

    #[test]
    fn w16_any_value_may_stand_anywhere_in_a_real_payload(
        which in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), other in json(),
    ) {
        let names = fixtures();
        let mut payload: Value = serde_json::from_slice(&fixture(&names[which.index(names.len())])).unwrap();
        let mut places = Vec::new();
        pointers(&payload, String::new(), &mut places);
        *payload.pointer_mut(&places[at.index(places.len())]).unwrap() = other;
        read_by_all(payload.to_string().as_bytes());
    }
}

fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| pointers(value, format!("{at}/{key}"), found)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| pointers(value, format!("{at}/{index}"), found)),
        _ => {}
    }
    found.push(at);
}

#[test]
fn w16_deep_nesting_lone_surrogates_and_not_a_number_are_refused() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    for body in [
        deep("[", "]"),
        deep("{\"events\":", "}"),
        "[".repeat(1024 * 1024),
        r#"{"name":"\ud800"}"#.to_owned(),
        r#"{"name":"\udc00\ud800"}"#.to_owned(),
        r#"{"size":NaN}"#.to_owned(),
        r#"{"size":1e999}"#.to_owned(),
        String::new(),
        "null garbage".to_owned(),
    ] {
        for kind in kinds() {
            let shown = &body[..body.len().min(40)];
            assert!(parse(&full(kind), &headers_for(kind), body.as_bytes()).is_err(), "{kind:?}: {shown}");
        }
    }
}

#[test]
fn w16_of_a_key_that_stands_twice_one_is_taken() {
    let body = br#"{"push_data":{"tag":"1","tag":"2"},"repository":{"repo_name":"a/b"},"repository":{"repo_name":"c/d"}}"#;
    let Ok(Reading::Events(events)) = parse(&sender(Kind::DockerHub), &HeaderMap::new(), body) else { panic!() };
    assert_eq!((events.len(), events[0].repository.to_string().as_str()), (1, "docker.io/c/d"));
}
