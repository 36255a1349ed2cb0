//! The mutations that change the embedding model without downtime.

use async_graphql::{Context, Enum, ID, Object, SimpleObject};

use super::ingest::malformed_owner;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::input::vector::VectorInput;
use crate::graphql::object::Kind;
use crate::graphql::object::hit::Fusion;
use crate::graphql::object::space::EmbeddingSpace;
use crate::model;
use crate::model::space::{ImportOutcome, SpaceSettings};
use crate::service::{Backfill, IfIncomplete, ImportInput, NewSpace, Setting, SpaceChanges};

#[derive(Default)]
pub(in crate::graphql) struct SpaceMutation;

/// A space that was made or changed.
#[derive(SimpleObject)]
struct SpacePayload {
    /// The space.
    space: EmbeddingSpace,
}

/// A backfill that was canceled.
#[derive(SimpleObject)]
struct CancelBackfillPayload {
    /// The space.
    space: EmbeddingSpace,
    /// How many queued texts were forgotten.
    removed: i64,
}

/// Which space answers for some kinds now.
#[derive(SimpleObject)]
struct PromoteSpacePayload {
    /// The kinds that changed.
    kinds: Vec<Kind>,
    /// The spaces that answer for them now.
    spaces: Vec<EmbeddingSpace>,
}

/// A space that is gone.
#[derive(SimpleObject)]
struct DropSpacePayload {
    /// Its name, which is free again.
    name: String,
}

/// What became of imported vectors.
#[derive(SimpleObject)]
struct ImportVectorsPayload {
    /// One result per row, in the order they were sent.
    rows: Vec<ImportRow>,
    /// How many vectors were taken.
    imported: i32,
    /// How many were not.
    rejected: i32,
}

/// What became of one vector.
#[derive(SimpleObject)]
struct ImportRow {
    /// Place of the row in the request, from 0.
    index: i32,
    /// What became of it.
    status: ImportStatus,
    /// Id of the row that the vector is for, if that is there.
    id: Option<ID>,
    /// Why the vector was not taken.
    message: Option<String>,
}

/// What became of a vector.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum ImportStatus {
    /// It is in the space, and what was queued for it is settled.
    Imported,
    /// It was not taken; see `message`.
    Rejected,
}

/// A setting of a space.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
enum SpaceSetting {
    /// How words and meaning are fused.
    Fusion,
    /// Share of meaning.
    SemanticRatio,
    /// Tokens of a chunk.
    ChunkTokens,
    /// Tokens that a chunk repeats.
    ChunkOverlap,
}

#[Object]
impl SpaceMutation {
    /// Makes a space: room for vectors of a model, beside the spaces that answer. For administrators.
    ///
    /// From then on rows that are written are embedded into it too, and with `backfill` those that are
    /// there already follow by the queue. It answers for nothing before `promoteSpace`.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn create_space(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "A new name: up to 100 letters, digits, `.`, `_`, `-` and `/`, the first one a letter or a digit."
        )]
        name: String,
        #[graphql(desc = "What runs the model: `static`, `local` or `openai`.")] backend: String,
        #[graphql(desc = "Name of the model; default is the backend's own.")] model: Option<String>,
        #[graphql(
            desc = "Numbers of one vector, at most 4000; default is the model's own, and most models have no other."
        )]
        dimensions: Option<i32>,
        #[graphql(desc = "The kinds it holds; default is all.")] kinds: Option<Vec<Kind>>,
        #[graphql(
            desc = "Whether filling starts at once; otherwise nothing is embedded into it, and nothing spent, before `backfillSpace`.",
            default = true
        )]
        backfill: bool,
        #[graphql(
            desc = "How fast it may be filled, from 1 to 1000000; default is as fast as the model works."
        )]
        texts_per_second: Option<i32>,
        #[graphql(
            desc = "How `hybridSearch` fuses words and meaning in it; default is the server's choice, made by measurement."
        )]
        fusion: Option<Fusion>,
        #[graphql(
            desc = "Share of meaning in `hybridSearch`, from 0 to 1; default is the server's choice, made by measurement."
        )]
        semantic_ratio: Option<f64>,
        #[graphql(
            desc = "Tokens of a chunk of a document at most, from 16 to 8192; default is the server's choice."
        )]
        chunk_tokens: Option<i32>,
        #[graphql(
            desc = "Tokens that a chunk repeats of the one before, from 0 to half of `chunkTokens`; default is the server's choice."
        )]
        chunk_overlap: Option<i32>,
    ) -> Result<SpacePayload> {
        let new = NewSpace {
            name,
            backend,
            model,
            dimensions,
            kinds: kinds.map(model_kinds),
            backfill: if backfill { Backfill::Now } else { Backfill::Later },
            texts_per_second,
            settings: SpaceSettings {
                fusion: fusion.map(Into::into),
                semantic_ratio,
                chunk_tokens,
                chunk_overlap,
            },
        };
        let space = ctx.services().create_space(ctx.viewer(), new).await?;
        Ok(SpacePayload { space: EmbeddingSpace::new(space, Vec::new()) })
    }

    /// Changes how `hybridSearch` ranks in a space, at once, and how documents are cut for it, from their
    /// next write on. What is not given stays. For administrators.
    #[expect(clippy::too_many_arguments, reason = "each is an argument of the field")]
    async fn configure_space(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the space.")] space: String,
        #[graphql(desc = "How `hybridSearch` fuses words and meaning.")] fusion: Option<Fusion>,
        #[graphql(desc = "Share of meaning in `hybridSearch`, from 0 to 1.")]
        semantic_ratio: Option<f64>,
        #[graphql(desc = "Tokens of a chunk of a document at most, from 16 to 8192.")]
        chunk_tokens: Option<i32>,
        #[graphql(
            desc = "Tokens that a chunk repeats of the one before, from 0 to half of `chunkTokens`."
        )]
        chunk_overlap: Option<i32>,
        #[graphql(desc = "Settings that go back to the server's choice.")] reset: Option<
            Vec<SpaceSetting>,
        >,
    ) -> Result<SpacePayload> {
        let reset = reset.unwrap_or_default();
        let changes = SpaceChanges {
            fusion: setting(fusion, reset.contains(&SpaceSetting::Fusion)),
            semantic_ratio: setting(semantic_ratio, reset.contains(&SpaceSetting::SemanticRatio)),
            chunk_tokens: setting(chunk_tokens, reset.contains(&SpaceSetting::ChunkTokens)),
            chunk_overlap: setting(chunk_overlap, reset.contains(&SpaceSetting::ChunkOverlap)),
        };
        let space = ctx.services().configure_space(ctx.viewer(), &space, changes).await?;
        Ok(SpacePayload { space: with_kinds(ctx, space).await? })
    }

    /// Fills a space by the queue with rows that it lacks, and lets rows that are written reach it. What
    /// is there already stays, also after a crash or `cancelBackfill`. For administrators.
    async fn backfill_space(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the space.")] space: String,
        #[graphql(desc = "The kinds; default is every kind that the space holds.")] kinds: Option<
            Vec<Kind>,
        >,
        #[graphql(
            desc = "How fast it may be filled, from 1 to 1000000; default is as fast as the model works."
        )]
        texts_per_second: Option<i32>,
    ) -> Result<SpacePayload> {
        let kinds = kinds.map(model_kinds);
        let (services, viewer) = (ctx.services(), ctx.viewer());
        let filled =
            services.backfill_space(viewer, &space, kinds.as_deref(), texts_per_second).await?;
        Ok(SpacePayload { space: with_kinds(ctx, filled).await? })
    }

    /// Stops filling a space, forgets what is queued for it, and lets no row that is written reach it any
    /// more. What was embedded stays; `backfillSpace` goes on. Kinds that the space answers for are
    /// refused, or left out by default. For administrators.
    async fn cancel_backfill(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the space.")] space: String,
        #[graphql(desc = "The kinds; default is every kind that the space does not answer for.")]
        kinds: Option<Vec<Kind>>,
    ) -> Result<CancelBackfillPayload> {
        let kinds = kinds.map(model_kinds);
        let (space, removed) =
            ctx.services().cancel_backfill(ctx.viewer(), &space, kinds.as_deref()).await?;
        let removed = i64::try_from(removed).unwrap_or(i64::MAX);
        Ok(CancelBackfillPayload { space: with_kinds(ctx, space).await?, removed })
    }

    /// Lets a space answer for kinds, all of them in one moment. Searches go on meanwhile; cursors of the
    /// space before are refused with `INVALID_CURSOR`. For administrators.
    ///
    /// A space that lacks vectors of live rows is refused; rows that were written within the last minute
    /// and wait in its queue do not count once it is `CURRENT`. The space before is kept and goes on being
    /// written to, so that `rollbackSpace` loses nothing, until it is dropped or its backfill canceled.
    async fn promote_space(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the space.")] space: String,
        #[graphql(desc = "The kinds; default is every kind that the space holds.")] kinds: Option<
            Vec<Kind>,
        >,
        #[graphql(
            desc = "Promote a space that lacks vectors as well; rows without one are not found by meaning until they are embedded.",
            default = false
        )]
        force: bool,
    ) -> Result<PromoteSpacePayload> {
        let kinds = kinds.map(model_kinds);
        let (services, viewer) = (ctx.services(), ctx.viewer());
        let (space, kinds) =
            services.promote_space(viewer, &space, kinds.as_deref(), if_incomplete(force)).await?;
        PromoteSpacePayload::new(ctx, kinds.into_iter().map(|kind| (kind, space.clone()))).await
    }

    /// Goes back to the spaces that answered before the last promotion; doing it again goes forth. Refused
    /// like `promoteSpace`. For administrators.
    async fn rollback_space(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The kinds; default is every kind that has a space to go back to.")]
        kinds: Option<Vec<Kind>>,
        #[graphql(
            desc = "Go back to a space that lacks vectors as well; rows without one are not found by meaning until they are embedded.",
            default = false
        )]
        force: bool,
    ) -> Result<PromoteSpacePayload> {
        let kinds = kinds.map(model_kinds);
        let switched = ctx
            .services()
            .rollback_space(ctx.viewer(), kinds.as_deref(), if_incomplete(force))
            .await?;
        PromoteSpacePayload::new(ctx, switched.into_iter()).await
    }

    /// Removes a space with all its vectors for good; one that answers for a kind is refused. The space of
    /// the model that the server is set to is made again, empty, when the server starts. For
    /// administrators.
    async fn drop_space(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the space.")] space: String,
    ) -> Result<DropSpacePayload> {
        let dropped = ctx.services().drop_space(ctx.viewer(), &space).await?;
        Ok(DropSpacePayload { name: dropped.name })
    }

    /// Takes vectors that you have already, so that their texts need not be embedded again. For
    /// administrators.
    ///
    /// Each must have the space's dimensions, finite numbers, a length above 0, and be made of the text
    /// that the row has now; those that do not fit are reported and do not stop the others. Vectors are
    /// scaled to length 1, and what was queued for their rows is settled.
    async fn import_vectors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Name of the space.")] space: String,
        #[graphql(desc = "The vectors, 1 to 250 of them.")] rows: Vec<VectorInput>,
        #[graphql(desc = "The kind of the rows.", default_with = "Kind::Song")] kind: Kind,
        #[graphql(
            desc = "Id of the user whose rows an `externalId` names; default is the shared catalogue."
        )]
        owner_id: Option<ID>,
    ) -> Result<ImportVectorsPayload> {
        let owner = owner_id.map(|id| id.parse().map_err(|_| malformed_owner(&id))).transpose()?;
        let rows = rows.into_iter().map(Into::into).collect();
        let input = ImportInput { space, kind: kind.into(), owner, rows };
        let outcomes = ctx.services().import_vectors(ctx.viewer(), input).await?;
        Ok(ImportVectorsPayload::new(outcomes))
    }
}

pub(in crate::graphql) fn model_kinds(kinds: Vec<Kind>) -> Vec<model::Kind> {
    kinds.into_iter().map(Into::into).collect()
}

/// What is both given and reset is set: it is what the request ends with.
fn setting<T, U: From<T>>(given: Option<T>, is_reset: bool) -> Setting<U> {
    match (given, is_reset) {
        (Some(value), _) => Setting::Set(value.into()),
        (None, true) => Setting::Reset,
        (None, false) => Setting::Keep,
    }
}

fn if_incomplete(force: bool) -> IfIncomplete {
    if force { IfIncomplete::PromoteAnyway } else { IfIncomplete::Refuse }
}

/// A space with the kinds it answers for.
async fn with_kinds(ctx: &Context<'_>, space: model::Space) -> Result<EmbeddingSpace> {
    let all = ctx.services().all_spaces(ctx.viewer()).await?;
    let known = all.into_iter().find(|(known, _)| known.id == space.id);
    let (space, kinds) = known.unwrap_or((space, Vec::new()));
    Ok(EmbeddingSpace::new(space, kinds))
}

impl PromoteSpacePayload {
    async fn new(
        ctx: &Context<'_>,
        switched: impl Iterator<Item = (model::Kind, model::Space)>,
    ) -> Result<Self> {
        let (mut kinds, mut spaces) = (Vec::new(), Vec::<model::Space>::new());
        for (kind, space) in switched {
            kinds.push(kind.into());
            if !spaces.iter().any(|known| known.id == space.id) {
                spaces.push(space);
            }
        }
        let mut described = Vec::with_capacity(spaces.len());
        for space in spaces {
            described.push(with_kinds(ctx, space).await?);
        }
        Ok(Self { kinds, spaces: described })
    }
}

impl ImportVectorsPayload {
    fn new(outcomes: Vec<ImportOutcome>) -> Self {
        let rejected = outcomes.iter().filter(|outcome| outcome.problem.is_some()).count();
        let number = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            imported: number(outcomes.len() - rejected),
            rejected: number(rejected),
            rows: outcomes
                .into_iter()
                .enumerate()
                .map(|(index, outcome)| ImportRow {
                    index: number(index),
                    status: match outcome.problem {
                        Some(_) => ImportStatus::Rejected,
                        None => ImportStatus::Imported,
                    },
                    id: outcome.id.map(|id| id.to_string().into()),
                    message: outcome.problem,
                })
                .collect(),
        }
    }
}
