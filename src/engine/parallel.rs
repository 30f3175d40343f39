//! Spreading pure work over the machine's cores.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Applies `work` to every item on all cores; the results keep the items' order.
///
/// Every thread takes the next item when it is done with one, so none waits for a slower one, and neighbours are worked on
/// at about the same time.
pub(super) fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    /// Below this many items a thread costs more than it saves.
    const WORTH_A_THREAD: usize = 16;
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len().div_ceil(WORTH_A_THREAD));
    if threads <= 1 {
        return items.into_iter().map(work).collect();
    }
    let mut results = Vec::with_capacity(items.len());
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let run = || std::iter::from_fn(next).map(|(index, item)| (index, work(item))).collect::<Vec<_>>();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        for thread in running {
            results.extend(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn order_is_kept() {
        // Two threads take turns at the first items, so that neither has a run of them.
        let turns = thread::available_parallelism().map_or(1, NonZero::get).min(2);
        for n in [0usize, 1, 15, 16, 17, 1000] {
            let barrier = Barrier::new(if n > 16 { turns } else { 1 });
            let work = |i: usize| {
                if i < 4 {
                    barrier.wait();
                }
                i * 2
            };
            assert_eq!(super::map((0..n).collect(), work), (0..n).map(|i| i * 2).collect::<Vec<_>>());
        }
    }
}
