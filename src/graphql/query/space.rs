//! `embeddingSpaces`.

use async_graphql::{Context, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::object::space::EmbeddingSpace;

#[derive(Default)]
pub(in crate::graphql) struct SpaceQuery;

#[Object]
impl SpaceQuery {
    /// The embedding spaces, oldest first.
    async fn embedding_spaces(&self, ctx: &Context<'_>) -> Result<Vec<EmbeddingSpace>> {
        let spaces = ctx.services().all_spaces(ctx.viewer()).await?;
        Ok(spaces.into_iter().map(|(space, kinds)| EmbeddingSpace::new(space, kinds)).collect())
    }
}
