//! What only a document has.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "document")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub content_id: Uuid,
    pub url: Option<String>,
    pub tags: Vec<String>,
    pub summary: Option<String>,
    /// `plain`, `markdown` or `html`.
    pub format: String,
    #[sea_orm(belongs_to, from = "content_id", to = "id")]
    pub content: BelongsTo<super::content::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
