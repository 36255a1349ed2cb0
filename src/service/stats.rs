//! What the catalogue holds.

use super::{Result, Services};
use crate::model::content::EmbeddingStatus;
use crate::model::stats::{DatabaseStats, FailedTask, KindStats};
use crate::model::{Filter, Kind, NodeId, Viewer};
use crate::store::{content, health, search, stats, task};
use std::collections::HashMap;

impl Services {
    /// Turns away a viewer who may not ask for statistics.
    pub fn check_stats(&self, viewer: Viewer) -> Result<()> {
        self.reading(viewer).map(drop)
    }

    /// Counts the rows and vectors that the viewer may see.
    pub async fn all_kind_stats(&self, viewer: Viewer) -> Result<Vec<KindStats>> {
        let mut kinds = Vec::with_capacity(Kind::ALL.len());
        for kind in Kind::ALL {
            kinds.push(self.with_fresh_spaces(|| self.kind_stats(viewer, kind)).await?);
        }
        Ok(kinds)
    }

    /// How many texts wait to be embedded, and how many could not be.
    pub async fn queue_counts(&self, viewer: Viewer) -> Result<(i64, i64)> {
        let scope = self.reading(viewer)?;
        Ok(task::counts(&self.db, scope).await?)
    }

    /// What the database says of itself; `None` unless the viewer is an administrator.
    pub async fn database_stats(&self, viewer: Viewer) -> Result<Option<DatabaseStats>> {
        let scope = self.reading(viewer)?;
        match viewer.is_admin() {
            true => Ok(Some(stats::database(&self.db, scope).await?)),
            false => Ok(None),
        }
    }

    async fn kind_stats(&self, viewer: Viewer, kind: Kind) -> Result<KindStats> {
        let scope = self.reading(viewer)?;
        let space = self.space_for(kind, None).await?;
        let embedded = search::count(&self.db, scope, &space, kind, &Filter::none(), &[]).await?;
        let leaf = self.leaf_state(&space, kind).await?;
        Ok(KindStats {
            kind,
            rows: stats::rows(&self.db, scope, kind).await?,
            embedded,
            space: Some(space),
            has_index: leaf.index.is_some(),
        })
    }

    /// Vectors of a kind in all spaces, whoever owns the rows.
    pub async fn vectors(&self, viewer: Viewer, kind: Kind) -> Result<u64> {
        let scope = self.administering(viewer)?;
        Ok(stats::vectors(&self.db, scope, kind).await?)
    }

    /// How far the vectors of rows are.
    pub async fn embedding_status(
        &self,
        viewer: Viewer,
        ids: &[NodeId],
    ) -> Result<HashMap<NodeId, EmbeddingStatus>> {
        let scope = self.reading(viewer)?;
        let uuids: Vec<_> = ids.iter().map(|id| id.id).collect();
        let found = content::embedding_status(&self.db, scope, &uuids).await?;
        Ok(ids.iter().filter_map(|id| Some((*id, *found.get(&id.id)?))).collect())
    }

    /// The latest tasks that were given up.
    pub async fn failed_tasks(&self, viewer: Viewer, first: i32) -> Result<Vec<FailedTask>> {
        let scope = self.administering(viewer)?;
        let page = super::page::Page::new(first, crate::model::limits::LIST_FIRST, None, 0)?;
        let limit = i64::try_from(page.first).unwrap_or(i64::MAX);
        Ok(task::failed(&self.db, scope, limit).await?)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        Ok(health::ping(&self.db, crate::model::Scope::system()).await?)
    }
}
