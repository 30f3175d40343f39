//! Answers that are kept for a while, so that those who ask the same at the same time cost one request.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::host::lock;

/// Answers by question: a bounded number of them, none older than its time to live.
///
/// Whoever asks while another's request is under way waits for it. A failure is not kept: the next who waits asks again.
pub(super) struct Memo<K, V> {
    kept: Mutex<HashMap<K, Kept<V>>>,
    /// How long an answer is good; none means for ever.
    life: Option<Duration>,
    most: usize,
}

struct Kept<V> {
    answer: Arc<OnceCell<V>>,
    born: Instant,
    used: Instant,
}

impl<K: Eq + Hash + Clone, V: Clone> Memo<K, V> {
    pub(super) fn new(life: Option<Duration>, most: usize) -> Self {
        Self { kept: Mutex::default(), life, most }
    }

    /// Returns the answer that is kept, else the one that `ask` gets, which is not even begun where it is not needed.
    pub(super) async fn get<E>(&self, question: &K, ask: impl Future<Output = Result<V, E>>) -> Result<V, E> {
        let cell = self.cell(question);
        cell.get_or_try_init(|| ask).await.cloned()
    }

    fn cell(&self, question: &K) -> Arc<OnceCell<V>> {
        let now = Instant::now();
        let mut kept = lock(&self.kept);
        if let Some(found) = kept.get_mut(question).filter(|found| self.life.is_none_or(|life| now - found.born < life)) {
            found.used = now;
            return Arc::clone(&found.answer);
        }
        if kept.len() >= self.most {
            self.make_room(&mut kept, now);
        }
        let answer = Arc::<OnceCell<V>>::default();
        kept.insert(question.clone(), Kept { answer: Arc::clone(&answer), born: now, used: now });
        answer
    }

    /// Forgets what is too old and, if that is not enough, the half that has not been used for longest.
    fn make_room(&self, kept: &mut HashMap<K, Kept<V>>, now: Instant) {
        kept.retain(|_, kept| self.life.is_none_or(|life| now - kept.born < life));
        if kept.len() >= self.most {
            let mut used: Vec<Instant> = kept.values().map(|kept| kept.used).collect();
            let middle = used.len() / 2;
            let (_, limit, _) = used.select_nth_unstable(middle);
            let limit = *limit;
            kept.retain(|_, kept| kept.used > limit);
        }
    }

    /// Forgets the answers to some questions.
    pub(super) fn forget(&self, is_one: impl Fn(&K) -> bool) {
        lock(&self.kept).retain(|question, _| !is_one(question));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LIFE: Duration = Duration::from_secs(5);

    async fn ask(memo: &Memo<u32, usize>, question: u32, asked: &AtomicUsize) -> usize {
        let ask = async { Ok::<_, ()>(asked.fetch_add(1, Ordering::SeqCst)) };
        memo.get(&question, ask).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_serves_until_it_is_old_or_forgotten() {
        let (memo, asked) = (Memo::new(Some(LIFE), 10), AtomicUsize::new(0));
        assert_eq!((ask(&memo, 1, &asked).await, ask(&memo, 1, &asked).await), (0, 0));
        tokio::time::advance(LIFE).await;
        assert_eq!(ask(&memo, 1, &asked).await, 1);
        assert_eq!(ask(&memo, 2, &asked).await, 2);
        memo.forget(|question| *question == 1);
        assert_eq!((ask(&memo, 1, &asked).await, ask(&memo, 2, &asked).await), (3, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_ask_at_once_share_one_request_but_not_its_failure() {
        let (memo, asked) = (Arc::new(Memo::<u32, usize>::new(None, 10)), Arc::new(AtomicUsize::new(0)));
        let all = (0..10).map(|_| {
            let (memo, asked) = (Arc::clone(&memo), Arc::clone(&asked));
            tokio::spawn(async move {
                let ask = async {
                    let nth = asked.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(LIFE).await;
                    if nth == 0 { Err(()) } else { Ok(nth) }
                };
                memo.get(&1, ask).await
            })
        });
        let mut answers = Vec::new();
        for one in all.collect::<Vec<_>>() {
            answers.push(one.await.unwrap());
        }
        answers.sort_unstable();
        assert_eq!(answers, [[Ok(1); 9].as_slice(), &[Err(())]].concat());
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_used_last_stays_when_room_is_needed() {
        let (memo, asked) = (Memo::new(None, 100), AtomicUsize::new(0));
        for n in 0..1000 {
            ask(&memo, n, &asked).await;
            tokio::time::advance(Duration::from_millis(1)).await;
            assert_eq!(ask(&memo, 0, &asked).await, 0, "used all the time");
            tokio::time::advance(Duration::from_millis(1)).await;
            assert!(lock(&memo.kept).len() <= 100);
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1000);
    }
}
