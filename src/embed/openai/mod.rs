//! OpenAI, or any server that speaks its API.

mod answer;
mod batches;
mod breaker;
mod client;
mod failure;
mod model;
mod retry;
mod tokens;

use std::sync::Arc;

use async_openai::types::embeddings::CreateEmbeddingResponse;
use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use retry::{Pace, Patience};

use super::{Backend, Description, Embedder, Embedding, Error, Meter, OpenAiSettings, Usage};
use batches::Prepared;
use breaker::{Admission, Breaker};
use client::Client;
use failure::Failure;
use model::Model;

/// Texts that a worker gives to the model at a time: four requests, which is a few seconds of work.
const BATCH: usize = 4 * batches::USUAL.texts;

/// A model behind the API of OpenAI. Cheap to clone.
#[derive(Clone)]
pub struct OpenAiEmbedder(Arc<Inner>);

struct Inner {
    description: Description,
    client: Client,
    pace: Pace,
    breaker: Arc<Breaker>,
    lanes: Lanes,
    meter: Meter,
}

/// How many requests may be under way. One place is kept for search texts where there are several, so
/// that nobody's search waits for the queue.
struct Lanes {
    all: Semaphore,
    documents: Semaphore,
}

/// What a request is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Documents,
    Query,
}

impl OpenAiEmbedder {
    /// Describes the model; nothing is sent before the first text.
    ///
    /// # Errors
    /// [`Error::Load`] where a setting is missing or does not fit the model; the message names it.
    pub fn new(
        settings: &OpenAiSettings,
        model: Option<&str>,
        dimensions: Option<usize>,
    ) -> Result<Self, Error> {
        Self::with_pace(settings, model, dimensions, Pace::default())
    }

    /// As [`Self::new`], with waits and limits of one's own.
    pub fn with_pace(
        settings: &OpenAiSettings,
        model: Option<&str>,
        dimensions: Option<usize>,
        pace: Pace,
    ) -> Result<Self, Error> {
        let model = Model::of(settings, model, dimensions)?;
        let description = Description {
            backend: Backend::OpenAi,
            model: model.name.clone(),
            dimensions: model.dimensions,
            max_tokens: settings.max_tokens,
            batch: BATCH,
            price: model.price,
        };
        let client = Client::new(settings, model)?;
        let breaker = Breaker::of(client.base_url());
        let lanes = Lanes::new(settings.concurrency);
        let meter = Meter::default();
        Ok(Self(Arc::new(Inner { description, client, pace, breaker, lanes, meter })))
    }
}

#[async_trait]
impl Embedder for OpenAiEmbedder {
    fn description(&self) -> &Description {
        &self.0.description
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        let max_tokens = self.0.description.max_tokens;
        let prepared = tokens::prepared(texts, max_tokens).await?;
        let mut requests = JoinSet::new();
        for batch in batches::cut(prepared, batches::USUAL) {
            let inner = self.0.clone();
            requests.spawn(async move { inner.batch(batch, Lane::Documents).await });
        }
        let mut embeddings = vec![Embedding { vector: None, is_truncated: false }; texts.len()];
        // Leaving early ends the other requests: whoever asked asks again for the whole batch.
        while let Some(outcome) = requests.join_next().await {
            for (index, embedding) in outcome.map_err(|_| Error::Panicked)?? {
                embeddings[index] = embedding;
            }
        }
        Ok(embeddings)
    }

    async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        let max_tokens = self.0.description.max_tokens;
        let prepared = tokens::prepared(&[text.to_owned()], max_tokens).await?;
        if prepared.is_empty() {
            return Ok(Embedding { vector: None, is_truncated: false });
        }
        let mut found = self.0.batch(prepared, Lane::Query).await.map_err(of_a_query)?;
        found.pop().map(|(_, embedding)| embedding).ok_or(Error::Count { expected: 1, actual: 0 })
    }

    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        tokens::counted(texts.to_vec()).await
    }

    fn meter(&self) -> Option<&Meter> {
        Some(&self.0.meter)
    }
}

/// A search needs a vector now: whatever is wrong with the answer, there is none.
fn of_a_query(error: Error) -> Error {
    match error {
        Error::Refused(_) | Error::Count { .. } | Error::Dimensions { .. } | Error::NotFinite => {
            Error::Unavailable { message: error.to_string(), retry_after: None }
        }
        Error::Load(_) | Error::Unavailable { .. } | Error::Panicked | Error::Shared(_) => error,
    }
}

impl Inner {
    /// The embeddings of one request, with the places of their texts.
    async fn batch(
        &self,
        batch: Vec<Prepared>,
        lane: Lane,
    ) -> Result<Vec<(usize, Embedding)>, Error> {
        let texts: Vec<String> = batch.iter().map(|text| text.text.clone()).collect();
        let response = self.response(&texts, lane).await?;
        let truncated = batch.iter().filter(|text| text.is_truncated).count();
        self.meter.add(Usage {
            requests: 0,
            texts: as_u64(texts.len()),
            tokens: response.usage.total_tokens.into(),
            truncated: as_u64(truncated),
        });
        let vectors = answer::vectors(response.data, texts.len(), self.description.dimensions)?;
        let embedded = batch.into_iter().zip(vectors).map(|(text, vector)| {
            (text.index, Embedding { vector, is_truncated: text.is_truncated })
        });
        Ok(embedded.collect())
    }

    /// What the provider answers, after as many attempts as the pace allows.
    async fn response(
        &self,
        texts: &[String],
        lane: Lane,
    ) -> Result<CreateEmbeddingResponse, Error> {
        let patience = match lane {
            Lane::Documents => &self.pace.documents,
            Lane::Query => &self.pace.queries,
        };
        let deadline = patience.budget.map(|budget| Instant::now() + budget);
        let mut attempts = 0;
        loop {
            let permit = self.lanes.enter(lane, deadline).await?;
            match self.breaker.admit(Instant::now(), &self.pace) {
                Admission::Go => {}
                Admission::Wait(wait) if patience.allows(wait, deadline) => {
                    drop(permit);
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Admission::Wait(wait) => return Err(Failure::asked_to_wait(wait).into()),
                Admission::Open { wait, last } => return Err(Failure::open(wait, &last).into()),
            }
            attempts += 1;
            self.meter.add(Usage { requests: 1, ..Usage::default() });
            let failure = match self.client.send(texts, deadline).await {
                Ok(response) => {
                    self.breaker.success();
                    return Ok(response);
                }
                Err(failure) => failure,
            };
            drop(permit);
            self.breaker.record(&failure, Instant::now(), &self.pace);
            match patience.next_wait(attempts, &failure, rand::random()) {
                Some(wait) if patience.allows(wait, deadline) => tokio::time::sleep(wait).await,
                Some(_) | None => return Err(failure.into()),
            }
        }
    }
}

impl Lanes {
    fn new(concurrency: usize) -> Self {
        let documents = concurrency.saturating_sub(1).max(1);
        Self { all: Semaphore::new(concurrency.max(1)), documents: Semaphore::new(documents) }
    }

    /// Waits for a place, at most until the deadline.
    async fn enter(&self, lane: Lane, deadline: Option<Instant>) -> Result<Places<'_>, Error> {
        let places = async {
            let documents = match lane {
                Lane::Documents => Some(self.documents.acquire().await),
                Lane::Query => None,
            };
            Ok(Places { _all: self.all.acquire().await?, _documents: documents.transpose()? })
        };
        let places: Result<_, tokio::sync::AcquireError> = match deadline {
            None => places.await,
            Some(deadline) => {
                tokio::time::timeout_at(deadline, places).await.map_err(|_| Failure::busy())?
            }
        };
        // Nobody closes the semaphores.
        places.map_err(|_| Failure::busy().into())
    }
}

/// Places that are given back when this is dropped.
struct Places<'a> {
    _all: SemaphorePermit<'a>,
    _documents: Option<SemaphorePermit<'a>>,
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
