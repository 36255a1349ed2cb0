//! Loaders: one statement for a field of every row of a list.

use std::collections::HashMap;
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use uuid::Uuid;

use crate::model::content::EmbeddingStatus;
use crate::model::document::ChunkSlice;
use crate::model::hit::HitPage;
use crate::model::{Content, NodeId, Viewer};
use crate::service::{Error, Services};

/// The rows most similar to each of several rows.
pub(super) struct SimilarLoader {
    pub services: Services,
    pub viewer: Viewer,
}

/// A row, and how many similar rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SimilarKey {
    pub id: NodeId,
    pub first: i32,
}

impl Loader<SimilarKey> for SimilarLoader {
    type Value = HitPage;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[SimilarKey]) -> Result<HashMap<SimilarKey, HitPage>, Arc<Error>> {
        let mut by_first: HashMap<i32, Vec<NodeId>> = HashMap::new();
        for key in keys {
            by_first.entry(key.first).or_default().push(key.id);
        }
        let mut found = HashMap::with_capacity(keys.len());
        for (first, ids) in by_first {
            let pages = self.services.similar_to_each(self.viewer, &ids, first).await?;
            found.extend(pages.into_iter().map(|(id, page)| (SimilarKey { id, first }, page)));
        }
        Ok(found)
    }
}

/// How far the vectors of rows are.
pub(super) struct EmbeddingStatusLoader {
    pub services: Services,
    pub viewer: Viewer,
}

impl Loader<NodeId> for EmbeddingStatusLoader {
    type Value = EmbeddingStatus;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[NodeId]) -> Result<HashMap<NodeId, EmbeddingStatus>, Arc<Error>> {
        Ok(self.services.embedding_status(self.viewer, ids).await?)
    }
}

/// Documents, their texts and their parts.
pub(super) struct DocumentLoader {
    pub services: Services,
    pub viewer: Viewer,
}

/// A document whose whole text is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BodyKey(pub Uuid);

/// A document whose parts are to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CountKey(pub Uuid);

impl Loader<NodeId> for DocumentLoader {
    type Value = Content;
    type Error = Arc<Error>;

    async fn load(&self, ids: &[NodeId]) -> Result<HashMap<NodeId, Content>, Arc<Error>> {
        Ok(self.services.contents(self.viewer, ids).await?)
    }
}

impl Loader<BodyKey> for DocumentLoader {
    type Value = String;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[BodyKey]) -> Result<HashMap<BodyKey, String>, Arc<Error>> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let bodies = self.services.document_bodies(self.viewer, &ids).await?;
        Ok(bodies.into_iter().map(|(id, body)| (BodyKey(id), body)).collect())
    }
}

impl Loader<CountKey> for DocumentLoader {
    type Value = i64;
    type Error = Arc<Error>;

    async fn load(&self, keys: &[CountKey]) -> Result<HashMap<CountKey, i64>, Arc<Error>> {
        let ids: Vec<Uuid> = keys.iter().map(|key| key.0).collect();
        let counts = self.services.chunk_counts(self.viewer, &ids).await?;
        Ok(counts.into_iter().map(|(id, count)| (CountKey(id), count)).collect())
    }
}

impl Loader<ChunkSlice> for DocumentLoader {
    type Value = Vec<Content>;
    type Error = Arc<Error>;

    async fn load(
        &self,
        slices: &[ChunkSlice],
    ) -> Result<HashMap<ChunkSlice, Vec<Content>>, Arc<Error>> {
        Ok(self.services.chunk_slices(self.viewer, slices).await?)
    }
}
