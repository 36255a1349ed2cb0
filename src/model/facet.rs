//! How many rows of a set have each value of a field.

/// A field whose values are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FacetField {
    Kind,
    Language,
    Tag,
    Genre,
    Subgenre,
    Band,
    Album,
    Year,
    Key,
    Mode,
    Mood,
}

impl FacetField {
    pub const ALL: [Self; 11] = [
        Self::Kind,
        Self::Language,
        Self::Tag,
        Self::Genre,
        Self::Subgenre,
        Self::Band,
        Self::Album,
        Self::Year,
        Self::Key,
        Self::Mode,
        Self::Mood,
    ];
}

/// The values of a field in a set of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facet {
    pub field: FacetField,
    /// Rows of the set.
    pub total: i64,
    /// Rows of the set without a value.
    pub missing: i64,
    /// How many values there are, listed or not.
    pub distinct: i64,
    /// The most frequent values first, then by name.
    pub values: Vec<FacetValue>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetValue {
    pub value: String,
    /// Rows that have it; a row with several values counts for each.
    pub count: i64,
}
