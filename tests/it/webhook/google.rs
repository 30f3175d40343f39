//! Identity tokens of Google, made here with a key of our own, which a server of ours publishes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rsa::PublicKeyComponents;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use tagboat::http::webhook::{Auth, Expected, JwtError, Key, Kind, verify};

use super::deliveries::{Receiver, hook, post};
use super::fixture;
use crate::support::registry as answers;

const AUDIENCE: &str = "https://tagboat.example.com/webhook/gar";
const EMAIL: &str = "pubsub@acme.iam.gserviceaccount.com";

fn expected() -> Expected {
    Expected { audience: AUDIENCE.to_owned(), email: EMAIL.to_owned() }
}

fn signer() -> RsaKeyPair {
    RsaKeyPair::from_pkcs8(&std::fs::read("tests/fixtures/webhook/gar/signing-key.pk8").unwrap()).unwrap()
}

/// The set of keys that Google would publish.
fn key_set(id: &str) -> Value {
    let public = PublicKeyComponents::<Vec<u8>>::from(signer().public());
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({ "keys": [
        { "kty": "EC", "crv": "P-256", "kid": "other", "x": "", "y": "" },
        { "kty": "RSA", "use": "sig", "alg": "RS256", "kid": id, "n": number(&public.n), "e": number(&public.e) },
    ] })
}

fn keys() -> Vec<Key> {
    Key::read_set(key_set("k1").to_string().as_bytes()).unwrap()
}

fn head() -> Value {
    json!({ "alg": "RS256", "kid": "k1", "typ": "JWT" })
}

fn claims() -> Value {
    let now = Timestamp::now().as_second();
    json!({
        "aud": AUDIENCE, "azp": "1", "email": EMAIL, "email_verified": true, "exp": now + 3600, "iat": now - 5,
        "iss": "https://accounts.google.com", "sub": "1",
    })
}

fn signed(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(head), part(claims));
    let signer = signer();
    let mut signature = vec![0; signer.public().modulus_len()];
    signer.sign(&RSA_PKCS1_SHA256, &ring::rand::SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn check(token: &str) -> Result<(), JwtError> {
    verify(token, &keys(), &expected(), Timestamp::now())
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().shift_remove(name);
    claims
}

#[test]
fn w19_a_token_for_us_about_the_right_account_passes() {
    check(&signed(&head(), &claims())).unwrap();
    check(&signed(&head(), &with("iss", json!("accounts.google.com")))).unwrap();
    check(&signed(&head(), &without("iat"))).unwrap();
    let now = Timestamp::now().as_second();
    check(&signed(&head(), &with("exp", json!(now - 30)))).unwrap();
    check(&signed(&head(), &with("nbf", json!(now + 30)))).unwrap();
}

#[test]
fn w19_a_token_whose_claims_do_not_hold_is_refused_though_google_signed_it() {
    let now = Timestamp::now().as_second();
    for (name, values) in [
        ("aud", vec![json!("https://else.example.com"), json!([AUDIENCE]), json!(""), Value::Null]),
        ("email", vec![json!("pubsub@evil.iam.gserviceaccount.com"), json!(""), json!([EMAIL])]),
        ("email_verified", vec![json!(false), json!("true"), json!(1)]),
        ("iss", vec![json!("https://accounts.google.com.evil.example"), json!("http://accounts.google.com"), Value::Null]),
        ("exp", vec![json!(now - 61), json!(0), json!(-1), json!("99999999999"), json!(1e30)]),
        ("nbf", vec![json!(now + 120), json!("0"), Value::Null]),
        ("iat", vec![json!(now + 120)]),
    ] {
        for value in values {
            assert_eq!(check(&signed(&head(), &with(name, value.clone()))), Err(JwtError::Claim(name)), "{name} = {value}");
        }
    }
    for name in ["aud", "email", "email_verified", "iss", "exp"] {
        assert_eq!(check(&signed(&head(), &without(name))), Err(JwtError::Claim(name)), "without {name}");
    }
}

#[test]
fn w19_a_token_that_is_not_signed_with_rs256_by_a_published_key_is_refused() {
    let good = signed(&head(), &claims());
    let [first, second, third] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let header = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    for alg in [json!("none"), json!("None"), json!("HS256"), json!("RS512"), json!("PS256"), json!(""), Value::Null] {
        let mut head = head();
        head["alg"] = alg.clone();
        assert_eq!(check(&signed(&head, &claims())), Err(JwtError::Algorithm), "{alg}");
    }
    assert_eq!(check(&format!("{}.{second}.", header(json!({ "alg": "none" })))), Err(JwtError::Algorithm));
    let critical = json!({ "alg": "RS256", "kid": "k1", "crit": ["b64"], "b64": false });
    assert_eq!(check(&signed(&critical, &claims())), Err(JwtError::Algorithm));
    assert_eq!(check(&signed(&json!({ "alg": "RS256", "kid": "k2" }), &claims())), Err(JwtError::UnknownKey));
    assert_eq!(check(&signed(&json!({ "alg": "RS256" }), &claims())), Err(JwtError::UnknownKey));
    assert_eq!(check(&signed(&json!({ "alg": "RS256", "kid": "other" }), &claims())), Err(JwtError::UnknownKey), "it is not for RSA");
    let others = header(with("email", json!("x@example.com")));
    assert_eq!(check(&format!("{first}.{others}.{third}")), Err(JwtError::Signature));
    assert_eq!(check(&format!("{first}.{second}.{}", URL_SAFE_NO_PAD.encode([0; 256]))), Err(JwtError::Signature));
    assert_eq!(check(&format!("{first}.{second}.")), Err(JwtError::Signature));
    for text in ["", ".", "..", "a.b.c", &format!("{first}.{second}"), &format!("{good}="), &format!("{good}.{third}"), first] {
        assert!(check(text).is_err(), "{text}");
    }
}

/// A receiver for Google's events, and the server that publishes the keys; it counts how often it is asked.
fn receiver(
    answer: impl Fn(u64) -> axum::response::Response + Send + Sync + 'static,
) -> (Receiver, tagboat::demo::registry::Registry, Arc<AtomicU64>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(tagboat::demo::registry::Registry::start()).unwrap();
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    server.on_request(move |_| Some(answer(counter.fetch_add(1, Ordering::Relaxed))));
    let auth = Auth::Google { expected: expected(), keys: format!("http://{}/certs", server.addr()).parse().unwrap() };
    (Receiver::start(vec![hook("gar", Kind::Gar, auth)]), server, asked)
}

fn send(receiver: &Receiver, token: &str) -> u16 {
    receiver.send(&post("/webhook/gar", &[("Authorization", &format!("Bearer {token}"))], &fixture("gar/push"))).status
}

#[test]
fn w19_only_a_push_with_a_good_token_makes_the_repository_due_and_the_keys_are_fetched_once() {
    let (receiver, _server, asked) = receiver(|_| answers::json(key_set("k1").to_string()));
    assert_eq!(receiver.send(&post("/webhook/gar", &[], &fixture("gar/push"))).status, 401);
    assert_eq!(send(&receiver, "garbage"), 401);
    assert_eq!(send(&receiver, &signed(&json!({ "alg": "none", "kid": "k1" }), &claims())), 401);
    assert_eq!(asked.load(Ordering::Relaxed), 0, "what is no token at all is not worth a request");
    for bad in [with("aud", json!("x")), with("email", json!("x")), with("exp", json!(1))] {
        assert_eq!(send(&receiver, &signed(&head(), &bad)), 401);
    }
    assert!(receiver.due().is_empty());
    for _ in 0..3 {
        assert_eq!(send(&receiver, &signed(&head(), &claims())), 200);
    }
    assert_eq!(receiver.due(), vec!["us-east1-docker.pkg.dev/p/r/web"; 3]);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn w19_unknown_key_ids_do_not_make_us_ask_google_again_and_again() {
    let (receiver, _server, asked) = receiver(|_| answers::json(key_set("k1").to_string()));
    assert_eq!(send(&receiver, &signed(&head(), &claims())), 200);
    for number in 0..20 {
        assert_eq!(send(&receiver, &signed(&json!({ "alg": "RS256", "kid": format!("x{number}") }), &claims())), 401);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1, "the last fetch was less than a minute ago");
    assert_eq!(send(&receiver, &signed(&head(), &claims())), 200);
}

#[test]
fn keys_that_cannot_be_had_are_not_the_senders_fault() {
    type Answer = fn() -> axum::response::Response;
    let answers: [(&str, Answer); 4] = [
        ("a failure", || answers::status(500, "{}")),
        ("no keys", || answers::json(r#"{"keys":[]}"#)),
        ("too much", || answers::json(" ".repeat(300 * 1024))),
        ("a redirect", || answers::redirect_to("https://keys.example.com/")),
    ];
    for (what, answer) in answers {
        let (receiver, _server, asked) = receiver(move |_| answer());
        for _ in 0..3 {
            assert_eq!(send(&receiver, &signed(&head(), &claims())), 503, "{what}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1, "{what}");
        assert!(receiver.due().is_empty());
    }
}
