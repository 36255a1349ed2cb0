//! What holds for every list of scored results.

use serde_json::Value;

/// Everything that says how a result got its place.
pub(crate) const EDGES: &str = "edges { cursor node { id title } score similarity distance
    similarityPercent textScore highlights why {
        semantic { rank weight value contribution } text { rank weight value contribution }
        examples { id weight similarity contribution } rerank { rank value contribution }
        boosts { time number weight value contribution } diversity } }";

/// Asserts that parts add up to scores, and that the list is ordered by them if `is_ordered`.
#[track_caller]
pub(crate) fn assert_scores_hold(edges: &[Value], is_ordered: bool) {
    let mut last = f64::INFINITY;
    for edge in edges {
        let score = edge["score"].as_f64().unwrap();
        let why = &edge["why"];
        let examples = why["examples"].as_array().unwrap().iter();
        let boosts = why["boosts"].as_array().unwrap().iter();
        let sum = part(&why["semantic"])
            + part(&why["text"])
            + examples.map(part).sum::<f64>()
            + part(&why["rerank"])
            + boosts.map(part).sum::<f64>()
            + why["diversity"].as_f64().unwrap_or(0.0);
        assert!((sum - score).abs() < 1e-9, "{sum} is not the score of {edge:#}");
        if is_ordered {
            assert!(score <= last, "{score} stands after {last}");
        }
        last = score;
    }
}

fn part(part: &Value) -> f64 {
    part["contribution"].as_f64().unwrap_or(0.0)
}
