//! Whether the database answers.

use super::{Db, Result};
use crate::model::Scope;

/// One round trip.
pub async fn ping(db: &Db, scope: Scope) -> Result<()> {
    sqlx::query("SELECT 1").execute(db.sql(scope)).await?;
    Ok(())
}

/// The versions of the server and of pgvector.
pub async fn versions(db: &Db, scope: Scope) -> Result<(String, Option<String>)> {
    Ok(sqlx::query_as(
        "SELECT current_setting('server_version'), \
         (SELECT extversion FROM pg_extension WHERE extname = 'vector')",
    )
    .fetch_one(db.sql(scope))
    .await?)
}
