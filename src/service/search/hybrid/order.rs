//! A pool of rows to a list.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Plan;
use super::legs::Legs;
use super::rerank::Reranked;
use crate::model::Hit;
use crate::model::boost::{Boost, BoostField};
use crate::rank::{SemanticRatio, autocut, boost, fuse, group, mmr};
use crate::service::page::Order;
use crate::service::search::pool;
use crate::service::{Result, Services};
use crate::store::facts::Facts;
use crate::store::{embedding, facts};

/// The largest pool that is looked at where many rows belong to few documents.
const WIDEST_POOL: usize = 5_000;
const SECONDS_PER_DAY: f64 = 86_400.0;

impl Services {
    /// Both legs fused into one list, best first, with every row that may stand on any page.
    ///
    /// A pool whose rows belong to few documents is widened: a page counts documents. How far depends on
    /// the pool alone, so every page is cut from the same list.
    pub(super) async fn ranked_pool(&self, plan: &Plan<'_>) -> Result<(Legs, Vec<Hit>)> {
        let mut size = pool(plan.page.first);
        let enough = size / 4;
        let mut legs = self.legs(plan, None, size).await?;
        loop {
            let mut hits = fused(plan, &legs);
            let facts = self.facts(plan, &hits).await?;
            if plan.input.group_by_document {
                hits = group::best_of_each(hits, |hit| group_of(hit, &facts));
                if hits.len() < enough && !legs.is_complete && size < WIDEST_POOL {
                    size = (size * 5).min(WIDEST_POOL);
                    let asked = legs.asked_again();
                    legs = self.legs(plan, Some(asked), size).await?;
                    continue;
                }
            }
            if self.reranked(plan, &mut hits).await? == Reranked::Away {
                legs.is_degraded = true;
            }
            boosted(&plan.input.boosts, &mut hits, &facts, self.clock.now());
            if let Some(drops) = plan.input.autocut {
                let scores: Vec<f64> = hits.iter().map(|hit| hit.score).collect();
                hits.truncate(autocut::kept(&scores, usize::try_from(drops).unwrap_or(0)));
            }
            return Ok((legs, hits));
        }
    }

    /// What grouping and boosts need to know of the rows, in one statement.
    async fn facts(&self, plan: &Plan<'_>, hits: &[Hit]) -> Result<HashMap<Uuid, Facts>> {
        if !plan.input.group_by_document && plan.input.boosts.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<Uuid> = hits.iter().map(|hit| hit.id.id).collect();
        let fields: Vec<BoostField> = plan.input.boosts.iter().map(|boost| boost.field()).collect();
        Ok(facts::of_rows(&self.db, plan.scope, &ids, &fields).await?)
    }

    /// The list with rows that are alike apart from each other, as far as the page needs it.
    pub(super) async fn diversified(
        &self,
        plan: &Plan<'_>,
        hits: Vec<Hit>,
    ) -> Result<(Vec<Hit>, Order)> {
        if plan.input.diversity == 0.0 {
            return Ok((hits, Order::ByScore));
        }
        let mut vectors = HashMap::with_capacity(hits.len());
        for kind in &plan.input.kinds {
            let of_kind = hits.iter().filter(|hit| hit.id.kind == *kind);
            let ids: Vec<Uuid> = of_kind.map(|hit| hit.id.id).collect();
            if !ids.is_empty() {
                let (db, scope, space) = (&self.db, plan.scope, &plan.space);
                vectors.extend(embedding::vectors(db, scope, space, *kind, &ids).await?);
            }
        }
        let hits = mmr::apply(&hits, &vectors, plan.input.diversity, plan.page.reach());
        Ok((hits, Order::AsPicked))
    }
}

/// The rows of both legs, those below `minSimilarity` left out.
fn fused(plan: &Plan<'_>, legs: &Legs) -> Vec<Hit> {
    // What the model knows no word of is a question for full text alone.
    let ratio = if legs.vector.is_some() { plan.ratio } else { 0.0 };
    let mut hits = fuse(&legs.semantic, &legs.text, plan.fusion, SemanticRatio(ratio));
    if let Some(least) = plan.input.min_similarity {
        hits.retain(|hit| hit.similarity.is_some_and(|similarity| similarity >= least));
    }
    hits
}

/// The document of a chunk; any other row is a group of its own.
fn group_of(hit: &Hit, facts: &HashMap<Uuid, Facts>) -> Uuid {
    facts.get(&hit.id.id).and_then(|facts| facts.document).unwrap_or(hit.id.id)
}

fn boosted(boosts: &[Boost], hits: &mut [Hit], facts: &HashMap<Uuid, Facts>, now: DateTime<Utc>) {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds fit for 285,000 years")]
    let now = now.timestamp_millis() as f64 / 1_000.0;
    let raw: Vec<Vec<Option<f64>>> = boosts
        .iter()
        .enumerate()
        .map(|(index, boost)| {
            let value = |hit: &Hit| *facts.get(&hit.id.id)?.values.get(index)?;
            let days = |seconds: f64| (now - seconds) / SECONDS_PER_DAY;
            hits.iter()
                .map(|hit| match boost {
                    Boost::Recency { .. } => value(hit).map(days),
                    Boost::Number { .. } => value(hit),
                })
                .collect()
        })
        .collect();
    boost::apply(hits, boosts, &raw);
}
