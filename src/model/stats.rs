//! What the catalogue holds and what it takes.

use super::{Kind, NodeId, Space};

/// Rows, vectors, sizes and queue, as one viewer may see them.
#[derive(Debug, Clone)]
pub struct Stats {
    pub kinds: Vec<KindStats>,
    pub pending_tasks: i64,
    pub failed_tasks: i64,
    /// Only for administrators.
    pub database: Option<DatabaseStats>,
}

/// One kind's part of [`Stats`].
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
