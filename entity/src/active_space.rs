//! Which space answers for a kind.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "active_space")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    pub space_id: Uuid,
    pub promoted_at: DateTimeUtc,
    /// What answered before the last promotion.
    pub previous_space_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}
