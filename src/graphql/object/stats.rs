//! What the catalogue holds.

use async_graphql::{ComplexObject, Context, ID, SimpleObject};

use super::Kind;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::model::stats;

/// What the catalogue holds, as far as you may see it.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Stats {
    /// Rows and vectors of each kind.
    kinds: Vec<KindStats>,
    /// Texts that wait to be embedded.
    pending_tasks: i64,
    /// Texts that could not be embedded; see `failedTasks`.
    failed_tasks: i64,
    /// Sizes and versions; `null` unless you are an administrator.
    database: Option<DatabaseStats>,
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

impl From<stats::Stats> for Stats {
    fn from(stats: stats::Stats) -> Self {
        Self {
            kinds: stats.kinds.into_iter().map(Into::into).collect(),
            pending_tasks: stats.pending_tasks,
            failed_tasks: stats.failed_tasks,
            database: stats.database.map(Into::into),
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
