//! Embeds what is queued: claims tasks in batches, embeds their texts, stores the vectors.
//!
//! No transaction is open while a model works. A task that fails alone never fails its batch, and one
//! space or kind never waits behind another.

mod batch;
mod pauses;
mod rotation;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::embed::Embedder;
use crate::model::{Scope, Space, with_causes};
use crate::service::{Error, Services};
use crate::store::lease::{self, Claim, Claimed, Lane, Origin};
use crate::store::{self, listen, space};
use batch::{Ended, Held};
use pauses::{Away, Pauses};
use rotation::Rotation;

/// How long a batch that is under way may take to end when the worker stops.
const GRACE: Duration = Duration::from_secs(3);
/// Orphans are tried one at a time, and others wait no longer than this for them.
const ORPHANS: Duration = Duration::from_secs(1);
/// How long to wait before listening again.
const DEAF: Duration = Duration::from_secs(5);

/// Embeds queued texts.
pub struct Worker {
    services: Services,
    rotation: Mutex<Rotation>,
    pauses: Mutex<Pauses>,
    /// Leases of the batches that are under way.
    held: Mutex<Vec<(Uuid, Origin)>>,
}

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It worked on this many tasks.
    Tasks(usize),
    /// Nothing was due that could be embedded.
    Nothing,
}

/// What a lane is embedded with.
struct Model {
    space: Space,
    embedder: Arc<dyn Embedder>,
}

impl Worker {
    pub fn new(services: Services) -> Self {
        Self {
            services,
            rotation: Mutex::default(),
            pauses: Mutex::default(),
            held: Mutex::default(),
        }
    }

    /// Works until `stop` turns true. A batch that is under way then has a few seconds to end;
    /// otherwise its tasks are given back.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        // Dropping the set ends what is in it.
        let mut ears = JoinSet::new();
        ears.spawn(hear(self.services.clone()));
        let mut is_tidy = false;
        while !*stop.borrow() {
            let outcome = tokio::select! {
                outcome = self.step(&mut is_tidy) => outcome,
                () = patience_ends(stop.clone()) => break,
            };
            match outcome {
                Ok(Ran::Tasks(_)) => continue,
                Ok(Ran::Nothing) => {}
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "The worker could not go on; trying again soon");
                }
            }
            tokio::select! {
                () = self.services.wake_worker.notified() => {}
                () = tokio::time::sleep(self.nap()) => {}
                () = stopped(stop.clone()) => {}
            }
        }
        self.let_go().await;
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

    /// Works until nothing is due any more that could be embedded.
    pub async fn run_until_idle(&self) -> Result<(), Error> {
        while self.run_once().await? != Ran::Nothing {}
        self.services.maintain().await
    }

    /// Claims one batch of the lane whose turn it is and embeds it.
    pub async fn run_once(&self) -> Result<Ran, Error> {
        self.services.feed_backfills().await?;
        let (db, now) = (self.services.db(), self.services.clock().now());
        let lanes = lease::lanes(db, Scope::system(), now).await?;
        let lanes = lock(&self.rotation).in_turn(lanes);
        for lane in lanes {
            if lock(&self.pauses).is_paused(lane.space_id) {
                continue;
            }
            let Some(model) = self.model(lane).await? else { continue };
            let count = self.serve(lane, &model).await?;
            self.services.record_usage().await;
            if count > 0 {
                lock(&self.rotation).served(lane);
                return Ok(Ran::Tasks(count));
            }
        }
        Ok(Ran::Nothing)
    }

    /// Why texts wait that this worker will not embed before somebody changes its settings.
    pub fn obstacle(&self) -> Option<String> {
        lock(&self.pauses).obstacle()
    }

    /// The model of a lane; `None`, and a pause, where this process cannot use it.
    async fn model(&self, lane: Lane) -> Result<Option<Model>, Error> {
        let mut known = self.services.all_spaces_by_id().await?.remove(&lane.space_id);
        if known.is_none() {
            // It was made since what is known was read.
            let all = space::all(self.services.db(), Scope::system()).await?;
            known = all.into_iter().map(|(space, _)| space).find(|space| space.id == lane.space_id);
        }
        let Some(space) = known else { return Ok(None) };
        match self.services.embedder_of(&space) {
            Ok(embedder) => Ok(Some(Model { space, embedder })),
            Err(error) => {
                let why = with_causes(&error);
                let away = Away { why, retry_after: None, is_lasting: true };
                lock(&self.pauses).pause(&space, &away);
                Ok(None)
            }
        }
    }

    /// Embeds a batch of a lane, or its orphans for a while. Returns how many tasks that were.
    async fn serve(&self, lane: Lane, model: &Model) -> Result<usize, Error> {
        match lane.origin {
            Origin::Queued => {
                let batch = model.embedder.description().batch.max(1);
                let limit = i64::try_from(batch).unwrap_or(i64::MAX);
                let (count, _) = self.serve_batch(lane, model, limit).await?;
                Ok(count)
            }
            Origin::Orphaned => self.serve_orphans(lane, model).await,
        }
    }

    /// Tries orphans one at a time, so that the one that stops the process stops no other's turn.
    async fn serve_orphans(&self, lane: Lane, model: &Model) -> Result<usize, Error> {
        let (started, mut all) = (Instant::now(), 0);
        let (db, now) = (self.services.db(), self.services.clock().now());
        lease::give_up_expired(db, Scope::system(), now).await?;
        while started.elapsed() < ORPHANS {
            let (count, ended) = self.serve_batch(lane, model, 1).await?;
            all += count;
            if count == 0 || ended != Ended::Done {
                break;
            }
        }
        Ok(all)
    }

    /// Claims at most `limit` tasks and embeds them. Tasks that are given back do not count.
    async fn serve_batch(
        &self,
        lane: Lane,
        model: &Model,
        limit: i64,
    ) -> Result<(usize, Ended), Error> {
        let (db, clock) = (self.services.db(), self.services.clock());
        let token = clock.new_id();
        let claim = Claim { lane, token, lease: self.services.queue_policy().lease, limit };
        lock(&self.held).push((token, lane.origin));
        let claimed = lease::claim(db, Scope::system(), claim, clock.now()).await;
        let outcome = match claimed {
            Ok(claimed) => self.embed_claimed(lane, model, token, &claimed).await,
            Err(error) => Err(error.into()),
        };
        lock(&self.held).retain(|(held, _)| *held != token);
        outcome
    }

    async fn embed_claimed(
        &self,
        lane: Lane,
        model: &Model,
        token: Uuid,
        claimed: &[Claimed],
    ) -> Result<(usize, Ended), Error> {
        if claimed.is_empty() {
            return Ok((0, Ended::Done));
        }
        let Model { space, embedder } = model;
        let held = Held { services: &self.services, space, kind: lane.kind, embedder, token };
        match held.embed(claimed).await {
            Ok(Ended::Away(away)) => {
                self.release(token, lane.origin).await?;
                lock(&self.pauses).pause(space, &away);
                Ok((0, Ended::Away(away)))
            }
            Ok(ended) => {
                lock(&self.pauses).works(space.id);
                Ok((claimed.len(), ended))
            }
            Err(error) => {
                // The database failed, not the texts. If it is away, the lease ends by itself.
                drop(self.release(token, lane.origin).await);
                Err(error.into())
            }
        }
    }

    async fn release(&self, token: Uuid, origin: Origin) -> Result<(), store::Error> {
        let (db, now) = (self.services.db(), self.services.clock().now());
        lease::release(db, Scope::system(), token, origin, now).await?;
        Ok(())
    }

    /// Gives back what is still held, so that the next worker need not wait for the leases to end.
    async fn let_go(&self) {
        let held = std::mem::take(&mut *lock(&self.held));
        for (token, origin) in held {
            if let Err(error) = self.release(token, origin).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "Could not give tasks back; their lease ends by itself");
            }
        }
    }

    /// How long to wait when nothing is due.
    fn nap(&self) -> Duration {
        let poll = self.services.queue_policy().poll;
        lock(&self.pauses).first_end().map_or(poll, |end| poll.min(end))
    }
}

/// Wakes the worker when another process queues something. While nothing can be heard, the worker
/// looks by itself every now and then.
async fn hear(services: Services) {
    let scope = Scope::system();
    loop {
        match listen::listen(services.db(), scope).await {
            Ok(None) => return,
            Ok(Some(mut listener)) => {
                while listener.heard(scope).await.is_ok() {
                    services.wake_worker.notify_one();
                }
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "Cannot listen for queued texts; looking for them instead");
            }
        }
        tokio::time::sleep(DEAF).await;
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        // Nobody can stop us any more.
        std::future::pending::<()>().await;
    }
}

async fn patience_ends(stop: watch::Receiver<bool>) {
    stopped(stop).await;
    tokio::time::sleep(GRACE).await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
