//! What a cross-encoder says of the best rows, as a part of their scores.

use super::rescore;
use crate::model::hit::{Hit, RerankPart, best_first};

/// Lets the first hits change places among themselves: their scores become what a cross-encoder says of
/// them, from 0 to 1, above the best score of the hits behind them. `answers` belong to the first hits,
/// in order; each is any number, the higher the better.
pub fn apply(hits: &mut [Hit], answers: &[f64]) {
    let count = answers.len().min(hits.len());
    let (read, rest) = hits.split_at_mut(count);
    let floor = rest.first().map_or(0.0, |hit| hit.score.max(0.0));
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|a, b| best_first((answers[*a], read[*a].id.id), (answers[*b], read[*b].id.id)));
    for (place, index) in order.into_iter().enumerate() {
        let value = sigmoid(answers[index]);
        let hit = &mut read[index];
        let contribution = floor + value - hit.score;
        hit.why.rerank = Some(RerankPart { rank: place + 1, value, contribution });
    }
    rescore(hits);
}

/// The logistic function: a cross-encoder's number as a share.
fn sigmoid(number: f64) -> f64 {
    1.0 / (1.0 + (-number).exp())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::hit::{Candidate, Fusion};
    use crate::model::{Kind, NodeId};
    use crate::rank::{Leg, SemanticRatio, fuse};

    #[test]
    fn what_was_read_changes_places_and_what_was_not_stays_behind() {
        let candidate = |id, score| Candidate {
            id: NodeId { kind: Kind::Song, id: Uuid::from_u128(id) },
            score,
        };
        let text = Leg::of_words(vec![candidate(1, 9.0), candidate(2, 8.0), candidate(3, 7.0)]);
        let mut hits = fuse(&Leg::default(), &text, Fusion::Weighted, SemanticRatio(0.0));
        apply(&mut hits, &[-4.0, 6.0]);
        let order: Vec<u128> = hits.iter().map(|hit| hit.id.id.as_u128()).collect();
        assert_eq!(order, [2, 1, 3]);
        assert_eq!(hits[0].why.rerank.map(|part| part.rank), Some(1));
        assert_eq!(hits[2].why.rerank, None);
        for hit in &hits {
            assert!((hit.why.total() - hit.score).abs() < 1e-12);
        }
    }
}
