//! Words and meaning in one list.
//!
//! Both legs propose a pool of rows (`legs`), which is ranked as a whole: fused, narrowed by
//! `minSimilarity`, grouped, re-ranked (`rerank`), boosted, cut and diversified (`order`). A page is cut out of that list,
//! and what only the page shows is read last (`shown`).

mod check;
mod legs;
mod order;
mod ranking;
mod rerank;
mod shown;

use std::time::Instant;

use super::{Paging, pool};
use crate::model::boost::Boost;
use crate::model::cursor::fingerprint;
use crate::model::hit::{Fusion, HitPage, SearchInfo};
use crate::model::text_query::TextQuery;
use crate::model::{Filter, Kind, NodeId, Scope, Space, Viewer, limits};
use crate::service::page::Page;
use crate::service::tiers::Tier;
use crate::service::{Error, Result, Services};
pub(in crate::service) use ranking::ranking_of;

/// A request for rows by words and meaning.
#[derive(Debug, Clone)]
pub struct HybridInput {
    pub query: String,
    pub kinds: Vec<Kind>,
    pub filter: Filter,
    pub semantic_ratio: Option<f64>,
    pub fusion: Option<Fusion>,
    /// One result for each document.
    pub group_by_document: bool,
    pub min_similarity: Option<f64>,
    /// How many large drops in score the list may have before it ends.
    pub autocut: Option<i32>,
    /// How many of the best results a cross-encoder reads and orders anew.
    pub rerank: Option<i32>,
    pub boosts: Vec<Boost>,
    /// From 0 (best first) to 1 (as different from each other as can be).
    pub diversity: f64,
    pub paging: Paging,
    pub space: Option<String>,
    pub highlights: Highlights,
}

/// Whether extracts of the texts are wanted: making them takes longer than finding the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Highlights {
    Wanted,
    Unwanted,
}

/// Everything about a request that has been checked and looked up.
struct Plan<'a> {
    input: &'a HybridInput,
    scope: Scope,
    space: Space,
    tier: Tier,
    query: TextQuery,
    ratio: f64,
    fusion: Fusion,
    page: Page,
}

impl Services {
    /// Rows found by full text and by meaning, merged, best first, by the space of a tier.
    pub(super) async fn hybrid_search_by(
        &self,
        viewer: Viewer,
        input: &HybridInput,
        tier: Tier,
    ) -> Result<HitPage> {
        let started = Instant::now();
        let plan = self.hybrid_plan(viewer, input, tier).await?;
        let (legs, hits) = self.ranked_pool(&plan).await?;
        let ranked: Vec<NodeId> = hits.iter().map(|hit| hit.id).collect();
        let (hits, order) = self.diversified(&plan, hits).await?;
        let info = SearchInfo {
            space: legs.vector.is_some().then(|| plan.space.name.clone()),
            strategy: legs.strategy,
            complete: legs.is_complete,
            degraded: legs.is_degraded,
            took_ms: 0.0,
        };
        let mut page = plan.page.cut(hits, order, info);
        page.ranked = Some(ranked);
        self.show(&plan, &legs.terms, &mut page).await?;
        page.info.took_ms = started.elapsed().as_secs_f64() * 1_000.0;
        Ok(page)
    }

    async fn hybrid_plan<'a>(
        &self,
        viewer: Viewer,
        input: &'a HybridInput,
        tier: Tier,
    ) -> Result<Plan<'a>> {
        let scope = self.reading(viewer)?;
        let query = check::checked(input)?;
        let space = self.common_space(input, tier).await?;
        let ranking = ranking_of(&space);
        let ratio = input.semantic_ratio.unwrap_or(ranking.ratio);
        let fusion = input.fusion.unwrap_or(ranking.fusion);
        check::has_leg_for_similarity(input, ratio)?;
        check::has_reranker(input, self.embedders.reranker().is_some())?;
        // Neither the page nor what is shown of it changes the list.
        let arguments = HybridInput {
            paging: Paging::default(),
            highlights: Highlights::Unwanted,
            ..input.clone()
        };
        let arguments = format!("{viewer:?}{fusion:?}{ratio}{arguments:?}");
        let print = fingerprint(&["hybrid", &space.id.to_string(), &arguments]);
        let first = input.paging.first.unwrap_or(10);
        // The list is fused from a pool, so pages of one query must agree on its size.
        let print = print ^ u64::try_from(pool(usize::try_from(first).unwrap_or(0))).unwrap_or(0);
        let page = Page::new(first, limits::SEARCH_FIRST, input.paging.after.as_deref(), print)?;
        Ok(Plan { input, scope, space, tier, query, ratio, fusion, page })
    }

    /// The one space that answers for every kind that is searched.
    async fn common_space(&self, input: &HybridInput, tier: Tier) -> Result<Space> {
        let mut common: Option<Space> = None;
        let mut answering: Option<Space> = None;
        for kind in &input.kinds {
            let space = self.space_for(*kind, input.space.as_deref()).await?;
            match &common {
                Some(common) if *common != space => {
                    let problem = "are in different spaces, whose scores cannot be compared; search them one by one";
                    return Err(Error::invalid("kinds", problem));
                }
                Some(_) | None => {
                    // One kind that waits for its vectors takes the others along.
                    let by = self.answering_space(*kind, input.space.as_deref(), tier).await?;
                    if by != space {
                        answering = Some(by);
                    }
                    common = Some(space);
                }
            }
        }
        answering
            .or(common)
            .ok_or_else(|| Error::invalid("kinds", "is empty; name at least one kind"))
    }
}
