//! AWS's side of Signature Version 4: computes it again from what arrived.

use std::fmt::Write;

use ring::{digest, hmac};

use super::Asked;

/// Says whether a request is signed by these keys for this region and service.
pub(super) fn is_right(asked: &Asked, access_key: &str, secret_key: &str, region: &str, service: &str) -> bool {
    let Some(authorization) = asked.header("authorization") else { return false };
    let time = asked.header("x-amz-date").unwrap();
    let scope = format!("{}/{region}/{service}/aws4_request", &time[..8]);
    let start = format!("AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders=");
    let Some((names, signature)) = authorization.strip_prefix(&start).and_then(|rest| rest.split_once(", Signature=")) else {
        return false;
    };
    // AWS wants these signed at least; sorted, or the signature is another.
    let signed: Vec<&str> = names.split(';').collect();
    let must = |name: &str| asked.header(name).is_none() || signed.contains(&name);
    if !["host", "x-amz-date", "x-amz-security-token", "x-amz-target", "content-type"].iter().all(|name| must(name)) || !signed.is_sorted()
    {
        return false;
    }
    let headers: String = signed.iter().map(|name| format!("{name}:{}\n", asked.header(name).unwrap())).collect();
    let request = format!("{}\n{}\n\n{headers}\n{names}\n{}", asked.method, asked.path, sha256(&asked.body));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", sha256(&request));
    let first = format!("AWS4{secret_key}").into_bytes();
    let key = scope.split('/').fold(first, |key, part| hmac(&key, part));
    hex(&hmac(&key, &text)) == signature
}

fn sha256(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
