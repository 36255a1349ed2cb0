//! People.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, Set};
use uuid::Uuid;

use super::{Db, Result};
use crate::model::Scope;

/// Makes sure that the person of a token has a row to refer to.
pub async fn ensure(db: &Db, scope: Scope, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    use entity::user::Column;
    let model = entity::user::ActiveModel {
        id: Set(id),
        email: Set(None),
        display_name: Set(None),
        password_hash: Set(None),
        role: Set("user".to_owned()),
        created_at: Set(now),
        updated_at: Set(now),
        deleted_at: Set(None),
    };
    entity::user::Entity::insert(model)
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(db.orm(scope))
        .await?;
    Ok(())
}
