//! Remembers the vectors of search texts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::OnceCell;

use super::{Embedder, Embedding, Error, ModelKey};

/// What an entry weighs beside its text and its numbers.
const OVERHEAD: u64 = 128;
/// What an entry is supposed to weigh when the cache is made: 384 numbers and a short text.
const USUAL_WEIGHT: u64 = 1_800;

type Key = (ModelKey, String);
/// A call that is under way, and what came of it.
type Call = OnceCell<Result<Arc<Embedding>, Arc<Error>>>;

/// The vectors of search texts, bounded in bytes. Callers that ask for the same text at the same time
/// wait for one call, and all of them get its vector or its error.
pub(super) struct QueryCache {
    cache: Cache<Key, Arc<Embedding>, Bytes>,
    /// Calls that somebody still waits for.
    under_way: Mutex<HashMap<Key, Weak<Call>>>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How well query vectors are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheStats {
    /// Searches whose vector was there, or on its way.
    pub hits: u64,
    /// Searches whose text was embedded.
    pub misses: u64,
    pub entries: u64,
    pub bytes: u64,
    pub capacity_bytes: u64,
}

impl CacheStats {
    /// Hits for each search, from 0 to 1; `None` before the first search.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    pub fn hit_rate(&self) -> Option<f64> {
        let searches = self.hits.saturating_add(self.misses);
        (searches > 0).then(|| self.hits as f64 / searches as f64)
    }
}

#[derive(Clone)]
struct Bytes;

impl Weighter<Key, Arc<Embedding>> for Bytes {
    fn weight(&self, (key, text): &Key, embedding: &Arc<Embedding>) -> u64 {
        let numbers = embedding.vector.as_ref().map_or(0, Vec::len);
        let bytes = 4 * numbers + text.len() + key.model.len();
        u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(OVERHEAD)
    }
}

impl QueryCache {
    pub(super) fn new(bytes: u64) -> Self {
        let entries = usize::try_from(bytes / USUAL_WEIGHT).unwrap_or(usize::MAX);
        let cache = Cache::with_weighter(entries.max(1), bytes, Bytes);
        Self {
            cache,
            under_way: Mutex::default(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// The remembered vector of a text, or a new one.
    pub(super) async fn get_or_embed(
        &self,
        key: &ModelKey,
        text: &str,
        embedder: &dyn Embedder,
    ) -> Result<Embedding, Error> {
        let entry = (key.clone(), text.to_owned());
        if let Some(embedding) = self.cache.get(&entry) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok((*embedding).clone());
        }
        let call = self.call(&entry);
        let mut is_made = false;
        // If whoever makes the call goes away, the next one in line makes it.
        let outcome = call.get_or_init(async || {
            is_made = true;
            let embedding = Arc::new(embedder.embed_query(text).await.map_err(Arc::new)?);
            self.cache.insert(entry.clone(), embedding.clone());
            Ok(embedding)
        });
        let outcome = outcome.await.clone();
        let counter = if is_made { &self.misses } else { &self.hits };
        counter.fetch_add(1, Ordering::Relaxed);
        self.forget(&entry, &call);
        outcome.map(|embedding| (*embedding).clone()).map_err(Error::Shared)
    }

    /// The call for a text that is under way, or a new one.
    fn call(&self, entry: &Key) -> Arc<Call> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = under_way.get(entry).and_then(Weak::upgrade) {
            return call;
        }
        // Calls whose callers all went away before the end are still listed.
        under_way.retain(|_, call| call.strong_count() > 0);
        let call = Arc::new(Call::new());
        under_way.insert(entry.clone(), Arc::downgrade(&call));
        call
    }

    /// Whoever comes after the end of a call does not get its error.
    fn forget(&self, entry: &Key, call: &Arc<Call>) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        if under_way.get(entry).is_some_and(|listed| listed.as_ptr() == Arc::as_ptr(call)) {
            under_way.remove(entry);
        }
    }

    pub(super) fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            entries: u64::try_from(self.cache.len()).unwrap_or(u64::MAX),
            bytes: self.cache.weight(),
            capacity_bytes: self.cache.capacity(),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::sync::Semaphore;
    use tokio::task::JoinSet;

    use super::*;
    use crate::embed::{Backend, Description};

    /// Answers when the test lets it; the text `bad` with an error.
    struct Slow {
        description: Description,
        calls: AtomicU64,
        allowed: Semaphore,
    }

    impl Slow {
        fn new(allowed: usize) -> Arc<Self> {
            let description = Description {
                backend: Backend::OpenAi,
                model: "slow".to_owned(),
                dimensions: 100,
                max_tokens: 10,
                batch: 1,
                price: None,
            };
            Arc::new(Self {
                description,
                calls: AtomicU64::new(0),
                allowed: Semaphore::new(allowed),
            })
        }

        fn calls(&self) -> u64 {
            self.calls.load(Ordering::SeqCst)
        }
    }

    #[async_trait]
    impl Embedder for Slow {
        fn description(&self) -> &Description {
            &self.description
        }

        async fn embed_documents(&self, _texts: &[String]) -> Result<Vec<Embedding>, Error> {
            Ok(Vec::new())
        }

        async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            self.allowed.acquire().await.expect("nobody closes it").forget();
            match text {
                "bad" => Err(Error::Unavailable { message: "away".to_owned(), retry_after: None }),
                _ => Ok(Embedding { vector: Some(vec![0.1; 100]), is_truncated: false }),
            }
        }

        async fn count_tokens(&self, _texts: &[String]) -> Result<Vec<usize>, Error> {
            Ok(Vec::new())
        }
    }

    fn ask(cache: &Arc<QueryCache>, slow: &Arc<Slow>, text: &'static str) -> JoinSet<bool> {
        let mut callers = JoinSet::new();
        for _ in 0..10 {
            let (cache, slow) = (cache.clone(), slow.clone());
            callers.spawn(async move {
                let key = slow.description.key();
                cache.get_or_embed(&key, text, slow.as_ref()).await.is_ok()
            });
        }
        callers
    }

    /// Lets other tasks run until so many callers wait for a call.
    async fn until_waiting(cache: &QueryCache, callers: usize) {
        let waiting = || {
            let under_way = cache.under_way.lock().unwrap();
            under_way.values().map(Weak::strong_count).sum::<usize>()
        };
        for _ in 0..1_000_000 {
            if waiting() == callers {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{} callers wait, not {callers}", waiting());
    }

    #[tokio::test]
    async fn callers_who_ask_at_the_same_time_share_one_call_and_its_error() {
        let (cache, slow) = (Arc::new(QueryCache::new(1 << 20)), Slow::new(0));
        for (text, is_ok, calls) in [("good", true, 1), ("bad", false, 2), ("bad", false, 3)] {
            let callers = ask(&cache, &slow, text);
            until_waiting(&cache, 10).await;
            slow.allowed.add_permits(1);
            assert_eq!(callers.join_all().await, [is_ok; 10], "{text}");
            assert_eq!(slow.calls(), calls, "an error is not remembered, a vector is");
        }
        assert_eq!(ask(&cache, &slow, "good").join_all().await, [true; 10]);
        let CacheStats { hits, misses, entries, .. } = cache.stats();
        assert_eq!((slow.calls(), hits, misses, entries), (3, 37, 3, 1));
        assert!(cache.under_way.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_leaves_the_call_to_the_next_one() {
        let (cache, slow) = (Arc::new(QueryCache::new(1 << 20)), Slow::new(0));
        let mut first = ask(&cache, &slow, "good");
        until_waiting(&cache, 10).await;
        let others = ask(&cache, &slow, "good");
        until_waiting(&cache, 20).await;
        assert_eq!(slow.calls(), 1);
        first.shutdown().await;
        slow.allowed.add_permits(1);
        assert_eq!(others.join_all().await, [true; 10]);
        assert_eq!(slow.calls(), 2);
        let mut all = ask(&cache, &slow, "other");
        until_waiting(&cache, 10).await;
        all.shutdown().await;
        slow.allowed.add_permits(1);
        assert_eq!(ask(&cache, &slow, "third").join_all().await, [true; 10]);
        assert!(cache.under_way.lock().unwrap().is_empty(), "dead calls are not kept");
    }

    #[tokio::test]
    async fn bytes_are_bounded() {
        let (cache, slow) = (QueryCache::new(10_000), Slow::new(1_000));
        let key = slow.description.key();
        for number in 0..200 {
            cache.get_or_embed(&key, &number.to_string(), slow.as_ref()).await.unwrap();
        }
        let stats = cache.stats();
        assert!(stats.bytes <= 10_000 && stats.entries >= 5, "{stats:?}");
        assert_eq!((stats.hits, stats.misses, stats.capacity_bytes), (0, 200, 10_000));
        assert_eq!(stats.hit_rate(), Some(0.0));
        assert_eq!(QueryCache::new(0).stats().hit_rate(), None);
    }
}
