//! Reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009.

use crate::model::hit::Candidate;

/// The constant of the paper: how fast later places lose weight.
const K: f64 = 60.0;

/// `1 / (k + rank)`: place alone counts, so scores of different scales can be merged.
pub(super) fn scores(leg: &[Candidate]) -> Vec<f64> {
    (1..=leg.len()).map(|rank| 1.0 / (K + rank_as_f64(rank))).collect()
}

fn rank_as_f64(rank: usize) -> f64 {
    f64::from(u32::try_from(rank).unwrap_or(u32::MAX))
}
