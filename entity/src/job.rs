//! What only a job has.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub content_id: Uuid,
    pub company: Option<String>,
    pub location: Option<String>,
    pub skills: Vec<String>,
}

impl ActiveModelBehavior for ActiveModel {}
