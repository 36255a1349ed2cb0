//! Weighted sum of scores, each leg divided by its best score so that both reach from 0 to 1.

use super::Leg;

/// Scores over the best score of the leg; negative similarities count as nothing.
pub(super) fn scores(leg: &Leg) -> Vec<f64> {
    let best = leg.scores().fold(0.0, f64::max);
    leg.scores().map(|score| if best > 0.0 { (score / best).max(0.0) } else { 0.0 }).collect()
}
