//! How well a row answers: BM25 over weighted fields (Robertson, Zaragoza and Taylor, 2004).

use sqlx::{Postgres, QueryBuilder};

use super::terms::{Term, Terms};

/// How fast a word says more by standing in a row repeatedly.
const K1: f64 = 1.2;
/// How strongly long rows are discounted.
const B: f64 = 0.75;
/// What an occurrence weighs by where it stands, in the order D, C, B, A of PostgreSQL: C is the body, B
/// the headings, A the title. All must lie between 0 and 1.
const PLACE_WEIGHTS: &str = "{0.4, 0.4, 0.6, 1}";
/// What an occurrence in the body weighs.
const BODY_WEIGHT: f64 = 0.4;
/// Rows that are scored without further ado. Common words propose none beyond.
const BUDGET: f64 = 2_000.0;

/// Which rows are looked at.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    /// A `tsquery` that they match; `None` if a phrase chooses them.
    pub(super) any: Option<String>,
    /// The most that any other row can score.
    pub(super) bound: f64,
}

impl Choice {
    /// Words are taken as long as the rows that they stand in are few enough to be scored all, the rarest
    /// first. What the other words could add is the bound: the idea of MaxScore (Turtle and Flood, 1995).
    pub(super) fn of(terms: &Terms) -> Self {
        if terms.words.is_empty() || terms.requires_phrase() {
            return Self { any: None, bound: 0.0 };
        }
        let mut by_rows: Vec<&Term> = terms.words.iter().collect();
        by_rows.sort_by(|a, b| a.rows.total_cmp(&b.rows));
        let mut sum = 0.0;
        let taken = by_rows.iter().take_while(|term| {
            sum += term.rows;
            sum <= BUDGET || terms.rows <= BUDGET
        });
        let taken = taken.count();
        let (rare, common) = by_rows.split_at(taken);
        // Words that stand nowhere in the shared catalogue may stand in rows of the viewer's own.
        if rare.iter().all(|term| term.rows == 0.0) && !common.is_empty() {
            return Self::of_common(rare, common);
        }
        let bound = common.iter().map(|term| most(term)).sum();
        Self { any: Some(Terms::any_of(rare.iter().copied())), bound }
    }

    /// Every word is common: rows must have the rarest of them and one more.
    fn of_common(unknown: &[&Term], common: &[&Term]) -> Self {
        let Some((first, others)) = common.split_first() else {
            return Self { any: None, bound: 0.0 };
        };
        let mut any: Vec<String> = unknown.iter().map(|term| term.word.clone()).collect();
        if others.is_empty() {
            any.push(first.word.clone());
            return Self { any: Some(any.join(" | ")), bound: 0.0 };
        }
        any.push(format!("({} & ({}))", first.word, Terms::any_of(others.iter().copied())));
        let without_first: f64 = others.iter().map(|term| most(term)).sum();
        Self { any: Some(any.join(" | ")), bound: without_first.max(most(first)) }
    }
}

/// The most that a word can add to a score: it approaches this when it stands in a row very often.
fn most(term: &Term) -> f64 {
    term.weight * (K1 + 1.0)
}

/// Joins the `search` of a row, copied so that a long one is unpacked only once, and `k`, which is what the
/// length of the row makes of `k1`.
pub(super) fn push_unpacked(query: &mut QueryBuilder<Postgres>, terms: &Terms) {
    query.push(format!(
        " CROSS JOIN LATERAL (SELECT setweight(content.search, 'A', '{{}}') AS search, \
         {}::float8 + {}::float8 * length(content.search) AS k OFFSET 0) AS unpacked",
        K1 * (1.0 - B),
        K1 * B / terms.average_length
    ));
}

/// The score of a row.
///
/// For a single word `ts_rank_cd` is the sum of the weights of its occurrences, and
/// `w tf (k1 + 1) / (tf + k)` is `w (k1 + 1) (1 - k / (tf + k))`, which asks for `tf` once.
pub(super) fn push(query: &mut QueryBuilder<Postgres>, terms: &Terms) {
    query.push("0.0::float8");
    for term in &terms.words {
        query.push(format!(
            " + {}::float8 * (1 - k / (ts_rank_cd('{PLACE_WEIGHTS}', unpacked.search, ",
            most(term)
        ));
        query.push_bind(term.word.clone());
        query.push(format!("::tsquery) / {BODY_WEIGHT}::float8 + k))"));
    }
}
