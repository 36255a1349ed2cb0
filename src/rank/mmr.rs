//! Maximal marginal relevance: Carbonell and Goldstein, SIGIR 1998.

use std::collections::HashMap;
use std::hash::BuildHasher;

use uuid::Uuid;

use super::best_score;
use crate::model::hit::Hit;

/// A row to pick from: its score, and its unit-length vector where it has one.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    pub score: f64,
    pub vector: Option<&'a [f32]>,
}

/// A picked row: its index in the input, and what likeness to earlier picks took off its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pick {
    pub index: usize,
    /// 0 or less; relevance is `(1 - diversity) * score`, so `score * -diversity` is in here too.
    pub adjustment: f64,
}

/// Picks up to `count` rows, each time the one with the highest
/// `(1 - diversity) * score - diversity * likeness to the most alike pick`.
///
/// `diversity` 0 keeps the order by score, 1 looks at difference alone. Ties keep input order.
pub fn diversify(rows: &[Row<'_>], diversity: f64, count: usize) -> Vec<Pick> {
    let mut likeness = vec![0.0_f64; rows.len()];
    let mut open: Vec<usize> = (0..rows.len()).collect();
    let mut picks = Vec::with_capacity(count.min(rows.len()));
    while picks.len() < count {
        let value =
            |index: usize| (1.0 - diversity) * rows[index].score - diversity * likeness[index];
        let Some(best) = (0..open.len())
            .reduce(|best, next| if value(open[next]) > value(open[best]) { next } else { best })
        else {
            break;
        };
        let index = open.remove(best);
        picks.push(Pick { index, adjustment: value(index) - rows[index].score });
        for &other in &open {
            if let (Some(a), Some(b)) = (rows[index].vector, rows[other].vector) {
                likeness[other] = likeness[other].max(dot(a, b));
            }
        }
    }
    picks
}

/// Up to `count` hits in the order of [`diversify`]. Likeness counts in shares of the best score, so
/// that one diversity means the same in every fusion.
pub fn apply<S: BuildHasher>(
    hits: &[Hit],
    vectors: &HashMap<Uuid, Vec<f32>, S>,
    diversity: f64,
    count: usize,
) -> Vec<Hit> {
    let best = best_score(hits);
    let row = |hit: &Hit| Row {
        score: hit.score / best,
        vector: vectors.get(&hit.id.id).map(Vec::as_slice),
    };
    let rows: Vec<Row<'_>> = hits.iter().map(row).collect();
    let picks = diversify(&rows, diversity, count).into_iter();
    picks
        .map(|pick| {
            let mut hit = hits[pick.index].clone();
            hit.why.diversity = Some(pick.adjustment * best);
            hit.score = hit.why.total();
            hit
        })
        .collect()
}

/// The inner product, which is cosine similarity for unit-length vectors.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_diversity_the_order_stays_and_with_it_a_copy_waits() {
        let (x, y) = ([1.0, 0.0], [0.0, 1.0]);
        let row = |score, vector| Row { score, vector: Some(vector) };
        let rows = [row(0.9, &x[..]), row(0.8, &x[..]), row(0.7, &y[..])];
        let order = |diversity| {
            diversify(&rows, diversity, 3).iter().map(|pick| pick.index).collect::<Vec<_>>()
        };
        assert_eq!(order(0.0), [0, 1, 2]);
        assert_eq!(order(0.5), [0, 2, 1]);
    }
}
