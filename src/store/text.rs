//! The full-text leg of a search.

use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Db, Result, filter, rows};
use crate::model::hit::Candidate;
use crate::model::text_query::TextQuery;
use crate::model::{Filter, Kind, NodeId, Scope};

/// Words of a query that are looked for; the rarest of them when there are more.
const MAX_TERMS: usize = 24;
/// Words in a larger share of the rows than this are too common to look for.
const COMMON_SHARE: f64 = 0.25;
/// How strongly long texts are discounted: `b` of BM25 (Robertson and Zaragoza, 2009).
const LENGTH_DISCOUNT: f64 = 0.75;
/// What an occurrence weighs by where it stands, in the order D, C, B, A of PostgreSQL: C is the
/// body, B the headings, A the title.
const PLACE_WEIGHTS: [f32; 4] = [0.1, 0.5, 0.75, 1.0];

/// A word as full-text search knows it, and how much finding it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    pub word: String,
    /// Inverse document frequency in the shared catalogue.
    pub rarity: f64,
}

/// A search for words.
pub struct Match<'a> {
    pub kinds: &'a [Kind],
    pub query: &'a TextQuery,
    pub terms: &'a [Term],
    pub filter: &'a Filter,
    pub exclude: &'a [Uuid],
    pub limit: i64,
}

/// The words of a text with their rarity, rarest first. Words that stand in more than a quarter of
/// the rows say next to nothing and are left out, unless the text has no others.
///
/// Rarity is the inverse document frequency of BM25, `ln(1 + (N - n + 0.5) / (n + 0.5))`, over the
/// shared catalogue's rows: it never depends on rows that somebody owns.
pub async fn terms(db: &Db, scope: Scope, kinds: &[Kind], words: &str) -> Result<Vec<Term>> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let rows = sqlx::query(
        "WITH wanted AS (SELECT unnest(tsvector_to_array(to_tsvector('kindred_english', $1))) AS word) \
         SELECT wanted.word, \
             (SELECT coalesce(sum(lexeme.rows), 0)::float8 FROM lexeme \
                 WHERE lexeme.kind = ANY($2) AND lexeme.word = wanted.word), \
             (SELECT coalesce(sum(rows), 0)::float8 FROM lexeme_total WHERE kind = ANY($2)) \
         FROM wanted",
    )
    .bind(words)
    .bind(&names)
    .fetch_all(db.sql(scope))
    .await?;
    let counted: Result<Vec<Counted>> = rows
        .iter()
        .map(|row| {
            Ok(Counted { word: row.try_get(0)?, rows: row.try_get(1)?, total: row.try_get(2)? })
        })
        .collect();
    Ok(telling(counted?))
}

/// A word, the rows it stands in, and all rows that were counted.
struct Counted {
    word: String,
    rows: f64,
    total: f64,
}

fn telling(counted: Vec<Counted>) -> Vec<Term> {
    let is_rare = |word: &Counted| word.rows <= word.total * COMMON_SHARE;
    let keeps_all = !counted.iter().any(is_rare);
    let kept = counted.into_iter().filter(|word| keeps_all || is_rare(word));
    let mut terms: Vec<Term> = kept
        .map(|Counted { word, rows, total }| {
            // Rows may have come in since they were counted.
            let missing = (total - rows).max(0.0);
            Term { word, rarity: (1.0 + (missing + 0.5) / (rows + 0.5)).ln() }
        })
        .collect();
    terms.sort_by(|a, b| b.rarity.total_cmp(&a.rarity).then_with(|| a.word.cmp(&b.word)));
    terms.truncate(MAX_TERMS);
    terms
}

/// The rows with any of the words, all of the phrases and none of the exclusions, best first.
///
/// The score sums, over the words, rarity times how prominently the word stands in the row, and is
/// discounted for long rows. Served by the GIN index on `content.search`.
pub async fn matches(db: &Db, scope: Scope, search: &Match<'_>) -> Result<Vec<Candidate>> {
    let mut query = QueryBuilder::<Postgres>::new("WITH wanted AS MATERIALIZED (SELECT ");
    push_tsquery(&mut query, search);
    query.push(
        " AS q), average AS (SELECT coalesce(sum(rows * average_length) / nullif(sum(rows), 0), 1) AS length \
         FROM lexeme_total WHERE kind = ANY(",
    );
    let kinds: Vec<&str> = search.kinds.iter().map(|kind| kind.as_str()).collect();
    query.push_bind(kinds.clone());
    query.push(
        ")), matching AS MATERIALIZED (SELECT content.id, content.kind, content.search FROM content",
    );
    if filter::needs_details(search.filter) {
        query.push(filter::DETAILS);
    }
    query.push(" WHERE content.kind = ANY(").push_bind(kinds).push(")");
    query.push(" AND content.search @@ (SELECT q FROM wanted)");
    super::visible::push(&mut query, scope);
    filter::push(&mut query, search.filter);
    super::search::push_excluded(&mut query, search.exclude);
    query.push(") SELECT matching.id, matching.kind, (");
    push_score(&mut query, search);
    query.push(format!(
        ") / ({} + {LENGTH_DISCOUNT} * length(matching.search) / average.length) AS score \
         FROM matching, average, wanted ORDER BY score DESC, matching.id LIMIT ",
        1.0 - LENGTH_DISCOUNT
    ));
    query.push_bind(search.limit);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter()
        .map(|row| {
            let id = NodeId { kind: rows::kind(row.try_get(1)?)?, id: row.try_get(0)? };
            Ok(Candidate { id, score: row.try_get(2)? })
        })
        .collect()
}

/// `(any word) && phrase && !!exclusion …`
fn push_tsquery(query: &mut QueryBuilder<Postgres>, search: &Match<'_>) {
    let mut parts = 0;
    if !search.terms.is_empty() {
        // Quoted lexemes: whatever a person typed, it is a word and never an operator.
        let any: Vec<String> = search.terms.iter().map(|term| quoted(&term.word)).collect();
        query.push_bind(any.join(" | ")).push("::tsquery");
        parts += 1;
    }
    for phrase in &search.query.phrases {
        query.push(if parts > 0 { " && " } else { "" });
        query.push("phraseto_tsquery('kindred_english', ").push_bind(phrase.clone()).push(")");
        parts += 1;
    }
    for excluded in &search.query.excluded {
        query.push(if parts > 0 { " && " } else { "" });
        query
            .push("(!! phraseto_tsquery('kindred_english', ")
            .push_bind(excluded.clone())
            .push("))");
        parts += 1;
    }
    if parts == 0 {
        query.push("''::tsquery");
    }
}

fn push_score(query: &mut QueryBuilder<Postgres>, search: &Match<'_>) {
    let weights = PLACE_WEIGHTS.to_vec();
    if search.terms.is_empty() {
        query.push("ts_rank(").push_bind(weights).push("::float4[], matching.search, wanted.q)");
        return;
    }
    let words: Vec<String> = search.terms.iter().map(|term| quoted(&term.word)).collect();
    let rarities: Vec<f64> = search.terms.iter().map(|term| term.rarity).collect();
    query.push("SELECT sum(term.rarity * ts_rank(").push_bind(weights);
    query.push("::float4[], matching.search, term.word)) FROM unnest(").push_bind(words);
    query.push("::tsquery[], ").push_bind(rarities).push("::float8[]) AS term (word, rarity)");
}

/// A lexeme as `tsquery` input reads it literally.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"))
}

/// Where the words of a query stand in the bodies of visible rows: short extracts in which the
/// words are marked. The text around the marks is escaped for HTML by the caller.
pub async fn highlights(
    db: &Db,
    scope: Scope,
    ids: &[Uuid],
    words: &str,
    (open, close): (&str, &str),
) -> Result<Vec<(Uuid, String)>> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT content.id, ts_headline('kindred_english', content.body, wanted.q, ",
    );
    query.push_bind(format!(
        "StartSel={open}, StopSel={close}, MaxFragments=2, MaxWords=24, MinWords=8"
    ));
    query
        .push(") FROM content, (SELECT replace(plainto_tsquery('kindred_english', ")
        .push_bind(words.to_owned());
    query.push(")::text, ' & ', ' | ')::tsquery AS q) AS wanted WHERE content.id = ANY(");
    query.push_bind(ids.to_vec()).push(") AND content.search @@ wanted.q");
    super::visible::push(&mut query, scope);
    let rows = query.build().fetch_all(db.sql(scope)).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(counts: &[(&str, f64)]) -> Vec<String> {
        let counted = counts.iter().map(|(word, rows)| Counted {
            word: (*word).to_owned(),
            rows: *rows,
            total: 100.0,
        });
        telling(counted.collect()).into_iter().map(|term| term.word).collect()
    }

    #[test]
    fn rare_words_come_first_and_common_ones_only_count_alone() {
        assert_eq!(words(&[("the", 90.0), ("rock", 20.0), ("zydeco", 1.0)]), ["zydeco", "rock"]);
        assert_eq!(words(&[("the", 90.0), ("who", 40.0)]), ["who", "the"]);
    }

    #[test]
    fn a_word_is_quoted_so_that_nothing_in_it_is_an_operator() {
        assert_eq!(quoted(r"a'b\c"), r"'a''b\\c'");
    }
}
