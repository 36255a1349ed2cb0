//! `recordJudgment` and `removeJudgment`.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::object::judgment::Judgment;

#[derive(Default)]
pub(in crate::graphql) struct JudgmentMutation;

#[Object]
impl JudgmentMutation {
    /// Writes down how well a row answers a query, for `evaluate`. Judging the same query and row again
    /// replaces the grade. For administrators.
    async fn record_judgment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The query, 1 to 2,000 characters.")] query: String,
        #[graphql(desc = "Id of the row: of a document, where its chunks are searched.")] id: ID,
        #[graphql(desc = "From 0 (no answer) to 10.")] grade: i32,
    ) -> Result<Judgment> {
        let services = ctx.services();
        Ok(services.record_judgment(ctx.viewer(), &query, id.parse()?, grade).await?.into())
    }

    /// Takes a judgement back. Returns whether there was one. For administrators.
    async fn remove_judgment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The query.")] query: String,
        #[graphql(desc = "Id of the row.")] id: ID,
    ) -> Result<bool> {
        Ok(ctx.services().remove_judgment(ctx.viewer(), &query, id.parse()?).await?)
    }
}
