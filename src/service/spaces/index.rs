//! Statistics and indexes: what is worth doing at rest.

use std::time::Instant;

use super::lock;
use crate::model::space::FillState;
use crate::model::{Kind, Scope, Space};
use crate::service::{Result, Services};
use crate::store::index::{self, Built};
use crate::store::{embedding, lexeme, space};

impl Services {
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

    /// Builds the index of a leaf that has grown past the threshold, whether its space answers or is
    /// about to.
    async fn build_index_if_due(&self, space: &Space, kind: Kind) -> Result<()> {
        let policy = self.settings.index;
        let scope = Scope::system();
        let state = space::leaf_state(&self.db, scope, space, kind, policy.index_rows + 1).await?;
        if state.has_index || state.rows <= policy.index_rows {
            return Ok(());
        }
        let started = Instant::now();
        tracing::info!(kind = %kind, space.name = %space.name, "Building the index of {kind} in {}", space.name);
        let built = index::build(&self.db, scope, space, kind, policy.build).await?;
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
        Ok(())
    }
}
