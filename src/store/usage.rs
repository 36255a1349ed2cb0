//! What models cost, by day.

use sea_orm::{EntityTrait, QueryOrder, QuerySelect};

use super::{Db, Result};
use crate::model::Scope;
use crate::model::stats::UsageDay;

/// Adds to what was spent on a day for a space; the cost follows from the tokens and the price of a
/// million of them in US dollars.
pub async fn add(db: &Db, scope: Scope, spent: &UsageDay, price: f64) -> Result<()> {
    sqlx::query(
        "INSERT INTO usage (day, space, backend, model, requests, texts, tokens, truncated, cost) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7::float8 * $9 / 1000000) \
         ON CONFLICT (day, space) DO UPDATE SET \
             backend = excluded.backend, \
             model = excluded.model, \
             requests = usage.requests + excluded.requests, \
             texts = usage.texts + excluded.texts, \
             tokens = usage.tokens + excluded.tokens, \
             truncated = usage.truncated + excluded.truncated, \
             cost = usage.cost + excluded.cost",
    )
    .bind(spent.day)
    .bind(&spent.space)
    .bind(&spent.backend)
    .bind(&spent.model)
    .bind(spent.requests)
    .bind(spent.texts)
    .bind(spent.tokens)
    .bind(spent.truncated)
    .bind(price)
    .execute(db.sql(scope))
    .await?;
    Ok(())
}

/// What was spent, latest day first. It concerns everybody's texts, so only for administrators.
pub async fn latest(db: &Db, scope: Scope, limit: u64) -> Result<Vec<UsageDay>> {
    use entity::usage::Column;
    let models = entity::usage::Entity::find()
        .order_by_desc(Column::Day)
        .order_by_asc(Column::Space)
        .limit(limit)
        .all(db.orm(scope))
        .await?;
    let day = |model: entity::usage::Model| UsageDay {
        day: model.day,
        space: model.space,
        backend: model.backend,
        model: model.model,
        requests: model.requests,
        texts: model.texts,
        tokens: model.tokens,
        truncated: model.truncated,
        cost: model.cost,
    };
    Ok(models.into_iter().map(day).collect())
}
