//! Embedding spaces.

use async_graphql::{Enum, SimpleObject};

use super::Kind;
use crate::model::{self, space};

/// A model with its settings. Only vectors of one space are ever compared.
#[derive(SimpleObject)]
pub(in crate::graphql) struct EmbeddingSpace {
    /// Unique name; what you pass as `space`.
    name: String,
    /// What runs the model: `static`.
    backend: String,
    /// Name of the model.
    model: String,
    /// Numbers of one vector.
    dimensions: i32,
    /// Version of the templates that turn rows into texts.
    template_version: i32,
    /// Whether it answers.
    state: SpaceState,
    /// The kinds it answers for.
    active_for: Vec<Kind>,
}

impl EmbeddingSpace {
    pub(in crate::graphql) fn new(space: model::Space, kinds: Vec<model::Kind>) -> Self {
        Self {
            name: space.name,
            backend: space.backend,
            model: space.model,
            dimensions: i32::try_from(space.dimensions).unwrap_or(i32::MAX),
            template_version: space.template_version,
            state: space.state.into(),
            active_for: kinds.into_iter().map(Into::into).collect(),
        }
    }
}

/// Whether a space answers.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "space::SpaceState")]
pub(in crate::graphql) enum SpaceState {
    /// It is being filled and answers only when it is asked for by name.
    Building,
    /// It answers for at least one kind.
    Active,
    /// It answered once and is kept to go back to.
    Retired,
}
