//! What must and must not occur, asked of rows that something else found.

use std::collections::HashSet;

use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::push_phrases;
use super::terms::Terms;
use crate::model::Scope;
use crate::store::{Db, Result, visible};

/// Those of some visible rows that have what must occur and nothing that must not.
pub async fn permitted(
    db: &Db,
    scope: Scope,
    terms: &Terms,
    ids: &[Uuid],
) -> Result<HashSet<Uuid>> {
    let mut query =
        QueryBuilder::<Postgres>::new("SELECT content.id FROM content WHERE content.id = ANY(");
    query.push_bind(ids.to_vec()).push(")");
    push_phrases(&mut query, terms);
    visible::push(&mut query, scope);
    let rows = query.build().persistent(false).fetch_all(db.sql(scope)).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
