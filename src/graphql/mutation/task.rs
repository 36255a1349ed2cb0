//! `embedMissing` and `retryFailedTasks`.

use async_graphql::{Context, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::object::Kind;

#[derive(Default)]
pub(in crate::graphql) struct TaskMutation;

#[Object]
impl TaskMutation {
    /// Queues every row of a kind whose vector is missing or belongs to an older text, and returns
    /// how many there are. For administrators.
    async fn embed_missing(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The kind.")] kind: Kind,
    ) -> Result<i64> {
        let queued = ctx.services().embed_missing(ctx.viewer(), kind.into()).await?;
        Ok(i64::try_from(queued).unwrap_or(i64::MAX))
    }

    /// Queues texts again that could not be embedded, and returns how many there are. For
    /// administrators.
    async fn retry_failed_tasks(&self, ctx: &Context<'_>) -> Result<i64> {
        let retried = ctx.services().retry_failed_tasks(ctx.viewer()).await?;
        Ok(i64::try_from(retried).unwrap_or(i64::MAX))
    }
}
