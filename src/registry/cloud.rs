//! Logins that a cloud gives to what runs in it, so that no password has to be stored.
//!
//! Owns the clouds' documented ways from an identity (a role, a service account, a managed identity) to a user name and
//! password for their registries: one file a cloud, each behind a cargo feature of its name. Hides their HTTP calls (`call`)
//! and where identities are looked for. A login is asked for anew at each `login`; keeping it is the caller's affair.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
// What the clouds share; a build without one of them leaves a part unused.
#[cfg_attr(not(all(feature = "aws", feature = "gcp", feature = "azure")), allow(dead_code))]
mod call;
#[cfg_attr(not(all(feature = "aws", feature = "gcp", feature = "azure")), allow(dead_code))]
mod error;
#[cfg(feature = "gcp")]
mod gcp;
#[cfg_attr(not(all(feature = "aws", feature = "gcp", feature = "azure")), allow(dead_code))]
mod surroundings;

use std::path::PathBuf;

use tokio::time::Instant;

use crate::image::Registry;
use crate::redact::Secret;

pub use error::CloudError;
pub use surroundings::Surroundings;

use error::Problem;

/// Which cloud's identity gives the login of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// An AWS identity, for ECR and ECR Public.
    Aws(Aws),
    /// A Google Cloud identity, for Artifact Registry and gcr.io.
    Gcp(Gcp),
    /// An Azure identity, for ACR.
    Azure(Azure),
}

/// A login with an AWS identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aws {
    /// The registry's region, where its host does not tell.
    pub region: Option<String>,
    /// A role to go on to from the identity that is found, as for a registry of another account.
    pub role_arn: Option<String>,
    /// Where the identity is looked for.
    pub surroundings: Surroundings,
}

/// A login with a Google Cloud identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gcp {
    /// A key file of a service account, or the configuration of a workload identity federation.
    pub key_file: Option<PathBuf>,
    /// Where the identity is looked for without one.
    pub surroundings: Surroundings,
}

/// A login with an Azure identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Azure {
    /// The identity, where the workload has several.
    pub client_id: Option<String>,
    /// The tenant, where the workload does not tell.
    pub tenant_id: Option<String>,
    /// Where the identity is looked for.
    pub surroundings: Surroundings,
}

/// A login that a cloud gave.
#[derive(Clone, Debug)]
pub(super) struct Login {
    /// The user.
    pub(super) username: String,
    /// The password.
    pub(super) password: Secret,
    /// When it stops being good.
    pub(super) until: Instant,
    /// Where the identity came from, in words: `AWS web identity`, `the GCP metadata server`.
    pub(super) source: String,
}

impl Cloud {
    /// Returns its name as people write it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Aws(_) => "AWS",
            Self::Gcp(_) => "GCP",
            Self::Azure(_) => "Azure",
        }
    }

    /// Returns the cargo feature that a build must have for it, if this one does not.
    #[must_use]
    pub fn missing_feature(&self) -> Option<&'static str> {
        let (feature, built) = match self {
            Self::Aws(_) => ("aws", cfg!(feature = "aws")),
            Self::Gcp(_) => ("gcp", cfg!(feature = "gcp")),
            Self::Azure(_) => ("azure", cfg!(feature = "azure")),
        };
        (!built).then_some(feature)
    }

    /// Says whether it is known where a registry's logins are given: those of AWS are given by region.
    #[must_use]
    #[cfg_attr(not(feature = "aws"), expect(unused_variables))]
    pub fn knows(&self, registry: &Registry) -> bool {
        match self {
            #[cfg(feature = "aws")]
            Self::Aws(aws) => aws.region.is_some() || aws::is_own(registry),
            _ => true,
        }
    }
}

/// Gets a login for a registry from a cloud. `http` is the client for all calls but those to metadata services,
/// which must not go through a proxy.
#[cfg_attr(not(any(feature = "aws", feature = "gcp", feature = "azure")), expect(unused_variables))]
pub(super) async fn login(cloud: &Cloud, registry: &Registry, http: &reqwest::Client) -> Result<Login, CloudError> {
    let login: Result<Login, Problem> = match cloud {
        #[cfg(feature = "aws")]
        Cloud::Aws(aws) => aws.login(registry, http).await,
        #[cfg(feature = "gcp")]
        Cloud::Gcp(gcp) => gcp.login(http).await,
        #[cfg(feature = "azure")]
        Cloud::Azure(azure) => azure.login(registry, http).await,
        #[cfg(not(all(feature = "aws", feature = "gcp", feature = "azure")))]
        _ => Err(Problem::NotBuilt),
    };
    let login = login.map_err(|problem| CloudError::new(cloud.name(), problem))?;
    let left = login.until.saturating_duration_since(Instant::now());
    tracing::debug!(%registry, source = login.source, left_s = left.as_secs(), "a cloud gave a login");
    Ok(login)
}
