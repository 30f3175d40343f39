//! The keys that Google signs with: fetched when needed, kept as long as they may be.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::auth::Refusal;
use super::google::{Expected, JwtError, Key, key_id, verify};

/// For one fetch, the wait for another delivery's fetch included.
const DEADLINE: Duration = Duration::from_secs(5);
/// Between two fetches, whoever asks: a stranger can name as many unknown keys as he likes.
const PAUSE: Duration = Duration::from_secs(60);
/// How long keys are kept, if the answer does not say, and at most.
const KEPT: Duration = Duration::from_secs(60 * 60);
const KEPT_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);
/// In bytes; Google's set is 2 KB.
const LARGEST: usize = 256 * 1024;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    /// Nobody answered.
    #[error("fetching them failed")]
    Fetch(#[from] reqwest::Error),
    /// It took too long.
    #[error("fetching them took longer than {} s", DEADLINE.as_secs())]
    Late,
    /// The answer is no set of keys.
    #[error("the answer, with status {status}, is no set of keys")]
    Answer { status: u16 },
    /// They could not be had a moment ago either.
    #[error("they were asked for less than a minute ago")]
    Pause,
}

/// The published keys.
#[derive(Debug)]
pub(super) struct Keys {
    url: Url,
    /// Held while fetching, so that many deliveries make one request.
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: Vec<Key>,
    until: Option<Instant>,
    asked: Option<Instant>,
}

impl Keys {
    pub(super) fn new(url: Url) -> Self {
        Self { url, kept: Mutex::default() }
    }

    /// Checks a token, with fresh keys if it names one that is not known.
    pub(super) async fn check(&self, token: &str, expected: &Expected) -> Result<(), Refusal> {
        // What is no token at all is not worth a request.
        let id = key_id(token)?;
        let keys = tokio::time::timeout(DEADLINE, self.with(&id)).await.map_err(|_| KeysError::Late)??;
        Ok(verify(token, &keys, expected, Timestamp::now())?)
    }

    /// Returns the keys, this one among them if it is published.
    async fn with(&self, id: &str) -> Result<Vec<Key>, Refusal> {
        let mut kept = self.kept.lock().await;
        let now = Instant::now();
        let fresh = kept.until.is_some_and(|until| now < until);
        if fresh && kept.keys.iter().any(|key| key.id() == id) {
            return Ok(kept.keys.clone());
        }
        if kept.asked.is_some_and(|asked| now < asked + PAUSE) {
            return Err(if fresh { JwtError::UnknownKey.into() } else { KeysError::Pause.into() });
        }
        kept.asked = Some(now);
        let (keys, lifetime) = fetch(&self.url).await?;
        kept.until = Some(now + lifetime);
        kept.keys.clone_from(&keys);
        Ok(keys)
    }
}

/// Fetches the keys, and how long they may be kept.
async fn fetch(url: &Url) -> Result<(Vec<Key>, Duration), KeysError> {
    // The error means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().user_agent(concat!("tagboat/", env!("CARGO_PKG_VERSION")));
    let client = builder.redirect(reqwest::redirect::Policy::none()).referer(false).timeout(DEADLINE).build()?;
    let mut answer = client.get(url.clone()).send().await?;
    let status = answer.status().as_u16();
    let lifetime = answer.headers().get("cache-control").and_then(|value| value.to_str().ok()).and_then(max_age);
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        if body.len() + piece.len() > LARGEST {
            return Err(KeysError::Answer { status });
        }
        body.extend_from_slice(&piece);
    }
    let keys = Key::read_set(&body).filter(|keys| status == 200 && !keys.is_empty()).ok_or(KeysError::Answer { status })?;
    Ok((keys, lifetime.unwrap_or(KEPT).clamp(PAUSE, KEPT_AT_MOST)))
}

fn max_age(cache_control: &str) -> Option<Duration> {
    let mut directives = cache_control.split(',').filter_map(|directive| directive.trim().split_once('='));
    let (_, seconds) = directives.find(|(name, _)| name.eq_ignore_ascii_case("max-age"))?;
    seconds.trim_matches('"').parse().ok().map(Duration::from_secs)
}
