//! The queue of texts to embed.
//!
//! A task is written in the transaction that writes its content and deleted in the statement that
//! writes its vector, so no text is forgotten and no vector outlives its text.

use std::time::Duration;

use chrono::{DateTime, Utc};
use pgvector::Vector;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, Tx, rows, visible};
use crate::model::stats::FailedTask;
use crate::model::{Kind, NodeId, Scope, Space};

/// A task is given up after this many claims; they are counted when a task is claimed, so a text
/// that kills the process is given up as well.
pub const MAX_ATTEMPTS: i32 = 5;

/// A task that this process works on until its lease ends.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub id: Uuid,
    pub content_id: Uuid,
    pub space_id: Uuid,
    pub kind: Kind,
    /// What to embed.
    pub text: String,
    pub source_hash: Vec<u8>,
    pub attempts: i32,
}

/// Queues rows of a kind whose vectors do not belong to their present text, in every space that
/// holds the kind. Returns how many tasks that made.
pub async fn enqueue(
    tx: &mut Tx,
    _scope: Scope,
    kind: Kind,
    ids: &[Uuid],
    now: DateTime<Utc>,
) -> Result<u64> {
    // An edit that was taken back before it was embedded leaves nothing to do.
    sqlx::query(
        "DELETE FROM embedding_task USING content, embedding \
         WHERE content.id = ANY($1) AND embedding_task.content_id = content.id \
         AND embedding.content_id = content.id AND embedding.kind = content.kind \
         AND embedding.space_id = embedding_task.space_id \
         AND embedding.source_hash = content.source_hash",
    )
    .bind(ids)
    .execute(&mut **tx)
    .await?;
    let statement = enqueue_statement("AND content.id = ANY($3)");
    let outcome = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(kind.as_str())
        .bind(now)
        .bind(ids)
        .execute(&mut **tx)
        .await?;
    Ok(outcome.rows_affected())
}

/// As [`enqueue`], for every live row of a kind.
pub async fn enqueue_missing(db: &Db, scope: Scope, kind: Kind, now: DateTime<Utc>) -> Result<u64> {
    let statement = enqueue_statement("");
    let outcome = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(kind.as_str())
        .bind(now)
        .execute(db.sql(scope))
        .await?;
    Ok(outcome.rows_affected())
}

fn enqueue_statement(narrowed: &'static str) -> String {
    format!(
        "INSERT INTO embedding_task (id, content_id, space_id, kind, source_hash, run_at, created_at) \
         SELECT gen_random_uuid(), content.id, space_kind.space_id, content.kind, content.source_hash, $2, $2 \
         FROM content JOIN space_kind ON space_kind.kind = content.kind AND space_kind.state IN ('filling', 'current') \
         WHERE content.kind = $1 AND content.deleted_at IS NULL {narrowed} \
         AND NOT EXISTS (SELECT 1 FROM embedding WHERE embedding.content_id = content.id \
             AND embedding.space_id = space_kind.space_id AND embedding.kind = content.kind \
             AND embedding.source_hash = content.source_hash) \
         ORDER BY content.id \
         ON CONFLICT (content_id, space_id) DO UPDATE SET source_hash = excluded.source_hash, \
             state = 'pending', attempts = 0, run_at = excluded.run_at, \
             lease_token = NULL, lease_until = NULL, message = NULL \
         WHERE embedding_task.source_hash <> excluded.source_hash"
    )
}

/// Claims up to `limit` due tasks under `lease_token` until `now + lease`.
///
/// Tasks whose worker stopped while it held them come last and one at a time: one of them may be
/// what stopped it, and the others must not use up their attempts beside it.
pub async fn claim(
    db: &Db,
    scope: Scope,
    lease_token: Uuid,
    lease: Duration,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>> {
    let rows = sqlx::query(
        "WITH due AS MATERIALIZED (SELECT id FROM embedding_task \
             WHERE state = 'pending' AND run_at <= $1 AND attempts < $2 AND lease_token IS NULL \
             ORDER BY run_at, id LIMIT $3 FOR UPDATE SKIP LOCKED), \
         orphaned AS MATERIALIZED (SELECT id FROM embedding_task \
             WHERE state = 'pending' AND run_at <= $1 AND attempts < $2 AND lease_token IS NOT NULL \
             AND lease_until < $1 AND NOT EXISTS (SELECT 1 FROM due) \
             ORDER BY run_at, id LIMIT 1 FOR UPDATE SKIP LOCKED), \
         claimed AS (UPDATE embedding_task SET lease_token = $4, lease_until = $5, attempts = attempts + 1 \
             WHERE id IN (SELECT id FROM due UNION ALL SELECT id FROM orphaned) \
             RETURNING id, content_id, space_id, attempts) \
         SELECT claimed.id, content.id, claimed.space_id, content.kind, content.body, content.source_hash, claimed.attempts \
         FROM claimed JOIN content ON content.id = claimed.content_id",
    )
    .bind(now)
    .bind(MAX_ATTEMPTS)
    .bind(limit)
    .bind(lease_token)
    .bind(now + lease)
    .fetch_all(db.sql(scope))
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Claimed {
                id: row.try_get(0)?,
                content_id: row.try_get(1)?,
                space_id: row.try_get(2)?,
                kind: rows::kind(row.try_get(3)?)?,
                text: row.try_get(4)?,
                source_hash: row.try_get(5)?,
                attempts: row.try_get(6)?,
            })
        })
        .collect()
}

/// Gives up tasks whose last allowed claim ran out: they took the process down with them.
pub async fn give_up_expired(db: &Db, scope: Scope, now: DateTime<Utc>) -> Result<u64> {
    let outcome = sqlx::query(
        "UPDATE embedding_task SET state = 'failed', lease_token = NULL, lease_until = NULL, \
             message = coalesce(message, 'the worker stopped while it embedded this text') \
         WHERE state = 'pending' AND attempts >= $1 AND (lease_until IS NULL OR lease_until < $2)",
    )
    .bind(MAX_ATTEMPTS)
    .bind(now)
    .execute(db.sql(scope))
    .await?;
    Ok(outcome.rows_affected())
}

/// Writes the vectors of tasks and removes those tasks, in one statement. A task whose lease went
/// to somebody else, or whose text changed meanwhile, is left alone and its vector thrown away.
/// Returns how many vectors were written.
pub async fn complete(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    lease_token: Uuid,
    done: &[(&Claimed, Vec<f32>)],
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut query = QueryBuilder::<Postgres>::new(
        "WITH vectors AS MATERIALIZED (SELECT task_id, source_hash, embedding FROM unnest(",
    );
    let ids: Vec<Uuid> = done.iter().map(|(task, _)| task.id).collect();
    let hashes: Vec<&[u8]> = done.iter().map(|(task, _)| task.source_hash.as_slice()).collect();
    let vectors: Vec<Vector> =
        done.iter().map(|(_, vector)| Vector::from(vector.clone())).collect();
    query.push_bind(ids).push("::uuid[], ").push_bind(hashes).push("::bytea[], ");
    query.push_bind(vectors).push("::vector[]) AS v (task_id, source_hash, embedding)), ");
    query.push("finished AS (DELETE FROM embedding_task USING vectors, content WHERE embedding_task.id = vectors.task_id");
    query.push(" AND embedding_task.source_hash = vectors.source_hash AND content.id = embedding_task.content_id");
    query.push(" AND content.source_hash = vectors.source_hash AND embedding_task.lease_token = ");
    query.push_bind(lease_token);
    query.push(" RETURNING embedding_task.content_id, vectors.source_hash, vectors.embedding) INSERT INTO ");
    query
        .push(space.leaf(kind))
        .push(" (kind, space_id, content_id, embedding, source_hash, created_at) SELECT ");
    query.push_bind(kind.as_str()).push(", ").push_bind(space.id);
    query.push(", content_id, embedding, source_hash, ").push_bind(now);
    query.push(
        " FROM finished ORDER BY content_id ON CONFLICT (content_id, space_id, kind) DO UPDATE SET",
    );
    query.push(" embedding = excluded.embedding, source_hash = excluded.source_hash, created_at = excluded.created_at");
    Ok(query.build().execute(db.sql(scope)).await?.rows_affected())
}

/// What becomes of tasks that could not be done.
#[derive(Debug, Clone, Copy)]
pub enum Outcome {
    /// Try again at this time, unless the attempts are used up.
    Retry(DateTime<Utc>),
    /// Trying again would change nothing.
    GiveUp,
}

/// Gives tasks back after a failure, if their lease is still held.
pub async fn fail(
    db: &Db,
    scope: Scope,
    lease_token: Uuid,
    ids: &[Uuid],
    message: &str,
    outcome: Outcome,
) -> Result<()> {
    let (run_at, gives_up) = match outcome {
        Outcome::Retry(at) => (Some(at), false),
        Outcome::GiveUp => (None, true),
    };
    sqlx::query(
        "UPDATE embedding_task SET lease_token = NULL, lease_until = NULL, message = $1, \
             run_at = coalesce($2, run_at), \
             state = CASE WHEN $3 OR attempts >= $4 THEN 'failed' ELSE 'pending' END \
         WHERE id = ANY($5) AND lease_token = $6",
    )
    .bind(message)
    .bind(run_at)
    .bind(gives_up)
    .bind(MAX_ATTEMPTS)
    .bind(ids)
    .bind(lease_token)
    .execute(db.sql(scope))
    .await?;
    Ok(())
}

/// Gives back every task of a lease, unharmed: the worker shuts down.
pub async fn release(db: &Db, scope: Scope, lease_token: Uuid) -> Result<u64> {
    let outcome = sqlx::query(
        "UPDATE embedding_task SET lease_token = NULL, lease_until = NULL, attempts = attempts - 1 \
         WHERE lease_token = $1",
    )
    .bind(lease_token)
    .execute(db.sql(scope))
    .await?;
    Ok(outcome.rows_affected())
}

/// Queues failed tasks again. Returns how many.
pub async fn retry_failed(db: &Db, scope: Scope, now: DateTime<Utc>) -> Result<u64> {
    let outcome = sqlx::query(
        "UPDATE embedding_task SET state = 'pending', attempts = 0, run_at = $1, message = NULL \
         WHERE state = 'failed'",
    )
    .bind(now)
    .execute(db.sql(scope))
    .await?;
    Ok(outcome.rows_affected())
}

/// How many tasks of visible rows wait and how many failed.
pub async fn counts(db: &Db, scope: Scope) -> Result<(i64, i64)> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT count(*) FILTER (WHERE state = 'pending'), count(*) FILTER (WHERE state = 'failed') \
         FROM embedding_task JOIN content ON content.id = embedding_task.content_id WHERE true",
    );
    visible::push(&mut query, scope);
    let row = query.build().fetch_one(db.sql(scope)).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// The latest tasks of visible rows that were given up.
pub async fn failed(db: &Db, scope: Scope, limit: i64) -> Result<Vec<FailedTask>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT content.id, content.kind, embedding_task.attempts, coalesce(embedding_task.message, '') \
         FROM embedding_task JOIN content ON content.id = embedding_task.content_id \
         WHERE embedding_task.state = 'failed'",
    );
    visible::push(&mut query, scope);
    query.push(" ORDER BY embedding_task.run_at DESC, content.id LIMIT ").push_bind(limit);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter()
        .map(|row| {
            Ok(FailedTask {
                id: NodeId { kind: rows::kind(row.try_get(1)?)?, id: row.try_get(0)? },
                attempts: row.try_get(2)?,
                message: row.try_get(3)?,
            })
        })
        .collect()
}
