//! Listings that an event asks for: at once, but not too often.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Inner, Observer};
use crate::image::Repository;

impl Observer {
    /// Has a repository listed at once, or as soon as it may be; says whether it is watched. If it is being listed, it is
    /// listed once more after that, since the tag may have come too late for the listing under way.
    pub(in crate::engine) fn due_now(self: &Arc<Self>, repository: &Repository) -> bool {
        let now = Instant::now();
        let mut inner = self.lock();
        let Some(entry) = inner.entries.get_mut(repository) else { return false };
        if entry.ask(now) {
            self.start_in_time(&mut inner, repository, now);
        }
        true
    }

    /// Starts the listing of a repository to the moment that it is due, not at the next tick; for those that an event asks for.
    pub(super) fn start_in_time(self: &Arc<Self>, inner: &mut Inner, repository: &Repository, now: Instant) {
        let Some(entry) = inner.entries.get_mut(repository) else { return };
        match entry.due {
            Some(due) if due <= now => {
                entry.begin(now);
                self.enqueue(inner, repository);
            }
            Some(due) => {
                let (observer, repository) = (Arc::clone(self), repository.clone());
                tokio::spawn(async move {
                    tokio::time::sleep_until(due).await;
                    observer.start_if_due(&repository);
                });
            }
            None => {}
        }
    }

    fn start_if_due(self: &Arc<Self>, repository: &Repository) {
        let (now, mut inner) = (Instant::now(), self.lock());
        // If it has been started meanwhile, whoever did that looks after the next time.
        if inner.entries.get(repository).is_some_and(|entry| entry.due.is_some_and(|due| due <= now)) {
            self.start_in_time(&mut inner, repository, now);
        }
    }
}
