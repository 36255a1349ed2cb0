//! What people did with content.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use uuid::Uuid;

use super::{Db, Error, Result};
use crate::model::Scope;
use crate::model::feedback::Action;

/// One thing that a person did.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub content_id: Uuid,
    pub action: Action,
    pub at: DateTime<Utc>,
}

/// Records what a person did; doing the same again only renews its time.
pub async fn record(db: &Db, scope: Scope, id: Uuid, user: Uuid, entry: Entry) -> Result<()> {
    use entity::feedback::Column;
    let model = entity::feedback::ActiveModel {
        id: Set(id),
        user_id: Set(user),
        content_id: Set(entry.content_id),
        action: Set(entry.action.as_str().to_owned()),
        created_at: Set(entry.at),
    };
    entity::feedback::Entity::insert(model)
        .on_conflict(
            OnConflict::columns([Column::UserId, Column::ContentId, Column::Action])
                .update_column(Column::CreatedAt)
                .to_owned(),
        )
        .exec_without_returning(db.orm(scope))
        .await?;
    Ok(())
}

/// The latest things that a person did, newest first.
pub async fn latest(db: &Db, scope: Scope, user: Uuid, limit: u64) -> Result<Vec<Entry>> {
    use entity::feedback::Column;
    let models = entity::feedback::Entity::find()
        .filter(Column::UserId.eq(user))
        .order_by_desc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(db.orm(scope))
        .await?;
    models
        .into_iter()
        .map(|model| {
            let action = Action::ALL.into_iter().find(|action| action.as_str() == model.action);
            let unreadable = Error::Unreadable { column: "feedback.action", value: model.action };
            Ok(Entry {
                content_id: model.content_id,
                action: action.ok_or(unreadable)?,
                at: model.created_at,
            })
        })
        .collect()
}
