//! The two legs of a search: what meaning and what words propose.

use std::collections::HashSet;

use uuid::Uuid;

use super::Plan;
use crate::model::NodeId;
use crate::model::hit::{Candidate, SearchStrategy, best_first};
use crate::rank::Leg;
use crate::service::search::as_limit;
use crate::service::tiers::Tier;
use crate::service::{Error, Result, Services};
use crate::store::embedding;
use crate::store::search::{Nearest, Reads};
use crate::store::text::{self, Terms};

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
        Self {
            rows: Vec::new(),
            has_more: false,
            strategy: SearchStrategy::FullText,
            terms: Terms::default(),
        }
    }

    /// Cuts the list, best first, to a size.
    fn cut(mut self, size: usize) -> Self {
        self.has_more |= self.rows.len() > size;
        self.rows.truncate(size);
        self
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
        let ((asked, mut semantic), text) = (semantic?, text?);
        self.keep_permitted(plan, &text.terms, &mut semantic.rows).await?;
        let mut legs = Legs {
            is_complete: !semantic.has_more && !text.has_more,
            strategy: semantic.strategy,
            semantic: Leg::new(semantic.rows),
            text: Leg::of_words(text.rows),
            terms: text.terms,
            vector: asked.vector,
            is_degraded: asked.is_degraded || plan.tier == Tier::StandIn,
        };
        // Where meaning has no more rows, it has compared every row that has a vector. What full text would
        // say of rows that only meaning found is not asked: it took a third of the time again and moved
        // nothing on three test collections.
        if let Some(vector) = &legs.vector
            && semantic.has_more
        {
            legs.semantic.filled = self.similarities(plan, &legs, vector).await?;
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
        Ok(proposed.cut(size))
    }

    /// Leaves out what lacks a phrase or has a word that is excluded: meaning knows nothing of either.
    async fn keep_permitted(
        &self,
        plan: &Plan<'_>,
        terms: &Terms,
        rows: &mut Vec<Candidate>,
    ) -> Result<()> {
        if rows.is_empty() || !terms.has_conditions() {
            return Ok(());
        }
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id.id).collect();
        let permitted = text::permitted(&self.db, plan.scope, terms, &ids).await?;
        rows.retain(|row| permitted.contains(&row.id.id));
        Ok(())
    }

    async fn matching_rows(&self, plan: &Plan<'_>, size: usize) -> Result<Proposed> {
        let has_words = plan.ratio < 1.0;
        if !has_words && plan.query.phrases.is_empty() && plan.query.excluded.is_empty() {
            return Ok(Proposed::nothing());
        }
        let kinds = &plan.input.kinds;
        let terms = text::terms(&self.db, plan.scope, kinds, &plan.query).await?;
        if !has_words || terms.is_empty() {
            return Ok(Proposed { terms, ..Proposed::nothing() });
        }
        let search = text::Match {
            kinds,
            terms: &terms,
            filter: &plan.input.filter,
            exclude: &[],
            limit: as_limit(size + 1),
        };
        let found = text::matches(&self.db, plan.scope, &search).await?;
        let (rows, has_more) = (found.candidates, !found.is_exact);
        Ok(Proposed { rows, has_more, terms, ..Proposed::nothing() }.cut(size))
    }

    /// How similar the rows are that full text alone found. Without this they would count as unlike the
    /// query, although meaning only had better ones.
    async fn similarities(
        &self,
        plan: &Plan<'_>,
        legs: &Legs,
        vector: &[f32],
    ) -> Result<Vec<Candidate>> {
        let lacking = lacking(&legs.text.found, &legs.semantic.found);
        let mut filled = Vec::new();
        for kind in &plan.input.kinds {
            let of_kind = lacking.iter().filter(|id| id.kind == *kind);
            let ids: Vec<Uuid> = of_kind.map(|id| id.id).collect();
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

/// The rows of one list that another one lacks.
fn lacking(of: &[Candidate], other: &[Candidate]) -> Vec<NodeId> {
    let known: HashSet<Uuid> = other.iter().map(|row| row.id.id).collect();
    of.iter().map(|row| row.id).filter(|id| !known.contains(&id.id)).collect()
}

impl Legs {
    /// The search text as a vector, for a larger pool.
    pub(super) fn asked_again(&mut self) -> Asked {
        Asked { vector: self.vector.take(), is_degraded: self.is_degraded }
    }
}
