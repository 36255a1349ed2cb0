//! Weighted sum of scores, each leg divided by its best score so that both reach from 0 to 1.

use crate::model::hit::Candidate;

/// Scores over the best score of the leg; negative similarities count as nothing.
pub(super) fn scores(leg: &[Candidate]) -> Vec<f64> {
    let best = leg.iter().map(|candidate| candidate.score).fold(0.0, f64::max);
    leg.iter()
        .map(|candidate| if best > 0.0 { (candidate.score / best).max(0.0) } else { 0.0 })
        .collect()
}
