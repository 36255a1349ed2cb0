//! What the catalogue holds and what it takes.

use chrono::NaiveDate;

use super::{Kind, NodeId, Space};

/// Rows and vectors of one kind, as one viewer may see them.
#[derive(Debug, Clone)]
pub struct KindStats {
    pub kind: Kind,
    pub rows: i64,
    pub embedded: i64,
    /// The space that answers for the kind.
    pub space: Option<Space>,
    pub has_index: bool,
}

/// A text that could not be embedded.
#[derive(Debug, Clone)]
pub struct FailedTask {
    pub id: NodeId,
    pub attempts: i32,
    pub message: String,
}

/// What was spent on a day for a space.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageDay {
    /// In UTC.
    pub day: NaiveDate,
    /// Its name; the space may be gone.
    pub space: String,
    pub backend: String,
    pub model: String,
    /// Those that failed included.
    pub requests: i64,
    pub texts: i64,
    pub tokens: i64,
    /// Texts that were cut off.
    pub truncated: i64,
    /// US dollars.
    pub cost: f64,
}

/// What the database says of itself.
#[derive(Debug, Clone)]
pub struct DatabaseStats {
    pub server_version: String,
    pub pgvector_version: String,
    pub size_bytes: i64,
    pub tables: Vec<TableStats>,
}

/// The size of one table.
#[derive(Debug, Clone)]
pub struct TableStats {
    pub name: String,
    /// The planner's estimate.
    pub rows: i64,
    pub table_bytes: i64,
    pub index_bytes: i64,
}
