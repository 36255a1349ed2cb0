//! A part of a document.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "chunk")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub content_id: Uuid,
    pub document_id: Uuid,
    /// Place in the document, from 0.
    pub position: i32,
    #[sea_orm(belongs_to, from = "content_id", to = "id")]
    pub content: BelongsTo<super::content::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
