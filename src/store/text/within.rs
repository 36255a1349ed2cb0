//! What full text says of rows that something else found.

use std::collections::HashSet;

use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::terms::Terms;
use super::{push_phrases, score};
use crate::model::hit::Candidate;
use crate::model::{NodeId, Scope};
use crate::store::{Db, Result, rows, visible};

/// The scores of those of some visible rows that match, best first: what [`super::matches`] would give
/// them.
pub async fn scores(db: &Db, scope: Scope, terms: &Terms, ids: &[Uuid]) -> Result<Vec<Candidate>> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT content.id, content.kind, ");
    score::push(&mut query, terms);
    query.push(" AS score FROM content");
    score::push_unpacked(&mut query, terms);
    query.push(" WHERE content.id = ANY(").push_bind(ids.to_vec()).push(")");
    if !terms.words.is_empty() && !terms.requires_phrase() {
        query.push(" AND content.search @@ ").push_bind(Terms::any_of(&terms.words));
        query.push("::tsquery");
    }
    push_phrases(&mut query, terms);
    visible::push(&mut query, scope);
    query.push(" ORDER BY score DESC, content.id");
    let rows = query.build().persistent(false).fetch_all(db.sql(scope)).await?;
    rows.iter()
        .map(|row| {
            let id = NodeId { kind: rows::kind(row.try_get(1)?)?, id: row.try_get(0)? };
            Ok(Candidate { id, score: row.try_get(2)? })
        })
        .collect()
}

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
