//! Embedding spaces and which of them answers for a kind.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, Set};
use sqlx::Row;
use uuid::Uuid;

use super::{Db, Error, Result};
use crate::model::space::SpaceState;
use crate::model::{Kind, Scope, Space};

/// All spaces, oldest first.
pub async fn all(db: &Db, scope: Scope) -> Result<Vec<Space>> {
    let models = entity::embedding_space::Entity::find()
        .order_by_asc(entity::embedding_space::Column::Id)
        .all(db.orm(scope))
        .await?;
    models.into_iter().map(space).collect()
}

/// The space of a name.
pub async fn by_name(db: &Db, scope: Scope, name: &str) -> Result<Option<Space>> {
    let model = entity::embedding_space::Entity::find()
        .filter(entity::embedding_space::Column::Name.eq(name))
        .one(db.orm(scope))
        .await?;
    model.map(space).transpose()
}

/// Which space answers for each kind.
pub async fn active(db: &Db, scope: Scope) -> Result<Vec<(Kind, Uuid)>> {
    let models = entity::active_space::Entity::find().all(db.orm(scope)).await?;
    models.into_iter().map(|model| Ok((super::rows::kind(&model.kind)?, model.space_id))).collect()
}

/// Writes a new space.
pub async fn insert(db: &Db, scope: Scope, space: &Space, now: DateTime<Utc>) -> Result<()> {
    let dimensions = i32::try_from(space.dimensions)
        .map_err(|_| Error::Setup(format!("{} dimensions are too many", space.dimensions)))?;
    let model = entity::embedding_space::ActiveModel {
        id: Set(space.id),
        name: Set(space.name.clone()),
        backend: Set(space.backend.clone()),
        model: Set(space.model.clone()),
        dimensions: Set(dimensions),
        template_version: Set(space.template_version),
        state: Set(space.state.as_str().to_owned()),
        created_at: Set(now),
    };
    model.insert(db.orm(scope)).await?;
    Ok(())
}

/// Makes the table of a space's vectors of a kind, if it is not there.
pub async fn create_leaf(db: &Db, scope: Scope, space: &Space, kind: Kind) -> Result<()> {
    let leaf = space.leaf(kind);
    // Names and numbers here come from the program, never from a request.
    let statement = format!(
        "CREATE TABLE IF NOT EXISTS {leaf} PARTITION OF {kind}_embedding \
         (CONSTRAINT {leaf}_dim_check CHECK (vector_dims(embedding) = {})) \
         FOR VALUES IN ('{}')",
        space.dimensions, space.id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(db.sql(scope)).await?;
    Ok(())
}

/// Lets a space answer for a kind, if nothing does so yet.
pub async fn activate_if_none(
    db: &Db,
    scope: Scope,
    kind: Kind,
    space: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "WITH activated AS (INSERT INTO active_space (kind, space_id, promoted_at) VALUES ($1, $2, $3) \
             ON CONFLICT (kind) DO NOTHING RETURNING kind, space_id), \
         held AS (INSERT INTO space_kind (space_id, kind, state, started_at, finished_at) \
             SELECT space_id, kind, 'current', $3, $3 FROM activated ON CONFLICT DO NOTHING) \
         UPDATE embedding_space SET state = 'active' FROM activated WHERE embedding_space.id = activated.space_id",
    )
    .bind(kind.as_str())
    .bind(space)
    .bind(now)
    .execute(db.sql(scope))
    .await?;
    Ok(())
}

fn space(model: entity::embedding_space::Model) -> Result<Space> {
    let state = SpaceState::ALL.into_iter().find(|state| state.as_str() == model.state);
    Ok(Space {
        id: model.id,
        name: model.name,
        backend: model.backend,
        model: model.model,
        dimensions: usize::try_from(model.dimensions).unwrap_or(0),
        template_version: model.template_version,
        state: state
            .ok_or(Error::Unreadable { column: "embedding_space.state", value: model.state })?,
    })
}

/// How full a leaf is and whether its index is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafState {
    /// Counted up to the cap that was asked for.
    pub rows: i64,
    pub has_index: bool,
    /// Whether any row of the kind has an owner.
    pub has_owned_rows: bool,
}

/// The state of a leaf, its rows counted up to `cap`.
pub async fn leaf_state(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    cap: i64,
) -> Result<LeafState> {
    let leaf = space.leaf(kind);
    let statement = format!(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM {leaf} LIMIT $1) AS capped), \
         EXISTS (SELECT 1 FROM pg_index WHERE indexrelid = to_regclass('{leaf}_hnsw_idx') AND indisvalid), \
         EXISTS (SELECT 1 FROM content WHERE kind = $2 AND owner_id IS NOT NULL)"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(cap)
        .bind(kind.as_str())
        .fetch_one(db.sql(scope))
        .await?;
    Ok(LeafState {
        rows: row.try_get(0)?,
        has_index: row.try_get(1)?,
        has_owned_rows: row.try_get(2)?,
    })
}
