//! Statistics and indexes: what is worth doing at rest.

use std::time::Instant;

use super::{FRESH_FOR, lock};
use crate::model::space::FillState;
use crate::model::{Kind, Scope, Space};
use crate::service::{Result, Services};
use crate::store::index::{self, Built, Leaf};
use crate::store::{embedding, lexeme, space};

impl Services {
    /// What is worth doing when the queue is empty: sum up words, tell the planner, build indexes.
    pub async fn maintain(&self) -> Result<()> {
        let scope = Scope::system();
        for kind in Kind::ALL {
            let space = self.space_for(kind, None).await?;
            lexeme::fold(&self.db, scope, kind).await?;
            if !lexeme::has_grown(&self.db, scope, kind, self.clock.now()).await? {
                continue;
            }
            embedding::analyze(&self.db, scope, &space, kind).await?;
        }
        for (space, held) in self.catalogue().await?.in_state(FillState::Current) {
            self.build_index_if_due(&space, held.kind).await?;
        }
        Ok(())
    }

    /// As [`Services::maintain`], while the caller goes on; nothing if that is under way.
    pub fn maintain_in_background(&self) {
        let Ok(guard) = self.spaces.maintenance.clone().try_lock_owned() else { return };
        let services = self.clone();
        tokio::spawn(async move {
            if let Err(error) = services.maintain().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "The tables could not be maintained; trying again later");
            }
            drop(guard);
        });
    }

    /// Builds the index of a leaf that has grown past a threshold, whether its space answers or is
    /// about to, and drops the one that it had before.
    async fn build_index_if_due(&self, space: &Space, kind: Kind) -> Result<()> {
        let policy = self.settings.index;
        let scope = Scope::system();
        let counted = policy.counted_rows();
        let state = space::leaf_state(&self.db, scope, space, kind, counted).await?;
        let Some(over) = policy.wanted(state) else { return Ok(()) };
        let leaf = Leaf { space, kind, over };
        let is_there = state.index == Some(over);
        if is_there || self.build_index(leaf).await? {
            self.drop_replaced_index(leaf).await?;
        }
        Ok(())
    }

    /// Says whether the index is there afterwards.
    async fn build_index(&self, leaf: Leaf<'_>) -> Result<bool> {
        let Leaf { space, kind, .. } = leaf;
        let started = Instant::now();
        tracing::info!(kind = %kind, space.name = %space.name, "Building the index of {kind} in {}", space.name);
        let policy = self.settings.index;
        let built = index::build(&self.db, Scope::system(), leaf, policy.build).await?;
        lock(&self.spaces.leaves).remove(&(kind, space.id));
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match built {
            Built::Now => {
                tracing::info!(kind = %kind, space.name = %space.name, duration_ms, "Built the index of {kind} in {}", space.name);
            }
            Built::Before => {}
            Built::Elsewhere => {
                tracing::info!(kind = %kind, space.name = %space.name, "Another process builds the index of {kind} in {}", space.name);
            }
            Built::Impossible => {
                tracing::warn!(kind = %kind, space.name = %space.name, "The embedded database has no index for vectors as long as those of {}", space.name);
            }
        }
        Ok(matches!(built, Built::Now | Built::Before))
    }

    /// Other processes ask the index that they know of for a while: without it they would compare every
    /// row.
    async fn drop_replaced_index(&self, leaf: Leaf<'_>) -> Result<()> {
        let scope = Scope::system();
        if !index::has_other(&self.db, scope, leaf).await? {
            return Ok(());
        }
        tokio::time::sleep(FRESH_FOR).await;
        let Leaf { space, kind, .. } = leaf;
        if index::drop_other(&self.db, scope, leaf).await? {
            tracing::info!(kind = %kind, space.name = %space.name, "Dropped the index of {kind} in {} that another one replaces", space.name);
        }
        lock(&self.spaces.leaves).remove(&(kind, space.id));
        Ok(())
    }
}
