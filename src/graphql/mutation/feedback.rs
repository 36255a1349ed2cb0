//! `recordFeedback`.

use async_graphql::{Context, Enum, ID, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::model::feedback;

#[derive(Default)]
pub(in crate::graphql) struct FeedbackMutation;

/// Something you did, which says how well content suits you.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "feedback::Action")]
enum FeedbackAction {
    /// You like it.
    Like,
    /// You do not like it.
    Dislike,
    /// You played it.
    Play,
    /// You looked at it.
    View,
}

#[Object]
impl FeedbackMutation {
    /// Records what you did with a row; `recommend(forMe: true)` goes by it. Doing the same again
    /// renews its time. Needs a token. Returns `true`.
    async fn record_feedback(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Id of the row.")] id: ID,
        #[graphql(desc = "What you did.")] action: FeedbackAction,
    ) -> Result<bool> {
        ctx.services().record_feedback(ctx.viewer(), id.parse()?, action.into()).await?;
        Ok(true)
    }
}
