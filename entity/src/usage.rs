//! What a model cost on a day.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "usage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// Name of the space, which may be gone.
    #[sea_orm(primary_key, auto_increment = false)]
    pub space: String,
    pub backend: String,
    pub model: String,
    pub requests: i64,
    pub texts: i64,
    pub tokens: i64,
    pub truncated: i64,
    /// US dollars.
    #[sea_orm(column_type = "Double")]
    pub cost: f64,
}

impl ActiveModelBehavior for ActiveModel {}
