//! Google's access tokens, as its OAuth servers and the metadata server give them.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::redact::Secret;

use super::super::call::Reply;
use super::super::error::CallError;
use super::super::surroundings::after;

/// What a token lives if its server does not say: Google's live an hour, and this leaves time to notice.
const DEFAULT_LIFE: Duration = Duration::from_secs(300);

/// An access token.
pub(super) struct Token {
    pub(super) access_token: Secret,
    pub(super) until: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

impl Token {
    pub(super) fn read(reply: &Reply) -> Result<Self, CallError> {
        let answer: Answer = reply.json("access token")?;
        if answer.access_token.is_empty() {
            return Err(CallError::Without("access token"));
        }
        let life = answer.expires_in.map_or(DEFAULT_LIFE, Duration::from_secs);
        Ok(Self { access_token: Secret::new(answer.access_token), until: after(life) })
    }
}
