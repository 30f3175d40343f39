//! Google Cloud: metadata server, key files, workload identity federation.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use tagboat::error::{Classified, Verdict};
use tagboat::registry::Cloud;
use tagboat::registry::cloud::{Gcp, Surroundings};

use super::{Response, StandIn, endless, seconds_from_now, status};

const METADATA: &str = "GET metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform.read-only";

fn gcp(surroundings: Surroundings) -> Cloud {
    Cloud::Gcp(Gcp { key_file: None, surroundings })
}

fn with_file(surroundings: Surroundings, file: &str) -> Cloud {
    Cloud::Gcp(Gcp { key_file: Some(PathBuf::from(file)), surroundings })
}

fn token() -> Option<Response> {
    super::json(r#"{"access_token":"s3cret-google-token","expires_in":3599,"token_type":"Bearer"}"#)
}

fn of_metadata(response: Option<Response>) -> Option<Response> {
    let mut response = response?;
    response.headers_mut().insert("metadata-flavor", HeaderValue::from_static("Google"));
    Some(response)
}

/// A key made for these tests alone.
fn pem() -> String {
    fs::read_to_string("tests/fixtures/registry/test_service_account.pem").unwrap()
}

fn service_account() -> Value {
    json!({
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "key-1",
        "private_key": pem(),
        "client_email": "puller@acme.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    })
}

fn federation(source: &Value) -> Value {
    json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": source,
    })
}

fn pairs(form: &[(String, String)]) -> Vec<(&str, &str)> {
    form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[tokio::test]
async fn the_metadata_server_gives_the_token_of_the_service_account() {
    let cloud = StandIn::start(|asked| of_metadata((asked.header("metadata-flavor") == Some("Google")).then(token)?)).await;
    cloud.login(gcp(cloud.surroundings(&[]))).await.unwrap();
    assert_eq!(cloud.lines(), [METADATA]);

    let cloud = StandIn::start(|_| of_metadata(token())).await;
    cloud.login(gcp(cloud.surroundings(&[("GCE_METADATA_HOST", "metadata.example:8080")]))).await.unwrap();
    assert_eq!(cloud.lines(), [METADATA.replace("metadata.google.internal", "metadata.example:8080")]);
}

#[tokio::test]
async fn a_key_file_signs_the_documented_assertion() {
    let cloud = StandIn::start(|_| token()).await;
    let file = cloud.file("key.json", &service_account().to_string());
    cloud.login(with_file(cloud.surroundings(&[("GOOGLE_APPLICATION_CREDENTIALS", "not this one")]), &file)).await.unwrap();
    assert_eq!(cloud.lines(), ["POST oauth2.googleapis.com/token"]);

    let form = cloud.asked()[0].form();
    let [grant, (name, assertion)] = form.as_slice() else { panic!("{form:?}") };
    assert_eq!((grant.1.as_str(), name.as_str()), ("urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion"));
    let (message, signature) = assertion.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let decode = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    assert_eq!(decode(header), json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }));
    let claims = decode(claims);
    let issued = claims["iat"].as_i64().unwrap();
    let expected = json!({
        "iss": "puller@acme.iam.gserviceaccount.com",
        "scope": SCOPE,
        "aud": "https://oauth2.googleapis.com/token",
        "iat": issued,
        "exp": issued + 3600,
    });
    assert_eq!(claims, expected);
    assert!((issued - seconds_from_now(0).as_second()).abs() < 60);

    let text: String = pem().lines().filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(text).unwrap()).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(message.as_bytes(), &signature).unwrap();
    assert!(public.verify(header.as_bytes(), &signature).is_err());
}

#[tokio::test]
async fn the_files_of_gcloud_and_of_the_variable_are_used_too() {
    let user = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "s3cret-client", "refresh_token": "s3cret-refresh",
    });
    let expected =
        [("grant_type", "refresh_token"), ("client_id", "id"), ("client_secret", "s3cret-client"), ("refresh_token", "s3cret-refresh")];
    let cloud = StandIn::start(|_| token()).await;
    let file = cloud.file("user.json", &user.to_string());
    cloud.login(gcp(cloud.surroundings(&[("GOOGLE_APPLICATION_CREDENTIALS", &file)]))).await.unwrap();
    cloud.file(".config/gcloud/application_default_credentials.json", &user.to_string());
    cloud.login(gcp(cloud.surroundings(&[]))).await.unwrap();
    assert_eq!(cloud.lines(), ["POST oauth2.googleapis.com/token"; 2]);
    for asked in cloud.asked() {
        assert_eq!(pairs(&asked.form()), expected);
    }
}

#[tokio::test]
async fn a_federated_token_from_a_file_is_traded() {
    let cloud = StandIn::start(|_| token()).await;
    let subject = cloud.file("subject", "{\"nested\":1,\"id_token\":\"s3cret-subject\"}");
    let source = json!({ "file": subject, "format": { "type": "json", "subject_token_field_name": "id_token" } });
    let file = cloud.file("federation.json", &federation(&source).to_string());
    cloud.login(with_file(cloud.surroundings(&[]), &file)).await.unwrap();
    assert_eq!(cloud.lines(), ["POST sts.googleapis.com/v1/token"]);
    assert_eq!(
        pairs(&cloud.asked()[0].form()),
        [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k"),
            ("scope", SCOPE),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token", "s3cret-subject"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ]
    );
}

#[tokio::test]
async fn a_federated_token_from_a_url_goes_on_to_a_service_account() {
    const ACCOUNT: &str = "/v1/projects/-/serviceAccounts/puller@acme.iam.gserviceaccount.com:generateAccessToken";
    let cloud = StandIn::start(|asked| match asked.line.as_str() {
        "GET 169.254.169.254/token?x=y" if asked.header("metadata") == Some("true") => status(200, "s3cret-subject\n"),
        "POST sts.googleapis.com/v1/token" => super::json(r#"{"access_token":"s3cret-federated","expires_in":3600}"#),
        _ if asked.header("authorization") == Some("Bearer s3cret-federated") => {
            super::json(json!({ "accessToken": "s3cret-google-token", "expireTime": seconds_from_now(3600).to_string() }).to_string())
        }
        _ => status(404, ""),
    })
    .await;
    let mut federation = federation(&json!({ "url": "http://169.254.169.254/token?x=y", "headers": { "Metadata": "true" } }));
    federation["service_account_impersonation_url"] = json!(format!("https://iamcredentials.googleapis.com{ACCOUNT}"));
    let file = cloud.file("federation.json", &federation.to_string());
    cloud.login(with_file(cloud.surroundings(&[]), &file)).await.unwrap();
    let asked = cloud.asked();
    assert_eq!(
        cloud.lines(),
        [
            "GET 169.254.169.254/token?x=y".to_owned(),
            "POST sts.googleapis.com/v1/token".to_owned(),
            format!("POST iamcredentials.googleapis.com{ACCOUNT}")
        ]
    );
    assert!(pairs(&asked[1].form()).contains(&("scope", "https://www.googleapis.com/auth/cloud-platform")));
    assert_eq!(serde_json::from_str::<Value>(&asked[2].body).unwrap(), json!({ "scope": [SCOPE], "lifetime": "3600s" }));
    assert_eq!(asked[2].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_file_that_sends_secrets_elsewhere_is_refused_before_anything_is_sent() {
    let cloud = StandIn::start(|_| token()).await;
    let subject = cloud.file("subject", "s3cret-subject");
    let evil = |mut file: Value, key: &str| {
        file[key] = json!("https://googleapis.com.evil.example/token");
        file
    };
    let good = json!({ "file": subject });
    let none_of_googles = "googleapis.com.evil.example is none of Google's hosts over TLS (*.googleapis.com)";
    for (file, place, reason) in [
        (evil(service_account(), "token_uri"), "`token_uri` in ", none_of_googles),
        (evil(federation(&good), "token_url"), "`token_url` in ", none_of_googles),
        (evil(federation(&good), "service_account_impersonation_url"), "`service_account_impersonation_url` in ", none_of_googles),
        (
            federation(&json!({ "url": "http://evil.example/" })),
            "`credential_source` in ",
            "plain HTTP is for this machine and metadata services only",
        ),
        (
            federation(&json!({ "environment_id": "aws1", "url": "https://x.example/" })),
            "`credential_source` in ",
            "tokens of AWS are not traded; use a `file` or a `url`",
        ),
        (federation(&json!({ "executable": {} })), "`credential_source` in ", "it has neither a `file` nor a `url`"),
    ] {
        let path = cloud.file("evil.json", &file.to_string());
        let (line, error) = cloud.refusal(with_file(cloud.surroundings(&[]), &path)).await;
        assert_eq!(line, format!("GCP: {place}{path}: {reason}"));
        assert_eq!(error.verdict(), Verdict::Stalled);
    }
    let missing = cloud.path("missing.json");
    let (line, _) = cloud.refusal(gcp(cloud.surroundings(&[("GOOGLE_APPLICATION_CREDENTIALS", &missing)]))).await;
    assert_eq!(line, format!("GCP: reading {missing}: No such file or directory (os error 2)"));
    let mut bad = service_account();
    bad["private_key"] = json!("s3cret");
    let path = cloud.file("bad.json", &bad.to_string());
    let (line, _) = cloud.refusal(with_file(cloud.surroundings(&[]), &path)).await;
    assert_eq!(line, format!("GCP: {path}: its `private_key` is no RSA key in PEM form"));
    assert_eq!(cloud.lines().len(), 0);
}

#[tokio::test]
async fn a_metadata_server_that_hangs_is_given_up_soon() {
    let cloud = StandIn::start(|_| None).await;
    let start = Instant::now();
    let (line, error) = cloud.refusal(gcp(cloud.surroundings(&[]))).await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert_eq!(
        line,
        "GCP: no identity was found; looked for `key_file`, GOOGLE_APPLICATION_CREDENTIALS, gcloud's credentials, \
         the metadata server at metadata.google.internal: no answer in full within 3 s"
    );
    assert_eq!(error.verdict(), Verdict::RETRY);
}

#[tokio::test]
async fn each_failure_names_its_step_and_shows_no_secret() {
    let step = "GCP: asking the metadata server at metadata.google.internal for a token: ";
    for (answer, expected, retry) in [
        (of_metadata(status(403, "s3cret")), "the answer was 403 Forbidden", false),
        (of_metadata(status(503, "s3cret")), "the answer was 503 Service Unavailable", true),
        (of_metadata(status(200, "s3cret garbage")), "the answer holds no access token", false),
        (of_metadata(super::json(r#"{"access_token":""}"#)), "the answer holds no access token", false),
        (of_metadata(endless()), "the answer is longer than 131072 bytes", false),
        (token(), "the answer holds no `Metadata-Flavor: Google`", false),
    ] {
        let answer = Mutex::new(answer);
        let cloud = StandIn::start(move |_| answer.lock().unwrap().take()).await;
        let (line, error) = cloud.refusal(gcp(cloud.surroundings(&[]))).await;
        assert_eq!(line, format!("{step}{expected}"));
        assert_eq!(matches!(error.verdict(), Verdict::Retry { .. }), retry, "{line}");
    }
    let cloud = StandIn::start(|_| status(400, r#"{"error":"invalid_grant","error_description":"s3cret"}"#)).await;
    let file = cloud.file("key.json", &service_account().to_string());
    let (line, error) = cloud.refusal(with_file(cloud.surroundings(&[]), &file)).await;
    assert_eq!(
        line,
        "GCP: asking oauth2.googleapis.com for a token for puller@acme.iam.gserviceaccount.com: \
         the answer was 400 Bad Request (invalid_grant)"
    );
    assert!(error.hint().unwrap().contains("key is still valid"));
}
