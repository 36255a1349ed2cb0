//! The ids that clients see: `kind:uuid`.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use super::Kind;

/// Names one row of content across all kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub kind: Kind,
    pub id: Uuid,
}

/// The text is not of the form `kind:uuid`.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an id; an id looks like `song:0192f0c1-7a5e-7c3b-9d4e-2b1f0a6c8e11`")]
pub struct MalformedId(pub String);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

impl FromStr for NodeId {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let malformed = || MalformedId(text.chars().take(80).collect());
        let (kind, id) = text.split_once(':').ok_or_else(malformed)?;
        // Only the hyphenated form: one row must not have several ids.
        if id.len() != 36 {
            return Err(malformed());
        }
        Ok(Self {
            kind: kind.parse().map_err(|_| malformed())?,
            id: id.parse().map_err(|_| malformed())?,
        })
    }
}
