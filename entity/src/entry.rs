//! What only a journal entry has.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "entry")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub content_id: Uuid,
    pub written_at: DateTimeUtc,
    pub mood: Option<String>,
    /// -1 (negative) to 1 (positive).
    pub sentiment: Option<f64>,
    pub is_shared: bool,
}

impl ActiveModelBehavior for ActiveModel {}
