//! The answers of two spaces side by side, before one replaces the other.

use std::collections::HashMap;

use uuid::Uuid;

use crate::model::hit::Candidate;
use crate::model::space::{ComparedHit, ComparedQuery, Comparison};
use crate::model::{Content, Filter, Kind, NodeId, Scope, Space, Viewer, limits};
use crate::rank::toplist;
use crate::service::search::checked_query;
use crate::service::{Error, Result, Services};
use crate::store::content;
use crate::store::search::Nearest;

/// A comparison of two spaces.
#[derive(Debug, Clone)]
pub struct CompareInput {
    pub queries: Vec<String>,
    /// The default is the space that answers for the kind.
    pub from: Option<String>,
    pub to: String,
    pub kind: Kind,
    pub first: i32,
}

impl Services {
    /// What two spaces answer to the same queries.
    pub async fn compare_spaces(&self, viewer: Viewer, input: &CompareInput) -> Result<Comparison> {
        let scope = self.administering(viewer)?;
        let (count, most) = (input.queries.len(), limits::COMPARED_QUERIES);
        if count == 0 || count > most {
            let problem = format!("holds {count} queries; 1 to {most} are allowed");
            return Err(Error::invalid("queries", problem));
        }
        let first = usize::try_from(input.first).unwrap_or(0);
        if first == 0 || first > limits::SEARCH_FIRST {
            let most = limits::SEARCH_FIRST;
            let problem = format!("must be between 1 and {most}, but is {}", input.first);
            return Err(Error::invalid("first", problem));
        }
        let from = self.space_for(input.kind, input.from.as_deref()).await?;
        let to = self.space_for(input.kind, Some(&input.to)).await?;
        let mut queries = Vec::with_capacity(count);
        for query in &input.queries {
            let query = checked_query(query)?;
            let left = self.nearest_in(scope, &from, input.kind, query, first).await?;
            let right = self.nearest_in(scope, &to, input.kind, query, first).await?;
            queries.push(self.compared(scope, query, &left, &right).await?);
        }
        Ok(Comparison { from: from.name, to: to.name, queries })
    }

    async fn nearest_in(
        &self,
        scope: Scope,
        space: &Space,
        kind: Kind,
        query: &str,
        first: usize,
    ) -> Result<Vec<Candidate>> {
        let Some(vector) = self.query_vector(space, query).await? else { return Ok(Vec::new()) };
        let limit = i64::try_from(first).unwrap_or(i64::MAX);
        let filter = &Filter::none();
        let search = Nearest { space, kind, vector: &vector, filter, exclude: &[], limit };
        Ok(self.nearest(scope, &search).await?.0)
    }

    async fn compared(
        &self,
        scope: Scope,
        query: &str,
        left: &[Candidate],
        right: &[Candidate],
    ) -> Result<ComparedQuery> {
        let ids: Vec<NodeId> = left.iter().chain(right).map(|candidate| candidate.id).collect();
        let contents = content::by_ids(&self.db, scope, &ids).await?;
        let plain = |list: &[Candidate]| -> Vec<Uuid> {
            list.iter().map(|candidate| candidate.id.id).collect()
        };
        let (left_ids, right_ids) = (plain(left), plain(right));
        Ok(ComparedQuery {
            query: query.to_owned(),
            from: hits(left, &contents),
            to: hits(right, &contents),
            overlap: toplist::overlap(&left_ids, &right_ids),
            correlation: toplist::correlation(&left_ids, &right_ids),
        })
    }
}

fn hits(found: &[Candidate], contents: &HashMap<NodeId, Content>) -> Vec<ComparedHit> {
    let hit = |candidate: &Candidate| {
        // A row that went meanwhile is left out.
        let content = contents.get(&candidate.id)?;
        let (id, similarity) = (candidate.id, candidate.score);
        Some(ComparedHit { id, title: content.title.clone(), similarity })
    };
    found.iter().filter_map(hit).collect()
}
