//! What must hold of all that strangers may post to a webhook, as functions over bytes.

use std::sync::LazyLock;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::Value;

use super::google::{self, Expected, JwtError, Key};
use super::{Event, Kind, Pointers, Reading, Sender, Unreadable, parse};
use crate::fuzz::{harmless, message};
use crate::image::{Registry, Repository, Tag};

/// A delivery: a line with the kind and, if one is configured, the registry and Artifactory's virtual repository; header
/// lines up to an empty one; the body.
pub fn webhook(data: &[u8]) {
    let (line, rest) = first_line(data);
    let mut words = std::str::from_utf8(line).unwrap_or_default().split_ascii_whitespace();
    let kind = words.next();
    let Some((_, kind)) = Kind::WORDS.iter().find(|(word, _)| Some(*word) == kind) else { return };
    let pointers = Pointers { repository: "/image/name".to_owned(), tag: Some("/image/tag".to_owned()) };
    let host = words.next().and_then(|word| Registry::parse(word).ok());
    let virtual_repository = words.next().map(str::to_owned);
    let sender = Sender { kind: *kind, host: None, virtual_repository, pointers: Some(pointers) };
    let (headers, body) = message(rest);

    let all = read(&sender, &headers, body);
    assert!(!kind.needs_host() || all.is_empty(), "nobody has named the registry of {all:?}");
    let elsewhere = Registry::parse("elsewhere.invalid").ok();
    let named = all.first().map(|event| event.repository.registry().clone());
    for host in [host, named, elsewhere].into_iter().flatten() {
        let of_host = read(&Sender { host: Some(host.clone()), ..sender.clone() }, &headers, body);
        assert!(of_host.iter().all(|event| *event.repository.registry() == host), "W15: {host} is configured: {of_host:?}");
        let expected: Vec<&Event> = all.iter().filter(|event| *event.repository.registry() == host).collect();
        let names_its_registry = matches!(kind, Kind::DockerHub | Kind::GitHub | Kind::Quay | Kind::Ecr | Kind::Gar);
        assert!(!names_its_registry || of_host.len() == expected.len(), "{of_host:?} instead of {expected:?}");
        // What the payload does not name belongs to the configured registry, so there may be more, but never less.
        let mut expected = expected.into_iter().peekable();
        for event in &of_host {
            expected.next_if_eq(&event);
        }
        assert_eq!(expected.next(), None, "it is about {host} and not read");
    }
}

/// Returns the events that are read, and sees to it that they are well-formed.
fn read(sender: &Sender, headers: &HeaderMap, body: &[u8]) -> Vec<Event> {
    let reading = parse(sender, headers, body);
    assert_eq!(parse(sender, headers, body), reading, "twice the same");
    match reading {
        Ok(Reading::Events(events)) => {
            assert!(!events.is_empty() && events.len() <= 1000, "{} events", events.len());
            for Event { repository, tag } in &events {
                assert_eq!(Repository::parse(&repository.to_string()).as_ref(), Ok(repository));
                assert_eq!(Repository::new(repository.registry().clone(), repository.name()).as_ref(), Ok(repository));
                assert!(tag.as_ref().is_none_or(|tag| Tag::parse(tag.as_str()).as_ref() == Ok(tag)), "{tag:?}");
            }
            let is_gitea = headers.contains_key("x-gitea-event") || headers.contains_key("x-forgejo-event");
            assert!(!(is_gitea && sender.kind == Kind::GitHub), "W11: Gitea's events are taken for GitHub's");
            events
        }
        Ok(Reading::Nothing(why)) => {
            harmless(why);
            Vec::new()
        }
        Ok(Reading::Validation(code)) => {
            assert!(sender.kind == Kind::Acr && !code.is_empty());
            Vec::new()
        }
        Err(error) => {
            harmless(&error.to_string());
            assert!(error != Unreadable::TooMany || body.len() > 50_000);
            Vec::new()
        }
    }
}

/// For whom and about whom tokens are here, and when.
static EXPECTED: LazyLock<Expected> =
    LazyLock::new(|| Expected { audience: "https://tagboat.example.com/webhook/gar".to_owned(), email: "pubsub@acme.example".to_owned() });
const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

/// The published key, and the one token that was ever signed with it.
static SIGNED: LazyLock<(Vec<Key>, String)> = LazyLock::new(|| {
    let pair = RsaKeyPair::from_pkcs8(include_bytes!("../../../tests/fixtures/webhook/gar/signing-key.pk8")).expect("a key");
    let text = |part: &str| URL_SAFE_NO_PAD.encode(part);
    let Expected { audience, email } = &*EXPECTED;
    let now = NOW.as_second();
    let claims = format!(
        r#"{{"iss":"accounts.google.com","aud":"{audience}","email":"{email}","email_verified":true,"exp":{},"iat":{now}}}"#,
        now + 3600
    );
    let signed = format!("{}.{}", text(r#"{"alg":"RS256","kid":"k1"}"#), text(&claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), signed.as_bytes(), &mut signature).expect("a signature");
    let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let set = format!(r#"{{"keys":[{{"kty":"RSA","kid":"k1","n":"{}","e":"{}"}}]}}"#, number(&public.n), number(&public.e));
    (Key::read_set(set.as_bytes()).expect("a set"), format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
});

/// A line with an identity token, and behind it JSON that is tried as a set of keys and as the claims of a token.
pub fn identity(data: &[u8]) {
    let (token, json) = first_line(data);
    let token = std::str::from_utf8(token).unwrap_or_default();
    let (keys, genuine) = &*SIGNED;
    match google::verify(token, keys, &EXPECTED, NOW) {
        Ok(()) => assert_eq!(token, genuine, "it was never signed"),
        Err(error) => harmless(&error.to_string()),
    }
    let strangers = Key::read_set(json);
    assert_eq!(Key::read_set(json), strangers, "twice the same");
    if let Some(strangers) = strangers {
        assert!(strangers.len() <= 100, "{} keys", strangers.len());
        let verdict = google::verify(token, &strangers, &EXPECTED, NOW);
        let known = google::key_id(token).is_ok_and(|id| strangers.iter().any(|key| key.id() == id));
        assert!(known || verdict.is_err(), "its key is not in the set");
    }
    if let Ok(claims) = serde_json::from_slice(json) {
        hold(&claims);
    }
}

/// Claims that hold are all needed, and hold no longer when the token has expired.
fn hold(claims: &Value) {
    let now = NOW.as_second();
    if google::check(claims, &EXPECTED, now).is_err() {
        return;
    }
    for name in ["iss", "aud", "email", "email_verified", "exp"] {
        let mut fewer = claims.clone();
        fewer.as_object_mut().and_then(|claims| claims.shift_remove(name)).expect("a claim that holds");
        assert_eq!(google::check(&fewer, &EXPECTED, now), Err(JwtError::Claim(name)));
    }
    let expires = claims.get("exp").and_then(Value::as_i64).expect("a time");
    assert!(expires > now - 60, "{expires}");
    if let Some(later) = expires.checked_add(60) {
        assert_eq!(google::check(claims, &EXPECTED, later), Err(JwtError::Claim("exp")));
    }
}

fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}
