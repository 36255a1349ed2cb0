//! How many rows have each value of a field.

use async_graphql::{Enum, SimpleObject};

use crate::model::facet;

/// A field whose values can be counted.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "facet::FacetField")]
pub(in crate::graphql) enum FacetField {
    /// What kind of content a row is.
    Kind,
    /// The language that full text reads a row in.
    Language,
    /// Tags of documents; a chunk has those of its document.
    Tag,
    /// Genre of a song.
    Genre,
    /// Genre within the genre.
    Subgenre,
    /// Performer of a song.
    Band,
    /// Album of a song.
    Album,
    /// Year of a song's release.
    Year,
    /// Pitch of a song's key.
    Key,
    /// Mode of a song's key.
    Mode,
    /// Moods of a song.
    Mood,
}

/// The values of a field in a set of rows.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Facet {
    /// The field.
    field: FacetField,
    /// Rows of the set.
    total: i64,
    /// Rows of the set that have no value.
    missing: i64,
    /// How many values there are, those that are not listed included.
    distinct: i64,
    /// The most frequent values first, then in the order of their letters.
    values: Vec<FacetValue>,
}

/// One value of a field.
#[derive(SimpleObject)]
pub(in crate::graphql) struct FacetValue {
    /// The value as text.
    value: String,
    /// Rows that have it. A row with several values counts for each of them.
    count: i64,
}

impl From<facet::Facet> for Facet {
    fn from(facet: facet::Facet) -> Self {
        let value =
            |value: facet::FacetValue| FacetValue { value: value.value, count: value.count };
        Self {
            field: facet.field.into(),
            total: facet.total,
            missing: facet.missing,
            distinct: facet.distinct,
            values: facet.values.into_iter().map(value).collect(),
        }
    }
}
