//! A row of content as the layers above `store` see it.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::document::{Chunk, Document};
use super::song::Song;
use super::{Kind, NodeId};

/// A row of content with what its kind adds.
#[derive(Debug, Clone)]
pub struct Content {
    pub id: Uuid,
    /// `None` is the shared catalogue.
    pub owner_id: Option<Uuid>,
    pub external_id: String,
    pub title: String,
    /// What full-text search reads; empty for a document, whose text is read only when it is asked for.
    pub body: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub deleted_at: Option<DateTime<Utc>>,
    pub detail: Detail,
}

/// What a kind adds to content.
#[derive(Debug, Clone)]
pub enum Detail {
    Song(Box<Song>),
    Document(Box<Document>),
    Chunk(Box<Chunk>),
}

impl Content {
    pub fn kind(&self) -> Kind {
        match self.detail {
            Detail::Song(_) => Kind::Song,
            Detail::Document(_) => Kind::Document,
            Detail::Chunk(_) => Kind::Chunk,
        }
    }

    pub fn node_id(&self) -> NodeId {
        NodeId { kind: self.kind(), id: self.id }
    }
}

/// Whether a row's vector is there and belongs to its present text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingStatus {
    /// The vector belongs to the present text.
    Ready,
    /// The text waits to be embedded.
    Pending,
    /// Every attempt to embed the text failed.
    Failed,
    /// No space holds this row, and nothing is queued for it.
    Absent,
}

/// A change of which rows are live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    SoftDelete,
    Restore,
    /// The row, its vectors, its tasks and the feedback on it go for good.
    Purge,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentOrder {
    pub by: OrderField,
    pub direction: Direction,
}

/// What a list can be ordered by. Ties break by id; rows without the value come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderField {
    CreatedAt,
    UpdatedAt,
    Title,
    Band,
    Number(super::filter::NumberField),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Asc,
    Desc,
}
