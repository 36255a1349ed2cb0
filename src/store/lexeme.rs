//! How rare words are in the shared catalogue.

use chrono::{DateTime, Utc};

use super::{Db, Result};
use crate::model::{Kind, Scope};

/// Counts the words of a kind again if its rows changed by more than a twentieth since the last
/// time, or were never counted. Says whether it did.
pub async fn refresh_if_stale(
    db: &Db,
    scope: Scope,
    kind: Kind,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut tx = db.begin(scope).await?;
    let is_stale: bool = sqlx::query_scalar(
        "WITH present AS (SELECT count(*) AS rows FROM content \
             WHERE kind = $1 AND owner_id IS NULL AND deleted_at IS NULL), \
         counted AS (SELECT coalesce(sum(rows), 0) AS rows FROM lexeme_total WHERE kind = $1) \
         SELECT abs(present.rows - counted.rows) * 20 > counted.rows FROM present, counted",
    )
    .bind(kind.as_str())
    .fetch_one(&mut *tx)
    .await?;
    if is_stale {
        count_again(&mut tx, kind, now).await?;
    }
    tx.commit().await?;
    Ok(is_stale)
}

async fn count_again(tx: &mut super::Tx, kind: Kind, now: DateTime<Utc>) -> Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('lexeme.' || $1, 0))")
        .bind(kind.as_str())
        .execute(&mut **tx)
        .await?;
    sqlx::query("SELECT set_config('statement_timeout', '0', true)").execute(&mut **tx).await?;
    sqlx::query("DELETE FROM lexeme WHERE kind = $1")
        .bind(kind.as_str())
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "INSERT INTO lexeme (kind, word, rows) SELECT $1, word, ndoc FROM ts_stat(format(\
         'SELECT search FROM content WHERE kind = %L AND owner_id IS NULL AND deleted_at IS NULL', $1))",
    )
    .bind(kind.as_str())
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "INSERT INTO lexeme_total (kind, rows, average_length, counted_at) \
         SELECT $1, count(*), coalesce(avg(length(search)), 1), $2 FROM content \
         WHERE kind = $1 AND owner_id IS NULL AND deleted_at IS NULL \
         ON CONFLICT (kind) DO UPDATE SET rows = excluded.rows, \
             average_length = greatest(excluded.average_length, 1), counted_at = excluded.counted_at",
    )
    .bind(kind.as_str())
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
