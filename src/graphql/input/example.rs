//! Examples of a recommendation.

use async_graphql::{ID, InputObject};

use crate::model::hit;
use crate::service::Error;

/// A row that steers a recommendation.
#[derive(InputObject)]
pub(in crate::graphql) struct Example {
    /// Id of the row, of any kind.
    id: ID,
    /// How strongly it counts, above 0 and at most 100; 1 is an ordinary example.
    #[graphql(default = 1.0)]
    weight: f64,
}

impl Example {
    pub(in crate::graphql) fn all(examples: Option<Vec<Self>>) -> Result<Vec<hit::Example>, Error> {
        let examples = examples.unwrap_or_default().into_iter();
        examples
            .map(|example| Ok(hit::Example { id: example.id.parse()?, weight: example.weight }))
            .collect()
    }
}
