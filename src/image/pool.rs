//! Texts that are held once, however often they are used.

use std::collections::HashSet;
use std::sync::Arc;

/// Texts that are held once.
///
/// The files of an environment repeat each other: the same paths, names and tags stand in most of them. What nobody else
/// holds any more is let go before the pool grows.
#[derive(Debug, Default)]
pub struct Pool(HashSet<Arc<str>>);

impl Pool {
    /// Puts the one copy in the place of an equal text.
    pub fn share(&mut self, text: &mut Arc<str>) {
        if let Some(held) = self.0.get(text) {
            text.clone_from(held);
            return;
        }
        if self.0.len() == self.0.capacity() {
            self.0.retain(|text| Arc::strong_count(text) > 1);
            // So it is a while until the next time.
            self.0.reserve(self.0.len().max(1));
        }
        self.0.insert(Arc::clone(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let mut pool = Pool::default();
        let mut texts: [Arc<str>; 3] = ["a".into(), "a".into(), "b".into()];
        texts.iter_mut().for_each(|text| pool.share(text));
        assert!(Arc::ptr_eq(&texts[0], &texts[1]) && &*texts[2] == "b");
    }

    #[test]
    fn a_pool_grows_with_what_is_held_alone() {
        let (mut pool, mut held) = (Pool::default(), Vec::new());
        for i in 0..10_000 {
            let mut text: Arc<str> = i.to_string().into();
            pool.share(&mut text);
            held.extend(Some(text).filter(|_| i % 100 == 0));
        }
        assert!(pool.0.len() < 1_000 && held.iter().all(|text| pool.0.contains(text)), "{}", pool.0.len());
    }
}
