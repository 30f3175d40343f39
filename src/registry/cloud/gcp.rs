//! Google Cloud: from a service account to the access token that Artifact Registry and gcr.io take as a password.
//!
//! Looked for as Google's tools do (<https://cloud.google.com/docs/authentication/application-default-credentials>): a key
//! file that is named, gcloud's own file, the metadata server.

mod external;
mod key_file;
mod token;

use std::path::{Path, PathBuf};

use super::call::{Call, Caller};
use super::error::{CallError, Problem};
use super::surroundings::{Surroundings, file, file_if_there, web_address};
use super::{Gcp, Login};

use key_file::KeyFile;
use token::Token;

/// All that is asked for: reading; <https://cloud.google.com/artifact-registry/docs/reference/rest> lists it for each reading method.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform.read-only";
/// The user that goes with an access token.
const USER: &str = "oauth2accesstoken";
const METADATA_HOST: &str = "metadata.google.internal";
const METADATA_TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
const VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

impl Gcp {
    pub(super) async fn login(&self, http: &reqwest::Client) -> Result<Login, Problem> {
        let (token, source) = self.token(&Caller::new(http, &self.surroundings)?).await?;
        Ok(Login { username: USER.to_owned(), password: token.access_token, until: token.until, source })
    }

    async fn token(&self, caller: &Caller<'_>) -> Result<(Token, String), Problem> {
        let named = self.key_file.as_deref().or_else(|| self.surroundings.get(VARIABLE).map(Path::new));
        if let Some(path) = named {
            return KeyFile::read(path, &file(path)?)?.token(caller).await;
        }
        let gcloud = match self.surroundings.get("CLOUDSDK_CONFIG") {
            Some(folder) => Some(PathBuf::from(folder)),
            None => self.surroundings.home(".config/gcloud"),
        };
        if let Some(path) = gcloud.map(|folder| folder.join("application_default_credentials.json"))
            && let Some(text) = file_if_there(&path)?
        {
            return KeyFile::read(&path, &text)?.token(caller).await;
        }
        let token = metadata(&self.surroundings, caller).await?;
        Ok((token, "the GCP metadata server".to_owned()))
    }
}

async fn metadata(surroundings: &Surroundings, caller: &Caller<'_>) -> Result<Token, Problem> {
    let host = surroundings.get("GCE_METADATA_HOST").unwrap_or(METADATA_HOST);
    let url = web_address(&format!("http://{host}{METADATA_TOKEN}"), "GCE_METADATA_HOST")?;
    let step = format!("asking the metadata server at {host} for a token");
    let reply = match caller.try_send(Call::get(url).header("metadata-flavor", "Google")).await {
        // What is not Google's answers to any name, as a captive portal does.
        Ok(reply) if reply.headers.get("metadata-flavor").is_none_or(|flavor| flavor != "Google") => {
            return Err(Problem::without("`Metadata-Flavor: Google`", step));
        }
        Ok(reply) => reply,
        Err(cause @ (CallError::Timeout(_) | CallError::Network(_))) => {
            let looked_for = vec![
                "`key_file`".to_owned(),
                VARIABLE.to_owned(),
                "gcloud's credentials".to_owned(),
                format!("the metadata server at {host}"),
            ];
            return Err(Problem::Nowhere { looked_for, last: Some(cause) });
        }
        Err(cause) => return Err(Problem::Call { step, cause }),
    };
    Token::read(&reply).map_err(|cause| Problem::Call { step, cause })
}
