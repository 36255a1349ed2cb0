//! Tiers: the bundled model answers until a slower one has caught up, and while that one is away.
//!
//! A list is made of the vectors of one space alone; what changes is which space that is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::ingest::Written;
use super::{Result, Services};
use crate::embed::{Backend, Embedder};
use crate::model::{Kind, Scope, Space};
use crate::store::{Tx, space, tier};

/// How full a space is, is asked again after this.
const FRESH_FOR: Duration = Duration::from_secs(5);

/// Whether the bundled model embeds every row when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tiers {
    /// Vectors of the bundled model come at once, those of a slower one by the queue.
    StaticFirst,
    /// Every vector comes by the queue.
    Off,
}

/// Which space a search is to be answered by, where none was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tier {
    /// The one that answers for the kind, unless it is still being filled.
    Usual,
    /// The bundled model's, because the other one cannot answer.
    StandIn,
}

/// What stands in for slower models.
#[derive(Default)]
pub(super) struct StandIn {
    /// The bundled model, where it embeds every row.
    embedder: Option<Arc<dyn Embedder>>,
    rows: Mutex<HashMap<(Kind, Uuid), (Instant, i64)>>,
}

/// Vectors to be written with their rows, by the hash of the text.
pub(super) struct ReadyVectors {
    pub(super) kind: Kind,
    space: Space,
    by_hash: HashMap<Hash, Vec<f32>>,
}

/// SHA-256 of a text that is embedded.
pub(super) type Hash = [u8; 32];

impl StandIn {
    pub(super) fn new(embedder: Option<Arc<dyn Embedder>>) -> Self {
        Self { embedder, rows: Mutex::default() }
    }
}

impl Services {
    /// Makes the space of the bundled model and lets it hold every kind, where it embeds every row.
    pub(super) async fn ensure_stand_in(&self) -> Result<()> {
        let Some(embedder) = &self.stand_in.embedder else { return Ok(()) };
        let (scope, now) = (Scope::system(), self.clock.now());
        let key = embedder.description().key();
        let is_its = |space: &Space| is_of(space, embedder.as_ref());
        let present =
            space::all(&self.db, scope).await?.into_iter().map(|(space, _)| space).find(is_its);
        let space = match present {
            Some(present) => present,
            None => self.inserted(self.new_space(key.model.clone(), key)).await?,
        };
        for kind in Kind::ALL {
            space::create_leaf(&self.db, scope, &space, kind).await?;
            tier::hold(&self.db, scope, &space, kind, now).await?;
        }
        Ok(())
    }

    /// The space that a search by the text or the rows of a kind is answered by.
    pub(super) async fn answering_space(
        &self,
        kind: Kind,
        name: Option<&str>,
        tier: Tier,
    ) -> Result<Space> {
        let active = self.space_for(kind, name).await?;
        if name.is_some() {
            return Ok(active);
        }
        let Some(stand_in) = self.stand_in_for(&active).await? else { return Ok(active) };
        match tier {
            Tier::StandIn => Ok(stand_in),
            Tier::Usual if self.lacks_rows_of(&active, &stand_in, kind).await? => Ok(stand_in),
            Tier::Usual => Ok(active),
        }
    }

    /// Whether a search of a kind that no space was named for could be answered by the bundled model
    /// instead.
    pub(super) async fn has_stand_in(&self, kind: Kind, name: Option<&str>) -> Result<bool> {
        if name.is_some() {
            return Ok(false);
        }
        let active = self.space_for(kind, None).await?;
        Ok(self.stand_in_for(&active).await?.is_some())
    }

    /// The space of the bundled model, where it is another one than `active`.
    async fn stand_in_for(&self, active: &Space) -> Result<Option<Space>> {
        let Some(embedder) = &self.stand_in.embedder else { return Ok(None) };
        if is_of(active, embedder.as_ref()) {
            return Ok(None);
        }
        let spaces = self.all_spaces_by_id().await?;
        Ok(spaces.into_values().find(|space| is_of(space, embedder.as_ref())))
    }

    /// Whether a space lacks more than a tenth of the rows that the other one has.
    async fn lacks_rows_of(&self, active: &Space, stand_in: &Space, kind: Kind) -> Result<bool> {
        let (slow, fast) =
            (self.rows_about(active, kind).await?, self.rows_about(stand_in, kind).await?);
        Ok(slow.saturating_mul(10) < fast.saturating_mul(9))
    }

    async fn rows_about(&self, space: &Space, kind: Kind) -> Result<i64> {
        let key = (kind, space.id);
        let known = {
            let rows = self.stand_in.rows.lock().unwrap_or_else(PoisonError::into_inner);
            rows.get(&key).copied()
        };
        if let Some((read_at, rows)) = known
            && read_at.elapsed() < FRESH_FOR
        {
            return Ok(rows);
        }
        let about = tier::rows_about(&self.db, Scope::system(), space, kind).await?;
        let mut rows = self.stand_in.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.insert(key, (Instant::now(), about));
        Ok(about)
    }

    /// Whether the bundled model embeds every row when it is written.
    pub(super) fn has_bundled(&self) -> bool {
        self.stand_in.embedder.is_some()
    }

    /// The vectors of the bundled model for texts of a kind that are about to be written; `None` where
    /// they come by the queue.
    pub(super) async fn ready_vectors(
        &self,
        kind: Kind,
        texts: Vec<(Hash, String)>,
    ) -> Result<Option<ReadyVectors>> {
        let Some(embedder) = &self.stand_in.embedder else { return Ok(None) };
        let active = self.space_for(kind, None).await?;
        let Some(space) = self.stand_in_for(&active).await? else { return Ok(None) };
        let (hashes, texts): (Vec<Hash>, Vec<String>) = texts.into_iter().unzip();
        let embeddings = embedder.embed_documents(&texts).await?;
        // A text of which the model knows no word goes to the queue, which says so.
        let vectors = hashes.into_iter().zip(embeddings);
        let by_hash =
            vectors.filter_map(|(hash, embedding)| Some((hash, embedding.vector?))).collect();
        Ok(Some(ReadyVectors { kind, space, by_hash }))
    }

    /// Writes the ready vectors of rows of their kind in the transaction that wrote the rows.
    pub(super) async fn write_ready(
        &self,
        tx: &mut Tx,
        scope: Scope,
        rows: &[Written],
        ready: &ReadyVectors,
    ) -> Result<()> {
        let row = |row: &'_ Written| Some((*row, ready.by_hash.get(&row.source_hash)?));
        let found: Vec<_> = rows.iter().filter_map(row).collect();
        let rows: Vec<tier::Ready<'_>> = found
            .iter()
            .map(|(row, vector)| tier::Ready {
                content_id: row.id,
                source_hash: &row.source_hash,
                vector,
            })
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        tier::write(tx, scope, &ready.space, ready.kind, &rows, self.clock.now()).await?;
        Ok(())
    }

    /// The bundled model, where it embeds every row.
    pub(super) fn bundled(
        embedders: &crate::embed::Embedders,
        tiers: Tiers,
    ) -> Result<Option<Arc<dyn Embedder>>> {
        match tiers {
            Tiers::Off => Ok(None),
            Tiers::StaticFirst => Ok(Some(embedders.find(Backend::Static, None, None)?)),
        }
    }
}

/// Whether a space holds the vectors of a model.
fn is_of(space: &Space, embedder: &dyn Embedder) -> bool {
    let key = embedder.description().key();
    space.backend == key.backend.as_str()
        && space.model == key.model
        && space.dimensions == key.dimensions
}
