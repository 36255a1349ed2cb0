//! Words and meaning in one list.

use std::collections::HashMap;
use std::time::Instant;

use uuid::Uuid;

use super::{
    Paging, as_limit, checked_filter, checked_query, checked_share, checked_similarity, pool,
};
use crate::model::cursor::fingerprint;
use crate::model::hit::{
    Candidate, Fusion, Hit, HitPage, SearchInfo, SearchStrategy, Why, best_first,
};
use crate::model::text_query::TextQuery;
use crate::model::{Filter, Kind, Scope, Space, Viewer, limits};
use crate::rank::mmr::dot;
use crate::rank::{Fused, SemanticRatio, fuse};
use crate::service::page::{Order, Page};
use crate::service::tiers::Tier;
use crate::service::{Error, Result, Services};
use crate::store::search::{Nearest, Reads};
use crate::store::text::{self, Terms};
use crate::store::embedding;

/// The fusion of the bundled space, chosen by measurement; see ARCHITECTURE.md.
const DEFAULT_FUSION: Fusion = Fusion::Weighted;
/// The share of the semantic leg of the bundled space, chosen by measurement.
const DEFAULT_RATIO: f64 = 0.6;
/// Marks round a found word inside PostgreSQL; nothing a person writes contains them.
const MARKS: (&str, &str) = ("\u{1}", "\u{2}");

/// A request for rows by words and meaning.
#[derive(Debug, Clone)]
pub struct HybridInput {
    pub query: String,
    pub kinds: Vec<Kind>,
    pub filter: Filter,
    pub semantic_ratio: Option<f64>,
    pub fusion: Option<Fusion>,
    pub group_by_document: bool,
    pub min_similarity: Option<f64>,
    pub paging: Paging,
    pub space: Option<String>,
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

/// What the semantic leg found.
struct Semantic {
    found: Vec<Candidate>,
    strategy: SearchStrategy,
    /// `None` when the model knows no word of the query, or was not asked.
    vector: Option<Vec<f32>>,
    degraded: bool,
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
        let size = pool(plan.page.first);
        let semantic = self.semantic_leg(&plan, size).await?;
        let (terms, text) = self.text_leg(&plan, size).await?;
        let is_text_exact = text.is_exact;
        let text = text.candidates;
        let ratio = match &semantic.vector {
            Some(_) => SemanticRatio(plan.ratio),
            None => SemanticRatio(0.0),
        };
        let fused = fuse(&semantic.found, &text, plan.fusion, ratio);
        let hits = self.scored(&plan, fused, &semantic, &text).await?;
        let info = SearchInfo {
            space: semantic.vector.is_some().then(|| plan.space.name.clone()),
            strategy: semantic.strategy,
            complete: semantic.found.len() < size && text.len() < size && is_text_exact,
            degraded: semantic.degraded,
            took_ms: started.elapsed().as_secs_f64() * 1_000.0,
        };
        let mut page = plan.page.cut(hits, Order::ByScore, info);
        self.complete_page(&plan, &semantic, &terms, &mut page.hits).await?;
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
        let query = TextQuery::parse(checked_query(&input.query)?);
        checked_filter(&input.filter)?;
        checked_similarity(input.min_similarity)?;
        let ratio = input.semantic_ratio.unwrap_or(DEFAULT_RATIO);
        checked_share("semanticRatio", ratio)?;
        if input.group_by_document {
            return Err(Error::invalid(
                "groupByDocument",
                "is not available: this version holds no documents",
            ));
        }
        let space = self.common_space(input, tier).await?;
        let arguments = HybridInput { paging: Paging::default(), ..input.clone() };
        let print =
            fingerprint(&["hybrid", &space.id.to_string(), &format!("{viewer:?}{arguments:?}")]);
        let first = input.paging.first.unwrap_or(10);
        // The list is fused from a pool, so pages of one query must agree on its size.
        let print = print ^ u64::try_from(pool(usize::try_from(first).unwrap_or(0))).unwrap_or(0);
        let page = Page::new(first, limits::SEARCH_FIRST, input.paging.after.as_deref(), print)?;
        let fusion = input.fusion.unwrap_or(DEFAULT_FUSION);
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

    async fn semantic_leg(&self, plan: &Plan<'_>, size: usize) -> Result<Semantic> {
        let mut leg = Semantic {
            found: Vec::new(),
            strategy: SearchStrategy::FullText,
            vector: None,
            degraded: plan.tier == Tier::StandIn,
        };
        if plan.ratio == 0.0 {
            return Ok(leg);
        }
        let words = plan.query.wanted();
        leg.vector = match self.query_vector(&plan.space, words.trim()).await {
            Ok(vector) => vector,
            Err(Error::Embedder(error)) => {
                if plan.tier == Tier::Usual && self.can_stand_in(plan.input).await? {
                    return Err(Error::Embedder(error));
                }
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "Searching by full text alone: the embedding model is away"
                );
                leg.degraded = true;
                None
            }
            Err(error) => return Err(error),
        };
        let Some(vector) = &leg.vector else { return Ok(leg) };
        leg.strategy = SearchStrategy::Exact;
        for kind in &plan.input.kinds {
            let search = Nearest {
                space: &plan.space,
                kind: *kind,
                vector,
                filter: &plan.input.filter,
                exclude: &[],
                limit: as_limit(size),
                reads: Reads::Ids,
            };
            let (found, strategy) = self.nearest(plan.scope, &search).await?;
            let found = found.candidates;
            if strategy == SearchStrategy::Hnsw {
                leg.strategy = strategy;
            }
            leg.found.extend(found);
        }
        leg.found.sort_by(|a, b| best_first((a.score, a.id.id), (b.score, b.id.id)));
        leg.found.truncate(size);
        Ok(leg)
    }

    async fn text_leg(&self, plan: &Plan<'_>, size: usize) -> Result<(Terms, text::Found)> {
        if plan.ratio >= 1.0 {
            return Ok((Terms::default(), text::Found::none()));
        }
        let kinds = &plan.input.kinds;
        let terms = text::terms(&self.db, plan.scope, kinds, &plan.query).await?;
        if terms.is_empty() {
            return Ok((terms, text::Found::none()));
        }
        let search = text::Match {
            kinds,
            terms: &terms,
            filter: &plan.input.filter,
            exclude: &[],
            limit: as_limit(size),
        };
        let found = text::matches(&self.db, plan.scope, &search).await?;
        Ok((terms, found))
    }

    /// Fused rows as hits, those below `minSimilarity` left out.
    async fn scored(
        &self,
        plan: &Plan<'_>,
        fused: Vec<Fused>,
        semantic: &Semantic,
        text: &[Candidate],
    ) -> Result<Vec<Hit>> {
        let similarity: HashMap<Uuid, f64> =
            semantic.found.iter().map(|candidate| (candidate.id.id, candidate.score)).collect();
        let text_score: HashMap<Uuid, f64> =
            text.iter().map(|candidate| (candidate.id.id, candidate.score)).collect();
        let hit = |row: Fused| Hit {
            id: row.id,
            score: row.score,
            similarity: similarity.get(&row.id.id).copied(),
            text_score: text_score.get(&row.id.id).copied(),
            highlights: Vec::new(),
            why: Why { semantic: row.semantic, text: row.text, ..Why::default() },
        };
        let mut hits: Vec<Hit> = fused.into_iter().map(hit).collect();
        if let Some(least) = plan.input.min_similarity {
            self.fill_similarity(plan, semantic, &mut hits).await?;
            hits.retain(|hit| hit.similarity.is_some_and(|similarity| similarity >= least));
        }
        Ok(hits)
    }

    /// Adds what only the hits of the page need: the similarity of rows that full text alone
    /// found, and highlights.
    async fn complete_page(
        &self,
        plan: &Plan<'_>,
        semantic: &Semantic,
        terms: &Terms,
        hits: &mut [Hit],
    ) -> Result<()> {
        self.fill_similarity(plan, semantic, hits).await?;
        let found_by_text = hits.iter().filter(|hit| hit.text_score.is_some());
        let ids: Vec<Uuid> = found_by_text.map(|hit| hit.id.id).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for (id, extract) in text::highlights(&self.db, plan.scope, &ids, terms, MARKS).await? {
            if let Some(hit) = hits.iter_mut().find(|hit| hit.id.id == id) {
                hit.highlights.push(escaped(&extract));
            }
        }
        Ok(())
    }

    async fn fill_similarity(
        &self,
        plan: &Plan<'_>,
        semantic: &Semantic,
        hits: &mut [Hit],
    ) -> Result<()> {
        let Some(query) = &semantic.vector else { return Ok(()) };
        for kind in &plan.input.kinds {
            let lacking =
                hits.iter().filter(|hit| hit.similarity.is_none() && hit.id.kind == *kind);
            let ids: Vec<Uuid> = lacking.map(|hit| hit.id.id).collect();
            if ids.is_empty() {
                continue;
            }
            let vectors =
                embedding::vectors(&self.db, plan.scope, &plan.space, *kind, &ids).await?;
            for hit in hits.iter_mut().filter(|hit| hit.similarity.is_none()) {
                hit.similarity = vectors.get(&hit.id.id).map(|vector| dot(vector, query));
            }
        }
        Ok(())
    }
}

/// An extract as HTML: everything a person wrote is escaped, found words are in `<mark>`.
fn escaped(extract: &str) -> String {
    let mut html = String::with_capacity(extract.len() + 16);
    for letter in extract.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\u{1}' => html.push_str("<mark>"),
            '\u{2}' => html.push_str("</mark>"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_extract_is_harmless_html() {
        let html = super::escaped("<script>\u{1}rock\u{2} & 'roll'");
        assert_eq!(html, "&lt;script&gt;<mark>rock</mark> &amp; &#39;roll&#39;");
    }
}
