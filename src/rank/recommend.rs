//! Examples to a direction, and how much each example pulled.
//!
//! The strategies follow what Qdrant documents as `average_vector`, `best_score` and `sum_scores`.

use super::mmr::dot;
use crate::model::hit::RecommendStrategy;

/// An example's unit-length vector with its weight: positive pulls, negative pushes away.
#[derive(Debug, Clone)]
pub struct Weighted {
    pub vector: Vec<f32>,
    pub weight: f64,
}

/// How much each example counts in the direction: liked ones share `1` (or `2` when something is
/// avoided, so that the direction leads past the liked mean, away from the avoided one), avoided
/// ones share `-1`.
pub fn coefficients(examples: &[Weighted], strategy: RecommendStrategy) -> Vec<f64> {
    let liked: f64 = examples.iter().map(|example| example.weight.max(0.0)).sum();
    let avoided: f64 = examples.iter().map(|example| (-example.weight).max(0.0)).sum();
    let pull = if liked > 0.0 && avoided > 0.0 { 2.0 } else { 1.0 };
    examples
        .iter()
        .map(|example| match strategy {
            RecommendStrategy::Average | RecommendStrategy::BestScore if example.weight > 0.0 => {
                pull * example.weight / liked
            }
            RecommendStrategy::Average | RecommendStrategy::BestScore => example.weight / avoided,
            RecommendStrategy::Sum => example.weight,
        })
        .collect()
}

/// The direction to search in: unit length, or `None` when the examples cancel each other out.
pub fn direction(examples: &[Weighted], coefficients: &[f64]) -> Option<Vec<f32>> {
    let sum = weighted_sum(examples, coefficients);
    let norm = length(&sum);
    #[expect(clippy::cast_possible_truncation, reason = "vectors are stored as f32")]
    (norm > 1e-6).then(|| sum.iter().map(|value| (value / norm) as f32).collect())
}

fn weighted_sum(examples: &[Weighted], coefficients: &[f64]) -> Vec<f64> {
    let dimensions = examples.first().map_or(0, |example| example.vector.len());
    let mut sum = vec![0.0_f64; dimensions];
    for (example, coefficient) in examples.iter().zip(coefficients) {
        for (total, value) in sum.iter_mut().zip(&example.vector) {
            *total += coefficient * f64::from(*value);
        }
    }
    sum
}

fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// What one example gave to a row's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pull {
    pub similarity: f64,
    pub contribution: f64,
}

/// Scores a row against the examples. The contributions add up to the score.
///
/// `Average`: cosine with the direction. `Sum`: weighted sum of similarities. `BestScore`: the best
/// liked similarity if it exceeds the best avoided one, else minus the square of the latter.
pub fn score(
    row: &[f32],
    examples: &[Weighted],
    coefficients: &[f64],
    strategy: RecommendStrategy,
) -> (f64, Vec<Pull>) {
    let similarities: Vec<f64> = examples.iter().map(|example| dot(row, &example.vector)).collect();
    let contributions: Vec<f64> = match strategy {
        RecommendStrategy::Average => {
            let norm = length(&weighted_sum(examples, coefficients)).max(1e-12);
            let share = similarities.iter().zip(coefficients);
            share.map(|(similarity, coefficient)| coefficient * similarity / norm).collect()
        }
        RecommendStrategy::Sum => {
            let share = similarities.iter().zip(coefficients);
            share.map(|(similarity, coefficient)| coefficient * similarity).collect()
        }
        RecommendStrategy::BestScore => best_score(&similarities, examples),
    };
    let total = contributions.iter().sum();
    let pulls = similarities.into_iter().zip(contributions);
    (total, pulls.map(|(similarity, contribution)| Pull { similarity, contribution }).collect())
}

/// Only the deciding example contributes.
fn best_score(similarities: &[f64], examples: &[Weighted]) -> Vec<f64> {
    let best = |liked: bool| {
        (0..examples.len())
            .filter(|index| (examples[*index].weight > 0.0) == liked)
            .max_by(|a, b| similarities[*a].total_cmp(&similarities[*b]))
    };
    let mut contributions = vec![0.0; examples.len()];
    match (best(true), best(false)) {
        (Some(liked), Some(avoided)) if similarities[liked] <= similarities[avoided] => {
            contributions[avoided] = -similarities[avoided] * similarities[avoided];
        }
        (Some(liked), _) => contributions[liked] = similarities[liked],
        (None, Some(avoided)) => {
            contributions[avoided] = -similarities[avoided] * similarities[avoided];
        }
        (None, None) => {}
    }
    contributions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(vector: [f32; 2], weight: f64) -> Weighted {
        Weighted { vector: vector.to_vec(), weight }
    }

    #[test]
    fn the_average_score_is_the_cosine_with_the_direction() {
        let examples =
            [example([1.0, 0.0], 2.0), example([0.6, 0.8], 1.0), example([0.0, 1.0], -1.0)];
        let coefficients = coefficients(&examples, RecommendStrategy::Average);
        let target = direction(&examples, &coefficients).unwrap();
        let row = [0.8, 0.6];
        let (total, pulls) = score(&row, &examples, &coefficients, RecommendStrategy::Average);
        assert!((total - dot(&row, &target)).abs() < 1e-6);
        assert!((pulls.iter().map(|pull| pull.contribution).sum::<f64>() - total).abs() < 1e-12);
        assert!(pulls[2].contribution < 0.0);
    }

    #[test]
    fn an_avoided_example_that_is_nearer_makes_the_best_score_negative() {
        let examples = [example([1.0, 0.0], 1.0), example([0.0, 1.0], -1.0)];
        let coefficients = coefficients(&examples, RecommendStrategy::BestScore);
        let near =
            |row: [f32; 2]| score(&row, &examples, &coefficients, RecommendStrategy::BestScore).0;
        assert!(near([1.0, 0.0]) > 0.0);
        assert!(near([0.0, 1.0]) < 0.0);
    }

    #[test]
    fn examples_that_cancel_each_other_out_give_no_direction() {
        let examples = [example([1.0, 0.0], 1.0), example([-1.0, 0.0], 1.0)];
        let coefficients = coefficients(&examples, RecommendStrategy::Average);
        assert_eq!(direction(&examples, &coefficients), None);
    }
}
