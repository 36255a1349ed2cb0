//! What a worker does with tasks: it claims them under a lease, and completes, fails or releases them.
//!
//! Whoever writes content locks its row first and its tasks next, in the order of ids, and so does
//! everything here that waits for locks.

use std::time::Duration;

use chrono::{DateTime, Utc};
use pgvector::Vector;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::rows::EMBEDDED_TEXT;
use super::{Db, Result, rows};
use crate::model::{Kind, Scope, Space};

/// A task is given up after this many claims; they are counted when a task is claimed, so a text
/// that kills the process is given up as well.
pub const MAX_ATTEMPTS: i32 = 5;

/// A task that this process works on until its lease ends.
#[derive(Debug, Clone)]
pub struct Claimed {
    pub id: Uuid,
    pub content_id: Uuid,
    /// What to embed.
    pub text: String,
    pub source_hash: Vec<u8>,
    pub attempts: i32,
}

/// Tasks that wait for nobody but each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    pub space_id: Uuid,
    pub kind: Kind,
    pub origin: Origin,
}

/// How tasks came to be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// They were queued, or given back after a failure.
    Queued,
    /// Their worker stopped while it held them: one of them may be what stopped it.
    Orphaned,
}

/// The lanes in which something is due, in order.
///
/// Served by `embedding_task_space_id_kind_run_at_idx`, and for orphans by the index of leased tasks.
pub async fn lanes(db: &Db, scope: Scope, now: DateTime<Utc>) -> Result<Vec<Lane>> {
    let rows = sqlx::query(
        "WITH pair AS (SELECT embedding_space.id AS space_id, kind FROM embedding_space, unnest($2::text[]) AS kind) \
         SELECT space_id, kind, false FROM pair \
         WHERE EXISTS (SELECT 1 FROM embedding_task WHERE embedding_task.space_id = pair.space_id \
             AND embedding_task.kind = pair.kind AND state = 'pending' AND run_at <= $1 AND lease_token IS NULL) \
         UNION ALL SELECT DISTINCT space_id, kind, true FROM embedding_task \
         WHERE lease_token IS NOT NULL AND lease_until < $1 AND state = 'pending'",
    )
    .bind(now)
    .bind(Kind::ALL.map(Kind::as_str).as_slice())
    .fetch_all(db.sql(scope))
    .await?;
    let lane = |row: &sqlx::postgres::PgRow| {
        let is_orphaned: bool = row.try_get(2)?;
        Ok(Lane {
            space_id: row.try_get(0)?,
            kind: rows::kind(row.try_get(1)?)?,
            origin: if is_orphaned { Origin::Orphaned } else { Origin::Queued },
        })
    };
    let mut lanes = rows.iter().map(lane).collect::<Result<Vec<_>>>()?;
    lanes.sort_unstable();
    Ok(lanes)
}

/// What is to be claimed.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    pub lane: Lane,
    pub token: Uuid,
    pub lease: Duration,
    pub limit: i64,
}

/// Claims due tasks of a lane, those that waited longest first.
///
/// Of orphans those come first that were claimed least, in any order: were it the same order every time,
/// stops by chance would add up on the first one.
pub async fn claim(
    db: &Db,
    scope: Scope,
    claim: Claim,
    now: DateTime<Utc>,
) -> Result<Vec<Claimed>> {
    let due = match claim.lane.origin {
        Origin::Queued => "lease_token IS NULL ORDER BY run_at, id",
        Origin::Orphaned => {
            "lease_token IS NOT NULL AND lease_until < $1 ORDER BY attempts, random()"
        }
    };
    let statement = format!(
        "WITH due AS MATERIALIZED (SELECT id FROM embedding_task \
             WHERE space_id = $2 AND kind = $3 AND state = 'pending' AND run_at <= $1 AND attempts < $4 \
             AND {due} LIMIT $5 FOR UPDATE SKIP LOCKED), \
         claimed AS (UPDATE embedding_task SET lease_token = $6, lease_until = $7, attempts = attempts + 1 \
             WHERE id = ANY(ARRAY(SELECT id FROM due)) RETURNING id, content_id, attempts) \
         SELECT claimed.id, content.id, {EMBEDDED_TEXT}, content.source_hash, claimed.attempts \
         FROM claimed JOIN content ON content.id = claimed.content_id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(now)
        .bind(claim.lane.space_id)
        .bind(claim.lane.kind.as_str())
        .bind(MAX_ATTEMPTS)
        .bind(claim.limit)
        .bind(claim.token)
        .bind(now + claim.lease)
        .fetch_all(db.sql(scope))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Claimed {
                id: row.try_get(0)?,
                content_id: row.try_get(1)?,
                text: row.try_get(2)?,
                source_hash: row.try_get(3)?,
                attempts: row.try_get(4)?,
            })
        })
        .collect()
}

/// Puts off the end of a lease. Says whether anything is held under it any more.
///
/// A task that somebody is changing just now keeps its end: waiting for it could end in a deadlock.
pub async fn renew(db: &Db, scope: Scope, token: Uuid, until: DateTime<Utc>) -> Result<bool> {
    let is_held = sqlx::query_scalar(
        "WITH held AS MATERIALIZED (SELECT id FROM embedding_task WHERE lease_token = $1 FOR UPDATE SKIP LOCKED), \
         renewed AS (UPDATE embedding_task SET lease_until = $2 WHERE id = ANY(ARRAY(SELECT id FROM held))) \
         SELECT EXISTS (SELECT 1 FROM embedding_task WHERE lease_token = $1)",
    )
    .bind(token)
    .bind(until)
    .fetch_one(db.sql(scope))
    .await?;
    Ok(is_held)
}

/// Gives up tasks whose last allowed claim ran out: they took the process down with them.
pub async fn give_up_expired(db: &Db, scope: Scope, now: DateTime<Utc>) -> Result<u64> {
    let outcome = sqlx::query(
        "UPDATE embedding_task SET state = 'failed', lease_token = NULL, lease_until = NULL, \
             message = coalesce(message, 'the worker stopped while it embedded this text') \
         WHERE state = 'pending' AND attempts >= $1 AND lease_token IS NOT NULL AND lease_until < $2",
    )
    .bind(MAX_ATTEMPTS)
    .bind(now)
    .execute(db.sql(scope))
    .await?;
    Ok(outcome.rows_affected())
}

/// Where vectors go.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub space: &'a Space,
    pub kind: Kind,
    /// Under which the tasks are held.
    pub token: Uuid,
}

/// Writes the vectors of tasks and removes those tasks, in one statement. A task whose lease went
/// to somebody else, or whose text changed meanwhile, is left alone and its vector thrown away.
/// Returns how many vectors were written.
pub async fn complete(
    db: &Db,
    scope: Scope,
    target: Target<'_>,
    done: &[(&Claimed, &[f32])],
    now: DateTime<Utc>,
) -> Result<u64> {
    let Target { space, kind, token } = target;
    let ids: Vec<Uuid> = done.iter().map(|(task, _)| task.id).collect();
    let contents: Vec<Uuid> = done.iter().map(|(task, _)| task.content_id).collect();
    let hashes: Vec<&[u8]> = done.iter().map(|(task, _)| task.source_hash.as_slice()).collect();
    let vectors: Vec<Vector> =
        done.iter().map(|(_, vector)| Vector::from(vector.to_vec())).collect();
    let mut query = QueryBuilder::<Postgres>::new(
        "WITH vectors AS MATERIALIZED (SELECT task_id, content_id, source_hash, embedding FROM unnest(",
    );
    query.push_bind(ids).push("::uuid[], ").push_bind(&contents).push("::uuid[], ");
    query.push_bind(hashes).push("::bytea[], ").push_bind(vectors);
    query.push("::vector[]) AS v (task_id, content_id, source_hash, embedding)), ");
    // Inserting locks the content as well, but later, when the tasks are locked.
    query.push("present AS MATERIALIZED (SELECT content.id, content.source_hash FROM content WHERE content.id = ANY(");
    query.push_bind(&contents).push(") ORDER BY content.id FOR KEY SHARE), ");
    query.push("finished AS (DELETE FROM embedding_task USING vectors, present WHERE embedding_task.id = vectors.task_id");
    query
        .push(" AND present.id = vectors.content_id AND present.source_hash = vectors.source_hash");
    query.push(
        " AND embedding_task.source_hash = vectors.source_hash AND embedding_task.lease_token = ",
    );
    query.push_bind(token);
    query.push(" RETURNING embedding_task.content_id, vectors.source_hash, vectors.embedding) INSERT INTO ");
    query.push(space.leaf(kind));
    query.push(" (kind, space_id, content_id, embedding, source_hash, created_at) SELECT ");
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
    token: Uuid,
    ids: &[Uuid],
    message: &str,
    outcome: Outcome,
) -> Result<()> {
    let (run_at, gives_up) = match outcome {
        Outcome::Retry(at) => (Some(at), false),
        Outcome::GiveUp => (None, true),
    };
    sqlx::query(
        "WITH held AS MATERIALIZED (SELECT id FROM embedding_task \
             WHERE id = ANY($5) AND lease_token = $6 ORDER BY content_id FOR UPDATE) \
         UPDATE embedding_task SET lease_token = NULL, lease_until = NULL, message = $1, \
             run_at = coalesce($2, run_at), \
             state = CASE WHEN $3 OR attempts >= $4 THEN 'failed' ELSE 'pending' END \
         WHERE id = ANY(ARRAY(SELECT id FROM held)) AND lease_token = $6",
    )
    .bind(message)
    .bind(run_at)
    .bind(gives_up)
    .bind(MAX_ATTEMPTS)
    .bind(ids)
    .bind(token)
    .execute(db.sql(scope))
    .await?;
    Ok(())
}

/// Gives back every task of a lease, unharmed. Orphans stay orphans, so that they go on being tried one
/// at a time.
pub async fn release(
    db: &Db,
    scope: Scope,
    token: Uuid,
    origin: Origin,
    now: DateTime<Utc>,
) -> Result<u64> {
    let is_orphaned = match origin {
        Origin::Queued => false,
        Origin::Orphaned => true,
    };
    let outcome = sqlx::query(
        "WITH held AS MATERIALIZED (SELECT id FROM embedding_task \
             WHERE lease_token = $1 ORDER BY content_id FOR UPDATE) \
         UPDATE embedding_task SET attempts = attempts - 1, \
             lease_token = CASE WHEN $2 THEN lease_token END, \
             lease_until = CASE WHEN $2 THEN $3 - interval '1 millisecond' END \
         WHERE id = ANY(ARRAY(SELECT id FROM held)) AND lease_token = $1",
    )
    .bind(token)
    .bind(is_orphaned)
    .bind(now)
    .execute(db.sql(scope))
    .await?;
    Ok(outcome.rows_affected())
}
