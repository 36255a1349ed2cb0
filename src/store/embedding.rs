//! Vectors of rows.

use std::collections::HashMap;

use pgvector::Vector;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, visible};
use crate::model::{Kind, Scope, Space};

/// The vectors of visible rows.
pub async fn vectors(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<f32>>> {
    let mut query =
        QueryBuilder::<Postgres>::new("SELECT embedding.content_id, embedding.embedding FROM ");
    query
        .push(space.leaf(kind))
        .push(" AS embedding JOIN content ON content.id = embedding.content_id");
    query.push(" WHERE embedding.content_id = ANY(").push_bind(ids.to_vec()).push(")");
    visible::push(&mut query, scope);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<Vector, _>(1)?.to_vec()))).collect()
}

/// Refreshes what the planner knows of a leaf and of the content tables. What somebody else maintains
/// at the moment is skipped: a build of an index waits for whoever waits for it, and one would be ended.
pub async fn analyze(db: &Db, scope: Scope, space: &Space, kind: Kind) -> Result<()> {
    let statement = format!("ANALYZE (SKIP_LOCKED) content, {kind}, {}", space.leaf(kind));
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(db.sql(scope)).await?;
    Ok(())
}
