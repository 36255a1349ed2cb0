//! Searching: what is shared by recommendations, similar rows and hybrid search.

mod cold_start;
mod hybrid;
mod recommend;
mod similar;
mod stand_in;

use uuid::Uuid;

pub(in crate::service) use hybrid::ranking_of;
pub use hybrid::{Highlights, HybridInput};
pub use recommend::RecommendInput;
pub use similar::SimilarInput;

use super::spaces::model_key;
use super::{Error, Result, Services};
use crate::model::facet::{Facet, FacetField};
use crate::model::hit::{Candidate, Hit, Part, SearchStrategy, Why};
use crate::model::{Filter, Kind, NodeId, Scope, Space, Viewer, limits};
use crate::store::facet;
use crate::store::search::{self, Bounded, Found, Nearest, Reads};

/// Which page is wanted, as the client says it.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// The default is the query's own.
    pub first: Option<i32>,
    pub after: Option<String>,
}

/// The rows that facets count.
#[derive(Debug, Clone, Copy)]
pub enum Counted<'a> {
    /// The results of all pages.
    Results(&'a [NodeId]),
    /// Every row with a vector that passes the filter.
    Findable { kind: Kind, space: Option<&'a str>, filter: &'a Filter, exclude: &'a [Uuid] },
}

/// Beyond this many results an exact scan is faster than a long walk through the index.
const MAX_APPROXIMATE: usize = 1_000;

impl Services {
    /// The rows nearest to a vector, best first, and how they were found. The list is short only where
    /// no more rows match.
    pub(super) async fn nearest(
        &self,
        scope: Scope,
        search: &Nearest<'_>,
    ) -> Result<(Found, SearchStrategy)> {
        let policy = self.settings.index;
        let leaf = self.leaf_state(search.space, search.kind).await?;
        let wanted = usize::try_from(search.limit).unwrap_or(usize::MAX);
        let usable =
            leaf.index.filter(|_| leaf.rows > policy.exact_rows && wanted <= MAX_APPROXIMATE);
        let Some(over) = usable else {
            return Ok((search::exact(&self.db, scope, search).await?, SearchStrategy::Exact));
        };
        let is_narrowed =
            !search.filter.is_none() || (leaf.has_owned_rows && scope != Scope::system());
        if is_narrowed {
            let bounded = search::exact_if_few(&self.db, scope, search, policy.exact_rows).await?;
            if let Bounded::Found(candidates) = bounded {
                return Ok((Found { candidates, ..Found::default() }, SearchStrategy::Exact));
            }
        }
        let found = search::approximate(&self.db, scope, search, over).await?;
        if found.candidates.len() >= wanted {
            return Ok((found, SearchStrategy::Hnsw));
        }
        // The index ran out of its limits before enough rows passed: compare them all instead.
        Ok((search::exact(&self.db, scope, search).await?, SearchStrategy::Exact))
    }

    /// How many rows with a vector match, for `totalCount`.
    pub async fn count_embedded(
        &self,
        viewer: Viewer,
        kind: Kind,
        space: Option<&str>,
        filter: &Filter,
        exclude: &[Uuid],
    ) -> Result<i64> {
        let scope = self.reading(viewer)?;
        self.with_fresh_spaces(|| async move {
            let space = self.space_for(kind, space).await?;
            Ok(search::count(&self.db, scope, &space, kind, filter, exclude).await?)
        })
        .await
    }

    /// How many rows have each value of some fields: of the results of a search, or of the rows that it
    /// could find. At most `limit` values of each field, in one statement.
    pub async fn facets(
        &self,
        viewer: Viewer,
        rows: Counted<'_>,
        fields: &[FacetField],
        limit: i32,
    ) -> Result<Vec<Facet>> {
        let scope = self.reading(viewer)?;
        if !(1..=limits::FACET_VALUES).contains(&usize::try_from(limit).unwrap_or(0)) {
            let problem = format!("must be between 1 and {}, but is {limit}", limits::FACET_VALUES);
            return Err(Error::invalid("first", problem));
        }
        if fields.len() > FacetField::ALL.len() {
            let problem = format!("holds {} fields; name each once", fields.len());
            return Err(Error::invalid("fields", problem));
        }
        let limit = i64::from(limit);
        match rows {
            Counted::Results(ids) => {
                let ids: Vec<Uuid> = ids.iter().map(|id| id.id).collect();
                let set = facet::Set::Rows(&ids);
                Ok(facet::count(&self.db, scope, &set, fields, limit).await?)
            }
            Counted::Findable { kind, space, filter, exclude } => {
                self.with_fresh_spaces(|| async move {
                    let space = self.space_for(kind, space).await?;
                    let (space, reads) = (&space, Reads::Ids);
                    let all =
                        Nearest { space, kind, vector: &[], filter, exclude, limit: 0, reads };
                    let set = facet::Set::Findable(&all);
                    Ok(facet::count(&self.db, scope, &set, fields, limit).await?)
                })
                .await
            }
        }
    }

    /// The unit-length vector of a search text; `None` if the model knows no word of it.
    pub(super) async fn query_vector(&self, space: &Space, text: &str) -> Result<Option<Vec<f32>>> {
        let embedding = self.embedders.embed_query(&model_key(space)?, text).await?;
        Ok(embedding.vector)
    }
}

/// Checks a search text: not blank, not too long, nothing PostgreSQL cannot read.
pub(super) fn checked_query(text: &str) -> Result<&str> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Error::invalid("query", "is empty; it needs at least one word"));
    }
    if text.contains('\0') {
        return Err(Error::invalid("query", "holds a NUL character"));
    }
    let chars = text.chars().count();
    if chars > limits::QUERY_CHARS {
        let problem = format!("has {chars} characters; {} are allowed", limits::QUERY_CHARS);
        return Err(Error::invalid("query", problem));
    }
    Ok(text)
}

fn checked_filter(filter: &Filter) -> Result<()> {
    let parts = filter.parts();
    if parts > limits::FILTER_PARTS {
        let problem = format!("has {parts} conditions; {} are allowed", limits::FILTER_PARTS);
        return Err(Error::invalid("where", problem));
    }
    Ok(())
}

fn checked_similarity(similarity: Option<f64>) -> Result<()> {
    match similarity {
        Some(value) if !(-1.0..=1.0).contains(&value) => Err(Error::invalid(
            "minSimilarity",
            format!("must be between -1 and 1, but is {value}"),
        )),
        Some(_) | None => Ok(()),
    }
}

fn checked_share(field: &'static str, share: f64) -> Result<()> {
    if (0.0..=1.0).contains(&share) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("must be between 0 and 1, but is {share}")))
}

/// How many candidates a list that must be ranked as a whole is made of. It depends on `first`
/// alone, so every page of a query is cut from the same list.
fn pool(first: usize) -> usize {
    // One row more than the pool is asked for, to know whether there are more.
    (10 * first).clamp(200, MAX_APPROXIMATE - 1)
}

fn as_limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A hit that only its nearness to one vector speaks for.
fn semantic_hit(rank: usize, candidate: Candidate) -> Hit {
    let score = candidate.score;
    let part = Part { rank: Some(rank), weight: 1.0, value: score, contribution: score };
    Hit {
        id: candidate.id,
        score,
        similarity: Some(score),
        text_score: None,
        highlights: Vec::new(),
        why: Why { semantic: Some(part), ..Why::default() },
        group_size: None,
    }
}
