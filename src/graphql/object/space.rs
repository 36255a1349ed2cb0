//! Embedding spaces.

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject};
use chrono::{DateTime, Utc};

use super::Kind;
use super::hit::Fusion;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::model::{self, space};
use crate::service::HeldProgress;

/// A model with its settings. Only vectors of one space are ever compared.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct EmbeddingSpace {
    #[graphql(skip)]
    space: model::Space,
    /// Unique name; what you pass as `space`.
    name: String,
    /// What runs the model: `static`, `local` or `openai`.
    backend: String,
    /// Name of the model.
    model: String,
    /// Numbers of one vector.
    dimensions: i32,
    /// Version of the templates that turn rows into texts.
    template_version: i32,
    /// Whether it answers.
    state: SpaceState,
    /// The kinds it answers for.
    active_for: Vec<Kind>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// How `hybridSearch` fuses words and meaning; `null` is the server's choice.
    fusion: Option<Fusion>,
    /// Share of meaning in `hybridSearch`, from 0 to 1; `null` is the server's choice.
    semantic_ratio: Option<f64>,
    /// Tokens of a chunk of a document at most; `null` is the server's choice.
    chunk_tokens: Option<i32>,
    /// Tokens that a chunk repeats of the one before; `null` is the server's choice.
    chunk_overlap: Option<i32>,
}

#[ComplexObject]
impl EmbeddingSpace {
    /// The kinds it holds and how far each is; only for administrators.
    async fn holds(&self, ctx: &Context<'_>) -> Result<Vec<SpaceKind>> {
        let held = ctx.services().held_kinds(ctx.viewer(), &self.space).await?;
        Ok(held.into_iter().map(Into::into).collect())
    }
}

impl EmbeddingSpace {
    pub(in crate::graphql) fn new(space: model::Space, kinds: Vec<model::Kind>) -> Self {
        Self {
            name: space.name.clone(),
            backend: space.backend.clone(),
            model: space.model.clone(),
            dimensions: i32::try_from(space.dimensions).unwrap_or(i32::MAX),
            template_version: space.template_version,
            state: space.state.into(),
            active_for: kinds.into_iter().map(Into::into).collect(),
            created_at: space.created_at,
            fusion: space.settings.fusion.map(Into::into),
            semantic_ratio: space.settings.semantic_ratio,
            chunk_tokens: space.settings.chunk_tokens,
            chunk_overlap: space.settings.chunk_overlap,
            space,
        }
    }
}

/// Whether a space answers.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "space::SpaceState")]
pub(in crate::graphql) enum SpaceState {
    /// It answers only when it is asked for by name, and never answered otherwise.
    Building,
    /// It answers for at least one kind.
    Active,
    /// It answered once and is kept to go back to; rows go on being written to it until it is dropped
    /// or its backfill is canceled.
    Retired,
}

/// A kind that a space holds.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SpaceKind {
    /// The kind.
    kind: Kind,
    /// How far the space is with it.
    state: FillState,
    /// Whether the space answers for it.
    is_active: bool,
    /// Live rows of the kind.
    rows: i64,
    /// How many of them have a vector of their present text in the space.
    embedded: i64,
    /// How many of them wait in the queue for it; a backfill queues some thousand at a time.
    pending: i64,
    /// How many of them could not be embedded; see `failedTasks`.
    failed: i64,
    /// `embedded` as a share of `rows`, from 0 to 1.
    progress: f64,
    /// How fast a backfill may go; `null` is as fast as the model works.
    texts_per_second: Option<i32>,
    /// When filling began; `null` if it never did.
    started_at: Option<DateTime<Utc>>,
    /// When every row had been embedded.
    finished_at: Option<DateTime<Utc>>,
    /// Its HNSW index.
    index: SpaceIndex,
}

/// How far a space is with a kind.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "space::FillState")]
pub(in crate::graphql) enum FillState {
    /// There is room for the kind, and nothing reaches it before `backfillSpace`.
    Empty,
    /// Rows are being queued, and every row that is written reaches it.
    Filling,
    /// Every row was queued once, and every row that is written reaches it.
    Current,
    /// Filling was canceled; nothing reaches it before `backfillSpace`.
    Canceled,
}

/// The HNSW index over a space's vectors of a kind. Below a threshold there is none, and every vector
/// is compared.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SpaceIndex {
    /// Whether it is there.
    state: IndexState,
    /// How far its building is, from 0 to 1, as the database tells it.
    progress: Option<f64>,
    /// What the database does to build it.
    phase: Option<String>,
    /// Its size in bytes.
    bytes: i64,
    /// What it is over: `hnsw(halfvec)` or, in the embedded database, `hnsw(vector)`. With
    /// `INDEX_QUANTIZATION=binary` it is `hnsw(binary)` from 1,000,000 rows on.
    #[graphql(name = "type")]
    of: String,
}

/// Whether an index is there.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "space::IndexState")]
pub(in crate::graphql) enum IndexState {
    /// There is none; every vector is compared.
    None,
    /// It is being built; every vector is compared meanwhile.
    Building,
    /// It serves searches.
    Ready,
}

impl From<HeldProgress> for SpaceKind {
    fn from(progress: HeldProgress) -> Self {
        let HeldProgress { held, is_active, coverage, index } = progress;
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share = match coverage.rows {
            0 => 1.0,
            rows => coverage.embedded as f64 / rows as f64,
        };
        Self {
            kind: held.kind.into(),
            state: held.state.into(),
            is_active,
            rows: coverage.rows,
            embedded: coverage.embedded,
            pending: coverage.pending,
            failed: coverage.failed,
            progress: share,
            texts_per_second: held.texts_per_second,
            started_at: (held.state != space::FillState::Empty).then_some(held.started_at),
            finished_at: held.finished_at,
            index: SpaceIndex {
                state: index.state.into(),
                progress: index.progress,
                phase: index.phase,
                bytes: index.bytes,
                of: format!("hnsw({})", index.holds),
            },
        }
    }
}

/// What filling a space would take.
#[derive(SimpleObject)]
pub(in crate::graphql) struct BackfillPlan {
    /// Live rows of the kinds.
    rows: i64,
    /// Rows among them whose vectors are there already; nothing is spent on them.
    unchanged: i64,
    /// Tokens of the other rows, extrapolated from a random sample.
    tokens: i64,
    /// What they cost in US dollars; `null` where the price is not known.
    cost: Option<f64>,
    /// Bytes of the vectors and of the index over them, by a formula.
    disk_bytes: i64,
    /// Seconds of embedding. Unlike `textsPerSecond` it knows no limit but the model's own.
    seconds: f64,
    /// Whether `seconds` was measured by embedding the sample. For `openai` it is not, so that nothing
    /// is spent: requests of full size are supposed to take a second.
    is_measured: bool,
    /// How many texts the sample has, at most 200 a kind.
    sample_size: i64,
}

impl From<space::BackfillPlan> for BackfillPlan {
    fn from(plan: space::BackfillPlan) -> Self {
        Self {
            rows: plan.rows,
            unchanged: plan.unchanged,
            tokens: plan.tokens,
            cost: plan.cost,
            disk_bytes: plan.disk_bytes,
            seconds: plan.seconds,
            is_measured: plan.is_measured,
            sample_size: plan.sample_size,
        }
    }
}

/// The answers of two spaces to the same queries, side by side.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SpaceComparison {
    /// Name of the first space.
    from: String,
    /// Name of the second space.
    to: String,
    /// The comparison for each query, in order.
    comparisons: Vec<QueryComparison>,
    /// Mean of `overlap`.
    mean_overlap: f64,
    /// Mean of `rankCorrelation`, where there is one.
    mean_rank_correlation: Option<f64>,
}

/// The answers of two spaces to one query.
#[derive(SimpleObject)]
pub(in crate::graphql) struct QueryComparison {
    /// The query.
    query: String,
    /// What the first space finds, best first.
    from_hits: Vec<ComparedHit>,
    /// What the second space finds, best first.
    to_hits: Vec<ComparedHit>,
    /// The share of the longer list that both have, from 0 to 1.
    overlap: f64,
    /// Kendall's tau over the union of the lists, with half a penalty where a list says nothing of an
    /// order (Fagin, Kumar and Sivakumar, 2003): 1 for the same order, -1 for the reverse, about -0.5
    /// for nothing in common; `null` where nothing was found.
    rank_correlation: Option<f64>,
}

/// A row that a space finds.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ComparedHit {
    /// Id of the row.
    id: ID,
    /// Its title.
    title: String,
    /// Cosine similarity, from -1 to 1; only comparable within the space.
    similarity: f64,
}

impl From<space::Comparison> for SpaceComparison {
    fn from(comparison: space::Comparison) -> Self {
        let queries = &comparison.queries;
        let correlations = queries.iter().filter_map(|query| query.correlation);
        Self {
            from: comparison.from,
            to: comparison.to,
            mean_overlap: mean(queries.iter().map(|query| query.overlap)).unwrap_or(0.0),
            mean_rank_correlation: mean(correlations),
            comparisons: comparison.queries.into_iter().map(Into::into).collect(),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    (count > 0.0).then(|| sum / count)
}

impl From<space::ComparedQuery> for QueryComparison {
    fn from(query: space::ComparedQuery) -> Self {
        let hits = |hits: Vec<space::ComparedHit>| hits.into_iter().map(Into::into).collect();
        Self {
            query: query.query,
            from_hits: hits(query.from),
            to_hits: hits(query.to),
            overlap: query.overlap,
            rank_correlation: query.correlation,
        }
    }
}

impl From<space::ComparedHit> for ComparedHit {
    fn from(hit: space::ComparedHit) -> Self {
        Self { id: hit.id.to_string().into(), title: hit.title, similarity: hit.similarity }
    }
}
