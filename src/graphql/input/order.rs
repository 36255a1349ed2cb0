//! Orders of lists.

use async_graphql::{Enum, InputObject};

use crate::model::content::{ContentOrder, Direction, OrderField};
use crate::model::filter::NumberField;

/// What songs can be ordered by. Equal values are ordered by id; songs without the value come last.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum SongOrderField {
    /// When the song was ingested.
    CreatedAt,
    /// By code points, so capitals come before small letters.
    Title,
    /// Name of the performer, by code points.
    Band,
    /// Year of release.
    Year,
    /// Beats per minute.
    Tempo,
    /// From 0 (calm) to 1 (intense).
    Energy,
    /// From 0 to 1.
    Danceability,
    /// From 0 (sad) to 1 (cheerful).
    Valence,
    /// From 0 to 100.
    Popularity,
    /// Length in milliseconds.
    DurationMs,
}

/// Which end comes first.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum SortDirection {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
}

/// An order of songs.
#[derive(InputObject)]
pub(in crate::graphql) struct SongOrder {
    /// What to order by.
    field: SongOrderField,
    /// Which end comes first.
    #[graphql(default_with = "SortDirection::Asc")]
    direction: SortDirection,
}

/// What documents can be ordered by. Equal values are ordered by id.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum DocumentOrderField {
    /// When the document was ingested.
    CreatedAt,
    /// When the document last changed.
    UpdatedAt,
    /// By code points, so capitals come before small letters.
    Title,
}

/// An order of documents.
#[derive(InputObject)]
pub(in crate::graphql) struct DocumentOrder {
    /// What to order by.
    field: DocumentOrderField,
    /// Which end comes first.
    #[graphql(default_with = "SortDirection::Asc")]
    direction: SortDirection,
}

impl From<DocumentOrder> for ContentOrder {
    fn from(order: DocumentOrder) -> Self {
        let by = match order.field {
            DocumentOrderField::CreatedAt => OrderField::CreatedAt,
            DocumentOrderField::UpdatedAt => OrderField::UpdatedAt,
            DocumentOrderField::Title => OrderField::Title,
        };
        Self { by, direction: order.direction.into() }
    }
}

impl From<SortDirection> for Direction {
    fn from(direction: SortDirection) -> Self {
        match direction {
            SortDirection::Asc => Self::Asc,
            SortDirection::Desc => Self::Desc,
        }
    }
}

impl From<SongOrder> for ContentOrder {
    fn from(order: SongOrder) -> Self {
        let by = match order.field {
            SongOrderField::CreatedAt => OrderField::CreatedAt,
            SongOrderField::Title => OrderField::Title,
            SongOrderField::Band => OrderField::Band,
            SongOrderField::Year => OrderField::Number(NumberField::Year),
            SongOrderField::Tempo => OrderField::Number(NumberField::Tempo),
            SongOrderField::Energy => OrderField::Number(NumberField::Energy),
            SongOrderField::Danceability => OrderField::Number(NumberField::Danceability),
            SongOrderField::Valence => OrderField::Number(NumberField::Valence),
            SongOrderField::Popularity => OrderField::Number(NumberField::Popularity),
            SongOrderField::DurationMs => OrderField::Number(NumberField::DurationMs),
        };
        Self { by, direction: order.direction.into() }
    }
}
