//! What only a song has.

use sea_orm::entity::prelude::*;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "song")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub content_id: Uuid,
    pub band: Option<String>,
    pub album: Option<String>,
    pub genre: Option<String>,
    pub subgenre: Option<String>,
    pub year: Option<i32>,
    /// Beats per minute.
    pub tempo: Option<f64>,
    /// Pitch class, sharps only.
    pub key: Option<String>,
    /// `major` or `minor`.
    pub mode: Option<String>,
    pub energy: Option<f64>,
    pub danceability: Option<f64>,
    pub valence: Option<f64>,
    pub acousticness: Option<f64>,
    pub instrumentalness: Option<f64>,
    pub liveness: Option<f64>,
    pub speechiness: Option<f64>,
    /// Decibels relative to full scale.
    pub loudness: Option<f64>,
    /// 0 to 100.
    pub popularity: Option<i32>,
    pub duration_ms: Option<i32>,
    pub moods: Vec<String>,
    pub description: Option<String>,
    #[sea_orm(belongs_to, from = "content_id", to = "id")]
    pub content: BelongsTo<super::content::Entity>,
}

impl ActiveModelBehavior for ActiveModel {}
