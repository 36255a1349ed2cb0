//! What clients read.

pub(super) mod chunk;
pub(super) mod content;
pub(super) mod document;
pub(super) mod facet;
pub(super) mod hit;
pub(super) mod judgment;
pub(super) mod page_info;
pub(super) mod song;
pub(super) mod space;
pub(super) mod stats;

use async_graphql::Enum;

use crate::model;

/// A kind of content.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A song of the catalogue.
    Song,
    /// A document, which is searched by its chunks.
    Document,
    /// A part of a document.
    Chunk,
    /// An audio sample.
    Sample,
    /// A journal entry.
    Entry,
    /// A job.
    Job,
}

impl From<Kind> for model::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Song => Self::Song,
            Kind::Document => Self::Document,
            Kind::Chunk => Self::Chunk,
            Kind::Sample => Self::Sample,
            Kind::Entry => Self::Entry,
            Kind::Job => Self::Job,
        }
    }
}

impl From<model::Kind> for Kind {
    fn from(kind: model::Kind) -> Self {
        match kind {
            model::Kind::Song => Self::Song,
            model::Kind::Document => Self::Document,
            model::Kind::Chunk => Self::Chunk,
            model::Kind::Sample => Self::Sample,
            model::Kind::Entry => Self::Entry,
            model::Kind::Job => Self::Job,
        }
    }
}
