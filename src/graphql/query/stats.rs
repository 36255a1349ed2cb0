//! `stats` and `failedTasks`.

use async_graphql::{Context, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::object::stats::{FailedTask, Stats};

#[derive(Default)]
pub(in crate::graphql) struct StatsQuery;

#[Object]
impl StatsQuery {
    /// What the catalogue holds, as far as you may see it.
    #[expect(clippy::unused_async, reason = "a resolver is asynchronous")]
    async fn stats(&self, ctx: &Context<'_>) -> Result<Stats> {
        ctx.services().check_stats(ctx.viewer())?;
        Ok(Stats::default())
    }

    /// Texts that could not be embedded, latest first. For administrators.
    async fn failed_tasks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100.", default = 20)] first: i32,
    ) -> Result<Vec<FailedTask>> {
        let tasks = ctx.services().failed_tasks(ctx.viewer(), first).await?;
        Ok(tasks.into_iter().map(Into::into).collect())
    }
}
