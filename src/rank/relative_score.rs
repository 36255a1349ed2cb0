//! Relative score fusion: each leg stretched from 0, its worst row, to 1, its best.
//!
//! As Weaviate's `relativeScoreFusion`, over all rows whose scores are known. The worst row of a leg of words
//! is one without any of them, as in Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
//! Retrieval" (2023): it is there even where the list does not reach it.

use super::Leg;

/// `(score - worst) / (best - worst)`; a leg whose rows are all equal gives each of them 1.
pub(super) fn scores(leg: &Leg) -> Vec<f64> {
    let best = leg.scores().fold(f64::NEG_INFINITY, f64::max);
    let worst = leg.floor.unwrap_or_else(|| leg.scores().fold(f64::INFINITY, f64::min));
    let span = best - worst;
    leg.scores().map(|score| if span > 0.0 { (score - worst) / span } else { 1.0 }).collect()
}
