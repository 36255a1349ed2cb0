//! What is like a row.

use std::collections::HashMap;
use std::time::Instant;

use super::{Paging, as_limit, checked_filter, checked_similarity, semantic_hit};
use crate::model::cursor::fingerprint;
use crate::model::hit::{HitPage, SearchInfo, SearchStrategy};
use crate::model::{Filter, Kind, NodeId, Space, Viewer, limits};
use crate::service::page::{Order, Page};
use crate::service::tiers::Tier;
use crate::service::{Error, Result, Services};
use crate::store::search::{self, Nearest, NearestToEach};
use crate::store::{content, embedding};

/// A request for what is like a row.
#[derive(Debug, Clone)]
pub struct SimilarInput {
    pub id: NodeId,
    /// What kind of rows to find; the row's own kind if it is not given.
    pub kind: Option<Kind>,
    pub filter: Filter,
    pub min_similarity: Option<f64>,
    pub paging: Paging,
    pub space: Option<String>,
}

impl Services {
    /// The rows most similar to a row, best first, without the row itself.
    pub async fn similar(&self, viewer: Viewer, input: &SimilarInput) -> Result<HitPage> {
        self.with_fresh_spaces(|| self.similar_once(viewer, input)).await
    }

    async fn similar_once(&self, viewer: Viewer, input: &SimilarInput) -> Result<HitPage> {
        let started = Instant::now();
        let scope = self.reading(viewer)?;
        checked_filter(&input.filter)?;
        checked_similarity(input.min_similarity)?;
        let kind = input.kind.unwrap_or(input.id.kind);
        let space = self.answering_space(kind, input.space.as_deref(), Tier::Usual).await?;
        let is_plain =
            input.filter.is_none() && input.min_similarity.is_none() && kind == input.id.kind;
        let print = if is_plain {
            similar_print(viewer, &space, input.id)
        } else {
            let arguments =
                format!("{viewer:?}{}{kind}{:?}{:?}", input.id, input.filter, input.min_similarity);
            fingerprint(&["similar", &space.id.to_string(), &arguments])
        };
        let first = input.paging.first.unwrap_or(10);
        let page = Page::new(first, limits::SEARCH_FIRST, input.paging.after.as_deref(), print)?;
        let ids = [input.id.id];
        let vectors = embedding::vectors(&self.db, scope, &space, input.id.kind, &ids).await?;
        let Some(vector) = vectors.get(&input.id.id) else {
            return self.similar_to_nothing(viewer, input.id, space.name).await;
        };
        let exclude: &[_] = if kind == input.id.kind { &ids } else { &[] };
        let search = Nearest {
            space: &space,
            kind,
            vector,
            filter: &input.filter,
            exclude,
            limit: as_limit(page.reach()),
            reads: page.reads(),
        };
        let (found, strategy) = self.nearest(scope, &search).await?;
        let mut candidates = found.candidates;
        candidates.retain(|hit| input.min_similarity.is_none_or(|least| hit.score >= least));
        let ranked = candidates.into_iter().enumerate();
        let hits = ranked.map(|(index, hit)| semantic_hit(index + 1, hit)).collect();
        let took_ms = started.elapsed().as_secs_f64() * 1_000.0;
        let info = SearchInfo {
            space: Some(space.name),
            strategy,
            complete: true,
            degraded: false,
            took_ms,
        };
        Ok(HitPage { contents: found.contents, ..page.cut(hits, Order::ByScore, info) })
    }

    /// The rows most similar to each of several rows, each list as [`Services::similar`] begins.
    pub async fn similar_to_each(
        &self,
        viewer: Viewer,
        ids: &[NodeId],
        first: i32,
    ) -> Result<HashMap<NodeId, HitPage>> {
        self.with_fresh_spaces(|| self.similar_to_each_once(viewer, ids, first)).await
    }

    async fn similar_to_each_once(
        &self,
        viewer: Viewer,
        ids: &[NodeId],
        first: i32,
    ) -> Result<HashMap<NodeId, HitPage>> {
        let started = Instant::now();
        let scope = self.reading(viewer)?;
        let mut pages = HashMap::with_capacity(ids.len());
        for kind in Kind::ALL {
            let of_kind: Vec<NodeId> = ids.iter().copied().filter(|id| id.kind == kind).collect();
            if of_kind.is_empty() {
                continue;
            }
            let space = self.answering_space(kind, None, Tier::Usual).await?;
            let leaf = self.leaf_state(&space, kind).await?;
            let strategy =
                if leaf.index.is_some() { SearchStrategy::Hnsw } else { SearchStrategy::Exact };
            let uuids: Vec<_> = of_kind.iter().map(|id| id.id).collect();
            // Two more than wanted: one says whether more follow, and half precision may swap two.
            let limit = as_limit(usize::try_from(first).unwrap_or(0) + 2);
            let index = leaf.index;
            let each = NearestToEach { space: &space, kind, ids: &uuids, limit, index };
            let found = search::nearest_to_each(&self.db, scope, &each).await?;
            let mut lists: HashMap<_, Vec<_>> = HashMap::new();
            let mut contents: HashMap<_, HashMap<_, _>> = HashMap::new();
            for (seed, candidate, content) in found {
                lists.entry(seed).or_default().push(candidate);
                contents.entry(seed).or_default().insert(candidate.id, content);
            }
            for id in of_kind {
                let page = Page::new(
                    first,
                    limits::SEARCH_FIRST,
                    None,
                    similar_print(viewer, &space, id),
                )?;
                let list = lists.remove(&id.id).unwrap_or_default().into_iter().enumerate();
                let hits = list.map(|(index, hit)| semantic_hit(index + 1, hit)).collect();
                let took_ms = started.elapsed().as_secs_f64() * 1_000.0;
                let info = SearchInfo {
                    space: Some(space.name.clone()),
                    strategy,
                    complete: true,
                    degraded: false,
                    took_ms,
                };
                let contents = contents.remove(&id.id).unwrap_or_default();
                let page = page.cut(hits, Order::ByScore, info);
                pages.insert(id, HitPage { contents, ..page });
            }
        }
        Ok(pages)
    }

    /// A row that is not there is an error; one that waits for its vector has no similar rows yet.
    async fn similar_to_nothing(
        &self,
        viewer: Viewer,
        id: NodeId,
        space: String,
    ) -> Result<HitPage> {
        let scope = self.reading(viewer)?;
        if !content::by_ids(&self.db, scope, &[id]).await?.contains_key(&id) {
            return Err(Error::NotFound(format!("`{id}`")));
        }
        let info = SearchInfo {
            space: Some(space),
            strategy: SearchStrategy::Exact,
            complete: false,
            degraded: true,
            took_ms: 0.0,
        };
        Ok(HitPage {
            hits: Vec::new(),
            contents: HashMap::new(),
            cursors: Vec::new(),
            has_next_page: false,
            has_previous_page: false,
            ranked: None,
            info,
        })
    }
}

/// The fingerprint of a plain request: a nested `similar` is paged on by `similar(id:, after:)`.
fn similar_print(viewer: Viewer, space: &Space, id: NodeId) -> u64 {
    fingerprint(&["similar", &space.id.to_string(), &format!("{viewer:?}{id}")])
}
