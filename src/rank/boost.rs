//! Boosts: what a row is, beside how well it answers, as a part of its score.
//!
//! A boost is a share of the best score of the list, so that one weight means the same in every fusion.

use super::{best_score, rescore};
use crate::model::boost::{Boost, BoostScale};
use crate::model::hit::{BoostPart, Hit};

/// Adds boosts to scores and orders again. `raw` holds, for each boost and each hit, the number that
/// the boost looks at: for recency the age in days.
pub fn apply(hits: &mut [Hit], boosts: &[Boost], raw: &[Vec<Option<f64>>]) {
    let best = best_score(hits);
    for (boost, raw) in boosts.iter().zip(raw) {
        for (hit, value) in hits.iter_mut().zip(values(*boost, raw)) {
            let weight = boost.weight();
            let contribution = weight * value.unwrap_or(0.0) * best;
            hit.why.boosts.push(BoostPart { field: boost.field(), weight, value, contribution });
        }
    }
    if !boosts.is_empty() {
        rescore(hits);
    }
}

/// How much of a boost each row gets, from 0 to 1; nothing where the row lacks the field.
fn values(boost: Boost, raw: &[Option<f64>]) -> Vec<Option<f64>> {
    match boost {
        Boost::Recency { half_life_days, .. } => {
            let share = |age: f64| (-age.max(0.0) / half_life_days).exp2();
            raw.iter().map(|age| age.map(share)).collect()
        }
        Boost::Number { scale: BoostScale::Linear, .. } => stretched(raw),
        Boost::Number { scale: BoostScale::Log, .. } => {
            let logs = raw.iter().map(|number| number.map(|number| number.max(0.0).ln_1p()));
            stretched(&logs.collect::<Vec<_>>())
        }
    }
}

/// From 0, the lowest number, to 1, the highest. Equal numbers tell nothing apart and get 0.
fn stretched(raw: &[Option<f64>]) -> Vec<Option<f64>> {
    let (low, high) = raw
        .iter()
        .flatten()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), n| (low.min(*n), high.max(*n)));
    let span = high - low;
    let share =
        |number: f64| if span > 0.0 { ((number - low) / span).clamp(0.0, 1.0) } else { 0.0 };
    raw.iter().map(|number| number.map(share)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::filter::{NumberField, TimeField};

    fn near(values: &[Option<f64>], expected: &[Option<f64>]) -> bool {
        values.iter().zip(expected).all(|pair| match pair {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (a, b) => a.is_none() && b.is_none(),
        })
    }

    #[test]
    fn a_row_as_old_as_the_half_life_gets_half_of_the_boost() {
        let boost =
            Boost::Recency { field: TimeField::CreatedAt, half_life_days: 30.0, weight: 0.2 };
        let ages = [Some(0.0), Some(30.0), Some(60.0), Some(-5.0), None];
        let expected = [Some(1.0), Some(0.5), Some(0.25), Some(1.0), None];
        assert!(near(&values(boost, &ages), &expected));
    }

    #[test]
    fn numbers_count_between_the_lowest_and_the_highest() {
        let boost = |scale| Boost::Number { field: NumberField::Popularity, scale, weight: 0.1 };
        let raw = [Some(0.0), Some(9.0), None, Some(99.0)];
        let linear = values(boost(BoostScale::Linear), &raw);
        assert!(near(&linear, &[Some(0.0), Some(1.0 / 11.0), None, Some(1.0)]));
        let log = values(boost(BoostScale::Log), &raw);
        assert!(near(&log, &[Some(0.0), Some(0.5), None, Some(1.0)]));
        let equal = values(boost(BoostScale::Linear), &[Some(7.0), Some(7.0)]);
        assert!(near(&equal, &[Some(0.0), Some(0.0)]));
    }
}
