//! What the catalogue holds.

use async_graphql::{ComplexObject, Context, ID, Object, SimpleObject};
use chrono::NaiveDate;
use tokio::sync::OnceCell;

use super::Kind;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::model::stats;
use crate::service;

/// What the catalogue holds. Each field is counted only where it is asked for.
#[derive(Default)]
pub(in crate::graphql) struct Stats {
    /// Pending and failed tasks, which one statement counts.
    queue: OnceCell<(i64, i64)>,
}

/// What the catalogue holds, as far as you may see it.
#[Object]
impl Stats {
    /// Rows and vectors of each kind.
    async fn kinds(&self, ctx: &Context<'_>) -> Result<Vec<KindStats>> {
        let kinds = ctx.services().all_kind_stats(ctx.viewer()).await?;
        Ok(kinds.into_iter().map(Into::into).collect())
    }

    /// Texts that wait to be embedded.
    async fn pending_tasks(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(self.queue(ctx).await?.0)
    }

    /// Texts that could not be embedded; see `failedTasks`.
    async fn failed_tasks(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(self.queue(ctx).await?.1)
    }

    /// Sizes and versions; `null` unless you are an administrator.
    async fn database(&self, ctx: &Context<'_>) -> Result<Option<DatabaseStats>> {
        Ok(ctx.services().database_stats(ctx.viewer()).await?.map(Into::into))
    }

    /// What was spent on embedding models that count tokens, latest day first; empty unless you are an
    /// administrator.
    async fn usage(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100; a day has one for each space.", default = 30)]
        first: i32,
    ) -> Result<Vec<UsageDay>> {
        let days = ctx.services().usage(ctx.viewer(), first).await?;
        Ok(days.into_iter().map(Into::into).collect())
    }

    /// How well the vectors of search texts are remembered by the process that answers; `null` unless you
    /// are an administrator.
    async fn query_cache(&self, ctx: &Context<'_>) -> Option<QueryCacheStats> {
        ctx.services().query_cache(ctx.viewer()).map(Into::into)
    }
}

impl Stats {
    async fn queue(&self, ctx: &Context<'_>) -> Result<(i64, i64)> {
        let counts = self.queue.get_or_try_init(|| ctx.services().queue_counts(ctx.viewer()));
        Ok(*counts.await?)
    }
}

/// What was spent on a day for a space.
#[derive(SimpleObject)]
pub(in crate::graphql) struct UsageDay {
    /// The day, in UTC.
    day: NaiveDate,
    /// Name of the space whose texts were embedded; it may be gone.
    space: String,
    /// Backend of the model.
    backend: String,
    /// Name of the model.
    model: String,
    /// Requests to the provider, those that failed included.
    requests: i64,
    /// Texts that were embedded, search texts included.
    texts: i64,
    /// Tokens, as the provider counts them.
    tokens: i64,
    /// Texts that were longer than the model reads, and cut off.
    truncated: i64,
    /// US dollars, as far as the price of the model is known.
    cost: f64,
}

/// How well the vectors of search texts are remembered.
#[derive(SimpleObject)]
pub(in crate::graphql) struct QueryCacheStats {
    /// Searches whose vector was there, or on its way.
    hits: i64,
    /// Searches whose text was embedded.
    misses: i64,
    /// Hits for each search, from 0 to 1; `null` before the first one.
    hit_rate: Option<f64>,
    /// Texts that are remembered.
    entries: i64,
    /// Bytes that they take.
    bytes: i64,
    /// Bytes that they may take.
    capacity_bytes: i64,
}

/// Rows and vectors of one kind.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct KindStats {
    /// The kind.
    kind: Kind,
    /// Live rows that you may see.
    rows: i64,
    /// How many of them have a vector in the space that answers for the kind.
    embedded: i64,
    /// Name of the space that answers for the kind.
    space: Option<String>,
    /// Numbers of one vector of that space.
    dimensions: Option<i32>,
    /// Whether an HNSW index serves that space; below a threshold every vector is compared.
    has_index: bool,
}

#[ComplexObject]
impl KindStats {
    /// Vectors of the kind in all spaces, whoever owns the rows; only for administrators.
    async fn vectors(&self, ctx: &Context<'_>) -> Result<i64> {
        let vectors = ctx.services().vectors(ctx.viewer(), self.kind.into()).await?;
        Ok(i64::try_from(vectors).unwrap_or(i64::MAX))
    }
}

/// Sizes and versions of the database.
#[derive(SimpleObject)]
pub(in crate::graphql) struct DatabaseStats {
    /// Version of PostgreSQL.
    server_version: String,
    /// Version of pgvector.
    pgvector_version: String,
    /// Bytes of the whole database.
    size_bytes: i64,
    /// The largest tables, at most 100.
    tables: Vec<TableStats>,
}

/// The size of one table.
#[derive(SimpleObject)]
pub(in crate::graphql) struct TableStats {
    /// Name of the table.
    name: String,
    /// Rows, as the planner estimates them.
    rows: i64,
    /// Bytes of the table without its indexes.
    table_bytes: i64,
    /// Bytes of its indexes.
    index_bytes: i64,
}

impl From<stats::UsageDay> for UsageDay {
    fn from(usage: stats::UsageDay) -> Self {
        Self {
            day: usage.day,
            space: usage.space,
            backend: usage.backend,
            model: usage.model,
            requests: usage.requests,
            texts: usage.texts,
            tokens: usage.tokens,
            truncated: usage.truncated,
            cost: usage.cost,
        }
    }
}

impl From<service::CacheStats> for QueryCacheStats {
    fn from(cache: service::CacheStats) -> Self {
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            hits: signed(cache.hits),
            misses: signed(cache.misses),
            hit_rate: cache.hit_rate(),
            entries: signed(cache.entries),
            bytes: signed(cache.bytes),
            capacity_bytes: signed(cache.capacity_bytes),
        }
    }
}

impl From<stats::KindStats> for KindStats {
    fn from(stats: stats::KindStats) -> Self {
        let dimensions = stats.space.as_ref().map(|space| space.dimensions);
        Self {
            kind: stats.kind.into(),
            rows: stats.rows,
            embedded: stats.embedded,
            dimensions: dimensions.and_then(|count| i32::try_from(count).ok()),
            space: stats.space.map(|space| space.name),
            has_index: stats.has_index,
        }
    }
}

impl From<stats::DatabaseStats> for DatabaseStats {
    fn from(stats: stats::DatabaseStats) -> Self {
        let table = |table: stats::TableStats| TableStats {
            name: table.name,
            rows: table.rows,
            table_bytes: table.table_bytes,
            index_bytes: table.index_bytes,
        };
        Self {
            server_version: stats.server_version,
            pgvector_version: stats.pgvector_version,
            size_bytes: stats.size_bytes,
            tables: stats.tables.into_iter().map(table).collect(),
        }
    }
}

/// A text that could not be embedded.
#[derive(SimpleObject)]
pub(in crate::graphql) struct FailedTask {
    /// Id of the row whose text it is.
    content_id: ID,
    /// How often it was tried.
    attempts: i32,
    /// What went wrong the last time.
    message: String,
}

impl From<stats::FailedTask> for FailedTask {
    fn from(task: stats::FailedTask) -> Self {
        let content_id = task.id.to_string().into();
        Self { content_id, attempts: task.attempts, message: task.message }
    }
}
