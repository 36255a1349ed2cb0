//! `judgments` and `evaluate`.

use async_graphql::{Context, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::object::Kind;
use crate::graphql::object::judgment::{Evaluation, JudgmentConnection};
use crate::service::eval::EvaluateInput;

#[derive(Default)]
pub(in crate::graphql) struct JudgmentQuery;

#[Object]
impl JudgmentQuery {
    /// The judgements that were recorded, latest first. For administrators.
    async fn judgments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those of this query; default is all.")] query: Option<String>,
        #[graphql(desc = "How many, from 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "`endCursor` of the page before.")] after: Option<String>,
    ) -> Result<JudgmentConnection> {
        let viewer = ctx.viewer();
        let page = ctx.services().judgments(viewer, query.as_deref(), first, after.as_deref());
        Ok(page.await?.into())
    }

    /// How good searches are by what was judged with `recordJudgment`: every judged query is run in every
    /// mode, five searches for each, so it may take many seconds; with more queries than the server's request
    /// timeout allows, ask for fewer. The queries come in the order of their texts. For administrators.
    async fn evaluate(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What kinds of content to find. Where it is chunks, one result for each document counts, unless chunks were judged for the query.",
            default_with = "vec![Kind::Chunk]"
        )]
        kinds: Vec<Kind>,
        #[graphql(
            desc = "Name of the embedding space; default is the one that answers for the kinds."
        )]
        space: Option<String>,
        #[graphql(desc = "How many results `ndcg` looks at, from 1 to 100.", default = 10)] k: i32,
        #[graphql(desc = "How many queries to run at most, from 1 to 200.", default = 50)]
        queries: i32,
    ) -> Result<Evaluation> {
        let kinds = kinds.into_iter().map(Into::into).collect();
        let input = EvaluateInput { kinds, space, k, queries };
        Ok(ctx.services().evaluate(ctx.viewer(), &input).await?.into())
    }
}
