//! `embeddingSpaces`, `planBackfill` and `compareSpaces`.

use async_graphql::{Context, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::mutation::space::model_kinds;
use crate::graphql::object::Kind;
use crate::graphql::object::space::{BackfillPlan, EmbeddingSpace, SpaceComparison};
use crate::service::CompareInput;

#[derive(Default)]
pub(in crate::graphql) struct SpaceQuery;

#[Object]
impl SpaceQuery {
    /// The embedding spaces, oldest first.
    async fn embedding_spaces(&self, ctx: &Context<'_>) -> Result<Vec<EmbeddingSpace>> {
        let spaces = ctx.services().all_spaces(ctx.viewer()).await?;
        Ok(spaces.into_iter().map(|(space, kinds)| EmbeddingSpace::new(space, kinds)).collect())
    }

    /// What filling a space would take: rows, tokens, money, room and time. Spends nothing. For
    /// administrators.
    async fn plan_backfill(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the space.")] space: String,
        #[graphql(desc = "The kinds; default is every kind that the space holds.")] kinds: Option<
            Vec<Kind>,
        >,
    ) -> Result<BackfillPlan> {
        let kinds = kinds.map(model_kinds);
        let plan = ctx.services().plan_backfill(ctx.viewer(), &space, kinds.as_deref()).await?;
        Ok(plan.into())
    }

    /// What two spaces answer to the same queries, side by side. For administrators.
    async fn compare_spaces(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for, 1 to 20 queries.")] queries: Vec<String>,
        #[graphql(desc = "Name of the first space; default is the one that answers for the kind.")]
        from: Option<String>,
        #[graphql(desc = "Name of the second space.")] to: String,
        #[graphql(desc = "What kind of rows to find.", default_with = "Kind::Song")] kind: Kind,
        #[graphql(desc = "How many results of each space, from 1 to 100.", default = 10)]
        first: i32,
    ) -> Result<SpaceComparison> {
        let input = CompareInput { queries, from, to, kind: kind.into(), first };
        Ok(ctx.services().compare_spaces(ctx.viewer(), &input).await?.into())
    }
}
