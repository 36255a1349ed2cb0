//! `softDelete`, `restore` and `purge`.

use async_graphql::{Context, ID, Object, SimpleObject};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::model::NodeId;
use crate::model::content::Change;

#[derive(Default)]
pub(in crate::graphql) struct ContentMutation;

/// Which rows changed.
#[derive(SimpleObject)]
struct ChangePayload {
    /// The rows that changed; those that are not there, or were so already, are not listed.
    ids: Vec<ID>,
}

#[Object]
impl ContentMutation {
    /// Hides rows from every search and list; `restore` brings them back. For administrators.
    async fn soft_delete(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows, at most 100.")] ids: Vec<ID>,
        #[graphql(
            desc = "How many rows you mean to change; more ids than this change nothing.",
            default = 1
        )]
        at_most: i32,
    ) -> Result<ChangePayload> {
        change(ctx, Change::SoftDelete, &ids, at_most).await
    }

    /// Brings soft-deleted rows back. For administrators.
    async fn restore(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows, at most 100.")] ids: Vec<ID>,
        #[graphql(
            desc = "How many rows you mean to change; more ids than this change nothing.",
            default = 1
        )]
        at_most: i32,
    ) -> Result<ChangePayload> {
        change(ctx, Change::Restore, &ids, at_most).await
    }

    /// Removes rows with their vectors and feedback for good. For administrators.
    async fn purge(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The rows, at most 100.")] ids: Vec<ID>,
        #[graphql(
            desc = "How many rows you mean to change; more ids than this change nothing.",
            default = 1
        )]
        at_most: i32,
    ) -> Result<ChangePayload> {
        change(ctx, Change::Purge, &ids, at_most).await
    }
}

async fn change(
    ctx: &Context<'_>,
    change: Change,
    ids: &[ID],
    at_most: i32,
) -> Result<ChangePayload> {
    let ids = ids.iter().map(|id| id.parse()).collect::<std::result::Result<Vec<NodeId>, _>>()?;
    let changed = ctx.services().change(ctx.viewer(), change, &ids, at_most).await?;
    Ok(ChangePayload { ids: changed.iter().map(|id| id.to_string().into()).collect() })
}
