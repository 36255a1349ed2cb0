//! Vectors: reading those of examples, building the index.

use std::collections::HashMap;

use pgvector::Vector;
use sqlx::{Executor, Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, visible};
use crate::model::{Kind, Scope, Space};

/// The vectors of visible rows.
pub async fn vectors(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<f32>>> {
    let mut query =
        QueryBuilder::<Postgres>::new("SELECT embedding.content_id, embedding.embedding FROM ");
    query
        .push(space.leaf(kind))
        .push(" AS embedding JOIN content ON content.id = embedding.content_id");
    query.push(" WHERE embedding.content_id = ANY(").push_bind(ids.to_vec()).push(")");
    visible::push(&mut query, scope);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<Vector, _>(1)?.to_vec()))).collect()
}

/// How an index is built.
#[derive(Debug, Clone, Copy)]
pub struct IndexBuild {
    /// Memory for the graph. A graph that does not fit is built several times slower.
    pub memory_mb: u32,
    pub parallel_workers: u32,
}

/// Builds the HNSW index of a leaf. Searches go on meanwhile, exactly; writes wait.
///
/// The index holds half-precision numbers: half the size at the same recall, because what it
/// proposes is compared again in full precision.
pub async fn build_index(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    build: IndexBuild,
) -> Result<()> {
    let leaf = space.leaf(kind);
    let IndexBuild { memory_mb, parallel_workers } = build;
    let dimensions = space.dimensions;
    let indexed = db.indexed_type();
    let statement = format!(
        "SET LOCAL statement_timeout = 0; \
         SET LOCAL lock_timeout = 0; \
         SET LOCAL maintenance_work_mem = '{memory_mb}MB'; \
         SET LOCAL max_parallel_maintenance_workers = {parallel_workers}; \
         CREATE INDEX IF NOT EXISTS {leaf}_hnsw_idx ON {leaf} \
         USING hnsw ((embedding::{indexed}({dimensions})) {indexed}_cosine_ops) \
         WITH (m = 24, ef_construction = 200);"
    );
    let mut tx = db.begin(scope).await?;
    // One process at a time; a second one finds the index there.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(&leaf)
        .execute(&mut *tx)
        .await?;
    tx.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statement))).await?;
    tx.commit().await?;
    Ok(())
}

/// Refreshes what the planner knows of a leaf and of the content tables.
pub async fn analyze(db: &Db, scope: Scope, space: &Space, kind: Kind) -> Result<()> {
    let statement = format!("ANALYZE content, {kind}, {}", space.leaf(kind));
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(db.sql(scope)).await?;
    Ok(())
}
