//! Telling a failure when it starts, sparingly while it lasts, and when it ends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The failing state of one thing.
#[derive(Debug, Default)]
pub(super) struct Edge(Option<Failing>);

#[derive(Debug)]
struct Failing {
    reason: Arc<str>,
    since: Instant,
    count: u64,
    /// The count at which it is told again.
    next: u64,
}

/// How long something has been failing, in whole seconds, minutes or hours.
pub(super) struct For(pub(super) Duration);

impl fmt::Display for For {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            s @ 0..60 => write!(f, "{s}s"),
            s @ 60..3600 => write!(f, "{}m", s / 60),
            s => write!(f, "{}h{:02}m", s / 3600, s / 60 % 60),
        }
    }
}

impl Edge {
    /// Notes a failure; `tell` is called with the count and the duration if this one is to be told: the first, one with
    /// another reason, and of the same ones the 4th, 8th, 16th and so on.
    pub(super) fn failed(&mut self, reason: &Arc<str>, tell: impl FnOnce(u64, For)) {
        let failing = self.0.get_or_insert_with(|| Failing { reason: Arc::clone(reason), since: Instant::now(), count: 0, next: 1 });
        failing.count += 1;
        if failing.reason != *reason {
            failing.reason = Arc::clone(reason);
            failing.next = failing.count;
        }
        if failing.count >= failing.next {
            failing.next = failing.count.saturating_mul(2).max(4);
            tell(failing.count, For(failing.since.elapsed()));
        }
    }

    /// Notes a success; `tell` is called with the duration if it ends a failure.
    pub(super) fn succeeded(&mut self, tell: impl FnOnce(For)) {
        if let Some(failing) = self.0.take() {
            tell(For(failing.since.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_failure_is_told_when_it_starts_sparingly_and_when_it_ends() {
        let mut edge = Edge::default();
        let (down, denied): (Arc<str>, Arc<str>) = ("down".into(), "denied".into());
        let mut told = Vec::new();
        for _ in 0..20 {
            edge.failed(&down, |count, _| told.push(count));
        }
        assert_eq!(told, [1, 4, 8, 16]);
        edge.failed(&denied, |count, _| told.push(count));
        assert_eq!(told.last(), Some(&21), "another reason is news");
        let mut ended = 0;
        edge.succeeded(|_| ended += 1);
        edge.succeeded(|_| ended += 1);
        assert_eq!(ended, 1);
    }

    #[test]
    fn durations_are_short() {
        let show = |s| For(Duration::from_secs(s)).to_string();
        assert_eq!([show(0), show(59), show(60), show(3599), show(3660)], ["0s", "59s", "1m", "59m", "1h01m"]);
    }
}
