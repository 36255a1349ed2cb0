//! `recommend`, `similar` and `hybridSearch`.

use async_graphql::{Context, ID, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::input::boost::BoostInput;
use crate::graphql::input::example::Example;
use crate::graphql::input::filter::ContentFilter;
use crate::graphql::input::rerank::RerankInput;
use crate::graphql::object::Kind;
use crate::graphql::object::hit::{Countable, Fusion, HitConnection, RecommendStrategy};
use crate::model::NodeId;
use crate::service::{Highlights, HybridInput, Paging, RecommendInput, SimilarInput};

#[derive(Default)]
pub(in crate::graphql) struct SearchQuery;

#[Object]
impl SearchQuery {
    /// Content that suits a text, examples you like, or your own history, best first.
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the field")]
    async fn recommend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for, in plain words; at most 2,000 characters.")]
        query: Option<String>,
        #[graphql(desc = "Rows that pull results towards them; with `avoid` at most 50.")]
        like: Option<Vec<Example>>,
        #[graphql(desc = "Rows that push results away.")] avoid: Option<Vec<Example>>,
        #[graphql(
            desc = "Go by what you liked and played (see `recordFeedback`), recent things first. Needs a token. Without history: popular content, and `info.strategy` is `COLD_START`.",
            default_with = "Some(false)"
        )]
        for_me: Option<bool>,
        #[graphql(desc = "What kind of content to find.", default_with = "Kind::Song")] kind: Kind,
        #[graphql(name = "where", desc = "Conditions on the results.")] narrowed: Option<
            ContentFilter,
        >,
        #[graphql(
            desc = "How several examples become one order.",
            default_with = "RecommendStrategy::Average"
        )]
        strategy: RecommendStrategy,
        #[graphql(
            desc = "From 0 (best first) to 1 (as different from each other as can be).",
            default = 0.0
        )]
        diversity: f64,
        #[graphql(desc = "Leave out results less similar than this, from -1 to 1.")] min_similarity: Option<f64>,
        #[graphql(desc = "Leave out what you gave feedback on. Needs a token.", default = false)]
        exclude_seen: bool,
        #[graphql(
            desc = "How many results, from 1 to the server's maximum (`MAX_RECOMMENDATION_LIMIT`, 100 unless configured); default `DEFAULT_RECOMMENDATION_LIMIT`, 5 unless configured."
        )]
        first: Option<i32>,
        #[graphql(desc = "`endCursor` of the page before.")] after: Option<String>,
        #[graphql(
            desc = "Name of the embedding space; default is the one that answers for the kind."
        )]
        space: Option<String>,
    ) -> Result<HitConnection> {
        let input = RecommendInput {
            query,
            like: Example::all(like)?,
            avoid: Example::all(avoid)?,
            for_me: for_me.unwrap_or(false),
            kind: kind.into(),
            filter: ContentFilter::condition(narrowed)?,
            strategy: strategy.into(),
            diversity,
            min_similarity,
            exclude_seen,
            paging: Paging { first, after },
            space,
        };
        let page = ctx.services().recommend(ctx.viewer(), &input).await?;
        let is_countable = input.min_similarity.is_none() && !exclude_seen && !input.for_me;
        let examples = input.like.iter().chain(&input.avoid);
        let exclude: Vec<NodeId> = examples.map(|example| example.id).collect();
        let countable = is_countable.then_some(Countable {
            kind: input.kind,
            space: page.info.space.clone().or(input.space),
            filter: input.filter,
            exclude,
        });
        HitConnection::load(ctx, page, countable).await
    }

    /// Content that is like a row, best first, without the row itself.
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the field")]
    async fn similar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the row.")] id: ID,
        #[graphql(desc = "What kind of content to find; default is the row's own kind.")]
        kind: Option<Kind>,
        #[graphql(name = "where", desc = "Conditions on the results.")] narrowed: Option<
            ContentFilter,
        >,
        #[graphql(desc = "Leave out results less similar than this, from -1 to 1.")] min_similarity: Option<f64>,
        #[graphql(desc = "How many results, from 1 to 100.", default = 10)] first: i32,
        #[graphql(desc = "`endCursor` of the page before.")] after: Option<String>,
        #[graphql(
            desc = "Name of the embedding space; default is the one that answers for the kind."
        )]
        space: Option<String>,
    ) -> Result<HitConnection> {
        let input = SimilarInput {
            id: id.parse()?,
            kind: kind.map(Into::into),
            filter: ContentFilter::condition(narrowed)?,
            min_similarity,
            paging: Paging { first: Some(first), after },
            space,
        };
        let page = ctx.services().similar(ctx.viewer(), &input).await?;
        let countable = input.min_similarity.is_none().then_some(Countable {
            kind: input.kind.unwrap_or(input.id.kind),
            space: page.info.space.clone().or(input.space),
            filter: input.filter,
            exclude: vec![input.id],
        });
        HitConnection::load(ctx, page, countable).await
    }

    /// Content found by its words and by its meaning, merged into one list, best first.
    ///
    /// Any of the words may occur, rare ones count more. `"quoted phrases"` must occur, and what
    /// follows a `-minus` must not.
    #[expect(clippy::too_many_arguments, reason = "these are the arguments of the field")]
    async fn hybrid_search(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to look for, in plain words; at most 2,000 characters.")]
        query: String,
        #[graphql(desc = "What kinds of content to find.", default_with = "vec![Kind::Chunk]")]
        kinds: Vec<Kind>,
        #[graphql(name = "where", desc = "Conditions on the results.")] narrowed: Option<
            ContentFilter,
        >,
        #[graphql(
            desc = "Share of meaning, from 0 (words alone) to 1 (meaning alone); the default is the space's own."
        )]
        semantic_ratio: Option<f64>,
        #[graphql(desc = "How the two lists become one; the default is the space's own.")]
        fusion: Option<Fusion>,
        #[graphql(
            desc = "One result per document: the best of its chunks and the document itself, as far as their kinds are searched. `first` counts documents.",
            default = false
        )]
        group_by_document: bool,
        #[graphql(
            desc = "Leave out results less similar than this, from -1 to 1. Needs a `semanticRatio` above 0."
        )]
        min_similarity: Option<f64>,
        #[graphql(
            desc = "End the list before its n-th large drop in score, n from 1 to 20; 1 keeps the results that stand out."
        )]
        autocut: Option<i32>,
        #[graphql(
            desc = "Let a cross-encoder order the best results anew, before boosts. Only where the server has one (`RERANK_MODEL`); where it is away, results stay in their order and `info.degraded` is `true`."
        )]
        rerank: Option<RerankInput>,
        #[graphql(desc = "What shall stand higher, beside how well it answers; at most 5.")]
        boosts: Option<Vec<BoostInput>>,
        #[graphql(
            desc = "From 0 (best first) to 1 (as different from each other as can be).",
            default = 0.0
        )]
        diversity: f64,
        #[graphql(desc = "How many results, from 1 to 100.", default = 10)] first: i32,
        #[graphql(desc = "`endCursor` of the page before; keep `first` as it was.")] after: Option<
            String,
        >,
        #[graphql(
            desc = "Name of the embedding space; default is the one that answers for the kinds."
        )]
        space: Option<String>,
    ) -> Result<HitConnection> {
        let input = HybridInput {
            query,
            kinds: kinds.into_iter().map(Into::into).collect(),
            filter: ContentFilter::condition(narrowed)?,
            semantic_ratio,
            fusion: fusion.map(Into::into),
            group_by_document,
            min_similarity,
            autocut,
            rerank: rerank.map(|rerank| rerank.top),
            boosts: BoostInput::all(boosts)?,
            diversity,
            paging: Paging { first: Some(first), after },
            space,
            highlights: highlights(ctx),
        };
        let page = ctx.services().hybrid_search(ctx.viewer(), &input).await?;
        HitConnection::load(ctx, page, None).await
    }
}

/// Whether the request asks for extracts.
fn highlights(ctx: &Context<'_>) -> Highlights {
    match ctx.look_ahead().field("edges").field("highlights").exists() {
        true => Highlights::Wanted,
        false => Highlights::Unwanted,
    }
}
