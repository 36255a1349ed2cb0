//! How good a list of results is, by the judgement of people.
//!
//! Everything is computed as `trec_eval` does it, which is what BEIR reports (`ndcg_cut`, `map`,
//! `recip_rank`, `recall`): a row that nobody judged counts as no answer, a grade above 0 as an answer.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// The grades of one list of results, best result first, and of everything that was judged for its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graded {
    /// 0 where nobody judged.
    results: Vec<u32>,
    /// The best that could stand in a list, best first; without the grades of 0.
    ideal: Vec<u32>,
}

/// How good lists are on average; each figure is from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Metrics {
    /// Normalised discounted cumulative gain of the first `k` results.
    pub ndcg: f64,
    /// Mean average precision.
    pub map: f64,
    /// Mean reciprocal rank of the first answer.
    pub mrr: f64,
    /// Share of the answers among the first [`RECALL_DEPTH`] results.
    pub recall: f64,
}

/// How deep recall looks, as BEIR does.
pub const RECALL_DEPTH: usize = 100;

impl Graded {
    /// Looks up the grades of results. One that stands in the list twice counts where it stands first.
    pub fn new<Id: Hash + Eq>(
        results: impl IntoIterator<Item = Id>,
        judged: &HashMap<Id, u32>,
    ) -> Self {
        let mut seen = HashSet::new();
        let results = results.into_iter().filter_map(|id| {
            let grade = judged.get(&id).copied().unwrap_or(0);
            seen.insert(id).then_some(grade)
        });
        let results = results.collect();
        let mut ideal: Vec<u32> = judged.values().copied().filter(|grade| *grade > 0).collect();
        ideal.sort_unstable_by(|a, b| b.cmp(a));
        Self { results, ideal }
    }

    /// Normalised discounted cumulative gain of the first `k` results (Järvelin and Kekäläinen 2002):
    /// grades, discounted by the logarithm of their place, over those of the best possible list.
    ///
    /// From 0 to 1; 0 where nothing is an answer.
    pub fn ndcg(&self, k: usize) -> f64 {
        ratio(gain(&self.results, k), gain(&self.ideal, k))
    }

    /// The mean of the precision at each answer's place; answers that are not in the list count as 0.
    pub fn average_precision(&self) -> f64 {
        let mut answers = 0.0;
        let mut sum = 0.0;
        for (index, grade) in self.results.iter().enumerate() {
            if *grade > 0 {
                answers += 1.0;
                sum += answers / place(index);
            }
        }
        ratio(sum, count(self.ideal.len()))
    }

    /// One over the place of the first answer; 0 where none is in the list.
    pub fn reciprocal_rank(&self) -> f64 {
        self.results.iter().position(|grade| *grade > 0).map_or(0.0, |index| 1.0 / place(index))
    }

    /// Share of the answers among the first `k` results.
    pub fn recall(&self, k: usize) -> f64 {
        let found = self.results.iter().take(k).filter(|grade| **grade > 0).count();
        ratio(count(found), count(self.ideal.len()))
    }

    /// All of it, with the gain of the first `k` results.
    pub fn metrics(&self, k: usize) -> Metrics {
        Metrics {
            ndcg: self.ndcg(k),
            map: self.average_precision(),
            mrr: self.reciprocal_rank(),
            recall: self.recall(RECALL_DEPTH),
        }
    }
}

impl Metrics {
    /// The mean over queries, each of which counts the same; all 0 without queries.
    pub fn mean(of: &[Self]) -> Self {
        let mean = |figure: fn(&Self) -> f64| ratio(of.iter().map(figure).sum(), count(of.len()));
        Self {
            ndcg: mean(|metrics| metrics.ndcg),
            map: mean(|metrics| metrics.map),
            mrr: mean(|metrics| metrics.mrr),
            recall: mean(|metrics| metrics.recall),
        }
    }
}

fn gain(grades: &[u32], k: usize) -> f64 {
    let discounted =
        |(index, grade): (usize, &u32)| f64::from(*grade) / (place(index) + 1.0).log2();
    grades.iter().take(k).enumerate().map(discounted).sum()
}

/// The place, from 1, of what stands at an index.
fn place(index: usize) -> f64 {
    count(index + 1)
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graded(results: &[u32], judged: &[(u32, u32)]) -> Graded {
        Graded::new(results.iter().copied(), &judged.iter().copied().collect())
    }

    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 5e-4, "{value} is not {expected}");
    }

    #[test]
    fn gain_is_what_one_computes_by_hand() {
        // Grades 3 2 3 0 1 2 of a list that holds everything: the example of many a textbook.
        let judged = [(1, 3), (2, 2), (3, 3), (4, 0), (5, 1), (6, 2)];
        let list = graded(&[1, 2, 3, 4, 5, 6], &judged);
        assert_near(list.ndcg(6), 6.8611 / 7.1410);
        // At 2: 3 + 2 / log2(3) over 3 + 3 / log2(3).
        assert_near(list.ndcg(2), 4.2619 / 4.8928);
    }

    #[test]
    fn places_of_answers_are_what_one_computes_by_hand() {
        // Answers at places 2 and 4 of three: precision 1/2 and 2/4, and one is missed.
        let list = graded(&[9, 1, 8, 2], &[(1, 1), (2, 1), (3, 1), (9, 0)]);
        assert_near(list.average_precision(), (0.5 + 0.5) / 3.0);
        assert_near(list.reciprocal_rank(), 0.5);
        assert_near(list.recall(2), 1.0 / 3.0);
        assert_near(list.recall(100), 2.0 / 3.0);
        // 1 / log2(3) + 1 / log2(5) over 1 + 1 / log2(3) + 1 / 2.
        assert_near(list.ndcg(10), (0.6309 + 0.4307) / 2.1309);
    }

    #[test]
    fn the_ideal_is_cut_at_k_as_well() {
        let judged: Vec<(u32, u32)> = (0..20).map(|id| (id, 1)).collect();
        let list = graded(&(0..10).collect::<Vec<_>>(), &judged);
        assert_near(list.ndcg(10), 1.0);
        assert_near(list.recall(10), 0.5);
    }

    #[test]
    fn nothing_to_find_and_nothing_found_is_zero() {
        for list in [graded(&[], &[(1, 1)]), graded(&[1, 2], &[]), graded(&[1], &[(1, 0)])] {
            assert_eq!(list.metrics(10), Metrics::default());
        }
        assert_eq!(Metrics::mean(&[]), Metrics::default());
    }

    #[test]
    fn a_result_that_is_repeated_counts_once() {
        let judged = [(1, 1), (2, 1)];
        assert_eq!(graded(&[1, 1, 1, 2], &judged), graded(&[1, 2], &judged));
    }

    #[test]
    fn the_mean_counts_every_query_the_same() {
        let (all, none) = (graded(&[1], &[(1, 1)]), graded(&[], &[(1, 1), (2, 1)]));
        let mean = Metrics::mean(&[all.metrics(10), none.metrics(10)]);
        assert_eq!(mean, Metrics { ndcg: 0.5, map: 0.5, mrr: 0.5, recall: 0.5 });
    }

    /// A list of distinct results, and grades of some of them and of others.
    fn lists() -> impl Strategy<Value = (Vec<u32>, Vec<(u32, u32)>)> {
        let results = Just((0_u32..30).collect::<Vec<_>>()).prop_shuffle();
        let judged = proptest::collection::hash_map(0_u32..40, 0_u32..4, 1..20);
        (results, judged).prop_map(|(results, judged)| (results, judged.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn every_figure_is_a_share((results, judged) in lists(), k in 1_usize..40) {
            let Metrics { ndcg, map, mrr, recall } = graded(&results, &judged).metrics(k);
            for figure in [ndcg, map, mrr, recall] {
                prop_assert!((0.0..=1.0 + 1e-12).contains(&figure), "{figure}");
            }
        }

        #[test]
        fn the_ideal_order_is_perfect((_, judged) in lists(), k in 1_usize..40) {
            let mut best = judged.clone();
            best.sort_by_key(|(_, grade)| std::cmp::Reverse(*grade));
            let list = graded(&best.iter().map(|(id, _)| *id).collect::<Vec<_>>(), &judged);
            let perfect = if judged.iter().any(|(_, grade)| *grade > 0) { 1.0 } else { 0.0 };
            let Metrics { ndcg, map, mrr, recall } = list.metrics(k);
            for figure in [ndcg, map, mrr, recall] {
                prop_assert!((figure - perfect).abs() < 1e-9, "{figure}");
            }
        }

        #[test]
        fn a_better_row_further_up_never_harms((results, judged) in lists(), at in 0_usize..29, k in 1_usize..40) {
            let grades: HashMap<u32, u32> = judged.iter().copied().collect();
            let grade = |id: u32| grades.get(&id).copied().unwrap_or(0);
            let mut swapped = results.clone();
            swapped.swap(at, at + 1);
            let (mut worse, mut better) = (results, swapped);
            if grade(worse[at]) > grade(better[at]) {
                std::mem::swap(&mut worse, &mut better);
            }
            let (worse, better) = (graded(&worse, &judged), graded(&better, &judged));
            prop_assert!(better.ndcg(k) >= worse.ndcg(k) - 1e-12);
            prop_assert!(better.average_precision() >= worse.average_precision() - 1e-12);
            prop_assert!(better.reciprocal_rank() >= worse.reciprocal_rank());
        }

        #[test]
        fn more_depth_never_loses_an_answer((results, judged) in lists(), k in 1_usize..39) {
            let list = graded(&results, &judged);
            prop_assert!(list.recall(k + 1) >= list.recall(k));
        }
    }
}
