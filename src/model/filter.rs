//! What a search or a list is narrowed to.

use chrono::{DateTime, Utc};

use uuid::Uuid;

use super::Kind;

/// A condition on content. Conditions on a kind's own fields hold only for rows of that kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    /// Only rows of this kind.
    Kind(Kind),
    /// Rows that have an owner (`true`), or rows of the shared catalogue (`false`).
    Owned(bool),
    Number(NumberField, Range<f64>),
    Text(TextField, TextMatch),
    Time(TimeField, Range<DateTime<Utc>>),
    /// Songs with at least one of these moods.
    Moods(Vec<String>),
    /// Documents with at least one of these tags, and their chunks.
    Tags(Vec<String>),
    /// Chunks of these documents.
    PartOf(Vec<Uuid>),
}

impl Filter {
    /// The filter that lets everything through.
    pub fn none() -> Self {
        Self::All(Vec::new())
    }

    /// How many conditions it holds, itself included.
    pub fn parts(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => 1 + parts.iter().map(Self::parts).sum::<usize>(),
            Self::Not(part) => 1 + part.parts(),
            Self::Kind(_)
            | Self::Owned(_)
            | Self::Number(..)
            | Self::Text(..)
            | Self::Time(..)
            | Self::Moods(_)
            | Self::Tags(_)
            | Self::PartOf(_) => 1,
        }
    }

    /// Whether it lets everything through.
    pub fn is_none(&self) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(Self::is_none),
            Self::Any(_)
            | Self::Not(_)
            | Self::Kind(_)
            | Self::Owned(_)
            | Self::Number(..)
            | Self::Text(..)
            | Self::Time(..)
            | Self::Moods(_)
            | Self::Tags(_)
            | Self::PartOf(_) => false,
        }
    }
}

/// Bounds on a value; every bound that is given must hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Range<T> {
    pub eq: Option<T>,
    pub gte: Option<T>,
    pub lte: Option<T>,
    pub gt: Option<T>,
    pub lt: Option<T>,
}

/// How a text must look. Upper and lower case are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct TextMatch {
    pub eq: Option<String>,
    pub one_of: Option<Vec<String>>,
    pub contains: Option<String>,
}

/// The numbers that can be filtered and ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NumberField {
    Year,
    Tempo,
    Energy,
    Danceability,
    Valence,
    Acousticness,
    Instrumentalness,
    Liveness,
    Speechiness,
    Loudness,
    Popularity,
    DurationMs,
    /// Place of a chunk in its document, from 0.
    Position,
}

/// The texts that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextField {
    Title,
    ExternalId,
    Band,
    Album,
    Genre,
    Subgenre,
    Key,
    Mode,
    /// Address of a document, or of the one that a chunk belongs to.
    Url,
    Language,
}

/// The times that can be filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimeField {
    CreatedAt,
    UpdatedAt,
}
