//! Interfaces that every kind of content has.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    Context, ContextSelectionSet, Enum, ID, Interface, OutputType, Positioned, ServerResult, Value,
};
use chrono::{DateTime, Utc};

use super::Kind;
use super::chunk::Chunk;
use super::document::Document;
use super::hit::HitConnection;
use super::song::Song;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::loaders::SimilarKey;
use crate::model::content::EmbeddingStatus as Status;
use crate::model::{self, Detail, NodeId};
use crate::service::Error;

/// Anything that has an id of its own.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "&ID", desc = "Id across all kinds, such as `song:0192…`."))]
#[expect(clippy::large_enum_variant, reason = "a row lives for one answer, and most are songs")]
pub(in crate::graphql) enum Node {
    Song(Song),
    Document(Document),
    Chunk(Chunk),
}

/// A row of the catalogue, of any kind.
#[derive(Interface)]
#[expect(clippy::duplicated_attributes, reason = "fields of one interface may have one type")]
#[graphql(
    field(name = "id", ty = "&ID", desc = "Id across all kinds, such as `song:0192…`."),
    field(name = "title", ty = "&String", desc = "Title of the row."),
    field(name = "kind", ty = "&Kind", desc = "What kind of content it is."),
    field(name = "external_id", ty = "&String", desc = "The id it was ingested with."),
    field(name = "created_at", ty = "&DateTime<Utc>", desc = "When it was first ingested."),
    field(name = "updated_at", ty = "&DateTime<Utc>", desc = "When it last changed."),
    field(name = "deleted_at", ty = "&Option<DateTime<Utc>>", desc = "When it was soft-deleted."),
    field(
        name = "embedding_status",
        ty = "EmbeddingStatus",
        desc = "How far its vector is in the space that answers for its kind."
    ),
    field(
        name = "similar",
        ty = "HitConnection",
        desc = "The rows of its kind that are most similar to it, best first.",
        arg(name = "first", ty = "i32", default = 5, desc = "How many, from 1 to 100.")
    )
)]
#[expect(clippy::large_enum_variant, reason = "a row lives for one answer, and most are songs")]
pub(in crate::graphql) enum Content {
    Song(Song),
    Document(Document),
    Chunk(Chunk),
}

/// Says in the schema that `Content` implements `Node`, which the derive macro has no words for.
pub(in crate::graphql) struct ContentIsNode;

impl OutputType for ContentIsNode {
    fn type_name() -> Cow<'static, str> {
        <Content as OutputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let name = <Content as OutputType>::create_type_info(registry);
        registry.add_implements(&Self::type_name(), &<Node as OutputType>::type_name());
        name
    }

    async fn resolve(
        &self,
        _ctx: &ContextSelectionSet<'_>,
        _field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        // No field has this type: it only registers.
        Ok(Value::Null)
    }
}

/// How far the vector of a row is.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "EmbeddingStatus")]
pub(in crate::graphql) enum EmbeddingStatus {
    /// The vector belongs to the present text: the row is found by meaning.
    Ready,
    /// The text waits to be embedded; full text finds the row already.
    Pending,
    /// Every attempt to embed the text failed; see `failedTasks`.
    Failed,
    /// There is no vector, and nothing is queued to make one.
    Absent,
}

/// What every kind has, apart from what its kind adds.
pub(super) struct Row {
    pub node_id: NodeId,
    pub external_id: String,
    pub title: String,
    pub body: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
}

impl From<model::Content> for Content {
    fn from(content: model::Content) -> Self {
        let row = Row {
            node_id: content.node_id(),
            external_id: content.external_id,
            title: content.title,
            body: content.body,
            created_at: content.created_at,
            updated_at: content.updated_at,
            deleted_at: content.deleted_at,
        };
        match content.detail {
            Detail::Song(song) => Self::Song(Song::new(row, *song)),
            Detail::Document(document) => Self::Document(Document::new(row, *document)),
            Detail::Chunk(chunk) => Self::Chunk(Chunk::new(row, *chunk)),
        }
    }
}

impl From<model::Content> for Node {
    fn from(content: model::Content) -> Self {
        match Content::from(content) {
            Content::Song(song) => Self::Song(song),
            Content::Document(document) => Self::Document(document),
            Content::Chunk(chunk) => Self::Chunk(chunk),
        }
    }
}

/// The value of `embeddingStatus`, for every row of a list in one statement.
pub(in crate::graphql) async fn embedding_status(
    ctx: &Context<'_>,
    id: NodeId,
) -> Result<EmbeddingStatus> {
    let loaded = ctx.request().embedding_status.load_one(id).await?;
    Ok(match loaded.unwrap_or(Status::Absent) {
        Status::Ready => EmbeddingStatus::Ready,
        Status::Pending => EmbeddingStatus::Pending,
        Status::Failed => EmbeddingStatus::Failed,
        Status::Absent => EmbeddingStatus::Absent,
    })
}

/// The value of `similar`, for every row of a list in one statement.
pub(in crate::graphql) async fn similar(
    ctx: &Context<'_>,
    id: NodeId,
    first: i32,
) -> Result<HitConnection> {
    let key = SimilarKey { id, first };
    let page = ctx.request().similar.load_one(key).await?;
    let page = page.ok_or_else(|| Error::NotFound(format!("`{id}`")))?;
    HitConnection::load(ctx, page, None).await
}
