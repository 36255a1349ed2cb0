//! Vectors that are written with their content, by a model that takes no time.

use chrono::{DateTime, Utc};
use pgvector::Vector;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Db, Result, Tx};
use crate::model::{Kind, Scope, Space};

/// Rows of a leaf are counted up to here; beyond, the server's own estimate is taken.
const COUNTED: i64 = 20_000;

/// Lets a space hold a kind: what is written from now on is embedded in it, and what is there already is
/// still to be filled in.
pub async fn hold(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "WITH state AS (SELECT CASE WHEN EXISTS (SELECT 1 FROM content WHERE kind = $2) \
             THEN 'filling' ELSE 'current' END AS name) \
         INSERT INTO space_kind (space_id, kind, state, started_at, finished_at) \
         SELECT $1, $2, name, $3, CASE name WHEN 'current' THEN $3 END FROM state \
         ON CONFLICT (space_id, kind) DO UPDATE SET state = excluded.state, filled_to = NULL, \
             started_at = excluded.started_at, finished_at = excluded.finished_at \
         WHERE space_kind.state IN ('empty', 'canceled')",
    )
    .bind(space.id)
    .bind(kind.as_str())
    .bind(now)
    .execute(db.sql(scope))
    .await?;
    Ok(())
}

/// A row's vector, with the hash of the text that it was made from.
#[derive(Debug, Clone, Copy)]
pub struct Ready<'a> {
    pub content_id: Uuid,
    pub source_hash: &'a [u8],
    /// Unit length.
    pub vector: &'a [f32],
}

/// Writes the vectors of rows that the transaction wrote, where they differ from what is there. A vector
/// of another text than the row's is thrown away.
pub async fn write(
    tx: &mut Tx,
    _scope: Scope,
    space: &Space,
    kind: Kind,
    ready: &[Ready<'_>],
    now: DateTime<Utc>,
) -> Result<()> {
    let ids: Vec<Uuid> = ready.iter().map(|row| row.content_id).collect();
    let hashes: Vec<&[u8]> = ready.iter().map(|row| row.source_hash).collect();
    let vectors: Vec<Vector> = ready.iter().map(|row| Vector::from(row.vector.to_vec())).collect();
    let leaf = space.leaf(kind);
    let mut query = QueryBuilder::<Postgres>::new("INSERT INTO ");
    query.push(&leaf);
    query.push(
        " AS present (kind, space_id, content_id, embedding, source_hash, created_at) SELECT ",
    );
    query.push_bind(kind.as_str()).push(", ").push_bind(space.id);
    query.push(", content.id, v.embedding, v.source_hash, ").push_bind(now);
    query.push(" FROM unnest(").push_bind(ids).push("::uuid[], ").push_bind(hashes);
    query.push("::bytea[], ").push_bind(vectors);
    query.push(
        "::vector[]) AS v (content_id, source_hash, embedding) \
         JOIN content ON content.id = v.content_id AND content.source_hash = v.source_hash \
         ORDER BY content.id \
         ON CONFLICT (content_id, space_id, kind) DO UPDATE SET embedding = excluded.embedding, \
             source_hash = excluded.source_hash, created_at = excluded.created_at \
         WHERE present.source_hash <> excluded.source_hash",
    );
    query.build().execute(&mut **tx).await?;
    Ok(())
}

/// About how many vectors a leaf holds: counted where there are few, else the server's own estimate.
pub async fn rows_about(db: &Db, scope: Scope, space: &Space, kind: Kind) -> Result<i64> {
    let leaf = space.leaf(kind);
    let statement = format!(
        "SELECT CASE WHEN counted.rows < $1 THEN counted.rows \
             ELSE greatest($1, pg_stat_get_live_tuples(leaf.oid), leaf.reltuples::bigint) END \
         FROM pg_class AS leaf, (SELECT count(*) AS rows FROM (SELECT 1 FROM {leaf} LIMIT $1) AS few) AS counted \
         WHERE leaf.oid = '{leaf}'::regclass"
    );
    let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(statement));
    Ok(rows.bind(COUNTED).fetch_one(db.sql(scope)).await?)
}
