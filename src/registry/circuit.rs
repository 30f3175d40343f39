//! Leaving a host that fails alone: after some failures in a row no request is made for a while, then one that tries. Pure.
//!
//! A single repository may fail for reasons of its own, so its failures count for the host only together with those of
//! another, or where no connection comes about at all. Failures of the host's token server and of where it redirects to
//! count as the host's own: nothing can be read from it without them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::retry::Backoff;

/// Failures in a row until a host is left alone: more than one request's tries.
const FAILURES: u32 = 6;
/// How long it is left alone, longer each time that the request that tries it fails, too.
const REST: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(5 * 60));
/// When those come back who meet a trial that is under way.
const TRIAL: Duration = Duration::from_secs(2);

/// What a host's requests came to of late.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Failures in a row.
    failures: u32,
    /// What the first of them was about.
    subject: Option<String>,
    /// Whether they are the host's, not only those of one of its repositories.
    of_the_host: bool,
    reason: Arc<str>,
    since: Option<Timestamp>,
    rests: u32,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// One request is under way to see whether the host works again.
    Trying,
}

/// Why a request is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    /// When the failures began.
    pub(super) since: Timestamp,
    /// The last failure.
    pub(super) reason: Arc<str>,
    /// When the host is tried again.
    pub(super) after: Duration,
}

/// What a request says about its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome<'a> {
    /// The host answered; a refusal is an answer.
    Works,
    /// It failed in what it was asked for here; none is the host as a whole.
    Fails(Option<&'a str>),
    /// Nothing.
    Unknown,
}

impl Circuit {
    /// Says whether a request may be made; who is let through while others are not must bring [`Circuit::ended`] about.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Open> {
        self.check(now)?;
        if let State::Open { .. } = self.state {
            self.state = State::Trying;
        }
        Ok(())
    }

    /// Says whether a request may be made, for one who may not make it after all.
    pub(super) fn check(&self, now: Instant) -> Result<(), Open> {
        let after = match self.state {
            State::Closed => return Ok(()),
            State::Open { until } if until <= now => return Ok(()),
            State::Open { until } => until - now,
            State::Trying => TRIAL,
        };
        Err(Open { since: self.since.unwrap_or_default(), reason: Arc::clone(&self.reason), after })
    }

    /// Notes what came of a request. Says whether the host is left alone since just now, or just now no longer.
    pub(super) fn ended(&mut self, outcome: Outcome<'_>, reason: impl FnOnce() -> Arc<str>, now: Instant) -> Option<bool> {
        let was_closed = self.state == State::Closed;
        match outcome {
            Outcome::Works => *self = Self::default(),
            Outcome::Unknown if self.state == State::Trying => self.state = State::Open { until: now },
            Outcome::Unknown => {}
            Outcome::Fails(subject) => {
                self.failures = self.failures.saturating_add(1);
                self.since.get_or_insert_with(Timestamp::now);
                self.reason = reason();
                match (&self.subject, subject) {
                    (None, Some(subject)) if self.failures == 1 => self.subject = Some(subject.to_owned()),
                    (Some(first), Some(subject)) if first == subject => {}
                    _ => self.of_the_host = true,
                }
                // What was under way when the host was left alone ends late and says nothing new.
                if self.state == State::Trying || was_closed && self.of_the_host && self.failures >= FAILURES {
                    self.rests = self.rests.saturating_add(1);
                    self.state = State::Open { until: now + REST.delay(self.rests) };
                }
            }
        }
        let is_closed = self.state == State::Closed;
        (was_closed != is_closed).then_some(!is_closed)
    }

    /// Returns the failures in a row, since when they are, the last one's reason, and until when the host is left alone.
    pub(super) fn failing(&self) -> Option<(u32, Timestamp, Arc<str>)> {
        Some((self.failures, self.since?, Arc::clone(&self.reason)))
    }

    /// Returns until when the host is left alone; a time in the past if it is being tried.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Option<Instant>> {
        match self.state {
            State::Closed => None,
            State::Open { until } if until > now => Some(Some(until)),
            State::Open { .. } | State::Trying => Some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(circuit: &mut Circuit, subject: Option<&str>, now: Instant) -> Option<bool> {
        circuit.ended(Outcome::Fails(subject), || "it is down".into(), now)
    }

    fn works(circuit: &mut Circuit, now: Instant) -> Option<bool> {
        circuit.ended(Outcome::Works, || unreachable!(), now)
    }

    fn open(now: Instant) -> Circuit {
        let mut circuit = Circuit::default();
        for n in 1..FAILURES {
            assert_eq!(fail(&mut circuit, None, now), None, "{n}");
            circuit.admit(now).unwrap();
        }
        assert_eq!(fail(&mut circuit, None, now), Some(true));
        circuit
    }

    #[test]
    fn a_host_that_fails_again_and_again_is_left_alone_and_then_tried_by_one_request() {
        let now = Instant::now();
        let mut circuit = open(now);
        let refused = circuit.admit(now).unwrap_err();
        assert_eq!((&*refused.reason, refused.after), ("it is down", Duration::from_secs(5)));
        let later = now + refused.after;
        circuit.check(later).unwrap();
        circuit.admit(later).unwrap();
        assert_eq!(circuit.admit(later).unwrap_err().after, TRIAL, "one is enough");
        assert_eq!(works(&mut circuit, later), Some(false));
        circuit.admit(later).unwrap();
        assert_eq!(circuit.failing(), None);
    }

    #[test]
    fn each_failed_trial_makes_the_rest_longer_up_to_a_bound() {
        let mut now = Instant::now();
        let mut circuit = open(now);
        let mut last = Duration::ZERO;
        for _ in 0..20 {
            let rest = circuit.admit(now).unwrap_err().after;
            assert!(rest >= last.mul_f64(0.5) && rest <= Duration::from_secs(300), "{rest:?} after {last:?}");
            (last, now) = (rest, now + rest);
            circuit.admit(now).unwrap();
            assert_eq!(fail(&mut circuit, None, now), None);
        }
        assert!(last >= Duration::from_secs(150), "{last:?}");
    }

    #[test]
    fn one_repository_that_fails_does_not_close_its_host_to_the_others() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        for _ in 0..100 {
            assert_eq!(fail(&mut circuit, Some("/v2/bad"), now), None);
        }
        circuit.admit(now).unwrap();
        assert_eq!(fail(&mut circuit, Some("/v2/bad, too"), now), Some(true));
        circuit.admit(now).unwrap_err();
    }

    #[test]
    fn a_success_between_them_makes_failures_start_over() {
        let now = Instant::now();
        let mut circuit = Circuit::default();
        for _ in 0..100 {
            fail(&mut circuit, None, now);
            works(&mut circuit, now);
        }
        circuit.admit(now).unwrap();
    }

    #[test]
    fn a_trial_that_is_given_up_leaves_the_next_one_free() {
        let now = Instant::now();
        let mut circuit = open(now);
        let later = now + Duration::from_secs(5);
        circuit.admit(later).unwrap();
        assert_eq!(circuit.ended(Outcome::Unknown, || unreachable!(), later), None);
        circuit.admit(later).unwrap();
    }

    #[test]
    fn stragglers_do_not_lengthen_the_rest() {
        let now = Instant::now();
        let mut circuit = open(now);
        for _ in 0..8 {
            assert_eq!(fail(&mut circuit, None, now), None);
        }
        assert_eq!(circuit.admit(now).unwrap_err().after, Duration::from_secs(5));
    }
}
