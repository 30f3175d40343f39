//! What the registries hold: the last good tag list of every watched repository.
//!
//! Owns when a repository is listed (once an interval however many environments use it, jittered, later
//! after failures) and by how many workers. Hides queues and tasks. A listing that fails leaves the last
//! good one in place.

mod entry;
mod events;
mod latch;
mod status;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Rules;
use super::health::Health;
use super::state::{Keeper, Listings};
use crate::error::Classified;
use crate::image::{Digest, Registry, Repository, Tag, TagList};
use crate::registry::{self, Listing};
use crate::shutdown::CancellationToken;
use crate::telemetry::metrics::Metrics;
use entry::{Entry, Host, ListingError};
use latch::Latch;

/// How often due repositories are looked for; also the heartbeat's period.
const TICK: Duration = Duration::from_secs(1);
/// How often at most the state file is written.
const SAVE: Duration = Duration::from_secs(30);

/// How long is waited for the digest of a tag that is followed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long after a listing the digests that came with it are as good as asked for now.
pub(super) const FRESH: Duration = Duration::from_secs(10);

/// What is known about a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The last good listing.
    pub tags: Option<TagList>,
    /// What the tags that are followed by digest pointed to at the last good listing.
    pub digests: BTreeMap<Tag, Digest>,
    /// Why the last listing failed, if it did.
    pub failure: Option<Arc<str>>,
}

/// What is known about a set of repositories at one moment.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    repositories: HashMap<Repository, Observed>,
    /// Grows whenever something in the set changes; equal stamps mean equal observations.
    stamp: u64,
}

impl Observations {
    /// Returns what is known about a repository.
    #[must_use]
    pub fn get(&self, repository: &Repository) -> Option<&Observed> {
        self.repositories.get(repository)
    }

    /// Returns the stamp: it grows whenever an observation of the set changes.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.stamp
    }
}

impl FromIterator<(Repository, Observed)> for Observations {
    fn from_iter<I: IntoIterator<Item = (Repository, Observed)>>(observed: I) -> Self {
        Self { repositories: observed.into_iter().collect(), stamp: 0 }
    }
}

/// The repositories of one registry that wait for a worker.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Repository>,
    workers: usize,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<Repository, Entry>,
    queues: HashMap<Registry, Queue>,
    remembered: Listings,
    hosts: HashMap<Registry, Host>,
    /// By environment: the repositories that its tree uses.
    used: HashMap<String, HashSet<Repository>>,
    generation: u64,
    listed: u64,
}

/// Lists repositories as they fall due and keeps the last good listing of each.
pub struct Observer {
    client: registry::Client,
    metrics: Arc<Metrics>,
    rules: Arc<Rules>,
    inner: Mutex<Inner>,
    generation: watch::Sender<u64>,
}

impl Observer {
    pub(super) fn new(client: registry::Client, metrics: Arc<Metrics>, rules: Arc<Rules>) -> Arc<Self> {
        Arc::new(Self { client, metrics, rules, inner: Mutex::default(), generation: watch::Sender::new(0) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change under the lock is complete when it is let go, so a panic elsewhere does not spoil it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the last good listings of an earlier run; each serves only until its repository's first listing ends.
    pub(super) fn restore(&self, remembered: Listings) {
        self.lock().remembered = remembered;
    }

    /// Returns a receiver that sees every change of any observation.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Returns how many listings have ended, and how many repositories are watched.
    pub(super) fn progress(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.listed, inner.entries.len() as u64)
    }

    /// Returns what is known about `wanted`, after listing those that are due; waits for these no longer than `patience`.
    ///
    /// A listing that takes longer goes on and is seen through [`Observer::changes`].
    pub(super) async fn observe(self: &Arc<Self>, wanted: &BTreeMap<Repository, Duration>, patience: Duration) -> Observations {
        let latch = self.start(wanted);
        if !latch.is_open() {
            // Running out of patience is no failure: the pass goes on with what is known.
            let _ = tokio::time::timeout(patience, latch.wait()).await;
        }
        self.known(wanted)
    }

    /// Returns what is known about `wanted` without listing anything.
    pub(super) fn known(&self, wanted: &BTreeMap<Repository, Duration>) -> Observations {
        let inner = self.lock();
        let mut observations = Observations::default();
        for repository in wanted.keys() {
            if let Some(entry) = inner.entries.get(repository) {
                observations.stamp = observations.stamp.max(entry.changed);
                observations.repositories.insert(repository.clone(), entry.observed.clone());
            }
        }
        observations
    }

    /// Puts `wanted` on the watch list and starts the listings that are due; the latch opens when none of `wanted` is being listed.
    fn start(self: &Arc<Self>, wanted: &BTreeMap<Repository, Duration>) -> Arc<Latch> {
        let latch = Arc::new(Latch::default());
        let now = Instant::now();
        let mut inner = self.lock();
        for (repository, interval) in wanted {
            if !inner.entries.contains_key(repository) {
                let tags = inner.remembered.remove(repository);
                inner.entries.insert(repository.clone(), Entry::new(*interval, tags, now));
            }
            let Some(entry) = inner.entries.get_mut(repository) else { continue };
            entry.interval = *interval;
            let due = entry.due.is_some_and(|due| due <= now);
            if due || entry.due.is_none() {
                latch.count_up();
                entry.waiters.push(Arc::clone(&latch));
            }
            if due {
                entry.begin(now);
                self.enqueue(&mut inner, repository);
            }
        }
        latch
    }

    fn enqueue(self: &Arc<Self>, inner: &mut Inner, repository: &Repository) {
        let queue = inner.queues.entry(repository.registry().clone()).or_default();
        queue.waiting.push_back(repository.clone());
        if queue.workers < self.client.concurrency(repository.registry()) {
            queue.workers += 1;
            tokio::spawn(Arc::clone(self).work(repository.registry().clone()));
        }
    }

    /// Lists the waiting repositories of one registry, one after the other; several such workers share a queue.
    async fn work(self: Arc<Self>, registry: Registry) {
        loop {
            let next = {
                let mut inner = self.lock();
                let Some(queue) = inner.queues.get_mut(&registry) else { return };
                let next = queue.waiting.pop_front();
                if next.is_none() {
                    queue.workers -= 1;
                }
                next
            };
            let Some(repository) = next else { return };
            let started = Instant::now();
            let known = self.lock().entries.get(&repository).and_then(|entry| entry.listing.clone());
            let listing = self.list(repository.clone(), known).await;
            self.metrics.listed(registry.as_str(), listing.as_ref().map(|_| ()).map_err(Classified::verdict), started.elapsed());
            self.finish(&repository, listing);
        }
    }

    /// Lists a repository on a task of its own, so that a bug in reading an answer ends neither the worker nor the waiting for it.
    async fn list(self: &Arc<Self>, repository: Repository, known: Option<Listing>) -> Result<Listing, ListingError> {
        let observer = Arc::clone(self);
        let list = async move {
            let listing = observer.client.list(&repository, known.as_ref()).await?;
            observer.follow(&repository, &listing).await;
            Ok::<_, registry::Error>(listing)
        };
        Ok(tokio::spawn(list).await??)
    }

    /// Looks where the tags point that are followed by digest, so that one that moves is a change though the listing is the same.
    /// What cannot be learned stays as it was: whoever decides asks again, and tells what fails.
    async fn follow(&self, repository: &Repository, listing: &Listing) {
        for tag in self.rules.followed(repository).filter(|tag| listing.tags().contains(tag.as_str())) {
            let asked = async { self.client.digest(repository, tag.as_tag_ref()).await };
            if let Ok(Ok(digest)) = tokio::time::timeout(PATIENCE, asked).await
                && let Some(entry) = self.lock().entries.get_mut(repository)
            {
                entry.followed.insert(tag.clone(), digest);
            }
        }
    }

    fn finish(self: &Arc<Self>, repository: &Repository, listing: Result<Listing, ListingError>) {
        let mut guard = self.lock();
        let Inner { entries, hosts, used, generation, listed, .. } = &mut *guard;
        *listed += 1;
        let Some(entry) = entries.get_mut(repository) else { return };
        let host = hosts.entry(repository.registry().clone()).or_default();
        let before = entry.observed.clone();
        let delay = match listing {
            Ok(listing) => {
                entry.succeeded(repository, host, listing);
                jittered(entry.interval)
            }
            Err(error) => entry.failed(repository, host, &error),
        };
        let now = Instant::now();
        entry.due = Some(now + delay);
        entry.bring_forward(now);
        let is_new = before != entry.observed;
        let asked = entry.is_asked() || !is_new && entry.look_again(now);
        if is_new {
            *generation += 1;
            entry.changed = *generation;
            self.generation.send_replace(*generation);
        }
        for latch in entry.waiters.drain(..) {
            latch.count_down();
        }
        if !used.values().any(|set| set.contains(repository)) {
            entries.remove(repository); // dropped while it was being listed
            host.forget_all_but(|other| other != repository);
        } else if asked {
            self.start_in_time(&mut guard, repository, now);
        }
    }

    /// Lists repositories as they fall due until `stop` is cancelled, and keeps the state file current.
    pub(super) async fn list_when_due(self: Arc<Self>, stop: CancellationToken, mut keeper: Keeper, health: Arc<Health>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut next_save = Instant::now() + SAVE;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = tick.tick() => {}
            }
            health.beat();
            self.measure();
            let now = Instant::now();
            let due: BTreeMap<Repository, Duration> = {
                let inner = self.lock();
                let due = inner.entries.iter().filter(|(_, entry)| entry.due.is_some_and(|due| due <= now));
                due.map(|(repository, entry)| (repository.clone(), entry.interval)).collect()
            };
            self.start(&due);
            if now >= next_save {
                next_save = now + SAVE;
                self.save(&mut keeper).await;
            }
        }
        self.save(&mut keeper).await;
    }

    /// Writes the state file if something changed since it was written.
    async fn save(&self, keeper: &mut Keeper) {
        let (generation, listings) = {
            let inner = self.lock();
            if keeper.has(inner.generation) {
                return;
            }
            // Tag lists are shared, not copied.
            let listings = inner.entries.iter().filter_map(|(repository, entry)| Some((repository.clone(), entry.observed.tags.clone()?)));
            (inner.generation, listings.collect())
        };
        keeper.save(generation, listings).await;
    }

    /// Returns the stamp of what is known about `wanted`.
    pub(super) fn stamp(&self, wanted: &BTreeMap<Repository, Duration>) -> u64 {
        let inner = self.lock();
        wanted.keys().filter_map(|repository| inner.entries.get(repository)).map(|entry| entry.changed).max().unwrap_or(0)
    }

    /// Notes which repositories an environment uses, and forgets those that none uses any more.
    pub(super) fn use_for(&self, environment: &str, repositories: &BTreeMap<Repository, Duration>) {
        let mut guard = self.lock();
        let Inner { entries, used, hosts, .. } = &mut *guard;
        used.insert(environment.to_owned(), repositories.keys().cloned().collect());
        // One that is being listed stays until that has ended.
        entries.retain(|repository, entry| entry.due.is_none() || used.values().any(|set| set.contains(repository)));
        hosts.values_mut().for_each(|host| host.forget_all_but(|repository| entries.contains_key(repository)));
    }

    /// Returns the client that it lists with.
    pub(super) fn client(&self) -> &registry::Client {
        &self.client
    }

    /// Returns the last good listing of a repository; of one that an earlier run made, the tags.
    pub(super) fn listing(&self, repository: &Repository) -> Listing {
        let inner = self.lock();
        let Some(entry) = inner.entries.get(repository) else { return TagList::default().into() };
        entry.listing.clone().unwrap_or_else(|| entry.observed.tags.clone().unwrap_or_default().into())
    }

    /// Returns the digest that a tag stands for now; a listing of this very pass may have told it.
    pub(super) async fn digest(&self, repository: &Repository, tag: &Tag) -> Result<Digest, registry::Error> {
        let listing = self.lock().entries.get(repository).and_then(|entry| entry.listing.clone());
        if let Some(digest) = listing.filter(|listing| listing.age() < FRESH).and_then(|listing| listing.digest(tag.as_tag_ref())) {
            return Ok(digest);
        }
        self.client.digest(repository, tag.as_tag_ref()).await
    }
}

/// Spreads a period by a tenth either way, so that what started together does not stay together.
pub(super) fn jittered(period: Duration) -> Duration {
    period.mul_f64(0.9 + 0.2 * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::TagRef;

    fn observer() -> Arc<Observer> {
        Observer::new(registry::Client::new(registry::Config::default()).unwrap(), Arc::default(), Arc::default())
    }

    fn wanted() -> BTreeMap<Repository, Duration> {
        [(Repository::parse("127.0.0.1:1/shop/api").unwrap(), Duration::from_secs(60))].into()
    }

    #[test]
    fn a_bug_in_a_listing_costs_that_listing_only() {
        // A runtime without timers and sockets, so that the client panics.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let observer = observer();
            observer.use_for("prod", &wanted());
            let latch = observer.start(&wanted());
            for _ in 0..1000 {
                tokio::task::yield_now().await;
            }
            assert!(latch.is_open(), "who waits for it is told");
            let inner = observer.lock();
            let entry = inner.entries.values().next().unwrap();
            assert!(entry.due.is_some(), "it is listed again");
            assert!(entry.observed.failure.as_ref().is_some_and(|reason| reason.contains("bug")));
            assert!(inner.queues.values().all(|queue| queue.workers == 0), "its worker does not count any more");
        });
    }

    #[tokio::test]
    async fn a_repository_dropped_while_it_is_listed_is_forgotten_when_that_ends() {
        let (observer, wanted) = (observer(), wanted());
        let repository = wanted.keys().next().unwrap();
        observer.use_for("prod", &wanted);
        let latch = observer.start(&wanted);
        observer.use_for("prod", &BTreeMap::new());
        assert_eq!(observer.progress(), (0, 1), "its listing is under way");
        let tags: TagList = [TagRef::parse("1.0").unwrap()].into_iter().collect();
        observer.finish(repository, Ok(tags.into()));
        assert_eq!(observer.progress(), (1, 0));
        assert!(latch.is_open(), "who waits for it is told");
    }

    #[tokio::test]
    async fn a_repository_in_use_is_kept_when_its_listing_ends() {
        let (observer, wanted) = (observer(), wanted());
        observer.use_for("prod", &wanted);
        observer.use_for("test", &BTreeMap::new());
        observer.start(&wanted);
        observer.finish(wanted.keys().next().unwrap(), Ok(TagList::default().into()));
        assert_eq!(observer.progress(), (1, 1));
    }
    #[tokio::test]
    async fn t19_a_digest_that_came_with_the_listing_of_this_pass_is_not_asked_for() {
        let server = crate::demo::registry::Registry::start().await.unwrap();
        let digest = Digest::sha256(&[7; 32]);
        let body = format!(r#"{{"tags":["1.0","2.0"],"manifest":{{"{digest}":{{"tag":["1.0"]}}}}}}"#);
        server.on_request(move |_| Some(axum::response::IntoResponse::into_response(body.clone())));
        let repository = Repository::parse(&format!("{}/shop/api", server.host())).unwrap();
        let mut config = registry::Config::default();
        config.hosts.insert(repository.registry().clone(), registry::Host { plain_http: true, ..registry::Host::default() });
        let observer = Observer::new(registry::Client::new(config).unwrap(), Arc::default(), Arc::default());
        let wanted = BTreeMap::from([(repository.clone(), Duration::from_secs(60))]);
        observer.use_for("prod", &wanted);
        observer.observe(&wanted, Duration::from_secs(10)).await;
        assert_eq!(observer.digest(&repository, &Tag::parse("1.0").unwrap()).await.unwrap(), digest);
        assert_eq!(server.request_count(), 1);
        observer.digest(&repository, &Tag::parse("2.0").unwrap()).await.unwrap_err();
        assert!(server.request_count() > 1, "what did not come is asked for");
    }

    #[tokio::test]
    async fn a_listing_that_is_the_same_again_is_no_change() {
        let (observer, wanted) = (observer(), wanted());
        let repository = wanted.keys().next().unwrap();
        observer.use_for("prod", &wanted);
        let listing = |tag: &str| Listing::from([TagRef::parse(tag).unwrap()].into_iter().collect::<TagList>());
        let mut stamps = Vec::new();
        for tag in ["1.0", "1.0", "1.1"] {
            observer.start(&wanted);
            observer.finish(repository, Ok(listing(tag)));
            stamps.push(observer.stamp(&wanted));
        }
        assert!(stamps[0] == stamps[1] && stamps[1] < stamps[2], "{stamps:?}");
    }
}
