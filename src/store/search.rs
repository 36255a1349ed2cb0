//! The vector leg of a search.

use std::collections::HashMap;

use pgvector::Vector;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::index::Expression;
use super::{Db, Result, filter, rows, visible};
use crate::model::hit::Candidate;
use crate::model::space::IndexOver;
use crate::model::{Content, Filter, Kind, NodeId, Scope, Space};

/// A search for the rows nearest to a vector.
#[derive(Debug, Clone)]
pub struct Nearest<'a> {
    pub space: &'a Space,
    pub kind: Kind,
    /// Unit length.
    pub vector: &'a [f32],
    pub filter: &'a Filter,
    /// Rows that are not wanted, such as the examples themselves.
    pub exclude: &'a [Uuid],
    pub limit: i64,
    pub reads: Reads,
}

/// What is read of the rows that are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    Ids,
    /// Everything a page shows, in the same statement: that saves a way to the database and back.
    Rows,
}

/// The nearest rows.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Best first.
    pub candidates: Vec<Candidate>,
    /// The rows themselves, as far as they were read.
    pub contents: HashMap<NodeId, Content>,
}

/// What an exact search over a small set found.
#[derive(Debug, Clone)]
pub enum Bounded {
    /// The nearest rows; every match was compared.
    Found(Vec<Candidate>),
    /// More than the cap match: comparing them all would be slow.
    TooMany,
}

/// Compares every matching row. Served by the primary key of the leaf and the filter's indexes.
pub async fn exact(db: &Db, scope: Scope, search: &Nearest<'_>) -> Result<Found> {
    let mut query = QueryBuilder::<Postgres>::new(
        "WITH nearest AS MATERIALIZED (SELECT content.id, embedding.embedding <=> ",
    );
    query.push_bind(Vector::from(search.vector.to_vec())).push(" AS distance FROM ");
    push_matching(&mut query, scope, search);
    query.push(" ORDER BY distance, content.id LIMIT ");
    push_limit(&mut query, search, search.limit);
    query.push(")");
    push_found(&mut query, scope, search);
    found(query.build().fetch_all(db.sql(scope)).await?, search)
}

/// Compares every matching row if there are at most `cap` of them, in one statement either way.
pub async fn exact_if_few(
    db: &Db,
    scope: Scope,
    search: &Nearest<'_>,
    cap: i64,
) -> Result<Bounded> {
    let mut query = QueryBuilder::<Postgres>::new(
        "WITH matching AS MATERIALIZED (SELECT content.id FROM content",
    );
    if filter::needs_details(search.filter) {
        query.push(filter::DETAILS);
    }
    query.push(" WHERE");
    filter::push_all(&mut query, search.kind, scope, search.filter);
    push_excluded(&mut query, search.exclude);
    query.push(" LIMIT ").push_bind(cap + 1);
    query.push(
        "), total AS (SELECT count(*) AS rows FROM matching) \
         SELECT nearest.id, nearest.distance, total.rows FROM total LEFT JOIN LATERAL (\
         SELECT matching.id, embedding.embedding <=> ",
    );
    query.push_bind(Vector::from(search.vector.to_vec())).push(" AS distance FROM matching JOIN ");
    query.push(search.space.leaf(search.kind));
    query.push(" AS embedding ON embedding.content_id = matching.id WHERE total.rows <= ");
    query.push_bind(cap).push(" ORDER BY distance, matching.id LIMIT ").push_bind(search.limit);
    query.push(") AS nearest ON true");
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    let total: i64 = rows.first().map_or(Ok(0), |row| row.try_get(2))?;
    if total > cap {
        return Ok(Bounded::TooMany);
    }
    let found: Vec<PgRow> = rows
        .into_iter()
        .filter(|row| row.try_get::<Option<Uuid>, _>(0).is_ok_and(|id| id.is_some()))
        .collect();
    Ok(Bounded::Found(candidates(&found, search.kind)?))
}

/// Lets the HNSW index propose rows and compares those in full precision.
///
/// The inner ORDER BY must repeat the indexed expression exactly, or the index is not used. The
/// scan goes on until enough rows pass the filter, see `connect::session_settings`.
pub async fn approximate(
    db: &Db,
    scope: Scope,
    search: &Nearest<'_>,
    over: IndexOver,
) -> Result<Found> {
    let indexed = Expression::new(db, search.space, over);
    let vector = Vector::from(search.vector.to_vec());
    let mut query = QueryBuilder::<Postgres>::new(
        "WITH proposed AS MATERIALIZED (SELECT content.id, embedding.embedding <=> ",
    );
    query.push_bind(vector.clone()).push(" AS distance FROM ");
    push_matching(&mut query, scope, search);
    let column = indexed.of("embedding.embedding");
    query.push(format!(" ORDER BY {column} {} {}", indexed.operator, indexed.before));
    query.push_bind(vector).push(indexed.after).push(" LIMIT ");
    push_limit(&mut query, search, proposals(over, search.limit));
    // `+ 0` keeps the planner from taking the inner order for this one.
    query.push("), nearest AS (SELECT id, distance FROM proposed ORDER BY distance + 0, id LIMIT ");
    push_limit(&mut query, search, search.limit);
    query.push(")");
    push_found(&mut query, scope, search);
    found(query.build().fetch_all(db.sql(scope)).await?, search)
}

/// How many rows an index is asked for to find the nearest `limit`. Bits tell far less than numbers.
fn proposals(over: IndexOver, limit: i64) -> i64 {
    match over {
        IndexOver::Float => limit.max(100),
        IndexOver::Binary => (10 * limit).max(400),
    }
}

/// Ends a statement whose `nearest` has ids and distances, and adds the rows if they are wanted.
fn push_found(query: &mut QueryBuilder<Postgres>, scope: Scope, search: &Nearest<'_>) {
    query.push(" SELECT nearest.id, nearest.distance");
    if let Some(columns) = columns(search) {
        query.push(", ").push(columns);
        query.push(" FROM nearest");
        push_details(query, scope, search.kind);
    } else {
        query.push(" FROM nearest");
    }
    query.push(" ORDER BY nearest.distance, nearest.id");
}

fn columns(search: &Nearest<'_>) -> Option<&'static str> {
    match search.reads {
        Reads::Ids => None,
        Reads::Rows => rows::columns(search.kind),
    }
}

/// Adds the rows of what is `nearest`.
fn push_details(query: &mut QueryBuilder<Postgres>, scope: Scope, kind: Kind) {
    query.push(" JOIN content ON content.id = nearest.id");
    query.push(format!(" JOIN {kind} ON {kind}.content_id = nearest.id WHERE true"));
    visible::push(query, scope);
}

fn found(found: Vec<PgRow>, search: &Nearest<'_>) -> Result<Found> {
    let candidates = candidates(&found, search.kind)?;
    let mut contents = HashMap::new();
    if columns(search).is_some() {
        for row in found {
            let content = rows::content_of(search.kind, row)?;
            contents.insert(content.node_id(), content);
        }
    }
    Ok(Found { candidates, contents })
}

/// A search for the rows nearest to each of several rows.
#[derive(Debug, Clone)]
pub struct NearestToEach<'a> {
    pub space: &'a Space,
    pub kind: Kind,
    pub ids: &'a [Uuid],
    /// How many for each.
    pub limit: i64,
    /// The HNSW index of the leaf to ask, once per row.
    pub index: Option<IndexOver>,
}

/// The rows nearest to each of several visible rows, without the row itself, with everything a page
/// shows, in one statement.
pub async fn nearest_to_each(
    db: &Db,
    scope: Scope,
    search: &NearestToEach<'_>,
) -> Result<Vec<(Uuid, Candidate, Content)>> {
    let Some(columns) = rows::columns(search.kind) else { return Ok(Vec::new()) };
    let leaf = search.space.leaf(search.kind);
    let visible = |query: &mut QueryBuilder<Postgres>| {
        query.push("SELECT content.id, embedding.embedding FROM ").push(&leaf);
        query.push(" AS embedding JOIN content ON content.id = embedding.content_id WHERE true");
        visible::push(query, scope);
    };
    let mut query = QueryBuilder::<Postgres>::new("WITH seed AS MATERIALIZED (");
    visible(&mut query);
    query.push(" AND content.id = ANY(").push_bind(search.ids.to_vec()).push("))");
    if search.index.is_none() {
        // Every row is compared with every seed: read and check each only once.
        query.push(", candidate AS MATERIALIZED (");
        visible(&mut query);
        query.push(")");
    }
    query.push(" SELECT seed.id AS seed_id, nearest.distance, ").push(columns);
    query.push(" FROM seed CROSS JOIN LATERAL (");
    let compared = "SELECT candidate.id, candidate.embedding <=> seed.embedding AS distance FROM ";
    if let Some(over) = search.index {
        let indexed = Expression::new(db, search.space, over);
        let [near, seed] = ["candidate.embedding", "seed.embedding"].map(|of| indexed.of(of));
        query.push("SELECT id, distance FROM (").push(compared).push("(");
        visible(&mut query);
        query.push(") AS candidate WHERE candidate.id <> seed.id ORDER BY ");
        query.push(format!("{near} {} {seed}", indexed.operator));
        query.push(" LIMIT ").push_bind(match over {
            // The order is all but exact: nothing more is read only to be put in order.
            IndexOver::Float => search.limit,
            IndexOver::Binary => proposals(over, search.limit),
        });
        query.push(") AS proposed ORDER BY distance + 0, id");
    } else {
        query.push(compared).push("candidate WHERE candidate.id <> seed.id ORDER BY distance");
    }
    query.push(" LIMIT ").push_bind(search.limit);
    query.push(") AS nearest");
    push_details(&mut query, scope, search.kind);
    query.push(" ORDER BY seed.id, nearest.distance, nearest.id");
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.into_iter()
        .map(|row| {
            let (seed, distance): (Uuid, f64) = (row.try_get(0)?, row.try_get(1)?);
            let content = rows::content_of(search.kind, row)?;
            let id = content.node_id();
            Ok((seed, Candidate { id, score: 1.0 - distance }, content))
        })
        .collect()
}

/// How many visible rows of a leaf pass the filter.
pub async fn count(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    narrowed: &Filter,
    exclude: &[Uuid],
) -> Result<i64> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT count(*) FROM ");
    let search = Nearest {
        space,
        kind,
        vector: &[],
        filter: narrowed,
        exclude,
        limit: 0,
        reads: Reads::Ids,
    };
    push_matching(&mut query, scope, &search);
    Ok(query.build_query_scalar().fetch_one(db.sql(scope)).await?)
}

/// Without a filter the limit is written out: then one plan serves every execution, and planning again
/// would take a third of a millisecond. With a filter each execution needs a plan for its own values.
fn push_limit(query: &mut QueryBuilder<Postgres>, search: &Nearest<'_>, limit: i64) {
    if search.filter.is_none() && search.exclude.is_empty() {
        query.push(limit);
    } else {
        query.push_bind(limit);
    }
}

/// `leaf AS embedding JOIN content … WHERE …`
pub(super) fn push_matching(
    query: &mut QueryBuilder<Postgres>,
    scope: Scope,
    search: &Nearest<'_>,
) {
    query.push(search.space.leaf(search.kind));
    query.push(" AS embedding JOIN content ON content.id = embedding.content_id");
    if filter::needs_details(search.filter) {
        query.push(filter::DETAILS);
    }
    query.push(" WHERE");
    filter::push_all(query, search.kind, scope, search.filter);
    push_excluded(query, search.exclude);
}

pub(super) fn push_excluded(query: &mut QueryBuilder<Postgres>, exclude: &[Uuid]) {
    if !exclude.is_empty() {
        query.push(" AND content.id <> ALL(").push_bind(exclude.to_vec()).push(")");
    }
}

fn candidates(rows: &[PgRow], kind: Kind) -> Result<Vec<Candidate>> {
    rows.iter()
        .map(|row| {
            let distance: f64 = row.try_get(1)?;
            Ok(Candidate { id: NodeId { kind, id: row.try_get(0)? }, score: 1.0 - distance })
        })
        .collect()
}
