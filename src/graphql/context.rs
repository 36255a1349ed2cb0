//! What a resolver finds in its context.

use async_graphql::Context;
use async_graphql::dataloader::DataLoader;

use super::loaders::{DocumentLoader, EmbeddingStatusLoader, SimilarLoader};
use crate::model::Viewer;
use crate::service::Services;

/// What belongs to one request.
pub struct RequestContext {
    pub viewer: Viewer,
    pub(super) similar: DataLoader<SimilarLoader>,
    pub(super) embedding_status: DataLoader<EmbeddingStatusLoader>,
    pub(super) documents: DataLoader<DocumentLoader>,
}

impl RequestContext {
    /// Loaders live as long as their request, so nothing is shared between viewers.
    pub fn new(services: &Services, viewer: Viewer) -> Self {
        let similar = SimilarLoader { services: services.clone(), viewer };
        let status = EmbeddingStatusLoader { services: services.clone(), viewer };
        let documents = DocumentLoader { services: services.clone(), viewer };
        Self {
            viewer,
            similar: DataLoader::new(similar, tokio::spawn),
            embedding_status: DataLoader::new(status, tokio::spawn),
            documents: DataLoader::new(documents, tokio::spawn),
        }
    }
}

/// Short ways to what every resolver needs.
pub(super) trait ContextExt {
    fn services(&self) -> &Services;
    fn request(&self) -> &RequestContext;
    fn viewer(&self) -> Viewer {
        self.request().viewer
    }
}

impl ContextExt for Context<'_> {
    fn services(&self) -> &Services {
        self.data_unchecked()
    }

    fn request(&self) -> &RequestContext {
        self.data_unchecked()
    }
}
