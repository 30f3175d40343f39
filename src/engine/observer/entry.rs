//! A repository on the watch list, and what is told about its failures and its host's.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::latch::Latch;
use super::{Observed, jittered};
use crate::engine::edges::Edge;
use crate::engine::status::Listings;
use crate::error::{Classified, Verdict, chain};
use crate::image::{Digest, Repository, Tag, TagList};
use crate::registry::{self, Listing};
use crate::retry::Backoff;

/// How long a failing repository waits for its next listing: from the first failure, doubled up to the greatest.
const BACKOFF: Backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(15 * 60));

/// Between two listings of a repository that events ask for.
const PACE: Duration = Duration::from_secs(1);

/// After a listing that an event asked for and that shows nothing new, how long until the next: a registry may tell of a push
/// before it lists the tag, as distribution does.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Why a listing failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListingError {
    /// The registry could not be asked, or its answer not be used.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The listing ended by a panic.
    #[error("the listing ended by a bug")]
    Panicked(#[from] tokio::task::JoinError),
}

impl Classified for ListingError {
    fn verdict(&self) -> Verdict {
        match self {
            Self::Registry(error) => error.verdict(),
            Self::Panicked(_) => Verdict::Bug,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Registry(error) => error.hint(),
            Self::Panicked(_) => None,
        }
    }
}

/// A repository on the watch list.
pub(super) struct Entry {
    pub(super) interval: Duration,
    pub(super) observed: Observed,
    /// The last good listing of this run: what spares work the next time.
    pub(super) listing: Option<Listing>,
    /// What the tags that are followed by digest point to, as far as it could be learned.
    pub(super) followed: BTreeMap<Tag, Digest>,
    /// The generation in which `observed` last changed.
    pub(super) changed: u64,
    /// When it is to be listed next; none while it is queued or being listed.
    pub(super) due: Option<Instant>,
    /// Whether an event has asked for a listing that has not begun yet.
    asked: bool,
    /// Whether the listing that was begun last is one that an event asked for.
    is_for_event: bool,
    /// Before this no event brings the next listing forward.
    earliest: Option<Instant>,
    failures: u32,
    edge: Edge,
    pub(super) waiters: Vec<Arc<Latch>>,
    pub(super) listings: Listings,
}

/// A host whose failures are told once for all its repositories, until none of them meets one any more.
#[derive(Default)]
pub(super) struct Host {
    edge: Edge,
    /// The repositories whose last listing failed by the host's fault.
    failing: HashSet<Repository>,
}

impl Host {
    fn fails_for(&mut self, repository: &Repository) -> &mut Edge {
        self.failing.insert(repository.clone());
        &mut self.edge
    }

    fn works_for(&mut self, repository: &Repository, now: std::time::Instant) {
        if self.failing.remove(repository) && self.failing.is_empty() {
            let registry = repository.registry();
            self.edge.succeeded(now, |since| tracing::info!(%registry, failing_for = %since, "recovered"));
        }
    }

    /// Forgets repositories that are not watched any more.
    pub(super) fn forget_all_but(&mut self, kept: impl Fn(&Repository) -> bool) {
        self.failing.retain(kept);
        if self.failing.is_empty() {
            self.edge = Edge::default();
        }
    }
}

impl Entry {
    pub(super) fn new(interval: Duration, tags: Option<TagList>, now: Instant) -> Self {
        let observed = Observed { tags, ..Observed::default() };
        Self {
            interval,
            observed,
            listing: None,
            followed: BTreeMap::new(),
            changed: 0,
            due: Some(now),
            asked: false,
            is_for_event: false,
            earliest: None,
            failures: 0,
            edge: Edge::default(),
            waiters: Vec::new(),
            listings: Listings::default(),
        }
    }

    /// Notes that an event wants a listing, one that begins after now; says whether nobody has seen to it that it begins in time.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        let before = (self.asked, self.due);
        self.asked = true;
        self.bring_forward(now);
        self.due.is_some() && before != (true, self.due)
    }

    /// Says whether an event waits for the next listing.
    pub(super) fn is_asked(&self) -> bool {
        self.asked
    }

    /// Makes the next listing due as early as the events since the last one want it and as it may be.
    pub(super) fn bring_forward(&mut self, now: Instant) {
        if self.asked {
            let at = self.earliest.map_or(now, |earliest| earliest.max(now));
            self.due = self.due.map(|due| due.min(at));
        }
    }

    /// Notes that a listing is begun, or is queued; which events wanted it is then of no interest.
    pub(super) fn begin(&mut self, now: Instant) {
        self.due = None;
        self.is_for_event = std::mem::take(&mut self.asked);
        if self.is_for_event {
            self.earliest = Some(now + PACE);
        }
    }

    /// Makes a second look due if a good listing that an event asked for has shown nothing new; says whether it has.
    pub(super) fn look_again(&mut self, now: Instant) -> bool {
        let is_doubtful = self.is_for_event && self.observed.failure.is_none();
        if is_doubtful {
            self.due = self.due.map(|due| due.min(now + SECOND_LOOK));
        }
        is_doubtful
    }

    /// Notes a good listing.
    pub(super) fn succeeded(&mut self, repository: &Repository, host: &mut Host, listing: Listing) {
        let (registry, now) = (repository.registry(), Instant::now().into_std());
        host.works_for(repository, now);
        self.edge.succeeded(now, |since| tracing::info!(%registry, %repository, failing_for = %since, "recovered"));
        self.failures = 0;
        let invalid = |listing: &Listing| listing.omitted().invalid;
        let count = invalid(&listing);
        if count > 0 && self.listing.as_ref().is_none_or(|before| invalid(before) == 0) {
            tracing::warn!(%registry, %repository, count, "the registry lists what cannot be tags; these are left out");
        }
        // An unchanged listing comes back as the one that was known, so that it takes no second place in memory.
        self.observed = Observed { tags: Some(listing.tags().clone()), digests: self.followed.clone(), failure: None };
        self.listing = Some(listing);
        self.listings.succeeded();
    }

    /// Notes a failed listing; returns the delay until the next.
    pub(super) fn failed(&mut self, repository: &Repository, host: &mut Host, error: &ListingError) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let reason: Arc<str> = chain(error).to_string().into();
        let delay = match error.verdict() {
            Verdict::Retry { after: None } => BACKOFF.delay(self.failures).min(self.interval),
            Verdict::Retry { after: Some(after) } => BACKOFF.delay(self.failures).min(self.interval).max(after),
            Verdict::Stalled | Verdict::Bug => jittered(self.interval),
        };
        if matches!(error.verdict(), Verdict::Retry { .. }) {
            // A registry in trouble is not asked more often because it sends events.
            self.earliest = Some(Instant::now() + delay);
        }
        self.tell(repository, host, error, &reason, delay);
        self.listings.failed(&reason, error);
        self.observed.failure = Some(reason);
        delay
    }

    /// Tells a failure: one of the host is told once for all its repositories.
    fn tell(&mut self, repository: &Repository, host: &mut Host, error: &ListingError, reason: &Arc<str>, delay: Duration) {
        let (registry, now) = (repository.registry(), Instant::now().into_std());
        let (hint, verdict, next_try) = (error.hint(), error.verdict().as_str(), format!("{}s", delay.as_secs()));
        let hint = hint.as_deref();
        if matches!(error, ListingError::Registry(error) if error.is_of_the_host()) {
            host.fails_for(repository).failed(now, reason, |count, since| {
                tracing::warn!(%registry, %reason, hint, verdict, count, failing_for = %since, next_try, "the registry fails; what was listed before stays in use");
            });
            return;
        }
        host.works_for(repository, now);
        let effect = if self.observed.tags.is_some() {
            "listing failed; the last good listing stays in use"
        } else {
            "listing failed; nothing is decided"
        };
        self.edge.failed(now, reason, |count, since| {
            tracing::warn!(%registry, %repository, %reason, hint, verdict, count, failing_for = %since, next_try, "{effect}");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_recovered_when_none_of_its_repositories_fails_any_more() {
        let repository = |name: &str| Repository::parse(&format!("ghcr.io/acme/{name}")).unwrap();
        let (mut host, now) = (Host::default(), std::time::Instant::now());
        let mut told = 0;
        let reason: Arc<str> = "503".into();
        host.fails_for(&repository("bad")).failed(now, &reason, |_, _| told += 1);
        for _ in 0..10 {
            // A neighbour that works does not end the failure, so that the next one is no news.
            host.works_for(&repository("good"), now);
            host.fails_for(&repository("bad")).failed(now, &reason, |_, _| told += 1);
        }
        assert_eq!(told, 1);
        host.works_for(&repository("bad"), now);
        host.fails_for(&repository("bad")).failed(now, &reason, |_, _| told += 1);
        assert_eq!(told, 2, "after it had recovered it is news");
        host.forget_all_but(|_| false);
        host.fails_for(&repository("good")).failed(now, &reason, |_, _| told += 1);
        assert_eq!(told, 3);
    }

    const HOUR: Duration = Duration::from_secs(3600);

    /// An entry that was listed at `now` and is due in an hour.
    fn listed(now: Instant) -> Entry {
        let mut entry = Entry::new(HOUR, None, now);
        entry.begin(now);
        entry.due = Some(now + HOUR);
        entry
    }

    #[test]
    fn the_first_event_makes_it_due_at_once_and_those_that_follow_change_nothing() {
        let now = Instant::now();
        let mut entry = listed(now);
        assert!(entry.ask(now) && entry.due == Some(now));
        entry.begin(now);
        assert!(!entry.is_asked() && entry.due.is_none());
        entry.due = Some(now + HOUR);
        assert!(entry.ask(now + PACE / 4), "the next one is to be begun in time");
        assert_eq!(entry.due, Some(now + PACE), "at most one a second");
        assert!(!entry.ask(now + PACE / 2), "which has been seen to");
        assert_eq!(entry.due, Some(now + PACE));
    }

    #[test]
    fn an_event_during_a_listing_is_remembered_until_it_ends() {
        let now = Instant::now();
        let mut entry = listed(now);
        entry.begin(now);
        assert!(!entry.ask(now), "nothing can be begun yet");
        entry.due = Some(now + HOUR);
        entry.bring_forward(now);
        assert!(entry.is_asked() && entry.due == Some(now));
    }

    #[test]
    fn a_listing_for_an_event_that_shows_nothing_new_is_made_once_more() {
        let now = Instant::now();
        let mut entry = listed(now);
        assert!(!entry.look_again(now) && entry.due == Some(now + HOUR), "no event had asked for it");
        entry.ask(now);
        entry.begin(now);
        entry.due = Some(now + HOUR);
        assert!(entry.look_again(now) && entry.due == Some(now + SECOND_LOOK));
        entry.begin(now + SECOND_LOOK);
        entry.due = Some(now + HOUR);
        assert!(!entry.look_again(now) && entry.due == Some(now + HOUR), "twice is enough");
    }

    #[test]
    fn a_listing_that_is_due_sooner_than_an_event_may_ask_for_one_stays() {
        let now = Instant::now();
        let mut entry = listed(now);
        entry.earliest = Some(now + PACE);
        entry.due = Some(now + PACE / 2);
        entry.ask(now);
        assert_eq!(entry.due, Some(now + PACE / 2));
    }

    #[tokio::test]
    async fn events_do_not_shorten_the_wait_for_a_registry_in_trouble() {
        let client =
            registry::Client::new(registry::Config { backoff: Backoff::new(PACE / 1000, PACE / 1000), ..Default::default() }).unwrap();
        let repository = Repository::parse("127.0.0.1:1/shop/api").unwrap();
        let error = ListingError::from(client.tags(&repository).await.unwrap_err());
        assert!(matches!(error.verdict(), Verdict::Retry { .. }), "{error}");
        let (now, mut host) = (Instant::now(), Host::default());
        let mut entry = listed(now);
        let delay = entry.failed(&repository, &mut host, &error);
        entry.due = Some(Instant::now() + delay);
        entry.ask(now);
        assert!(entry.due.unwrap() >= now + delay && delay >= PACE * 5, "{delay:?}");
        let later = entry.due.unwrap();
        entry.begin(later);
        entry.succeeded(&repository, &mut host, Listing::from(TagList::default()));
        entry.due = Some(later + HOUR);
        entry.ask(later);
        assert_eq!(entry.due, Some(later + PACE), "once it works again, events count again");
    }
}
