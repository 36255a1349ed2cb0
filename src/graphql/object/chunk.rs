//! The parts of documents.

use async_graphql::{ComplexObject, Context, ID, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Kind;
use super::content::{Content, EmbeddingStatus, Row, embedding_status, similar};
use super::document::Document;
use super::hit::HitConnection;
use super::page_info::PageInfo;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::loaders::CountKey;
use crate::model::document::ChunkSlice;
use crate::model::{self, NodeId, document};
use crate::service::{Error, ListPage};

/// A part of a document, short enough for a model to read whole. It is made, changed and removed with its
/// document.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct Chunk {
    /// Id across all kinds, such as `chunk:0192…`.
    pub id: ID,
    /// Title of its document.
    pub title: String,
    /// Always `CHUNK`.
    pub kind: Kind,
    /// The chunk's own id, without its kind.
    pub external_id: String,
    /// When it was cut from its document.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was soft-deleted, with its document.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Place in its document, from 0.
    pub position: i32,
    /// The headings above it, outermost first.
    pub headings: Vec<String>,
    /// Its text. Title, headings and text together are what is embedded and searched.
    pub body: String,
    #[graphql(skip)]
    pub node_id: NodeId,
    #[graphql(skip)]
    pub document_id: Uuid,
}

#[ComplexObject]
impl Chunk {
    /// The document that it is a part of.
    async fn document(&self, ctx: &Context<'_>) -> Result<Document> {
        let id = NodeId { kind: model::Kind::Document, id: self.document_id };
        let content = ctx.request().documents.load_one(id).await?;
        Ok(content.and_then(Document::of).ok_or_else(|| Error::NotFound(format!("`{id}`")))?)
    }

    /// The chunk that stands before it; `null` for the first one.
    async fn previous(&self, ctx: &Context<'_>) -> Result<Option<Chunk>> {
        if self.position == 0 {
            return Ok(None);
        }
        self.beside(ctx, self.position.checked_sub(2)).await
    }

    /// The chunk that follows it; `null` for the last one.
    async fn next(&self, ctx: &Context<'_>) -> Result<Option<Chunk>> {
        self.beside(ctx, Some(self.position)).await
    }

    /// How far its vector is in the space that answers for chunks.
    pub(in crate::graphql) async fn embedding_status(
        &self,
        ctx: &Context<'_>,
    ) -> Result<EmbeddingStatus> {
        embedding_status(ctx, self.node_id).await
    }

    /// The chunks that are most similar to it, best first.
    pub(in crate::graphql) async fn similar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100.", default = 5)] first: i32,
    ) -> Result<HitConnection> {
        similar(ctx, self.node_id, first).await
    }
}

impl Chunk {
    pub(super) fn new(row: Row, chunk: document::Chunk) -> Self {
        Self {
            id: row.node_id.to_string().into(),
            title: row.title,
            kind: Kind::Chunk,
            external_id: row.external_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
            position: chunk.position,
            headings: chunk.headings,
            body: row.body,
            node_id: row.node_id,
            document_id: chunk.document_id,
        }
    }

    /// The chunk of a row of any kind.
    pub(super) fn of(content: model::Content) -> Option<Self> {
        match Content::from(content) {
            Content::Chunk(chunk) => Some(chunk),
            Content::Song(_) | Content::Document(_) => None,
        }
    }

    /// The first chunk of the document behind a place.
    async fn beside(&self, ctx: &Context<'_>, after: Option<i32>) -> Result<Option<Self>> {
        let slice = ChunkSlice { document_id: self.document_id, after, limit: 1 };
        let found = ctx.request().documents.load_one(slice).await?;
        Ok(found.unwrap_or_default().pop().and_then(Self::of))
    }
}

/// A chunk in a list, with its place.
#[derive(SimpleObject)]
pub(in crate::graphql) struct ChunkEdge {
    /// The place of this chunk: pass it as `after` to go on from here.
    cursor: String,
    /// The chunk.
    node: Chunk,
}

/// A page of the chunks of a document.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct ChunkConnection {
    /// The chunks of the page with their cursors.
    edges: Vec<ChunkEdge>,
    /// Where the page stands in its list.
    page_info: PageInfo,
    #[graphql(skip)]
    document_id: Uuid,
}

#[ComplexObject]
impl ChunkConnection {
    /// The chunks of the page.
    async fn nodes(&self) -> Vec<&Chunk> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// How many chunks the document has, over all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64> {
        let count = ctx.request().documents.load_one(CountKey(self.document_id)).await?;
        Ok(count.unwrap_or(0))
    }
}

impl ChunkConnection {
    /// A page of a document's chunks, for every document of a list in one statement.
    pub(super) async fn load(
        ctx: &Context<'_>,
        document_id: Uuid,
        first: i32,
        after: Option<&str>,
    ) -> Result<Self> {
        let slice = ctx.services().chunk_slice(ctx.viewer(), document_id, first, after)?;
        let found = ctx.request().documents.load_one(slice).await?.unwrap_or_default();
        let page = ctx.services().chunk_page(ctx.viewer(), slice, found);
        Ok(Self::new(page, document_id))
    }

    fn new(page: ListPage, document_id: Uuid) -> Self {
        let page_info = PageInfo::new(page.has_next_page, page.has_previous_page, &page.cursors);
        let rows = page.cursors.into_iter().zip(page.contents);
        let edges = rows
            .filter_map(|(cursor, content)| Some(ChunkEdge { cursor, node: Chunk::of(content)? }));
        Self { edges: edges.collect(), page_info, document_id }
    }
}
