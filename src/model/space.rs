//! Embedding spaces: a model and its settings, whose vectors may be compared.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::hit::Fusion;
use super::{Kind, NodeId};

/// A model with its settings. Vectors of different spaces are never compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    pub id: Uuid,
    /// Unique; what clients pass as `space`.
    pub name: String,
    pub backend: String,
    pub model: String,
    pub dimensions: usize,
    pub template_version: i32,
    pub state: SpaceState,
    pub created_at: DateTime<Utc>,
    pub settings: SpaceSettings,
}

/// How a space ranks and how documents are cut for it; `None` is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SpaceSettings {
    pub fusion: Option<Fusion>,
    /// Share of meaning in a hybrid search, from 0 to 1.
    pub semantic_ratio: Option<f64>,
    /// Tokens of a chunk at most.
    pub chunk_tokens: Option<i32>,
    /// Tokens that a chunk repeats of the one before.
    pub chunk_overlap: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpaceState {
    /// It is being filled and answers only when it is asked for by name.
    Building,
    /// It answers for at least one kind.
    Active,
    /// It answered once and is kept to go back to.
    Retired,
}

impl SpaceState {
    pub const ALL: [Self; 3] = [Self::Building, Self::Active, Self::Retired];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

impl Space {
    /// The table that holds this space's vectors of a kind.
    pub fn leaf(&self, kind: Kind) -> String {
        format!("{kind}_embedding_{}", self.id.simple())
    }
}

/// A kind that a space holds: while it is filling or current, texts of the kind that are written are
/// embedded into the space too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldKind {
    pub kind: Kind,
    pub state: FillState,
    /// How fast it may be filled; `None` is as fast as the model works.
    pub texts_per_second: Option<i32>,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// How far a space is with a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillState {
    /// It has room for the kind, and nothing reaches it.
    Empty,
    /// Rows are being queued for it, and writes reach it.
    Filling,
    /// Every row was queued once and embedded, and writes reach it.
    Current,
    /// Filling was given up; what was embedded stays, and nothing reaches it any more.
    Canceled,
}

impl FillState {
    pub const ALL: [Self; 4] = [Self::Empty, Self::Filling, Self::Current, Self::Canceled];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Filling => "filling",
            Self::Current => "current",
            Self::Canceled => "canceled",
        }
    }

    /// Whether texts that are written reach the space.
    pub fn is_written(self) -> bool {
        match self {
            Self::Filling | Self::Current => true,
            Self::Empty | Self::Canceled => false,
        }
    }
}

/// How many rows of a kind have a vector of their present text in a space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Live rows.
    pub rows: i64,
    pub embedded: i64,
    pub pending: i64,
    pub failed: i64,
    /// Rows without a vector that would be missed; one that was written a moment ago and waits in the
    /// queue of a current space is not.
    pub lacking: i64,
}

/// What filling a space would take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackfillPlan {
    /// Live rows.
    pub rows: i64,
    /// Rows among them whose vectors are there already.
    pub unchanged: i64,
    /// Tokens of the other rows, extrapolated from the sample.
    pub tokens: i64,
    /// US dollars; `None` where the price is not known.
    pub cost: Option<f64>,
    pub disk_bytes: i64,
    pub seconds: f64,
    /// Whether `seconds` comes from embedding texts of the sample.
    pub is_measured: bool,
    /// Texts whose tokens were counted.
    pub sample_size: i64,
}

/// The HNSW index of a leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct LeafIndex {
    pub state: IndexState,
    /// From 0 to 1, while it is built.
    pub progress: Option<f64>,
    /// What the server is doing, while it is built.
    pub phase: Option<String>,
    pub bytes: i64,
    /// The type of the vectors in it.
    pub holds: &'static str,
}

/// What an HNSW index compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexOver {
    /// Every number of a vector.
    Float,
    /// One bit for each number: whether it is above zero.
    Binary,
}

impl IndexOver {
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Float => Self::Binary,
            Self::Binary => Self::Float,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    None,
    Building,
    Ready,
}

/// The answers of two spaces to some queries, side by side.
#[derive(Debug, Clone)]
pub struct Comparison {
    pub from: String,
    pub to: String,
    pub queries: Vec<ComparedQuery>,
}

/// The answers of two spaces to a query.
#[derive(Debug, Clone)]
pub struct ComparedQuery {
    pub query: String,
    pub from: Vec<ComparedHit>,
    pub to: Vec<ComparedHit>,
    /// The share of the longer list that both have, from 0 to 1.
    pub overlap: f64,
    /// From -1 to 1; `None` where neither space found anything.
    pub correlation: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ComparedHit {
    pub id: NodeId,
    pub title: String,
    pub similarity: f64,
}

/// A vector that somebody made elsewhere, as it was sent.
#[derive(Debug, Clone, Default)]
pub struct VectorDraft {
    /// The row, by its id or by its external id.
    pub id: Option<String>,
    pub external_id: Option<String>,
    pub vector: Vec<f64>,
    /// The text that the vector was made of, by its SHA-256 in hexadecimal or as it is.
    pub source_hash: Option<String>,
    pub source_text: Option<String>,
}

/// What became of an imported vector.
#[derive(Debug, Clone)]
pub struct ImportOutcome {
    pub id: Option<NodeId>,
    /// Why it was not taken.
    pub problem: Option<String>,
}
