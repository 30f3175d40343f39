//! AWS's Signature Version 4, for requests without a query
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>). Pure.

use std::fmt::Write;

use jiff::{Timestamp, tz::TimeZone};
use ring::{digest, hmac};

use super::super::call::Call;
use super::Credentials;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Signs a call.
pub(super) fn signed(call: Call, credentials: &Credentials, region: &str, service: &str, at: Timestamp) -> Call {
    let time = at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut call = call.header("x-amz-date", time.clone());
    if let Some(token) = &credentials.session_token {
        call.headers.push(("x-amz-security-token".into(), token.clone()));
    }
    let date = time.get(..8).unwrap_or_default();
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let (request, names) = canonical(&call);
    let to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n{}", hex(digest::digest(&digest::SHA256, request.as_bytes()).as_ref()));

    let mut key = hmac(format!("AWS4{}", credentials.secret_key.expose()).as_bytes(), date);
    for part in [region, service, "aws4_request"] {
        key = hmac(key.as_ref(), part);
    }
    let signature = hex(hmac(key.as_ref(), &to_sign).as_ref());
    let authorization = format!("{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", credentials.access_key);
    call.header("authorization", authorization)
}

/// Writes a request in the one way that both sides sign, and lists the headers in it.
fn canonical(call: &Call) -> (String, String) {
    let host = call.host();
    let mut headers: Vec<(&str, &str)> = call.headers.iter().map(|(name, value)| (&**name, value.expose())).collect();
    headers.push(("host", &host));
    headers.sort_unstable();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", single_spaced(value))).collect();
    let body = hex(digest::digest(&digest::SHA256, call.body.expose().as_bytes()).as_ref());
    // The path is encoded already; every service but S3 wants it encoded again.
    let path = call.url.path().replace('%', "%25");
    (format!("{}\n{path}\n\n{lines}\n{names}\n{body}", call.method), names)
}

fn single_spaced(value: &str) -> String {
    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn hmac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Secret;
    use url::Url;

    /// The credentials of AWS's published test suite (`aws-sig-v4-test-suite`), and a token of one of its examples.
    fn signature(call: Call, token: Option<&str>, region: &str, service: &str) -> (String, String) {
        let credentials = Credentials {
            access_key: "AKIDEXAMPLE".to_owned(),
            secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: token.map(Secret::new),
            source: String::new(),
        };
        let call = signed(call, &credentials, region, service, "2015-08-30T12:36:00Z".parse().unwrap());
        let (_, authorization) = call.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
        let (start, signature) = authorization.expose().split_once(", Signature=").unwrap();
        (start.to_owned(), signature.to_owned())
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn signatures_are_those_of_the_published_test_suite() {
        let own = |call| signature(call, None, "us-east-1", "service");
        let (vanilla, root) = (
            "https://example.amazonaws.com/",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=",
        );
        // get-vanilla
        let (start, signed) = own(Call::get(url(vanilla)));
        assert_eq!(start, format!("{root}host;x-amz-date"));
        assert_eq!(signed, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
        // get-header-value-trim
        let (start, signed) = own(Call::get(url(vanilla)).header("my-header1", " value1").header("my-header2", " \"a   b   c\" "));
        assert_eq!(start, format!("{root}host;my-header1;my-header2;x-amz-date"));
        assert_eq!(signed, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
        // post-header-key-sort
        let post = Call { method: reqwest::Method::POST, ..Call::get(url(vanilla)) };
        assert_eq!(own(post.header("my-header1", "value1")).1, "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c");
        // post-x-www-form-urlencoded
        let body = Secret::new("Param1=value1");
        let form = Call { body, ..Call::form(url(vanilla), []) };
        let form = form.header("content-length", "13");
        let form = form.header("x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e");
        assert_eq!(own(form).1, "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b");
        // get-vanilla-with-session-token
        let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
        let (start, signed) = signature(Call::get(url(vanilla)), Some(token), "us-east-1", "service");
        assert_eq!(start, format!("{root}host;x-amz-date;x-amz-security-token"));
        assert_eq!(signed, "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8");
    }

    #[test]
    fn the_key_is_derived_as_in_the_published_example() {
        // docs.aws.amazon.com, "Create a signed AWS API request": the derived key of this date, region and service.
        let mut key = hmac(b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830");
        for part in ["us-east-1", "iam", "aws4_request"] {
            key = hmac(key.as_ref(), part);
        }
        assert_eq!(hex(key.as_ref()), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
    }
}
