//! The queries, one file per noun.

mod document;
mod judgment;
mod node;
mod search;
mod song;
mod space;
mod stats;

use async_graphql::MergedObject;

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    search::SearchQuery,
    song::SongQuery,
    document::DocumentQuery,
    node::NodeQuery,
    space::SpaceQuery,
    stats::StatsQuery,
    judgment::JudgmentQuery,
);
