//! What people did with content, and what that says about their taste.

use chrono::{DateTime, Utc};

use super::{Error, Result, Services};
use crate::model::feedback::Action;
use crate::model::hit::Example;
use crate::model::{Kind, NodeId, Scope, Viewer};
use crate::store::{content, feedback, user};

/// How many of the latest actions are looked at.
const HISTORY: u64 = 200;
/// After this many days an action says half as much.
const HALF_LIFE_DAYS: f64 = 30.0;

impl Services {
    /// Records what the viewer did with a row they can see.
    pub async fn record_feedback(&self, viewer: Viewer, id: NodeId, action: Action) -> Result<()> {
        let user = viewer.id().ok_or(Error::Unauthenticated)?;
        let scope = self.scope(viewer);
        if !content::by_ids(&self.db, scope, &[id]).await?.contains_key(&id) {
            return Err(Error::NotFound(format!("`{id}`")));
        }
        let now = self.clock.now();
        user::ensure(&self.db, scope, user, now).await?;
        let entry = feedback::Entry { content_id: id.id, action, at: now };
        feedback::record(&self.db, scope, self.clock.new_id(), user, entry).await?;
        Ok(())
    }

    /// The viewer's history as weighted examples of a kind: what is long ago counts less.
    pub(super) async fn taste(
        &self,
        viewer: Viewer,
        scope: Scope,
        kind: Kind,
    ) -> Result<Vec<Example>> {
        let user = viewer.id().ok_or(Error::Unauthenticated)?;
        let now = self.clock.now();
        let history = feedback::latest(&self.db, scope, user, HISTORY).await?;
        let example = |entry: feedback::Entry| Example {
            id: NodeId { kind, id: entry.content_id },
            weight: entry.action.weight() * decay(entry.at, now),
        };
        Ok(history.into_iter().map(example).collect())
    }

    /// The rows that the viewer did something with.
    pub(super) async fn seen(&self, viewer: Viewer, scope: Scope) -> Result<Vec<uuid::Uuid>> {
        let user = viewer.id().ok_or(Error::Unauthenticated)?;
        let history = feedback::latest(&self.db, scope, user, HISTORY).await?;
        Ok(history.into_iter().map(|entry| entry.content_id).collect())
    }
}

/// `0.5 ^ (age / half-life)`.
fn decay(at: DateTime<Utc>, now: DateTime<Utc>) -> f64 {
    let age = (now - at).as_seconds_f64().max(0.0) / 86_400.0;
    0.5_f64.powf(age / HALF_LIFE_DAYS)
}
