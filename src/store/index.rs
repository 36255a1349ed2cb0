//! HNSW indexes: building one on a leaf, and how far that is.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use super::{Db, Result, Server};
use crate::model::space::{IndexOver, IndexState, LeafIndex};
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

/// An index and the leaf it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Leaf<'a> {
    pub space: &'a Space,
    pub kind: Kind,
    pub over: IndexOver,
}

/// What an index is over, as a search must repeat it.
pub(super) struct Expression {
    pub(super) before: &'static str,
    pub(super) after: String,
    pub(super) operator: &'static str,
    class: String,
}

impl Expression {
    pub(super) fn new(db: &Db, space: &Space, over: IndexOver) -> Self {
        let (dimensions, holds) = (space.dimensions, db.indexed_type());
        match over {
            IndexOver::Float => Self {
                before: "",
                after: format!("::{holds}({dimensions})"),
                operator: "<=>",
                class: format!("{holds}_cosine_ops"),
            },
            IndexOver::Binary => Self {
                before: "binary_quantize(",
                after: format!(")::bit({dimensions})"),
                operator: "<~>",
                class: "bit_hamming_ops".to_owned(),
            },
        }
    }

    /// The expression with a column in it.
    pub(super) fn of(&self, column: &str) -> String {
        format!("{}{column}{}", self.before, self.after)
    }
}

/// The name of an index of a leaf; at most 63 characters, as the database has it.
pub(super) fn name(leaf: &str, over: IndexOver) -> String {
    match over {
        IndexOver::Float => format!("{leaf}_hnsw_idx"),
        IndexOver::Binary => format!("{leaf}_bit_idx"),
    }
}

/// Builds the HNSW index of a leaf; one over numbers with half-precision ones where the database is
/// good at them. What an index proposes is compared again in full precision.
///
/// On a server searches and writes go on meanwhile. The embedded database has one connection, so
/// there everybody waits.
pub async fn build(db: &Db, scope: Scope, leaf: Leaf<'_>, build: IndexBuild) -> Result<Built> {
    match db.server() {
        Server::External => build_beside(db, scope, leaf, build).await,
        Server::Embedded if leaf.space.dimensions > MAX_FULL_DIMENSIONS => Ok(Built::Impossible),
        Server::Embedded => build_alone(db, scope, leaf, build).await,
    }
}

/// `CREATE INDEX …` of a leaf. Names and numbers come from the program, never from a request.
fn statement(db: &Db, leaf: Leaf<'_>, how: &str) -> String {
    let Leaf { space, kind, over } = leaf;
    let (table, indexed) = (space.leaf(kind), Expression::new(db, space, over));
    format!(
        "CREATE INDEX {how} {} ON {table} USING hnsw (({}) {}) \
         WITH (m = 24, ef_construction = 200)",
        name(&table, over),
        indexed.of("embedding"),
        indexed.class
    )
}

async fn build_alone(db: &Db, scope: Scope, leaf: Leaf<'_>, build: IndexBuild) -> Result<Built> {
    let IndexBuild { memory_mb, parallel_workers } = build;
    let create = statement(db, leaf, "IF NOT EXISTS");
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
async fn build_beside(db: &Db, scope: Scope, leaf: Leaf<'_>, build: IndexBuild) -> Result<Built> {
    let mut connection = db.sql(scope).acquire().await?.detach();
    let outcome = build_on(&mut connection, db, leaf, build).await;
    // What was built is built; that the farewell fails changes nothing.
    drop(connection.close().await);
    outcome
}

async fn build_on(
    connection: &mut PgConnection,
    db: &Db,
    leaf: Leaf<'_>,
    build: IndexBuild,
) -> Result<Built> {
    let table = leaf.space.leaf(leaf.kind);
    let IndexBuild { memory_mb, parallel_workers } = build;
    let settings = format!(
        "SET maintenance_work_mem = '{memory_mb}MB'; \
         SET max_parallel_maintenance_workers = {parallel_workers}"
    );
    connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
    if !is_ours(connection, &table).await? {
        return Ok(Built::Elsewhere);
    }
    let is_valid: Option<bool> =
        sqlx::query_scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)")
            .bind(name(&table, leaf.over))
            .fetch_optional(&mut *connection)
            .await?;
    match is_valid {
        Some(true) => return Ok(Built::Before),
        // Nobody else builds it, so it is what a crash left behind.
        Some(false) => drop_index(connection, &name(&table, leaf.over)).await?,
        None => {}
    }
    let statement = statement(db, leaf, "CONCURRENTLY");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    Ok(Built::Now)
}

/// Lets the connection take its time, and says whether the indexes of a leaf are its own to change.
async fn is_ours(connection: &mut PgConnection, table: &str) -> Result<bool> {
    let patience = "SET statement_timeout = 0; SET lock_timeout = 0";
    connection.execute(sqlx::raw_sql(patience)).await?;
    let is_ours = sqlx::query_scalar("SELECT pg_try_advisory_lock(hashtextextended($1, 0))")
        .bind(table)
        .fetch_one(connection)
        .await?;
    Ok(is_ours)
}

async fn drop_index(connection: &mut PgConnection, name: &str) -> Result<()> {
    let statement = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    Ok(())
}

/// Whether a leaf has, besides the index that is meant, one over the other thing, valid or not.
pub async fn has_other(db: &Db, scope: Scope, leaf: Leaf<'_>) -> Result<bool> {
    let has_other = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(name(&leaf.space.leaf(leaf.kind), leaf.over.other()))
        .fetch_one(db.sql(scope))
        .await?;
    Ok(has_other)
}

/// Drops the index of a leaf that the one which is meant replaces, while searches and writes go on.
/// `false` if another process is at the indexes of the leaf.
pub async fn drop_other(db: &Db, scope: Scope, leaf: Leaf<'_>) -> Result<bool> {
    let table = leaf.space.leaf(leaf.kind);
    let mut connection = db.sql(scope).acquire().await?.detach();
    let outcome = match is_ours(&mut connection, &table).await {
        Ok(true) => {
            let other = name(&table, leaf.over.other());
            drop_index(&mut connection, &other).await.map(|()| true)
        }
        Ok(false) => Ok(false),
        Err(error) => Err(error),
    };
    // What was dropped is dropped; that the farewell fails changes nothing.
    drop(connection.close().await);
    outcome
}

/// The index of a leaf, and how far its building is.
pub async fn state(db: &Db, scope: Scope, space: &Space, kind: Kind) -> Result<LeafIndex> {
    let leaf = space.leaf(kind);
    let row = sqlx::query(
        "SELECT coalesce(pg_index.indisvalid, false), \
             coalesce(pg_relation_size(pg_index.indexrelid), 0), building.phase, \
             CASE WHEN building.tuples_total > 0 THEN building.tuples_done::float8 / building.tuples_total \
                 WHEN pg_class.reltuples > 0 THEN building.tuples_done / pg_class.reltuples::float8 END, \
             coalesce(pg_index.indexrelid = to_regclass($3), false) \
         FROM (SELECT to_regclass($1) AS leaf) AS given \
         LEFT JOIN pg_class ON pg_class.oid = given.leaf \
         LEFT JOIN LATERAL (SELECT indexrelid, indisvalid FROM pg_index \
             WHERE indexrelid IN (to_regclass($2), to_regclass($3)) \
             ORDER BY indisvalid DESC, indexrelid DESC LIMIT 1) AS pg_index ON true \
         LEFT JOIN pg_stat_progress_create_index AS building \
             ON building.relid = given.leaf AND building.datname = current_database()",
    )
    .bind(&leaf)
    .bind(name(&leaf, IndexOver::Float))
    .bind(name(&leaf, IndexOver::Binary))
    .fetch_one(db.sql(scope))
    .await?;
    let is_binary: bool = row.try_get(4)?;
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
        holds: if is_binary { "binary" } else { db.indexed_type() },
    })
}

/// Bytes of one number of a vector in the indexes of this database.
pub fn number_bytes(db: &Db) -> i64 {
    match db.server() {
        Server::External => 2,
        Server::Embedded => 4,
    }
}
