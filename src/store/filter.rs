//! Filters to SQL. Values are always bound, never written into the statement.

use sqlx::{Postgres, QueryBuilder};

use crate::model::filter::{Filter, NumberField, Range, TextField, TextMatch, TimeField};
use crate::model::{Kind, viewer::Scope};

/// The joins that filters and orders need: `content` is there already. A chunk has the document that it
/// belongs to. What a statement does not read, the planner leaves out.
pub(super) const DETAILS: &str = " LEFT JOIN song ON song.content_id = content.id \
    LEFT JOIN chunk ON chunk.content_id = content.id \
    LEFT JOIN document ON document.content_id = coalesce(chunk.document_id, content.id)";

/// Adds `AND …` for a filter; the statement must have joined [`DETAILS`] if [`needs_details`].
pub(super) fn push(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    if !filter.is_none() {
        query.push(" AND ");
        push_part(query, filter);
    }
}

/// Whether the filter reads a detail table.
pub(super) fn needs_details(filter: &Filter) -> bool {
    match filter {
        Filter::All(parts) | Filter::Any(parts) => parts.iter().any(needs_details),
        Filter::Not(part) => needs_details(part),
        Filter::Kind(_) | Filter::Owned(_) | Filter::Time(..) => false,
        Filter::Text(field, _) => match field {
            TextField::Title | TextField::ExternalId | TextField::Language => false,
            TextField::Band
            | TextField::Album
            | TextField::Genre
            | TextField::Subgenre
            | TextField::Key
            | TextField::Mode
            | TextField::Url => true,
        },
        Filter::Number(..) | Filter::Moods(_) | Filter::Tags(_) | Filter::PartOf(_) => true,
    }
}

fn push_part(query: &mut QueryBuilder<Postgres>, filter: &Filter) {
    match filter {
        Filter::All(parts) => push_joined(query, parts, " AND ", "true"),
        Filter::Any(parts) => push_joined(query, parts, " OR ", "false"),
        Filter::Not(part) => {
            // A missing value fails a condition and must pass its opposite.
            query.push("(");
            push_part(query, part);
            query.push(") IS NOT TRUE");
        }
        Filter::Kind(kind) => {
            query.push("content.kind = ").push_bind(kind.as_str());
        }
        Filter::Owned(true) => {
            query.push("content.owner_id IS NOT NULL");
        }
        Filter::Owned(false) => {
            query.push("content.owner_id IS NULL");
        }
        Filter::Number(field, range) => push_range(query, number_column(*field), range),
        Filter::Time(field, range) => push_range(query, time_column(*field), range),
        Filter::Text(field, matching) => push_text(query, text_column(*field), matching),
        Filter::Moods(moods) => {
            query.push("song.moods && ").push_bind(moods.clone());
        }
        Filter::Tags(tags) => {
            query.push("document.tags && ").push_bind(tags.clone());
        }
        Filter::PartOf(documents) => {
            query.push("chunk.document_id = ANY(").push_bind(documents.clone()).push(")");
        }
    }
}

fn push_joined(query: &mut QueryBuilder<Postgres>, parts: &[Filter], with: &str, empty: &str) {
    query.push("(");
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            query.push(with);
        }
        push_part(query, part);
    }
    query.push(if parts.is_empty() { empty } else { "" }).push(")");
}

fn push_range<T>(query: &mut QueryBuilder<Postgres>, column: &'static str, range: &Range<T>)
where
    T: Clone + Send + 'static + sqlx::Type<Postgres> + for<'q> sqlx::Encode<'q, Postgres>,
{
    let bounds = [
        (" = ", &range.eq),
        (" >= ", &range.gte),
        (" <= ", &range.lte),
        (" > ", &range.gt),
        (" < ", &range.lt),
    ];
    query.push("(").push(column).push(" IS NOT NULL");
    for (operator, bound) in bounds {
        if let Some(bound) = bound {
            query.push(" AND ").push(column).push(operator).push_bind(bound.clone());
        }
    }
    query.push(")");
}

fn push_text(query: &mut QueryBuilder<Postgres>, column: &'static str, matching: &TextMatch) {
    query.push("(").push(column).push(" IS NOT NULL");
    if let Some(text) = &matching.eq {
        query.push(" AND lower(").push(column).push(") = lower(").push_bind(text.clone()).push(")");
    }
    if let Some(texts) = &matching.one_of {
        let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        query.push(" AND lower(").push(column).push(") = ANY(").push_bind(texts).push(")");
    }
    if let Some(text) = &matching.contains {
        query.push(" AND strpos(lower(").push(column).push("), lower(").push_bind(text.clone());
        query.push(")) > 0");
    }
    query.push(")");
}

/// The condition that a row is of a kind, visible to the scope, and passes the filter.
///
/// The kind is written out and not bound: then the planner knows its share of the rows, and one plan
/// serves every execution.
pub(super) fn push_all(
    query: &mut QueryBuilder<Postgres>,
    kind: Kind,
    scope: Scope,
    filter: &Filter,
) {
    query.push(" content.kind = '").push(kind.as_str()).push("'");
    super::visible::push(query, scope);
    push(query, filter);
}

pub(super) fn number_column(field: NumberField) -> &'static str {
    match field {
        NumberField::Year => "song.year",
        NumberField::Tempo => "song.tempo",
        NumberField::Energy => "song.energy",
        NumberField::Danceability => "song.danceability",
        NumberField::Valence => "song.valence",
        NumberField::Acousticness => "song.acousticness",
        NumberField::Instrumentalness => "song.instrumentalness",
        NumberField::Liveness => "song.liveness",
        NumberField::Speechiness => "song.speechiness",
        NumberField::Loudness => "song.loudness",
        NumberField::Popularity => "song.popularity",
        NumberField::DurationMs => "song.duration_ms",
        NumberField::Position => "chunk.position",
    }
}

fn text_column(field: TextField) -> &'static str {
    match field {
        TextField::Title => "content.title",
        TextField::ExternalId => "content.external_id",
        TextField::Band => "song.band",
        TextField::Album => "song.album",
        TextField::Genre => "song.genre",
        TextField::Subgenre => "song.subgenre",
        TextField::Key => "song.key",
        TextField::Mode => "song.mode",
        TextField::Url => "document.url",
        TextField::Language => "content.language",
    }
}

pub(super) fn time_column(field: TimeField) -> &'static str {
    match field {
        TimeField::CreatedAt => "content.created_at",
        TimeField::UpdatedAt => "content.updated_at",
    }
}
