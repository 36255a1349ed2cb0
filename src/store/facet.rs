//! Counting the values of fields over a set of rows.

use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::search::{self, Nearest};
use super::{Db, Result, visible};
use crate::model::Scope;
use crate::model::facet::{Facet, FacetField, FacetValue};

/// The rows that are counted.
#[derive(Debug, Clone)]
pub enum Set<'a> {
    /// These, as far as they are visible.
    Rows(&'a [Uuid]),
    /// Whatever a search could find: the visible rows of a leaf that pass its filter.
    Findable(&'a Nearest<'a>),
}

/// The most frequent values of some fields, `limit` of each, in one statement.
pub async fn count(
    db: &Db,
    scope: Scope,
    set: &Set<'_>,
    fields: &[FacetField],
    limit: i64,
) -> Result<Vec<Facet>> {
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Postgres>::new("WITH counted AS MATERIALIZED (");
    push_set(&mut query, scope, set);
    query.push("), valued (field, id, value) AS MATERIALIZED (");
    for (index, field) in fields.iter().enumerate() {
        query.push(if index > 0 { " UNION ALL " } else { "" });
        query.push(format!("SELECT DISTINCT {index}, counted.id, {}", source(*field)));
    }
    query.push(
        "), known AS (SELECT field, id, value FROM valued WHERE value IS NOT NULL), \
         tallied AS (SELECT field, value, count(*) AS rows, count(*) OVER (PARTITION BY field) AS kinds, \
             row_number() OVER (PARTITION BY field ORDER BY count(*) DESC, value COLLATE \"C\") AS place \
             FROM known GROUP BY field, value), \
         filled AS (SELECT field, count(DISTINCT id) AS rows FROM known GROUP BY field) \
         SELECT asked.field, (SELECT count(*) FROM counted), coalesce(filled.rows, 0), \
             coalesce(tallied.kinds, 0), tallied.value, coalesce(tallied.rows, 0) \
         FROM generate_series(0, ",
    );
    query.push_bind(i32::try_from(fields.len()).unwrap_or(i32::MAX) - 1);
    query.push(
        ") AS asked (field) LEFT JOIN filled ON filled.field = asked.field \
         LEFT JOIN tallied ON tallied.field = asked.field AND tallied.place <= ",
    );
    query.push_bind(limit).push(" ORDER BY asked.field, tallied.place");
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    let mut facets: Vec<Facet> = fields.iter().map(|field| empty(*field)).collect();
    for row in rows {
        let index = usize::try_from(row.try_get::<i32, _>(0)?).unwrap_or(usize::MAX);
        let Some(facet) = facets.get_mut(index) else { continue };
        facet.total = row.try_get(1)?;
        facet.missing = facet.total - row.try_get::<i64, _>(2)?;
        facet.distinct = row.try_get(3)?;
        if let Some(value) = row.try_get(4)? {
            facet.values.push(FacetValue { value, count: row.try_get(5)? });
        }
    }
    Ok(facets)
}

fn push_set(query: &mut QueryBuilder<Postgres>, scope: Scope, set: &Set<'_>) {
    match set {
        Set::Rows(ids) => {
            query.push("SELECT content.id, content.kind, content.language FROM content WHERE content.id = ANY(");
            query.push_bind(ids.to_vec()).push(")");
            visible::push(query, scope);
        }
        Set::Findable(search) => {
            query.push("SELECT content.id, content.kind, content.language FROM ");
            search::push_matching(query, scope, search);
        }
    }
}

/// The value of a field and where it stands, beside `counted`. A chunk has the tags of its document.
fn source(field: FacetField) -> &'static str {
    match field {
        FacetField::Kind => "counted.kind FROM counted",
        FacetField::Language => "counted.language FROM counted",
        FacetField::Tag => {
            "tag FROM counted LEFT JOIN chunk AS part ON part.content_id = counted.id \
             JOIN document ON document.content_id = coalesce(part.document_id, counted.id), \
             unnest(document.tags) AS tag"
        }
        FacetField::Genre => "song.genre FROM counted JOIN song ON song.content_id = counted.id",
        FacetField::Subgenre => {
            "song.subgenre FROM counted JOIN song ON song.content_id = counted.id"
        }
        FacetField::Band => "song.band FROM counted JOIN song ON song.content_id = counted.id",
        FacetField::Album => "song.album FROM counted JOIN song ON song.content_id = counted.id",
        FacetField::Year => {
            "song.year::text FROM counted JOIN song ON song.content_id = counted.id"
        }
        FacetField::Key => "song.key FROM counted JOIN song ON song.content_id = counted.id",
        FacetField::Mode => "song.mode FROM counted JOIN song ON song.content_id = counted.id",
        FacetField::Mood => {
            "mood FROM counted JOIN song ON song.content_id = counted.id, unnest(song.moods) AS mood"
        }
    }
}

fn empty(field: FacetField) -> Facet {
    Facet { field, total: 0, missing: 0, distinct: 0, values: Vec::new() }
}
