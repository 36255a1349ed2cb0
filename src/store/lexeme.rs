//! How rare words are in the shared catalogue. The counting is done by triggers, see migration 000005.

use chrono::{DateTime, Utc};

use super::{Db, Result};
use crate::model::{Kind, Scope};

/// Folds the changes of a kind into its sums, so that reading them stays fast; one process at a time.
pub async fn fold(db: &Db, scope: Scope, kind: Kind) -> Result<()> {
    let mut tx = db.begin(scope).await?;
    let is_alone: bool = sqlx::query_scalar(
        "SELECT pg_try_advisory_xact_lock(hashtextextended('lexeme.' || $1, 0))",
    )
    .bind(kind.as_str())
    .fetch_one(&mut *tx)
    .await?;
    if !is_alone {
        return Ok(());
    }
    sqlx::query("SELECT set_config('statement_timeout', '0', true)").execute(&mut *tx).await?;
    sqlx::query(
        "WITH gone AS (DELETE FROM lexeme_change WHERE kind = $1 RETURNING word, rows) \
         INSERT INTO lexeme (kind, word, rows) SELECT $1, word, sum(rows) FROM gone GROUP BY word \
         HAVING sum(rows) <> 0 ORDER BY word \
         ON CONFLICT (word, kind) DO UPDATE SET rows = lexeme.rows + excluded.rows",
    )
    .bind(kind.as_str())
    .execute(&mut *tx)
    .await?;
    sqlx::query("DELETE FROM lexeme WHERE kind = $1 AND rows = 0")
        .bind(kind.as_str())
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "WITH gone AS (DELETE FROM lexeme_total WHERE kind = $1 \
             RETURNING language, owner_id, rows, length) \
         INSERT INTO lexeme_total (kind, language, owner_id, rows, length) \
         SELECT $1, language, owner_id, sum(rows), sum(length) FROM gone GROUP BY language, owner_id \
         HAVING sum(rows) <> 0",
    )
    .bind(kind.as_str())
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}

/// Whether the rows of a kind changed by more than a twentieth since it was last said that they had, or
/// there were none before.
pub async fn has_grown(db: &Db, scope: Scope, kind: Kind, now: DateTime<Utc>) -> Result<bool> {
    let changed = sqlx::query(
        "INSERT INTO analysis (kind, rows, analyzed_at) \
         SELECT $1, sum(rows), $2 FROM lexeme_total WHERE kind = $1 HAVING sum(rows) > 0 \
         ON CONFLICT (kind) DO UPDATE SET rows = excluded.rows, analyzed_at = excluded.analyzed_at \
             WHERE abs(excluded.rows - analysis.rows) * 20 > analysis.rows",
    )
    .bind(kind.as_str())
    .bind(now)
    .execute(db.sql(scope))
    .await?;
    Ok(changed.rows_affected() > 0)
}
