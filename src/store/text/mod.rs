//! The full-text leg of a search.

mod choice;
mod near;
mod score;
mod terms;
mod within;

use std::collections::HashMap;

use pgvector::Vector;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, filter, rows, visible};
use crate::model::hit::Candidate;
use crate::model::{Filter, Kind, NodeId, Scope, Space};
pub use terms::{Term, Terms, terms};
pub use within::permitted;

use choice::Choice;

/// Characters of a body that are indexed, and in which words are marked.
const INDEXED_CHARS: i32 = 100_000;
/// How many times more rows are looked at when too few pass a filter.
const WIDER: f64 = 16.0;
/// Stands between two extracts of a body.
const BETWEEN: char = '\u{3}';

/// A search for words.
pub struct Match<'a> {
    pub kinds: &'a [Kind],
    pub terms: &'a Terms,
    pub filter: &'a Filter,
    pub exclude: &'a [Uuid],
    pub limit: i64,
    /// What the rows that are found are compared with as well: a vector of unit length in a space.
    pub compared: Option<(&'a Space, &'a [f32])>,
}

/// Rows that were found, best first.
#[derive(Debug, Clone)]
pub struct Found {
    pub candidates: Vec<Candidate>,
    /// The cosine similarities of those that have a vector, where they were asked for.
    pub similarities: HashMap<NodeId, f64>,
    /// Whether no row that was not looked at could stand among the candidates.
    pub is_exact: bool,
}

impl Found {
    /// What is found when nothing is looked for.
    pub fn none() -> Self {
        Self { candidates: Vec::new(), similarities: HashMap::new(), is_exact: true }
    }
}

/// The rows with any of the words, all of the phrases and none of the exclusions, best first.
///
/// Scored by BM25 over weighted fields, see `score`. In a large table only the most promising rows are
/// looked at, see `choice`, and more of them while too few pass the filter; `is_exact` says whether that can
/// have cost a row its place. Served by the GIN index on `content.search`.
pub async fn matches(db: &Db, scope: Scope, search: &Match<'_>) -> Result<Found> {
    let mut budget = choice::budget(search.limit);
    loop {
        let choice = Choice::of(search.terms, budget);
        let mut found = scored(db, scope, search, &choice).await?;
        let is_full =
            i64::try_from(found.candidates.len()).is_ok_and(|found| found >= search.limit);
        if is_full || choice.bound == 0.0 {
            let worst = found.candidates.last().map_or(0.0, |candidate| candidate.score);
            found.is_exact = choice.bound == 0.0 || worst > choice.bound;
            return Ok(found);
        }
        budget *= WIDER;
    }
}

/// The best of the rows that were chosen.
async fn scored(db: &Db, scope: Scope, search: &Match<'_>, choice: &Choice) -> Result<Found> {
    let mut query = QueryBuilder::<Postgres>::new("SELECT found.id, found.kind, found.score, ");
    push_similarity(&mut query, search);
    query.push(" FROM (SELECT content.id, content.kind, ");
    score::push(&mut query, search.terms);
    query.push(" AS score FROM content");
    if filter::needs_details(search.filter) {
        query.push(filter::DETAILS);
    }
    score::push_unpacked(&mut query, search.terms);
    let kinds: Vec<&str> = search.kinds.iter().map(|kind| kind.as_str()).collect();
    query.push(" WHERE content.kind = ANY(").push_bind(kinds).push(")");
    if let Some(any) = &choice.any {
        query.push(" AND content.search @@ ").push_bind(any.clone()).push("::tsquery");
    }
    push_phrases(&mut query, search.terms);
    visible::push(&mut query, scope);
    filter::push(&mut query, search.filter);
    super::search::push_excluded(&mut query, search.exclude);
    query.push(" ORDER BY score DESC, content.id LIMIT ").push_bind(search.limit);
    query.push(") AS found ORDER BY found.score DESC, found.id");
    // A plan that is kept would read every `tsquery` again for every row.
    let rows = query.build().persistent(false).fetch_all(db.sql(scope)).await?;
    read(&rows)
}

/// How similar a found row is to the vector; null where there is none.
fn push_similarity(query: &mut QueryBuilder<Postgres>, search: &Match<'_>) {
    let Some((space, vector)) = search.compared else {
        query.push("NULL::float8");
        return;
    };
    query.push("coalesce(NULL");
    for kind in search.kinds {
        query.push(", (SELECT 1 - (embedding <=> ").push_bind(Vector::from(vector.to_vec()));
        query.push(") FROM ").push(space.leaf(*kind)).push(" WHERE content_id = found.id)");
    }
    query.push(")");
}

fn read(rows: &[PgRow]) -> Result<Found> {
    let mut found = Found::none();
    for row in rows {
        let id = NodeId { kind: rows::kind(row.try_get(1)?)?, id: row.try_get(0)? };
        found.candidates.push(Candidate { id, score: row.try_get(2)? });
        if let Some(similarity) = row.try_get(3)? {
            found.similarities.insert(id, similarity);
        }
    }
    Ok(found)
}

/// What must and must not occur, as the language of a row reads it.
fn push_phrases(query: &mut QueryBuilder<Postgres>, terms: &Terms) {
    if !terms.has_conditions() {
        return;
    }
    query.push(" AND (");
    for (index, language) in terms.languages.iter().enumerate() {
        query.push(if index > 0 { " OR " } else { "" }).push("(content.language = ");
        query.push_bind(language.name.clone());
        match &language.required {
            Some(phrase) => {
                query.push(" AND content.search @@ ").push_bind(phrase.clone()).push("::tsquery");
            }
            // The phrase has no words in this language, but has some in another.
            None if terms.requires_phrase() => {
                query.push(" AND false");
            }
            None => {}
        }
        if let Some(phrase) = &language.excluded {
            query.push(" AND NOT content.search @@ ").push_bind(phrase.clone()).push("::tsquery");
        }
        query.push(")");
    }
    query.push(")");
}

/// Where the words of a search stand in the bodies of visible rows: up to two short extracts of each, in
/// which the words are marked. The text around the marks is escaped for HTML by the caller.
pub async fn highlights(
    db: &Db,
    scope: Scope,
    ids: &[Uuid],
    terms: &Terms,
    (open, close): (&str, &str),
) -> Result<Vec<(Uuid, String)>> {
    if terms.words.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT content.id, ts_headline(kindred_config(content.language), left(content.body, ",
    );
    query.push(INDEXED_CHARS).push("), wanted.q, ").push_bind(format!(
        "StartSel={open}, StopSel={close}, FragmentDelimiter={BETWEEN}, MaxFragments=2, MaxWords=24, MinWords=8"
    ));
    query.push(") FROM content, (SELECT ").push_bind(Terms::any_of(&terms.words));
    query.push("::tsquery AS q) AS wanted WHERE content.id = ANY(").push_bind(ids.to_vec());
    query.push(") AND content.search @@ wanted.q");
    visible::push(&mut query, scope);
    let mut extracts = Vec::new();
    for row in query.build().fetch_all(db.sql(scope)).await? {
        let (id, text): (Uuid, String) = (row.try_get(0)?, row.try_get(1)?);
        let marked = text.split(BETWEEN).filter(|extract| extract.contains(open));
        extracts.extend(marked.map(|extract| (id, extract.to_owned())));
    }
    Ok(extracts)
}
