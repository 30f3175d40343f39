//! Where a registry of AWS is: its region, and the API that gives its passwords
//! (<https://docs.aws.amazon.com/general/latest/gr/ecr.html>). Pure.

use url::Url;

use crate::image::Registry;

use super::super::error::Problem;
use super::super::surroundings::{Surroundings, web_address};

/// ECR Public's hosts; its API is in one region only.
const PUBLIC: [&str; 2] = ["public.ecr.aws", "ecr-public.aws.com"];
const PUBLIC_REGION: &str = "us-east-1";

/// The domains of registries with the domains of their APIs: AWS's partitions, first with IPv4 alone, then with IPv6 too.
const DOMAINS: [(&str, &str, bool); 7] = [
    ("amazonaws.com", "amazonaws.com", false),
    ("amazonaws.com.cn", "amazonaws.com.cn", false),
    ("amazonaws.eu", "amazonaws.eu", false),
    ("c2s.ic.gov", "c2s.ic.gov", false),
    ("sc2s.sgov.gov", "sc2s.sgov.gov", false),
    ("on.aws", "api.aws", true),
    ("on.amazonwebservices.com.cn", "api.amazonwebservices.com.cn", true),
];

/// A registry of AWS.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) region: String,
    /// The host of the API.
    api: String,
    public: bool,
}

impl Place {
    /// Finds a registry's place by its host, else by the region that the policy file gives, which also wins.
    pub(super) fn find(registry: &Registry, region: Option<&str>) -> Result<Self, Problem> {
        match (Self::of_host(registry.as_str()), region) {
            (Some(place), None) => Ok(place),
            (Some(place), Some(region)) if place.public || place.region == region => Ok(place),
            (_, Some(region)) if !is_region(region) => Err(Problem::setting("region", "it is no region")),
            (_, Some(region)) => {
                let domain = domain_of(region);
                Ok(Self { region: region.to_owned(), api: format!("api.ecr.{region}.{domain}"), public: false })
            }
            (None, None) => Err(Problem::setting(registry.as_str(), "this is no host of ECR, so `auth` has to give the `region`")),
        }
    }

    /// Reads `<account>.dkr.ecr[-fips].<region>.<domain>` and `<account>.dkr-ecr[-fips].<region>.<domain>`.
    pub(super) fn of_host(host: &str) -> Option<Self> {
        if PUBLIC.contains(&host) {
            return Some(Self {
                region: PUBLIC_REGION.to_owned(),
                api: format!("api.ecr-public.{PUBLIC_REGION}.amazonaws.com"),
                public: true,
            });
        }
        let (account, rest) = host.split_once('.')?;
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let forms = [("dkr.ecr.", false, false), ("dkr.ecr-fips.", true, false), ("dkr-ecr.", false, true), ("dkr-ecr-fips.", true, true)];
        let (rest, fips, dual) = forms.into_iter().find_map(|(form, fips, dual)| Some((rest.strip_prefix(form)?, fips, dual)))?;
        let (region, domain) = rest.split_once('.')?;
        let (_, api, _) = DOMAINS.into_iter().find(|&(name, _, both)| name == domain && both == dual)?;
        let service = match (fips, dual) {
            (true, _) => "ecr-fips",
            (false, true) => "ecr",
            (false, false) => "api.ecr",
        };
        is_region(region).then(|| Self { region: region.to_owned(), api: format!("{service}.{region}.{api}"), public: false })
    }

    /// Returns the API's address, which the variables that all of AWS's tools know may move.
    pub(super) fn endpoint(&self, surroundings: &Surroundings) -> Result<Url, Problem> {
        let variable = if self.public { "AWS_ENDPOINT_URL_ECR_PUBLIC" } else { "AWS_ENDPOINT_URL_ECR" };
        endpoint(surroundings, variable, &self.api)
    }

    pub(super) fn name(&self) -> &'static str {
        if self.public { "ECR Public" } else { "ECR" }
    }

    /// The service's name in signatures.
    pub(super) fn service(&self) -> &'static str {
        if self.public { "ecr-public" } else { "ecr" }
    }

    pub(super) fn target(&self) -> &'static str {
        if self.public {
            "SpencerFrontendService.GetAuthorizationToken"
        } else {
            "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
        }
    }
}

/// Returns the address of an API: where its variable or that of all services says, else at its own host.
pub(super) fn endpoint(surroundings: &Surroundings, variable: &str, host: &str) -> Result<Url, Problem> {
    for name in [variable, "AWS_ENDPOINT_URL"] {
        if let Some(mut url) = surroundings.url(name)? {
            // What is signed has none.
            url.set_query(None);
            url.set_fragment(None);
            return Ok(url);
        }
    }
    web_address(&format!("https://{host}/"), host)
}

/// Returns the domain of a region's APIs.
pub(super) fn domain_of(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "amazonaws.com.cn",
        region if region.starts_with("eusc-") => "amazonaws.eu",
        region if region.starts_with("us-iso-") => "c2s.ic.gov",
        region if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        _ => "amazonaws.com",
    }
}

/// Says whether a text can name a region; it becomes part of a host.
pub(super) fn is_region(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(host: &str) -> Option<(String, String)> {
        Place::of_host(host).map(|place| (place.region, place.api))
    }

    #[test]
    fn each_form_of_host_has_its_region_and_api() {
        for (host, region, api) in [
            ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1", "api.ecr.eu-west-1.amazonaws.com"),
            ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1", "ecr-fips.us-gov-west-1.amazonaws.com"),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1", "api.ecr.cn-north-1.amazonaws.com.cn"),
            ("123456789012.dkr-ecr.us-east-2.on.aws", "us-east-2", "ecr.us-east-2.api.aws"),
            ("123456789012.dkr-ecr-fips.us-east-2.on.aws", "us-east-2", "ecr-fips.us-east-2.api.aws"),
            ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1", "ecr.cn-north-1.api.amazonwebservices.com.cn"),
            ("public.ecr.aws", "us-east-1", "api.ecr-public.us-east-1.amazonaws.com"),
        ] {
            assert_eq!(place(host), Some((region.to_owned(), api.to_owned())), "{host}");
        }
    }

    #[test]
    fn ecr_public_is_a_service_of_its_own() {
        let names = |host| Place::of_host(host).map(|place| (place.service(), place.target()));
        let private = ("ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
        assert_eq!(names("public.ecr.aws"), Some(("ecr-public", "SpencerFrontendService.GetAuthorizationToken")));
        assert_eq!(names("123456789012.dkr.ecr.eu-west-1.amazonaws.com"), Some(private));
    }

    #[test]
    fn a_host_that_only_looks_like_ecr_is_none() {
        for host in [
            "ghcr.io",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "123456789012.dkr.ecr.eu-west-1.evil.example",
            "123456789012.dkr.ecr.evil.example.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.on.aws",
            "123456789012.dkr-ecr.eu-west-1.amazonaws.com",
            "12345678901x.dkr.ecr.eu-west-1.amazonaws.com",
            "1234.dkr.ecr.eu-west-1.amazonaws.com",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com:8443",
        ] {
            assert_eq!(place(host), None, "{host}");
        }
    }

    #[test]
    fn a_region_of_the_policy_file_wins_over_the_host() {
        let find = |host: &str, region| Place::find(&Registry::parse(host).unwrap(), region).map(|place| place.api);
        assert_eq!(find("registry.example.com", Some("eu-west-1")).unwrap(), "api.ecr.eu-west-1.amazonaws.com");
        assert_eq!(find("registry.example.com", Some("cn-north-1")).unwrap(), "api.ecr.cn-north-1.amazonaws.com.cn");
        let host = "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com";
        assert_eq!(find(host, Some("us-east-1")).unwrap(), "ecr-fips.us-east-1.amazonaws.com");
        assert_eq!(find(host, Some("us-west-2")).unwrap(), "api.ecr.us-west-2.amazonaws.com");
        assert_eq!(find("public.ecr.aws", Some("eu-west-1")).unwrap(), "api.ecr-public.us-east-1.amazonaws.com");
        assert!(find("registry.example.com", None).unwrap_err().to_string().contains("`region`"));
    }
}
