//! `node` and `nodes`.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::object::content::Node;
use crate::model::{NodeId, limits};
use crate::service::Error;

#[derive(Default)]
pub(in crate::graphql) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The row of an id; `null` if it is not there or not yours to see.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id such as `song:0192…`.")] id: ID,
    ) -> Result<Option<Node>> {
        let id: NodeId = id.parse()?;
        Ok(ctx.services().contents(ctx.viewer(), &[id]).await?.remove(&id).map(Into::into))
    }

    /// The rows of several ids, in the same order, `null` where one is not there or not yours.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "At most 100 ids.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > limits::IDS {
            let problem = format!("holds {} ids; {} are allowed", ids.len(), limits::IDS);
            return Err(Error::invalid("ids", problem).into());
        }
        let ids =
            ids.iter().map(|id| id.parse()).collect::<std::result::Result<Vec<NodeId>, _>>()?;
        let found = ctx.services().contents(ctx.viewer(), &ids).await?;
        Ok(ids.iter().map(|id| found.get(id).cloned().map(Into::into)).collect())
    }
}
