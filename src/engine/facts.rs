//! What decisions want to know of tags beyond their names, learned from registries.
//!
//! Owns how long is waited for it and how much is asked at once: a registry that hangs costs its patience once a pass, and no
//! tag is asked twice for the same. A fact that could not be read is a failure, which leaves a site alone; one that is not to be
//! had (no registry tells the time, the tag has no image) is known to be unknown.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::Ages;
use super::observer::FRESH;
use crate::error::{Classified, Verdict, chain};
use crate::image::{Digest, Registry, Repository, Tag};
use crate::policy::{Fact, Facts, Known, Need, Wanted};
use crate::registry::{self, Client, Image, Listing, PushTimes};

/// Of how many tags something is asked for one decision, a request or more each.
const MOST_TAGS: usize = 2_000;
/// How long is waited for what one tag has; what takes a request is answered or refused by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited for the push times of a repository, a hundred tags a request.
const PATIENCE_TIMES: Duration = Duration::from_secs(60);
/// How long a pass waits for facts altogether: what one pass has not learned, the next goes on with.
const PATIENCE_ALTOGETHER: Duration = Duration::from_secs(120);

/// What decisions of a pass want: by repository and fact, the tags.
pub(super) type Needs = BTreeMap<Repository, BTreeMap<Wanted, BTreeSet<Tag>>>;

/// Why a fact could not be learned. Reads on from "the platforms of 1.4.3 could not be learned:".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FactError {
    /// The registry could not be asked, or its answer not be used.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The registry hangs.
    #[error("{registry} did not answer within {} s", after.as_secs())]
    Silent {
        /// The registry.
        registry: Registry,
        /// How long it was waited for.
        after: Duration,
    },
    /// The registry hung a moment ago.
    #[error("{0} was not asked, as it left others unanswered")]
    Skipped(Registry),
    /// All in all it takes too long.
    #[error("facts of other tags took {} s; the next pass goes on", PATIENCE_ALTOGETHER.as_secs())]
    Late,
    /// It would take more requests than any registry should be sent for one decision.
    #[error("that are {count} tags, and no more than {MOST_TAGS} are asked for; narrow them with `filter`")]
    TooMany {
        /// How many tags it would have to be asked for.
        count: usize,
    },
    /// The asking ended by a panic.
    #[error("the asking ended by a bug")]
    Panicked(#[from] tokio::task::JoinError),
}

impl Classified for FactError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Registry(error) => error.verdict(),
            Self::Silent { .. } | Self::Skipped(_) | Self::Late => Verdict::RETRY,
            Self::TooMany { .. } => Verdict::Stalled,
            Self::Panicked(_) => Verdict::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Registry(error) => error.hint(),
            Self::TooMany { .. } => Some("narrow the tags with `filter`".to_owned()),
            Self::Silent { .. } | Self::Skipped(_) | Self::Late | Self::Panicked(_) => None,
        }
    }
}

/// The way to a registry: how many ask at once, and whether it hangs.
struct Way {
    places: Semaphore,
    silent: AtomicBool,
}

/// Learns facts for decisions that are made at one moment.
pub struct Learner {
    client: Client,
    ages: Arc<Ages>,
    now: Timestamp,
    until: Instant,
    ways: Mutex<HashMap<Registry, Arc<Way>>>,
    /// What each repository's registry told of push times.
    times: Mutex<HashMap<Repository, Option<PushTimes>>>,
}

impl Learner {
    /// Begins now; `ages` may be empty ones, which know tags by the registry's own push times only.
    #[must_use]
    pub fn new(client: Client, ages: Arc<Ages>) -> Arc<Self> {
        let (now, until) = (Timestamp::now(), Instant::now() + PATIENCE_ALTOGETHER);
        Arc::new(Self { client, ages, now, until, ways: Mutex::default(), times: Mutex::default() })
    }

    /// Returns the moment to which ages are counted.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Learns what a decision wants of tags of a repository, of which `listing` is the last listing; what is known is not asked again.
    ///
    /// # Errors
    /// If any of it could not be read; what was learned until then is among the facts.
    pub async fn learn(
        self: &Arc<Self>,
        repository: &Repository,
        listing: &Listing,
        need: &Need,
        facts: &mut Facts,
    ) -> Result<(), FactError> {
        let tags = |facts: &Facts, lacks: fn(&Fact) -> bool| -> Vec<Tag> {
            need.tags.iter().filter(|tag| facts.get(*tag).is_none_or(lacks)).cloned().collect()
        };
        match need.what {
            Wanted::Pushed => {
                let wanted = tags(facts, |fact| fact.pushed.is_none());
                self.pushed(repository, listing).await?;
                for tag in wanted {
                    let pushed = self.pushed_ms(repository, &tag).map_or(Known::Unknown, |ms| Known::Is(ms.div_euclid(1000)));
                    facts.entry(tag).or_default().pushed = Some(pushed);
                }
                Ok(())
            }
            Wanted::Digest => self.digests(repository, listing, tags(facts, |fact| fact.digest.is_none()), facts).await,
            Wanted::Age => {
                let wanted = tags(facts, |fact| fact.age.is_none());
                self.digests(repository, listing, wanted.clone(), facts).await?;
                self.ages(repository, listing, wanted, facts).await;
                Ok(())
            }
            Wanted::Created => self.images(repository, listing, tags(facts, |fact| fact.created.is_none()), facts).await,
            Wanted::Platforms => self.images(repository, listing, tags(facts, |fact| fact.platforms.is_none()), facts).await,
        }
    }

    async fn digests(
        self: &Arc<Self>,
        repository: &Repository,
        listing: &Listing,
        tags: Vec<Tag>,
        facts: &mut Facts,
    ) -> Result<(), FactError> {
        let fresh = listing.age() < FRESH;
        let mut unknown = Vec::new();
        for tag in tags {
            if facts.get(&tag).is_some_and(|fact| fact.digest.is_some()) {
                continue;
            }
            match listing.digest(tag.as_tag_ref()).filter(|_| fresh) {
                Some(digest) => facts.entry(tag).or_default().digest = Some(Known::Is(digest)),
                None => unknown.push(tag),
            }
        }
        let ask = |client: Client, repository, tag: Tag| async move { absent(client.digest(&repository, tag.as_tag_ref()).await) };
        self.ask_each(repository, unknown, ask, |tag, digest: Known<Digest>| facts.entry(tag).or_default().digest = Some(digest)).await
    }

    async fn images(
        self: &Arc<Self>,
        repository: &Repository,
        listing: &Listing,
        tags: Vec<Tag>,
        facts: &mut Facts,
    ) -> Result<(), FactError> {
        self.digests(repository, listing, tags.clone(), facts).await?;
        let mut by_digest: HashMap<Digest, Vec<Tag>> = HashMap::new();
        for tag in tags {
            match facts.get(&tag).and_then(|fact| fact.digest.clone()) {
                Some(Known::Is(digest)) => by_digest.entry(digest).or_default().push(tag),
                _ => note_image(facts.entry(tag).or_default(), None),
            }
        }
        let digests = by_digest.keys().cloned().collect();
        let ask = |client: Client, repository, digest: Digest| async move { absent(client.image(&repository, &digest).await) };
        self.ask_each(repository, digests, ask, |digest, image: Known<Arc<Image>>| {
            let image = match &image {
                Known::Is(image) => Some(&**image),
                Known::Unknown => None,
            };
            for tag in by_digest.remove(&digest).unwrap_or_default() {
                note_image(facts.entry(tag).or_default(), image);
            }
        })
        .await
    }

    /// Works out ages: of when Tagboat first saw a tag with its digest and when it was pushed, the earlier counts.
    async fn ages(self: &Arc<Self>, repository: &Repository, listing: &Listing, tags: Vec<Tag>, facts: &mut Facts) {
        let digest = |tag: &Tag| match facts.get(tag).and_then(|fact| fact.digest.clone()) {
            Some(Known::Is(digest)) => Some((tag.clone(), digest)),
            _ => None,
        };
        let there = tags.iter().filter_map(digest).collect();
        let seen = self.ages.seen(repository, there, listing.tags().clone(), self.now).await;
        // Without push times a tag is as old as Tagboat knows it: that delays, and so is no failure.
        if let Err(error) = self.pushed(repository, listing).await {
            tracing::debug!(%repository, reason = %chain(&error), "ages are counted without push times");
        }
        for tag in tags {
            let since = seen.get(&tag).map(|&seen| self.pushed_ms(repository, &tag).map_or(seen, |pushed| pushed.min(seen)));
            let age = |since: i64| Duration::from_millis(self.now.as_millisecond().saturating_sub(since).try_into().unwrap_or(0));
            facts.entry(tag).or_default().age = Some(since.map_or(Known::Unknown, |since| Known::Is(age(since))));
        }
    }

    /// Learns the push times of a repository, once.
    async fn pushed(self: &Arc<Self>, repository: &Repository, listing: &Listing) -> Result<(), FactError> {
        if lock(&self.times).contains_key(repository) {
            return Ok(());
        }
        let listing = listing.clone();
        let ask = |client: Client, repository: Repository, listing: Listing| async move { client.pushed(&repository, &listing).await };
        let times = self.ask(self.way(repository), repository.clone(), listing, ask, PATIENCE_TIMES).await?;
        lock(&self.times).insert(repository.clone(), times);
        Ok(())
    }

    fn pushed_ms(&self, repository: &Repository, tag: &Tag) -> Option<i64> {
        let times = lock(&self.times);
        Some(times.get(repository)?.as_ref()?.get(tag.as_tag_ref())?.as_millisecond())
    }

    fn way(&self, repository: &Repository) -> Arc<Way> {
        let registry = repository.registry();
        let new = || Arc::new(Way { places: Semaphore::new(self.client.concurrency(registry).max(1)), silent: AtomicBool::new(false) });
        Arc::clone(lock(&self.ways).entry(registry.clone()).or_insert_with(new))
    }

    /// Asks for each of some things, and hands each answer over as it comes; ends with the first that fails.
    async fn ask_each<T, R, F>(
        self: &Arc<Self>,
        repository: &Repository,
        things: Vec<T>,
        ask: impl Fn(Client, Repository, T) -> F + Copy + Send + 'static,
        mut take: impl FnMut(T, R),
    ) -> Result<(), FactError>
    where
        T: Clone + Send + 'static,
        R: Send + 'static,
        F: Future<Output = Result<R, registry::Error>> + Send + 'static,
    {
        if things.len() > MOST_TAGS {
            return Err(FactError::TooMany { count: things.len() });
        }
        let way = self.way(repository);
        let mut running = JoinSet::new();
        for thing in things {
            let (learner, way, repository) = (Arc::clone(self), Arc::clone(&way), repository.clone());
            running.spawn(async move { (thing.clone(), learner.ask(way, repository, thing, ask, PATIENCE).await) });
        }
        while let Some(answered) = running.join_next().await {
            let (thing, answer) = answered?;
            take(thing, answer?);
        }
        Ok(())
    }

    async fn ask<T, R, F>(
        &self,
        way: Arc<Way>,
        repository: Repository,
        thing: T,
        ask: impl Fn(Client, Repository, T) -> F,
        patience: Duration,
    ) -> Result<R, FactError>
    where
        F: Future<Output = Result<R, registry::Error>>,
    {
        let registry = repository.registry().clone();
        // The semaphore is never closed.
        let _place = way.places.acquire().await;
        if way.silent.load(Ordering::Relaxed) {
            return Err(FactError::Skipped(registry));
        }
        if Instant::now() >= self.until {
            return Err(FactError::Late);
        }
        match timeout(patience, ask(self.client.clone(), repository, thing)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => {
                way.silent.store(true, Ordering::Relaxed);
                Err(FactError::Silent { registry, after: patience })
            }
        }
    }
}

/// What a registry does not have is known not to be there: a listing may name tags whose images are gone.
fn absent<T>(answer: Result<T, registry::Error>) -> Result<Known<T>, registry::Error> {
    match answer {
        Ok(value) => Ok(Known::Is(value)),
        Err(error) if error.is_not_found() => Ok(Known::Unknown),
        Err(error) => Err(error),
    }
}

fn note_image(fact: &mut Fact, image: Option<&Image>) {
    let created = image.and_then(|image| image.created).map(|at| Known::Is(at.as_second()));
    let platforms = image.map(|image| image.platforms.clone()).filter(|platforms| !platforms.is_empty()).map(Known::Is);
    fact.created = Some(created.unwrap_or(Known::Unknown));
    fact.platforms = Some(platforms.unwrap_or(Known::Unknown));
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Every change under these locks is complete when it is let go.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known to the decisions of one pass.
pub(super) struct Learned {
    learner: Arc<Learner>,
    facts: HashMap<Repository, Facts>,
    failures: HashMap<(Repository, Wanted), String>,
}

impl Learned {
    pub(super) fn new(learner: Arc<Learner>) -> Self {
        Self { learner, facts: HashMap::new(), failures: HashMap::new() }
    }

    /// Returns the moment to which ages are counted.
    pub(super) fn now(&self) -> Timestamp {
        self.learner.now()
    }

    pub(super) fn facts(&self, repository: &Repository) -> Option<&Facts> {
        self.facts.get(repository)
    }

    /// Returns why a fact of a repository's tags could not be learned, if so.
    pub(super) fn failure(&self, repository: &Repository, what: Wanted) -> Option<&str> {
        self.failures.get(&(repository.clone(), what)).map(String::as_str)
    }

    /// Learns what is wanted, all repositories at the same time.
    pub(super) async fn learn(&mut self, needs: Needs, listing: impl Fn(&Repository) -> Listing) {
        let mut running = JoinSet::new();
        for (repository, wanted) in needs {
            // A bug in the asking ends it for the repository and no other.
            for what in wanted.keys() {
                self.failures.insert((repository.clone(), *what), "the asking ended by a bug".to_owned());
            }
            let mut facts = self.facts.remove(&repository).unwrap_or_default();
            let (learner, listing) = (Arc::clone(&self.learner), listing(&repository));
            running.spawn(async move {
                let mut results = Vec::new();
                for (what, tags) in wanted {
                    let need = Need { tags: tags.into_iter().collect(), what };
                    results.push((what, learner.learn(&repository, &listing, &need, &mut facts).await));
                }
                (repository, facts, results)
            });
        }
        while let Some(ended) = running.join_next().await {
            let Ok((repository, facts, results)) = ended else { continue };
            for (what, result) in results {
                match result {
                    Ok(()) => self.failures.remove(&(repository.clone(), what)),
                    Err(error) => self.failures.insert((repository.clone(), what), chain(&error).to_string()),
                };
            }
            self.facts.insert(repository, facts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Config, Host};

    fn tags(count: usize) -> BTreeSet<Tag> {
        (0..count).map(|n| Tag::parse(&format!("1.{n}")).unwrap()).collect()
    }

    fn learner(repository: &Repository) -> Arc<Learner> {
        let mut config = Config::default();
        config.hosts.insert(repository.registry().clone(), Host { plain_http: true, ..Host::default() });
        Learner::new(Client::new(config).unwrap(), Arc::default())
    }

    fn listing() -> Listing {
        crate::image::TagList::default().into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_registry_that_hangs_costs_its_patience_once_a_pass() {
        // It takes connections, and never answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let repository = |name: &str| Repository::parse(&format!("{}/shop/{name}", silent.local_addr().unwrap())).unwrap();
        let mut learned = Learned::new(learner(&repository("api")));
        let begun = Instant::now();
        for _ in 0..3 {
            let needs = (0..20).map(|n| (repository(&format!("r{n}")), BTreeMap::from([(Wanted::Digest, tags(20))])));
            learned.learn(needs.collect(), |_| listing()).await;
        }
        assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
        let failures: Vec<_> = learned.failures.values().collect();
        assert_eq!(failures.len(), 20, "each has its reason");
        assert!(
            failures.iter().all(|reason| reason.contains("did not answer within 10 s") || reason.contains("was not asked")),
            "{failures:?}"
        );
    }

    #[tokio::test]
    async fn more_tags_than_any_registry_should_be_asked_for_are_refused_with_a_hint() {
        let repository = Repository::parse("127.0.0.1:1/shop/api").unwrap();
        let need = Need { tags: tags(MOST_TAGS + 1).into_iter().collect(), what: Wanted::Created };
        let error = learner(&repository).learn(&repository, &listing(), &need, &mut Facts::new()).await.unwrap_err();
        assert!(error.to_string().contains("2001 tags") && error.hint().is_some_and(|hint| hint.contains("filter")), "{error}");
    }
}
