//! The two legs of a search: what meaning and what words propose.

use std::collections::HashSet;

use uuid::Uuid;

use super::Plan;
use crate::model::hit::{Candidate, SearchStrategy, best_first};
use crate::rank::Leg;
use crate::service::search::as_limit;
use crate::service::tiers::Tier;
use crate::service::{Error, Result, Services};
use crate::store::search::{Nearest, Reads};
use crate::store::text::{self, Terms};
use crate::store::embedding;

/// What both legs found.
pub(super) struct Legs {
    pub semantic: Leg,
    pub text: Leg,
    /// The words that were looked for.
    pub terms: Terms,
    pub strategy: SearchStrategy,
    /// `None` when the model knows no word of the query, or was not asked.
    pub vector: Option<Vec<f32>>,
    /// Whether no leg has, or may have, more rows than the pool holds.
    pub is_complete: bool,
    pub is_degraded: bool,
}

/// The search text as a vector.
#[derive(Default)]
pub(super) struct Asked {
    vector: Option<Vec<f32>>,
    /// Whether the model is away.
    is_degraded: bool,
}

/// One leg's list, and whether there is more of it.
struct Proposed {
    rows: Vec<Candidate>,
    has_more: bool,
    strategy: SearchStrategy,
    /// The words that were looked for.
    terms: Terms,
}

impl Proposed {
    fn nothing() -> Self {
        let strategy = SearchStrategy::FullText;
        Self { rows: Vec::new(), has_more: false, strategy, terms: Terms::default() }
    }
}

impl Services {
    /// Asks both legs at the same time; where there is one connection, they take turns.
    ///
    /// `asked` is the vector of the search text where it is known from a smaller pool.
    pub(super) async fn legs(
        &self,
        plan: &Plan<'_>,
        asked: Option<Asked>,
        size: usize,
    ) -> Result<Legs> {
        let semantic = async {
            let asked = match asked {
                Some(asked) => asked,
                None => self.asked(plan).await?,
            };
            let proposed = self.nearest_rows(plan, asked.vector.as_deref(), size).await?;
            Ok::<_, Error>((asked, proposed))
        };
        // Both come to their end also where one fails: no statement is dropped half-way.
        let (semantic, text) = tokio::join!(semantic, self.matching_rows(plan, size));
        let ((asked, semantic), text) = (semantic?, text?);
        let mut legs = Legs {
            is_complete: !semantic.has_more && !text.has_more,
            strategy: semantic.strategy,
            semantic: Leg::new(semantic.rows),
            text: Leg::new(text.rows),
            terms: text.terms,
            vector: asked.vector,
            is_degraded: asked.is_degraded || plan.tier == Tier::StandIn,
        };
        // A leg that has no more rows has scored every row that it can score.
        if semantic.has_more {
            legs.semantic.filled = self.similarities(plan, &legs).await?;
        }
        Ok(legs)
    }

    /// The vector of the search text; nothing where words alone answer.
    async fn asked(&self, plan: &Plan<'_>) -> Result<Asked> {
        if plan.ratio == 0.0 {
            return Ok(Asked::default());
        }
        let words = plan.query.wanted();
        match self.query_vector(&plan.space, words.trim()).await {
            Ok(vector) => Ok(Asked { vector, is_degraded: false }),
            Err(Error::Embedder(error)) => {
                if plan.tier == Tier::Usual && self.can_stand_in(plan.input).await? {
                    return Err(Error::Embedder(error));
                }
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "Searching by full text alone: the embedding model is away"
                );
                Ok(Asked { vector: None, is_degraded: true })
            }
            Err(error) => Err(error),
        }
    }

    async fn nearest_rows(
        &self,
        plan: &Plan<'_>,
        vector: Option<&[f32]>,
        size: usize,
    ) -> Result<Proposed> {
        let Some(vector) = vector else { return Ok(Proposed::nothing()) };
        let mut proposed = Proposed { strategy: SearchStrategy::Exact, ..Proposed::nothing() };
        for kind in &plan.input.kinds {
            let search = Nearest {
                space: &plan.space,
                kind: *kind,
                vector,
                filter: &plan.input.filter,
                exclude: &[],
                limit: as_limit(size + 1),
                reads: Reads::Ids,
            };
            let (found, strategy) = self.nearest(plan.scope, &search).await?;
            if strategy == SearchStrategy::Hnsw {
                proposed.strategy = strategy;
            }
            proposed.rows.extend(found.candidates);
        }
        proposed.rows.sort_by(|a, b| best_first((a.score, a.id.id), (b.score, b.id.id)));
        proposed.has_more = proposed.rows.len() > size;
        proposed.rows.truncate(size);
        Ok(proposed)
    }

    async fn matching_rows(&self, plan: &Plan<'_>, size: usize) -> Result<Proposed> {
        if plan.ratio >= 1.0 {
            return Ok(Proposed::nothing());
        }
        let kinds = &plan.input.kinds;
        let terms = text::terms(&self.db, plan.scope, kinds, &plan.query).await?;
        if terms.is_empty() {
            return Ok(Proposed::nothing());
        }
        let search = text::Match {
            kinds,
            terms: &terms,
            filter: &plan.input.filter,
            exclude: &[],
            limit: as_limit(size + 1),
        };
        let found = text::matches(&self.db, plan.scope, &search).await?;
        let mut rows = found.candidates;
        let has_more = rows.len() > size || !found.is_exact;
        rows.truncate(size);
        Ok(Proposed { rows, has_more, terms, ..Proposed::nothing() })
    }

    /// How similar the rows are that full text alone found. Without this they would count as unlike the
    /// query, although meaning only had better ones.
    async fn similarities(&self, plan: &Plan<'_>, legs: &Legs) -> Result<Vec<Candidate>> {
        let Some(vector) = &legs.vector else { return Ok(Vec::new()) };
        let known: HashSet<Uuid> = legs.semantic.known().map(|row| row.id.id).collect();
        let mut filled = Vec::new();
        for kind in &plan.input.kinds {
            let lacking = legs.text.found.iter().map(|row| row.id);
            let lacking = lacking.filter(|id| id.kind == *kind && !known.contains(&id.id));
            let ids: Vec<Uuid> = lacking.map(|id| id.id).collect();
            if !ids.is_empty() {
                let (db, scope) = (&self.db, plan.scope);
                let rows =
                    embedding::similarities(db, scope, &plan.space, *kind, &ids, vector).await?;
                filled.extend(rows);
            }
        }
        filled.sort_by(|a, b| best_first((a.score, a.id.id), (b.score, b.id.id)));
        Ok(filled)
    }
}

impl Legs {
    /// The search text as a vector, for a larger pool.
    pub(super) fn asked_again(&mut self) -> Asked {
        Asked { vector: self.vector.take(), is_degraded: self.is_degraded }
    }
}
