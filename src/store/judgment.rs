//! What people judged a search should find.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Error, Result, visible};
use crate::model::judgment::Judgment;
use crate::model::{Kind, NodeId, Scope};

/// Writes a judgement down; another one of the same query and row is replaced.
pub async fn record(db: &Db, scope: Scope, judgment: &Judgment) -> Result<()> {
    sqlx::query(
        "INSERT INTO judgment (query, content_id, grade, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (query, content_id) \
         DO UPDATE SET grade = excluded.grade, created_at = excluded.created_at",
    )
    .bind(&judgment.query)
    .bind(judgment.id.id)
    .bind(judgment.grade)
    .bind(judgment.judged_at)
    .execute(db.sql(scope))
    .await?;
    Ok(())
}

/// Takes a judgement back. Returns whether there was one.
pub async fn remove(db: &Db, scope: Scope, query: &str, content_id: Uuid) -> Result<bool> {
    let removed = sqlx::query("DELETE FROM judgment WHERE query = $1 AND content_id = $2")
        .bind(query)
        .bind(content_id)
        .execute(db.sql(scope))
        .await?;
    Ok(removed.rows_affected() > 0)
}

/// A page of judgements of live rows, latest first.
pub struct Page<'a> {
    /// Only those of this query.
    pub query: Option<&'a str>,
    /// When the last one of the page before was judged, and its row.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    pub limit: i64,
}

/// The judgements of a page.
pub async fn page(db: &Db, scope: Scope, page: &Page<'_>) -> Result<Vec<Judgment>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT judgment.query, judgment.content_id, content.kind, judgment.grade, judgment.created_at \
         FROM judgment JOIN content ON content.id = judgment.content_id WHERE true",
    );
    visible::push(&mut query, scope);
    if let Some(text) = page.query {
        query.push(" AND judgment.query = ").push_bind(text.to_owned());
    }
    if let Some((at, id)) = page.after {
        query.push(" AND (judgment.created_at < ").push_bind(at);
        query.push(" OR judgment.created_at = ").push_bind(at);
        query.push(" AND judgment.content_id > ").push_bind(id).push(")");
    }
    query.push(" ORDER BY judgment.created_at DESC, judgment.content_id, judgment.query LIMIT ");
    query.push_bind(page.limit);
    query.build().fetch_all(db.sql(scope)).await?.iter().map(judgment).collect()
}

/// Every judgement of live rows of some kinds for the first queries in the order of their texts.
pub async fn of_queries(
    db: &Db,
    scope: Scope,
    kinds: &[Kind],
    most_queries: i64,
) -> Result<Vec<Judgment>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT query, content_id, kind, grade, created_at FROM (\
         SELECT judgment.query, judgment.content_id, content.kind, judgment.grade, judgment.created_at, \
             dense_rank() OVER (ORDER BY judgment.query) AS place \
         FROM judgment JOIN content ON content.id = judgment.content_id WHERE content.kind = ANY(",
    );
    let kinds: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    query.push_bind(kinds).push(")");
    visible::push(&mut query, scope);
    query.push(") AS judged WHERE place <= ").push_bind(most_queries);
    query.push(" ORDER BY query, content_id");
    query.build().fetch_all(db.sql(scope)).await?.iter().map(judgment).collect()
}

fn judgment(row: &PgRow) -> Result<Judgment> {
    let kind: String = row.try_get(2)?;
    let unreadable = || Error::Unreadable { column: "content.kind", value: kind.clone() };
    let kind = kind.parse::<Kind>().map_err(|_| unreadable())?;
    Ok(Judgment {
        query: row.try_get(0)?,
        id: NodeId { kind, id: row.try_get(1)? },
        grade: row.try_get(3)?,
        judged_at: row.try_get(4)?,
    })
}
