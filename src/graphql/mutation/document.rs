//! `addDocument` and `updateDocument`.

use async_graphql::{Context, ID, Object, SimpleObject};

use super::ingest::{RowStatus, owner};
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::input::document::{DocumentChangesInput, DocumentInput};
use crate::graphql::object::document::Document;
use crate::model::Content;
use crate::service::{self, Error};

#[derive(Default)]
pub(in crate::graphql) struct DocumentMutation;

/// A document that was written.
#[derive(SimpleObject)]
struct DocumentPayload {
    /// The document as it is now.
    document: Document,
    /// What became of it.
    status: RowStatus,
}

#[Object]
impl DocumentMutation {
    /// Adds a document of your own, cut into chunks, or updates the one that you added under the same
    /// external id. For everybody with a token.
    ///
    /// Full text finds its chunks at once, meaning as soon as their `embeddingStatus` is `READY`.
    async fn add_document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document.")] input: DocumentInput,
        #[graphql(
            desc = "Id of the user whom it belongs to; only administrators may name somebody else. Default is yourself, and for administrators the shared catalogue."
        )]
        owner_id: Option<ID>,
    ) -> Result<DocumentPayload> {
        let owner = owner(owner_id)?;
        let written = ctx.services().add_document(ctx.viewer(), input.into(), owner).await?;
        Ok(DocumentPayload::new(written)?)
    }

    /// Changes a document of your own; administrators may change any. Chunks whose text stays the same
    /// keep their ids and vectors.
    async fn update_document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document.")] id: ID,
        #[graphql(desc = "What is to change.")] input: DocumentChangesInput,
    ) -> Result<DocumentPayload> {
        let id = id.parse()?;
        let written = ctx.services().update_document(ctx.viewer(), id, input.into()).await?;
        Ok(DocumentPayload::new(written)?)
    }
}

impl DocumentPayload {
    fn new((content, status): (Content, service::RowStatus)) -> std::result::Result<Self, Error> {
        let document = Document::of(content).ok_or(Error::Gone)?;
        Ok(Self { document, status: status.into() })
    }
}
