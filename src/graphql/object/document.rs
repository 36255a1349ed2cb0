//! Documents.

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject};
use chrono::{DateTime, Utc};

use super::Kind;
use super::chunk::ChunkConnection;
use super::content::{Content, EmbeddingStatus, Row, embedding_status, similar};
use super::hit::HitConnection;
use super::page_info::PageInfo;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::loaders::{BodyKey, CountKey};
use crate::model::{self, Filter, NodeId, document};
use crate::service::{Error, ListPage};

/// A document. It is searched by its chunks; its own vector is that of its title and summary.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct Document {
    /// Id across all kinds, such as `document:0192…`.
    pub id: ID,
    /// Title; where none was sent, the first heading or the first words.
    pub title: String,
    /// Always `DOCUMENT`.
    pub kind: Kind,
    /// The id it was ingested with.
    pub external_id: String,
    /// When it was first ingested.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was soft-deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Address on the web.
    pub url: Option<String>,
    /// Tags, in the order they were sent.
    pub tags: Vec<String>,
    /// What it is about; where nothing was sent, its beginning and its headings.
    pub summary: Option<String>,
    /// Language that full text reads it in, such as `english`.
    pub language: String,
    /// How its text is written.
    pub format: DocumentFormat,
    #[graphql(skip)]
    pub node_id: NodeId,
}

#[ComplexObject]
impl Document {
    /// The whole text as it was sent. The documents of one list may have 4,000,000 characters together.
    async fn body(&self, ctx: &Context<'_>) -> Result<String> {
        let body = ctx.request().documents.load_one(BodyKey(self.node_id.id)).await?;
        Ok(body.ok_or_else(|| Error::NotFound(format!("`{}`", self.node_id)))?)
    }

    /// Its chunks in the order in which they stand.
    async fn chunks(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "`endCursor` of the page before.")] after: Option<String>,
    ) -> Result<ChunkConnection> {
        ChunkConnection::load(ctx, self.node_id.id, first, after.as_deref()).await
    }

    /// How many chunks it has.
    async fn chunk_count(&self, ctx: &Context<'_>) -> Result<i64> {
        let count = ctx.request().documents.load_one(CountKey(self.node_id.id)).await?;
        Ok(count.unwrap_or(0))
    }

    /// How far its vector is in the space that answers for documents.
    pub(in crate::graphql) async fn embedding_status(
        &self,
        ctx: &Context<'_>,
    ) -> Result<EmbeddingStatus> {
        embedding_status(ctx, self.node_id).await
    }

    /// The documents that are most similar to it, best first.
    pub(in crate::graphql) async fn similar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100.", default = 5)] first: i32,
    ) -> Result<HitConnection> {
        similar(ctx, self.node_id, first).await
    }
}

impl Document {
    pub(super) fn new(row: Row, document: document::Document) -> Self {
        Self {
            id: row.node_id.to_string().into(),
            title: row.title,
            kind: Kind::Document,
            external_id: row.external_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
            url: document.url,
            tags: document.tags,
            summary: document.summary,
            language: document.language.to_owned(),
            format: document.format.into(),
            node_id: row.node_id,
        }
    }

    /// The document of a row of any kind.
    pub(in crate::graphql) fn of(content: model::Content) -> Option<Self> {
        match Content::from(content) {
            Content::Document(document) => Some(document),
            Content::Song(_) | Content::Chunk(_) => None,
        }
    }
}

/// How the text of a document is written.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "document::Format")]
pub(in crate::graphql) enum DocumentFormat {
    /// As it is, with blank lines between paragraphs.
    Plain,
    /// Markdown: headings lead the chunks below them, and code blocks stay whole where they fit.
    Markdown,
    /// HTML, of which the text is taken.
    Html,
}

/// A document in a list, with its place.
#[derive(SimpleObject)]
pub(in crate::graphql) struct DocumentEdge {
    /// The place of this document: pass it as `after` to go on from here.
    cursor: String,
    /// The document.
    node: Document,
}

/// A page of a list of documents.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct DocumentConnection {
    /// The documents of the page with their cursors.
    edges: Vec<DocumentEdge>,
    /// Where the page stands in its list.
    page_info: PageInfo,
    #[graphql(skip)]
    filter: Filter,
}

#[ComplexObject]
impl DocumentConnection {
    /// The documents of the page.
    async fn nodes(&self) -> Vec<&Document> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// How many documents pass the filter, over all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.services().count(ctx.viewer(), model::Kind::Document, &self.filter).await?)
    }
}

impl DocumentConnection {
    pub(in crate::graphql) fn new(page: ListPage, filter: Filter) -> Self {
        let page_info = PageInfo::new(page.has_next_page, page.has_previous_page, &page.cursors);
        let rows = page.cursors.into_iter().zip(page.contents);
        let edges = rows.filter_map(|(cursor, content)| {
            Some(DocumentEdge { cursor, node: Document::of(content)? })
        });
        Self { edges: edges.collect(), page_info, filter }
    }
}
