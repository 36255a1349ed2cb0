//! What only a document has.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "document")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub content_id: Uuid,
    pub url: Option<String>,
    pub language: Option<String>,
    pub tags: Vec<String>,
    pub summary: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
