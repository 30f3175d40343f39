//! Each sender's proof, and what does not prove anything.

use axum::http::Request;

use super::*;
use crate::redact::Secret;

const SECRET: &str = "s3cret";
const BODY: &[u8] = b"{\"a\":1}";
/// Made with `openssl dgst -sha256 -hmac s3cret` and `-sha1` over [`BODY`].
const HMAC_256: &str = "5910e62016ef5034272c926c27071992a465c2335cecf41851bda071577f4f6d";
const HMAC_1: &str = "79999786a1bff10cd4d7dd0b0752574af76be0b5";

fn head(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Says whether a delivery of this kind passes.
fn passes_with(kind: Kind, uri: &str, headers: &[(&str, &str)], secret_in_path: Option<&str>, body: &[u8]) -> bool {
    signature_or_secret(kind.proof(), SECRET, &head(uri, headers), secret_in_path).and_then(|check| check.body(body)).is_ok()
}

fn passes(kind: Kind, headers: &[(&str, &str)]) -> bool {
    passes_with(kind, "/webhook/x", headers, None, BODY)
}

#[test]
fn a_right_signature_passes_in_the_form_that_each_sender_gives_it() {
    let prefixed = format!("sha256={HMAC_256}");
    for (kind, name, value) in [
        (Kind::GitHub, "x-hub-signature-256", prefixed.as_str()),
        (Kind::Gitea, "x-gitea-signature", HMAC_256),
        (Kind::Gitea, "x-forgejo-signature", HMAC_256),
        (Kind::Gitea, "x-hub-signature-256", &prefixed),
        (Kind::Nexus, "x-nexus-webhook-signature", HMAC_1),
        (Kind::Artifactory, "x-jfrog-event-auth", HMAC_256),
        (Kind::Artifactory, "x-jfrog-event-auth", SECRET),
    ] {
        assert!(passes(kind, &[(name, value)]), "{kind:?} {name}: {value}");
    }
}

#[test]
fn w2_a_signature_that_is_wrong_in_any_way_does_not_pass() {
    let form = |kind: Kind| match kind {
        Kind::GitHub => ("x-hub-signature-256", "sha256=", HMAC_256),
        Kind::Gitea => ("x-gitea-signature", "", HMAC_256),
        Kind::Nexus => ("x-nexus-webhook-signature", "", HMAC_1),
        _ => ("x-jfrog-event-auth", "", HMAC_256),
    };
    for kind in [Kind::GitHub, Kind::Gitea, Kind::Nexus, Kind::Artifactory] {
        let (name, prefix, right) = form(kind);
        let with = |signature: &str| passes(kind, &[(name, &format!("{prefix}{signature}"))]);
        assert!(with(right), "{kind:?}");
        let changed = right.replacen(|c: char| c.is_ascii_digit(), "a", 1);
        for (what, wrong) in [
            ("changed", changed.as_str()),
            ("empty", ""),
            ("short", &right[..right.len() - 2]),
            ("odd", &right[1..]),
            ("long", &format!("{right}00")),
            ("in upper case", &right.to_uppercase()),
            ("no hex", &"g".repeat(right.len())),
        ] {
            assert!(!with(wrong), "{kind:?}: {what}");
        }
        assert!(!passes(kind, &[]), "{kind:?}: none");
        let value = format!("{prefix}{right}");
        assert!(!passes(kind, &[(name, &value), (name, &value)]), "{kind:?}: twice");
        // The secret proves nothing where it should sign, Artifactory's own header aside.
        let elsewhere = [("authorization", SECRET), ("x-webhook-secret", SECRET)];
        assert!(!passes_with(kind, "/webhook/x?secret=s3cret", &elsewhere, Some(SECRET), BODY), "{kind:?}: the secret itself");
    }
    assert!(!passes(Kind::GitHub, &[("x-hub-signature", &format!("sha1={HMAC_1}"))]), "SHA-1 only");
    assert!(!passes(Kind::GitHub, &[("x-hub-signature-256", &format!("sha1={HMAC_1}"))]), "SHA-1 under another name");
    assert!(!passes(Kind::GitHub, &[("x-hub-signature-256", HMAC_256)]), "without its prefix");
    assert!(!passes(Kind::Gitea, &[("x-gitea-signature", ""), ("x-hub-signature-256", &format!("sha256={}", "0".repeat(64)))]));
}

#[test]
fn w3_a_body_with_one_more_byte_does_not_pass() {
    let more = [BODY, b"\n"].concat();
    let signature = [("x-hub-signature-256", &*format!("sha256={HMAC_256}"))];
    assert!(passes_with(Kind::GitHub, "/", &signature, None, BODY));
    assert!(!passes_with(Kind::GitHub, "/", &signature, None, &more));
    assert!(!passes_with(Kind::GitHub, "/", &signature, None, &BODY[1..]));
}

#[test]
fn a_secret_is_taken_from_every_place_where_senders_can_put_one() {
    let basic = format!("Basic {}", STANDARD.encode(format!("tagboat:{SECRET}")));
    for value in [SECRET, "Bearer s3cret", "bearer s3cret", &basic] {
        assert!(passes(Kind::Harbor, &[("authorization", value)]), "{value}");
    }
    assert!(passes(Kind::Ecr, &[("x-webhook-secret", SECRET)]));
    assert!(passes_with(Kind::Quay, "/webhook/x?a=b&secret=s3cret", &[], None, BODY));
    assert!(passes_with(Kind::DockerHub, "/", &[], Some("s3cret"), BODY));
    assert!(passes_with(Kind::DockerHub, "/", &[], Some("s%33cret"), BODY));
}

#[test]
fn w2_a_secret_that_is_wrong_in_any_way_does_not_pass() {
    for wrong in ["", "s3cre", "s3crets", "S3CRET", "s3cret\u{e9}", "*"] {
        let basic = format!("Basic {}", STANDARD.encode(format!("{SECRET}:{wrong}")));
        for value in [wrong, &format!("Bearer {wrong}"), &basic, &format!("Basic {wrong}")] {
            assert!(!passes(Kind::Harbor, &[("authorization", value)]), "{value}");
        }
        assert!(!passes_with(Kind::Quay, "/", &[], Some(wrong), BODY), "{wrong}");
    }
    assert!(!passes(Kind::Harbor, &[]));
    assert!(!passes(Kind::Harbor, &[("x-webhook-secret", SECRET), ("x-webhook-secret", SECRET)]), "which of them?");
    assert!(!passes_with(Kind::Quay, "/?Secret=s3cret&secrets=s3cret&token=s3cret", &[], None, BODY));
}

#[test]
fn a_secret_that_cannot_be_read_is_nobody_elses_fault_and_lets_nobody_in() {
    let guard = Guard::new(Kind::Harbor, Auth::Secret(SecretSource::File("/no/such/file".into())));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refusal = runtime.block_on(guard.admit(&head("/", &[("authorization", "")]), None)).unwrap_err();
    assert!(matches!(refusal, Refusal::Secret(_)), "{refusal:?}");
    let guard = Guard::new(Kind::Harbor, Auth::Secret(SecretSource::Env { name: "X".to_owned(), value: Secret::new(SECRET) }));
    assert!(!format!("{guard:?}").contains(SECRET));
}
