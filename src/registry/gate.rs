//! A request's turn at a host: a place among those in flight, an even pace, and the pauses that the host asked for.
//!
//! A host that says it is asked too much gets half of the requests in flight and half the pace, and one more place at a
//! time as it takes them again (additive increase, multiplicative decrease).

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::error::Cause;
use super::host::lock;

/// The longest that a request waits because its registry wants to be left alone; a longer pause is handed to the caller as an error.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How long a host must take its requests well before it gets one more at a time again.
const RECOVERY: Duration = Duration::from_secs(5);
/// After a pause the waiting requests are spread over a tenth of it, but over no more than this.
const LONGEST_SPREAD: Duration = Duration::from_secs(5);
/// Requests are a fiftieth farther apart than the rate says: one that had to connect first arrives late, and those behind it
/// must not make its second too full.
const SLACK: f64 = 1.02;
/// What counts as a second between the first and the last of as many requests as may go in one: a little more, as they have to arrive.
const SECOND: Duration = Duration::from_millis(1020);

/// The gate before one host, shared by all requests to it.
pub(super) struct Gate {
    /// Places in flight, first come first served.
    places: Semaphore,
    most: usize,
    pace: Option<Pace>,
    inner: Mutex<Inner>,
    waiting: AtomicUsize,
    in_flight: AtomicUsize,
}

/// How many requests may go in a second, and when the last of them went.
struct Pace {
    rate: usize,
    /// The time between two requests.
    gap: Duration,
    /// As many as may go in a second, the oldest in front. Who holds it is the next to go.
    went: tokio::sync::Mutex<VecDeque<Instant>>,
}

struct Inner {
    /// How many places there are now.
    open: usize,
    /// Of those taken away, how many are still in use and go when they are given back.
    owed: usize,
    /// When places were last taken away or given.
    changed: Instant,
    /// The earliest time of the next request.
    next: Instant,
    pause: Option<Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    spread: Duration,
}

/// Leave to make one request; the place is free again when it is dropped.
pub(super) struct Turn<'a> {
    gate: &'a Gate,
    place: Option<SemaphorePermit<'a>>,
    in_flight: Option<Counted<'a>>,
    since: Instant,
}

/// One that is counted as long as it lives, since a future may be dropped at any wait.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// Makes a gate that lets this many requests through at once, and this many a second.
    pub(super) fn new(places: usize, rate: Option<u32>) -> Self {
        let (most, now) = (places.clamp(1, Semaphore::MAX_PERMITS), Instant::now());
        Self {
            places: Semaphore::new(most),
            most,
            pace: rate.filter(|rate| *rate > 0).map(Pace::new),
            inner: Mutex::new(Inner { open: most, owed: 0, changed: now, next: now, pause: None }),
            waiting: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Waits for a request's turn. After each wait `may_go` is asked whether there is still use in it.
    pub(super) async fn turn(&self, may_go: impl Fn() -> Result<(), Cause>) -> Result<Turn<'_>, Cause> {
        let _waiting = Counted::new(&self.waiting);
        let mut patience = LONGEST_PAUSE;
        loop {
            may_go()?;
            self.wait_out_pause(&mut patience).await?;
            // The semaphore is never closed.
            let place = self.places.acquire().await.map_err(|_| Cause::Throttled { after: Duration::ZERO })?;
            let mut turn = Turn { gate: self, place: Some(place), in_flight: None, since: Instant::now() };
            // Others may have met a refusal while this one waited.
            may_go()?;
            if self.pause_left().is_none() {
                self.pace().await;
                may_go()?;
            }
            if self.pause_left().is_none() {
                turn.since = Instant::now();
                turn.in_flight = Some(Counted::new(&self.in_flight));
                return Ok(turn);
            }
        }
    }

    /// Waits for the next point in time at which a request may go. Only those with a place come here, so few wait at once.
    ///
    /// The plan is an even pace; a request that went late does not delay those behind it, but in no second go more than may.
    async fn pace(&self) {
        let Some(pace) = &self.pace else { return };
        let mut went = pace.went.lock().await;
        let at = {
            let mut inner = lock(&self.inner);
            let at = inner.next.max(Instant::now());
            inner.next = at + pace.gap.mul_f64(self.most as f64 / inner.open as f64);
            at
        };
        let full = went.front().filter(|_| went.len() >= pace.rate).map_or(at, |oldest| *oldest + SECOND);
        tokio::time::sleep_until(at.max(full)).await;
        if went.len() >= pace.rate {
            went.pop_front();
        }
        went.push_back(Instant::now());
    }

    async fn wait_out_pause(&self, patience: &mut Duration) -> Result<(), Cause> {
        while let Some((left, spread)) = self.pause_left() {
            if left > *patience {
                return Err(Cause::Throttled { after: left });
            }
            *patience -= left;
            tokio::time::sleep(left + spread.mul_f64(fastrand::f64())).await;
        }
        Ok(())
    }

    fn pause_left(&self) -> Option<(Duration, Duration)> {
        let pause = lock(&self.inner).pause?;
        let left = pause.until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some((left, pause.spread))
    }

    /// Lets nobody through for a while, because the host said so.
    pub(super) fn pause(&self, wait: Duration) {
        let pause = Pause { until: Instant::now() + wait, spread: (wait / 10).min(LONGEST_SPREAD) };
        let mut inner = lock(&self.inner);
        if inner.pause.is_none_or(|earlier| earlier.until < pause.until) {
            inner.pause = Some(pause);
        }
    }

    /// Returns until when nobody is let through.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.pause_left().map(|(left, _)| Instant::now() + left)
    }

    /// Returns how many requests wait, are under way, and may be under way at once now.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.waiting.load(Ordering::Relaxed), self.in_flight.load(Ordering::Relaxed), lock(&self.inner).open)
    }
}

impl Pace {
    fn new(rate: u32) -> Self {
        let gap = Duration::from_secs_f64(SLACK / f64::from(rate));
        Self { rate: rate as usize, gap, went: tokio::sync::Mutex::default() }
    }
}

impl Turn<'_> {
    /// Notes that the host is asked too much. What was sent before the last cut says nothing about what it led to.
    pub(super) fn was_too_much(&self) {
        let mut inner = lock(&self.gate.inner);
        if self.since < inner.changed {
            return;
        }
        let fewer = (inner.open / 2).max(1);
        inner.owed += inner.open - fewer;
        inner.open = fewer;
        inner.changed = Instant::now();
    }

    /// Notes that the host took a request well.
    pub(super) fn was_fine(&self) {
        let mut inner = lock(&self.gate.inner);
        let now = Instant::now();
        if inner.open < self.gate.most && self.since >= inner.changed && now >= inner.changed + RECOVERY {
            inner.open += 1;
            inner.changed = now;
            if inner.owed > 0 {
                inner.owed -= 1;
            } else {
                self.gate.places.add_permits(1);
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let mut inner = lock(&self.gate.inner);
        if inner.owed > 0 {
            inner.owed -= 1;
            place.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn turn(gate: &Gate) -> Turn<'_> {
        gate.turn(|| Ok(())).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_goes_late_makes_no_second_too_full() {
        let gate = Gate::new(8, Some(50));
        gate.pace().await;
        let mut late = std::pin::pin!(gate.pace());
        assert!(tokio::time::timeout(Duration::ZERO, &mut late).await.is_err(), "it is not its time yet");
        tokio::time::advance(Duration::from_millis(39)).await;
        late.await;
        let begun = Instant::now();
        for _ in 0..50 {
            gate.pace().await;
        }
        assert!(begun.elapsed() >= super::SECOND, "{:?}", begun.elapsed());
    }

    /// Lets `count` requests of no length through the gate at once and returns when each went.
    async fn run(gate: &Arc<Gate>, count: usize) -> Vec<Instant> {
        let times = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..count {
            let (gate, times) = (Arc::clone(gate), Arc::clone(&times));
            tasks.spawn(async move {
                let _turn = turn(&gate).await;
                lock(&times).push(Instant::now());
            });
        }
        tasks.join_all().await;
        let mut times = std::mem::take(&mut *lock(&times));
        times.sort_unstable();
        times
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_used_in_full_and_exceeded_in_no_second() {
        for rate in [1, 10, 50, 1000] {
            let gate = Arc::new(Gate::new(8, Some(rate)));
            let count = rate as usize * 5;
            let times = run(&gate, count).await;
            for window in times.windows(rate as usize + 1) {
                assert!(window[rate as usize] - window[0] >= SECOND, "{rate}");
            }
            let took = times[count - 1] - times[0];
            assert!(took <= SECOND.mul_f64(5.2), "{rate}: {took:?}");
        }
    }

    #[tokio::test]
    async fn ten_thousand_waiting_requests_cost_next_to_nothing() {
        let gate = Arc::new(Gate::new(8, Some(50)));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..10_000 {
            let gate = Arc::clone(&gate);
            tasks.spawn(async move { drop(turn(&gate).await) });
        }
        while gate.counts().0 < 9_990 {
            tokio::task::yield_now().await;
        }
        let before = cpu();
        tokio::time::sleep(SECOND).await;
        let used = cpu() - before;
        // A herd that wakes for each free place takes all the time there is.
        assert!(used < Duration::from_millis(200), "{used:?}");
    }

    /// The processor time of this thread, on which the whole test runs.
    fn cpu() -> Duration {
        let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn e11_after_a_pause_a_thousand_requests_do_not_start_at_the_same_instant() {
        let gate = Arc::new(Gate::new(8, None));
        let start = Instant::now();
        gate.pause(SECOND * 20);
        let times = run(&gate, 1000).await;
        assert!(times[0] >= start + SECOND * 20);
        let (first, last) = (times[0], times[999]);
        assert!(last - first > SECOND && last - first <= SECOND * 2, "{:?}", last - first);
        let most = times.iter().filter(|time| **time < first + SECOND / 10).count();
        assert!(most < 200, "{most} in the first tenth of a second");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_beyond_patience_is_told_instead_of_waited_for() {
        let gate = Gate::new(8, None);
        gate.pause(SECOND * 61);
        gate.pause(SECOND);
        assert!(matches!(gate.turn(|| Ok(())).await, Err(Cause::Throttled { after }) if after == SECOND * 61));
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_is_asked_too_much_gets_half_and_then_slowly_more() {
        let gate = Gate::new(8, None);
        let open = || gate.counts().2;
        let (first, second) = (turn(&gate).await, turn(&gate).await);
        tokio::time::advance(SECOND).await;
        first.was_too_much();
        second.was_too_much();
        assert_eq!(open(), 4, "what was sent before the cut does not count again");
        drop((first, second));
        for expected in [2, 1, 1] {
            tokio::time::advance(SECOND).await;
            turn(&gate).await.was_too_much();
            assert_eq!(open(), expected);
        }
        turn(&gate).await.was_fine();
        assert_eq!(open(), 1, "not at once");
        for expected in [2, 3, 4, 5, 6, 7, 8, 8] {
            tokio::time::advance(RECOVERY).await;
            turn(&gate).await.was_fine();
            turn(&gate).await.was_fine();
            assert_eq!(open(), expected);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_in_flight_than_places_are_open() {
        let gate = Gate::new(4, None);
        let mut turns = vec![turn(&gate).await, turn(&gate).await, turn(&gate).await, turn(&gate).await];
        tokio::time::advance(SECOND).await;
        turns[0].was_too_much();
        let free = async |gate| tokio::time::timeout(SECOND, turn(gate)).await.ok();
        turns.truncate(2);
        assert!(free(&gate).await.is_none(), "two are still in flight, and two are allowed");
        turns.pop();
        turns.extend(free(&gate).await);
        assert_eq!((turns.len(), gate.counts()), (2, (0, 2, 2)));
        tokio::time::advance(RECOVERY).await;
        turns[1].was_fine();
        turns.extend(free(&gate).await);
        assert_eq!((turns.len(), gate.counts()), (3, (0, 3, 3)));
    }

    #[tokio::test(start_paused = true)]
    async fn half_the_places_mean_half_the_pace() {
        let gate = Arc::new(Gate::new(8, Some(10)));
        let first = turn(&gate).await;
        first.was_too_much();
        drop(first);
        let times = run(&gate, 11).await;
        let took = times[10] - times[0];
        assert!(took >= SECOND * 2 && took < SECOND.mul_f64(2.2), "{took:?}");
    }
}
