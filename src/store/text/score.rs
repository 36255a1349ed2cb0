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

/// The most that a word can add to a score: it approaches this when it stands in a row very often.
pub(super) fn most(term: &Term) -> f64 {
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
