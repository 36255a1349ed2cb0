//! Embedding spaces: a model and its settings, whose vectors may be compared.

use uuid::Uuid;

use super::Kind;

/// A model with its settings. Vectors of different spaces are never compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    pub id: Uuid,
    /// Unique; what clients pass as `space`.
    pub name: String,
    pub backend: String,
    pub model: String,
    pub dimensions: usize,
    pub template_version: i32,
    pub state: SpaceState,
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
