//! Several lists to one list. Pure functions: what goes in is all that decides what comes out.
//!
//! A new fusion is a file here, a variant of [`Fusion`] and an arm in [`fuse`].

pub mod correlation;
pub mod mmr;
mod reciprocal_rank;
pub mod recommend;
mod relative_score;
pub mod toplist;
mod weighted;

use std::collections::HashMap;

use crate::model::NodeId;
use crate::model::hit::{Candidate, Fusion, Part, best_first};

/// A row in the merged list, with what each leg gave to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fused {
    pub id: NodeId,
    pub score: f64,
    pub semantic: Option<Part>,
    pub text: Option<Part>,
}

/// The share of the semantic leg, from 0 (text alone) to 1 (vectors alone).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SemanticRatio(pub f64);

/// Merges the two legs, each best first. Equal scores are ordered by id, which keeps pages stable.
pub fn fuse(
    semantic: &[Candidate],
    text: &[Candidate],
    fusion: Fusion,
    ratio: SemanticRatio,
) -> Vec<Fused> {
    let score = match fusion {
        Fusion::ReciprocalRank => reciprocal_rank::scores,
        Fusion::Weighted => weighted::scores,
        Fusion::RelativeScore => relative_score::scores,
    };
    let mut rows: HashMap<NodeId, Fused> = HashMap::new();
    let semantic_parts = parts(semantic, ratio.0, &score(semantic));
    let text_parts = parts(text, 1.0 - ratio.0, &score(text));
    for (id, part) in semantic_parts {
        row(&mut rows, id).semantic = Some(part);
    }
    for (id, part) in text_parts {
        row(&mut rows, id).text = Some(part);
    }
    let mut fused: Vec<Fused> = rows.into_values().map(summed).collect();
    fused.sort_by(|a, b| best_first((a.score, a.id.id), (b.score, b.id.id)));
    fused
}

fn row(rows: &mut HashMap<NodeId, Fused>, id: NodeId) -> &mut Fused {
    rows.entry(id).or_insert(Fused { id, score: 0.0, semantic: None, text: None })
}

fn summed(mut row: Fused) -> Fused {
    let contribution = |part: Option<Part>| part.map_or(0.0, |part| part.contribution);
    row.score = contribution(row.semantic) + contribution(row.text);
    row
}

fn parts(leg: &[Candidate], weight: f64, scores: &[f64]) -> Vec<(NodeId, Part)> {
    leg.iter()
        .zip(scores)
        .enumerate()
        .map(|(index, (candidate, score))| {
            let contribution = weight * score;
            (candidate.id, Part { rank: index + 1, weight, value: candidate.score, contribution })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::Kind;

    fn leg(scores: &[(u128, f64)]) -> Vec<Candidate> {
        let id = |id| NodeId { kind: Kind::Song, id: Uuid::from_u128(id) };
        scores.iter().map(|(n, score)| Candidate { id: id(*n), score: *score }).collect()
    }

    #[test]
    fn the_parts_add_up_to_the_score_in_every_fusion() {
        let semantic = leg(&[(1, 0.9), (2, 0.5), (3, 0.1)]);
        let text = leg(&[(2, 12.0), (4, 3.0)]);
        for fusion in [Fusion::ReciprocalRank, Fusion::Weighted, Fusion::RelativeScore] {
            let rows = fuse(&semantic, &text, fusion, SemanticRatio(0.5));
            assert_eq!(rows.len(), 4);
            for row in &rows {
                let sum = row.semantic.map_or(0.0, |part| part.contribution)
                    + row.text.map_or(0.0, |part| part.contribution);
                assert!((sum - row.score).abs() < 1e-12);
            }
            assert!(rows.is_sorted_by(|a, b| a.score >= b.score));
        }
    }

    #[test]
    fn a_row_that_both_legs_know_comes_first() {
        let rows = fuse(
            &leg(&[(1, 0.9), (2, 0.8)]),
            &leg(&[(2, 9.0), (3, 8.0)]),
            Fusion::ReciprocalRank,
            SemanticRatio(0.5),
        );
        assert_eq!(rows[0].id.id, Uuid::from_u128(2));
    }

    #[test]
    fn rows_with_equal_scores_are_ordered_by_id() {
        let rows =
            fuse(&leg(&[(9, 0.5)]), &leg(&[(3, 7.0)]), Fusion::ReciprocalRank, SemanticRatio(0.5));
        assert_eq!(rows[0].id.id, Uuid::from_u128(3));
    }
}
