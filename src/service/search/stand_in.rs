//! Searches that the bundled model may answer instead of the usual one.

use super::{HybridInput, RecommendInput};
use crate::model::Viewer;
use crate::model::hit::HitPage;
use crate::service::tiers::Tier;
use crate::service::{Error, Result, Services};

impl Services {
    /// Rows that suit what was asked for, best first.
    pub async fn recommend(&self, viewer: Viewer, input: &RecommendInput) -> Result<HitPage> {
        self.with_fresh_spaces(|| self.recommend_once(viewer, input)).await
    }

    async fn recommend_once(&self, viewer: Viewer, input: &RecommendInput) -> Result<HitPage> {
        let answer = self.recommend_by(viewer, input, Tier::Usual).await;
        let Err(error) = &answer else { return answer };
        let space = input.space.as_deref();
        if calls_for_stand_in(error) && self.has_stand_in(input.kind, space).await? {
            log(error);
            return self
                .with_fresh_spaces(|| self.recommend_by(viewer, input, Tier::StandIn))
                .await;
        }
        answer
    }

    /// Rows found by full text and by meaning, merged, best first.
    pub async fn hybrid_search(&self, viewer: Viewer, input: &HybridInput) -> Result<HitPage> {
        self.with_fresh_spaces(|| self.hybrid_search_once(viewer, input)).await
    }

    async fn hybrid_search_once(&self, viewer: Viewer, input: &HybridInput) -> Result<HitPage> {
        let answer = self.hybrid_search_by(viewer, input, Tier::Usual).await;
        let Err(error) = &answer else { return answer };
        if calls_for_stand_in(error) && self.can_stand_in(input).await? {
            log(error);
            return self
                .with_fresh_spaces(|| self.hybrid_search_by(viewer, input, Tier::StandIn))
                .await;
        }
        answer
    }

    /// Whether the bundled model can answer for the kinds instead of the one that answers usually.
    pub(super) async fn can_stand_in(&self, input: &HybridInput) -> Result<bool> {
        match input.kinds.first() {
            Some(kind) => self.has_stand_in(*kind, input.space.as_deref()).await,
            None => Ok(false),
        }
    }
}

/// Whether the usual model is away, or the page before was not of its space.
fn calls_for_stand_in(error: &Error) -> bool {
    matches!(error, Error::Embedder(_) | Error::ForeignCursor)
}

fn log(error: &Error) {
    if let Error::Embedder(source) = error {
        let error = source as &dyn std::error::Error;
        tracing::warn!(error, "Searching by the bundled model: the usual one is away");
    }
}
