//! Words near to one that nobody wrote: what a person may have meant.

use std::cmp::Ordering;

use sqlx::Row;

use crate::model::Scope;
use crate::store::{Db, Result};

/// Unknown words of a query for which others are looked for.
const MAX_WORDS: usize = 5;
/// Words that are taken in the place of one.
const MAX_NEAR: usize = 3;
/// Words that are compared with one, the most frequent.
const MAX_COMPARED: i64 = 5_000;
/// Letters that a stem may lack of a word.
const MAX_ENDING: usize = 4;
/// Stems that are tried with the ending of a word.
const MAX_STEMS: usize = 20;

/// Words of the shared catalogue in the place of unknown ones, with the rows that they stand in.
///
/// One letter may be wrong, missing, too many or swapped with its neighbor from four letters on, two from
/// eight letters on. Served by the primary key, for which the first letter must be right, and where the server
/// has `pg_trgm` also by the trigram index on `lexeme.word`, for which it need not be.
pub(super) async fn words(
    db: &Db,
    scope: Scope,
    kinds: &[&str],
    languages: &[&str],
    unknown: &[String],
) -> Result<Vec<(String, f64)>> {
    let unknown = unknown.iter().filter(|word| mistakes(word) > 0).take(MAX_WORDS);
    let mut found = Vec::new();
    for word in unknown {
        let compared = compared(db, scope, kinds, word).await?;
        let nearest = stems(db, scope, languages, nearest(word, compared)).await?;
        found.extend(best(nearest).into_iter().map(|near| (near.word, near.rows)));
    }
    Ok(found)
}

/// A word near to another one.
#[derive(Debug, Clone, PartialEq)]
struct Near {
    word: String,
    rows: f64,
    distance: usize,
    /// The end of the other word, which a stem may have lost.
    ending: String,
}

async fn compared(db: &Db, scope: Scope, kinds: &[&str], word: &str) -> Result<Vec<(String, f64)>> {
    let has_trigrams: bool =
        sqlx::query_scalar("SELECT to_regclass('lexeme_word_trgm_idx') IS NOT NULL")
            .fetch_one(db.sql(scope))
            .await?;
    // In a short word two letters that are swapped leave no trigram as it was.
    let by_trigrams = if has_trigrams { "OR lexeme.word % $2" } else { "" };
    let statement = format!(
        "SELECT lexeme.word, sum(lexeme.rows)::float8 FROM lexeme WHERE lexeme.kind = ANY($1) \
         AND (lexeme.word >= left($2, 1) AND lexeme.word < left($2, 1) || U&'\\+10FFFF' {by_trigrams}) \
         AND char_length(lexeme.word) BETWEEN $3 AND $4 \
         GROUP BY lexeme.word HAVING sum(lexeme.rows) > 0 \
         ORDER BY sum(lexeme.rows) DESC, lexeme.word LIMIT {MAX_COMPARED}"
    );
    let (length, mistakes) = (word.chars().count(), mistakes(word));
    let number = |value: usize| i32::try_from(value).unwrap_or(i32::MAX);
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(kinds)
        .bind(word)
        .bind(number(length.saturating_sub(mistakes + MAX_ENDING)))
        .bind(number(length + mistakes))
        .fetch_all(db.sql(scope))
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Those that are what a language makes of themselves with the ending: `carniv` of `carnival`.
async fn stems(db: &Db, scope: Scope, languages: &[&str], near: Vec<Near>) -> Result<Vec<Near>> {
    let (mut whole, mut stems): (Vec<Near>, Vec<Near>) =
        near.into_iter().partition(|near| near.ending.is_empty());
    if stems.is_empty() {
        return Ok(whole);
    }
    stems.sort_by(order);
    stems.truncate(MAX_STEMS);
    let words: Vec<&str> = stems.iter().map(|near| near.word.as_str()).collect();
    let endings: Vec<&str> = stems.iter().map(|near| near.ending.as_str()).collect();
    let rows = sqlx::query(
        "SELECT DISTINCT word FROM unnest($1::text[], $2::text[]) AS near (word, ending), \
             unnest($3::text[]) AS language \
         WHERE tsvector_to_array(to_tsvector(kindred_config(language), word || ending)) = ARRAY[word]",
    )
    .bind(&words)
    .bind(&endings)
    .bind(languages)
    .fetch_all(db.sql(scope))
    .await?;
    for row in rows {
        let word: &str = row.try_get(0)?;
        whole.extend(stems.iter().filter(|near| near.word == word).cloned());
    }
    Ok(whole)
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

/// Words with few enough mistakes, each with the part of the word that it may be the stem of.
fn nearest(word: &str, compared: Vec<(String, f64)>) -> Vec<Near> {
    let letters: Vec<char> = word.chars().collect();
    let most = mistakes(word);
    let mut found = Vec::new();
    for (other, rows) in compared.into_iter().filter(|(other, _)| mistakes(other) > 0) {
        let (length, longest) = (other.chars().count(), letters.len());
        let shortest = length.saturating_sub(1).max(longest.saturating_sub(MAX_ENDING));
        let whole = strsim::osa_distance(word, &other);
        // The longer beginning of two that are equally near.
        let cut = (shortest..longest.min(length + 2)).map(|cut| {
            let begin: String = letters[..cut].iter().collect();
            (strsim::osa_distance(&begin, &other), longest - cut)
        });
        let cut = cut.min().filter(|(distance, _)| *distance < whole);
        for (distance, ending) in [Some((whole, 0)), cut].into_iter().flatten() {
            if distance <= most {
                let ending = letters[longest - ending..].iter().collect();
                found.push(Near { word: other.clone(), rows, distance, ending });
            }
        }
    }
    found
}

/// Fewest mistakes first, then the most frequent.
fn order(a: &Near, b: &Near) -> Ordering {
    let by_rows = || b.rows.total_cmp(&a.rows);
    a.distance.cmp(&b.distance).then_with(by_rows).then_with(|| a.word.cmp(&b.word))
}

/// Those with the fewest mistakes; of these the most frequent.
fn best(mut near: Vec<Near>) -> Vec<Near> {
    near.sort_by(order);
    let least = near.first().map(|near| near.distance);
    near.retain(|near| Some(near.distance) == least);
    near.dedup_by(|a, b| a.word == b.word);
    near.truncate(MAX_NEAR);
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(word: &str, others: &[&str]) -> Vec<String> {
        let others = others.iter().map(|other| ((*other).to_owned(), 1.0)).collect();
        let near = nearest(word, others).into_iter().filter(|near| near.ending.is_empty());
        best(near.collect()).into_iter().map(|near| near.word).collect()
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
    fn a_stem_is_near_to_the_beginning_of_a_word() {
        let near =
            nearest("carnvial", vec![("carniv".to_owned(), 1.0), ("carpet".to_owned(), 1.0)]);
        let carnival =
            Near { word: "carniv".to_owned(), rows: 1.0, distance: 1, ending: "al".to_owned() };
        assert_eq!(near, [carnival]);
    }

    #[test]
    fn only_the_nearest_words_are_taken_and_no_number_is_another() {
        assert_eq!(
            near("synthesiser", &["synthesizer", "synthesise"]),
            ["synthesise", "synthesizer"]
        );
        assert_eq!(near("1984", &["1985"]), Vec::<String>::new());
        assert_eq!(near("naïvete", &["naïveté"]), ["naïveté"]);
    }
}
