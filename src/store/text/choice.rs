//! Which rows are scored: all that have a word of the query, or in a large table the most promising.

use super::score::most;
use super::terms::{Term, Terms};

/// Rows with any of the words that are scored without further ado.
const FEW_ROWS: f64 = 3_000.0;
/// Rows of a large table that are scored, about, at least.
const BUDGET: f64 = 1_000.0;
/// Rows that are scored for each one that is wanted, about, at least.
const BUDGET_PER_ROW: f64 = 4.0;
/// Words that are combined.
const COMBINED: usize = 6;
/// Entries of the index that are read for the combined words.
const READ_ENTRIES: f64 = 60_000.0;
/// How much more often two words stand in one row than if they had nothing to do with each other.
const TOGETHERNESS: f64 = 2.0;

/// Which rows are looked at.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    /// A `tsquery` that they match; `None` if a phrase chooses them.
    pub(super) any: Option<String>,
    /// The most that any other row can score.
    pub(super) bound: f64,
}

/// How many rows are scored to find the best `limit`.
pub(super) fn budget(limit: i64) -> f64 {
    let limit = f64::from(i32::try_from(limit).unwrap_or(i32::MAX));
    BUDGET.max(limit * BUDGET_PER_ROW)
}

/// Words that a row has together, a bit each.
struct Combination {
    words: usize,
    /// The most that they can add to a score.
    most: f64,
    /// Rows that have them all, about.
    rows: f64,
}

impl Choice {
    /// Chooses about as many rows as a budget allows, or all if there are hardly more.
    ///
    /// A row can score no more than its words allow: the idea of `MaxScore` (Turtle and Flood, 1995), for sets
    /// of words. The sets are taken from the one that allows most downwards, as long as the rows that have
    /// them are few enough to be scored all. What the next set allows is the bound.
    pub(super) fn of(terms: &Terms, budget: f64) -> Self {
        if terms.words.is_empty() || terms.requires_phrase() {
            return Self { any: None, bound: 0.0 };
        }
        let together: f64 = terms.words.iter().map(|term| term.rows).sum();
        if together.min(terms.rows) <= budget.max(FEW_ROWS) {
            return Self { any: Some(Terms::any_of(&terms.words)), bound: 0.0 };
        }
        let combined = combined(&terms.words);
        let combinations = combinations(&combined, terms.rows);
        let (chosen, next) = promising(combinations, budget);
        let mut any: Vec<String> = chosen.iter().map(|set| together_of(&combined, *set)).collect();
        // They stand in no row of the shared catalogue, but may stand in rows of the viewer's own.
        let unknown = terms.words.iter().filter(|term| term.rows == 0.0);
        any.extend(unknown.map(|term| term.word.clone()));
        let all: f64 = terms.words.iter().filter(|term| term.rows > 0.0).map(most).sum();
        let others = (all - combined.iter().map(|term| most(term)).sum::<f64>()).max(0.0);
        Self { any: Some(any.join(" | ")), bound: next + others }
    }
}

/// The words that say most among those whose entries in the index are few enough to be read.
fn combined(words: &[Term]) -> Vec<&Term> {
    let mut by_rows: Vec<&Term> = words.iter().filter(|term| term.rows > 0.0).collect();
    by_rows.sort_by(|a, b| a.rows.total_cmp(&b.rows));
    let mut read = 0.0;
    let mut combined: Vec<&Term> = Vec::new();
    for term in by_rows {
        read += term.rows;
        if combined.is_empty() || read <= READ_ENTRIES {
            combined.push(term);
        }
    }
    combined.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    combined.truncate(COMBINED);
    combined
}

/// Every set of the words, the one that allows most first.
fn combinations(words: &[&Term], total: f64) -> Vec<Combination> {
    let mut all: Vec<Combination> = (1..1_usize << words.len())
        .map(|set| {
            let of_set = words.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
            let terms: Vec<&Term> = of_set.map(|(_, term)| *term).collect();
            let rarest = terms.iter().map(|term| term.rows).fold(f64::INFINITY, f64::min);
            let shares: f64 = terms.iter().map(|term| term.rows / total * TOGETHERNESS).product();
            let rows = rarest.min(total / TOGETHERNESS * shares);
            Combination { words: set, most: terms.iter().map(|term| most(term)).sum(), rows }
        })
        .collect();
    all.sort_by(|a, b| b.most.total_cmp(&a.most).then(b.words.cmp(&a.words)));
    all
}

/// Sets of words such that rows with one of them fit into a budget, none of which holds another, and the
/// most that a row without any of them can score by these words.
fn promising(combinations: Vec<Combination>, budget: f64) -> (Vec<usize>, f64) {
    let mut chosen: Vec<Combination> = Vec::new();
    for next in combinations {
        if chosen.iter().any(|set| set.words & next.words == set.words) {
            continue;
        }
        let replaced = |set: &Combination| set.words & next.words == next.words;
        let rows: f64 = chosen.iter().filter(|set| !replaced(set)).map(|set| set.rows).sum();
        if rows + next.rows > budget && !chosen.is_empty() {
            return (chosen.into_iter().map(|set| set.words).collect(), next.most);
        }
        chosen.retain(|set| !replaced(set));
        chosen.push(next);
    }
    (chosen.into_iter().map(|set| set.words).collect(), 0.0)
}

/// A query for rows with every word of a set.
fn together_of(words: &[&Term], set: usize) -> String {
    let of_set = words.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
    let words: Vec<&str> = of_set.map(|(_, term)| term.word.as_str()).collect();
    format!("({})", words.join(" & "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(words: &[(&str, f64)], rows: f64) -> Terms {
        let term = |(word, of): &(&str, f64)| {
            let weight = (1.0 + (rows - of + 0.5) / (of + 0.5)).ln();
            Term { word: (*word).to_owned(), rows: *of, weight }
        };
        Terms { words: words.iter().map(term).collect(), rows, ..Terms::default() }
    }

    #[test]
    fn in_a_small_table_or_for_rare_words_every_row_is_looked_at() {
        let all = Choice { any: Some("a | b".to_owned()), bound: 0.0 };
        assert_eq!(Choice::of(&terms(&[("a", 900.0), ("b", 800.0)], 1_000.0), 1_500.0), all);
        assert_eq!(Choice::of(&terms(&[("a", 900.0), ("b", 800.0)], 1_000_000.0), 1_500.0), all);
        assert_eq!(Choice::of(&terms(&[("a", 90_000.0), ("b", 80_000.0)], 1e6), 2e5), all);
    }

    #[test]
    fn in_a_large_table_rows_with_a_rare_word_or_several_common_ones_are_looked_at() {
        let words = [("rare", 300.0), ("a", 9_000.0), ("b", 10_000.0), ("c", 11_000.0)];
        let choice = Choice::of(&terms(&words, 100_000.0), 1_500.0);
        let any = choice.any.unwrap();
        let sets: Vec<&str> = any.split(" | ").collect();
        assert!(sets.contains(&"(rare)"), "{any}");
        assert!(sets.contains(&"(a & b & c)"), "{any}");
        assert!(!any.contains("(a)") && !any.contains("rare &"), "{any}");
        assert!(choice.bound > 0.0);
    }

    #[test]
    fn no_row_outside_can_score_more_than_the_bound() {
        let words =
            [("a", 4_000.0), ("b", 6_000.0), ("c", 9_000.0), ("d", 30_000.0), ("e", 50_000.0)];
        let terms = terms(&words, 100_000.0);
        let choice = Choice::of(&terms, 1_500.0);
        let any = choice.any.unwrap();
        let holds = |row: usize, set: &str| {
            set.trim_matches(['(', ')']).split(" & ").all(|word| {
                terms
                    .words
                    .iter()
                    .position(|term| term.word == word)
                    .is_some_and(|bit| row >> bit & 1 == 1)
            })
        };
        let outside = (1_usize..32).filter(|row| !any.split(" | ").any(|set| holds(*row, set)));
        let bit = |row: usize, index: usize| row >> index & 1 == 1;
        let best = |row: usize| -> f64 {
            let words = terms.words.iter().enumerate();
            words.filter(|(index, _)| bit(row, *index)).map(|(_, term)| most(term)).sum()
        };
        let outside: Vec<f64> = outside.map(best).collect();
        assert!(!outside.is_empty());
        assert!(outside.iter().all(|score| *score <= choice.bound + 1e-9), "{outside:?} {any}");
    }

    #[test]
    fn a_common_word_alone_is_looked_for_in_all_its_rows() {
        let choice = Choice::of(&terms(&[("a", 40_000.0), ("typo", 0.0)], 100_000.0), 1_500.0);
        assert_eq!(choice, Choice { any: Some("(a) | typo".to_owned()), bound: 0.0 });
    }
}
