//! What the probes ask: is the engine at work, and has it been round once?

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An engine that shows no sign of life for this long is not at work; it shows one every second.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// The signs of life that the engine gives and the probes read.
#[derive(Debug)]
pub struct Health {
    /// The environments whose first pass has not ended yet.
    waiting: Mutex<BTreeSet<String>>,
    heartbeat: Mutex<Instant>,
}

impl Health {
    pub(super) fn new(environments: impl Iterator<Item = String>) -> Self {
        Self { waiting: Mutex::new(environments.collect()), heartbeat: Mutex::new(Instant::now()) }
    }

    /// Notes that a pass over an environment has ended, well or not.
    pub(super) fn passed(&self, environment: &str) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(environment);
    }

    pub(super) fn beat(&self) {
        *self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Says whether the engine is at work.
    ///
    /// # Errors
    /// If there was no sign of life for a minute, with a sentence for the probe's answer.
    pub fn live(&self) -> Result<(), String> {
        let silent = self.heartbeat.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if silent < LONGEST_SILENCE { Ok(()) } else { Err(format!("the engine has been silent for {}s", silent.as_secs())) }
    }

    /// Says whether every environment has had its first pass, well or not; once true it stays true.
    ///
    /// # Errors
    /// If not, with a sentence for the probe's answer.
    pub fn ready(&self) -> Result<(), String> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = waiting.iter().map(String::as_str).collect();
        Err(format!("no pass has ended yet for {}", names.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_once_every_environment_has_had_a_pass() {
        let health = Health::new(["prod", "test"].into_iter().map(str::to_owned));
        assert_eq!(health.ready(), Err("no pass has ended yet for prod, test".to_owned()));
        health.passed("prod");
        health.passed("prod");
        assert_eq!(health.ready(), Err("no pass has ended yet for test".to_owned()));
        health.passed("test");
        assert_eq!(health.ready(), Ok(()));
    }

    #[test]
    fn an_engine_that_was_silent_for_a_minute_is_not_alive() {
        let health = Health::new(std::iter::empty());
        assert_eq!(health.live(), Ok(()));
        let Some(earlier) = Instant::now().checked_sub(LONGEST_SILENCE) else { return };
        *health.heartbeat.lock().unwrap() = earlier;
        assert_eq!(health.live(), Err("the engine has been silent for 60s".to_owned()));
        health.beat();
        assert_eq!(health.live(), Ok(()));
    }
}
