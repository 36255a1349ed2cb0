//! Re-ranking as clients ask for it.

use async_graphql::InputObject;

/// Lets a cross-encoder, which reads the search text and a result together, order the best results anew.
/// Slower, and usually better.
#[derive(InputObject)]
pub(in crate::graphql) struct RerankInput {
    /// How many of the best results it reads, from 1 to 100.
    #[graphql(default = 30)]
    pub top: i32,
}
