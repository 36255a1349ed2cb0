//! The kinds of content.

use std::fmt;
use std::str::FromStr;

/// A kind of content. Its name is the name of its detail table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Song,
    Document,
    Chunk,
    Sample,
    Entry,
    Job,
}

impl Kind {
    pub const ALL: [Self; 6] =
        [Self::Song, Self::Document, Self::Chunk, Self::Sample, Self::Entry, Self::Job];

    /// The name in tables and in ids: `song` in `song:0192…`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Song => "song",
            Self::Document => "document",
            Self::Chunk => "chunk",
            Self::Sample => "sample",
            Self::Entry => "entry",
            Self::Job => "job",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a kind.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a kind; kinds are song, document, chunk, sample, entry and job")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }
}
