//! Several lists to one list. Pure functions: what goes in is all that decides what comes out.
//!
//! A new fusion is a file here, a variant of [`Fusion`] and an arm in [`fuse`]. What comes after the
//! fusion takes hits, best first, changes their scores, and writes into `why` what it changed:
//! [`group`], [`rerank`], [`boost`] and [`mmr`]; [`autocut`] only ends the list.

pub mod autocut;
pub mod boost;
pub mod correlation;
pub mod group;
pub mod metrics;
pub mod mmr;
#[cfg(test)]
mod properties;
mod reciprocal_rank;
pub mod recommend;
mod relative_score;
pub mod rerank;
pub mod toplist;
mod weighted;

use std::collections::HashMap;

use crate::model::NodeId;
use crate::model::hit::{Candidate, Fusion, Hit, Part, Why, best_first};

/// What one leg of a search found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leg {
    /// Its list, best first.
    pub found: Vec<Candidate>,
    /// Rows that its list does not reach, because another leg found them, with the score that the leg
    /// gives them.
    pub filled: Vec<Candidate>,
    /// What the leg gives to a row that it knows nothing of; `None` where it can compare any row.
    pub floor: Option<f64>,
}

impl Leg {
    /// A leg of vectors: it can compare any row.
    pub fn new(found: Vec<Candidate>) -> Self {
        Self { found, ..Self::default() }
    }

    /// A leg of words: a row that has none of them has the score 0.
    pub fn of_words(found: Vec<Candidate>) -> Self {
        Self { found, floor: Some(0.0), ..Self::default() }
    }

    /// Every row whose score is known.
    pub fn known(&self) -> impl Iterator<Item = &Candidate> {
        self.found.iter().chain(&self.filled)
    }

    fn scores(&self) -> impl Iterator<Item = f64> {
        self.known().map(|candidate| candidate.score)
    }
}

/// The share of the semantic leg, from 0 (text alone) to 1 (vectors alone).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SemanticRatio(pub f64);

/// Merges the two legs. Equal scores are ordered by id, which keeps pages stable.
pub fn fuse(semantic: &Leg, text: &Leg, fusion: Fusion, ratio: SemanticRatio) -> Vec<Hit> {
    let scores = match fusion {
        Fusion::ReciprocalRank => reciprocal_rank::scores,
        Fusion::Weighted => weighted::scores,
        Fusion::RelativeScore => relative_score::scores,
    };
    let mut hits: HashMap<NodeId, Hit> = HashMap::with_capacity(semantic.found.len());
    for (id, part) in parts(semantic, ratio.0, &scores(semantic)) {
        let hit = hits.entry(id).or_insert_with(|| unscored(id));
        hit.similarity = Some(part.value);
        hit.why.semantic = Some(part);
    }
    for (id, part) in parts(text, 1.0 - ratio.0, &scores(text)) {
        let hit = hits.entry(id).or_insert_with(|| unscored(id));
        hit.text_score = Some(part.value);
        hit.why.text = Some(part);
    }
    let mut hits: Vec<Hit> = hits.into_values().collect();
    rescore(&mut hits);
    hits
}

/// Takes the scores from the parts and orders by them, best first and by id where they are equal.
fn rescore(hits: &mut [Hit]) {
    for hit in hits.iter_mut() {
        hit.score = hit.why.total();
    }
    hits.sort_by(|a, b| best_first((a.score, a.id.id), (b.score, b.id.id)));
}

/// The best score of a list: what shares of a score are shares of, whatever the fusion's scale.
fn best_score(hits: &[Hit]) -> f64 {
    let best = hits.iter().map(|hit| hit.score).fold(0.0, f64::max);
    if best > 0.0 { best } else { 1.0 }
}

fn unscored(id: NodeId) -> Hit {
    Hit {
        id,
        score: 0.0,
        similarity: None,
        text_score: None,
        highlights: Vec::new(),
        why: Why::default(),
        group_size: None,
    }
}

/// The parts of a leg, in the order of [`Leg::known`], which is that of the scores.
fn parts(leg: &Leg, weight: f64, scores: &[f64]) -> Vec<(NodeId, Part)> {
    let ranks = (1..=leg.found.len()).map(Some).chain(std::iter::repeat(None));
    leg.known()
        .zip(scores)
        .zip(ranks)
        .map(|((candidate, score), rank)| {
            let contribution = weight * score;
            (candidate.id, Part { rank, weight, value: candidate.score, contribution })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::Kind;

    fn candidates(scores: &[(u128, f64)]) -> Vec<Candidate> {
        let id = |id| NodeId { kind: Kind::Song, id: Uuid::from_u128(id) };
        scores.iter().map(|(n, score)| Candidate { id: id(*n), score: *score }).collect()
    }

    fn leg(scores: &[(u128, f64)]) -> Leg {
        Leg::new(candidates(scores))
    }

    fn order(hits: &[Hit]) -> Vec<u128> {
        hits.iter().map(|hit| hit.id.id.as_u128()).collect()
    }

    #[test]
    fn a_row_that_both_legs_know_comes_first() {
        let hits = fuse(
            &leg(&[(1, 0.9), (2, 0.8)]),
            &leg(&[(2, 9.0), (3, 8.0)]),
            Fusion::ReciprocalRank,
            SemanticRatio(0.5),
        );
        assert_eq!(order(&hits)[0], 2);
    }

    #[test]
    fn rows_with_equal_scores_are_ordered_by_id() {
        let hits =
            fuse(&leg(&[(9, 0.5)]), &leg(&[(3, 7.0)]), Fusion::ReciprocalRank, SemanticRatio(0.5));
        assert_eq!(order(&hits), [3, 9]);
    }

    #[test]
    fn seven_tenths_of_meaning_and_three_of_words_are_what_they_say() {
        let (semantic, text) = (leg(&[(1, 0.8), (2, 0.4)]), leg(&[(2, 10.0), (1, 5.0)]));
        let hits = fuse(&semantic, &text, Fusion::Weighted, SemanticRatio(0.7));
        assert_eq!(order(&hits), [1, 2]);
        assert!((hits[0].score - (0.7 + 0.3 * 0.5)).abs() < 1e-12);
        assert!((hits[1].score - (0.7 * 0.5 + 0.3)).abs() < 1e-12);
    }

    #[test]
    fn a_score_that_a_leg_gives_beyond_its_list_counts_by_score_and_not_by_place() {
        let semantic = Leg { filled: candidates(&[(3, 0.6)]), ..leg(&[(1, 0.8), (2, 0.7)]) };
        let text = leg(&[(3, 10.0), (1, 9.0)]);
        let by_score = fuse(&semantic, &text, Fusion::Weighted, SemanticRatio(0.5));
        let third = by_score.iter().find(|hit| hit.id.id.as_u128() == 3).unwrap();
        let part = third.why.semantic.unwrap();
        assert_eq!((part.rank, third.similarity), (None, Some(0.6)));
        assert!((part.contribution - 0.375).abs() < 1e-12);
        let by_place = fuse(&semantic, &text, Fusion::ReciprocalRank, SemanticRatio(0.5));
        let third = by_place.iter().find(|hit| hit.id.id.as_u128() == 3).unwrap();
        assert_eq!(third.why.semantic.unwrap().contribution.to_bits(), 0.0_f64.to_bits());
    }
}
