//! Boosts as clients send them.

use async_graphql::{Enum, InputObject};

use crate::model::boost::{Boost, BoostScale};
use crate::model::filter;
use crate::service::Error;

/// A wish that results with some property stand higher. Give exactly one of the fields.
#[derive(InputObject)]
pub(in crate::graphql) struct BoostInput {
    /// The newer the better.
    recency: Option<RecencyBoost>,
    /// The more the better.
    number: Option<NumberBoost>,
}

/// The newer the better.
#[derive(InputObject)]
pub(in crate::graphql) struct RecencyBoost {
    /// The time that counts.
    #[graphql(default_with = "TimeField::CreatedAt")]
    field: TimeField,
    /// A result that is this many days old gets half of the boost, from 0.01 to 36500.
    #[graphql(default = 30.0)]
    half_life_days: f64,
    /// How much of the best score it adds at most, from -1 to 1; below 0 old results stand higher.
    weight: f64,
}

/// The more the better, from the lowest to the highest number of the results. A result without the
/// number gets nothing.
#[derive(InputObject)]
pub(in crate::graphql) struct NumberBoost {
    /// The number that counts.
    field: NumberField,
    /// How the number becomes a boost.
    #[graphql(default_with = "Scale::Linear")]
    scale: Scale,
    /// How much of the best score it adds at most, from -1 to 1; below 0 low numbers stand higher.
    weight: f64,
}

/// How a number becomes a boost.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(name = "BoostScale", remote = "BoostScale")]
pub(in crate::graphql) enum Scale {
    /// In proportion.
    Linear,
    /// By the logarithm of the number plus one, for counts; numbers below 0 are 0.
    Log,
}

/// A time that every row has.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "filter::TimeField")]
pub(in crate::graphql) enum TimeField {
    /// When the row was first ingested.
    CreatedAt,
    /// When the row last changed.
    UpdatedAt,
}

/// A number that songs or chunks have.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "filter::NumberField")]
pub(in crate::graphql) enum NumberField {
    /// Year of release.
    Year,
    /// Beats per minute.
    Tempo,
    /// From 0 (calm) to 1 (intense).
    Energy,
    /// How suitable for dancing, from 0 to 1.
    Danceability,
    /// From 0 (sad) to 1 (cheerful).
    Valence,
    /// How surely it is acoustic, from 0 to 1.
    Acousticness,
    /// How surely it has no vocals, from 0 to 1.
    Instrumentalness,
    /// How surely an audience is heard, from 0 to 1.
    Liveness,
    /// How much of it is spoken, from 0 to 1.
    Speechiness,
    /// Decibels relative to full scale.
    Loudness,
    /// From 0 to 100.
    Popularity,
    /// Length in milliseconds.
    DurationMs,
    /// Place of a chunk in its document, from 0.
    Position,
}

impl BoostInput {
    pub(in crate::graphql) fn all(boosts: Option<Vec<Self>>) -> Result<Vec<Boost>, Error> {
        boosts.unwrap_or_default().into_iter().map(Self::into_boost).collect()
    }

    fn into_boost(self) -> Result<Boost, Error> {
        match (self.recency, self.number) {
            (Some(recency), None) => Ok(Boost::Recency {
                field: recency.field.into(),
                half_life_days: recency.half_life_days,
                weight: recency.weight,
            }),
            (None, Some(number)) => Ok(Boost::Number {
                field: number.field.into(),
                scale: number.scale.into(),
                weight: number.weight,
            }),
            (Some(_), Some(_)) | (None, None) => {
                let problem = "holds a boost that has not exactly one of `recency` and `number`";
                Err(Error::invalid("boosts", problem))
            }
        }
    }
}
