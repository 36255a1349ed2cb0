//! Remembers the vectors of search texts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{Embedder, Embedding, Error, ModelKey};

/// What an entry weighs beside its text and its numbers.
const OVERHEAD: u64 = 128;
/// What an entry is supposed to weigh when the cache is made: 384 numbers and a short text.
const USUAL_WEIGHT: u64 = 1_800;

type Key = (ModelKey, String);

/// The vectors of search texts, bounded in bytes. Callers that ask for the same text at the same time
/// wait for one call.
pub(super) struct QueryCache {
    cache: Cache<Key, Arc<Embedding>, Bytes>,
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
        Self { cache, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// The remembered vector of a text, or a new one.
    pub(super) async fn get_or_embed(
        &self,
        key: &ModelKey,
        text: &str,
        embedder: &dyn Embedder,
    ) -> Result<Embedding, Error> {
        let mut is_made = false;
        let embed = async {
            is_made = true;
            embedder.embed_query(text).await.map(Arc::new)
        };
        let entry = (key.clone(), text.to_owned());
        let embedding = self.cache.get_or_insert_async(&entry, embed).await?;
        let counter = if is_made { &self.misses } else { &self.hits };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok((*embedding).clone())
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
