//! A model and its settings, whose vectors may be compared with each other.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "embedding_space")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    #[sea_orm(unique)]
    pub name: String,
    pub backend: String,
    pub model: String,
    pub dimensions: i32,
    pub template_version: i32,
    /// `building`, `active` or `retired`.
    pub state: String,
    pub created_at: DateTimeUtc,
    /// `reciprocal_rank`, `weighted` or `relative_score`; `None` is the default.
    pub fusion: Option<String>,
    pub semantic_ratio: Option<f64>,
    /// Tokens of a chunk at most.
    pub chunk_tokens: Option<i32>,
    /// Tokens that a chunk repeats of the one before.
    pub chunk_overlap: Option<i32>,
}

impl ActiveModelBehavior for ActiveModel {}
