//! What every kind has in common: owner, text, soft delete.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "content")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    /// The owner; `None` is the shared catalogue.
    pub owner_id: Option<Uuid>,
    pub external_id: String,
    pub title: String,
    /// What full-text search reads and what is embedded.
    pub body: String,
    /// SHA-256 of `body`.
    pub source_hash: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// When it was soft-deleted; such rows are restorable and never found.
    pub deleted_at: Option<DateTimeUtc>,
    #[sea_orm(has_one)]
    pub song: HasOne<super::song::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Entity {
    /// Rows that are not soft-deleted.
    pub fn live() -> Select<Self> {
        Self::find().filter(Column::DeletedAt.is_null())
    }
}
