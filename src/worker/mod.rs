//! Embeds what is queued: claims tasks in batches, embeds their texts, stores the vectors.
//!
//! No transaction is open while a model works. A task that fails alone never fails its batch.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use crate::embed::{self, Embedding};
use crate::model::{Kind, Scope, Space};
use crate::service::{Error, Services};
use crate::store::task::{self, Claimed, Outcome};

/// Tasks of one claim.
const BATCH: i64 = 2_000;
/// A worker that does not finish within this time loses its tasks to others.
const LEASE: Duration = Duration::from_mins(1);
/// How long to wait when nothing is due and nobody calls.
const IDLE: Duration = Duration::from_secs(1);
/// Waits after the first failure; it doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(2);

/// Embeds queued texts.
pub struct Worker {
    services: Services,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It worked on this many tasks.
    Tasks(usize),
    /// Nothing was due.
    Nothing,
}

impl Worker {
    pub fn new(services: Services) -> Self {
        Self { services }
    }

    /// Works until `stop` turns true.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        let mut is_tidy = false;
        while !*stop.borrow() {
            match self.step(&mut is_tidy).await {
                Ok(Ran::Tasks(_)) => continue,
                Ok(Ran::Nothing) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "The worker could not go on; trying again soon");
                }
            }
            tokio::select! {
                () = self.services.wake_worker.notified() => {}
                () = tokio::time::sleep(IDLE) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// One step; when the queue runs empty, what is worth doing then.
    async fn step(&self, is_tidy: &mut bool) -> Result<Ran, Error> {
        let ran = self.run_once().await?;
        match ran {
            Ran::Tasks(_) => *is_tidy = false,
            Ran::Nothing if !*is_tidy => {
                self.services.maintain_in_background();
                *is_tidy = true;
            }
            Ran::Nothing => {}
        }
        Ok(ran)
    }

    /// Works until nothing is due any more.
    pub async fn run_until_idle(&self) -> Result<(), Error> {
        while self.run_once().await? != Ran::Nothing {}
        self.services.maintain().await
    }

    /// Claims one batch and embeds it.
    pub async fn run_once(&self) -> Result<Ran, Error> {
        let db = self.services.db();
        let scope = Scope::system();
        self.services.feed_backfills().await?;
        let now = self.services.clock().now();
        let lease = self.services.clock().new_id();
        let claimed = task::claim(db, scope, lease, LEASE, BATCH, now).await?;
        if claimed.is_empty() {
            task::give_up_expired(db, scope, now).await?;
            return Ok(Ran::Nothing);
        }
        let spaces = self.services.all_spaces_by_id().await?;
        let mut groups: HashMap<(Uuid, Kind), Vec<&Claimed>> = HashMap::new();
        for task in &claimed {
            groups.entry((task.space_id, task.kind)).or_default().push(task);
        }
        for ((space_id, kind), tasks) in groups {
            let Some(space) = spaces.get(&space_id) else { continue };
            self.embed(space, kind, lease, &tasks).await?;
        }
        self.services.record_usage().await;
        Ok(Ran::Tasks(claimed.len()))
    }

    async fn embed(
        &self,
        space: &Space,
        kind: Kind,
        lease: Uuid,
        tasks: &[&Claimed],
    ) -> Result<(), Error> {
        let embedder = self.services.embedder_of(space)?;
        let texts: Vec<String> = tasks.iter().map(|task| task.text.clone()).collect();
        // In a task of its own: a text that makes the model panic is one that it cannot embed.
        let embedding = tokio::spawn({
            let embedder = embedder.clone();
            async move { embedder.embed_documents(&texts).await }
        });
        match embedding.await.unwrap_or(Err(embed::Error::Panicked)) {
            Ok(embeddings) if embeddings.len() == tasks.len() => {
                self.store(space, kind, lease, tasks, embeddings).await
            }
            Ok(embeddings) => {
                let error = embed::Error::Count { expected: tasks.len(), actual: embeddings.len() };
                self.fail(lease, tasks, &error.to_string(), true).await
            }
            // One text may spoil a batch: embed them one by one, so that only that one fails.
            Err(error) if tasks.len() > 1 && !error.is_transient() => {
                for task in tasks {
                    Box::pin(self.embed(space, kind, lease, &[task])).await?;
                }
                Ok(())
            }
            Err(error) => self.fail(lease, tasks, &error.to_string(), true).await,
        }
    }

    async fn store(
        &self,
        space: &Space,
        kind: Kind,
        lease: Uuid,
        tasks: &[&Claimed],
        embeddings: Vec<Embedding>,
    ) -> Result<(), Error> {
        let mut done = Vec::with_capacity(tasks.len());
        let mut unknown = Vec::new();
        for (task, embedding) in tasks.iter().zip(embeddings) {
            match embedding {
                Embedding { vector: Some(vector), .. } => done.push((*task, vector)),
                Embedding { vector: None, .. } => unknown.push(*task),
            }
        }
        let now = self.services.clock().now();
        let db = self.services.db();
        task::complete(db, Scope::system(), space, kind, lease, &done, now).await?;
        if !unknown.is_empty() {
            let message = "the model knows no word of this text";
            self.fail(lease, &unknown, message, false).await?;
        }
        Ok(())
    }

    async fn fail(
        &self,
        lease: Uuid,
        tasks: &[&Claimed],
        message: &str,
        may_retry: bool,
    ) -> Result<(), Error> {
        tracing::warn!(count = tasks.len(), "Could not embed {} texts: {message}", tasks.len());
        let ids: Vec<Uuid> = tasks.iter().map(|task| task.id).collect();
        let attempts = tasks.iter().map(|task| task.attempts).max().unwrap_or(1);
        let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(6);
        let outcome = match may_retry {
            true => Outcome::Retry(self.services.clock().now() + BACKOFF * 2_u32.pow(doublings)),
            false => Outcome::GiveUp,
        };
        task::fail(self.services.db(), Scope::system(), lease, &ids, message, outcome).await?;
        Ok(())
    }
}
