//! Embedders that misbehave.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use kindred::embed::{Backend, Description, Embedder, Embedding, Error, StaticEmbedder};
use tokio::sync::Notify;

/// What a misbehaving embedder does with a text that holds its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Fails the whole call, with a canary in the error.
    Fails,
    /// Panics, with a canary in the message.
    Panics,
    /// Returns one vector too few.
    Loses,
    /// Never returns.
    Hangs,
}

/// What no client may ever read.
pub(crate) const CANARY: &str = "canary-7f3a";

/// The server's embedder, except that texts with a certain word meet a fault, and calls are counted.
pub(crate) struct FlakyEmbedder {
    inner: Arc<dyn Embedder>,
    word: &'static str,
    fault: Fault,
    /// Texts that were embedded, queries not counted.
    pub(crate) texts: AtomicUsize,
    /// What they were.
    pub(crate) seen: Mutex<Vec<String>>,
    /// Calls with documents.
    pub(crate) calls: AtomicUsize,
    /// Faults that are still to come.
    left: AtomicUsize,
    /// Says that a call hangs.
    pub(crate) hangs: Notify,
}

impl FlakyEmbedder {
    /// Always meets the fault on the word.
    pub(crate) fn on(word: &'static str, fault: Fault, inner: Arc<dyn Embedder>) -> Arc<Self> {
        Self::times(usize::MAX, word, fault, inner)
    }

    /// Meets the fault on the word so many times.
    pub(crate) fn times(
        left: usize,
        word: &'static str,
        fault: Fault,
        inner: Arc<dyn Embedder>,
    ) -> Arc<Self> {
        let (texts, calls) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (left, hangs) = (AtomicUsize::new(left), Notify::new());
        let seen = Mutex::default();
        Arc::new(Self { inner, word, fault, texts, seen, calls, left, hangs })
    }

    /// Only counts.
    pub(crate) fn counting(inner: Arc<dyn Embedder>) -> Arc<Self> {
        Self::times(0, "", Fault::Fails, inner)
    }

    fn meets_fault(&self, text: &str) -> bool {
        text.contains(self.word)
            && self
                .left
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok()
    }

    async fn fail(&self) -> Result<(), Error> {
        match self.fault {
            Fault::Fails => Err(Error::Refused(format!("{CANARY} {}", self.word))),
            Fault::Panics => panic!("{CANARY} {}", self.word),
            Fault::Loses => Ok(()),
            Fault::Hangs => {
                self.hangs.notify_one();
                std::future::pending().await
            }
        }
    }
}

#[async_trait]
impl Embedder for FlakyEmbedder {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let is_faulty = texts.iter().any(|text| self.meets_fault(text));
        if is_faulty {
            self.fail().await?;
        }
        self.texts.fetch_add(texts.len(), Ordering::SeqCst);
        self.seen.lock().unwrap().extend_from_slice(texts);
        let mut vectors = self.inner.embed_documents(texts).await?;
        if is_faulty {
            vectors.pop();
        }
        Ok(vectors)
    }

    async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        if self.meets_fault(text) {
            self.fail().await?;
        }
        self.inner.embed_query(text).await
    }

    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        self.inner.count_tokens(texts).await
    }
}

/// Holds every call until the test lets it go.
pub(crate) struct GateEmbedder {
    inner: Arc<dyn Embedder>,
    pub(crate) entered: Notify,
    pub(crate) open: Notify,
}

impl GateEmbedder {
    pub(crate) fn new(inner: Arc<dyn Embedder>) -> Arc<Self> {
        Arc::new(Self { inner, entered: Notify::new(), open: Notify::new() })
    }
}

#[async_trait]
impl Embedder for GateEmbedder {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        self.entered.notify_one();
        self.open.notified().await;
        self.inner.embed_documents(texts).await
    }

    async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        self.inner.embed_query(text).await
    }

    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        self.inner.count_tokens(texts).await
    }
}

/// Another model than the server's own, with a space of its own: one dimension more, small batches, and
/// it can be away.
pub(crate) struct OtherModel {
    inner: Arc<dyn Embedder>,
    description: Description,
    is_away: AtomicBool,
    /// Calls with documents.
    pub(crate) calls: AtomicUsize,
}

impl OtherModel {
    pub(crate) const NAME: &str = "other";
    pub(crate) const BATCH: usize = 10;
    /// What it says to whoever asks while it is away.
    pub(crate) const RETRY_AFTER: Duration = Duration::from_hours(1);

    pub(crate) fn new(inner: Arc<dyn Embedder>) -> Arc<Self> {
        let description = Description {
            backend: Backend::Local,
            model: Self::NAME.to_owned(),
            dimensions: inner.description().dimensions + 1,
            batch: Self::BATCH,
            ..inner.description().clone()
        };
        Arc::new(Self { inner, description, is_away: false.into(), calls: AtomicUsize::new(0) })
    }

    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::SeqCst);
    }

    fn answer(&self) -> Result<(), Error> {
        match self.is_away.load(Ordering::SeqCst) {
            true => Err(Error::Unavailable {
                message: "it is away".to_owned(),
                retry_after: Some(Self::RETRY_AFTER),
            }),
            false => Ok(()),
        }
    }
}

/// Still of length 1.
fn longer(embedding: Embedding) -> Embedding {
    let vector = embedding.vector.map(|mut vector| {
        vector.push(0.0);
        vector
    });
    Embedding { vector, ..embedding }
}

#[async_trait]
impl Embedder for OtherModel {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.answer()?;
        Ok(self.inner.embed_documents(texts).await?.into_iter().map(longer).collect())
    }

    async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        self.answer()?;
        Ok(longer(self.inner.embed_query(text).await?))
    }

    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        self.inner.count_tokens(texts).await
    }
}

/// A model of its own name whose vectors are the first half of the bundled model's: other lengths, other
/// similarities, other orders.
pub(crate) struct HalfEmbedder {
    inner: StaticEmbedder,
    description: Description,
    /// Texts that were embedded, queries not counted.
    pub(crate) texts: AtomicUsize,
}

impl HalfEmbedder {
    pub(crate) const MODEL: &str = "half-of-it";

    pub(crate) fn new() -> Arc<Self> {
        let inner = StaticEmbedder::bundled().unwrap();
        let own = inner.description();
        let (model, dimensions) = (Self::MODEL.to_owned(), own.dimensions / 2);
        let description = Description { model, dimensions, ..own.clone() };
        Arc::new(Self { inner, description, texts: AtomicUsize::new(0) })
    }

    fn half(&self, mut embedding: Embedding) -> Embedding {
        embedding.vector = embedding.vector.map(|mut vector| {
            vector.truncate(self.description.dimensions);
            let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
            vector.iter().map(|value| value / length).collect()
        });
        embedding
    }
}

#[async_trait]
impl Embedder for HalfEmbedder {
    fn description(&self) -> &Description {
        &self.description
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        self.texts.fetch_add(texts.len(), Ordering::SeqCst);
        let whole = self.inner.embed_documents(texts).await?;
        Ok(whole.into_iter().map(|embedding| self.half(embedding)).collect())
    }

    async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        Ok(self.half(self.inner.embed_query(text).await?))
    }

    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        self.inner.count_tokens(texts).await
    }
}
