//! The best results, read by a cross-encoder.

use uuid::Uuid;

use super::Plan;
use crate::model::Hit;
use crate::rank::rerank;
use crate::service::{Result, Services};
use crate::store::facts;

/// Characters of a text that a cross-encoder gets: what it reads is shorter, a few hundred words.
const TEXT_CHARS: i32 = 4_000;

/// Whether every hit that should have been read was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reranked {
    Yes,
    /// The model is away, and the hits have the order they had.
    Away,
}

impl Services {
    /// Lets the cross-encoder order the first hits, where the request asks for it.
    pub(super) async fn reranked(&self, plan: &Plan<'_>, hits: &mut [Hit]) -> Result<Reranked> {
        let (Some(top), Some(reranker)) = (plan.input.rerank, self.embedders.reranker()) else {
            return Ok(Reranked::Yes);
        };
        let top = usize::try_from(top).unwrap_or(0).min(hits.len());
        let ids: Vec<Uuid> = hits[..top].iter().map(|hit| hit.id.id).collect();
        let mut texts = facts::texts(&self.db, plan.scope, &ids, TEXT_CHARS).await?;
        let texts = ids.iter().map(|id| texts.remove(id).unwrap_or_default()).collect();
        match reranker.scores(plan.query.wanted().trim(), texts).await {
            Ok(answers) => {
                rerank::apply(hits, &answers);
                Ok(Reranked::Yes)
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "Leaving results in their order: the cross-encoder is away"
                );
                Ok(Reranked::Away)
            }
        }
    }
}
