//! AWS: STS, ECR, EKS Pod Identity, ECS and IMDSv2.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tagboat::error::{Classified, Verdict};
use tagboat::registry::Cloud;
use tagboat::registry::cloud::{Aws, Surroundings};

use super::{Asked, Response, SECRET, StandIn, endless, json, seconds_from_now, signature, status};

const KEYS: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIAVARIABLE"), ("AWS_SECRET_ACCESS_KEY", "s3cret-of-variable"), ("AWS_SESSION_TOKEN", "s3cret-session")];
const ROLE: &str = "arn:aws:iam::123456789012:role/ecr-reader";

fn aws(surroundings: Surroundings) -> Cloud {
    Cloud::Aws(Aws { region: Some("eu-west-1".to_owned()), role_arn: None, surroundings })
}

/// The secret key of an access key: `AKIAVARIABLE` has `s3cret-of-variable`.
fn secret_of(access_key: &str) -> String {
    format!("{SECRET}-of-{}", access_key.trim_start_matches("AKIA").to_lowercase())
}

fn ecr_password() -> String {
    let token = STANDARD.encode(format!("AWS:{SECRET}-ecr-password"));
    let end = seconds_from_now(12 * 3600).as_second();
    format!(r#"{{"authorizationData":[{{"authorizationToken":"{token}","expiresAt":{end}.5,"proxyEndpoint":"https://x"}}]}}"#)
}

fn container_credentials(key: &str, end: i64) -> String {
    format!(
        r#"{{"AccessKeyId":"{key}","SecretAccessKey":"{}","Token":"{SECRET}-session","Expiration":"{}"}}"#,
        secret_of(key),
        seconds_from_now(end)
    )
}

fn sts_answer(action: &str, key: &str) -> String {
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><AssumedRoleUser><Arn>x</Arn></AssumedRoleUser>\
         <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{SECRET}-session</SessionToken>\
         <Expiration>{}</Expiration></Credentials></{action}Result></{action}Response>",
        secret_of(key),
        seconds_from_now(3600)
    )
}

/// What AWS answers, to requests that are right; `key` is the one that ECR expects.
fn answer(asked: &Asked, key: &str) -> Option<Response> {
    let signed = |key: &str, service: &str| signature::is_right(asked, key, &secret_of(key), "eu-west-1", service);
    match asked.line.as_str() {
        "POST api.ecr.eu-west-1.amazonaws.com/" if !signed(key, "ecr") => {
            status(400, format!(r#"{{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"{SECRET}"}}"#))
        }
        "POST api.ecr.eu-west-1.amazonaws.com/" => json(ecr_password()),
        "POST sts.eu-west-1.amazonaws.com/" if asked.body.contains("Action=AssumeRoleWithWebIdentity&") => {
            status(200, sts_answer("AssumeRoleWithWebIdentity", "AKIAWEB"))
        }
        "POST sts.eu-west-1.amazonaws.com/" if ["AKIAWEB", "AKIAVARIABLE", "AKIABASE"].iter().any(|key| signed(key, "sts")) => {
            status(200, sts_answer("AssumeRole", "AKIAROLE"))
        }
        "GET 169.254.170.23/v1/credentials" if asked.header("authorization") == Some("s3cret-pod-token") => {
            json(container_credentials("AKIAPOD", 3600))
        }
        "GET 169.254.170.2/v2/credentials/x" if asked.header("authorization") == Some("s3cret-task-token") => {
            json(container_credentials("AKIATASK", 3600))
        }
        "PUT 169.254.169.254/latest/api/token" if asked.header("x-aws-ec2-metadata-token-ttl-seconds") == Some("60") => {
            status(200, "s3cret-imds-token\n")
        }
        _ if asked.header("x-aws-ec2-metadata-token") != Some("s3cret-imds-token") => status(401, SECRET),
        "GET 169.254.169.254/latest/meta-data/iam/security-credentials/" => status(200, "node-role\nother"),
        "GET 169.254.169.254/latest/meta-data/iam/security-credentials/node-role" => json(container_credentials("AKIANODE", 3600)),
        _ => status(404, SECRET),
    }
}

async fn stand_in(key: &'static str) -> StandIn {
    StandIn::start(move |asked| answer(asked, key)).await
}

#[tokio::test]
async fn access_keys_in_variables_sign_the_documented_request_for_a_password() {
    let cloud = stand_in("AKIAVARIABLE").await;
    cloud.login(aws(cloud.surroundings(&KEYS))).await.unwrap();
    let asked = cloud.asked();
    let [ecr] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(ecr.line, "POST api.ecr.eu-west-1.amazonaws.com/");
    assert_eq!(ecr.body, "{}");
    assert_eq!(ecr.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(ecr.header("x-amz-target"), Some("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"));
    assert_eq!(ecr.header("x-amz-security-token"), Some("s3cret-session"));
    assert_eq!(ecr.header("content-length"), Some("2"));
    // The stand-in's own check: any change of what was signed is noticed.
    let right = |asked: &Asked| signature::is_right(asked, "AKIAVARIABLE", "s3cret-of-variable", "eu-west-1", "ecr");
    assert!(right(ecr));
    assert!(!right(&Asked { body: "{ }".to_owned(), ..ecr.clone() }));
    assert!(!right(&Asked { path: "/x".to_owned(), ..ecr.clone() }));
    let mut other = ecr.clone();
    other.headers.insert("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DeleteRepository".parse().unwrap());
    assert!(!right(&other));
}

#[tokio::test]
async fn a_wrong_secret_key_is_noticed_by_its_signature() {
    let cloud = stand_in("AKIAVARIABLE").await;
    let mut keys = KEYS;
    keys[1].1 = "s3cret-but-wrong";
    let (line, error) = cloud.refusal(aws(cloud.surroundings(&keys))).await;
    assert_eq!(
        line,
        "AWS: asking ECR in eu-west-1 for a password (GetAuthorizationToken): the answer was 400 Bad Request (InvalidSignatureException)"
    );
    assert_eq!(error.verdict(), Verdict::Stalled);
}

#[tokio::test]
async fn a_web_identity_is_traded_for_a_role_as_irsa_has_it() {
    let cloud = stand_in("AKIAWEB").await;
    let token = cloud.file("token", "s3cret-web-token\n");
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ROLE_SESSION_NAME", "pod"),
        ("AWS_REGION", "eu-west-1"),
    ];
    cloud.login(aws(cloud.surroundings(&variables))).await.unwrap();
    assert_eq!(cloud.lines(), ["POST sts.eu-west-1.amazonaws.com/", "POST api.ecr.eu-west-1.amazonaws.com/"]);
    let sts = &cloud.asked()[0];
    assert_eq!(sts.header("authorization"), None);
    let form = sts.form();
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        form,
        [
            ("Action", "AssumeRoleWithWebIdentity"),
            ("Version", "2011-06-15"),
            ("RoleArn", ROLE),
            ("RoleSessionName", "pod"),
            ("WebIdentityToken", "s3cret-web-token"),
        ]
    );
}

#[tokio::test]
async fn a_role_of_another_account_is_assumed_with_the_identity_that_was_found() {
    let cloud = stand_in("AKIAROLE").await;
    let surroundings = cloud.surroundings(&KEYS);
    let role_arn = Some(ROLE.to_owned());
    cloud.login(Cloud::Aws(Aws { region: Some("eu-west-1".to_owned()), role_arn, surroundings })).await.unwrap();
    assert_eq!(cloud.lines(), ["POST sts.eu-west-1.amazonaws.com/", "POST api.ecr.eu-west-1.amazonaws.com/"]);
    let sts = &cloud.asked()[0];
    assert_eq!(
        sts.body,
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fecr-reader&RoleSessionName=tagboat"
    );
    assert_eq!(sts.header("x-amz-security-token"), Some("s3cret-session"));
}

#[tokio::test]
async fn containers_have_credentials_of_pod_identity_or_of_their_task() {
    let cloud = stand_in("AKIAPOD").await;
    let token = cloud.file("pod-token", "s3cret-pod-token");
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "s3cret-not-this-one"),
    ];
    cloud.login(aws(cloud.surroundings(&variables))).await.unwrap();
    assert_eq!(cloud.lines(), ["GET 169.254.170.23/v1/credentials", "POST api.ecr.eu-west-1.amazonaws.com/"]);

    let cloud = stand_in("AKIATASK").await;
    let variables =
        [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x"), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "s3cret-task-token")];
    cloud.login(aws(cloud.surroundings(&variables))).await.unwrap();
    assert_eq!(cloud.lines(), ["GET 169.254.170.2/v2/credentials/x", "POST api.ecr.eu-west-1.amazonaws.com/"]);
}

#[tokio::test]
async fn an_instance_has_the_credentials_of_imdsv2() {
    let cloud = stand_in("AKIANODE").await;
    cloud.login(aws(cloud.surroundings(&[]))).await.unwrap();
    let list = "169.254.169.254/latest/meta-data/iam/security-credentials/";
    assert_eq!(
        cloud.lines(),
        [
            "PUT 169.254.169.254/latest/api/token".to_owned(),
            format!("GET {list}"),
            format!("GET {list}node-role"),
            "POST api.ecr.eu-west-1.amazonaws.com/".to_owned(),
        ]
    );
}

#[tokio::test]
async fn shared_files_lead_to_keys_by_way_of_roles() {
    let cloud = stand_in("AKIAROLE").await;
    cloud.file(".aws/credentials", "[base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s3cret-of-base\n");
    cloud.file(".aws/config", &format!("[profile ecr]\nrole_arn = {ROLE}\nsource_profile = base\nexternal_id = 42\n"));
    cloud.login(aws(cloud.surroundings(&[("AWS_PROFILE", "ecr")]))).await.unwrap();
    assert_eq!(cloud.lines(), ["POST sts.eu-west-1.amazonaws.com/", "POST api.ecr.eu-west-1.amazonaws.com/"]);
    assert!(cloud.asked()[0].body.ends_with("&ExternalId=42"));

    let cloud = stand_in("AKIABASE").await;
    let credentials = cloud.file("keys", "[default]\naws_access_key_id=AKIABASE\naws_secret_access_key=s3cret-of-base\n");
    cloud.login(aws(cloud.surroundings(&[("AWS_SHARED_CREDENTIALS_FILE", &credentials)]))).await.unwrap();

    let cloud = stand_in("AKIAWEB").await;
    let token = cloud.file("token", "s3cret-web-token");
    let config = cloud.file("config", &format!("[default]\nrole_arn = {ROLE}\nweb_identity_token_file = {token}\n"));
    cloud.login(aws(cloud.surroundings(&[("AWS_CONFIG_FILE", &config)]))).await.unwrap();
}

#[tokio::test]
async fn a_profile_that_leads_nowhere_is_told_apart() {
    let cloud = stand_in("AKIABASE").await;
    let ring = "[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\nsource_profile = a\n";
    for (config, expected) in [
        ("[profile a]\ncredential_process = echo s3cret\n", "AWS profile a: its `credential_process` is a program, which is not run"),
        ("[profile a]\nsso_session = s3cret\n", "AWS profile a: its single sign-on is for people, and is not used"),
        ("[profile a]\naws_access_key_id = AKIAX\n", "AWS profile a: it has `aws_access_key_id` without `aws_secret_access_key`"),
        ("[profile a]\nrole_arn = r\nsource_profile = b\n", "AWS profile b: it is in none of the shared files"),
        ("[profile a]\nrole_arn = r\n", "AWS profile a: it leads to no credentials"),
        ("[profile a]\nregion = r\n", "AWS profile a: it leads to no credentials"),
        ("", "AWS profile a: it is in none of the shared files"),
        (ring, "AWS profile b: its `source_profile` leads on without end"),
    ] {
        let config = cloud.file("config", &format!("# {SECRET}\n{config}"));
        let (line, _) = cloud.refusal(aws(cloud.surroundings(&[("AWS_CONFIG_FILE", &config), ("AWS_PROFILE", "a")]))).await;
        assert_eq!(line, format!("AWS: {expected}"));
    }
    assert_eq!(cloud.lines().len(), 0);
}

#[tokio::test]
async fn endpoints_are_where_aws_variables_say() {
    let cloud = StandIn::start(|asked| match asked.line.as_str() {
        "POST ecr.internal:4566/aws" => json(ecr_password()),
        "POST sts.internal/" => status(200, sts_answer("AssumeRoleWithWebIdentity", "AKIAWEB")),
        _ => status(404, ""),
    })
    .await;
    let token = cloud.file("token", "s3cret");
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str()),
        ("AWS_ROLE_ARN", ROLE),
        ("AWS_ENDPOINT_URL", "https://sts.internal"),
        ("AWS_ENDPOINT_URL_ECR", "http://ecr.internal:4566/aws?x=y"),
    ];
    cloud.login(aws(cloud.surroundings(&variables))).await.unwrap();
    assert!(signature::is_right(&cloud.asked()[1], "AKIAWEB", "s3cret-of-web", "eu-west-1", "ecr"));
}

#[tokio::test]
async fn without_any_identity_the_error_lists_where_it_was_looked_for() {
    let cloud = stand_in("AKIABASE").await;
    let (line, error) = cloud.refusal(aws(cloud.surroundings(&[("AWS_EC2_METADATA_DISABLED", "true")]))).await;
    assert_eq!(
        line,
        "AWS: no identity was found; looked for AWS_ACCESS_KEY_ID, a profile in the shared files, AWS_WEB_IDENTITY_TOKEN_FILE, \
         AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI, the EC2 metadata service"
    );
    assert_eq!(error.verdict(), Verdict::Stalled);
    assert!(error.hint().unwrap().contains("Pod Identity"));
    assert_eq!(cloud.lines().len(), 0);
}

#[tokio::test]
async fn a_metadata_service_that_hangs_is_given_up_soon() {
    let cloud = StandIn::start(|_| None).await;
    let start = Instant::now();
    let (line, error) = cloud.refusal(aws(cloud.surroundings(&[]))).await;
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    assert!(line.ends_with("the EC2 metadata service: no answer in full within 3 s"), "{line}");
    assert_eq!(error.verdict(), Verdict::RETRY);
    assert_eq!(cloud.lines(), ["PUT 169.254.169.254/latest/api/token"]);
}

#[tokio::test]
async fn each_failure_names_its_step_and_shows_no_secret() {
    let ecr = "AWS: asking ECR in eu-west-1 for a password (GetAuthorizationToken)";
    for (answer, expected, retry) in [
        (json(r#"{"authorizationData":"s3cret"}"#), "the answer holds no password", false),
        (json("s3cret garbage"), "the answer holds no password", false),
        (endless(), "the answer is longer than 131072 bytes", false),
        (status(403, r#"{"message":"s3cret"}"#), "the answer was 403 Forbidden", false),
        (status(503, "s3cret"), "the answer was 503 Service Unavailable", true),
        (status(400, r#"{"__type":"ThrottlingException"}"#), "the answer was 400 Bad Request (ThrottlingException)", true),
        (status(302, ""), "the answer was 302 Found", false),
    ] {
        let answer = std::sync::Mutex::new(answer);
        let cloud = StandIn::start(move |_| answer.lock().unwrap().take()).await;
        let (line, error) = cloud.refusal(aws(cloud.surroundings(&KEYS))).await;
        assert!(line.starts_with(ecr) && line.ends_with(expected), "{line}");
        assert_eq!(matches!(error.verdict(), Verdict::Retry { .. }), retry, "{line}");
    }
}

#[tokio::test]
async fn what_is_set_and_has_no_use_is_told_before_anything_is_sent() {
    let cloud = stand_in("AKIABASE").await;
    let missing = cloud.path("missing");
    let web = |file| [("AWS_WEB_IDENTITY_TOKEN_FILE", file), ("AWS_ROLE_ARN", ROLE)];
    let no_token = format!("reading {missing}: No such file or directory (os error 2)");
    let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
    for (variables, expected) in [
        (&web(&missing)[..], no_token.as_str()),
        (&web(&missing)[..1], "AWS_ROLE_ARN: it is not set, but AWS_WEB_IDENTITY_TOKEN_FILE is"),
        (&KEYS[..1], "AWS_SECRET_ACCESS_KEY: it is not set, but AWS_ACCESS_KEY_ID is"),
        (
            &[(full, "http://169.254.169.254/s3cret")],
            "AWS_CONTAINER_CREDENTIALS_FULL_URI: plain HTTP is for this machine and the services of ECS and EKS only",
        ),
        (&[(full, "s3cret")], "AWS_CONTAINER_CREDENTIALS_FULL_URI: it is no web address"),
        (&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", ".evil.example/")], "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: it is no path"),
        (&[("AWS_REGION", "evil.example/")], "AWS_REGION: it is no region"),
    ] {
        let (line, error) = cloud.refusal(aws(cloud.surroundings(variables))).await;
        assert_eq!(line, format!("AWS: {expected}"));
        assert_eq!(error.verdict(), Verdict::Stalled);
    }
    assert_eq!(cloud.lines().len(), 0);
}

#[tokio::test]
async fn credentials_that_have_expired_are_not_used() {
    let cloud = StandIn::start(|_| json(container_credentials("AKIAPOD", -5))).await;
    let (line, error) = cloud.refusal(aws(cloud.surroundings(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")]))).await;
    assert_eq!(line, "AWS: what the AWS metadata service gave has expired already");
    assert_eq!(error.verdict(), Verdict::RETRY);
    assert_eq!(cloud.lines().len(), 1);
}
