//! The mutations, one file per noun.

mod content;
mod document;
mod feedback;
mod ingest;
mod judgment;
pub(super) mod space;
mod task;

use async_graphql::MergedObject;

/// Everything that can be changed.
#[derive(MergedObject, Default)]
pub struct Mutation(
    ingest::IngestMutation,
    document::DocumentMutation,
    content::ContentMutation,
    feedback::FeedbackMutation,
    task::TaskMutation,
    space::SpaceMutation,
    judgment::JudgmentMutation,
);
