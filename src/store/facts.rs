//! What ranking needs to know of rows beside their scores.

use std::collections::HashMap;

use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, filter, rows, visible};
use crate::model::Scope;
use crate::model::boost::BoostField;

/// What is known of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// The document that the row is a part of.
    pub document: Option<Uuid>,
    /// The values of the fields that were asked for; a time is in seconds since 1970.
    pub values: Vec<Option<f64>>,
}

/// The documents and some fields of visible rows, in one statement.
pub async fn of_rows(
    db: &Db,
    scope: Scope,
    ids: &[Uuid],
    fields: &[BoostField],
) -> Result<HashMap<Uuid, Facts>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT content.id, (SELECT part.document_id FROM chunk AS part WHERE part.content_id = content.id)",
    );
    for field in fields {
        query.push(", ").push(match field {
            BoostField::Time(field) => {
                format!("extract(epoch FROM {})::float8", filter::time_column(*field))
            }
            BoostField::Number(field) => format!("({})::float8", filter::number_column(*field)),
        });
    }
    query.push(" FROM content");
    if fields.iter().any(|field| matches!(field, BoostField::Number(_))) {
        query.push(filter::DETAILS);
    }
    query.push(" WHERE content.id = ANY(").push_bind(ids.to_vec()).push(")");
    visible::push(&mut query, scope);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter()
        .map(|row| {
            let values: Result<Vec<Option<f64>>> =
                (0..fields.len()).map(|index| Ok(row.try_get(index + 2)?)).collect();
            Ok((row.try_get(0)?, Facts { document: row.try_get(1)?, values: values? }))
        })
        .collect()
}

/// The texts of visible rows as a model reads them, with their titles, cut to some characters.
pub async fn texts(
    db: &Db,
    scope: Scope,
    ids: &[Uuid],
    most_chars: i32,
) -> Result<HashMap<Uuid, String>> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT content.id, left(concat_ws(E'\\n', ");
    query
        .push("CASE WHEN content.kind IN ('document', 'chunk') THEN NULL ELSE content.title END, ");
    query.push(rows::EMBEDDED_TEXT).push("), ").push_bind(most_chars);
    query.push(") FROM content WHERE content.id = ANY(").push_bind(ids.to_vec()).push(")");
    visible::push(&mut query, scope);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
