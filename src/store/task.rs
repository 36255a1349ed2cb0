//! The queue of texts to embed.
//!
//! A task is written in the transaction that writes its content and deleted in the statement that
//! writes its vector, so no text is forgotten and no vector outlives its text. What a worker does with
//! tasks is in `lease`.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, Server, Tx, rows, visible};
use crate::model::stats::FailedTask;
use crate::model::{Kind, NodeId, Scope};

/// What workers of other processes listen to.
pub(super) const CHANNEL: &str = "kindred_task";

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
    if outcome.rows_affected() > 0 {
        notify(db, db.sql(scope)).await?;
    }
    Ok(outcome.rows_affected())
}

/// Tells workers of other processes that something is queued, once the transaction is committed.
pub async fn announce(db: &Db, tx: &mut Tx, _scope: Scope) -> Result<()> {
    notify(db, &mut **tx).await
}

/// The embedded engine has no other processes, and breaks connections that listen.
async fn notify(db: &Db, executor: impl PgExecutor<'_>) -> Result<()> {
    match db.server() {
        Server::Embedded => {}
        Server::External => {
            sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(executor).await?;
        }
    }
    Ok(())
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

/// Queues failed tasks again. Returns how many.
pub async fn retry_failed(db: &Db, scope: Scope, now: DateTime<Utc>) -> Result<u64> {
    let outcome = sqlx::query(
        "UPDATE embedding_task SET state = 'pending', attempts = 0, run_at = $1, message = NULL \
         WHERE state = 'failed'",
    )
    .bind(now)
    .execute(db.sql(scope))
    .await?;
    if outcome.rows_affected() > 0 {
        notify(db, db.sql(scope)).await?;
    }
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
