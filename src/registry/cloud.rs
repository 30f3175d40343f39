//! Logins that a cloud gives to what runs in it, so that no password has to be stored.
//!
//! Owns the clouds' documented ways from an identity (a role, a service account, a managed identity) to a user name and
//! password for their registries: one file a cloud, each behind a cargo feature of its name. Hides their HTTP calls (`call`)
//! and where identities are looked for. A login is asked for anew at each [`login`]; keeping it is the caller's affair.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure")]
mod azure;
mod call;
mod error;
#[cfg(feature = "gcp")]
mod gcp;
mod surroundings;

use tokio::time::Instant;

use crate::image::Registry;
use crate::redact::Secret;

#[cfg(feature = "aws")]
pub use aws::Aws;
#[cfg(feature = "azure")]
pub use azure::Azure;
pub use error::CloudError;
#[cfg(feature = "gcp")]
pub use gcp::Gcp;
pub use surroundings::Surroundings;

/// Which cloud's identity gives the login of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// An AWS identity, for ECR and ECR Public.
    #[cfg(feature = "aws")]
    Aws(Aws),
    /// A Google Cloud identity, for Artifact Registry and gcr.io.
    #[cfg(feature = "gcp")]
    Gcp(Gcp),
    /// An Azure identity, for ACR.
    #[cfg(feature = "azure")]
    Azure(Azure),
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

/// Gets a login for a registry from a cloud. `http` is the client for all calls but those to metadata services,
/// which must not go through a proxy.
pub(super) async fn login(cloud: &Cloud, registry: &Registry, http: &reqwest::Client) -> Result<Login, CloudError> {
    let (name, login) = match *cloud {
        #[cfg(feature = "aws")]
        Cloud::Aws(ref aws) => ("AWS", aws.login(registry, http).await),
        #[cfg(feature = "gcp")]
        Cloud::Gcp(ref gcp) => ("GCP", gcp.login(http).await),
        #[cfg(feature = "azure")]
        Cloud::Azure(ref azure) => ("Azure", azure.login(registry, http).await),
    };
    let login = login.map_err(|problem| CloudError::new(name, problem))?;
    let left = login.until.saturating_duration_since(Instant::now());
    tracing::debug!(%registry, source = login.source, left_s = left.as_secs(), "a cloud gave a login");
    Ok(login)
}
