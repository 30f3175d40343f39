//! Azure: managed identities, workload identity federation, and ACR's exchange.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tagboat::error::{Classified, Verdict};
use tagboat::registry::Cloud;
use tagboat::registry::cloud::{Azure, Surroundings};

use super::{Asked, Response, SECRET, StandIn, endless, json, seconds_from_now, status};

const CLIENT: &str = "11111111-2222-3333-4444-555555555555";
const RESOURCE: &str = "https%3A%2F%2Fcontainerregistry.azure.net";

fn azure(surroundings: Surroundings) -> Cloud {
    Cloud::Azure(Azure { client_id: None, tenant_id: None, surroundings })
}

fn jwt(claims: &str) -> String {
    format!("{SECRET}.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

fn entra_token() -> String {
    jwt(r#"{"tid":"tenant-of-the-token"}"#)
}

/// The same for all tests, good for ever.
pub(super) fn refresh_token() -> String {
    jwt(r#"{"exp":99999999999}"#)
}

fn entra() -> Option<Response> {
    json(format!(r#"{{"access_token":"{}","expires_in":"86399","resource":"x","token_type":"Bearer"}}"#, entra_token()))
}

fn exchanged() -> Option<Response> {
    json(format!(r#"{{"refresh_token":"{}"}}"#, refresh_token()))
}

fn answer(asked: &Asked) -> Option<Response> {
    if asked.path == "/oauth2/exchange" { exchanged() } else { entra() }
}

fn pairs(form: &[(String, String)]) -> Vec<(&str, &str)> {
    form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[tokio::test]
async fn the_metadata_service_gives_the_managed_identity_and_acr_trades_its_token() {
    let cloud = StandIn::start(answer).await;
    cloud.login(azure(cloud.surroundings(&[]))).await.unwrap();
    let asked = cloud.asked();
    assert_eq!(
        cloud.lines(),
        [
            format!("GET 169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource={RESOURCE}"),
            format!("POST {}/oauth2/exchange", cloud.host),
        ]
    );
    assert_eq!(asked[0].header("metadata"), Some("true"));
    assert_eq!(
        pairs(&asked[1].form()),
        [
            ("grant_type", "access_token"),
            ("service", cloud.host.as_str()),
            ("tenant", "tenant-of-the-token"),
            ("access_token", entra_token().as_str()),
        ]
    );
    assert_eq!(asked[1].header("authorization"), None);
}

#[tokio::test]
async fn one_of_several_identities_is_asked_for_by_its_client_id() {
    let cloud = StandIn::start(answer).await;
    let settings = Azure {
        client_id: Some(CLIENT.to_owned()),
        tenant_id: Some("tenant-of-the-file".to_owned()),
        surroundings: cloud.surroundings(&[("AZURE_CLIENT_ID", "another")]),
    };
    cloud.login(Cloud::Azure(settings)).await.unwrap();
    assert!(cloud.lines()[0].ends_with(&format!("&client_id={CLIENT}")), "{:?}", cloud.lines());
    assert!(pairs(&cloud.asked()[1].form()).contains(&("tenant", "tenant-of-the-file")));
}

#[tokio::test]
async fn app_service_and_container_apps_have_an_endpoint_of_their_own() {
    let cloud = StandIn::start(answer).await;
    let variables = [("IDENTITY_ENDPOINT", "http://127.0.0.1:41741/msi/token"), ("IDENTITY_HEADER", "s3cret-header")];
    cloud.login(azure(cloud.surroundings(&variables))).await.unwrap();
    assert_eq!(cloud.lines()[0], format!("GET 127.0.0.1:41741/msi/token?api-version=2019-08-01&resource={RESOURCE}"));
    assert_eq!(cloud.asked()[0].header("x-identity-header"), Some("s3cret-header"));
}

#[tokio::test]
async fn a_workload_identity_is_traded_at_entra() {
    let cloud = StandIn::start(answer).await;
    let token = cloud.file("token", "s3cret-federated\n");
    let variables = [
        ("AZURE_FEDERATED_TOKEN_FILE", token.as_str()),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
        ("IDENTITY_ENDPOINT", "http://127.0.0.1:1/"),
        ("IDENTITY_HEADER", "x"),
    ];
    cloud.login(azure(cloud.surroundings(&variables))).await.unwrap();
    assert_eq!(
        cloud.lines(),
        ["POST login.microsoftonline.us/tenant/oauth2/v2.0/token".to_owned(), format!("POST {}/oauth2/exchange", cloud.host)]
    );
    assert_eq!(
        pairs(&cloud.asked()[0].form()),
        [
            ("grant_type", "client_credentials"),
            ("client_id", CLIENT),
            ("scope", "https://containerregistry.azure.net/.default"),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", "s3cret-federated"),
        ]
    );
    assert!(pairs(&cloud.asked()[1].form()).contains(&("tenant", "tenant")));
    // Without the variable, it is Azure's public cloud.
    cloud.login(azure(cloud.surroundings(&variables[..3]))).await.unwrap();
    assert_eq!(cloud.lines()[2], "POST login.microsoftonline.com/tenant/oauth2/v2.0/token");
}

#[tokio::test]
async fn what_is_set_and_has_no_use_is_told_before_anything_is_sent() {
    let cloud = StandIn::start(answer).await;
    let (token, missing) = (cloud.file("token", "s3cret"), cloud.path("missing"));
    let federated = |file| [("AZURE_FEDERATED_TOKEN_FILE", file), ("AZURE_CLIENT_ID", CLIENT), ("AZURE_TENANT_ID", "t")];
    let plain = [&federated(&token)[..], &[("AZURE_AUTHORITY_HOST", "http://login.example/")]].concat();
    let no_token = format!("reading {missing}: No such file or directory (os error 2)");
    for (variables, expected) in [
        (&federated(&missing)[..], no_token.as_str()),
        (&federated(&token)[..1], "AZURE_CLIENT_ID: it is not set, but AZURE_FEDERATED_TOKEN_FILE is"),
        (&federated(&token)[..2], "AZURE_TENANT_ID: it is not set, but AZURE_FEDERATED_TOKEN_FILE is"),
        (&plain[..], "AZURE_AUTHORITY_HOST: it is without TLS"),
        (&[("IDENTITY_ENDPOINT", "s3cret"), ("IDENTITY_HEADER", "x")], "IDENTITY_ENDPOINT: it is no web address"),
    ] {
        let (line, error) = cloud.refusal(azure(cloud.surroundings(variables))).await;
        assert_eq!(line, format!("Azure: {expected}"));
        assert_eq!(error.verdict(), Verdict::Stalled);
    }
    assert_eq!(cloud.lines().len(), 0);
}

#[tokio::test]
async fn a_metadata_service_that_hangs_is_given_up_soon() {
    let cloud = StandIn::start(|_| None).await;
    let start = Instant::now();
    let (line, error) = cloud.refusal(azure(cloud.surroundings(&[]))).await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert_eq!(
        line,
        "Azure: no identity was found; looked for AZURE_FEDERATED_TOKEN_FILE, IDENTITY_ENDPOINT, the Azure metadata service: \
         no answer in full within 3 s"
    );
    assert_eq!(error.verdict(), Verdict::RETRY);
}

#[tokio::test]
async fn each_failure_names_its_step_and_shows_no_secret() {
    let metadata = "asking the metadata service at 169.254.169.254 for a token of the managed identity";
    for (answer, expected, retry) in [
        (
            status(400, r#"{"error":"invalid_request","error_description":"s3cret"}"#),
            "the answer was 400 Bad Request (invalid_request)",
            false,
        ),
        (status(410, "s3cret"), "the answer was 410 Gone", true),
        (status(429, "s3cret"), "the answer was 429 Too Many Requests", true),
        (json(r#"{"access_token":""}"#), "the answer holds no access token", false),
        (status(200, "s3cret garbage"), "the answer holds no access token", false),
        (endless(), "the answer is longer than 131072 bytes", false),
    ] {
        let answer = Mutex::new(answer);
        let cloud = StandIn::start(move |_| answer.lock().unwrap().take()).await;
        let (line, error) = cloud.refusal(azure(cloud.surroundings(&[]))).await;
        assert_eq!(line, format!("Azure: {metadata}: {expected}"));
        assert_eq!(matches!(error.verdict(), Verdict::Retry { .. }), retry, "{line}");
    }
    let exchange = "trading the identity's token at HOST";
    let old = json(format!(r#"{{"refresh_token":"{}"}}"#, jwt(&format!(r#"{{"exp":{}}}"#, seconds_from_now(-60).as_second()))));
    for (answer, expected) in [
        (
            status(401, r#"{"errors":[{"code":"UNAUTHORIZED","message":"s3cret"}]}"#),
            format!("{exchange}: the answer was 401 Unauthorized (UNAUTHORIZED)"),
        ),
        (json(r#"{"access_token":"s3cret"}"#), format!("{exchange}: the answer holds no refresh token")),
        (old, "ACR's refresh token has expired already".to_owned()),
    ] {
        let answer = Mutex::new(answer);
        let second = move |asked: &Asked| if asked.path == "/oauth2/exchange" { answer.lock().unwrap().take() } else { entra() };
        let cloud = StandIn::start(second).await;
        let (line, _) = cloud.refusal(azure(cloud.surroundings(&[]))).await;
        assert_eq!(line, format!("Azure: {expected}"));
    }
}
