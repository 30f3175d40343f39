//! Waiting for several listings at once.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts down to the end of the listings that somebody waits for; it is open when there are none left.
#[derive(Debug, Default)]
pub(super) struct Latch {
    left: AtomicUsize,
    done: Notify,
}

impl Latch {
    pub(super) fn count_up(&self) {
        self.left.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn is_open(&self) -> bool {
        self.left.load(Ordering::Acquire) == 0
    }

    pub(super) fn count_down(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.notify_waiters();
        }
    }

    pub(super) async fn wait(&self) {
        loop {
            // The notification is armed before the count is read, so that none is missed.
            let done = self.done.notified();
            if self.is_open() {
                return;
            }
            done.await;
        }
    }
}
