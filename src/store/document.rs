//! Writing documents, and reading their whole texts.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::content_write::{self, NewContent};
use super::{Db, Result, Tx, visible};
use crate::model::document::CutDocument;
use crate::model::{Kind, Scope};

/// Writes new documents without their parts; `false` when somebody else just wrote one of them.
pub async fn insert(
    tx: &mut Tx,
    scope: Scope,
    owner: Option<Uuid>,
    documents: &[(Uuid, &CutDocument)],
    now: DateTime<Utc>,
) -> Result<bool> {
    let contents = contents(documents);
    if !content_write::insert(tx, scope, Kind::Document, owner, &contents, now).await? {
        return Ok(false);
    }
    upsert_details(tx, scope, documents).await?;
    Ok(true)
}

/// Updates documents that are there, restores deleted ones, and says which of them changed.
pub async fn update(
    tx: &mut Tx,
    scope: Scope,
    documents: &[(Uuid, &CutDocument)],
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>> {
    let touched = upsert_details(tx, scope, documents).await?;
    content_write::update(tx, scope, &contents(documents), touched, now).await
}

fn contents<'a>(documents: &[(Uuid, &'a CutDocument)]) -> Vec<NewContent<'a>> {
    let content = |(id, cut): &(Uuid, &'a CutDocument)| NewContent {
        id: *id,
        external_id: &cut.new.external_id,
        title: &cut.new.title,
        body: &cut.new.body,
        headings: "",
        language: cut.new.document.language,
        source_hash: &cut.source_hash,
    };
    documents.iter().map(content).collect()
}

/// Writes the detail rows and returns the ids of those that are new or different.
async fn upsert_details(
    tx: &mut Tx,
    _scope: Scope,
    documents: &[(Uuid, &CutDocument)],
) -> Result<Vec<Uuid>> {
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    let details = || documents.iter().map(|(_, cut)| &cut.new.document);
    let ids: Vec<Uuid> = documents.iter().map(|(id, _)| *id).collect();
    let urls: Vec<Option<&str>> = details().map(|document| document.url.as_deref()).collect();
    // An array of arrays would have to be rectangular, so tags travel as one text each.
    let tags: Vec<String> = details().map(|document| document.tags.join("\u{1f}")).collect();
    let summaries: Vec<Option<&str>> =
        details().map(|document| document.summary.as_deref()).collect();
    let formats: Vec<&str> = details().map(|document| document.format.as_str()).collect();
    let rows = sqlx::query(
        "INSERT INTO document (content_id, url, tags, summary, format) \
         SELECT content_id, url, coalesce(string_to_array(nullif(tags, ''), E'\\x1f'), '{}'), summary, format \
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) \
             AS u (content_id, url, tags, summary, format) \
         ON CONFLICT (content_id) DO UPDATE SET (url, tags, summary, format) \
             = (excluded.url, excluded.tags, excluded.summary, excluded.format) \
         WHERE (document.url, document.tags, document.summary, document.format) \
             IS DISTINCT FROM (excluded.url, excluded.tags, excluded.summary, excluded.format) \
         RETURNING content_id",
    )
    .bind(ids)
    .bind(urls)
    .bind(tags)
    .bind(summaries)
    .bind(formats)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// The whole texts of visible documents; `None` if they have more characters together than `most`.
pub async fn bodies(
    db: &Db,
    scope: Scope,
    ids: &[Uuid],
    most: i64,
) -> Result<Option<HashMap<Uuid, String>>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "WITH wanted AS (SELECT content.id, content.body, \
             sum(char_length(content.body)) OVER () AS chars \
         FROM content WHERE content.kind = 'document' AND content.id = ANY(",
    );
    query.push_bind(ids.to_vec()).push(")");
    visible::push(&mut query, scope);
    query.push(") SELECT id, CASE WHEN chars <= ").push_bind(most);
    query.push(" THEN body END FROM wanted");
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    let mut bodies = HashMap::with_capacity(rows.len());
    for row in rows {
        let Some(body) = row.try_get(1)? else { return Ok(None) };
        bodies.insert(row.try_get(0)?, body);
    }
    Ok(Some(bodies))
}
