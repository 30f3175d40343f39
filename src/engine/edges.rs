//! Telling a failure when it starts, sparingly while it lasts, and when it ends.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// However often something fails, and with whatever reasons, it is told no more often than this.
const QUIET: Duration = Duration::from_secs(60);

/// The failing state of one thing.
#[derive(Debug, Default)]
pub(super) struct Edge(Option<Failing>);

#[derive(Debug)]
struct Failing {
    reason: Arc<str>,
    since: Instant,
    told: Instant,
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
    /// Notes a failure; `tell` is called with the count and the duration if this one is to be told: the first, and then, a
    /// minute apart at the least, one with another reason and every time that the count has doubled.
    pub(super) fn failed(&mut self, now: Instant, reason: &Arc<str>, tell: impl FnOnce(u64, For)) {
        let first = self.0.is_none();
        let failing = self.0.get_or_insert_with(|| Failing { reason: Arc::clone(reason), since: now, told: now, count: 0, next: 2 });
        failing.count += 1;
        let news = failing.count >= failing.next || failing.reason != *reason;
        if first || news && now.duration_since(failing.told) >= QUIET {
            *failing = Failing { reason: Arc::clone(reason), told: now, next: failing.count.saturating_mul(2), ..*failing };
            tell(failing.count, For(now.duration_since(failing.since)));
        }
    }

    /// Notes a success; `tell` is called with the duration if it ends a failure.
    pub(super) fn succeeded(&mut self, now: Instant, tell: impl FnOnce(For)) {
        if let Some(failing) = self.0.take() {
            tell(For(now.duration_since(failing.since)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_failure_is_told_when_it_starts_sparingly_and_when_it_ends() {
        let (mut edge, start) = (Edge::default(), Instant::now());
        let (down, denied): (Arc<str>, Arc<str>) = ("down".into(), "denied".into());
        let mut told = Vec::new();
        for minute in 0..20 {
            edge.failed(start + QUIET * minute, &down, |count, _| told.push(count));
        }
        assert_eq!(told, [1, 2, 4, 8, 16]);
        edge.failed(start + QUIET * 21, &denied, |count, _| told.push(count));
        assert_eq!(told.last(), Some(&21), "another reason is news");
        let mut ended = Vec::new();
        edge.succeeded(start + QUIET * 22, |since| ended.push(since.to_string()));
        edge.succeeded(start + QUIET * 23, |since| ended.push(since.to_string()));
        assert_eq!(ended, ["22m"]);
    }

    #[test]
    fn many_failures_at_once_are_told_once_even_if_their_words_differ() {
        let (mut edge, start) = (Edge::default(), Instant::now());
        let mut told = 0;
        for i in 0..500 {
            edge.failed(start, &format!("wait another {i} s").into(), |_, _| told += 1);
        }
        assert_eq!(told, 1);
    }

    #[test]
    fn durations_are_short() {
        let show = |s| For(Duration::from_secs(s)).to_string();
        assert_eq!([show(0), show(59), show(60), show(3599), show(3660)], ["0s", "59s", "1m", "59m", "1h01m"]);
    }
}
