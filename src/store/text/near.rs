//! Words near to one that nobody wrote: what a person may have meant.

use sqlx::Row;

use crate::model::Scope;
use crate::store::{Db, Result};

/// Unknown words of a query for which others are looked for.
const MAX_WORDS: usize = 5;
/// Words that are taken in the place of one.
const MAX_NEAR: usize = 3;
/// Words that are compared with one, the most frequent.
const MAX_COMPARED: i64 = 5_000;

/// Words of the shared catalogue in the place of unknown ones, with the rows that they stand in.
///
/// One letter may be wrong, missing, too many or swapped with its neighbor from four letters on, two from
/// eight letters on. Served by the trigram index on `lexeme.word` where the server has `pg_trgm`, otherwise
/// by the primary key: then the first letter must be right.
pub(super) async fn words(
    db: &Db,
    scope: Scope,
    kinds: &[&str],
    unknown: &[String],
) -> Result<Vec<(String, f64)>> {
    let unknown = unknown.iter().filter(|word| mistakes(word) > 0).take(MAX_WORDS);
    let mut found = Vec::new();
    for word in unknown {
        let compared = compared(db, scope, kinds, word).await?;
        found.extend(nearest(word, compared));
    }
    Ok(found)
}

async fn compared(db: &Db, scope: Scope, kinds: &[&str], word: &str) -> Result<Vec<(String, f64)>> {
    let has_trigrams: bool =
        sqlx::query_scalar("SELECT to_regclass('lexeme_word_trgm_idx') IS NOT NULL")
            .fetch_one(db.sql(scope))
            .await?;
    let by_index = if has_trigrams {
        "lexeme.word % $2"
    } else {
        "lexeme.word >= left($2, 1) AND lexeme.word < left($2, 1) || U&'\\+10FFFF'"
    };
    let length = i32::try_from(word.chars().count()).unwrap_or(i32::MAX);
    let mistakes = i32::try_from(mistakes(word)).unwrap_or(0);
    let statement = format!(
        "SELECT lexeme.word, sum(lexeme.rows)::float8 FROM lexeme WHERE lexeme.kind = ANY($1) \
         AND {by_index} AND char_length(lexeme.word) BETWEEN $3 AND $4 \
         GROUP BY lexeme.word HAVING sum(lexeme.rows) > 0 \
         ORDER BY sum(lexeme.rows) DESC, lexeme.word LIMIT {MAX_COMPARED}"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(kinds)
        .bind(word)
        .bind(length - mistakes)
        .bind(length.saturating_add(mistakes))
        .fetch_all(db.sql(scope))
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// How many letters of a word may be wrong. Numbers are never mistaken for others.
fn mistakes(word: &str) -> usize {
    if word.chars().any(char::is_numeric) {
        return 0;
    }
    match word.chars().count() {
        0..4 => 0,
        4..8 => 1,
        8.. => 2,
    }
}

/// Those with the fewest mistakes; of these the most frequent.
fn nearest(word: &str, compared: Vec<(String, f64)>) -> Vec<(String, f64)> {
    let most = mistakes(word);
    let mut found: Vec<(usize, String, f64)> = compared
        .into_iter()
        .filter(|(other, _)| mistakes(other) > 0)
        .map(|(other, rows)| (strsim::osa_distance(word, &other), other, rows))
        .filter(|(distance, ..)| *distance <= most)
        .collect();
    let least = found.iter().map(|(distance, ..)| *distance).min();
    found.retain(|(distance, ..)| Some(*distance) == least);
    found.sort_by(|(_, a, a_rows), (_, b, b_rows)| b_rows.total_cmp(a_rows).then_with(|| a.cmp(b)));
    found.truncate(MAX_NEAR);
    found.into_iter().map(|(_, other, rows)| (other, rows)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(word: &str, others: &[&str]) -> Vec<String> {
        let others = others.iter().map(|other| ((*other).to_owned(), 1.0)).collect();
        nearest(word, others).into_iter().map(|(other, _)| other).collect()
    }

    #[test]
    fn one_mistake_is_forgiven_from_four_letters_on_and_two_from_eight() {
        assert_eq!(near("tehcno", &["techno", "disco"]), ["techno"]);
        assert_eq!(near("wnd", &["wind"]), Vec::<String>::new());
        assert_eq!(near("jaz", &["jazz"]), Vec::<String>::new());
        assert_eq!(near("wond", &["wind", "wonder"]), ["wind"]);
        assert_eq!(near("aerodinamik", &["aerodynamic", "aerodrome"]), ["aerodynamic"]);
    }

    #[test]
    fn only_the_nearest_words_are_taken_and_no_number_is_another() {
        assert_eq!(near("synthesiser", &["synthesizer", "synthesise"]), ["synthesise", "synthesizer"]);
        assert_eq!(near("1984", &["1985"]), Vec::<String>::new());
        assert_eq!(near("naïvete", &["naïveté"]), ["naïveté"]);
    }
}
