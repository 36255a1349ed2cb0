//! HNSW indexes: building one on a leaf, and how far that is.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::{Db, Result, Server};
use crate::model::space::{IndexState, LeafIndex};
use crate::model::{Kind, Scope, Space};

/// Dimensions that an index over `vector` may have; one over `halfvec` has twice as many.
const MAX_FULL_DIMENSIONS: usize = 2_000;

/// How an index is built.
#[derive(Debug, Clone, Copy)]
pub struct IndexBuild {
    /// Memory for the graph. A graph that does not fit is built several times slower.
    pub memory_mb: u32,
    pub parallel_workers: u32,
}

/// What became of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Built {
    /// It is there now.
    Now,
    /// It was there already.
    Before,
    /// Another process builds it.
    Elsewhere,
    /// No index of this database holds vectors of this length.
    Impossible,
}

/// Builds the HNSW index of a leaf, with half-precision numbers where the database is good at them:
/// what it proposes is compared again in full precision.
///
/// On a server searches and writes go on meanwhile. The embedded database has one connection, so
/// there everybody waits.
pub async fn build(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    build: IndexBuild,
) -> Result<Built> {
    match db.server() {
        Server::External => build_beside(db, scope, space, kind, build).await,
        Server::Embedded if space.dimensions > MAX_FULL_DIMENSIONS => Ok(Built::Impossible),
        Server::Embedded => build_alone(db, scope, space, kind, build).await,
    }
}

/// `CREATE INDEX …` of a leaf. Names and numbers come from the program, never from a request.
fn statement(db: &Db, space: &Space, kind: Kind, how: &str) -> String {
    let (leaf, dimensions, indexed) = (space.leaf(kind), space.dimensions, db.indexed_type());
    format!(
        "CREATE INDEX {how} {leaf}_hnsw_idx ON {leaf} \
         USING hnsw ((embedding::{indexed}({dimensions})) {indexed}_cosine_ops) \
         WITH (m = 24, ef_construction = 200)"
    )
}

async fn build_alone(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    build: IndexBuild,
) -> Result<Built> {
    let IndexBuild { memory_mb, parallel_workers } = build;
    let create = statement(db, space, kind, "IF NOT EXISTS");
    let statement = format!(
        "SET LOCAL statement_timeout = 0; \
         SET LOCAL lock_timeout = 0; \
         SET LOCAL maintenance_work_mem = '{memory_mb}MB'; \
         SET LOCAL max_parallel_maintenance_workers = {parallel_workers}; {create}"
    );
    let mut tx = db.begin(scope).await?;
    tx.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    tx.commit().await?;
    Ok(Built::Now)
}

/// On a connection of its own, which leaves the pool with its settings and its lock and is closed
/// afterwards, however the build ends.
async fn build_beside(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    build: IndexBuild,
) -> Result<Built> {
    let mut connection = db.sql(scope).acquire().await?.detach();
    let outcome = build_on(&mut connection, db, space, kind, build).await;
    // What was built is built; that the farewell fails changes nothing.
    drop(connection.close().await);
    outcome
}

async fn build_on(
    connection: &mut PgConnection,
    db: &Db,
    space: &Space,
    kind: Kind,
    build: IndexBuild,
) -> Result<Built> {
    let leaf = space.leaf(kind);
    let IndexBuild { memory_mb, parallel_workers } = build;
    let settings = format!(
        "SET statement_timeout = 0; SET lock_timeout = 0; \
         SET maintenance_work_mem = '{memory_mb}MB'; \
         SET max_parallel_maintenance_workers = {parallel_workers}"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
    let is_ours: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
        .bind(&leaf)
        .fetch_one(&mut *connection)
        .await?;
    if !is_ours {
        return Ok(Built::Elsewhere);
    }
    let is_valid: Option<bool> =
        sqlx::query_scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)")
            .bind(format!("{leaf}_hnsw_idx"))
            .fetch_optional(&mut *connection)
            .await?;
    match is_valid {
        Some(true) => return Ok(Built::Before),
        // Nobody else builds it, so it is what a crash left behind.
        Some(false) => {
            let statement = format!("DROP INDEX CONCURRENTLY {leaf}_hnsw_idx");
            connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
        }
        None => {}
    }
    let statement = statement(db, space, kind, "CONCURRENTLY");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    Ok(Built::Now)
}

/// The index of a leaf, and how far its building is.
pub async fn state(db: &Db, scope: Scope, space: &Space, kind: Kind) -> Result<LeafIndex> {
    let row = sqlx::query(
        "SELECT coalesce(pg_index.indisvalid, false), \
             coalesce(pg_relation_size(pg_index.indexrelid), 0), building.phase, \
             CASE WHEN building.tuples_total > 0 THEN building.tuples_done::float8 / building.tuples_total \
                 WHEN pg_class.reltuples > 0 THEN building.tuples_done / pg_class.reltuples::float8 END \
         FROM (SELECT to_regclass($1) AS leaf, to_regclass($1 || '_hnsw_idx') AS named) AS given \
         LEFT JOIN pg_class ON pg_class.oid = given.leaf \
         LEFT JOIN pg_index ON pg_index.indexrelid = given.named \
         LEFT JOIN pg_stat_progress_create_index AS building \
             ON building.relid = given.leaf AND building.datname = current_database()",
    )
    .bind(space.leaf(kind))
    .fetch_one(db.sql(scope))
    .await?;
    let (is_valid, phase): (bool, Option<String>) = (row.try_get(0)?, row.try_get(2)?);
    let progress: Option<f64> = row.try_get(3)?;
    let state = match (is_valid, &phase) {
        (true, _) => IndexState::Ready,
        (false, Some(_)) => IndexState::Building,
        (false, None) => IndexState::None,
    };
    let is_building = state == IndexState::Building;
    Ok(LeafIndex {
        state,
        progress: progress.map(|share| share.clamp(0.0, 1.0)).filter(|_| is_building),
        phase: phase.filter(|_| is_building),
        bytes: row.try_get(1)?,
        holds: db.indexed_type(),
    })
}

/// Bytes of one number of a vector in the indexes of this database.
pub fn number_bytes(db: &Db) -> i64 {
    match db.server() {
        Server::External => 2,
        Server::Embedded => 4,
    }
}
