//! Writing the rows that every kind has, many at once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Result, Tx};
use crate::model::{Kind, Scope};

/// What is written of a row, whatever its kind.
#[derive(Debug, Clone, Copy)]
pub struct NewContent<'a> {
    pub id: Uuid,
    pub external_id: &'a str,
    pub title: &'a str,
    pub body: &'a str,
    /// One a line, outermost first; empty for what is no part of a document.
    pub headings: &'a str,
    pub language: &'a str,
    /// SHA-256 of the text that is embedded.
    pub source_hash: &'a [u8],
}

/// The live and deleted rows of a kind that are known by one of these external ids, locked until the
/// transaction ends.
pub async fn existing(
    tx: &mut Tx,
    _scope: Scope,
    kind: Kind,
    owner: Option<Uuid>,
    external_ids: &[&str],
) -> Result<HashMap<String, Uuid>> {
    // A plan made while the table was empty would read all of it ever after.
    sqlx::query("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
        .execute(&mut **tx)
        .await?;
    let mut query =
        QueryBuilder::<Postgres>::new("SELECT external_id, id FROM content WHERE kind = ");
    query.push_bind(kind.as_str());
    // `IS NOT DISTINCT FROM` would not use the index of `content_external_id_key`.
    match owner {
        Some(owner) => query.push(" AND owner_id = ").push_bind(owner),
        None => query.push(" AND owner_id IS NULL"),
    };
    query.push(" AND external_id = ANY(").push_bind(external_ids).push(") ORDER BY id FOR UPDATE");
    let rows = query.build().fetch_all(&mut **tx).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Writes new rows of a kind; `false` when somebody else just wrote one of them, and not all were
/// written.
pub async fn insert(
    tx: &mut Tx,
    _scope: Scope,
    kind: Kind,
    owner: Option<Uuid>,
    rows: &[NewContent<'_>],
    now: DateTime<Utc>,
) -> Result<bool> {
    if rows.is_empty() {
        return Ok(true);
    }
    let mut query = QueryBuilder::<Postgres>::new(
        "INSERT INTO content (id, kind, owner_id, external_id, title, body, headings, language, \
             source_hash, created_at, updated_at) \
         SELECT u.id, ",
    );
    query.push_bind(kind.as_str()).push(", ").push_bind(owner);
    query.push(", u.external_id, u.title, u.body, u.headings, u.language, u.source_hash, ");
    query.push_bind(now).push(", ").push_bind(now);
    query.push(" FROM unnest(").push_bind(column(rows, |row| row.id)).push("::uuid[], ");
    query.push_bind(column(rows, |row| row.external_id)).push("::text[], ");
    push_texts(&mut query, rows);
    // In one order: else two who write the same new rows at the same time wait for each other.
    query.push(
        ") AS u (id, external_id, title, body, headings, language, source_hash) \
         ORDER BY u.external_id ON CONFLICT DO NOTHING",
    );
    let written = query.build().execute(&mut **tx).await?.rows_affected();
    Ok(written == rows.len() as u64)
}

/// Updates rows that are there, restores deleted ones, and says which of them changed: those of
/// `touched` count as changed in any case.
pub async fn update(
    tx: &mut Tx,
    _scope: Scope,
    rows: &[NewContent<'_>],
    touched: Vec<Uuid>,
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>> {
    let mut changed: HashSet<Uuid> = touched.iter().copied().collect();
    if rows.is_empty() {
        return Ok(changed);
    }
    let mut query = QueryBuilder::<Postgres>::new(
        "UPDATE content SET title = u.title, body = u.body, headings = u.headings, \
         language = u.language, source_hash = u.source_hash, deleted_at = NULL, updated_at = ",
    );
    query.push_bind(now);
    query.push(" FROM unnest(").push_bind(column(rows, |row| row.id)).push("::uuid[], ");
    push_texts(&mut query, rows);
    query.push(
        ") AS u (id, title, body, headings, language, source_hash) WHERE content.id = u.id \
         AND ((content.title, content.body, content.headings, content.language, content.source_hash) \
             IS DISTINCT FROM (u.title, u.body, u.headings, u.language, u.source_hash) \
             OR content.deleted_at IS NOT NULL OR content.id = ANY(",
    );
    query.push_bind(touched).push(")) RETURNING content.id");
    for row in query.build().fetch_all(&mut **tx).await? {
        changed.insert(row.try_get(0)?);
    }
    Ok(changed)
}

fn push_texts(query: &mut QueryBuilder<Postgres>, rows: &[NewContent<'_>]) {
    query.push_bind(column(rows, |row| row.title)).push("::text[], ");
    query.push_bind(column(rows, |row| row.body)).push("::text[], ");
    query.push_bind(column(rows, |row| row.headings)).push("::text[], ");
    query.push_bind(column(rows, |row| row.language)).push("::text[], ");
    query.push_bind(column(rows, |row| row.source_hash)).push("::bytea[]");
}

fn column<'a, T>(rows: &[NewContent<'a>], value: impl Fn(&NewContent<'a>) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}
