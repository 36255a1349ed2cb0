//! Embedding spaces and which of them answers for a kind.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter};
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Db, Error, Result, Tx, index};
use crate::model::hit::Fusion;
use crate::model::space::{FillState, HeldKind, IndexOver, SpaceSettings, SpaceState};
use crate::model::{Kind, Scope, Space};

/// All spaces with the kinds they answer for, oldest first, at one point in time.
pub async fn all(db: &Db, scope: Scope) -> Result<Vec<(Space, Vec<Kind>)>> {
    let rows = sqlx::query(
        "SELECT id, name, backend, model, dimensions, template_version, state, created_at, \
             fusion, semantic_ratio, chunk_tokens, chunk_overlap, \
             ARRAY(SELECT kind FROM active_space WHERE space_id = embedding_space.id) AS kinds \
         FROM embedding_space ORDER BY id",
    )
    .fetch_all(db.sql(scope))
    .await?;
    rows.into_iter()
        .map(|row| {
            let kinds: Vec<String> = row.try_get("kinds")?;
            let is_active = |kind: &Kind| kinds.iter().any(|name| name == kind.as_str());
            let model = entity::embedding_space::Model::from_query_result(&row.into(), "")?;
            Ok((space(model)?, Kind::ALL.into_iter().filter(is_active).collect()))
        })
        .collect()
}

/// What each space holds.
pub async fn held(db: &Db, scope: Scope) -> Result<Vec<(Uuid, HeldKind)>> {
    let models = entity::space_kind::Entity::find().all(db.orm(scope)).await?;
    models.into_iter().map(|model| Ok((model.space_id, held_kind(model)?))).collect()
}

/// The space of a name.
pub async fn by_name(db: &Db, scope: Scope, name: &str) -> Result<Option<Space>> {
    let model = entity::embedding_space::Entity::find()
        .filter(entity::embedding_space::Column::Name.eq(name))
        .one(db.orm(scope))
        .await?;
    model.map(space).transpose()
}

/// Writes a new space; `false` if the name is taken.
pub async fn insert(db: &Db, scope: Scope, space: &Space) -> Result<bool> {
    write(db.sql(scope), space).await
}

async fn write(executor: impl PgExecutor<'_>, space: &Space) -> Result<bool> {
    let dimensions = i32::try_from(space.dimensions)
        .map_err(|_| Error::Setup(format!("{} dimensions are too many", space.dimensions)))?;
    let written = sqlx::query(
        "INSERT INTO embedding_space (id, name, backend, model, dimensions, template_version, state, \
             created_at, fusion, semantic_ratio, chunk_tokens, chunk_overlap) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (name) DO NOTHING",
    )
    .bind(space.id)
    .bind(&space.name)
    .bind(&space.backend)
    .bind(&space.model)
    .bind(dimensions)
    .bind(space.template_version)
    .bind(space.state.as_str())
    .bind(space.created_at)
    .bind(space.settings.fusion.map(Fusion::as_str))
    .bind(space.settings.semantic_ratio)
    .bind(space.settings.chunk_tokens)
    .bind(space.settings.chunk_overlap)
    .execute(executor)
    .await?;
    Ok(written.rows_affected() > 0)
}

/// Writes how a space ranks and how documents are cut for it.
pub async fn configure(db: &Db, scope: Scope, space: Uuid, settings: SpaceSettings) -> Result<()> {
    sqlx::query(
        "UPDATE embedding_space SET fusion = $2, semantic_ratio = $3, chunk_tokens = $4, chunk_overlap = $5 \
         WHERE id = $1",
    )
    .bind(space)
    .bind(settings.fusion.map(Fusion::as_str))
    .bind(settings.semantic_ratio)
    .bind(settings.chunk_tokens)
    .bind(settings.chunk_overlap)
    .execute(db.sql(scope))
    .await?;
    Ok(())
}

/// Makes the table of a space's vectors of a kind, if it is not there.
pub async fn create_leaf(db: &Db, scope: Scope, space: &Space, kind: Kind) -> Result<()> {
    let statement = leaf_statement(space, kind);
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(db.sql(scope)).await?;
    Ok(())
}

/// Names and numbers here come from the program, never from a request.
fn leaf_statement(space: &Space, kind: Kind) -> String {
    let leaf = space.leaf(kind);
    format!(
        "CREATE TABLE IF NOT EXISTS {leaf} PARTITION OF {kind}_embedding \
         (CONSTRAINT {leaf}_dim_check CHECK (vector_dims(embedding) = {})) \
         FOR VALUES IN ('{}')",
        space.dimensions, space.id
    )
}

/// Begins a transaction that changes tables others read and write. It waits for their locks no
/// longer than this, because whoever comes later queues behind it.
pub async fn begin_change(db: &Db, scope: Scope, patience: Duration) -> Result<Tx> {
    let mut tx = db.begin(scope).await?;
    let statement = format!("SET LOCAL lock_timeout = {}", patience.as_millis().max(1));
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await?;
    Ok(tx)
}

/// Waits until whoever writes rows is done, and keeps others from beginning to, until the
/// transaction ends: who writes before it does not yet know what it changes, who writes after it
/// does. Rows can be read meanwhile.
pub async fn hold_writers(tx: &mut Tx, _scope: Scope) -> Result<()> {
    // In the order in which an ingest takes them.
    sqlx::raw_sql("LOCK TABLE content, embedding_task IN SHARE ROW EXCLUSIVE MODE")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Writes a new space with room for some kinds; `false` if the name is taken.
pub async fn create(tx: &mut Tx, scope: Scope, space: &Space, kinds: &[Kind]) -> Result<bool> {
    if !write(&mut **tx, space).await? {
        return Ok(false);
    }
    hold_writers(tx, scope).await?;
    for kind in kinds {
        let statement = leaf_statement(space, *kind);
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut **tx).await?;
    }
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    sqlx::query(
        "INSERT INTO space_kind (space_id, kind, state, started_at) \
         SELECT $1, kind, 'empty', $2 FROM unnest($3::text[]) AS kind",
    )
    .bind(space.id)
    .bind(space.created_at)
    .bind(names)
    .execute(&mut **tx)
    .await?;
    Ok(true)
}

/// Says that a space has room for a kind, if nothing is said of that yet.
pub async fn hold_if_none(
    db: &Db,
    scope: Scope,
    kind: Kind,
    space: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO space_kind (space_id, kind, state, started_at) VALUES ($1, $2, 'empty', $3) \
         ON CONFLICT DO NOTHING",
    )
    .bind(space)
    .bind(kind.as_str())
    .bind(now)
    .execute(db.sql(scope))
    .await?;
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
        created_at: model.created_at,
        state: state
            .ok_or(Error::Unreadable { column: "embedding_space.state", value: model.state })?,
        settings: SpaceSettings {
            fusion: model.fusion.map(fusion).transpose()?,
            semantic_ratio: model.semantic_ratio,
            chunk_tokens: model.chunk_tokens,
            chunk_overlap: model.chunk_overlap,
        },
    })
}

fn fusion(value: String) -> Result<Fusion> {
    let known = Fusion::ALL.into_iter().find(|fusion| fusion.as_str() == value);
    known.ok_or(Error::Unreadable { column: "embedding_space.fusion", value })
}

fn held_kind(model: entity::space_kind::Model) -> Result<HeldKind> {
    let state = FillState::ALL.into_iter().find(|state| state.as_str() == model.state);
    Ok(HeldKind {
        kind: super::rows::kind(&model.kind)?,
        state: state.ok_or(Error::Unreadable { column: "space_kind.state", value: model.state })?,
        texts_per_second: model.texts_per_second,
        started_at: model.started_at,
        finished_at: model.finished_at,
    })
}

/// How full a leaf is and whether its index is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeafState {
    /// Counted up to the cap that was asked for.
    pub rows: i64,
    /// What its index is over; `None` where it has none that is valid.
    pub index: Option<IndexOver>,
    /// Whether any row of the kind has an owner.
    pub has_owned_rows: bool,
}

/// The state of a leaf, its rows counted up to `cap`. Of two indexes the newer one counts: the other is
/// about to be dropped.
pub async fn leaf_state(
    db: &Db,
    scope: Scope,
    space: &Space,
    kind: Kind,
    cap: i64,
) -> Result<LeafState> {
    let leaf = space.leaf(kind);
    let [float, binary] =
        [IndexOver::Float, IndexOver::Binary].map(|over| index::name(&leaf, over));
    let statement = format!(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM {leaf} LIMIT $1) AS capped), \
         (SELECT indexrelid IS NOT DISTINCT FROM to_regclass('{binary}')::oid FROM pg_index \
         WHERE indexrelid IN (to_regclass('{float}'), to_regclass('{binary}')) AND indisvalid \
         ORDER BY indexrelid DESC LIMIT 1), \
         EXISTS (SELECT 1 FROM content WHERE kind = $2 AND owner_id IS NOT NULL)"
    );
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(cap)
        .bind(kind.as_str())
        .fetch_one(db.sql(scope))
        .await?;
    let is_binary: Option<bool> = row.try_get(1)?;
    Ok(LeafState {
        rows: row.try_get(0)?,
        index: is_binary.map(|is| if is { IndexOver::Binary } else { IndexOver::Float }),
        has_owned_rows: row.try_get(2)?,
    })
}
