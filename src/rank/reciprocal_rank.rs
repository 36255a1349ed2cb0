//! Reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009.

use super::Leg;

/// The constant of the paper: how fast later places lose weight.
const K: f64 = 60.0;

/// `1 / (k + rank)`: place alone counts, so scores of different scales can be merged. A row that the
/// leg's list does not reach has no place and gets nothing.
pub(super) fn scores(leg: &Leg) -> Vec<f64> {
    let places = (1..=leg.found.len()).map(|rank| 1.0 / (K + rank_as_f64(rank)));
    places.chain(leg.filled.iter().map(|_| 0.0)).collect()
}

fn rank_as_f64(rank: usize) -> f64 {
    f64::from(u32::try_from(rank).unwrap_or(u32::MAX))
}
