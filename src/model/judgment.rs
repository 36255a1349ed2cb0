//! How well a row answers a query, as somebody judged it.

use chrono::{DateTime, Utc};

use super::NodeId;

/// The best grade; 0 is no answer.
pub const MAX_GRADE: i32 = 10;

/// One judgement. There is one for each query and row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgment {
    pub query: String,
    pub id: NodeId,
    /// From 0 to [`MAX_GRADE`].
    pub grade: i32,
    pub judged_at: DateTime<Utc>,
}
