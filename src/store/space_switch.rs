//! Which space answers: promoting, going back, dropping.

use chrono::{DateTime, Utc};
use sqlx::Row;
use uuid::Uuid;

use super::space_fill::{self, kinds as kinds_of, names};
use super::{Db, Result, Tx, rows};
use crate::model::space::{Coverage, FillState};
use crate::model::{Kind, Scope, Space};

/// Which space answers for a kind, and which one did before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Active {
    pub kind: Kind,
    pub space_id: Uuid,
    pub previous_space_id: Option<Uuid>,
}

/// What answers for some kinds, locked until the transaction ends: promotions go one by one.
pub async fn lock_active(tx: &mut Tx, _scope: Scope, kinds: &[Kind]) -> Result<Vec<Active>> {
    let rows = sqlx::query(
        "SELECT kind, space_id, previous_space_id FROM active_space WHERE kind = ANY($1) \
         ORDER BY kind FOR UPDATE",
    )
    .bind(names(kinds))
    .fetch_all(&mut **tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Active {
                kind: rows::kind(row.try_get(0)?)?,
                space_id: row.try_get(1)?,
                previous_space_id: row.try_get(2)?,
            })
        })
        .collect()
}

/// Keeps a space from being dropped until the transaction ends, and says what it holds; `None` if
/// it is not there any more.
pub async fn keep(
    tx: &mut Tx,
    _scope: Scope,
    space: Uuid,
) -> Result<Option<Vec<(Kind, FillState)>>> {
    let there = sqlx::query("SELECT 1 FROM embedding_space WHERE id = $1 FOR NO KEY UPDATE")
        .bind(space)
        .fetch_optional(&mut **tx)
        .await?;
    if there.is_none() {
        return Ok(None);
    }
    let rows = sqlx::query("SELECT kind, state FROM space_kind WHERE space_id = $1 ORDER BY kind")
        .bind(space)
        .fetch_all(&mut **tx)
        .await?;
    let held = rows.iter().map(|row| {
        let state: &str = row.try_get(1)?;
        let known = FillState::ALL.into_iter().find(|known| known.as_str() == state);
        let unreadable =
            || super::Error::Unreadable { column: "space_kind.state", value: state.to_owned() };
        Ok((rows::kind(row.try_get(0)?)?, known.ok_or_else(unreadable)?))
    });
    held.collect::<Result<Vec<_>>>().map(Some)
}

/// How many rows a space covers, see [`space_fill::coverage`].
pub async fn coverage(
    tx: &mut Tx,
    scope: Scope,
    space: &Space,
    kind: Kind,
    recently: DateTime<Utc>,
) -> Result<Coverage> {
    space_fill::coverage(&mut **tx, scope, space, kind, recently).await
}

/// Lets a space answer for a kind, and remembers which one did before.
pub async fn activate(
    tx: &mut Tx,
    _scope: Scope,
    kind: Kind,
    space: Uuid,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query(
        "UPDATE active_space SET previous_space_id = space_id, space_id = $2, promoted_at = $3 \
         WHERE kind = $1 AND space_id <> $2",
    )
    .bind(kind.as_str())
    .bind(space)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Writes down of every space whether it answers, answered, or never did.
pub async fn settle_states(tx: &mut Tx, _scope: Scope) -> Result<()> {
    sqlx::query(
        "UPDATE embedding_space SET state = settled.state FROM (SELECT id, CASE \
             WHEN EXISTS (SELECT 1 FROM active_space WHERE space_id = embedding_space.id) THEN 'active' \
             WHEN state = 'building' THEN 'building' ELSE 'retired' END AS state \
             FROM embedding_space) AS settled \
         WHERE embedding_space.id = settled.id AND embedding_space.state <> settled.state",
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets nothing more reach a space that is about to be dropped, and empties its queue, so that the
/// drop itself is short.
pub async fn quiet(db: &Db, scope: Scope, space: Uuid) -> Result<()> {
    space_fill::cancel(db, scope, space, &Kind::ALL).await?;
    Ok(())
}

/// Removes a space with its vectors and tasks. Returns the kinds it still answers for; then nothing
/// was changed.
///
/// The caller holds the writers back, see [`super::space::hold_writers`].
pub async fn remove(tx: &mut Tx, _scope: Scope, space: &Space) -> Result<Vec<Kind>> {
    let active: Vec<String> =
        sqlx::query_scalar("SELECT kind FROM active_space WHERE space_id = $1")
            .bind(space.id)
            .fetch_all(&mut **tx)
            .await?;
    if !active.is_empty() {
        return kinds_of(&active);
    }
    for kind in Kind::ALL {
        // Names come from the program, never from a request.
        let statement = format!("DROP TABLE IF EXISTS {}", space.leaf(kind));
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut **tx).await?;
    }
    sqlx::query("DELETE FROM embedding_space WHERE id = $1")
        .bind(space.id)
        .execute(&mut **tx)
        .await?;
    Ok(Vec::new())
}
