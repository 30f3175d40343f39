//! What is told of deliveries: each is counted, and what is wrong with them is logged at most once a minute a webhook.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::telemetry::metrics::Metrics;

/// A stranger's nonsense shall not fill the log.
const PERIOD: Duration = Duration::from_secs(60);

/// The teller of one webhook.
pub(super) struct Teller {
    webhook: String,
    counts: Arc<Metrics>,
    troubles: Mutex<Troubles>,
}

#[derive(Default)]
struct Troubles {
    told: Option<Instant>,
    untold: u64,
}

impl Teller {
    pub(super) fn new(webhook: String, counts: Arc<Metrics>) -> Self {
        Self { webhook, counts, troubles: Mutex::default() }
    }

    pub(super) fn webhook(&self) -> &str {
        &self.webhook
    }

    pub(super) fn count(&self, result: &'static str) {
        self.counts.delivered(&self.webhook, result);
    }

    /// Logs a trouble, unless one was logged within the last minute; the next one then says how many there were.
    pub(super) fn trouble(&self, result: &'static str, reason: &str) {
        let Some(count) = self.news(Instant::now()) else { return };
        tracing::warn!(webhook = self.webhook, result, reason, count, "a push event was not taken");
    }

    /// Returns how many troubles there were since one was told, if this one is to be told.
    fn news(&self, now: Instant) -> Option<u64> {
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.untold += 1;
        if troubles.told.is_some_and(|told| now < told + PERIOD) {
            return None;
        }
        troubles.told = Some(now);
        Some(std::mem::take(&mut troubles.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_are_told_once_a_minute_with_their_number() {
        let (teller, start) = (Teller::new("harbor".to_owned(), Arc::default()), Instant::now());
        let told: Vec<_> = (0..150).filter_map(|second| teller.news(start + Duration::from_secs(second))).collect();
        assert_eq!(told, [1, 60, 60]);
    }
}
