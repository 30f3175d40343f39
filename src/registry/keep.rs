//! What is fetched once for all who want it, kept while it is good, and renewed before it is not.
//!
//! Tokens and logins are kept so. Hides who fetches and who waits: however many ask, one does.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::error::Cause;
use super::host::lock;

/// From how many slots on those with nothing good in them are swept out.
const SWEEP: usize = 1024;

/// How those are spared who give what is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manners {
    /// How long a failure is told again before another try.
    pub(super) after_failure: Duration,
    /// The least time between two tries because what was given is refused elsewhere.
    pub(super) between_refusals: Duration,
}

/// What somebody thinks of a kept value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is what is wanted.
    Good,
    /// It was wanted, but did not work.
    Refused,
    /// It is of no use to the one who asks.
    Other,
}

/// Values by their keys.
#[derive(Debug)]
pub(super) struct Keeper<K, V> {
    manners: Manners,
    slots: Mutex<Slots<K, V>>,
}

#[derive(Debug)]
struct Slots<K, V> {
    map: HashMap<K, Arc<Slot<V>>>,
    sweep_at: usize,
}

#[derive(Debug)]
struct Slot<V> {
    state: Mutex<State<V>>,
    /// Whoever holds it fetches.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State<V> {
    kept: Option<Kept<V>>,
    failed: Option<(Instant, Arc<Cause>)>,
    /// When the last fetch ended that was made because the kept one was refused.
    refused: Option<Instant>,
}

#[derive(Debug)]
struct Kept<V> {
    value: V,
    /// From when on somebody should fetch the next one.
    renew: Instant,
    until: Instant,
}

/// What is to be done for one who asks.
enum Next<V> {
    Use(V),
    /// Fetch another if nobody does; this one will do meanwhile.
    Renew(V),
    Fetch {
        refused: bool,
    },
}

impl<K: Eq + Hash + Clone, V: Clone> Keeper<K, V> {
    pub(super) fn new(manners: Manners) -> Self {
        Self { manners, slots: Mutex::new(Slots { map: HashMap::new(), sweep_at: SWEEP }) }
    }

    /// Returns the value of `key`: the kept one if it is `fit`, else what `fetch` gives, with the time until which that is good.
    ///
    /// In the last fifth of its time one caller fetches the next one, while all others go on with the old; if that
    /// fails, the old one serves to its end. A failure is shared by all who waited for it. A value that is refused right
    /// after it was replaced for being refused is returned as it is: the caller knows it and gives up.
    pub(super) async fn get<F>(&self, key: &K, fit: impl Fn(&V) -> Fit, fetch: impl FnOnce() -> F) -> Result<V, Cause>
    where
        F: Future<Output = Result<(V, Instant), Cause>>,
    {
        let slot = self.slot(key);
        let asked = Instant::now();
        let next = lock(&slot.state).next(&fit, self.manners);
        let _turn = match next {
            Next::Use(value) => return Ok(value),
            Next::Renew(value) => match slot.turn.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(value),
            },
            Next::Fetch { .. } => slot.turn.lock().await,
        };
        let (old, refused) = {
            // Another may have fetched it meanwhile, or failed to.
            let state = lock(&slot.state);
            let (old, refused) = match state.next(&fit, self.manners) {
                Next::Use(value) => return Ok(value),
                Next::Renew(value) => (Some(value), false),
                Next::Fetch { refused } => (None, refused),
            };
            if let Some((at, cause)) = &state.failed
                && (*at > asked || Instant::now() < *at + self.manners.after_failure)
            {
                return old.ok_or_else(|| Cause::Shared(Arc::clone(cause)));
            }
            (old, refused)
        };
        let fetched = fetch().await;
        let (mut state, now) = (lock(&slot.state), Instant::now());
        if refused {
            state.refused = Some(now);
        }
        match fetched {
            Ok((value, until)) => {
                state.kept = Some(Kept::new(value.clone(), now, until.max(now + self.manners.after_failure)));
                state.failed = None;
                Ok(value)
            }
            Err(cause) => {
                let cause = Arc::new(cause);
                state.failed = Some((now, Arc::clone(&cause)));
                old.ok_or(Cause::Shared(cause))
            }
        }
    }

    fn slot(&self, key: &K) -> Arc<Slot<V>> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.map.get(key) {
            return Arc::clone(slot);
        }
        if slots.map.len() >= slots.sweep_at {
            let now = Instant::now();
            slots.map.retain(|_, slot| Arc::strong_count(slot) > 1 || lock(&slot.state).kept.as_ref().is_some_and(|kept| now < kept.until));
            slots.sweep_at = (slots.map.len() * 2).max(SWEEP);
        }
        let state = Mutex::new(State { kept: None, failed: None, refused: None });
        let slot = Arc::new(Slot { state, turn: tokio::sync::Mutex::new(()) });
        slots.map.insert(key.clone(), Arc::clone(&slot));
        slot
    }
}

impl<V: Clone> State<V> {
    fn next(&self, fit: impl Fn(&V) -> Fit, manners: Manners) -> Next<V> {
        let now = Instant::now();
        let Some(kept) = self.kept.as_ref().filter(|kept| now < kept.until) else { return Next::Fetch { refused: false } };
        match fit(&kept.value) {
            Fit::Good if now < kept.renew => Next::Use(kept.value.clone()),
            Fit::Good => Next::Renew(kept.value.clone()),
            Fit::Refused if self.refused.is_some_and(|at| now < at + manners.between_refusals) => Next::Use(kept.value.clone()),
            Fit::Refused => Next::Fetch { refused: true },
            Fit::Other => Next::Fetch { refused: false },
        }
    }
}

impl<V> Kept<V> {
    fn new(value: V, now: Instant, until: Instant) -> Self {
        Self { value, renew: now + until.saturating_duration_since(now) * 4 / 5, until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::time::{advance, sleep};

    const LIFE: Duration = Duration::from_secs(100);
    const POLITE: Manners = Manners { after_failure: Duration::from_secs(10), between_refusals: Duration::from_secs(60) };

    /// A keeper, and one who gives it 1, 2, 3…, a second after being asked, as long as all is well.
    struct World {
        keeper: Keeper<&'static str, u32>,
        given: AtomicU32,
        broken: std::sync::atomic::AtomicBool,
    }

    impl World {
        fn new() -> Arc<Self> {
            Arc::new(Self { keeper: Keeper::new(POLITE), given: AtomicU32::new(0), broken: false.into() })
        }

        async fn get(&self, refused: Option<u32>) -> Result<u32, String> {
            let fit = |value: &u32| if refused == Some(*value) { Fit::Refused } else { Fit::Good };
            let fetch = || async {
                let number = self.given.fetch_add(1, Ordering::SeqCst) + 1;
                sleep(Duration::from_secs(1)).await;
                if self.broken.load(Ordering::SeqCst) {
                    return Err(Cause::Url(format!("failure {number}")));
                }
                Ok((number, Instant::now() + LIFE))
            };
            self.keeper.get(&"key", fit, fetch).await.map_err(|cause| cause.to_string())
        }

        fn given(&self) -> u32 {
            self.given.load(Ordering::SeqCst)
        }

        fn break_down(&self, broken: bool) {
            self.broken.store(broken, Ordering::SeqCst);
        }

        async fn many(self: &Arc<Self>, refused: Option<u32>) -> Vec<Result<u32, String>> {
            let all: Vec<_> = (0..100).map(|_| Arc::clone(self)).map(|w| tokio::spawn(async move { w.get(refused).await })).collect();
            let mut results = Vec::new();
            for one in all {
                results.push(one.await.unwrap());
            }
            results
        }
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_one_fetches() {
        let world = World::new();
        assert!(world.many(None).await.iter().all(|result| *result == Ok(1)));
        assert!(world.many(None).await.iter().all(|result| *result == Ok(1)));
        assert_eq!(world.given(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_shared_and_not_asked_about_again_for_a_while() {
        let world = World::new();
        world.break_down(true);
        let failure = Err("`failure 1` does not make a URL".to_owned());
        assert!(world.many(None).await.iter().all(|result| *result == failure));
        assert!(world.many(None).await.iter().all(|result| *result == failure));
        assert_eq!(world.given(), 1);
        world.break_down(false);
        advance(POLITE.after_failure).await;
        assert_eq!(world.get(None).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_one_is_fetched_ahead_by_one_while_the_others_go_on_with_the_old() {
        let world = World::new();
        world.get(None).await.unwrap();
        advance(LIFE * 4 / 5 - Duration::from_millis(1)).await;
        assert_eq!(world.get(None).await, Ok(1));
        assert_eq!(world.given(), 1);
        advance(Duration::from_secs(1)).await;
        let start = Instant::now();
        let ahead = tokio::spawn({
            let world = Arc::clone(&world);
            async move { world.get(None).await }
        });
        tokio::task::yield_now().await;
        assert!(world.many(None).await.iter().all(|result| *result == Ok(1)));
        assert_eq!(start.elapsed(), Duration::ZERO, "nobody waits");
        assert_eq!(ahead.await.unwrap(), Ok(2));
        assert_eq!(world.get(None).await, Ok(2));
        assert_eq!(world.given(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_one_serves_to_its_end_when_the_next_is_not_to_be_had() {
        let world = World::new();
        world.get(None).await.unwrap();
        world.break_down(true);
        advance(LIFE * 9 / 10).await;
        assert_eq!(world.get(None).await, Ok(1));
        assert_eq!(world.get(None).await, Ok(1));
        assert_eq!(world.given(), 2, "not asked again at once");
        advance(LIFE / 10).await;
        assert!(world.get(None).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_one_is_replaced_once_for_all_and_then_not_again_for_a_while() {
        let world = World::new();
        world.get(None).await.unwrap();
        assert!(world.many(Some(1)).await.iter().all(|result| *result == Ok(2)));
        assert_eq!(world.given(), 2);
        assert!(world.many(Some(2)).await.iter().all(|result| *result == Ok(2)), "returned as it is");
        assert_eq!(world.given(), 2);
        advance(POLITE.between_refusals).await;
        assert_eq!(world.get(Some(2)).await, Ok(3));
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_goes_away_while_fetching_leaves_the_turn_to_the_next() {
        let world = World::new();
        assert!(tokio::time::timeout(Duration::from_millis(500), world.get(None)).await.is_err());
        assert_eq!(world.get(None).await, Ok(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_given_without_any_life_is_not_fetched_at_every_turn() {
        let keeper = Keeper::<_, u32>::new(POLITE);
        let fetches = AtomicU32::new(0);
        for _ in 0..100 {
            let fetch = || async { Ok((fetches.fetch_add(1, Ordering::SeqCst), Instant::now())) };
            keeper.get(&(), |_| Fit::Good, fetch).await.unwrap();
        }
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_dead_does_not_pile_up() {
        let keeper = Keeper::<usize, ()>::new(POLITE);
        let fetch = |life| move || async move { Ok(((), Instant::now() + life)) };
        keeper.get(&0, |()| Fit::Good, fetch(LIFE * 1000)).await.unwrap();
        for n in 1..10 * SWEEP {
            advance(Duration::from_millis(100)).await;
            keeper.get(&n, |()| Fit::Good, fetch(Duration::ZERO)).await.unwrap();
        }
        let slots = lock(&keeper.slots);
        assert!(slots.map.len() <= SWEEP, "{}", slots.map.len());
        assert!(slots.map.contains_key(&0));
    }
}
