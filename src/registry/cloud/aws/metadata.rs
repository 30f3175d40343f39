//! AWS credentials from services beside the workload: ECS and EKS Pod Identity for containers, IMDSv2 for instances.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use jiff::Timestamp;
use serde::Deserialize;
use url::{Host, Url};

use crate::redact::Secret;

use super::super::call::{Call, Caller, Reply};
use super::super::error::{CallError, Problem};
use super::super::surroundings::{self, Surroundings, web_address};
use super::Credentials;

/// Where containers of ECS, and pods of EKS, find their credentials: besides the loopback the only addresses for plain HTTP
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>).
const CONTAINER_HOSTS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
const ECS: &str = "http://169.254.170.2";
/// Seconds; the token is used at once.
const TOKEN_LIFE: &str = "60";

const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";

/// Asks for the credentials of a container, if it has any.
pub(super) async fn container(surroundings: &Surroundings, caller: &Caller<'_>) -> Result<Option<Credentials>, Problem> {
    let (url, source) = if let Some(path) = surroundings.get(RELATIVE) {
        if !path.starts_with('/') {
            return Err(Problem::setting(RELATIVE, "it is no path"));
        }
        (web_address(&format!("{ECS}{path}"), RELATIVE)?, "the AWS container credentials")
    } else if let Some(url) = surroundings.url(FULL)? {
        if !may_be_asked(&url) {
            return Err(Problem::setting(FULL, "plain HTTP is for this machine and the services of ECS and EKS only"));
        }
        (url, "AWS pod identity")
    } else {
        return Ok(None);
    };
    let mut call = Call::get(url);
    let token = match surroundings.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(surroundings::file(Path::new(file))?),
        None => surroundings.get("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(Secret::new),
    };
    call.headers.extend(token.map(|token| ("authorization".into(), token)));
    let step = format!("asking {} for the container's credentials", call.host());
    let reply = caller.send(call, &step).await?;
    read(&reply, source, &step).map(Some)
}

/// Says whether a container's token may go to this address; names other than `localhost` could lead anywhere.
fn may_be_asked(url: &Url) -> bool {
    let address = match url.host() {
        _ if url.scheme() == "https" => return true,
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
        Some(Host::Domain(name)) => return name == "localhost",
        None => return false,
    };
    address.is_loopback() || CONTAINER_HOSTS.contains(&address)
}

/// Asks for the credentials of the instance (IMDSv2); the inner error is why the service is as good as not there.
pub(super) async fn instance(surroundings: &Surroundings, caller: &Caller<'_>) -> Result<Result<Credentials, Option<CallError>>, Problem> {
    if surroundings.get("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Err(None));
    }
    let base = match surroundings.url("AWS_EC2_METADATA_SERVICE_ENDPOINT")? {
        Some(url) => url,
        None => {
            let mode = surroundings.get("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").unwrap_or_default();
            let six = mode.eq_ignore_ascii_case("ipv6");
            web_address(if six { "http://[fd00:ec2::254]" } else { "http://169.254.169.254" }, "the EC2 metadata service")?
        }
    };
    let at = |path: &str| {
        let mut url = base.clone();
        url.set_path(path);
        url
    };
    let step = format!("asking the EC2 metadata service at {}", Call::get(base.clone()).host());

    let call = Call::put(at("/latest/api/token")).header("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_LIFE);
    let token = match caller.try_send(call).await {
        Ok(reply) => Secret::new(reply.text("token").map_err(|cause| Problem::Call { step: step.clone(), cause })?),
        // Nobody is there, or answers do not come as far as this container.
        Err(cause @ (CallError::Timeout(_) | CallError::Network(_))) => return Ok(Err(Some(cause))),
        Err(cause) => return Err(Problem::Call { step, cause }),
    };
    let get = |path: &str| {
        let mut call = Call::get(at(path));
        call.headers.push(("x-aws-ec2-metadata-token".into(), token.clone()));
        call
    };
    let roles = match caller.try_send(get("/latest/meta-data/iam/security-credentials/")).await {
        // The instance has no role.
        Err(cause @ CallError::Refused { status: reqwest::StatusCode::NOT_FOUND, .. }) => return Ok(Err(Some(cause))),
        reply => reply.map_err(|cause| Problem::Call { step: step.clone(), cause })?,
    };
    let role = roles.text("role").ok().and_then(|text| text.lines().next()).filter(|role| is_role(role));
    let role = role.ok_or_else(|| Problem::without("role", &step))?;
    let reply = caller.send(get(&format!("/latest/meta-data/iam/security-credentials/{role}")), &step).await?;
    read(&reply, "the EC2 metadata service", &step).map(Ok)
}

/// Says whether a text can be a role's name; it becomes part of a path.
fn is_role(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
        && text != "."
        && text != ".."
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

fn read(reply: &Reply, source: &str, step: &str) -> Result<Credentials, Problem> {
    let answer: Answer = reply.json("credentials").map_err(|cause| Problem::Call { step: step.to_owned(), cause })?;
    if answer.access_key_id.is_empty() || answer.secret_access_key.is_empty() {
        return Err(Problem::without("credentials", step));
    }
    if let Some(end) = answer.expiration {
        surroundings::until(end, "what the AWS metadata service gave")?;
    }
    Ok(Credentials {
        access_key: answer.access_key_id,
        secret_key: Secret::new(answer.secret_access_key),
        session_token: answer.token.filter(|token| !token.is_empty()).map(Secret::new),
        source: source.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_token_goes_only_where_aws_says() {
        for (url, may) in [
            ("https://credentials.example.com/x", true),
            ("http://127.0.0.1:51679/v2/credentials", true),
            ("http://127.9.9.9/", true),
            ("http://localhost/x", true),
            ("http://[::1]/x", true),
            ("http://169.254.170.2/v2/credentials/x", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://169.254.169.254/latest", false),
            ("http://[fd00:ec2::254]/", false),
            ("http://10.0.0.1/", false),
            ("http://credentials.example.com/x", false),
            ("http://localhost.example.com/", false),
            ("http://169.254.170.2.example.com/", false),
        ] {
            assert_eq!(may_be_asked(&Url::parse(url).unwrap()), may, "{url}");
        }
    }

    #[test]
    fn a_role_is_one_component_of_a_path() {
        for (text, is) in
            [("ecr-reader", true), ("a+=,.@_-Z9", true), ("", false), ("..", false), ("a/b", false), ("a?b", false), ("a b", false)]
        {
            assert_eq!(is_role(text), is, "{text}");
        }
    }
}
