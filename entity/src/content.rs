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
    /// What full-text search reads.
    pub body: String,
    /// Name of the full-text configuration: `english`, `german` …, or `simple`.
    pub language: String,
    /// Headings above a part of a document, outermost first; empty for other kinds.
    pub headings: String,
    /// SHA-256 of the text that is embedded.
    pub source_hash: Vec<u8>,
    pub created_at: DateTimeUtc,
    pub updated_at: DateTimeUtc,
    /// When it was soft-deleted; such rows are restorable and never found.
    pub deleted_at: Option<DateTimeUtc>,
    #[sea_orm(has_one)]
    pub song: HasOne<super::song::Entity>,
    #[sea_orm(has_one)]
    pub document: HasOne<super::document::Entity>,
    #[sea_orm(has_one)]
    pub chunk: HasOne<super::chunk::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
