//! Filling spaces: what is queued for them, how far they are, and what that would take.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, Tx, rows, visible};
use crate::model::space::Coverage;
use crate::model::{Kind, Scope, Space};

/// A kind that is being filled, locked until the transaction ends.
#[derive(Debug, Clone)]
pub struct Filling {
    pub space_id: Uuid,
    pub kind: Kind,
    /// Rows up to this id have been queued.
    pub filled_to: Option<Uuid>,
    pub texts_per_second: Option<i32>,
    /// Tasks that wait, counted up to the cap that was asked for.
    pub pending: i64,
    /// When the last of them is due.
    pub last_run_at: Option<DateTime<Utc>>,
}

/// Rows that were looked at and queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    pub queued: i64,
    pub filled_to: Option<Uuid>,
    /// Whether no rows are behind the cursor.
    pub is_last: bool,
}

/// How a slice is queued.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Rows that may be queued.
    pub room: i64,
    /// When the first of them is due.
    pub from: DateTime<Utc>,
    /// How much later each further one is.
    pub pause_seconds: f64,
}

/// Rows that one statement looks at.
const SLICE: i64 = 2_000;

/// Begins to fill a space with kinds it has room for, or goes on; what is there already stays.
/// Kinds that are current stay so. Says how many are being filled.
///
/// The caller holds the writers back, see [`super::space::hold_writers`].
pub async fn start(
    tx: &mut Tx,
    _scope: Scope,
    space: Uuid,
    kinds: &[Kind],
    texts_per_second: Option<i32>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let outcome = sqlx::query(
        "UPDATE space_kind SET state = 'filling', filled_to = NULL, started_at = $3, finished_at = NULL, \
             texts_per_second = $4 \
         WHERE space_id = $1 AND kind = ANY($2) AND state IN ('empty', 'canceled')",
    )
    .bind(space)
    .bind(names(kinds))
    .bind(now)
    .bind(texts_per_second)
    .execute(&mut **tx)
    .await?;
    // What is under way goes on at its new rate.
    sqlx::query(
        "UPDATE space_kind SET texts_per_second = $3 \
         WHERE space_id = $1 AND kind = ANY($2) AND state = 'filling'",
    )
    .bind(space)
    .bind(names(kinds))
    .bind(texts_per_second)
    .execute(&mut **tx)
    .await?;
    Ok(outcome.rows_affected())
}

/// Lets nothing more reach a space, and forgets what was queued for it. Returns how many tasks that were.
pub async fn cancel(db: &Db, scope: Scope, space: Uuid, kinds: &[Kind]) -> Result<u64> {
    sqlx::query(
        "UPDATE space_kind SET state = 'canceled', filled_to = NULL \
         WHERE space_id = $1 AND kind = ANY($2) AND state IN ('filling', 'current') \
         AND NOT EXISTS (SELECT 1 FROM active_space \
             WHERE active_space.space_id = $1 AND active_space.kind = space_kind.kind)",
    )
    .bind(space)
    .bind(names(kinds))
    .execute(db.sql(scope))
    .await?;
    let outcome = sqlx::query(
        "DELETE FROM embedding_task USING space_kind \
         WHERE embedding_task.space_id = $1 AND embedding_task.kind = ANY($2) \
         AND space_kind.space_id = embedding_task.space_id AND space_kind.kind = embedding_task.kind \
         AND space_kind.state = 'canceled'",
    )
    .bind(space)
    .bind(names(kinds))
    .execute(db.sql(scope))
    .await?;
    Ok(outcome.rows_affected())
}

/// A kind that is being filled, unless another process is at it: two must not queue the same slice,
/// nor double the rate.
pub async fn lock(
    tx: &mut Tx,
    _scope: Scope,
    space: Uuid,
    kind: Kind,
    cap: i64,
) -> Result<Option<Filling>> {
    let row = sqlx::query(
        "SELECT filled_to, texts_per_second FROM space_kind \
         WHERE space_id = $1 AND kind = $2 AND state = 'filling' FOR NO KEY UPDATE SKIP LOCKED",
    )
    .bind(space)
    .bind(kind.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // Read after the lock was taken, so it knows what the holder before queued.
    let queue = sqlx::query(
        "SELECT count(*), max(run_at) FROM (SELECT run_at FROM embedding_task \
             WHERE space_id = $1 AND kind = $2 AND state = 'pending' \
             ORDER BY run_at DESC LIMIT $3) AS capped",
    )
    .bind(space)
    .bind(kind.as_str())
    .bind(cap)
    .fetch_one(&mut **tx)
    .await?;
    Ok(Some(Filling {
        space_id: space,
        kind,
        filled_to: row.try_get(0)?,
        texts_per_second: row.try_get(1)?,
        pending: queue.try_get(0)?,
        last_run_at: queue.try_get(1)?,
    }))
}

/// Looks at the rows behind the cursor and queues those without a vector of their present text.
/// Moves the cursor.
///
/// Served by `content_kind_id_idx` and the primary key of the leaf.
pub async fn queue_slice(
    tx: &mut Tx,
    scope: Scope,
    space: &Space,
    filling: &Filling,
    pace: Pace,
    now: DateTime<Utc>,
) -> Result<Slice> {
    let mut query = QueryBuilder::<Postgres>::new("WITH slice AS MATERIALIZED (");
    push_slice(&mut query, scope, filling);
    query.push(
        "), missing AS MATERIALIZED (SELECT slice.id, slice.source_hash, \
             row_number() OVER (ORDER BY slice.id) - 1 AS place \
         FROM slice WHERE NOT EXISTS (SELECT 1 FROM ",
    );
    query.push(space.leaf(filling.kind));
    query.push(
        " AS embedding WHERE embedding.content_id = slice.id AND embedding.source_hash = slice.source_hash) \
         ORDER BY slice.id LIMIT ",
    );
    query.push_bind(pace.room);
    // A slice that holds more than may be queued ends where the room ends.
    query.push("), reached AS (SELECT CASE WHEN (SELECT count(*) FROM missing) = ");
    query.push_bind(pace.room);
    query.push(
        " THEN (SELECT id FROM missing ORDER BY id DESC LIMIT 1) \
             ELSE (SELECT id FROM slice ORDER BY id DESC LIMIT 1) END AS id), \
         queued AS (INSERT INTO embedding_task (id, content_id, space_id, kind, source_hash, run_at, created_at) \
         SELECT gen_random_uuid(), missing.id, ",
    );
    query.push_bind(space.id).push(", ").push_bind(filling.kind.as_str());
    query.push(", missing.source_hash, ").push_bind(pace.from);
    query.push(" + make_interval(secs => missing.place * ").push_bind(pace.pause_seconds);
    query.push("), ").push_bind(now).push(
        " FROM missing ORDER BY missing.id ON CONFLICT (content_id, space_id) DO NOTHING RETURNING 1), \
         moved AS (UPDATE space_kind SET filled_to = reached.id FROM reached \
             WHERE reached.id IS NOT NULL AND space_kind.space_id = ",
    );
    query.push_bind(space.id).push(" AND space_kind.kind = ").push_bind(filling.kind.as_str());
    query.push(
        ") SELECT (SELECT count(*) FROM queued), reached.id, (SELECT count(*) FROM slice) < ",
    );
    query.push_bind(SLICE).push(
        " AND reached.id IS NOT DISTINCT FROM (SELECT id FROM slice ORDER BY id DESC LIMIT 1) FROM reached",
    );
    let row = query.build().fetch_one(&mut **tx).await?;
    Ok(Slice { queued: row.try_get(0)?, filled_to: row.try_get(1)?, is_last: row.try_get(2)? })
}

fn push_slice(query: &mut QueryBuilder<Postgres>, scope: Scope, filling: &Filling) {
    query.push("SELECT content.id, content.source_hash FROM content WHERE content.kind = ");
    query.push_bind(filling.kind.as_str());
    if let Some(filled_to) = filling.filled_to {
        query.push(" AND content.id > ").push_bind(filled_to);
    }
    visible::push(query, scope);
    query.push(" ORDER BY content.id LIMIT ").push_bind(SLICE);
}

/// Says that a kind is filled.
pub async fn finish(
    tx: &mut Tx,
    _scope: Scope,
    space: Uuid,
    kind: Kind,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "UPDATE space_kind SET state = 'current', filled_to = NULL, finished_at = $3 \
         WHERE space_id = $1 AND kind = $2",
    )
    .bind(space)
    .bind(kind.as_str())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// How many visible rows of a kind a space covers. Rows that were written after `recently` and wait
/// in the queue are not lacking.
pub async fn coverage<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    scope: Scope,
    space: &Space,
    kind: Kind,
    recently: DateTime<Utc>,
) -> Result<Coverage> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT count(*), count(embedding.content_id), \
             count(*) FILTER (WHERE embedding_task.state = 'pending'), \
             count(*) FILTER (WHERE embedding_task.state = 'failed'), \
             count(*) FILTER (WHERE embedding.content_id IS NULL \
                 AND NOT (coalesce(embedding_task.state = 'pending', false) AND content.updated_at > ",
    );
    query.push_bind(recently).push(")) FROM content LEFT JOIN ").push(space.leaf(kind));
    query.push(
        " AS embedding ON embedding.content_id = content.id AND embedding.source_hash = content.source_hash \
         LEFT JOIN embedding_task ON embedding_task.content_id = content.id AND embedding_task.space_id = ",
    );
    query.push_bind(space.id).push(" WHERE content.kind = ").push_bind(kind.as_str());
    visible::push(&mut query, scope);
    let row = query.build().fetch_one(executor).await?;
    Ok(Coverage {
        rows: row.try_get(0)?,
        embedded: row.try_get(1)?,
        pending: row.try_get(2)?,
        failed: row.try_get(3)?,
        lacking: row.try_get(4)?,
    })
}

/// As [`coverage`], outside of a transaction.
pub async fn coverage_now(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    recently: DateTime<Utc>,
) -> Result<Coverage> {
    coverage(db.sql(scope), scope, space, kind, recently).await
}

/// Texts of up to `limit` visible rows, by chance, among those without a vector of their present text.
pub async fn sample(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    limit: i64,
) -> Result<Vec<String>> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(rows::EMBEDDED_TEXT);
    query.push(" FROM content WHERE content.kind = ").push_bind(kind.as_str());
    query.push(" AND NOT EXISTS (SELECT 1 FROM ").push(space.leaf(kind));
    query.push(
        " AS embedding WHERE embedding.content_id = content.id AND embedding.source_hash = content.source_hash)",
    );
    visible::push(&mut query, scope);
    query.push(" ORDER BY random() LIMIT ").push_bind(limit);
    Ok(query.build_query_scalar().fetch_all(db.sql(scope)).await?)
}

pub(super) fn names(kinds: &[Kind]) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.as_str()).collect()
}

/// The kinds among names, in the order of [`Kind::ALL`].
pub(super) fn kinds(names: &[String]) -> Result<Vec<Kind>> {
    let mut kinds = names.iter().map(|name| rows::kind(name)).collect::<Result<Vec<_>>>()?;
    kinds.sort();
    Ok(kinds)
}
