//! A text that waits to be embedded into a space.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "embedding_task")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub content_id: Uuid,
    pub space_id: Uuid,
    pub kind: String,
    pub source_hash: Vec<u8>,
    /// `pending` or `failed`.
    pub state: String,
    /// Counted when the task is claimed.
    pub attempts: i32,
    pub run_at: DateTimeUtc,
    pub lease_token: Option<Uuid>,
    pub lease_until: Option<DateTimeUtc>,
    pub message: Option<String>,
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
