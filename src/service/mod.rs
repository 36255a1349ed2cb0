//! What the product does: who may, which limits hold, what is queued with what.

mod catalogue;
pub mod chunking;
mod documents;
mod error;
pub mod eval;
mod feedback;
pub mod import;
mod ingest;
mod page;
mod search;
mod spaces;
mod stats;
mod tiers;
mod token_table;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

pub use catalogue::{ListInput, ListPage};
pub use error::{Code, Error};
pub use ingest::{IngestMode, RowFault, RowOutcome, RowStatus};
pub use search::{Counted, Highlights, HybridInput, Paging, RecommendInput, SimilarInput};
pub use spaces::{
    Backfill, CompareInput, HeldProgress, IfIncomplete, ImportInput, IndexPolicy, NewSpace,
    Setting, SpaceChanges,
};
pub use tiers::Tiers;

pub use crate::embed::CacheStats;
use crate::embed::{Embedder, Embedders};
use crate::model::song::Template;
use crate::model::viewer::AnonymousReads;
use crate::model::{Clock, Scope, Viewer};
use crate::store::{self, Db, Tx};

type Result<T> = std::result::Result<T, Error>;

/// What an operator decides about the services.
#[derive(Debug, Clone)]
pub struct Settings {
    pub anonymous_reads: AnonymousReads,
    pub default_recommendations: usize,
    pub max_recommendations: usize,
    pub song_template: Template,
    pub index: IndexPolicy,
    pub queue: QueuePolicy,
    pub tiers: Tiers,
}

/// How workers take texts from the queue.
#[derive(Debug, Clone, Copy)]
pub struct QueuePolicy {
    /// What a worker claimed goes to another one after this, unless it says that it is still at work.
    pub lease: Duration,
    /// How long to wait when nothing is due and nobody calls.
    pub poll: Duration,
}

/// Everything the product can do. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    db: Db,
    embedders: Arc<Embedders>,
    settings: Arc<Settings>,
    spaces: Arc<spaces::Registry>,
    stand_in: Arc<tiers::StandIn>,
    clock: Clock,
    /// Wakes the worker of this process when there is something to embed.
    pub wake_worker: Arc<Notify>,
}

impl Services {
    /// Makes the services and the space of the default model, if it is not there yet.
    pub async fn start(db: Db, embedders: Embedders, settings: Settings) -> Result<Self> {
        let stand_in = tiers::StandIn::new(Self::bundled(&embedders, settings.tiers)?);
        let services = Self {
            db,
            embedders: Arc::new(embedders),
            settings: Arc::new(settings),
            spaces: Arc::default(),
            stand_in: Arc::new(stand_in),
            clock: Clock,
            wake_worker: Arc::default(),
        };
        services.ensure_space().await?;
        services.ensure_stand_in().await?;
        Ok(services)
    }

    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The models of this process.
    pub fn embedders(&self) -> &Embedders {
        &self.embedders
    }

    /// The model of `EMBEDDER`.
    pub fn embedder(&self) -> &Arc<dyn Embedder> {
        self.embedders.default_model()
    }

    /// What the operator decided.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How workers take texts from the queue.
    pub fn queue_policy(&self) -> QueuePolicy {
        self.settings.queue
    }

    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The rows a viewer may see.
    pub fn scope(&self, viewer: Viewer) -> Scope {
        viewer.scope(self.settings.anonymous_reads)
    }

    /// The scope for reading; anonymous viewers are turned away where they may read nothing.
    fn reading(&self, viewer: Viewer) -> Result<Scope> {
        if viewer == Viewer::Anonymous && self.settings.anonymous_reads == AnonymousReads::Off {
            return Err(Error::Unauthenticated);
        }
        Ok(self.scope(viewer))
    }

    /// The scope for what only administrators may do.
    fn administering(&self, viewer: Viewer) -> Result<Scope> {
        match viewer {
            Viewer::Admin(_) => Ok(self.scope(viewer)),
            Viewer::User(_) => Err(Error::Forbidden),
            Viewer::Anonymous => Err(Error::Unauthenticated),
        }
    }
}

async fn commit(tx: Tx) -> Result<()> {
    Ok(tx.commit().await.map_err(store::Error::from)?)
}
