//! Content of every kind: lookups, lists, soft delete.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, Tx, filter, rows, visible};
use crate::model::content::{Change, ContentOrder, Direction, EmbeddingStatus, OrderField};
use crate::model::{Content, Filter, Kind, NodeId, Scope};

/// The visible rows among `ids`, in no order. Ids of another kind than the row's are not found.
pub async fn by_ids(db: &Db, scope: Scope, ids: &[NodeId]) -> Result<HashMap<NodeId, Content>> {
    let mut found = HashMap::with_capacity(ids.len());
    for kind in Kind::ALL {
        let of_kind: Vec<Uuid> = ids.iter().filter(|id| id.kind == kind).map(|id| id.id).collect();
        if of_kind.is_empty() {
            continue;
        }
        for content in of_one_kind(db, scope, kind, of_kind).await? {
            found.insert(content.node_id(), content);
        }
    }
    Ok(found)
}

async fn of_one_kind(db: &Db, scope: Scope, kind: Kind, ids: Vec<Uuid>) -> Result<Vec<Content>> {
    let Some(columns) = rows::columns(kind) else { return Ok(Vec::new()) };
    let mut query = QueryBuilder::<Postgres>::new("SELECT ");
    query.push(columns).push(format!(
        " FROM content JOIN {kind} ON {kind}.content_id = content.id WHERE content.id = ANY("
    ));
    query.push_bind(ids).push(")");
    visible::push(&mut query, scope);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.into_iter().map(|row| rows::content_of(kind, row)).collect()
}

/// One page of a list: ids in order, and the order's value of the last of them.
pub struct List<'a> {
    pub kind: Kind,
    pub filter: &'a Filter,
    pub order: ContentOrder,
    /// The last row of the page before, and its place from 1.
    pub after: Option<(Uuid, i64)>,
    pub limit: i64,
}

/// The ids of a page of a list. Ties break by id; rows without the ordering value come last.
///
/// The page begins behind the row `after`: its present value is read, so a page never repeats. If
/// that row was purged, the page begins where it stood.
pub async fn list(db: &Db, scope: Scope, list: &List<'_>) -> Result<Vec<NodeId>> {
    let column = order_column(list.order.by);
    let (direction, beyond) = match list.order.direction {
        Direction::Asc => ("ASC", ">"),
        Direction::Desc => ("DESC", "<"),
    };
    let mut query = QueryBuilder::<Postgres>::new("SELECT content.id FROM content");
    query.push(filter::DETAILS).push(" WHERE");
    filter::push_all(&mut query, list.kind, scope, list.filter);
    if let Some((after, _)) = list.after {
        query.push(" AND coalesce((SELECT CASE WHEN last.value IS NULL THEN ");
        query
            .push(column)
            .push(" IS NULL AND content.id > last.id ELSE ")
            .push(column)
            .push(" IS NULL OR ");
        query.push(column).push(" ").push(beyond).push(" last.value OR (").push(column);
        query
            .push(" = last.value AND content.id > last.id) END FROM (SELECT content.id, ")
            .push(column);
        query.push(" AS value FROM content").push(filter::DETAILS).push(" WHERE content.id = ");
        query.push_bind(after).push(") AS last), true)");
    }
    query
        .push(" ORDER BY ")
        .push(column)
        .push(" ")
        .push(direction)
        .push(" NULLS LAST, content.id LIMIT ");
    query.push_bind(list.limit);
    if let Some((after, place)) = list.after {
        query.push(" OFFSET CASE WHEN EXISTS (SELECT 1 FROM content WHERE id = ").push_bind(after);
        query.push(") THEN 0 ELSE ").push_bind(place - 1).push(" END");
    }
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    let node = |id: Uuid| NodeId { kind: list.kind, id };
    rows.iter().map(|row| Ok(node(row.try_get(0)?))).collect()
}

fn order_column(by: OrderField) -> &'static str {
    match by {
        OrderField::CreatedAt => "content.created_at",
        OrderField::UpdatedAt => "content.updated_at",
        OrderField::Title => "content.title",
        OrderField::Band => "song.band",
        OrderField::Number(field) => filter::number_column(field),
    }
}

/// How many visible rows of a kind pass a filter.
pub async fn count(db: &Db, scope: Scope, kind: Kind, narrowed: &Filter) -> Result<i64> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) FROM content");
    if filter::needs_details(narrowed) {
        query.push(filter::DETAILS);
    }
    query.push(" WHERE");
    filter::push_all(&mut query, kind, scope, narrowed);
    Ok(query.build_query_scalar().fetch_one(db.sql(scope)).await?)
}

/// Whether any row of a kind is there, live or deleted.
pub async fn holds_any(db: &Db, scope: Scope, kind: Kind) -> Result<bool> {
    let mut query =
        QueryBuilder::<Postgres>::new("SELECT EXISTS (SELECT 1 FROM content WHERE kind = ");
    query.push_bind(kind.as_str());
    visible::push_with_deleted(&mut query, scope);
    query.push(")");
    Ok(query.build_query_scalar().fetch_one(db.sql(scope)).await?)
}

/// The visible rows among `ids`, live or deleted, locked in the order of ids until the transaction ends.
pub async fn lock(tx: &mut Tx, scope: Scope, ids: &[NodeId]) -> Result<Vec<NodeId>> {
    let mut query =
        QueryBuilder::<Postgres>::new("SELECT content.kind, content.id FROM content WHERE");
    push_named(&mut query, ids);
    visible::push_with_deleted(&mut query, scope);
    query.push(" ORDER BY content.id FOR UPDATE");
    node_ids(&query.build().fetch_all(&mut **tx).await?)
}

/// Makes a change to visible rows and says which of them it changed. Ids of another kind than the
/// row's are not found.
pub async fn change(
    tx: &mut Tx,
    scope: Scope,
    ids: &[NodeId],
    change: Change,
    now: DateTime<Utc>,
) -> Result<Vec<NodeId>> {
    let mut query = match change {
        Change::SoftDelete => {
            let mut query = QueryBuilder::new("UPDATE content SET deleted_at = ");
            query.push_bind(now).push(", updated_at = ").push_bind(now);
            query.push(" WHERE deleted_at IS NULL AND");
            query
        }
        Change::Restore => {
            let mut query =
                QueryBuilder::new("UPDATE content SET deleted_at = NULL, updated_at = ");
            query.push_bind(now).push(" WHERE deleted_at IS NOT NULL AND");
            query
        }
        Change::Purge => QueryBuilder::new("DELETE FROM content WHERE"),
    };
    push_named(&mut query, ids);
    visible::push_with_deleted(&mut query, scope);
    query.push(" RETURNING content.kind, content.id");
    node_ids(&query.build().fetch_all(&mut **tx).await?)
}

fn push_named(query: &mut QueryBuilder<Postgres>, ids: &[NodeId]) {
    let kinds: Vec<&str> = ids.iter().map(|id| id.kind.as_str()).collect();
    let uuids: Vec<Uuid> = ids.iter().map(|id| id.id).collect();
    query.push(" (content.kind, content.id) IN (SELECT * FROM unnest(").push_bind(kinds);
    query.push("::text[], ").push_bind(uuids).push("::uuid[]))");
}

fn node_ids(rows: &[PgRow]) -> Result<Vec<NodeId>> {
    rows.iter()
        .map(|row| Ok(NodeId { kind: rows::kind(row.try_get(0)?)?, id: row.try_get(1)? }))
        .collect()
}

/// How far the vectors of visible rows are, in the space that answers for their kind.
pub async fn embedding_status(
    db: &Db,
    scope: Scope,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, EmbeddingStatus>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT content.id, embedding.source_hash = content.source_hash, embedding_task.state \
         FROM content \
         JOIN active_space ON active_space.kind = content.kind \
         LEFT JOIN embedding ON embedding.content_id = content.id \
             AND embedding.space_id = active_space.space_id AND embedding.kind = content.kind \
         LEFT JOIN embedding_task ON embedding_task.content_id = content.id \
             AND embedding_task.space_id = active_space.space_id \
         WHERE content.id = ANY(",
    );
    query.push_bind(ids.to_vec()).push(")");
    visible::push(&mut query, scope);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter()
        .map(|row| {
            let is_present: Option<bool> = row.try_get(1)?;
            let task: Option<&str> = row.try_get(2)?;
            let status = match (is_present, task) {
                (Some(true), _) => EmbeddingStatus::Ready,
                (_, Some("failed")) => EmbeddingStatus::Failed,
                (_, Some(_)) => EmbeddingStatus::Pending,
                (_, None) => EmbeddingStatus::Absent,
            };
            Ok((row.try_get(0)?, status))
        })
        .collect()
}
