//! Judgements, and how good searches are by them.

use async_graphql::{Enum, ID, SimpleObject};
use chrono::{DateTime, Utc};

use super::hit::Fusion;
use super::page_info::PageInfo;
use crate::model::judgment;
use crate::service::eval;

/// How well a row answers a query, as an administrator judged it.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Judgment {
    /// The query.
    query: String,
    /// Id of the row.
    id: ID,
    /// From 0 (no answer) to 10.
    grade: i32,
    /// When it was judged last.
    judged_at: DateTime<Utc>,
}

impl From<judgment::Judgment> for Judgment {
    fn from(judgment: judgment::Judgment) -> Self {
        let judgment::Judgment { query, id, grade, judged_at } = judgment;
        Self { query, id: id.into(), grade, judged_at }
    }
}

/// A page of judgements.
#[derive(SimpleObject)]
pub(in crate::graphql) struct JudgmentConnection {
    /// The judgements, latest first.
    nodes: Vec<Judgment>,
    /// Where the page stands in the list.
    page_info: PageInfo,
}

impl From<eval::JudgmentPage> for JudgmentConnection {
    fn from(page: eval::JudgmentPage) -> Self {
        Self {
            page_info: PageInfo::new(page.has_next_page, page.has_previous_page, &page.cursors),
            nodes: page.judgments.into_iter().map(Into::into).collect(),
        }
    }
}

/// How a search finds rows.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum SearchMode {
    /// By words alone.
    Text,
    /// By meaning alone.
    Vectors,
    /// By both.
    Hybrid,
}

/// How good the searches of every mode are, by what was judged.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Evaluation {
    /// Name of the space that was searched.
    space: String,
    /// How many results `ndcg` looks at.
    k: i32,
    /// Queries that were run.
    queries: i32,
    /// Judgements of these queries.
    judgments: i32,
    /// One result for each way to search.
    modes: Vec<EvaluatedMode>,
}

/// How good the searches of one mode are: means over the queries, each from 0 to 1. A row that nobody
/// judged counts as no answer, a grade above 0 as an answer.
#[derive(SimpleObject)]
pub(in crate::graphql) struct EvaluatedMode {
    /// How the rows are found.
    mode: SearchMode,
    /// How the two lists become one; only of `HYBRID`.
    fusion: Option<Fusion>,
    /// Share of meaning, from 0 to 1.
    semantic_ratio: f64,
    /// Whether `hybridSearch` answers so where a request says nothing else.
    is_default: bool,
    /// Normalised discounted cumulative gain of the first `k` results.
    ndcg: f64,
    /// Mean average precision of the first 100 results.
    map: f64,
    /// Mean reciprocal rank of the first answer.
    mrr: f64,
    /// Share of the answers among the first 100 results.
    recall: f64,
}

impl From<eval::Evaluation> for Evaluation {
    fn from(evaluation: eval::Evaluation) -> Self {
        let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            space: evaluation.space,
            k: count(evaluation.k),
            queries: count(evaluation.queries),
            judgments: count(evaluation.judgments),
            modes: evaluation.modes.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<eval::Evaluated> for EvaluatedMode {
    fn from(evaluated: eval::Evaluated) -> Self {
        let mode = match evaluated.mode {
            eval::Mode::Text => SearchMode::Text,
            eval::Mode::Vectors => SearchMode::Vectors,
            eval::Mode::Hybrid(_) => SearchMode::Hybrid,
        };
        Self {
            mode,
            fusion: evaluated.mode.fusion().map(Into::into),
            semantic_ratio: evaluated.semantic_ratio,
            is_default: evaluated.is_default,
            ndcg: evaluated.metrics.ndcg,
            map: evaluated.metrics.map,
            mrr: evaluated.metrics.mrr,
            recall: evaluated.metrics.recall,
        }
    }
}
