//! Spreading pure work over the machine's cores.

use std::num::NonZero;
use std::thread;

/// Applies `work` to every item on all cores; the results keep the items' order.
pub(super) fn map<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    /// Below this many items a thread costs more than it saves.
    const WORTH_A_THREAD: usize = 16;
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len().div_ceil(WORTH_A_THREAD));
    if threads <= 1 {
        return items.into_iter().map(work).collect();
    }
    let share = items.len().div_ceil(threads);
    let mut items = items.into_iter();
    let work = &work;
    thread::scope(|scope| {
        let mut running = Vec::with_capacity(threads);
        loop {
            let part: Vec<T> = items.by_ref().take(share).collect();
            if part.is_empty() {
                break;
            }
            running.push(scope.spawn(move || part.into_iter().map(work).collect::<Vec<R>>()));
        }
        let join = |thread: thread::ScopedJoinHandle<'_, Vec<R>>| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        running.into_iter().flat_map(join).collect()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn order_is_kept() {
        for n in [0usize, 1, 15, 16, 17, 1000] {
            assert_eq!(super::map((0..n).collect(), |i| i * 2), (0..n).map(|i| i * 2).collect::<Vec<_>>());
        }
    }
}
