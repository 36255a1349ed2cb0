//! Which space answers for a kind, and what each holds.

mod backfill;
mod compare;
mod configure;
mod import;
mod index;
mod lifecycle;
mod plan;
mod promote;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

pub use backfill::HeldProgress;
pub use compare::CompareInput;
pub use configure::{Setting, SpaceChanges};
pub use import::ImportInput;
pub use lifecycle::{Backfill, NewSpace};
pub use promote::IfIncomplete;

use super::{Error, Result, Services};
use crate::embed::{Backend, Embedder, ModelKey, UnknownBackend};
use crate::model::space::{FillState, HeldKind, IndexOver, SpaceSettings, SpaceState};
use crate::model::{Kind, Scope, Space, Viewer, limits};
use crate::store::index::IndexBuild;
use crate::store::space::LeafState;
use crate::store::{self, space, task};

/// What is known of spaces is read again after this; another process may have changed it.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// Version of the text templates; a change of the built-in template is a new space.
const TEMPLATE_VERSION: i32 = 1;

/// When and how HNSW indexes are built.
#[derive(Debug, Clone, Copy)]
pub struct IndexPolicy {
    /// Up to this many candidates are compared exactly, with or without an index.
    pub exact_rows: i64,
    /// A leaf with more rows than this gets an index.
    pub index_rows: i64,
    /// The index of a leaf with at least this many rows is over bits; `None` for never.
    pub binary_rows: Option<i64>,
    pub build: IndexBuild,
}

impl IndexPolicy {
    /// The index that a leaf should have, if any. One over bits stays when rows go, so that a leaf about
    /// as large as the threshold is not indexed again and again.
    fn wanted(&self, leaf: LeafState) -> Option<IndexOver> {
        if leaf.index.is_none() && leaf.rows <= self.index_rows {
            return None;
        }
        let is_large = |rows: i64| leaf.rows >= rows || leaf.index == Some(IndexOver::Binary);
        Some(if self.binary_rows.is_some_and(is_large) {
            IndexOver::Binary
        } else {
            IndexOver::Float
        })
    }

    /// Rows of a leaf are counted up to this to know what it should have.
    fn counted_rows(&self) -> i64 {
        self.index_rows.max(self.binary_rows.unwrap_or(0)) + 1
    }
}

/// What is known of spaces, read at most every few seconds.
#[derive(Default)]
pub(super) struct Registry {
    catalogue: Mutex<Known>,
    /// Held while this process maintains the tables in the background.
    maintenance: Arc<tokio::sync::Mutex<()>>,
    leaves: Mutex<HashMap<(Kind, Uuid), (Instant, LeafState)>>,
}

/// A catalogue and when it was read.
#[derive(Default)]
struct Known {
    read: Option<(Instant, Arc<Catalogue>)>,
    /// Goes up when what is known is thrown away: what was read before that is not kept.
    generation: u64,
}

/// All spaces with the kinds they answer for, and what they hold.
#[derive(Default)]
struct Catalogue {
    spaces: Vec<(Space, Vec<Kind>)>,
    held: Vec<(Uuid, HeldKind)>,
}

impl Catalogue {
    fn named(&self, name: &str) -> Option<&Space> {
        self.spaces.iter().map(|(space, _)| space).find(|space| space.name == name)
    }

    fn active_for(&self, kind: Kind) -> Option<&Space> {
        let answers = |(_, kinds): &&(Space, Vec<Kind>)| kinds.contains(&kind);
        self.spaces.iter().find(answers).map(|(space, _)| space)
    }

    fn held_by(&self, space: &Space) -> impl Iterator<Item = HeldKind> {
        let of_space = self.held.iter().filter(|(id, _)| *id == space.id);
        of_space.map(|(_, held)| *held)
    }

    fn holds(&self, space: &Space, kind: Kind) -> bool {
        self.held_by(space).any(|held| held.kind == kind)
    }

    /// Every space and kind in a state, with what is known of it.
    fn in_state(&self, state: FillState) -> Vec<(Space, HeldKind)> {
        let spaces = self.spaces.iter().map(|(space, _)| space);
        let held = spaces.flat_map(|space| self.held_by(space).map(move |held| (space, held)));
        held.filter(|(_, held)| held.state == state)
            .map(|(space, held)| (space.clone(), held))
            .collect()
    }
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
            None => self.inserted(self.new_space(name, key)).await?,
        };
        for kind in Kind::ALL {
            space::create_leaf(&self.db, scope, &present, kind).await?;
            space::activate_if_none(&self.db, scope, kind, present.id, now).await?;
            space::hold_if_none(&self.db, scope, kind, present.id, now).await?;
        }
        Ok(())
    }

    /// A space that is to be made for a model.
    pub(super) fn new_space(&self, name: String, key: ModelKey) -> Space {
        Space {
            id: self.clock.new_id(),
            name,
            backend: key.backend.as_str().to_owned(),
            model: key.model,
            dimensions: key.dimensions,
            template_version: TEMPLATE_VERSION,
            state: SpaceState::Building,
            created_at: self.clock.now(),
            settings: SpaceSettings::default(),
        }
    }

    /// Writes a new space, or finds the one of its name where another process was faster.
    pub(super) async fn inserted(&self, new: Space) -> Result<Space> {
        let scope = Scope::system();
        if space::insert(&self.db, scope, &new).await? {
            return Ok(new);
        }
        let present = space::by_name(&self.db, scope, &new.name).await?;
        let is_of_model = |present: &Space| {
            (&present.backend, &present.model, present.dimensions)
                == (&new.backend, &new.model, new.dimensions)
        };
        let problem = || format!("the space `{}` belongs to another model; drop it", new.name);
        present.filter(is_of_model).ok_or_else(|| Error::Store(store::Error::Setup(problem())))
    }

    /// All spaces with the kinds they answer for, oldest first.
    pub async fn all_spaces(&self, viewer: Viewer) -> Result<Vec<(Space, Vec<Kind>)>> {
        self.reading(viewer)?;
        Ok(self.catalogue().await?.spaces.clone())
    }

    /// The model that a space's vectors are made with.
    pub fn embedder_of(&self, space: &Space) -> Result<Arc<dyn Embedder>> {
        Ok(self.embedders.get(&model_key(space)?)?)
    }

    /// All spaces by id, for the worker.
    pub async fn all_spaces_by_id(&self) -> Result<HashMap<Uuid, Space>> {
        let catalogue = self.catalogue().await?;
        Ok(catalogue.spaces.iter().map(|(space, _)| (space.id, space.clone())).collect())
    }

    /// The space that was named, or the one that answers for the kind.
    pub(super) async fn space_for(&self, kind: Kind, name: Option<&str>) -> Result<Space> {
        let catalogue = self.catalogue().await?;
        let Some(name) = name else {
            let active = catalogue.active_for(kind).cloned();
            return active.ok_or_else(|| {
                Error::invalid("space", format!("is missing, and none answers for {kind}"))
            });
        };
        let space = self.space_named(name).await?;
        if self.catalogue().await?.holds(&space, kind) {
            return Ok(space);
        }
        Err(Error::invalid("space", format!("`{name}` holds no {kind}")))
    }

    /// The space of a name.
    async fn space_named(&self, name: &str) -> Result<Space> {
        if let Some(space) = self.catalogue().await?.named(name) {
            return Ok(space.clone());
        }
        // Another process may have made it a moment ago.
        self.forget_spaces();
        let catalogue = self.catalogue().await?;
        catalogue.named(name).cloned().ok_or_else(|| {
            let names: Vec<_> =
                catalogue.spaces.iter().map(|(space, _)| format!("`{}`", space.name)).collect();
            let shown: String = name.chars().take(limits::SPACE_NAME_CHARS).collect();
            let problem = format!("`{shown}` is not there; spaces are {}", names.join(", "));
            Error::invalid("space", problem)
        })
    }

    async fn catalogue(&self) -> Result<Arc<Catalogue>> {
        let generation = {
            let known = lock(&self.spaces.catalogue);
            if let Some((read_at, catalogue)) = &known.read
                && read_at.elapsed() < FRESH_FOR
            {
                return Ok(catalogue.clone());
            }
            known.generation
        };
        let scope = Scope::system();
        let catalogue = Arc::new(Catalogue {
            spaces: space::all(&self.db, scope).await?,
            held: space::held(&self.db, scope).await?,
        });
        let mut known = lock(&self.spaces.catalogue);
        if known.generation == generation {
            known.read = Some((Instant::now(), catalogue.clone()));
        }
        Ok(catalogue)
    }

    /// Throws away what is known of spaces, because it has changed.
    fn forget_spaces(&self) {
        let mut known = lock(&self.spaces.catalogue);
        known.read = None;
        known.generation += 1;
        lock(&self.spaces.leaves).clear();
    }

    /// Runs something that reads vectors; once more, knowing the spaces of now, where the one that it
    /// read was dropped meanwhile.
    pub(super) async fn with_fresh_spaces<T, F>(&self, read: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        match read().await {
            Err(Error::SpaceGone(_)) => {
                self.forget_spaces();
                read().await
            }
            outcome => outcome,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(binary_rows: Option<i64>, rows: i64, index: Option<IndexOver>) -> Option<IndexOver> {
        let build = IndexBuild { memory_mb: 64, parallel_workers: 0 };
        let policy = IndexPolicy { exact_rows: 10, index_rows: 100, binary_rows, build };
        policy.wanted(LeafState { rows, index, has_owned_rows: false })
    }

    #[test]
    fn an_index_is_over_bits_from_the_threshold_on_and_stays_so() {
        use IndexOver::{Binary, Float};
        assert_eq!(wanted(Some(1_000), 100, None), None);
        assert_eq!(wanted(Some(1_000), 999, None), Some(Float));
        assert_eq!(wanted(Some(1_000), 1_000, None), Some(Binary));
        assert_eq!(wanted(Some(1_000), 1_000, Some(Float)), Some(Binary));
        assert_eq!(wanted(Some(1_000), 999, Some(Binary)), Some(Binary));
    }

    #[test]
    fn without_the_option_every_index_is_over_numbers() {
        assert_eq!(wanted(None, 100, None), None);
        for index in [None, Some(IndexOver::Float), Some(IndexOver::Binary)] {
            assert_eq!(wanted(None, 5_000_000, index), Some(IndexOver::Float));
        }
    }
}
