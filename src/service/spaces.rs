//! Which space answers for a kind, how full it is, and when its index is built.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Error, Result, Services};
use crate::embed::{Backend, Embedder, ModelKey, UnknownBackend};
use crate::model::space::SpaceState;
use crate::model::{Kind, Scope, Space, Viewer};
use crate::store::space::LeafState;
use crate::store::{embedding, lexeme, space, task};

/// What is known of spaces is read again after this; another process may have changed it.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// Version of the text templates; a change of the built-in template is a new space.
pub(super) const TEMPLATE_VERSION: i32 = 1;

/// When and how HNSW indexes are built.
#[derive(Debug, Clone, Copy)]
pub struct IndexPolicy {
    /// Up to this many candidates are compared exactly, with or without an index.
    pub exact_rows: i64,
    /// A leaf with more rows than this gets an index.
    pub index_rows: i64,
    pub build: embedding::IndexBuild,
}

/// What is known of spaces, read at most every few seconds.
#[derive(Default)]
pub(super) struct Registry {
    catalogue: Mutex<Option<(Instant, Catalogue)>>,
    leaves: Mutex<HashMap<(Kind, Uuid), (Instant, LeafState)>>,
}

/// All spaces, and which of them answers for a kind.
#[derive(Clone, Default)]
struct Catalogue {
    spaces: Vec<Space>,
    active: Vec<(Kind, Uuid)>,
}

impl Services {
    /// Makes the space of this process's embedder and lets it answer for kinds without one.
    pub(super) async fn ensure_space(&self) -> Result<()> {
        let scope = Scope::system();
        let key = self.embedder().description().key();
        let now = self.clock.now();
        let mut name = key.model.clone();
        let mut present = space::by_name(&self.db, scope, &name).await?;
        if present.as_ref().is_some_and(|space| space.dimensions != key.dimensions) {
            name = format!("{}-{}", key.model, key.dimensions);
            present = space::by_name(&self.db, scope, &name).await?;
        }
        let present = match present {
            Some(present) => present,
            None => {
                let new = Space {
                    id: self.clock.new_id(),
                    name: name.clone(),
                    backend: key.backend.as_str().to_owned(),
                    model: key.model,
                    dimensions: key.dimensions,
                    template_version: TEMPLATE_VERSION,
                    state: SpaceState::Building,
                };
                match space::insert(&self.db, scope, &new, now).await {
                    Ok(()) => new,
                    // Another process was faster.
                    Err(error) => {
                        space::by_name(&self.db, scope, &name).await?.ok_or(Error::Store(error))?
                    }
                }
            }
        };
        for kind in Kind::ALL {
            space::create_leaf(&self.db, scope, &present, kind).await?;
            space::activate_if_none(&self.db, scope, kind, present.id, now).await?;
        }
        Ok(())
    }

    /// All spaces with the kinds they answer for, oldest first.
    pub async fn all_spaces(&self, viewer: Viewer) -> Result<Vec<(Space, Vec<Kind>)>> {
        self.reading(viewer)?;
        let catalogue = self.catalogue().await?;
        let kinds = |id| {
            let of_space = catalogue.active.iter().filter(move |(_, space)| *space == id);
            of_space.map(|(kind, _)| *kind).collect()
        };
        Ok(catalogue.spaces.iter().map(|space| (space.clone(), kinds(space.id))).collect())
    }

    /// The model that a space's vectors are made with.
    pub fn embedder_of(&self, space: &Space) -> Result<Arc<dyn Embedder>> {
        Ok(self.embedders.get(&model_key(space)?)?)
    }

    /// All spaces by id, for the worker.
    pub async fn all_spaces_by_id(&self) -> Result<HashMap<Uuid, Space>> {
        let spaces = self.catalogue().await?.spaces;
        Ok(spaces.into_iter().map(|space| (space.id, space)).collect())
    }

    /// The space that was named, or the one that answers for the kind.
    pub(super) async fn space_for(&self, kind: Kind, name: Option<&str>) -> Result<Space> {
        let catalogue = self.catalogue().await?;
        let found = match name {
            Some(name) => catalogue.spaces.iter().find(|space| space.name == name),
            None => {
                let active = catalogue.active.iter().find(|(active, _)| *active == kind);
                active.and_then(|(_, id)| catalogue.spaces.iter().find(|space| space.id == *id))
            }
        };
        found.cloned().ok_or_else(|| {
            let names: Vec<_> =
                catalogue.spaces.iter().map(|space| format!("`{}`", space.name)).collect();
            let name = name.unwrap_or_default();
            Error::invalid(
                "space",
                format!("`{name}` is not there; spaces are {}", names.join(", ")),
            )
        })
    }

    async fn catalogue(&self) -> Result<Catalogue> {
        let cached = lock(&self.spaces.catalogue).clone();
        if let Some((read_at, catalogue)) = cached
            && read_at.elapsed() < FRESH_FOR
        {
            return Ok(catalogue);
        }
        let scope = Scope::system();
        let catalogue = Catalogue {
            spaces: space::all(&self.db, scope).await?,
            active: space::active(&self.db, scope).await?,
        };
        *lock(&self.spaces.catalogue) = Some((Instant::now(), catalogue.clone()));
        Ok(catalogue)
    }

    /// How full a leaf is, a few seconds old at most.
    pub(super) async fn leaf_state(&self, space: &Space, kind: Kind) -> Result<LeafState> {
        let key = (kind, space.id);
        let cached = lock(&self.spaces.leaves).get(&key).copied();
        if let Some((read_at, state)) = cached
            && read_at.elapsed() < FRESH_FOR
        {
            return Ok(state);
        }
        let cap = self.settings.index.index_rows.max(self.settings.index.exact_rows) + 1;
        let state = space::leaf_state(&self.db, Scope::system(), space, kind, cap).await?;
        lock(&self.spaces.leaves).insert(key, (Instant::now(), state));
        Ok(state)
    }

    /// What is worth doing when the queue is empty: count words, tell the planner, build indexes.
    pub async fn maintain(&self) -> Result<()> {
        let scope = Scope::system();
        for kind in Kind::ALL {
            let space = self.space_for(kind, None).await?;
            if !lexeme::refresh_if_stale(&self.db, scope, kind, self.clock.now()).await? {
                continue;
            }
            embedding::analyze(&self.db, scope, &space, kind).await?;
        }
        for kind in Kind::ALL {
            self.build_index_if_due(kind).await?;
        }
        Ok(())
    }

    async fn build_index_if_due(&self, kind: Kind) -> Result<()> {
        let policy = self.settings.index;
        let space = self.space_for(kind, None).await?;
        let cap = policy.index_rows + 1;
        let state = space::leaf_state(&self.db, Scope::system(), &space, kind, cap).await?;
        if state.has_index || state.rows <= policy.index_rows {
            return Ok(());
        }
        let started = Instant::now();
        tracing::info!(kind = %kind, space.name = %space.name, "Building the index of {kind}");
        embedding::build_index(&self.db, Scope::system(), &space, kind, policy.build).await?;
        lock(&self.spaces.leaves).remove(&(kind, space.id));
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(kind = %kind, space.name = %space.name, duration_ms, "Built the index of {kind}");
        Ok(())
    }

    /// Queues every row of a kind whose vector is missing or belongs to an older text.
    pub async fn embed_missing(&self, viewer: Viewer, kind: Kind) -> Result<u64> {
        let scope = self.administering(viewer)?;
        let queued = task::enqueue_missing(&self.db, scope, kind, self.clock.now()).await?;
        self.wake_worker.notify_one();
        Ok(queued)
    }

    /// Queues failed tasks again.
    pub async fn retry_failed_tasks(&self, viewer: Viewer) -> Result<u64> {
        let scope = self.administering(viewer)?;
        let retried = task::retry_failed(&self.db, scope, self.clock.now()).await?;
        self.wake_worker.notify_one();
        Ok(retried)
    }
}

/// The model that a space's vectors are made with.
pub(super) fn model_key(space: &Space) -> Result<ModelKey> {
    let backend = space.backend.parse::<Backend>();
    let backend = backend.map_err(|error: UnknownBackend| {
        Error::invalid("space", format!("`{}` cannot be used: {error}", space.name))
    })?;
    Ok(ModelKey { backend, model: space.model.clone(), dimensions: space.dimensions })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // A panic while the lock was held cannot leave half a value: values are replaced whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
