//! The two legs of a search: what meaning and what words propose.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::Plan;
use crate::model::NodeId;
use crate::model::hit::{Candidate, SearchStrategy, best_first};
use crate::rank::Leg;
use crate::service::search::as_limit;
use crate::service::tiers::Tier;
use crate::service::{Error, Result, Services};
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
    /// How similar rows with the words are.
    similarities: HashMap<NodeId, f64>,
    has_more: bool,
    strategy: SearchStrategy,
}

impl Proposed {
    fn nothing() -> Self {
        Self {
            rows: Vec::new(),
            similarities: HashMap::new(),
            has_more: false,
            strategy: SearchStrategy::FullText,
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
        let asked = async {
            match asked {
                Some(asked) => Ok(asked),
                None => self.asked(plan).await,
            }
        };
        // Both of a pair come to their end also where one fails: no statement is dropped half-way.
        let (asked, terms) = tokio::join!(asked, self.terms(plan));
        let (asked, terms) = (asked?, terms?);
        let vector = asked.vector.as_deref();
        let (semantic, text) = tokio::join!(
            self.nearest_rows(plan, vector, size),
            self.matching_rows(plan, &terms, vector, size)
        );
        let (mut semantic, text) = (semantic?, text?);
        self.keep_permitted(plan, &terms, &mut semantic.rows).await?;
        // Where meaning has no more rows, it has compared every row that has a vector. What full text would
        // say of rows that only meaning found is not asked: it took a third of the time again and moved
        // nothing on three test collections.
        let filled = match semantic.has_more {
            true => lacking(&text, &semantic.rows),
            false => Vec::new(),
        };
        Ok(Legs {
            is_complete: !semantic.has_more && !text.has_more,
            strategy: semantic.strategy,
            semantic: Leg { filled, ..Leg::new(semantic.rows) },
            text: Leg::of_words(text.rows),
            terms,
            vector: asked.vector,
            is_degraded: asked.is_degraded || plan.tier == Tier::StandIn,
        })
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

    /// The words that are looked for, also where they only say what must not be found.
    async fn terms(&self, plan: &Plan<'_>) -> Result<Terms> {
        let has_conditions = !plan.query.phrases.is_empty() || !plan.query.excluded.is_empty();
        if plan.ratio >= 1.0 && !has_conditions {
            return Ok(Terms::default());
        }
        Ok(text::terms(&self.db, plan.scope, &plan.input.kinds, &plan.query).await?)
    }

    /// Rows with the words, and how similar they are: those that meaning does not reach would otherwise
    /// count as unlike the query, although meaning only had better ones.
    async fn matching_rows(
        &self,
        plan: &Plan<'_>,
        terms: &Terms,
        vector: Option<&[f32]>,
        size: usize,
    ) -> Result<Proposed> {
        if plan.ratio >= 1.0 || terms.is_empty() {
            return Ok(Proposed::nothing());
        }
        let search = text::Match {
            kinds: &plan.input.kinds,
            terms,
            filter: &plan.input.filter,
            exclude: &[],
            limit: as_limit(size + 1),
            compared: vector.map(|vector| (&plan.space, vector)),
        };
        let found = text::matches(&self.db, plan.scope, &search).await?;
        let (rows, similarities) = (found.candidates, found.similarities);
        let proposed = Proposed { rows, similarities, ..Proposed::nothing() };
        Ok(Proposed { has_more: !found.is_exact, ..proposed }.cut(size))
    }
}

/// The similarities of rows with the words that a list lacks, best first.
fn lacking(text: &Proposed, list: &[Candidate]) -> Vec<Candidate> {
    let known: HashSet<NodeId> = list.iter().map(|row| row.id).collect();
    let lacking = text.rows.iter().map(|row| row.id).filter(|id| !known.contains(id));
    let measured = lacking.filter_map(|id| {
        text.similarities.get(&id).map(|similarity| Candidate { id, score: *similarity })
    });
    let mut measured: Vec<Candidate> = measured.collect();
    measured.sort_by(|a, b| best_first((a.score, a.id.id), (b.score, b.id.id)));
    measured
}

impl Legs {
    /// The search text as a vector, for a larger pool.
    pub(super) fn asked_again(&mut self) -> Asked {
        Asked { vector: self.vector.take(), is_degraded: self.is_degraded }
    }
}
