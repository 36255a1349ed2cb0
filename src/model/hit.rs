//! What a search found, and why.

use std::collections::HashMap;

use uuid::Uuid;

use super::boost::BoostField;
use super::{Content, NodeId};

/// One result, best first in its list.
#[derive(Debug, Clone)]
pub struct Hit {
    pub id: NodeId,
    /// What the list is ordered by; the parts of `why` add up to it.
    pub score: f64,
    /// Cosine similarity, from -1 to 1, where a vector was compared.
    pub similarity: Option<f64>,
    /// Score of the full-text leg, from 0 up, where it found the row.
    pub text_score: Option<f64>,
    pub highlights: Vec<String>,
    pub why: Why,
    /// How many ranked rows it stands for, itself included, where rows are grouped by document.
    pub group_size: Option<usize>,
}

/// The parts of a score.
#[derive(Debug, Clone, Default)]
pub struct Why {
    pub semantic: Option<Part>,
    pub text: Option<Part>,
    pub examples: Vec<ExamplePull>,
    /// What a cross-encoder changed.
    pub rerank: Option<RerankPart>,
    /// One for each boost that was asked for, in that order.
    pub boosts: Vec<BoostPart>,
    /// What diversity took away because a better hit is alike; 0 or less.
    pub diversity: Option<f64>,
}

impl Why {
    /// The sum of the parts, which is the score.
    pub fn total(&self) -> f64 {
        let leg = |part: Option<Part>| part.map_or(0.0, |part| part.contribution);
        let examples: f64 = self.examples.iter().map(|pull| pull.contribution).sum();
        let rerank = self.rerank.map_or(0.0, |part| part.contribution);
        let boosts: f64 = self.boosts.iter().map(|part| part.contribution).sum();
        leg(self.semantic)
            + leg(self.text)
            + examples
            + rerank
            + boosts
            + self.diversity.unwrap_or(0.0)
    }
}

/// What one leg of a search gave to a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Place in the leg's own list, from 1; `None` for a row that the list does not reach, but whose
    /// score is known.
    pub rank: Option<usize>,
    /// Share of the leg in the fusion, from 0 to 1.
    pub weight: f64,
    /// The leg's own score.
    pub value: f64,
    /// What the leg added to the score.
    pub contribution: f64,
}

/// What a cross-encoder changed of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RerankPart {
    /// Place by the cross-encoder, from 1.
    pub rank: usize,
    /// What the cross-encoder says, from 0 (no answer) to 1.
    pub value: f64,
    /// What it added to the score, or took away.
    pub contribution: f64,
}

/// What one boost gave to a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoostPart {
    pub field: BoostField,
    /// As the request gave it.
    pub weight: f64,
    /// How much of the boost the row gets, from 0 to 1; `None` where the row has no such field.
    pub value: Option<f64>,
    /// What the boost added to the score.
    pub contribution: f64,
}

/// What one example of a recommendation gave to a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExamplePull {
    /// `None` is the query text.
    pub id: Option<NodeId>,
    /// Positive for liked examples, negative for avoided ones.
    pub weight: f64,
    /// Cosine similarity of the hit and the example.
    pub similarity: f64,
    /// What the example added to the score.
    pub contribution: f64,
}

/// How the vectors were searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchStrategy {
    /// Every visible matching vector was compared.
    Exact,
    /// The HNSW index proposed candidates, which were compared in full precision.
    Hnsw,
    /// Full text alone answered.
    FullText,
    /// Nothing is known of the person yet: popular and new content.
    ColdStart,
}

/// How a search was answered.
#[derive(Debug, Clone)]
pub struct SearchInfo {
    /// Name of the space whose vectors were compared.
    pub space: Option<String>,
    pub strategy: SearchStrategy,
    /// Whether every matching row was considered.
    pub complete: bool,
    /// Whether a leg of the search was left out because its service is down, or another model stood in.
    pub degraded: bool,
    pub took_ms: f64,
}

/// One page of hits.
#[derive(Debug, Clone)]
pub struct HitPage {
    pub hits: Vec<Hit>,
    /// Rows of the hits, as far as they were read on the way.
    pub contents: HashMap<NodeId, Content>,
    pub cursors: Vec<String>,
    pub has_next_page: bool,
    pub has_previous_page: bool,
    /// The results of all pages, where the list was ranked as a whole and can be counted.
    pub ranked: Option<Vec<NodeId>>,
    pub info: SearchInfo,
}

/// A vector's place in a list of candidates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    pub id: NodeId,
    pub score: f64,
}

/// An example that steers a recommendation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Example {
    pub id: NodeId,
    /// Above 0; 1 is an ordinary example.
    pub weight: f64,
}

/// How several examples become one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecommendStrategy {
    Average,
    BestScore,
    Sum,
}

/// How the lists of the legs become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fusion {
    ReciprocalRank,
    Weighted,
    RelativeScore,
}

impl Fusion {
    pub const ALL: [Self; 3] = [Self::ReciprocalRank, Self::Weighted, Self::RelativeScore];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReciprocalRank => "reciprocal_rank",
            Self::Weighted => "weighted",
            Self::RelativeScore => "relative_score",
        }
    }
}

/// Orders by score, best first, and by id where scores are equal.
pub fn best_first(a: (f64, Uuid), b: (f64, Uuid)) -> std::cmp::Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// `(1 - distance / 2) * 100`, to one decimal, never negative.
pub fn similarity_percent(similarity: f64) -> f64 {
    let percent = (1.0 - (1.0 - similarity) / 2.0) * 100.0;
    ((percent * 10.0).round() / 10.0).clamp(0.0, 100.0)
}
