//! Sizes and counts.

use sea_orm::{EntityTrait, PaginatorTrait};
use sqlx::Row;

use super::{Db, Result};
use crate::model::stats::{DatabaseStats, TableStats};
use crate::model::{Filter, Kind, Scope};

/// Visible live rows of a kind.
pub async fn rows(db: &Db, scope: Scope, kind: Kind) -> Result<i64> {
    super::content::count(db, scope, kind, &Filter::none()).await
}

/// Vectors of a kind, in all spaces. Counts everybody's, so only for administrators.
pub async fn vectors(db: &Db, scope: Scope, kind: Kind) -> Result<u64> {
    let orm = db.orm(scope);
    Ok(match kind {
        Kind::Song => entity::song_embedding::Entity::find().count(orm).await?,
        Kind::Document => entity::document_embedding::Entity::find().count(orm).await?,
        Kind::Chunk => entity::chunk_embedding::Entity::find().count(orm).await?,
        Kind::Sample => entity::sample_embedding::Entity::find().count(orm).await?,
        Kind::Entry => entity::entry_embedding::Entity::find().count(orm).await?,
        Kind::Job => entity::job_embedding::Entity::find().count(orm).await?,
    })
}

/// What the database says of itself and of its tables, largest first.
pub async fn database(db: &Db, scope: Scope) -> Result<DatabaseStats> {
    let row = sqlx::query(
        "SELECT current_setting('server_version'), \
             (SELECT extversion FROM pg_extension WHERE extname = 'vector'), \
             pg_database_size(current_database())",
    )
    .fetch_one(db.sql(scope))
    .await?;
    Ok(DatabaseStats {
        server_version: row.try_get(0)?,
        pgvector_version: row.try_get(1)?,
        size_bytes: row.try_get(2)?,
        tables: tables(db, scope).await?,
    })
}

async fn tables(db: &Db, scope: Scope) -> Result<Vec<TableStats>> {
    let rows = sqlx::query(
        "SELECT relname::text, greatest(reltuples, 0)::int8, pg_table_size(pg_class.oid), pg_indexes_size(pg_class.oid) \
         FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace \
         ORDER BY pg_total_relation_size(pg_class.oid) DESC, relname LIMIT 100",
    )
    .fetch_all(db.sql(scope))
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TableStats {
                name: row.try_get(0)?,
                rows: row.try_get(1)?,
                table_bytes: row.try_get(2)?,
                index_bytes: row.try_get(3)?,
            })
        })
        .collect()
}
