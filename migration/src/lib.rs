//! Kindred's migrations, oldest first. Each one is raw SQL with a way back; see `README.md`.

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

mod m20261121_000001_content;
mod m20261121_000002_embedding;
mod m20261121_000003_feedback;
mod m20261121_000004_space;
mod m20261121_000005_text;
mod m20261121_000006_document;

/// Applies and reverts the migrations of this crate.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_content::Migration),
            Box::new(m20261121_000002_embedding::Migration),
            Box::new(m20261121_000003_feedback::Migration),
            Box::new(m20261121_000004_space::Migration),
            Box::new(m20261121_000005_text::Migration),
            Box::new(m20261121_000006_document::Migration),
        ]
    }
}
