//! Vectors that were made elsewhere.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use pgvector::Vector;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Result, Tx, visible};
use crate::model::{Kind, Scope, Space};

/// A vector for a row, made of the text with this hash.
#[derive(Debug, Clone)]
pub struct Import {
    pub content_id: Uuid,
    /// Unit length.
    pub vector: Vec<f32>,
    pub source_hash: Vec<u8>,
}

/// The visible rows among ids with the hash of their present text, kept as they are until the
/// transaction ends.
pub async fn hashes_by_id(
    tx: &mut Tx,
    scope: Scope,
    kind: Kind,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<u8>>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT content.id, content.source_hash FROM content WHERE content.kind = ",
    );
    query.push_bind(kind.as_str()).push(" AND content.id = ANY(").push_bind(ids).push(")");
    visible::push(&mut query, scope);
    query.push(" ORDER BY content.id FOR SHARE OF content");
    let rows = query.build().fetch_all(&mut **tx).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// The visible rows of one owner, or of the shared catalogue, by external id.
///
/// Served by `content_external_id_key`.
pub async fn ids_by_external_id(
    tx: &mut Tx,
    scope: Scope,
    kind: Kind,
    owner: Option<Uuid>,
    external_ids: &[&str],
) -> Result<HashMap<String, Uuid>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT content.external_id, content.id FROM content WHERE content.kind = ",
    );
    query.push_bind(kind.as_str());
    match owner {
        Some(owner) => query.push(" AND content.owner_id = ").push_bind(owner),
        None => query.push(" AND content.owner_id IS NULL"),
    };
    query.push(" AND content.external_id = ANY(").push_bind(external_ids).push(")");
    visible::push(&mut query, scope);
    let rows = query.build().fetch_all(&mut **tx).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Writes vectors in place of what is there, and removes the tasks that they settle.
pub async fn write(
    tx: &mut Tx,
    _scope: Scope,
    space: &Space,
    kind: Kind,
    imports: &[Import],
    now: DateTime<Utc>,
) -> Result<u64> {
    let ids: Vec<Uuid> = imports.iter().map(|import| import.content_id).collect();
    let hashes: Vec<&[u8]> = imports.iter().map(|import| import.source_hash.as_slice()).collect();
    // Tasks before vectors, in the order in which a worker takes them.
    sqlx::query(
        "DELETE FROM embedding_task USING unnest($1::uuid[], $2::bytea[]) AS given (content_id, source_hash) \
         WHERE embedding_task.content_id = given.content_id AND embedding_task.space_id = $3 \
         AND embedding_task.source_hash = given.source_hash",
    )
    .bind(&ids)
    .bind(&hashes)
    .bind(space.id)
    .execute(&mut **tx)
    .await?;
    let vectors: Vec<Vector> =
        imports.iter().map(|import| Vector::from(import.vector.clone())).collect();
    let mut query = QueryBuilder::<Postgres>::new("INSERT INTO ");
    query
        .push(space.leaf(kind))
        .push(" (kind, space_id, content_id, embedding, source_hash, created_at) SELECT ");
    query.push_bind(kind.as_str()).push(", ").push_bind(space.id);
    query.push(", given.content_id, given.embedding, given.source_hash, ").push_bind(now);
    query.push(" FROM unnest(").push_bind(ids).push("::uuid[], ").push_bind(vectors);
    query.push("::vector[], ").push_bind(hashes);
    query.push(
        "::bytea[]) AS given (content_id, embedding, source_hash) ORDER BY given.content_id \
         ON CONFLICT (content_id, space_id, kind) DO UPDATE SET embedding = excluded.embedding, \
         source_hash = excluded.source_hash, created_at = excluded.created_at",
    );
    Ok(query.build().execute(&mut **tx).await?.rows_affected())
}
