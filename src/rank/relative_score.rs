//! Relative score fusion: each leg stretched so that its worst row has 0 and its best 1.

use super::Leg;

/// `(score - worst) / (best - worst)`; a leg whose rows are all equal gives each of them 1.
pub(super) fn scores(leg: &Leg) -> Vec<f64> {
    let best = leg.scores().fold(f64::NEG_INFINITY, f64::max);
    let worst = leg.scores().fold(f64::INFINITY, f64::min);
    let span = best - worst;
    leg.scores().map(|score| if span > 0.0 { (score - worst) / span } else { 1.0 }).collect()
}
