//! What holds for every list, whatever went into it.

use std::collections::{HashMap, HashSet};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use super::{Leg, SemanticRatio, autocut, boost, fuse, group, mmr, rerank};
use crate::model::boost::{Boost, BoostScale};
use crate::model::filter::{NumberField, TimeField};
use crate::model::hit::{Candidate, Fusion, Hit};
use crate::model::{Kind, NodeId};

/// Everything that decides about a list.
#[derive(Debug, Clone)]
struct Request {
    semantic: Leg,
    text: Leg,
    fusion: Fusion,
    ratio: f64,
    groups: Option<u128>,
    answers: Vec<f64>,
    boosts: Vec<(Boost, Vec<Option<f64>>)>,
    autocut: Option<usize>,
    diversity: f64,
}

fn leg(low: f64, high: f64) -> impl Strategy<Value = Leg> {
    vec((0..40_u128, low..high), 0..40).prop_flat_map(move |mut rows| {
        let mut seen = HashSet::new();
        rows.retain(|(id, _)| seen.insert(*id));
        rows.sort_by(|a, b| b.1.total_cmp(&a.1));
        let id = |id| NodeId { kind: Kind::Chunk, id: Uuid::from_u128(id) };
        let all: Vec<Candidate> =
            rows.into_iter().map(|(n, score)| Candidate { id: id(n), score }).collect();
        (0..=all.len()).prop_map(move |split| Leg {
            found: all[..split].to_vec(),
            filled: all[split..].to_vec(),
            floor: (low.abs() < f64::EPSILON).then_some(0.0),
        })
    })
}

fn any_boost() -> impl Strategy<Value = (Boost, Vec<Option<f64>>)> {
    let weight = -1.0..1.0;
    let one =
        (any::<bool>(), weight, 0.1..1_000.0).prop_map(|(is_recency, weight, half_life_days)| {
            if is_recency {
                Boost::Recency { field: TimeField::CreatedAt, half_life_days, weight }
            } else {
                Boost::Number { field: NumberField::Popularity, scale: BoostScale::Log, weight }
            }
        });
    (one, vec(option::of(-10.0..10_000.0), 80))
}

fn request() -> impl Strategy<Value = Request> {
    let order = (leg(-1.0, 1.0), leg(0.0, 60.0), 0..3_usize, 0.0..=1.0);
    let rest = (
        option::of(1..8_u128),
        vec(-8.0..8.0, 0..30),
        vec(any_boost(), 0..5),
        option::of(1..4_usize),
        prop_oneof![Just(0.0), 0.0..=1.0],
    );
    (order, rest).prop_map(
        |((semantic, text, fusion, ratio), (groups, answers, boosts, autocut, diversity))| {
            Request {
                semantic,
                text,
                fusion: Fusion::ALL[fusion],
                ratio,
                groups,
                answers,
                boosts,
                autocut,
                diversity,
            }
        },
    )
}

fn vector(hit: &Hit) -> (Uuid, Vec<f32>) {
    let angle = f32::from(u8::try_from(hit.id.id.as_u128() % 64).unwrap_or(0));
    (hit.id.id, vec![angle.cos(), angle.sin()])
}

/// The list as a search makes it, in the same order of steps.
fn ranked(request: &Request) -> Vec<Hit> {
    let ratio = SemanticRatio(request.ratio);
    let mut hits = fuse(&request.semantic, &request.text, request.fusion, ratio);
    if let Some(groups) = request.groups {
        hits = group::best_of_each(hits, |hit| Uuid::from_u128(hit.id.id.as_u128() % groups));
    }
    if !request.answers.is_empty() {
        rerank::apply(&mut hits, &request.answers);
    }
    let (boosts, raw): (Vec<Boost>, Vec<_>) = request.boosts.iter().cloned().unzip();
    boost::apply(&mut hits, &boosts, &raw);
    if let Some(drops) = request.autocut {
        let scores: Vec<f64> = hits.iter().map(|hit| hit.score).collect();
        hits.truncate(autocut::kept(&scores, drops));
    }
    if request.diversity > 0.0 {
        let vectors: HashMap<_, _> = hits.iter().map(vector).collect();
        hits = mmr::apply(&hits, &vectors, request.diversity, 100);
    }
    hits
}

proptest! {
    #[test]
    fn the_parts_add_up_to_the_score_exactly(request in request()) {
        for hit in ranked(&request) {
            prop_assert!(hit.score.is_finite());
            prop_assert_eq!(hit.score.to_bits(), hit.why.total().to_bits());
        }
    }

    #[test]
    fn a_list_is_ordered_and_holds_each_row_once(request in request()) {
        let hits = ranked(&request);
        let ids: HashSet<_> = hits.iter().map(|hit| hit.id).collect();
        prop_assert_eq!(ids.len(), hits.len());
        for pair in hits.windows(2) {
            prop_assert!(pair[0].score >= pair[1].score - 1e-9);
        }
    }

    #[test]
    fn nothing_is_lost_that_was_not_cut(mut request in request()) {
        request.autocut = None;
        request.groups = None;
        let known = request.semantic.known().chain(request.text.known());
        let known: HashSet<_> = known.map(|candidate| candidate.id).collect();
        prop_assert_eq!(ranked(&request).len(), known.len());
    }

    #[test]
    fn groups_stand_for_every_row(mut request in request()) {
        request.autocut = None;
        request.groups = Some(3);
        let known = request.semantic.known().chain(request.text.known());
        let known: HashSet<_> = known.map(|candidate| candidate.id).collect();
        let sizes: usize = ranked(&request).iter().filter_map(|hit| hit.group_size).sum();
        prop_assert_eq!(sizes, known.len());
    }

    #[test]
    fn a_larger_share_of_a_leg_never_takes_from_its_best_row(
        semantic in leg(0.1, 1.0), text in leg(0.1, 60.0), ratio in 0.0..0.9
    ) {
        let Some(best) = semantic.found.first().map(|best| best.id) else { return Ok(()) };
        let contribution = |ratio| {
            let hits = fuse(&semantic, &text, Fusion::Weighted, SemanticRatio(ratio));
            let hit = hits.into_iter().find(|hit| hit.id == best);
            hit.and_then(|hit| hit.why.semantic).map_or(0.0, |part| part.contribution)
        };
        prop_assert!(contribution(ratio + 0.1) >= contribution(ratio));
    }
}
