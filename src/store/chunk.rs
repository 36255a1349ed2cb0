//! The parts of documents: writing them, reading them in order, and letting them follow their document.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::content_write::{self, NewContent};
use super::{Db, Result, Tx, rows, visible};
use crate::model::content::Change;
use crate::model::document::ChunkSlice;
use crate::model::{Content, Kind, Scope};

/// A part that is there, live or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    pub id: Uuid,
    pub document_id: Uuid,
    /// SHA-256 of the text that is embedded.
    pub source_hash: Vec<u8>,
    /// SHA-256 of the text alone, without title and headings.
    pub body_hash: Vec<u8>,
}

/// A part that is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub content: NewContent<'a>,
    pub document_id: Uuid,
    pub position: i32,
}

/// The parts of documents in the order of their places, locked until the transaction ends.
///
/// The documents are locked before: so whoever waits for a part holds none that its holder waits for.
pub async fn present(tx: &mut Tx, _scope: Scope, documents: &[Uuid]) -> Result<Vec<Present>> {
    let rows = sqlx::query(
        "WITH part AS MATERIALIZED (SELECT content.id, chunk.document_id, chunk.position, \
                 content.source_hash, sha256(convert_to(content.body, 'UTF8')) AS body_hash \
             FROM chunk JOIN content ON content.id = chunk.content_id \
             WHERE chunk.document_id = ANY($1) ORDER BY content.id FOR UPDATE OF content) \
         SELECT id, document_id, source_hash, body_hash FROM part ORDER BY document_id, position",
    )
    .bind(documents)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Present {
                id: row.try_get(0)?,
                document_id: row.try_get(1)?,
                source_hash: row.try_get(2)?,
                body_hash: row.try_get(3)?,
            })
        })
        .collect()
}

/// What becomes of the parts of documents.
#[derive(Debug, Default)]
pub struct Replacement<'a> {
    /// Parts whose rows are there.
    pub kept: Vec<Part<'a>>,
    pub new: Vec<Part<'a>>,
    pub removed: Vec<Uuid>,
}

/// Writes the parts of documents and removes those that are no more. Says which of the kept ones changed
/// their text or their place.
pub async fn replace(
    tx: &mut Tx,
    scope: Scope,
    owner: Option<Uuid>,
    replacement: &Replacement<'_>,
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>> {
    let Replacement { kept, new, removed } = replacement;
    if !removed.is_empty() {
        sqlx::query("DELETE FROM content WHERE id = ANY($1)")
            .bind(removed)
            .execute(&mut **tx)
            .await?;
    }
    let moved = move_to_places(tx, kept).await?;
    let changed = content_write::update(tx, scope, &contents(kept), moved, now).await?;
    content_write::insert(tx, scope, Kind::Chunk, owner, &contents(new), now).await?;
    insert_details(tx, new).await?;
    Ok(changed)
}

fn contents<'a>(parts: &[Part<'a>]) -> Vec<NewContent<'a>> {
    parts.iter().map(|part| part.content).collect()
}

/// Puts parts into their places and says which of them stood elsewhere.
async fn move_to_places(tx: &mut Tx, parts: &[Part<'_>]) -> Result<Vec<Uuid>> {
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "UPDATE chunk SET position = u.position FROM unnest($1::uuid[], $2::int4[]) AS u (id, position) \
         WHERE chunk.content_id = u.id AND chunk.position <> u.position RETURNING chunk.content_id",
    )
    .bind(parts.iter().map(|part| part.content.id).collect::<Vec<_>>())
    .bind(parts.iter().map(|part| part.position).collect::<Vec<_>>())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn insert_details(tx: &mut Tx, parts: &[Part<'_>]) -> Result<()> {
    if parts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO chunk (content_id, document_id, position) \
         SELECT id, document_id, position FROM unnest($1::uuid[], $2::uuid[], $3::int4[]) \
             AS u (id, document_id, position)",
    )
    .bind(parts.iter().map(|part| part.content.id).collect::<Vec<_>>())
    .bind(parts.iter().map(|part| part.document_id).collect::<Vec<_>>())
    .bind(parts.iter().map(|part| part.position).collect::<Vec<_>>())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets the parts of documents follow a change that is about to be made to these, and says which parts
/// that changed. The documents are locked. A restored document brings back what was deleted with it.
pub async fn follow(
    tx: &mut Tx,
    scope: Scope,
    documents: &[Uuid],
    change: Change,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>> {
    if documents.is_empty() {
        return Ok(Vec::new());
    }
    // In the order of ids, see `lease`.
    present(tx, scope, documents).await?;
    let mut query = match change {
        Change::SoftDelete => {
            let mut query = QueryBuilder::<Postgres>::new("UPDATE content SET deleted_at = ");
            query.push_bind(now).push(", updated_at = ").push_bind(now);
            query.push(FOLLOWERS).push("content.deleted_at IS NULL");
            query
        }
        Change::Restore => {
            let mut query =
                QueryBuilder::new("UPDATE content SET deleted_at = NULL, updated_at = ");
            query.push_bind(now).push(FOLLOWERS);
            query.push("content.deleted_at = owning.deleted_at");
            query
        }
        Change::Purge => {
            QueryBuilder::new("DELETE FROM content USING chunk WHERE chunk.content_id = content.id")
        }
    };
    query.push(" AND chunk.document_id = ANY(").push_bind(documents.to_vec());
    query.push(") RETURNING content.id");
    Ok(query.build_query_scalar().fetch_all(&mut **tx).await?)
}

/// The parts, beside the documents that they belong to.
const FOLLOWERS: &str = " FROM chunk JOIN content AS owning ON owning.id = chunk.document_id \
     WHERE chunk.content_id = content.id AND owning.deleted_at IS NOT DISTINCT FROM content.deleted_at AND ";

/// Slices of visible documents, their parts in order, in one statement.
///
/// Served by `chunk_document_id_position_key`, once for each slice.
pub async fn slices(
    db: &Db,
    scope: Scope,
    wanted: &[ChunkSlice],
) -> Result<HashMap<ChunkSlice, Vec<Content>>> {
    let Some(columns) = rows::columns(Kind::Chunk) else { return Ok(HashMap::new()) };
    let mut query = QueryBuilder::<Postgres>::new("SELECT wanted.place, part.* FROM unnest(");
    query.push_bind(wanted.iter().map(|slice| slice.document_id).collect::<Vec<_>>());
    query.push("::uuid[], ");
    query.push_bind(wanted.iter().map(|slice| slice.after.unwrap_or(-1)).collect::<Vec<_>>());
    query.push("::int4[], ");
    query.push_bind(wanted.iter().map(|slice| slice.limit).collect::<Vec<_>>());
    query.push(
        "::int8[]) WITH ORDINALITY AS wanted (document_id, after, most, place) \
         CROSS JOIN LATERAL (SELECT ",
    );
    query.push(columns);
    query.push(
        " FROM chunk JOIN content ON content.id = chunk.content_id \
         WHERE chunk.document_id = wanted.document_id AND chunk.position > wanted.after",
    );
    visible::push(&mut query, scope);
    query.push(
        " ORDER BY chunk.position LIMIT wanted.most) AS part \
         ORDER BY wanted.place, part.chunk_position",
    );
    let mut found: HashMap<ChunkSlice, Vec<Content>> = HashMap::new();
    for row in query.build().fetch_all(db.sql(scope)).await? {
        let place: i64 = row.try_get(0)?;
        let slice = usize::try_from(place - 1).ok().and_then(|place| wanted.get(place));
        if let Some(slice) = slice {
            found.entry(*slice).or_default().push(rows::content_of(Kind::Chunk, row)?);
        }
    }
    Ok(found)
}

/// How many parts visible documents have.
pub async fn counts(db: &Db, scope: Scope, documents: &[Uuid]) -> Result<HashMap<Uuid, i64>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT chunk.document_id, count(*) FROM chunk JOIN content ON content.id = chunk.content_id \
         WHERE chunk.document_id = ANY(",
    );
    query.push_bind(documents.to_vec()).push(")");
    visible::push(&mut query, scope);
    query.push(" GROUP BY chunk.document_id");
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
