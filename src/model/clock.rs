//! The one place that reads the time and makes ids.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Source of time and of time-ordered ids.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock;

impl Clock {
    pub fn now(self) -> DateTime<Utc> {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that everybody else must use"
        )]
        Utc::now()
    }

    /// A new UUIDv7: ids sort by the time they were made.
    pub fn new_id(self) -> Uuid {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that everybody else must use"
        )]
        Uuid::now_v7()
    }
}
