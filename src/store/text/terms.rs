//! The words of a query as the rows know them, and how much finding each of them says.

use std::collections::{BTreeMap, HashSet};

use sqlx::{AssertSqlSafe, Postgres, QueryBuilder, Row};

use super::near;
use crate::model::text_query::TextQuery;
use crate::model::{Kind, Scope, language, stop_words};
use crate::store::{Db, Result, visible};

/// Words of a query that are looked for; those that say most when there are more.
const MAX_TERMS: usize = 32;
/// How fast a word of the query says more by being repeated: `k3` of BM25.
const REPETITION: f64 = 8.0;
/// How much a word tells that was found in the place of one that is unknown.
const NEAR_SHARE: f64 = 0.5;

/// A word as full-text search knows it, and how much finding it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// As `tsquery` input reads it literally; the beginning of a word ends with `:*`.
    pub(super) word: String,
    /// In how many rows of the shared catalogue it stands.
    pub(super) rows: f64,
    /// Inverse document frequency in the shared catalogue, times how often the query says it.
    pub(super) weight: f64,
}

/// What a language makes of the phrases that must and must not occur.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Language {
    pub(super) name: String,
    pub(super) required: Option<String>,
    pub(super) excluded: Option<String>,
}

/// What is looked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// Those that say most first.
    pub(super) words: Vec<Term>,
    /// Every language that a visible row is in.
    pub(super) languages: Vec<Language>,
    /// Rows of the shared catalogue.
    pub(super) rows: f64,
    /// Distinct lexemes of a row of the shared catalogue, on average; where it is empty, of a visible row.
    pub(super) average_length: f64,
}

impl Terms {
    /// Whether nothing can be found by it.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && !self.requires_phrase()
    }

    pub(super) fn requires_phrase(&self) -> bool {
        self.languages.iter().any(|language| language.required.is_some())
    }

    /// Whether anything must or must not occur.
    pub fn has_conditions(&self) -> bool {
        self.languages
            .iter()
            .any(|language| language.required.is_some() || language.excluded.is_some())
    }

    /// A query for rows with any of some words.
    pub(super) fn any_of<'a>(words: impl IntoIterator<Item = &'a Term>) -> String {
        let words: Vec<&str> = words.into_iter().map(|term| term.word.as_str()).collect();
        words.join(" | ")
    }
}

/// One lexeme of one piece of the query.
struct Counted {
    piece: i64,
    word: String,
    times: f64,
    rows: f64,
}

/// Looks the words of a query up in every language that a visible row of the kinds is in.
///
/// Stop words of a language are left out unless the query has nothing else. Weights are the inverse
/// document frequency of BM25, `ln(1 + (N - n + 0.5) / (n + 0.5))`, times `t (k3 + 1) / (t + k3)` for a
/// word that the query says `t` times. They come from the shared catalogue's rows alone and never depend
/// on rows that somebody owns. For a word that stands in no row, the words nearest to it are taken along.
pub async fn terms(db: &Db, scope: Scope, kinds: &[Kind], query: &TextQuery) -> Result<Terms> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let listed = listed(&names);
    // Most catalogues speak the default language alone: then both questions are asked at once.
    let usual = [language::DEFAULT];
    let guessed = counted(db, scope, &listed, query, &usual);
    let (terms, guessed) = tokio::join!(totals(db, scope, &listed, query), guessed);
    let (mut terms, guessed) = (terms?, guessed?);
    if terms.languages.is_empty() {
        return Ok(terms);
    }
    let spoken: Vec<&str> = terms.languages.iter().map(|language| language.name.as_str()).collect();
    let counted = match spoken == usual {
        true => guessed,
        false => counted(db, scope, &listed, query, &spoken).await?,
    };
    let unknown: Vec<String> = unknown(&counted).map(|counted| counted.word.clone()).collect();
    let near = near::words(db, scope, &names, &spoken, &unknown).await?;
    let words = counted.into_iter().map(|counted| {
        let Counted { word, times, rows, .. } = counted;
        (quoted(&word), times, rows, 1.0)
    });
    let near = near.into_iter().map(|(word, rows)| (quoted(&word), 1.0, rows, NEAR_SHARE));
    let prefixes = prefixes(db, scope, &names, query, &terms.languages).await?;
    let prefixes =
        prefixes.into_iter().map(|(word, rows)| (format!("{}:*", quoted(&word)), 1.0, rows, 1.0));
    terms.words = weighted(words.chain(near).chain(prefixes), terms.rows);
    Ok(terms)
}

/// The kinds as SQL literals. One plan then serves every execution; by an array the planner would plan anew
/// for each, which took longer than looking up.
fn listed(kinds: &[&str]) -> String {
    let quoted: Vec<String> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
    quoted.join(", ")
}

/// Languages and totals of the kinds, and what each language makes of the phrases.
async fn totals(db: &Db, scope: Scope, kinds: &str, query: &TextQuery) -> Result<Terms> {
    let mut statement = QueryBuilder::<Postgres>::new(
        "WITH language AS (SELECT content.language, \
             sum(content.rows) FILTER (WHERE content.is_shared)::float8 AS rows, \
             sum(content.length) FILTER (WHERE content.is_shared)::float8 AS length, \
             sum(content.rows)::float8 AS seen_rows, sum(content.length)::float8 AS seen_length \
         FROM (SELECT kind, language, owner_id, rows, length, owner_id IS NULL AS is_shared \
             FROM lexeme_total) AS content \
         WHERE content.kind IN (",
    );
    statement.push(kinds).push(")");
    visible::push_with_deleted(&mut statement, scope);
    statement.push(" GROUP BY content.language HAVING sum(content.rows) > 0) SELECT language, ");
    push_phrases(&mut statement, &query.phrases, " & ");
    push_phrases(&mut statement, &query.excluded, " | ");
    statement.push(
        "coalesce(sum(rows) OVER (), 0), coalesce(\
             sum(length) OVER () / nullif(sum(rows) OVER (), 0), \
             sum(seen_length) OVER () / nullif(sum(seen_rows) OVER (), 0), 1) \
         FROM language ORDER BY language",
    );
    let mut terms = Terms::default();
    for row in statement.build().fetch_all(db.sql(scope)).await? {
        let (required, excluded) = (row.try_get(1)?, row.try_get(2)?);
        terms.languages.push(Language { name: row.try_get(0)?, required, excluded });
        terms.rows = row.try_get(3)?;
        terms.average_length = row.try_get::<f64, _>(4)?.max(1.0);
    }
    Ok(terms)
}

/// The phrases in a language as one `tsquery`; null when none of them has a word.
fn push_phrases(statement: &mut QueryBuilder<Postgres>, phrases: &[String], with: &str) {
    if phrases.is_empty() {
        statement.push("NULL::text, ");
        return;
    }
    statement.push(format!(
        "(SELECT string_agg('(' || phrase::text || ')', '{with}') FROM (SELECT \
         phraseto_tsquery(kindred_config(language.language), text) AS phrase FROM unnest("
    ));
    statement.push_bind(phrases.to_vec());
    statement.push(") AS phrase (text)) AS phrase WHERE numnode(phrase) > 0), ");
}

/// The lexemes of the query's words and phrases with the rows that they stand in.
async fn counted(
    db: &Db,
    scope: Scope,
    kinds: &str,
    query: &TextQuery,
    languages: &[&str],
) -> Result<Vec<Counted>> {
    let (mut numbers, mut names, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
    for language in languages {
        for (number, piece) in telling(query, language) {
            numbers.push(number);
            names.push(*language);
            pieces.push(piece);
        }
    }
    // The arrays come out of subqueries so that the planner does not plan anew for each length.
    let statement = format!(
        "WITH wanted AS (SELECT number, lexeme AS word, max(cardinality(positions))::float8 AS times \
             FROM unnest((SELECT $1::bigint[]), (SELECT $2::text[]), (SELECT $3::text[])) \
                 AS piece (number, language, text), \
             unnest(to_tsvector(kindred_config(language), text)) \
             GROUP BY number, lexeme), \
         word AS (SELECT DISTINCT word FROM wanted), \
         counted AS (SELECT word, \
             (SELECT coalesce(sum(lexeme.rows), 0) FROM lexeme \
                 WHERE lexeme.word = word.word AND lexeme.kind IN ({kinds})) \
             + (SELECT coalesce(sum(change.rows), 0) FROM lexeme_change AS change \
                 WHERE change.word = word.word AND change.kind IN ({kinds})) AS rows FROM word) \
         SELECT number, word, times, rows::float8 FROM wanted JOIN counted USING (word)"
    );
    let query = sqlx::query(AssertSqlSafe(statement)).bind(numbers).bind(names).bind(pieces);
    let rows = query.fetch_all(db.sql(scope)).await?;
    rows.iter()
        .map(|row| {
            let rows: f64 = row.try_get(3)?;
            Ok(Counted {
                piece: row.try_get(0)?,
                word: row.try_get(1)?,
                times: row.try_get(2)?,
                rows: rows.max(0.0),
            })
        })
        .collect()
}

/// The numbered pieces of a query without a language's stop words, or all if there are no others.
fn telling<'a>(query: &'a TextQuery, language: &str) -> Vec<(i64, &'a str)> {
    let phrases = query.phrases.iter().flat_map(|phrase| phrase.split_whitespace());
    let all: Vec<(i64, &str)> = (0..).zip(query.words.split_whitespace().chain(phrases)).collect();
    let is_telling = |piece: &str| !stop_words::languages_of(piece).contains(&language);
    let telling: Vec<(i64, &str)> =
        all.iter().copied().filter(|(_, piece)| is_telling(piece)).collect();
    let says_something = telling.iter().any(|(_, piece)| piece.contains(char::is_alphanumeric));
    if says_something || !query.prefixes.is_empty() { telling } else { all }
}

/// The words of pieces of which no language knows a form.
fn unknown(counted: &[Counted]) -> impl Iterator<Item = &Counted> {
    let known: HashSet<i64> =
        counted.iter().filter(|counted| counted.rows > 0.0).map(|counted| counted.piece).collect();
    counted.iter().filter(move |counted| !known.contains(&counted.piece))
}

/// What each language makes of the beginnings of words, with the rows that they stand in at least.
async fn prefixes(
    db: &Db,
    scope: Scope,
    kinds: &[&str],
    query: &TextQuery,
    languages: &[Language],
) -> Result<Vec<(String, f64)>> {
    if query.prefixes.is_empty() {
        return Ok(Vec::new());
    }
    let languages: Vec<&str> = languages.iter().map(|language| language.name.as_str()).collect();
    let rows = sqlx::query(
        "WITH wanted AS (SELECT DISTINCT lexeme AS word \
             FROM unnest($1::text[]) AS language, unnest($2::text[]) AS prefix, \
             unnest(to_tsvector(kindred_config(language), prefix))) \
         SELECT word, (SELECT coalesce(sum(rows), 0) FROM (SELECT sum(rows) AS rows FROM (\
             SELECT lexeme.word, lexeme.rows FROM lexeme WHERE lexeme.kind = ANY($3) \
                 AND lexeme.word >= wanted.word AND lexeme.word < wanted.word || U&'\\+10FFFF' \
             UNION ALL SELECT change.word, change.rows FROM lexeme_change AS change \
                 WHERE change.kind = ANY($3) \
                 AND change.word >= wanted.word AND change.word < wanted.word || U&'\\+10FFFF') AS counted \
             GROUP BY word) AS counted)::float8 FROM wanted",
    )
    .bind(languages)
    .bind(&query.prefixes)
    .bind(kinds)
    .fetch_all(db.sql(scope))
    .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<f64, _>(1)?.max(0.0)))).collect()
}

/// Adds up what was said repeatedly and keeps what says most.
fn weighted(found: impl Iterator<Item = (String, f64, f64, f64)>, total: f64) -> Vec<Term> {
    let mut words: BTreeMap<String, (f64, f64, f64)> = BTreeMap::new();
    for (word, times, rows, share) in found {
        let sum = words.entry(word).or_insert((0.0, rows, share));
        sum.0 += times;
        sum.2 = sum.2.max(share);
    }
    let mut terms: Vec<Term> = words
        .into_iter()
        .map(|(word, (times, rows, share))| {
            let missing = (total - rows).max(0.0);
            let rarity = (1.0 + (missing + 0.5) / (rows + 0.5)).ln();
            let repeated = times * (REPETITION + 1.0) / (times + REPETITION);
            Term { word, rows, weight: share * rarity * repeated }
        })
        .collect();
    terms.sort_by(|a, b| b.weight.total_cmp(&a.weight).then_with(|| a.word.cmp(&b.word)));
    terms.truncate(MAX_TERMS);
    terms
}

/// A lexeme as `tsquery` input reads it literally.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_only_count_alone() {
        let pieces = |text: &str, language: &str| {
            let query = TextQuery::parse(text);
            let pieces = telling(&query, language);
            pieces.into_iter().map(|(_, piece)| piece.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(pieces("what is the \"best of\" rock ?", "english"), ["rock", "?", "best"]);
        assert_eq!(pieces("the who", "english"), ["the", "who"]);
        assert_eq!(pieces("the who ?", "english"), ["the", "who", "?"]);
        assert_eq!(pieces("die hard", "german"), ["hard"]);
        assert_eq!(pieces("die hard", "english"), ["die", "hard"]);
    }

    #[test]
    fn rare_and_repeated_words_say_more() {
        let found = [("common", 60.0), ("rare", 2.0), ("said", 5.0), ("said", 5.0), ("once", 5.0)];
        let found = found.map(|(word, rows)| (word.to_owned(), 1.0, rows, 1.0));
        let terms = weighted(found.into_iter(), 100.0);
        let words: Vec<&str> = terms.iter().map(|term| term.word.as_str()).collect();
        assert_eq!(words, ["said", "rare", "once", "common"]);
        assert!(terms.iter().all(|term| term.weight > 0.0));
    }

    #[test]
    fn a_word_is_quoted_so_that_nothing_in_it_is_an_operator() {
        assert_eq!(quoted(r"a'b\c"), r"'a''b\\c'");
    }
}
